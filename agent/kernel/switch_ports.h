// SPDX-License-Identifier: Apache-2.0
//
// Which netdevs are ports of the switch, and which of them the agent may use.
//
// A pure function of what devlink and rtnetlink say. Ports are known by devlink attributes and switch id, never by
// name: names are changed by udev and by people.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/kernel/mirror.h"
#include "netlink/error.h"
#include "netlink/values.h"

namespace dpuflow::kernel {

enum class PortRole : std::uint8_t { kUplink, kPf, kVf };
std::string_view ToString(PortRole role);  // "uplink", "pf", "vf"

struct SwitchPort {
  netlink::Link link;
  netlink::DevlinkPort devlink;
  PortRole role = PortRole::kVf;
  // Why the agent leaves the port alone, in one sentence, and the command that frees it. Empty: it may be used.
  std::string refusal;
  std::string hint;

  bool operator==(const SwitchPort&) const = default;
};

// A devlink instance, the mode of its eswitch, and the id that its ports show (IFLA_PHYS_SWITCH_ID; empty: none does).
struct Eswitch {
  netlink::DevlinkHandle handle;
  netlink::EswitchMode mode = netlink::EswitchMode::kUnknown;
  std::string switch_id;
};

// One NIC: the eswitches in switchdev mode that share a switch id, as those of p0 and p1 do.
struct Switch {
  std::string switch_id;
  std::vector<netlink::DevlinkHandle> eswitches;  // by name; at least one

  bool operator==(const Switch&) const = default;
};

// The NIC with this id, as it is now; nothing when none of its eswitches is there.
std::optional<Switch> FindSwitch(const std::vector<Eswitch>& eswitches, std::string_view switch_id);

// The NIC to drive: the one to which the named eswitch ("pci/0000:03:00.0") belongs, or the only one in switchdev mode.
// Errors are one sentence with the command that mends it: no switch at all, legacy mode, several to choose from, a name
// that does not exist, no ports.
Result<Switch> ChooseSwitch(const std::vector<Eswitch>& eswitches, std::string_view wanted);

// The ports of the NIC, by ifindex. Ports without a netdev, or whose link is not known yet, are left out.
std::map<std::uint32_t, SwitchPort> FindPorts(const Switch& nic, const std::vector<netlink::DevlinkPort>& ports,
                                              const LinkMirror& links);

}  // namespace dpuflow::kernel
