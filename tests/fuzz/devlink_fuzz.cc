// SPDX-License-Identifier: Apache-2.0
//
// One message of devlink: a port, a device, an eswitch mode.
#include "netlink/devlink.h"

#include <linux/genetlink.h>

#include <cerrno>

#include "fuzz.h"
#include "netlink/devlink_internal.h"
#include "netlink_input.h"

namespace dpuflow::netlink {
namespace {

using fuzz::Require;

void ParseAll(const nlmsghdr& message) {
  const auto port = ParseDevlinkPort(message);
  const auto handle = ParseDevlinkHandle(message);
  const auto mode = ParseEswitchMode(message);
  if (port) {
    const bool subfunction = port->value.flavour == PortFlavour::kPciSf;
    Require(!subfunction || port->value.external == (port->value.controller != 0),
            "a subfunction is external where its controller is");
    Require(mode.has_value(), "a message that is a port's is well formed for all");
  } else {
    Require(port.error().code == EBADMSG || port.error().code == EINVAL, "an error is one of the two in devlink.h");
  }
  Require(!handle || !handle->device.empty(), "a device has a name");
  Require(!port || !handle || port->value.handle == *handle, "a port's device is the message's");
}

}  // namespace
}  // namespace dpuflow::netlink

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const dpuflow::fuzz::OneMessage message(data, size);
  if (!message.empty()) dpuflow::netlink::ParseAll(message.header());
  return 0;
}
