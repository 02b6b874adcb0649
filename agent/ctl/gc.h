// SPDX-License-Identifier: Apache-2.0
//
// `dpuflowctl gc`: takes out of the kernel what a dpuflowd that has ended has left there. It needs no daemon, and
// CAP_NET_ADMIN; what is ours it knows as a daemon does (agent/offload/removal.h).
#pragma once

#include <string>

#include "agent/api/message.h"
#include "netlink/error.h"

namespace dpuflow::ctl {

// Nothing is done while a daemon holds the lock file, nor, without `now`, as long as what it left may stand (orphan-timeout,
// which stands in that file). No daemon starts meanwhile. What was done, as one of
//
//   {"state": "running", "holder": "process 123 (dpuflowd) holds it"}
//   {"state": "waiting", "ended_ms_ago": 3000, "orphan_timeout_ms": 10000}
//   {"state": "done", "devices": [{"name": "p0", "entries": 12, "classifier": true, "clsact": true}],
//    "failures": [{"name": "pf0vf0", "error": "..."}]}
Result<api::Json> CollectGarbage(bool now);

// The same for people.
std::string ShowGarbage(const api::Json& report);

}  // namespace dpuflow::ctl
