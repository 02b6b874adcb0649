// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/switch_ports.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace dpuflow::kernel {
namespace {

using netlink::EswitchMode;
using netlink::PortFlavour;

std::optional<PortRole> RoleOf(PortFlavour flavour) {
  switch (flavour) {
    case PortFlavour::kPhysical:
      return PortRole::kUplink;
    case PortFlavour::kPciPf:
      return PortRole::kPf;
    case PortFlavour::kPciVf:
    case PortFlavour::kPciSf:
      return PortRole::kVf;
    case PortFlavour::kOther:
      break;
  }
  return std::nullopt;
}

// A port under a master belongs to somebody else, who has other ideas about its packets.
void RefuseByMaster(SwitchPort& port, const LinkMirror& links) {
  if (port.link.master == 0) return;
  const std::string& name = port.link.name;
  const std::string master = links.Name(port.link.master);
  const std::string& kind = port.link.slave_kind;
  if (kind == "vrf") return;     // a routing domain, which the kernel knows by the port
  if (kind == "bridge") return;  // whose tables are the kernel's, and told to us (bridging.h)
  if (kind == "openvswitch") {
    port.refusal = "it belongs to an Open vSwitch bridge";
    port.hint = fmt::format("ovs-vsctl del-port {}", name);
    return;
  }
  port.refusal = fmt::format("it belongs to the {} {}", kind.empty() ? "interface" : kind, master);
  port.hint = fmt::format("ip link set dev {} nomaster", name);
}

}  // namespace

std::string_view ToString(PortRole role) {
  switch (role) {
    case PortRole::kUplink:
      return "uplink";
    case PortRole::kPf:
      return "pf";
    case PortRole::kVf:
      break;
  }
  return "vf";
}

std::optional<Switch> FindSwitch(const std::vector<Eswitch>& eswitches, std::string_view switch_id) {
  Switch nic{std::string(switch_id), {}};
  for (const Eswitch& eswitch : eswitches) {
    if (eswitch.mode == EswitchMode::kSwitchdev && eswitch.switch_id == switch_id)
      nic.eswitches.push_back(eswitch.handle);
  }
  std::ranges::sort(nic.eswitches);
  return nic.eswitches.empty() ? std::nullopt : std::optional(std::move(nic));
}

Result<Switch> ChooseSwitch(const std::vector<Eswitch>& eswitches, std::string_view wanted) {
  const auto fail = [](std::string sentence) { return MakeError(ENODEV, "use a switch", std::move(sentence)); };
  std::vector<const Eswitch*> candidates;
  std::set<std::string> ids;
  const Eswitch* legacy = nullptr;
  for (const Eswitch& eswitch : eswitches) {
    if (!wanted.empty() && ToString(eswitch.handle) != wanted) continue;
    if (eswitch.mode == EswitchMode::kLegacy) legacy = &eswitch;
    if (eswitch.mode != EswitchMode::kSwitchdev) continue;
    candidates.push_back(&eswitch);
    ids.insert(eswitch.switch_id);
  }
  if (candidates.empty() && legacy != nullptr) {
    const std::string name = ToString(legacy->handle);
    return fail(fmt::format("the eswitch of {} is in legacy mode; type: devlink dev eswitch set {} mode switchdev",
                            name, name));
  }
  if (candidates.empty() && !wanted.empty()) {
    return fail(fmt::format("devlink knows no switch {}; type: devlink dev show", wanted));
  }
  if (candidates.empty()) {
    return fail("no NIC with an embedded switch was found; type: devlink dev show, devlink port show");
  }
  if (ids.size() > 1) {
    std::string names;
    for (const Eswitch* candidate : candidates) names += " " + ToString(candidate->handle);
    return fail(fmt::format("there are several; choose one with [switch] devlink in the configuration:{}", names));
  }
  if (ids.begin()->empty()) {
    return fail(fmt::format("{} has no ports; type: devlink port show", ToString(candidates.front()->handle)));
  }
  return *FindSwitch(eswitches, *ids.begin());
}

std::map<std::uint32_t, SwitchPort> FindPorts(const Switch& nic, const std::vector<netlink::DevlinkPort>& ports,
                                              const LinkMirror& links) {
  std::map<std::uint32_t, SwitchPort> found;
  for (const netlink::DevlinkPort& devlink : ports) {
    const auto role = RoleOf(devlink.flavour);
    const netlink::Link* link = links.Find(devlink.ifindex);
    if (std::ranges::find(nic.eswitches, devlink.handle) == nic.eswitches.end() || !role || link == nullptr) continue;
    SwitchPort port{*link, devlink, *role, {}, {}};
    if (link->switch_id.empty()) {
      port.refusal = "it has no switch id: the eswitch is not in switchdev mode";
      port.hint = fmt::format("devlink dev eswitch set {} mode switchdev", ToString(devlink.handle));
    } else {
      RefuseByMaster(port, links);
    }
    found.emplace(devlink.ifindex, std::move(port));
  }
  return found;
}

}  // namespace dpuflow::kernel
