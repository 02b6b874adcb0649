// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/topology.h"

#include <linux/if_bridge.h>
#include <linux/if_ether.h>

#include <algorithm>

namespace dpuflow::kernel {
namespace {

const netlink::Link* MasterOf(const netlink::Link& link, const LinkMirror& links) {
  return link.master == 0 ? nullptr : links.Find(link.master);
}

// By nobody else than routing: no master, or a VRF.
bool IsRouted(const netlink::Link& link, const LinkMirror& links) {
  const netlink::Link* master = MasterOf(link, links);
  return link.master == 0 || (master != nullptr && master->kind == "vrf");
}

bool IsVlan(const netlink::Link& link) { return link.vlan && link.vlan->protocol == ETH_P_8021Q && link.vlan->id != 0; }

bool IsUsableVlan(const netlink::Link& link) { return IsVlan(link) && link.is_up(); }

L3Interface InterfaceOf(const netlink::Link& link, const LinkMirror& links) {
  L3Interface interface;
  interface.ifindex = link.ifindex;
  interface.name = link.name;
  interface.address = link.address;
  interface.maps_egress_priority = link.vlan && link.vlan->maps_egress_priority;
  const netlink::Link* master = MasterOf(link, links);
  if (master != nullptr && master->kind == "vrf") interface.vrf = master->name;
  return interface;
}

LaneView Nowhere(const flow::LaneId& lane, const std::string& taken_by) {
  return {lane, std::nullopt, std::nullopt, 0, taken_by};
}

// The VLAN of frames that enter untagged.
const netlink::BridgeVlan* PvidOf(const netlink::BridgePort& port) {
  const auto pvid = std::ranges::find(port.vlans, true, &netlink::BridgeVlan::pvid);
  return pvid == port.vlans.end() ? nullptr : &*pvid;
}

}  // namespace

Topology::Topology(const std::vector<std::uint32_t>& ports, const LinkMirror& links, const BridgeMirror& bridges) {
  const auto add = [&](const netlink::Link& link, const flow::LaneId& lane) {
    if (IsRouted(link, links)) return AddRouted(link, lane, links);
    const netlink::BridgePort* port = bridges.Port(link.ifindex);
    const netlink::Link* bridge = port == nullptr ? nullptr : links.Find(port->bridge);
    const bool forwards = bridge != nullptr && bridge->is_up() && port->state == BR_STATE_FORWARDING;
    if (forwards && port->bridge != port->ifindex) AddBridged(*port, link, *bridge, lane, bridges);
  };
  for (const auto& [ifindex, link] : links.all()) {
    if (link.taps_lower) tapped_.emplace(link.lower, link.name);
  }
  // The kernel looks for a VLAN device before it gives a frame to a bridge (__netif_receive_skb_core). One that is down, or has
  // no use for it, takes it all the same: its lane has nothing above it.
  for (const auto& [ifindex, link] : links.all()) {
    if (std::ranges::find(ports, link.lower) == ports.end() || !IsVlan(link)) continue;
    const flow::LaneId lane{link.lower, link.vlan->id};
    if (link.is_up()) add(link, lane);
    if (bridges.Port(link.lower) != nullptr) lanes_.emplace(lane, Nowhere(lane, link.name));
  }
  for (const std::uint32_t port : ports) {
    if (const netlink::Link* link = links.Find(port)) add(*link, {port, flow::kUntagged});
  }
  AddBridgeInterfaces(links, bridges);
}

void Topology::AddRouted(const netlink::Link& link, const flow::LaneId& lane, const LinkMirror& links) {
  L3Interface interface = InterfaceOf(link, links);
  interface.lane = lane;
  const auto tap = tapped_.find(link.ifindex);
  const bool is_taken = tap != tapped_.end();
  lanes_.emplace(lane, is_taken ? Nowhere(lane, tap->second) : LaneView{lane, interface, std::nullopt});
  interfaces_.emplace(link.ifindex, std::move(interface));
}

// `lane`: of frames that the bridge's port, which is `link`, sees without a tag.
void Topology::AddBridged(const netlink::BridgePort& port, const netlink::Link& link, const netlink::Link& bridge,
                          const flow::LaneId& lane, const BridgeMirror& bridges) {
  const bool maps_priorities = link.vlan && link.vlan->maps_egress_priority;
  const auto add = [&](const flow::LaneId& id, const BridgeDomain& domain) {
    lanes_.emplace(id, LaneView{id, std::nullopt, domain, port.ifindex});
  };
  const auto leave_by = [&](const flow::LaneId& id, const BridgeDomain& domain) {
    if (!maps_priorities) ways_out_.emplace(std::pair(port.ifindex, domain), id);
  };
  const bool is_trunk = lane.vlan == flow::kUntagged;  // else a second tag would stand behind the first
  if (!bridge.bridge || !bridge.bridge->filters_vlans) {
    const BridgeDomain domain{bridge.ifindex, 0};
    add(lane, domain);
    if (is_trunk) add({lane.port, flow::kAnyVlan}, domain);
    leave_by(lane, domain);
    return;
  }
  if (bridge.bridge->protocol != ETH_P_8021Q) return;
  for (const netlink::BridgeVlan& vlan : port.vlans) {
    if (bridges.IsHalted(port.ifindex, vlan.id)) continue;
    const BridgeDomain domain{bridge.ifindex, vlan.id};
    if (vlan.pvid) add(lane, domain);
    if (is_trunk) add({lane.port, vlan.id}, domain);
    if (vlan.untagged) {
      leave_by(lane, domain);
    } else if (is_trunk) {
      leave_by({lane.port, vlan.id}, domain);
    }
  }
}

// The interfaces by which the machine itself is in a domain, put at the lanes of that domain.
void Topology::AddBridgeInterfaces(const LinkMirror& links, const BridgeMirror& bridges) {
  std::map<std::pair<BridgeDomain, std::uint16_t>, L3Interface> by_domain;  // and tag
  const auto add = [&](const netlink::Link& link, const BridgeDomain& domain, std::uint16_t tag = flow::kUntagged) {
    if (!link.is_up()) return;
    if (const std::string taker = TakerOf(link, links); !taker.empty()) return Withdraw(domain, tag, taker);
    L3Interface interface = InterfaceOf(link, links);
    interface.domain = domain;
    interface.tag = tag;
    if (tag != flow::kUntagged) AddTagged(domain, tag);
    by_domain.emplace(std::pair(domain, tag), std::move(interface));
  };
  for (const auto& [ifindex, link] : links.all()) {
    if (!link.bridge) continue;
    if (const std::string taker = TakerOf(link, links); !taker.empty()) {
      Withdraw(ifindex, taker);
      continue;
    }
    if (!link.bridge->filters_vlans) {
      add(link, {ifindex, 0});
      for (const auto& [vlan_ifindex, vlan] : links.all()) {
        if (vlan.lower == ifindex && IsUsableVlan(vlan)) add(vlan, {ifindex, 0}, vlan.vlan->id);
      }
      continue;
    }
    const netlink::BridgePort* self = bridges.Port(ifindex);
    if (self == nullptr) continue;
    const netlink::BridgeVlan* pvid = PvidOf(*self);
    if (pvid != nullptr && pvid->untagged && !bridges.IsHalted(ifindex, pvid->id)) add(link, {ifindex, pvid->id});
    for (const auto& [vlan_ifindex, vlan] : links.all()) {
      const bool is_member =
          vlan.lower == ifindex && IsUsableVlan(vlan) && !bridges.IsHalted(ifindex, vlan.vlan->id) &&
          std::ranges::find(self->vlans, vlan.vlan->id, &netlink::BridgeVlan::id) != self->vlans.end();
      if (is_member) add(vlan, {ifindex, vlan.vlan->id});
    }
  }
  for (auto& [id, lane] : lanes_) {
    if (!lane.domain) continue;
    const auto interface = by_domain.find({*lane.domain, lane.TagInside(id.vlan)});
    if (interface == by_domain.end()) continue;
    // Frames to a MAC that the bridge does not know for its own it floods, even where it hands them up as well (an address
    // of a VLAN device's own, which makes the bridge promiscuous).
    const netlink::FdbEntry* own = bridges.Find({lane.domain->bridge, lane.domain->vlan, interface->second.address});
    if (own != nullptr && own->local) lane.interface = interface->second;
    interfaces_.emplace(interface->second.ifindex, interface->second);
  }
}

// Lanes of their own for frames of this tag, at the ports of the bridge where it means nothing else.
void Topology::AddTagged(const BridgeDomain& domain, std::uint16_t tag) {
  std::vector<LaneView> tagged;
  for (const auto& [id, lane] : lanes_) {
    if (id.vlan == flow::kAnyVlan && lane.domain == domain) tagged.push_back(lane);
  }
  for (LaneView& lane : tagged) {
    lane.id.vlan = tag;
    lanes_.emplace(lane.id, lane);
  }
}

// Who takes what routing would get of a device: one on it, or the device itself, for its master. Empty: nobody.
std::string Topology::TakerOf(const netlink::Link& link, const LinkMirror& links) const {
  if (const auto tap = tapped_.find(link.ifindex); tap != tapped_.end()) return tap->second;
  return IsRouted(link, links) ? std::string() : link.name;
}

// Somebody takes what the bridge shows to a device of its own, and may pass it on beside what the bridge itself does with it.
void Topology::Withdraw(const BridgeDomain& domain, std::uint16_t tag, const std::string& taken_by) {
  if (tag != flow::kUntagged) AddTagged(domain, tag);
  for (auto& [id, lane] : lanes_) {
    if (lane.domain == domain && lane.TagInside(id.vlan) == tag) lane = Nowhere(id, taken_by);
  }
}

// The same of the bridge as a whole, to whose own device everything is shown.
void Topology::Withdraw(std::uint32_t bridge, const std::string& taken_by) {
  for (auto& [id, lane] : lanes_) {
    if (lane.domain && lane.domain->bridge == bridge) lane = Nowhere(id, taken_by);
  }
}

const LaneView* Topology::Find(const flow::LaneId& lane) const {
  auto found = lanes_.find(lane);
  if (found == lanes_.end() && lane.vlan != flow::kUntagged) found = lanes_.find({lane.port, flow::kAnyVlan});
  return found == lanes_.end() ? nullptr : &found->second;
}

const L3Interface* Topology::At(const flow::LaneId& lane) const {
  const LaneView* view = Find(lane);
  return view != nullptr && view->interface ? &*view->interface : nullptr;
}

const L3Interface* Topology::Find(std::uint32_t ifindex) const {
  const auto found = interfaces_.find(ifindex);
  return found == interfaces_.end() ? nullptr : &found->second;
}

std::optional<flow::LaneId> Topology::LeavesBy(std::uint32_t bridge_port, const BridgeDomain& domain) const {
  const auto found = ways_out_.find({bridge_port, domain});
  return found == ways_out_.end() ? std::nullopt : std::optional(found->second);
}

bool Topology::TagsIn(const BridgeDomain& domain) const {
  return std::ranges::any_of(
      ways_out_, [&](const auto& way) { return way.first.second == domain && way.second.vlan != flow::kUntagged; });
}

std::vector<LaneView> Topology::OnPort(std::uint32_t port) const {
  std::vector<LaneView> lanes;
  for (auto it = lanes_.lower_bound({port, 0}); it != lanes_.end() && it->first.port == port; ++it) {
    lanes.push_back(it->second);
  }
  return lanes;
}

}  // namespace dpuflow::kernel
