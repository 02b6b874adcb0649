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

// One embedded switch: a devlink instance in switchdev mode.
struct Switch {
  netlink::DevlinkHandle handle;
  netlink::EswitchMode mode = netlink::EswitchMode::kUnknown;
  std::string switch_id;

  bool operator==(const Switch&) const = default;
};

// A devlink instance and the mode of its eswitch.
struct Eswitch {
  netlink::DevlinkHandle handle;
  netlink::EswitchMode mode = netlink::EswitchMode::kUnknown;
};

// The switch to drive: the one named ("pci/0000:03:00.0"), or the only one in switchdev mode. Errors are one sentence
// with the command that mends it: no switch at all, legacy mode, several to choose from, a name that does not exist.
Result<Switch> ChooseSwitch(const std::vector<Eswitch>& eswitches, const std::vector<netlink::DevlinkPort>& ports,
                            std::string_view wanted);

// The ports of `handle`, by ifindex. Ports without a netdev, or whose link is not known yet, are left out.
std::map<std::uint32_t, SwitchPort> FindPorts(const netlink::DevlinkHandle& handle,
                                              const std::vector<netlink::DevlinkPort>& ports, const LinkMirror& links);

}  // namespace dpuflow::kernel
