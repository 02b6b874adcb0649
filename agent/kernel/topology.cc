// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/topology.h"

#include <linux/if_ether.h>

#include <algorithm>

namespace dpuflow::kernel {
namespace {

bool IsRoutedVlan(const netlink::Link& link, const LinkMirror& links) {
  if (!link.vlan || link.vlan->protocol != ETH_P_8021Q || link.vlan->id == 0 || !link.is_up()) return false;
  const netlink::Link* master = links.Find(link.master);
  return link.master == 0 || (master != nullptr && master->kind == "vrf");
}

}  // namespace

Topology::Topology(const std::vector<std::uint32_t>& ports, const LinkMirror& links) {
  for (const std::uint32_t port : ports) {
    if (const netlink::Link* link = links.Find(port)) Add(*link, {port, flow::kUntagged}, links);
  }
  for (const auto& [ifindex, link] : links.all()) {
    const bool on_port = std::ranges::find(ports, link.lower) != ports.end();
    if (on_port && IsRoutedVlan(link, links)) Add(link, {link.lower, link.vlan->id}, links);
  }
}

void Topology::Add(const netlink::Link& link, const flow::LaneId& lane, const LinkMirror& links) {
  L3Interface interface;
  interface.ifindex = link.ifindex;
  interface.lane = lane;
  interface.name = link.name;
  interface.address = link.address;
  interface.maps_egress_priority = link.vlan && link.vlan->maps_egress_priority;
  const netlink::Link* master = links.Find(link.master);
  if (master != nullptr && master->kind == "vrf") interface.vrf = master->name;
  by_ifindex_.emplace(link.ifindex, lane);
  by_lane_.emplace(lane, std::move(interface));
}

const L3Interface* Topology::At(const flow::LaneId& lane) const {
  const auto found = by_lane_.find(lane);
  return found == by_lane_.end() ? nullptr : &found->second;
}

const L3Interface* Topology::Find(std::uint32_t ifindex) const {
  const auto found = by_ifindex_.find(ifindex);
  return found == by_ifindex_.end() ? nullptr : At(found->second);
}

std::vector<L3Interface> Topology::OnPort(std::uint32_t port) const {
  std::vector<L3Interface> interfaces;
  if (const L3Interface* untagged = At({port, flow::kUntagged})) interfaces.push_back(*untagged);
  for (auto it = by_lane_.lower_bound({port, 0}); it != by_lane_.end() && it->first.port == port; ++it) {
    if (it->first.vlan != flow::kUntagged) interfaces.push_back(it->second);
  }
  return interfaces;
}

}  // namespace dpuflow::kernel
