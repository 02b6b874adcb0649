// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/reason.h"

#include <array>

namespace dpuflow::flow {

std::string_view ToString(Why why) {
  static constexpr std::array<std::string_view, kWhys> kNames = {
      "none",        "local",         "unreachable",    "blackhole",     "prohibit",      "forwarding_off",
      "tunnel",      "lookup_failed", "neighbour",      "reverse_path",  "martian",       "source_scope",
      "source_list", "rule",          "protocol",       "portless",      "route_type",    "encapsulation",
      "same_port",   "no_port",       "port_not_ready", "other_eswitch", "oversize",      "netfilter",
      "xfrm",        "queue",         "station",        "isolated",      "vlan_priority", "second_tag",
      "offload_off", "guards",        "shapes",         "limit",         "no_room",       "refused"};
  return kNames[static_cast<std::size_t>(why)];
}

}  // namespace dpuflow::flow
