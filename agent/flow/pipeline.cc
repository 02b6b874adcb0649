// SPDX-License-Identifier: Apache-2.0
//
// Misses, questions and answers, and the operations that follow from them.
#include "agent/flow/pipeline.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace dpuflow::flow {
namespace {

Match OfLayer2(Table table, const Miss& miss) {
  Match match;
  match.table = table;
  match.port = miss.port;
  match.vlan = miss.vlan;
  match.ethertype = miss.ethertype;
  return match;
}

Match DestinationOf(const Miss& miss) {
  Match match = OfLayer2(Table::kL2Destination, miss);
  match.destination_mac = miss.destination_mac;
  return match;
}

Match SourceOf(const Miss& miss, const Lane& lane) {
  Match match = OfLayer2(Table::kL2Source, miss);
  match.source_mac = miss.source_mac;
  if (lane.checks_sources && miss.ethertype == kEthertypeIpv4) match.source = IpPrefix::Host(miss.source);
  return match;
}

}  // namespace

// ---- what is wanted -------------------------------------------------------------------------------------------------

void Pipeline::Want(Flow& flow, const Rule& rule, TimePoint now) {
  flow.leaving = false;
  if (!flow.wanted) {
    if (now < flow.retry_after) return;  // refused lately; the reason stands
    if (flow.match.table != Table::kGuard) {
      if (full()) {
        Explain(flow, {Why::kLimit,
                       fmt::format("the limit of {} entries is reached (flows.max-entries)", limits_.max_entries)});
        return;
      }
      ++wanted_;
    }
  }
  flow.wanted = rule;
  flow.reason = {};
  Settle(flow.id);
}

void Pipeline::Unwant(Flow& flow) {
  if (flow.wanted && flow.match.table != Table::kGuard) --wanted_;
  flow.wanted.reset();
  Settle(flow.id);
}

void Pipeline::Leave(Flow& flow) {
  flow.leaving = true;
  Unwant(flow);
}

void Pipeline::Settle(FlowId id) {
  Flow* flow = table_.Find(id);
  if (flow == nullptr || flow->in_flight || flow->queued) return;
  const bool add = flow->wanted && !flow->installed;
  if (add && targets_.Blocks(*flow)) {
    if (!flow->held) ledger_.Open(cause_);
    if (!flow->held) flow->held = cause_;
    return;
  }
  const auto held = std::exchange(flow->held, std::nullopt);
  if (flow->wanted != flow->installed || flow->doubtful) Queue(*flow, held.value_or(cause_));
  if (held) ledger_.Close(*held);
  if (!flow->queued && flow->leaving && !flow->installed) Forget(id);
}

void Pipeline::Queue(Flow& flow, Epoch epoch) {
  flow.queued = true;
  (flow.installed ? changes_ : adds_).emplace_back(flow.id, epoch);
  ledger_.Open(epoch);
}

// Its number may still stand in a queue; whoever takes it from there finds no flow.
void Pipeline::Forget(FlowId id) {
  const Flow* flow = table_.Find(id);
  if (flow == nullptr) return;
  if (flow->wanted && flow->match.table != Table::kGuard) --wanted_;
  if (flow->held) ledger_.Close(*flow->held);
  const std::vector<FlowId> freed = flow->match.table == Table::kL3 ? targets_.Remove(*flow) : std::vector<FlowId>{};
  table_.Erase(id);
  for (const FlowId other : freed) Settle(other);
}

// ---- misses and questions -------------------------------------------------------------------------------------------

bool Pipeline::HasRoom(const Match& match) {
  return table_.Find(match) != nullptr || table_.size() < 2 * limits_.max_entries;
}

Flow& Pipeline::Obtain(const Match& match, TimePoint now) {
  Flow& flow = table_.Obtain(match, now);
  if (match.table == Table::kL3) targets_.Add(flow);
  return flow;
}

void Pipeline::OnMiss(const Miss& miss, TimePoint now) {
  ++counters_.misses;
  const auto port = ports_.find(miss.port);
  if (port == ports_.end()) {
    ++counters_.misses_unknown_port;
    return;
  }
  ++counters_.misses_by_port[miss.port];
  const Port& settings = port->second.port;
  const Lane* lane = settings.Find(miss.vlan);
  const bool is_ip = miss.ethertype == kEthertypeIpv4 || (miss.ethertype == kEthertypeIpv6 && settings.ipv6);
  if (lane == nullptr || !is_ip) {
    ++counters_.misses_not_supported;
    return;
  }
  const bool routed = lane->routed && miss.destination_mac == lane->router_mac;
  if (!routed && !lane->bridged) {
    ++counters_.misses_not_for_router;
    return;
  }
  const Target* target = routed ? targets_.Find(KeyOf(miss, 0)) : nullptr;
  const Match match = routed ? KeyOf(miss, target != nullptr ? target->fields : Fields{0}) : DestinationOf(miss);
  if (!HasRoom(match)) {
    ++counters_.misses_table_full;
    return;
  }
  Flow& flow = Obtain(match, now);
  if (!flow.installed) flow.active = now;
  const bool undecided = !flow.answered || flow.leaving;
  const bool retry = !flow.wanted && now >= flow.retry_after && now - flow.asked >= limits_.reask;
  const bool refused_before = flow.refusals > 0 && !flow.wanted && now >= flow.retry_after;
  const bool source_known = !routed || sources_.IsValid(miss.lane(), miss.source);
  const bool sender_known = !lane->bridged || LeadsOn(*lane, miss);
  if (undecided || retry || refused_before || !source_known || !sender_known) {
    Ask(flow, miss);
    return;
  }
  flow.miss = miss;
  if (flow.wanted) EnsureLayer2(*lane, miss, std::nullopt, now);
}

void Pipeline::Ask(const Flow& flow, const Miss& miss) {
  if (questions_.size() >= limits_.max_questions) {
    ++counters_.questions_dropped;  // the classifier reports the flow again within a second
    return;
  }
  questions_.push_back({flow.id, miss, true, ledger_.now()});
  ledger_.Open(ledger_.now());
}

std::vector<Question> Pipeline::TakeQuestions(std::size_t most, TimePoint now) {
  std::vector<Question> taken;
  // Half of the room is for what has changed: what stands in hardware must not wait behind a flood of packets.
  TakeDirty(std::max<std::size_t>(1, most / 2), taken, now);
  while (taken.size() < most && !questions_.empty()) {
    taken.push_back(std::move(questions_.front()));
    questions_.pop_front();
    if (Flow* flow = table_.Find(taken.back().flow)) flow->asked = now;
  }
  TakeDirty(most, taken, now);
  counters_.questions += taken.size();
  return taken;
}

// Questions on behalf of dirty flows, until there are `most` in all.
void Pipeline::TakeDirty(std::size_t most, std::vector<Question>& taken, TimePoint now) {
  while (taken.size() < most && !dirty_.empty()) {
    const auto [id, epoch] = dirty_.front();
    dirty_.pop_front();
    Flow* flow = table_.Find(id);
    if (flow == nullptr || !flow->dirty) {
      ledger_.Close(epoch);
      continue;
    }
    flow->dirty = false;
    flow->asked = now;
    taken.push_back({id, flow->miss, false, epoch});
  }
}

// ---- answers --------------------------------------------------------------------------------------------------------

void Pipeline::NoteSource(const Answer& answer) {
  const Miss& miss = answer.question.miss;
  if (answer.source == SourceVerdict::kValid) {
    sources_.Allow(miss.lane(), miss.source);
  } else if (answer.source == SourceVerdict::kInvalid) {
    ++counters_.sources_refused;
    sources_.Revoke(miss.lane(), miss.source);
  }
}

void Pipeline::OnAnswer(const Answer& answer, TimePoint now) {
  const Question& question = answer.question;
  cause_ = question.epoch;
  NoteSource(answer);
  const auto port = ports_.find(question.miss.port);
  Flow* flow = table_.Find(question.flow);
  const bool refused_source = answer.source == SourceVerdict::kInvalid;
  if (port == ports_.end()) {
    // The port has gone since.
  } else if (question.fresh) {
    // A packet with a bad source says nothing about the destination: it decides nothing for others.
    if (refused_source && flow != nullptr && !flow->answered) Explain(*flow, answer.reason);
    if (!refused_source) flow = answer.bridged ? ReshapeBridged(answer, now) : Reshape(answer, now);
    if (!refused_source && flow != nullptr) Apply(*flow, port->second, answer, now);
  } else if (flow == nullptr || flow->leaving) {
    // Only a packet brings back what is on its way out.
  } else if (flow->match.table == Table::kL2Source) {
    ApplyToSource(*flow, answer);
  } else if ((flow->match.table == Table::kL2Destination) != answer.bridged) {
    Leave(*flow);  // what was bridged is routed now, or the other way around
  } else if (refused_source) {
    // The source with which it was asked has become invalid. Others may not have: the next packet asks with its own.
    flow->answered = false;
    Explain(*flow, answer.reason);
    Unwant(*flow);
  } else if ((flow = answer.bridged ? ReshapeBridged(answer, now) : Reshape(answer, now)) != nullptr) {
    Apply(*flow, port->second, answer, now);
  }
  ledger_.Close(question.epoch);
  cause_ = ledger_.now();
}

Fields Pipeline::FieldsFor(const Answer& answer) const {
  const Target* target = targets_.Find(KeyOf(answer.question.miss, 0));
  return answer.uniform || target == nullptr ? answer.fields : answer.fields | target->fields;
}

Flow* Pipeline::Reshape(const Answer& answer, TimePoint now) {
  Target* target = targets_.Find(KeyOf(answer.question.miss, 0));
  const Fields fields = FieldsFor(answer);
  const Match match = KeyOf(answer.question.miss, fields);
  if (target != nullptr && target->fields != fields) {
    target->fields = fields;
    target->outdated.clear();
    for (const FlowId id : target->flows) {
      const Flow* flow = table_.Find(id);
      const bool fits = flow->match == match || (flow->answered && KeyOf(flow->miss, fields) == flow->match);
      if (!fits) target->outdated.insert(id);
    }
    const std::vector<FlowId> outdated(target->outdated.begin(), target->outdated.end());
    for (const FlowId id : outdated) Leave(*table_.Find(id));  // may be the end of `target`
  }
  if (!HasRoom(match)) {
    ++counters_.misses_table_full;
    return nullptr;
  }
  Flow& flow = Obtain(match, now);
  targets_.Find(match)->fields = fields;
  return &flow;
}

Flow* Pipeline::ReshapeBridged(const Answer& answer, TimePoint now) {
  const Match match = DestinationOf(answer.question.miss);
  if (HasRoom(match)) return &Obtain(match, now);
  ++counters_.misses_table_full;
  return nullptr;
}

// An entry for a source stands as long as what it says is so: the kernel accepts the address, the bridge knows the station
// here. A packet brings it back.
void Pipeline::ApplyToSource(Flow& flow, const Answer& answer) {
  const bool refused = flow.match.source && answer.source != SourceVerdict::kValid;
  if (refused || !answer.sender_reason.empty()) Leave(flow);
}

void Pipeline::Apply(Flow& flow, const PortState& port, const Answer& answer, TimePoint now) {
  const Miss& miss = answer.question.miss;
  const bool first = !flow.wanted;
  flow.answered = true;
  flow.asked = now;
  flow.waiting = answer.verdict == Answer::Verdict::kWait;
  flow.miss = miss;
  table_.SetDependencies(flow, answer.dependencies);

  if (answer.verdict != Answer::Verdict::kForward) {
    ++(flow.waiting ? counters_.answers_wait : counters_.answers_software);
    Explain(flow, answer.reason);
    Unwant(flow);
    return;
  }
  ++counters_.answers_forward;
  table_.FindSection(flow);
  if (Reason why = WhyNot(flow, port, now); !why.empty()) {
    Explain(flow, std::move(why));
    Unwant(flow);
    return;
  }
  const Adjacency& way = answer.adjacency;
  Want(flow, Rule{flow.match, answer.bridged ? Action{BridgeTo{way.egress, way.vlan}} : Action{RouteTo{way}}}, now);
  const Lane* lane = port.port.Find(miss.vlan);
  const bool lead = flow.wanted && lane != nullptr && (first || answer.question.fresh);
  const bool source_counts = lane != nullptr && lane->checks_sources && miss.ethertype == kEthertypeIpv4;
  const bool source_stands = !source_counts || answer.source == SourceVerdict::kValid;
  if (lead && source_stands && answer.sender_reason.empty()) EnsureLayer2(*lane, miss, answer.sender, now);
}

Reason Pipeline::WhyNot(const Flow& flow, const PortState& state, TimePoint now) const {
  if (!state.port.offload) return {Why::kOffloadOff, "offload is switched off (dpuflowctl offload)"};
  // A guard that is still on its way keeps new entries out; it does not throw old ones out.
  if (state.guards_missing > 0 && (!flow.installed || !state.guard_refusal.empty())) {
    return {Why::kGuards, state.guard_refusal.empty() ? "the port's guards are being installed"
                                                      : fmt::format("a guard was refused: {}", state.guard_refusal)};
  }
  if (flow.match.portless) return {Why::kPortless, "a fragment, or without ports, and the path depends on ports"};
  if (flow.match.table == Table::kL3 && flow.section == 0)
    return {Why::kShapes, "the L3 table has no section left for keys of this shape"};
  if (!flow.wanted && now < flow.retry_after) return flow.reason;
  return {};
}

void Pipeline::EnsureLayer2(const Lane& lane, const Miss& miss, const std::optional<StationKey>& sender,
                            TimePoint now) {
  const auto lead = [&](const Match& match, Table next) {
    if (!HasRoom(match)) {
      ++counters_.misses_table_full;
      return;
    }
    Flow& flow = Obtain(match, now);
    flow.answered = true;
    flow.active = now;
    flow.miss = miss;
    if (sender && match.table == Table::kL2Source) {
      Dependencies dependencies;
      dependencies.stations = {*sender};
      table_.SetDependencies(flow, std::move(dependencies));
    }
    if (!flow.wanted) Want(flow, Rule{match, GotoTable{next}}, now);
  };
  // From the far end to the near one: a packet is not led to a table before that one's entry is on its way.
  if (lane.routed && miss.destination_mac == lane.router_mac) lead(DestinationOf(miss), Table::kL3);
  lead(SourceOf(miss, lane), Table::kL2Destination);
}

// The packet's sender has an entry.
bool Pipeline::LeadsOn(const Lane& lane, const Miss& miss) const {
  const Flow* flow = table_.Find(SourceOf(miss, lane));
  return flow != nullptr && flow->wanted;
}

// ---- operations and outcomes ----------------------------------------------------------------------------------------

std::vector<Operation> Pipeline::TakeOperations(std::size_t most, TimePoint now) {
  std::vector<Operation> taken;
  // What stands is changed before anything is added: a withdrawn route must not wait behind a flood of new flows.
  for (auto* queue : {&changes_, &adds_}) {
    while (taken.size() < most && !queue->empty()) {
      const auto [id, epoch] = queue->front();
      queue->pop_front();
      if (auto operation = Issue(id, epoch, now)) taken.push_back(std::move(*operation));
    }
  }
  return taken;
}

std::optional<Operation> Pipeline::Issue(FlowId id, Epoch epoch, TimePoint now) {
  Flow* flow = table_.Find(id);
  if (flow != nullptr) flow->queued = false;
  const bool idle = flow == nullptr || (flow->wanted == flow->installed && !flow->doubtful);
  if (idle || (flow->wanted && !flow->installed && targets_.Blocks(*flow))) {
    cause_ = epoch;
    Settle(id);
    ledger_.Close(epoch);
    cause_ = ledger_.now();
    return std::nullopt;
  }
  const bool afresh = std::exchange(flow->afresh, false) && flow->wanted && flow->installed;
  flow->doubtful = false;
  Operation operation;
  operation.flow = id;
  operation.section = flow->section;
  operation.issued = now;
  operation.epoch = epoch;
  operation.kind = !flow->wanted || afresh ? Operation::Kind::kRemove
                   : !flow->installed      ? Operation::Kind::kAdd
                                           : Operation::Kind::kReplace;
  operation.rule = flow->wanted ? *flow->wanted : *flow->installed;
  flow->in_flight = operation.kind;
  in_flight_[id] = operation;
  return operation;
}

void Pipeline::OnOutcome(const Outcome& outcome, TimePoint now) {
  const auto issued = in_flight_.find(outcome.flow);
  if (issued == in_flight_.end()) return;
  const Operation operation = std::move(issued->second);
  in_flight_.erase(issued);
  cause_ = operation.epoch;
  if (Flow* flow = table_.Find(outcome.flow)) {
    flow->in_flight.reset();
    flow->touched = now;
    const bool removal = outcome.kind == Operation::Kind::kRemove;
    if (outcome.error) {
      // Something stands under our handle: whatever it is, Settle has it removed.
      if (outcome.kind == Operation::Kind::kAdd && outcome.error->code == EEXIST) flow->installed = operation.rule;
      Refused(*flow, *outcome.error, now);
    } else if (removal) {
      ++counters_.removes;
      flow->installed.reset();
    } else {
      ++(outcome.kind == Operation::Kind::kAdd ? counters_.adds : counters_.replaces);
      flow->installed = operation.rule;
      flow->programmed = now;
      flow->base = {};  // a filter that replaces another counts from zero
      flow->refusals = 0;
    }
    if (flow->match.table == Table::kGuard) OnGuard(flow->match.port);
    if (!outcome.error || !removal) Settle(outcome.flow);  // a removal that failed waits for OnTick
  }
  ledger_.Close(operation.epoch);
  cause_ = ledger_.now();
}

void Pipeline::Explain(Flow& flow, Reason reason) {
  if (flow.reason.why != reason.why) ++counters_.reasons[static_cast<std::size_t>(reason.why)];
  flow.reason = std::move(reason);
}

void Pipeline::Refused(Flow& flow, const Error& error, TimePoint now) {
  ++counters_.refusals[error.code];
  Explain(flow, {Why::kRefused, ToString(error)});
  const unsigned doublings = std::min(flow.refusals++, 16u);
  flow.retry_after = now + std::min(limits_.retry_max, limits_.retry_min * (1u << doublings));
  // What is wanted could not be had. An older rule that still stands would be wrong: it goes, and software takes over.
  if (flow.wanted && flow.match.table != Table::kGuard) --wanted_;
  flow.wanted.reset();
}

std::size_t Pipeline::InFlight(std::uint32_t port) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(in_flight_, [port](const auto& entry) { return entry.second.rule.match.port == port; }));
}

}  // namespace dpuflow::flow
