// SPDX-License-Identifier: Apache-2.0
//
// What a change among the kernel's tables means for flows and for validated sources.
#include <algorithm>

#include "agent/flow/form.h"
#include "agent/flow/pipeline.h"

namespace dpuflow::flow {
namespace {

bool LeadsToRouting(const Flow& flow) {
  const Interned<Action>& action = flow.wanted ? flow.wanted : flow.installed;
  return action && std::holds_alternative<GotoTable>(*action);
}

}  // namespace

void Pipeline::OnChange(const Change& change, TimePoint /*now*/) {
  RevokeSources(change);
  const std::vector<FlowId> affected = table_.Affected(change);
  for (const FlowId id : affected) {
    if (Flow* flow = table_.Find(id)) MarkDirty(*flow);
  }
  if (!std::holds_alternative<StationChanged>(change)) return;
  for (const FlowId id : affected) {
    Flow* flow = table_.Find(id);
    if (flow == nullptr || !IsSenderInHardware(*flow) || (!flow->dirty && !flow->leaving)) continue;
    flow->moved = flow->dirty;
    moving_.Doubt(*flow);
  }
}

bool Pipeline::IsSenderInHardware(const Flow& flow) {
  return VouchesForSender(flow.table()) && (flow.installed || flow.in_flight);
}

// If a sender was in doubt, it is known now: it is where it was, or its entry is gone, or cannot be removed just now.
void Pipeline::EndDoubt(FlowId id) {
  const Flow* flow = table_.Find(id);
  if (flow == nullptr || flow->moved || flow->dirty || flow->queued || flow->in_flight) return;
  for (const FlowId waiting : moving_.Clear(*flow)) Settle(waiting);
}

// Where a port checks sources, whether one is valid depends on routes, and these may vanish with a link or a nexthop
// without a word. The classifier's permission goes at once, since the next packet brings it back; entries in hardware are
// asked about.
void Pipeline::RevokeSources(const Change& change) {
  if (std::holds_alternative<EverythingChanged>(change)) return sources_.RevokeAll();
  const auto* route = std::get_if<RouteChanged>(&change);
  const auto* link = std::get_if<LinkChanged>(&change);
  const bool silent_routes = link != nullptr || std::holds_alternative<NexthopChanged>(change);
  if (link != nullptr && ports_.contains(link->ifindex)) sources_.RevokePort(link->ifindex);
  if (checking_ == 0) return;
  if (silent_routes) {
    for (const auto& [ifindex, state] : ports_) {
      if (state.checks_sources) sources_.RevokePort(ifindex);
    }
  }
  if (route != nullptr) sources_.RevokeIn(route->destination);
  if (!silent_routes) return;
  for (const FlowId id : table_.CheckedSources()) MarkDirtyToAsk(*table_.Find(id));
}

void Pipeline::MarkDirty(Flow& flow) {
  const auto port = ports_.find(flow.port());
  if (port == ports_.end()) return;
  const Port& settings = port->second.port;
  const Lane* lane = settings.Find(flow.vlan());
  if (flow.table() == Table::kGuard) return;
  if (lane == nullptr) return Leave(flow);
  if (!StandsIn(flow.table(), settings.form)) return Leave(flow);
  const bool to_router = lane->Routes(flow.match().destination_mac);
  const bool not_forwarded = flow.ethertype() == kEthertypeIpv6 && !settings.ipv6;
  if (not_forwarded && (!lane->bridged || to_router || flow.is_routed())) return Leave(flow);
  switch (flow.table()) {
    case Table::kGuard:
      return;
    case Table::kL2Source:
      if (!lane->bridged && !lane->routed) return Leave(flow);
      // A lane has one shape or the other.
      if (flow.mask.Has(kFieldSource) != lane->ChecksSource(flow.ethertype())) {
        return Leave(flow);
      }
      if (flow.mask.Has(kFieldSource) || lane->bridged) MarkDirtyToAsk(flow);
      return;
    case Table::kL2Destination:
      // One that leads to routing, or one that is bridged: they do not become each other.
      if (LeadsToRouting(flow) != to_router) return Leave(flow);
      if (LeadsToRouting(flow)) return;
      if (!lane->bridged) return Leave(flow);
      return MarkDirtyToAsk(flow);
    case Table::kFlat:
      if (flow.is_routed() != to_router || (!to_router && !lane->bridged)) return Leave(flow);
      return MarkDirtyToAsk(flow);
    case Table::kL3:
      MarkDirtyToAsk(flow);
  }
}

void Pipeline::MarkDirtyToAsk(Flow& flow) {
  if (flow.dirty || flow.leaving || !flow.answered) return;
  flow.dirty = true;
  ++counters_.dirtied;
  dirty_.Push({flow.id, cause_});
  counters_.changed_peak = std::max(counters_.changed_peak, changed_waiting());
  ledger_.Open(cause_);
}

}  // namespace dpuflow::flow
