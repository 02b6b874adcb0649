// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/switch_ports.h"

#include <cerrno>

namespace dpuflow::kernel {
namespace {

using netlink::EswitchMode;
using netlink::PortFlavour;

std::string HandleText(const netlink::DevlinkHandle& handle) { return fmt::format("{}/{}", handle.bus, handle.device); }

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

Result<Switch> ChooseSwitch(const std::vector<Eswitch>& eswitches, const std::vector<netlink::DevlinkPort>& ports,
                            std::string_view wanted) {
  const auto fail = [](std::string sentence) { return MakeError(ENODEV, "use a switch", std::move(sentence)); };
  std::vector<const Eswitch*> candidates;
  const Eswitch* legacy = nullptr;
  for (const Eswitch& eswitch : eswitches) {
    const std::string name = HandleText(eswitch.handle);
    if (!wanted.empty() && name != wanted) continue;
    if (eswitch.mode == EswitchMode::kSwitchdev) candidates.push_back(&eswitch);
    if (eswitch.mode == EswitchMode::kLegacy) legacy = &eswitch;
  }
  if (candidates.size() > 1) {
    std::string names;
    for (const Eswitch* candidate : candidates) names += fmt::format(" {}", HandleText(candidate->handle));
    return fail(fmt::format("there are several; choose one with [switch] devlink in the configuration:{}", names));
  }
  if (candidates.empty() && legacy != nullptr) {
    const std::string name = HandleText(legacy->handle);
    return fail(fmt::format("the eswitch of {} is in legacy mode; type: devlink dev eswitch set {} mode switchdev",
                            name, name));
  }
  if (candidates.empty() && !wanted.empty()) {
    return fail(fmt::format("devlink knows no switch {}; type: devlink dev show", wanted));
  }
  if (candidates.empty()) {
    return fail("no NIC with an embedded switch was found; type: devlink dev show, devlink port show");
  }
  Switch chosen{candidates.front()->handle, EswitchMode::kSwitchdev, {}};
  const bool has_ports = std::any_of(ports.begin(), ports.end(), [&](const netlink::DevlinkPort& port) {
    return port.handle == chosen.handle && RoleOf(port.flavour);
  });
  if (!has_ports) return fail(fmt::format("{} has no ports; type: devlink port show", HandleText(chosen.handle)));
  return chosen;
}

std::map<std::uint32_t, SwitchPort> FindPorts(const netlink::DevlinkHandle& handle,
                                              const std::vector<netlink::DevlinkPort>& ports, const LinkMirror& links) {
  std::map<std::uint32_t, SwitchPort> found;
  for (const netlink::DevlinkPort& devlink : ports) {
    const auto role = RoleOf(devlink.flavour);
    const netlink::Link* link = links.Find(devlink.ifindex);
    if (devlink.handle != handle || !role || link == nullptr) continue;
    SwitchPort port{*link, devlink, *role, {}, {}};
    if (link->switch_id.empty()) {
      port.refusal = "it has no switch id: the eswitch is not in switchdev mode";
      port.hint = fmt::format("devlink dev eswitch set {} mode switchdev", HandleText(handle));
    } else {
      RefuseByMaster(port, links);
    }
    found.emplace(devlink.ifindex, std::move(port));
  }
  return found;
}

}  // namespace dpuflow::kernel
