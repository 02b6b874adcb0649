// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/mirror.h"

#include <linux/neighbour.h>

#include <algorithm>
#include <set>
#include <tuple>

namespace dpuflow::kernel {
namespace {

constexpr std::uint16_t kNudValid =
    NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;  // include/net/neighbour.h

// What of a link decides about flows. Counters, names and the like do not. Nor do a VLAN device's and a bridge's own settings
// while it is down, whose changes the kernel then keeps to itself (netdev_state_change): it tells them when it goes up.
bool SameForFlows(const netlink::Link& a, const netlink::Link& b) {
  const bool settings = (!a.is_up() && !b.is_up()) || (a.vlan == b.vlan && a.bridge == b.bridge);
  return settings && a.is_up() == b.is_up() && a.has_carrier() == b.has_carrier() && a.mtu == b.mtu &&
         a.address == b.address && a.master == b.master && a.lower == b.lower && a.taps_lower == b.taps_lower &&
         a.switch_id == b.switch_id;
}

// Routes by a link that gets its carrier back are taken again where those of a link without one are passed over
// (ignore_routes_with_linkdown), which no event says. Flows that went another way meanwhile do not depend on the link.
bool IsBack(const netlink::Link& before, const netlink::Link& after) {
  return !(before.is_up() && before.has_carrier()) && after.is_up() && after.has_carrier();
}

}  // namespace

// ---- links ----------------------------------------------------------------------------------------------------------

Changes LinkMirror::Apply(const netlink::Event<netlink::Link>& event) {
  const auto known = links_.find(event.value.ifindex);
  if (event.removed) {
    if (known == links_.end()) return {};
    links_.erase(known);
    return {flow::LinkChanged{event.value.ifindex}};
  }
  const bool same = known != links_.end() && SameForFlows(known->second, event.value);
  const bool back = known != links_.end() && IsBack(known->second, event.value);
  links_.insert_or_assign(event.value.ifindex, event.value);
  if (same) return {};
  Changes changes = {flow::LinkChanged{event.value.ifindex}};
  if (back) changes.push_back(flow::EverythingChanged{});
  return changes;
}

Changes LinkMirror::Reset(const std::vector<netlink::Link>& all) {
  Changes changes;
  std::map<std::uint32_t, netlink::Link> old;
  old.swap(links_);
  for (const netlink::Link& link : all) {
    const auto known = old.find(link.ifindex);
    if (known == old.end() || !SameForFlows(known->second, link)) changes.push_back(flow::LinkChanged{link.ifindex});
    if (known != old.end() && IsBack(known->second, link)) changes.push_back(flow::EverythingChanged{});
    links_.emplace(link.ifindex, link);
  }
  for (const auto& [ifindex, link] : old) {
    if (!links_.contains(ifindex)) changes.push_back(flow::LinkChanged{ifindex});
  }
  return changes;
}

const netlink::Link* LinkMirror::Find(std::uint32_t ifindex) const {
  const auto found = links_.find(ifindex);
  return found == links_.end() ? nullptr : &found->second;
}

std::string LinkMirror::Name(std::uint32_t ifindex) const {
  const netlink::Link* link = Find(ifindex);
  return link != nullptr ? link->name : fmt::format("if{}", ifindex);
}

// ---- addresses ------------------------------------------------------------------------------------------------------

Changes AddressMirror::Apply(const netlink::Event<netlink::Address>& event) {
  const auto same = [&](const netlink::Address& address) {
    return address.ifindex == event.value.ifindex && address.local == event.value.local &&
           address.prefix_length == event.value.prefix_length;
  };
  const auto removed = std::erase_if(addresses_, same);
  if (!event.removed) addresses_.push_back(event.value);
  if (event.removed != (removed != 0)) return {};
  Changes changes = {flow::RouteChanged{IpPrefix::Host(event.value.local)}};
  // Routes that prefer the address as their source go with it, without a word (fib_sync_down_addr).
  if (event.removed) changes.push_back(flow::EverythingChanged{});
  return changes;
}

Changes AddressMirror::Reset(const std::vector<netlink::Address>& all) {
  Changes changes;
  const auto key = [](const netlink::Address& address) {
    return std::tuple(address.ifindex, address.local, address.prefix_length);
  };
  const auto compare = [&](const std::vector<netlink::Address>& these, const std::vector<netlink::Address>& those) {
    std::set<decltype(key(these.front()))> known;
    for (const netlink::Address& address : those) known.insert(key(address));
    for (const netlink::Address& address : these) {
      if (!known.contains(key(address))) changes.push_back(flow::RouteChanged{IpPrefix::Host(address.local)});
    }
  };
  compare(addresses_, all);
  if (!changes.empty()) changes.push_back(flow::EverythingChanged{});  // some are gone: see Apply
  compare(all, addresses_);
  addresses_ = all;
  return changes;
}

std::vector<IpPrefix> AddressMirror::Martians(const std::function<bool(std::uint32_t)>& owns) const {
  std::set<IpPrefix> martians;
  for (const char* prefix : {"0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3",  //
                             "::/127", "fe80::/10", "ff00::/8"}) {
    martians.insert(IpPrefix::Parse(prefix).value());
  }
  for (const netlink::Address& address : addresses_) {
    if (!address.local.is_v4() || IpPrefix{IpAddress::V4(127, 0, 0, 0), 8}.Contains(address.local)) continue;
    if (owns(address.ifindex)) martians.insert(IpPrefix::Host(address.local));
  }
  return {martians.begin(), martians.end()};
}

// ---- nexthop objects ------------------------------------------------------------------------------------------------

Changes NexthopMirror::Apply(const netlink::Event<netlink::NexthopObject>& event) {
  const std::uint32_t id = event.value.id;
  if (event.removed) {
    nexthops_.erase(id);
  } else {
    nexthops_.insert_or_assign(id, event.value);
  }
  return {flow::NexthopChanged{id}};
}

Changes NexthopMirror::Reset(const std::vector<netlink::NexthopObject>& all) {
  Changes changes;
  std::map<std::uint32_t, netlink::NexthopObject> old;
  old.swap(nexthops_);
  for (const netlink::NexthopObject& nexthop : all) {
    const auto known = old.find(nexthop.id);
    if (known == old.end() || !(known->second == nexthop)) changes.push_back(flow::NexthopChanged{nexthop.id});
    nexthops_.emplace(nexthop.id, nexthop);
  }
  for (const auto& [id, nexthop] : old) {
    if (!nexthops_.contains(id)) changes.push_back(flow::NexthopChanged{id});
  }
  return changes;
}

std::vector<netlink::NexthopObject> NexthopMirror::Members(std::uint32_t id) const {
  std::vector<netlink::NexthopObject> members;
  const auto found = nexthops_.find(id);
  if (found == nexthops_.end()) return members;
  members.push_back(found->second);
  for (const std::uint32_t member : found->second.group) {  // groups do not nest
    if (const auto single = nexthops_.find(member); single != nexthops_.end()) members.push_back(single->second);
  }
  return members;
}

std::vector<netlink::NexthopObject> NexthopMirror::Resilient() const {
  std::vector<netlink::NexthopObject> groups;
  for (const auto& [id, nexthop] : nexthops_) {
    if (nexthop.resilient && nexthop.idle_timer.count() > 0) groups.push_back(nexthop);
  }
  return groups;
}

// ---- routes with a TOS or an MTU ------------------------------------------------------------------------------------

bool IsSpecial(const netlink::Route& route) {
  return (route.tos != 0 && route.destination.address.is_v4()) || route.mtu != 0;
}

Changes SpecialRouteMirror::Apply(const netlink::Event<netlink::Route>& event) {
  const netlink::Route& route = event.value;
  const Key key{route.destination, route.table, route.metric, route.tos};
  const auto known = routes_.find(key);
  if (event.removed || !IsSpecial(route)) {
    if (known == routes_.end()) return {};
    routes_.erase(known);
  } else {
    if (known != routes_.end() && known->second == route.mtu) return {};
    routes_.insert_or_assign(key, route.mtu);
  }
  return {flow::RouteChanged{route.destination}};
}

Changes SpecialRouteMirror::Reset(const std::vector<netlink::Route>& all) {
  std::map<Key, std::uint32_t> now;
  for (const netlink::Route& route : all) {
    now.emplace(Key{route.destination, route.table, route.metric, route.tos}, route.mtu);
  }
  if (now == routes_) return {};
  routes_ = std::move(now);
  return {flow::EverythingChanged{}};
}

bool SpecialRouteMirror::LooksAtTos(const IpAddress& destination) const {
  return std::ranges::any_of(routes_, [&](const auto& route) {
    return route.first.tos != 0 && route.first.destination.Contains(destination);
  });
}

bool SpecialRouteMirror::any_with_tos() const {
  return std::ranges::any_of(routes_, [](const auto& route) { return route.first.tos != 0; });
}

bool SpecialRouteMirror::any_with_mtu(Family family) const {
  return std::ranges::any_of(routes_, [&](const auto& route) {
    return route.second != 0 && route.first.destination.address.family() == family;
  });
}

// ---- rules ----------------------------------------------------------------------------------------------------------

Changes RuleMirror::Apply(const netlink::Event<netlink::Rule>& event) {
  if (!event.removed) {
    rules_.push_back(event.value);
  } else if (const auto known = std::ranges::find(rules_, event.value); known != rules_.end()) {
    rules_.erase(known);  // one: two rules may be the same in what is mirrored
  }
  return {flow::EverythingChanged{}};
}

Changes RuleMirror::Reset(const std::vector<netlink::Rule>& all) {
  if (std::ranges::is_permutation(rules_, all)) return {};
  rules_ = all;
  return {flow::EverythingChanged{}};
}

// ---- neighbours -----------------------------------------------------------------------------------------------------

bool CanBeRefreshed(const netlink::Neigh& neigh) {
  return neigh.state == NUD_STALE && (neigh.flags & NTF_EXT_LEARNED) == 0 && neigh.flags_ext == 0;
}

NeighMirror::Reachability NeighMirror::Of(const netlink::Neigh& neigh) {
  const bool valid = (neigh.state & kNudValid) != 0;
  return {valid, valid ? neigh.lladdr : MacAddress{}};
}

Changes NeighMirror::Apply(const netlink::Event<netlink::Neigh>& event) {
  const flow::NeighKey key{event.value.ifindex, event.value.address};
  const auto known = neighs_.find(key);
  const Reachability before = known == neighs_.end() ? Reachability{} : Of(known->second);
  const Reachability now = event.removed ? Reachability{} : Of(event.value);
  if (!event.removed) {
    neighs_.insert_or_assign(key, event.value);
  } else if (known != neighs_.end()) {
    neighs_.erase(known);
  }
  if (now == before) return {};
  return {flow::NeighChanged{key}};
}

Changes NeighMirror::Reset(const std::vector<netlink::Neigh>& all) {
  Changes changes;
  std::map<flow::NeighKey, netlink::Neigh> old;
  old.swap(neighs_);
  for (const netlink::Neigh& neigh : all) neighs_.emplace(flow::NeighKey{neigh.ifindex, neigh.address}, neigh);
  const auto reachability = [](const std::map<flow::NeighKey, netlink::Neigh>& neighs, const flow::NeighKey& key) {
    const auto found = neighs.find(key);
    return found == neighs.end() ? Reachability{} : Of(found->second);
  };
  for (const auto& [key, neigh] : neighs_) {
    // Those of multicast and broadcast the kernel makes without a word (arp_constructor, ndisc_constructor).
    if (neigh.state == NUD_NOARP && !old.contains(key)) continue;
    if (Of(neigh) != reachability(old, key)) changes.push_back(flow::NeighChanged{key});
  }
  for (const auto& [key, neigh] : old) {
    const bool gone = !neighs_.contains(key) && Of(neigh).valid;
    if (gone) changes.push_back(flow::NeighChanged{key});
  }
  return changes;
}

const netlink::Neigh* NeighMirror::Find(const flow::NeighKey& key) const {
  const auto found = neighs_.find(key);
  return found == neighs_.end() ? nullptr : &found->second;
}

std::vector<netlink::Neigh> NeighMirror::At(std::uint32_t ifindex) const {
  std::vector<netlink::Neigh> found;
  for (auto it = neighs_.lower_bound({ifindex, {}}); it != neighs_.end() && it->first.ifindex == ifindex; ++it) {
    found.push_back(it->second);
  }
  return found;
}

bool NeighMirror::CanBeRefreshed(const flow::NeighKey& key) const {
  const netlink::Neigh* neigh = Find(key);
  return neigh != nullptr && kernel::CanBeRefreshed(*neigh);
}

}  // namespace dpuflow::kernel
