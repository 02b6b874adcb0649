// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow_table.h"

#include <utility>

#include "agent/flow/form.h"

namespace dpuflow::flow {
namespace {

bool HoldsCheckedSource(const Match& match) { return match.source && VouchesForSender(match.table); }

// The flows of the groups that a key leads to.
template <typename Index, typename Key>
void Collect(const Index& index, const Key& key, std::vector<FlowId>& into) {
  const auto found = index.find(key);
  if (found == index.end()) return;
  for (const FlowGroup* group : found->second) into.insert(into.end(), group->flows.begin(), group->flows.end());
}

template <typename Addresses>
void CollectWithin(const Addresses& addresses, const IpPrefix& prefix, std::vector<FlowId>& into) {
  const auto end = addresses.upper_bound(prefix.Last());
  for (auto flow = addresses.lower_bound(prefix.address); flow != end; ++flow) into.push_back((*flow)->id);
}

}  // namespace

std::size_t FlowTable::GroupHash::operator()(const FlowGroup& group) const {
  const Dependencies& dependencies = group.dependencies;
  std::size_t digest = group.port << 2 | static_cast<std::size_t>(group.kind);
  const auto mix = [&digest](std::size_t value) { digest = (digest ^ value) * 0x100000001b3; };
  mix(dependencies.table);
  for (const std::uint32_t nexthop : dependencies.nexthop_ids) mix(nexthop);
  for (const std::uint32_t link : dependencies.links) mix(link);
  for (const NeighKey& neigh : dependencies.neighs) mix(NeighHash()(neigh));
  for (const StationKey& station : dependencies.stations) mix(StationHash()(station));
  if (dependencies.next_hop) mix(NeighHash()(*dependencies.next_hop));
  if (dependencies.sender) mix(StationHash()(*dependencies.sender));
  return digest;
}

// Half of the numbers are the filters' (HandleOf), so these begin again after 2^31.
FlowId FlowTable::UnusedId() {
  constexpr FlowId kLast = 0x7fffffff;
  do last_id_ = last_id_ == kLast ? 1 : last_id_ + 1;
  while (flows_.contains(last_id_));
  return last_id_;
}

void FlowTable::FindSection(Flow& flow) {
  if (flow.section != 0 || !HasSections(flow.table())) return;
  flow.section = SectionsOf(flow.table()).Acquire(ShapeOf(flow.match()));
}

Flow& FlowTable::Obtain(const Match& match, TimePoint now) {
  if (Flow* known = Find(match)) return *known;
  Flow& flow = Make(UnusedId(), match, now);
  FindSection(flow);
  return flow;
}

Flow* FlowTable::Adopt(FlowId id, const Match& match, std::uint8_t section, TimePoint now) {
  if (flows_.contains(id) || by_match_.contains(match)) return nullptr;
  if (HasSections(match.table) && !SectionsOf(match.table).Take(section, ShapeOf(match))) return nullptr;
  Flow& flow = Make(id, match, now);
  flow.section = HasSections(match.table) ? section : std::uint8_t{0};
  return &flow;
}

Flow& FlowTable::Make(FlowId id, const Match& match, TimePoint now) {
  Flow& flow = flows_[id];
  flow.id = id;
  flow.mask = MaskOf(match);
  flow.packet = PacketOf(match);
  flow.created = flow.active = now;
  by_match_.insert(&flow);
  if (match.destination) by_destination_.insert(&flow);
  if (HoldsCheckedSource(match)) by_checked_source_.insert(&flow);
  JoinGroup(flow, {match.port, KindOf(match.vlan, match.ethertype), {}});
  return flow;
}

Flow* FlowTable::Find(FlowId id) {
  const auto found = flows_.find(id);
  return found == flows_.end() ? nullptr : &found->second;
}

const Flow* FlowTable::Find(FlowId id) const {
  const auto found = flows_.find(id);
  return found == flows_.end() ? nullptr : &found->second;
}

Flow* FlowTable::Find(const Match& match) {
  const auto found = by_match_.find(match);
  return found == by_match_.end() ? nullptr : *found;
}

const Flow* FlowTable::Find(const Match& match) const {
  const auto found = by_match_.find(match);
  return found == by_match_.end() ? nullptr : *found;
}

void FlowTable::Erase(FlowId id) {
  const auto found = flows_.find(id);
  if (found == flows_.end()) return;
  Flow& flow = found->second;
  LeaveGroup(flow);
  by_match_.erase(&flow);
  by_destination_.erase(&flow);
  by_checked_source_.erase(&flow);
  SectionsOf(flow.table()).Release(flow.section);
  flows_.erase(found);
}

// Another one would change the key under the indexes.
void FlowTable::Keep(Flow& flow, const Miss& packet) {
  if (Masked(packet, flow.mask) == flow.match()) flow.packet = packet;
}

void FlowTable::SetDependencies(Flow& flow, Dependencies dependencies) {
  flow.route_length = dependencies.route ? std::optional(dependencies.route->length) : std::nullopt;
  dependencies.route.reset();
  if (flow.group->dependencies == dependencies) return;
  const PacketKind kind = flow.group->kind;
  LeaveGroup(flow);
  JoinGroup(flow, {flow.port(), kind, std::move(dependencies)});
}

template <typename With>
void FlowTable::ForEachIndex(const FlowGroup& group, const With& with) {
  with(by_port_, group.port);
  for (const std::uint32_t link : group.dependencies.links) with(by_link_, link);
  for (const NeighKey& neigh : group.dependencies.neighs) with(by_neigh_, neigh);
  for (const std::uint32_t nexthop : group.dependencies.nexthop_ids) with(by_nexthop_, nexthop);
  for (const StationKey& station : group.dependencies.stations) with(by_station_, station);
}

void FlowTable::JoinGroup(Flow& flow, FlowGroup group) {
  const auto [joined, is_new] = groups_.insert(std::move(group));
  if (is_new) ForEachIndex(*joined, [&](auto& index, const auto& key) { index[key].insert(&*joined); });
  flow.group = &*joined;
  flow.place = static_cast<std::uint32_t>(joined->flows.size());
  joined->flows.push_back(flow.id);
}

void FlowTable::LeaveGroup(Flow& flow) {
  const FlowGroup& group = *std::exchange(flow.group, nullptr);
  const FlowId last = group.flows.back();
  group.flows[flow.place] = last;
  flows_.at(last).place = flow.place;
  group.flows.pop_back();
  if (!group.flows.empty()) return;
  ForEachIndex(group, [&](auto& index, const auto& key) {
    const auto found = index.find(key);
    if (found == index.end()) return;  // a key that it had twice
    found->second.erase(&group);
    if (found->second.empty()) index.erase(found);
  });
  groups_.erase(groups_.find(group));
}

std::vector<FlowId> FlowTable::Affected(const Change& change) const {
  std::vector<FlowId> ids;
  if (const auto* route = std::get_if<RouteChanged>(&change)) {
    CollectWithin(by_destination_, route->destination, ids);
    CollectWithin(by_checked_source_, route->destination, ids);
  } else if (const auto* nexthop = std::get_if<NexthopChanged>(&change)) {
    Collect(by_nexthop_, nexthop->id, ids);
  } else if (const auto* neigh = std::get_if<NeighChanged>(&change)) {
    Collect(by_neigh_, neigh->key, ids);
  } else if (const auto* station = std::get_if<StationChanged>(&change)) {
    Collect(by_station_, station->key, ids);
  } else if (const auto* link = std::get_if<LinkChanged>(&change)) {
    Collect(by_link_, link->ifindex, ids);
    Collect(by_port_, link->ifindex, ids);
  } else {
    ids.reserve(flows_.size());
    for (const auto& [id, flow] : flows_) ids.push_back(id);
  }
  return ids;
}

std::size_t FlowTable::CountOnPort(std::uint32_t port) const {
  const auto found = by_port_.find(port);
  if (found == by_port_.end()) return 0;
  std::size_t count = 0;
  for (const FlowGroup* group : found->second) count += group->flows.size();
  return count;
}

PacketKinds FlowTable::KindsOnPort(std::uint32_t port) const {
  PacketKinds kinds;
  const auto found = by_port_.find(port);
  if (found == by_port_.end()) return kinds;
  for (const FlowGroup* group : found->second) kinds |= Only(group->kind);
  return kinds;
}

std::vector<FlowId> FlowTable::OnPort(std::uint32_t port) const {
  std::vector<FlowId> ids;
  Collect(by_port_, port, ids);
  return ids;
}

std::vector<FlowId> FlowTable::CheckedSources() const {
  std::vector<FlowId> ids;
  ids.reserve(by_checked_source_.size());
  for (const Flow* flow : by_checked_source_) ids.push_back(flow->id);
  return ids;
}

}  // namespace dpuflow::flow
