// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/pipeline.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/flow/aging.h"

namespace dpuflow::flow {
namespace {

Match RoutingMatch(const Miss& miss) {
  Match match{Table::kL3, miss.port, miss.vlan, miss.ethertype, {}, {}, {}, false};
  match.destination = IpPrefix::Host(miss.destination);
  return match;
}

}  // namespace

// ---- what is wanted -------------------------------------------------------------------------------------------------

void Pipeline::Want(Flow& flow, const Rule& rule, TimePoint now) {
  flow.leaving = false;
  if (!flow.wanted) {
    if (now < flow.retry_after) return;  // refused lately; the reason stands
    if (wanted_ >= limits_.max_entries) {
      flow.reason = fmt::format("the limit of {} entries is reached (flows.max-entries)", limits_.max_entries);
      return;
    }
    ++wanted_;
  }
  flow.wanted = rule;
  flow.reason.clear();
  Settle(flow.id);
}

void Pipeline::Unwant(Flow& flow, TimePoint /*now*/) {
  if (flow.wanted) --wanted_;
  flow.wanted.reset();
  Settle(flow.id);
}

void Pipeline::Leave(Flow& flow, TimePoint now) {
  flow.leaving = true;
  Unwant(flow, now);
}

void Pipeline::Settle(FlowId id) {
  Flow* flow = table_.Find(id);
  if (flow == nullptr || flow->in_flight || flow->queued) return;
  if (flow->wanted != flow->installed || flow->doubtful) {
    flow->queued = true;
    operations_.push_back(id);
  } else if (flow->leaving && !flow->installed) {
    Forget(id);
  }
}

void Pipeline::Forget(FlowId id) {
  const Flow* flow = table_.Find(id);
  if (flow != nullptr && flow->wanted) --wanted_;
  table_.Erase(id);  // its number may still stand in a queue; whoever takes it from there finds no flow
}

// ---- ports and guards -----------------------------------------------------------------------------------------------

void Pipeline::SetPort(const Port& port, TimePoint now) {
  PortState& state = ports_[port.ifindex];
  const bool changed = !(state.port == port);
  state.port = port;
  EnsureGuards(state, now);
  if (!changed) return;
  for (const FlowId id : table_.OnPort(port.ifindex)) {
    if (Flow* flow = table_.Find(id)) MarkDirty(*flow, now);
  }
}

void Pipeline::RemovePort(std::uint32_t ifindex) {
  for (const FlowId id : table_.OnPort(ifindex)) Forget(id);
  sources_.RevokePort(ifindex);
  counters_.misses_by_port.erase(ifindex);
  ports_.erase(ifindex);
}

void Pipeline::SetMartians(std::vector<IpPrefix> martians, TimePoint now) {
  if (martians == martians_) return;
  martians_ = std::move(martians);
  sources_.RevokeAll();  // an address that became ours is no longer a source
  for (auto& [ifindex, state] : ports_) EnsureGuards(state, now);
}

void Pipeline::EnsureGuards(PortState& state, TimePoint now) {
  const auto guard = [&](Match match) {
    match.table = Table::kGuard;
    match.port = state.port.ifindex;
    Flow& flow = table_.Obtain(match, now);
    flow.answered = true;
    Want(flow, Rule{match, Trap{}}, now);
    return flow.id;
  };
  std::vector<FlowId> standing;
  Match ttl;
  ttl.ttl_expires = true;
  standing.push_back(guard(ttl));
  for (const IpPrefix& martian : martians_) {
    Match source;
    source.source = martian;
    standing.push_back(guard(source));
  }
  for (const FlowId id : table_.OnPort(state.port.ifindex)) {
    Flow* flow = table_.Find(id);
    if (flow->match.table == Table::kGuard && std::ranges::find(standing, id) == standing.end()) Leave(*flow, now);
  }
  CountGuards(state);
}

void Pipeline::CountGuards(PortState& state) {
  state.guards_missing = 0;
  state.guard_refusal.clear();
  for (const FlowId id : table_.OnPort(state.port.ifindex)) {
    const Flow* flow = table_.Find(id);
    if (flow->match.table != Table::kGuard || flow->leaving || flow->installed) continue;
    ++state.guards_missing;
    if (!flow->wanted) state.guard_refusal = flow->reason;
  }
}

// ---- misses and answers ---------------------------------------------------------------------------------------------

void Pipeline::OnMiss(const Miss& miss, TimePoint now) {
  ++counters_.misses;
  const auto port = ports_.find(miss.port);
  if (port == ports_.end()) {
    ++counters_.misses_unknown_port;
    return;
  }
  ++counters_.misses_by_port[miss.port];
  if (miss.vlan != kUntagged || miss.ethertype != kEthertypeIpv4) {
    ++counters_.misses_not_supported;
    return;
  }
  if (miss.destination_mac != port->second.port.router_mac) {
    ++counters_.misses_not_for_router;
    return;
  }
  const Match match = RoutingMatch(miss);
  if (table_.Find(match) == nullptr && table_.size() >= 2 * limits_.max_entries) {
    ++counters_.misses_table_full;
    return;
  }
  Flow& flow = table_.Obtain(match, now);
  if (!flow.installed) flow.active = now;
  const bool undecided = !flow.answered || flow.leaving;
  const bool retry = !flow.wanted && now >= flow.retry_after && now - flow.asked >= limits_.reask;
  const bool refused_before = flow.refusals > 0 && !flow.wanted && now >= flow.retry_after;
  if (undecided || retry || refused_before || !sources_.IsValid(miss.port, miss.source)) {
    Ask(flow, miss);
    return;
  }
  flow.miss = miss;
  if (flow.wanted) EnsureLayer2(port->second, miss, now);
}

void Pipeline::Ask(const Flow& flow, const Miss& miss) {
  if (questions_.size() >= limits_.max_questions) {
    ++counters_.questions_dropped;  // the classifier reports the flow again within a second
    return;
  }
  questions_.push_back({flow.id, miss, true});
}

std::vector<Question> Pipeline::TakeQuestions(std::size_t most, TimePoint now) {
  std::vector<Question> taken;
  // Half of the room is for what has changed: what stands in hardware must not wait behind a flood of packets.
  TakeDirty(std::max<std::size_t>(1, most / 2), taken, now);
  while (taken.size() < most && !questions_.empty()) {
    Question question = std::move(questions_.front());
    questions_.pop_front();
    if (Flow* flow = table_.Find(question.flow)) {
      flow->asked = now;
      taken.push_back(std::move(question));
    }
  }
  TakeDirty(most, taken, now);
  counters_.questions += taken.size();
  return taken;
}

// Questions on behalf of dirty flows, until there are `most` in all.
void Pipeline::TakeDirty(std::size_t most, std::vector<Question>& taken, TimePoint now) {
  while (taken.size() < most && !dirty_.empty()) {
    Flow* flow = table_.Find(dirty_.front());
    dirty_.pop_front();
    if (flow == nullptr) continue;
    flow->dirty = false;
    flow->asked = now;
    taken.push_back({flow->id, flow->miss, false});
  }
}

void Pipeline::OnAnswer(const Answer& answer, TimePoint now) {
  const Miss& miss = answer.question.miss;
  if (answer.source_valid) {
    sources_.Allow(miss.port, miss.source);
  } else {
    ++counters_.sources_refused;
    sources_.Revoke(miss.port, miss.source);
  }
  Flow* flow = table_.Find(answer.question.flow);
  const auto port = ports_.find(miss.port);
  if (flow == nullptr || port == ports_.end()) return;
  // A packet with a bad source says nothing about the destination: it must not cost others their entry.
  if (!answer.source_valid && answer.question.fresh && flow->answered) return;
  if (flow->leaving && !answer.question.fresh) return;  // only a packet brings back what is on its way out
  if (!answer.source_valid && !answer.question.fresh) {
    // The source with which it was asked has become invalid. Others may not have: the next packet asks with its own.
    flow->answered = false;
    flow->reason = answer.reason;
    Unwant(*flow, now);
    return;
  }

  const bool first = !flow->wanted;
  flow->answered = true;
  flow->waiting = answer.verdict == Answer::Verdict::kWait;
  if (answer.source_valid) flow->miss = miss;
  table_.SetDependencies(*flow, answer.dependencies);

  if (answer.verdict != Answer::Verdict::kForward) {
    ++(flow->waiting ? counters_.answers_wait : counters_.answers_software);
    flow->reason = answer.reason;
    Unwant(*flow, now);
    return;
  }
  ++counters_.answers_forward;
  if (std::string why = WhyNot(*flow, port->second, now); !why.empty()) {
    flow->reason = std::move(why);
    Unwant(*flow, now);
    return;
  }
  Want(*flow, Rule{flow->match, RouteTo{answer.adjacency}}, now);
  if (flow->wanted && (first || answer.question.fresh)) EnsureLayer2(port->second, miss, now);
}

std::string Pipeline::WhyNot(const Flow& flow, const PortState& state, TimePoint now) const {
  // A guard that is still on its way keeps new entries out; it does not throw old ones out.
  if (state.guards_missing > 0 && (!flow.installed || !state.guard_refusal.empty())) {
    return state.guard_refusal.empty() ? "the port's guards are being installed"
                                       : fmt::format("a guard was refused: {}", state.guard_refusal);
  }
  if (!flow.wanted && now < flow.retry_after) return flow.reason;
  return {};
}

void Pipeline::EnsureLayer2(const PortState& state, const Miss& miss, TimePoint now) {
  Match source{Table::kL2Source, miss.port, miss.vlan, miss.ethertype, miss.source_mac, {}, {}, false};
  if (state.port.checks_sources) source.source = IpPrefix::Host(miss.source);
  Match destination{Table::kL2Destination, miss.port, miss.vlan, miss.ethertype, miss.destination_mac, {}, {}, false};
  const auto lead = [&](const Match& match, Table next) {
    if (table_.Find(match) == nullptr && table_.size() >= 2 * limits_.max_entries) {
      ++counters_.misses_table_full;
      return;
    }
    Flow& flow = table_.Obtain(match, now);
    flow.answered = true;
    flow.active = now;
    if (!flow.wanted) Want(flow, Rule{match, GotoTable{next}}, now);
  };
  // From the far end to the near one: a packet is not led to a table before that one's entry is on its way.
  lead(destination, Table::kL3);
  lead(source, Table::kL2Destination);
}

// ---- changes --------------------------------------------------------------------------------------------------------

void Pipeline::OnChange(const Change& change, TimePoint now) {
  if (const auto* route = std::get_if<RouteChanged>(&change)) {
    for (const auto& [ifindex, state] : ports_) {
      if (state.port.checks_sources) {
        sources_.RevokeIn(route->destination);
        break;
      }
    }
  } else if (const auto* link = std::get_if<LinkChanged>(&change)) {
    sources_.RevokePort(link->ifindex);
    RevokeCheckedSources(now);
  } else if (std::holds_alternative<NexthopChanged>(change)) {
    RevokeCheckedSources(now);
  } else if (std::holds_alternative<EverythingChanged>(change)) {
    sources_.RevokeAll();
  }
  for (const FlowId id : table_.Affected(change)) {
    if (Flow* flow = table_.Find(id)) MarkDirty(*flow, now);
  }
}

// Routes vanish with a link or a nexthop without a word, and a source may have been valid by one of them.
void Pipeline::RevokeCheckedSources(TimePoint now) {
  if (std::ranges::none_of(ports_, [](const auto& port) { return port.second.port.checks_sources; })) return;
  sources_.RevokeAll();
  std::vector<FlowId> checked;
  for (const auto& [id, flow] : table_.all()) {
    if (flow.match.table == Table::kL2Source && flow.match.source) checked.push_back(id);
  }
  for (const FlowId id : checked) Leave(*table_.Find(id), now);
}

void Pipeline::MarkDirty(Flow& flow, TimePoint now) {
  const auto port = ports_.find(flow.match.port);
  if (port == ports_.end()) return;
  const Port& settings = port->second.port;
  switch (flow.match.table) {
    case Table::kGuard:
      return;
    case Table::kL2Source:
      // Cheaper than asking: the next packet misses, is asked about, and brings it back.
      if (flow.match.source || settings.checks_sources) Leave(flow, now);
      return;
    case Table::kL2Destination:
      if (flow.match.mac != settings.router_mac) Leave(flow, now);
      return;
    case Table::kL3:
      if (flow.dirty || flow.leaving || !flow.answered) return;
      flow.dirty = true;
      ++counters_.dirtied;
      dirty_.push_back(flow.id);
  }
}

// ---- operations and outcomes ----------------------------------------------------------------------------------------

std::vector<Operation> Pipeline::TakeOperations(std::size_t most, TimePoint now) {
  std::vector<Operation> taken;
  while (taken.size() < most && !operations_.empty()) {
    const FlowId id = operations_.front();
    operations_.pop_front();
    Flow* flow = table_.Find(id);
    if (flow == nullptr) continue;
    flow->queued = false;
    if (flow->wanted == flow->installed && !flow->doubtful) {
      Settle(id);
      continue;
    }
    flow->doubtful = false;
    Operation operation;
    operation.flow = id;
    operation.issued = now;
    operation.kind = !flow->wanted      ? Operation::Kind::kRemove
                     : !flow->installed ? Operation::Kind::kAdd
                                        : Operation::Kind::kReplace;
    operation.rule = flow->wanted ? *flow->wanted : *flow->installed;
    flow->in_flight = operation.kind;
    in_flight_[id] = operation;
    taken.push_back(std::move(operation));
  }
  return taken;
}

void Pipeline::OnOutcome(const Outcome& outcome, TimePoint now) {
  const auto issued = in_flight_.find(outcome.flow);
  if (issued == in_flight_.end()) return;
  const Operation operation = std::move(issued->second);
  in_flight_.erase(issued);
  Flow* flow = table_.Find(outcome.flow);
  if (flow == nullptr) return;
  flow->in_flight.reset();

  const bool already_gone = outcome.error && outcome.kind == Operation::Kind::kRemove &&
                            (outcome.error->code == ENOENT || outcome.error->code == ENODEV);
  if (outcome.error && !already_gone) {
    // Something stands under our handle: whatever it is, Settle has it removed.
    if (outcome.kind == Operation::Kind::kAdd && outcome.error->code == EEXIST) flow->installed = operation.rule;
    Refused(*flow, *outcome.error, now);
  } else if (outcome.kind == Operation::Kind::kRemove) {
    ++counters_.removes;
    flow->installed.reset();
  } else {
    ++(outcome.kind == Operation::Kind::kAdd ? counters_.adds : counters_.replaces);
    flow->installed = operation.rule;
    flow->programmed = now;
    flow->base = {};  // a filter that replaces another counts from zero
    flow->refusals = 0;
  }
  if (flow->match.table == Table::kGuard) {
    OnGuard(flow->match.port, now);
  }
  if (!(outcome.error && outcome.kind == Operation::Kind::kRemove)) Settle(outcome.flow);
}

// A guard stands, or was refused: what waited for it, and what should not stand without it, is asked about again.
void Pipeline::OnGuard(std::uint32_t ifindex, TimePoint now) {
  const auto port = ports_.find(ifindex);
  if (port == ports_.end()) return;
  const std::size_t missing_before = port->second.guards_missing;
  CountGuards(port->second);
  const bool complete = missing_before > 0 && port->second.guards_missing == 0;
  if (!complete && port->second.guard_refusal.empty()) return;
  for (const FlowId id : table_.OnPort(ifindex)) {
    Flow* flow = table_.Find(id);
    if (flow->match.table == Table::kL3) MarkDirty(*flow, now);
  }
}

void Pipeline::Refused(Flow& flow, const Error& error, TimePoint now) {
  ++counters_.refusals[error.code];
  flow.reason = ToString(error);
  const unsigned doublings = std::min(flow.refusals++, 16u);
  flow.retry_after = now + std::min(limits_.retry_max, limits_.retry_min * (1u << doublings));
  // What is wanted could not be had. An older rule that still stands would be wrong: it goes, and software takes over.
  if (flow.wanted) --wanted_;
  flow.wanted.reset();
}

bool Pipeline::settled() const {
  return questions_.empty() && dirty_.empty() && operations_.empty() && in_flight_.empty();
}

std::size_t Pipeline::InFlight(std::uint32_t port) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(in_flight_, [port](const auto& entry) { return entry.second.rule.match.port == port; }));
}

// ---- time -----------------------------------------------------------------------------------------------------------

void Pipeline::OnSweep(std::uint32_t port, std::span<const Sample> samples, TimePoint now) {
  std::unordered_map<FlowId, bool> seen;  // -> in_hw
  seen.reserve(samples.size());
  for (const Sample& sample : samples) {
    seen.emplace(sample.flow, sample.in_hw);
    if (Flow* flow = table_.Find(sample.flow)) ApplySample(*flow, sample, now);
  }
  for (const FlowId id : table_.OnPort(port)) {
    Flow* flow = table_.Find(id);
    if (!flow->installed || flow->in_flight || flow->queued || flow->programmed >= now) continue;
    const auto sample = seen.find(id);
    if (sample == seen.end()) {
      // Gone, or passed over because the dump shifted under the sweep. Writing it again is right in both cases.
      ++counters_.vanished;
      flow->doubtful = true;
      Settle(id);
    } else if (!sample->second) {
      ++counters_.vanished;
      Leave(*flow, now);  // a filter that is not in hardware: out with it; the next packet brings it back
    } else if (flow->match.table != Table::kGuard && IsIdle(*flow, now, limits_.idle_time)) {
      ++counters_.expired;
      Leave(*flow, now);
    }
  }
}

void Pipeline::OnTick(TimePoint now) {
  std::vector<FlowId> forgotten;
  std::vector<FlowId> unsettled;
  for (auto& [id, flow] : table_.all()) {
    if (flow.in_flight || flow.queued) continue;
    if (flow.match.table == Table::kGuard) {
      if (!flow.leaving && !flow.wanted && now >= flow.retry_after) unsettled.push_back(id);
    } else if (!flow.wanted && !flow.installed) {
      if (IsIdle(flow, now, limits_.idle_time)) forgotten.push_back(id);
    }
    if (flow.installed && !flow.wanted && now >= flow.retry_after) unsettled.push_back(id);
  }
  for (const FlowId id : forgotten) Forget(id);
  for (const FlowId id : unsettled) {
    Flow* flow = table_.Find(id);
    if (flow->match.table == Table::kGuard && !flow->leaving) {
      Want(*flow, Rule{flow->match, Trap{}}, now);
    } else {
      Settle(id);
    }
  }
}

std::size_t Pipeline::Flush(const std::function<bool(const Flow&)>& selected, TimePoint now) {
  std::vector<FlowId> ids;
  for (const auto& [id, flow] : table_.all()) {
    if (flow.match.table != Table::kGuard && selected(flow)) ids.push_back(id);
  }
  for (const FlowId id : ids) Leave(*table_.Find(id), now);
  return ids.size();
}

}  // namespace dpuflow::flow
