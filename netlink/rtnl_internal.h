// SPDX-License-Identifier: Apache-2.0
//
// What the parsers of rtnl.h have in common. For netlink/*.cc only.
#pragma once

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <string_view>

#include "netlink/address.h"
#include "netlink/error.h"

namespace dpuflow::netlink {

// Whether `message` takes its object away. Every RTM_DEL* follows its RTM_NEW*. EINVAL: it is about something else.
inline Result<bool> IsRemoval(const nlmsghdr& message, std::uint16_t new_type, std::string_view what) {
  if (message.nlmsg_type == new_type) return false;
  if (message.nlmsg_type == new_type + 1) return true;
  return MakeError(EINVAL, fmt::format("read {}: message of type {}", what, message.nlmsg_type));
}

inline bool IsIp(std::uint8_t family) { return family == AF_INET || family == AF_INET6; }

inline tl::unexpected<Error> OtherFamily(std::string_view what, unsigned family) {
  return MakeError(EAFNOSUPPORT, fmt::format("read {}: family {}", what, family));
}

}  // namespace dpuflow::netlink
