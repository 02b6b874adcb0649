// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow_table.h"

#include <utility>

#include "agent/flow/form.h"

namespace dpuflow::flow {
namespace {

bool HoldsCheckedSource(const Match& match) { return match.source && VouchesForSender(match.table); }

// The addresses by which route changes find the entry. Guards hold prefixes and depend on no route.
std::vector<IpAddress> IndexedAddresses(const Match& match) {
  std::vector<IpAddress> addresses;
  if (match.destination) addresses.push_back(match.destination->address);
  if (HoldsCheckedSource(match)) addresses.push_back(match.source->address);
  return addresses;
}

template <typename Index, typename Key>
void Drop(Index& index, const Key& key, FlowId id) {
  const auto found = index.find(key);
  if (found == index.end()) return;
  found->second.erase(id);
  if (found->second.empty()) index.erase(found);
}

template <typename Index, typename Key>
void Collect(const Index& index, const Key& key, std::vector<FlowId>& into) {
  const auto found = index.find(key);
  if (found != index.end()) into.insert(into.end(), found->second.begin(), found->second.end());
}

}  // namespace

// Half of the numbers are the filters' (HandleOf), so these begin again after 2^31.
FlowId FlowTable::UnusedId() {
  constexpr FlowId kLast = 0x7fffffff;
  do last_id_ = last_id_ == kLast ? 1 : last_id_ + 1;
  while (flows_.contains(last_id_));
  return last_id_;
}

void FlowTable::FindSection(Flow& flow) {
  if (flow.section != 0 || !HasSections(flow.match.table)) return;
  flow.section = SectionsOf(flow.match.table).Acquire(ShapeOf(flow.match));
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
  flow.match = match;
  flow.created = flow.active = now;
  by_match_.emplace(match, id);
  by_port_[match.port].insert(id);
  for (const IpAddress& address : IndexedAddresses(match)) by_address_.emplace(address, id);
  if (HoldsCheckedSource(match)) checked_sources_.insert(id);
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
  return found == by_match_.end() ? nullptr : Find(found->second);
}

const Flow* FlowTable::Find(const Match& match) const {
  const auto found = by_match_.find(match);
  return found == by_match_.end() ? nullptr : Find(found->second);
}

void FlowTable::Erase(FlowId id) {
  const auto found = flows_.find(id);
  if (found == flows_.end()) return;
  const Flow& flow = found->second;
  RemoveFromIndexes(flow);
  by_match_.erase(flow.match);
  Drop(by_port_, flow.match.port, id);
  for (const IpAddress& address : IndexedAddresses(flow.match)) by_address_.erase({address, id});
  checked_sources_.erase(id);
  SectionsOf(flow.match.table).Release(flow.section);
  flows_.erase(found);
}

void FlowTable::SetDependencies(Flow& flow, Dependencies dependencies) {
  if (flow.dependencies == dependencies) return;
  RemoveFromIndexes(flow);
  flow.dependencies = std::move(dependencies);
  AddToIndexes(flow);
}

void FlowTable::AddToIndexes(const Flow& flow) {
  for (const std::uint32_t link : flow.dependencies.links) by_link_[link].insert(flow.id);
  for (const NeighKey& neigh : flow.dependencies.neighs) by_neigh_[neigh].insert(flow.id);
  for (const std::uint32_t nexthop : flow.dependencies.nexthop_ids) by_nexthop_[nexthop].insert(flow.id);
  for (const StationKey& station : flow.dependencies.stations) by_station_[station].insert(flow.id);
}

void FlowTable::RemoveFromIndexes(const Flow& flow) {
  for (const std::uint32_t link : flow.dependencies.links) Drop(by_link_, link, flow.id);
  for (const NeighKey& neigh : flow.dependencies.neighs) Drop(by_neigh_, neigh, flow.id);
  for (const std::uint32_t nexthop : flow.dependencies.nexthop_ids) Drop(by_nexthop_, nexthop, flow.id);
  for (const StationKey& station : flow.dependencies.stations) Drop(by_station_, station, flow.id);
}

std::vector<FlowId> FlowTable::Affected(const Change& change) const {
  std::vector<FlowId> ids;
  if (const auto* route = std::get_if<RouteChanged>(&change)) {
    const IpAddress last = route->destination.Last();
    for (auto it = by_address_.lower_bound({route->destination.address, 0});
         it != by_address_.end() && it->first <= last; ++it) {
      ids.push_back(it->second);
    }
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
  return found == by_port_.end() ? 0 : found->second.size();
}

std::vector<FlowId> FlowTable::OnPort(std::uint32_t port) const {
  std::vector<FlowId> ids;
  Collect(by_port_, port, ids);
  return ids;
}

}  // namespace dpuflow::flow
