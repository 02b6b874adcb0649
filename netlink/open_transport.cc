// SPDX-License-Identifier: Apache-2.0
//
// Alone in its file, so that a program that has an OpenTransport of its own is linked with that instead
// (tests/lab/lossy).
#include "netlink/transport.h"

namespace dpuflow::netlink {

Result<std::unique_ptr<Transport>> OpenTransport(const SocketOptions& options) { return OpenKernelTransport(options); }

}  // namespace dpuflow::netlink
