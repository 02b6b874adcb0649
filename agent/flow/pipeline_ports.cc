// SPDX-License-Identifier: Apache-2.0
//
// Ports that take part, and their guards.
#include <algorithm>
#include <utility>

#include "agent/flow/pipeline.h"

namespace dpuflow::flow {

const Lane* Port::Find(std::uint16_t vlan) const {
  auto lane = std::ranges::find(lanes, vlan, &Lane::vlan);
  if (lane == lanes.end() && vlan != kUntagged) lane = std::ranges::find(lanes, kAnyVlan, &Lane::vlan);
  return lane == lanes.end() ? nullptr : &*lane;
}

bool Pipeline::Adopt(FlowId id, const Rule& rule, std::uint8_t section, const Miss& packet, TimePoint now) {
  const bool routed = IsRouted(rule.match);
  const auto known = routed ? targets_.FieldsAt(rule.match) : std::nullopt;
  if (known && *known != FieldsOf(rule.match)) return false;
  Flow* flow = table_.Adopt(id, rule.match, section, now);
  if (flow == nullptr) return false;
  if (routed) targets_.Add(*flow);
  flow->wanted = flow->installed = actions_.Get(rule.action);
  flow->answered = true;
  FlowTable::Keep(*flow, packet);
  flow->programmed = flow->touched = now;
  if (rule.match.table != Table::kGuard) ++wanted_;
  ++counters_.adopted;
  return true;
}

void Pipeline::SetPort(const Port& port, TimePoint now) {
  PortState& state = ports_[port.ifindex];
  const bool changed = !(state.port == port);
  if (state.port.lanes != port.lanes) sources_.RevokePort(port.ifindex);  // what became ours is no source any more
  state.port = port;
  const bool checks =
      std::ranges::any_of(port.lanes, [](const Lane& lane) { return lane.checks_sources || lane.lists_sources; });
  if (checks != std::exchange(state.checks_sources, checks)) checks ? ++checking_ : --checking_;
  if (!port.offload) {
    for (const FlowId id : table_.OnPort(port.ifindex)) {
      Flow* flow = table_.Find(id);
      if (flow == nullptr) continue;
      if (IsSenderInHardware(*flow)) moving_.Doubt(*flow);
      Leave(*flow);
    }
    CountGuards(state);
    return;
  }
  EnsureGuards(state, now);
  if (!changed) return;
  for (const FlowId id : table_.OnPort(port.ifindex)) {
    if (Flow* flow = table_.Find(id)) MarkDirty(*flow);
  }
}

void Pipeline::RemovePort(std::uint32_t ifindex) {
  for (const FlowId id : table_.OnPort(ifindex)) {
    const Flow* flow = table_.Find(id);
    if (flow != nullptr && IsSenderInHardware(*flow)) moving_.DoubtUntilReleased(*flow);
    Forget(id);
  }
  sources_.RevokePort(ifindex);
  counters_.misses_by_port.erase(ifindex);
  if (const auto port = ports_.find(ifindex); port != ports_.end()) {
    if (port->second.checks_sources) --checking_;
    ports_.erase(port);
  }
}

void Pipeline::PortReleased(std::uint32_t ifindex) {
  for (const FlowId waiting : moving_.Release(ifindex)) Settle(waiting);
}

void Pipeline::EnsureGuards(PortState& state, TimePoint now) {
  std::vector<FlowId> standing;
  for (const Lane& lane : state.port.lanes) {
    if (lane.routed) EnsureGuards(state, lane, standing, now);
  }
  for (const FlowId id : table_.OnPort(state.port.ifindex)) {
    Flow* flow = table_.Find(id);
    if (flow->table() == Table::kGuard && std::ranges::find(standing, id) == standing.end()) Leave(*flow);
  }
  CountGuards(state);
}

void Pipeline::EnsureGuards(PortState& state, const Lane& lane, std::vector<FlowId>& standing, TimePoint now) {
  const auto guard = [&](std::uint16_t ethertype, const std::optional<IpPrefix>& source) {
    Match match;
    match.table = Table::kGuard;
    match.port = state.port.ifindex;
    match.vlan = lane.vlan;
    match.ethertype = ethertype;
    match.source = source;
    match.ttl_expires = !source;
    Flow& flow = Obtain(match, now);
    flow.answered = true;
    standing.push_back(flow.id);
    if (!flow.wanted || flow.leaving) Want(flow, Trap{}, now);
  };
  guard(kEthertypeIpv4, std::nullopt);
  if (state.port.ipv6) guard(kEthertypeIpv6, std::nullopt);
  for (const IpPrefix& martian : lane.martians) {
    if (martian.address.is_v4()) {
      guard(kEthertypeIpv4, martian);
    } else if (state.port.ipv6) {
      guard(kEthertypeIpv6, martian);
    }
  }
}

void Pipeline::CountGuards(PortState& state) {
  state.guards_missing = 0;
  state.guard_refusal.clear();
  for (const FlowId id : table_.OnPort(state.port.ifindex)) {
    const Flow* flow = table_.Find(id);
    if (flow->table() != Table::kGuard || flow->leaving || flow->installed) continue;
    ++state.guards_missing;
    if (!flow->wanted) state.guard_refusal = flow->reason().text;
  }
}

// A guard stands, or was refused: what waited for it, and what should not stand without it, is asked about again.
void Pipeline::OnGuard(std::uint32_t ifindex) {
  const auto port = ports_.find(ifindex);
  if (port == ports_.end()) return;
  const std::size_t missing_before = port->second.guards_missing;
  CountGuards(port->second);
  const bool complete = missing_before > 0 && port->second.guards_missing == 0;
  if (!complete && port->second.guard_refusal.empty()) return;
  for (const FlowId id : table_.OnPort(ifindex)) {
    Flow* flow = table_.Find(id);
    if (HasSections(flow->table())) MarkDirty(*flow);
  }
}

}  // namespace dpuflow::flow
