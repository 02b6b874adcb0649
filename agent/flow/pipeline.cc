// SPDX-License-Identifier: Apache-2.0
//
// Misses, questions and answers, and the operations that follow from them.
#include "agent/flow/pipeline.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "agent/flow/form.h"

namespace dpuflow::flow {

// ---- what is wanted -------------------------------------------------------------------------------------------------

void Pipeline::Want(Flow& flow, const Action& action, TimePoint now) {
  flow.leaving = false;
  if (!flow.wanted) {
    if (now < flow.retry_after) return;  // refused lately; the reason stands
    if (flow.table() != Table::kGuard) {
      if (full()) {
        NoteFull(flow, now);
        Explain(flow, {Why::kLimit,
                       fmt::format("the limit of {} entries is reached (flows.max-entries)", limits_.max_entries)});
        return;
      }
      ++wanted_;
    }
  }
  flow.wanted = actions_.Get(action);
  flow.kept.reset();
  Settle(flow.id);
}

void Pipeline::Unwant(Flow& flow) {
  StopWanting(flow);
  Settle(flow.id);
}

void Pipeline::StopWanting(Flow& flow) {
  if (flow.wanted && flow.table() != Table::kGuard) --wanted_;
  flow.wanted.reset();
  NoteUnwanted(flow);
}

void Pipeline::NoteUnwanted(Flow& flow) {
  if (flow.listed) return;
  flow.listed = true;
  unwanted_.push_back(flow.id);
}

void Pipeline::Leave(Flow& flow) {
  flow.leaving = true;
  Unwant(flow);
}

void Pipeline::Settle(FlowId id) {
  Flow* flow = table_.Find(id);
  if (flow == nullptr || flow->in_flight || flow->queued) return;
  const bool add = flow->wanted && !flow->installed;
  if (add && MustWait(*flow)) {
    if (flow->held != 0) return;
    flow->held = cause_;
    ledger_.Open(cause_);
    return;
  }
  const Epoch held = std::exchange(flow->held, 0);
  if (flow->wanted != flow->installed || flow->doubtful) Queue(*flow, held != 0 ? held : cause_);
  if (held != 0) ledger_.Close(held);
  if (!flow->queued && flow->leaving && !flow->installed) Forget(id);
}

bool Pipeline::MustWait(const Flow& flow) { return targets_.Blocks(flow) || moving_.Blocks(flow); }

void Pipeline::Queue(Flow& flow, Epoch epoch) {
  flow.queued = true;
  (flow.installed ? changes_ : adds_).Push({flow.id, epoch, course_});
  counters_.operations_peak = std::max(counters_.operations_peak, operations_waiting());
  ledger_.Open(epoch);
}

// Its number may still stand in a queue; whoever takes it from there finds no flow.
void Pipeline::Forget(FlowId id) {
  const Flow* flow = table_.Find(id);
  if (flow == nullptr) return;
  if (flow->wanted && flow->table() != Table::kGuard) --wanted_;
  if (flow->held != 0) ledger_.Close(flow->held);
  std::vector<FlowId> freed = moving_.Clear(*flow);
  if (flow->is_routed()) std::ranges::copy(targets_.Remove(*flow), std::back_inserter(freed));
  table_.Erase(id);
  for (const FlowId other : freed) Settle(other);
}

// ---- misses and questions -------------------------------------------------------------------------------------------

bool Pipeline::HasRoom(const Match& match) {
  return table_.Find(match) != nullptr || table_.size() < 2 * limits_.max_entries;
}

Flow& Pipeline::Obtain(const Match& match, TimePoint now) {
  Flow& flow = table_.Obtain(match, now);
  if (!flow.wanted) NoteUnwanted(flow);
  if (IsRouted(match)) targets_.Add(flow);
  return flow;
}

void Pipeline::OnMiss(const Miss& miss, const Sighting& sighting, TimePoint now) {
  ++counters_.misses;
  const auto port = ports_.find(miss.port);
  if (port == ports_.end()) {
    ++counters_.misses_unknown_port;
    return;
  }
  ++counters_.misses_by_port[miss.port];
  const Port& settings = port->second.port;
  const Lane* lane = settings.Find(miss.vlan);
  const bool routed = lane != nullptr && lane->Routes(miss.destination_mac);
  const bool is_v6 = miss.ethertype == kEthertypeIpv6;
  const bool is_ip = miss.ethertype == kEthertypeIpv4 || (is_v6 && (settings.ipv6 || !routed));
  if (lane == nullptr || !is_ip) {
    ++counters_.misses_not_supported;
    return;
  }
  if (!routed && !lane->bridged) {
    ++counters_.misses_not_for_router;
    return;
  }
  const auto known = routed ? targets_.FieldsAt(RoutedKey(settings.form, miss, 0)) : std::nullopt;
  const Fields fields = known ? *known : FieldsOfLane(settings.form, *lane, miss.ethertype);
  const Match match = routed ? RoutedKey(settings.form, miss, fields) : BridgedKey(settings.form, *lane, miss);
  if (!HasRoom(match)) {
    ++counters_.misses_table_full;
    return;
  }
  Flow& flow = Obtain(match, now);
  if (!flow.installed) flow.active = now;
  // The classifier sends to a MAC, and that is no use of a neighbour that the kernel sees.
  if (sighting.forwarded && flow.dependencies().next_hop) used_neighs_.insert(*flow.dependencies().next_hop);
  const bool undecided = !flow.answered || flow.leaving;
  const bool retry = !flow.wanted && now >= flow.retry_after && now - flow.asked >= limits_.reask;
  const bool refused_before = flow.refusals > 0 && !flow.wanted && now >= flow.retry_after;
  const bool source_known = !routed || sources_.IsValid(miss.lane(), miss.source);
  const bool sender_known = !lane->bridged || LeadsOn(*lane, miss);
  if (undecided || retry || refused_before || !source_known || !sender_known) {
    Ask(flow, miss, {.missed = sighting.time, .read = now});
    return;
  }
  FlowTable::Keep(flow, miss);
  NoteSurprise(flow, *lane, miss, sighting.time);
  if (flow.wanted) EnsureWay(*lane, miss, std::nullopt, now);
}

void Pipeline::Ask(const Flow& flow, const Miss& miss, const Course& course) {
  if (questions_.size() >= limits_.max_questions) {
    ++counters_.questions_dropped;  // the classifier reports the flow again within a second
    return;
  }
  questions_.Push({flow.id, miss, true, ledger_.now(), course});
  counters_.packets_peak = std::max(counters_.packets_peak, packets_waiting());
  ledger_.Open(ledger_.now());
}

std::vector<Question> Pipeline::TakeQuestions(std::size_t most, TimePoint now) {
  std::vector<Question> taken;
  // Half of the room is for what has changed: what stands in hardware must not wait behind a flood of packets.
  TakeDirty(std::max<std::size_t>(1, most / 2), taken, now);
  while (taken.size() < most && !questions_.empty()) {
    taken.push_back(questions_.Pop());
    if (Flow* flow = table_.Find(taken.back().flow)) flow->asked = now;
  }
  TakeDirty(most, taken, now);
  counters_.questions += taken.size();
  return taken;
}

// Questions on behalf of dirty flows, until there are `most` in all.
void Pipeline::TakeDirty(std::size_t most, std::vector<Question>& taken, TimePoint now) {
  while (taken.size() < most && !dirty_.empty()) {
    const auto [id, epoch] = dirty_.Pop();
    Flow* flow = table_.Find(id);
    if (flow == nullptr || !flow->dirty) {
      ledger_.Close(epoch);
      continue;
    }
    flow->dirty = false;
    flow->asked = now;
    taken.push_back({id, flow->packet, false, epoch});
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
  course_ = question.course;
  NoteSource(answer);
  const auto port = ports_.find(question.miss.port);
  Flow* flow = table_.Find(question.flow);
  const bool refused_source = answer.source == SourceVerdict::kInvalid;
  if (port == ports_.end()) {
    // The port has gone since.
  } else if (question.fresh) {
    // A packet with a bad source says nothing about the destination: it decides nothing for others.
    if (refused_source && flow != nullptr && !flow->answered) {
      Explain(*flow, answer.reason);
      // One of this source alone is nobody else's, and sources can be made up without end.
      if (flow->mask.Has(kFieldSource) && VouchesForSender(flow->table())) Leave(*flow);
    }
    if (!refused_source) flow = answer.bridged ? ReshapeBridged(answer, now) : Reshape(answer, now);
    if (!refused_source && flow != nullptr) Apply(*flow, port->second, answer, now);
  } else if (flow == nullptr || flow->leaving) {
    // Only a packet brings back what is on its way out.
  } else if (flow->table() == Table::kL2Source) {
    // It stands as long as what it says is so. A packet brings it back.
    if (RefusesSender(flow->match(), answer)) {
      Leave(*flow);
    } else if (flow->dependencies().sender != answer.sender) {
      SetSender(*flow, answer.sender);  // its lane is a bridge's now, or was
    }
  } else if (flow->is_routed() == answer.bridged) {
    Leave(*flow);  // what was bridged is routed now, or the other way around
  } else if (refused_source) {
    // The source with which it was asked has become invalid. Others may not have: the next packet asks with its own.
    flow->answered = false;
    Explain(*flow, answer.reason);
    Unwant(*flow);
  } else if ((flow = answer.bridged ? ReshapeBridged(answer, now) : Reshape(answer, now)) != nullptr) {
    Apply(*flow, port->second, answer, now);
  }
  if ((flow = table_.Find(question.flow)) != nullptr) flow->moved = false;
  EndDoubt(question.flow);
  ledger_.Close(question.epoch);
  cause_ = ledger_.now();
  course_ = {};
}

Form Pipeline::FormOf(std::uint32_t port) const {
  const auto found = ports_.find(port);
  return found == ports_.end() ? Form::kChained : found->second.port.form;
}

Fields Pipeline::FieldsFor(const Answer& answer) const {
  const Miss& miss = answer.question.miss;
  const auto port = ports_.find(miss.port);
  if (port == ports_.end()) return answer.fields;
  const Form form = port->second.port.form;
  const Lane* lane = port->second.port.Find(miss.vlan);
  Fields fields = answer.fields;
  if (lane != nullptr) fields |= FieldsOfLane(form, *lane, miss.ethertype);
  if (answer.uniform) return fields;
  return fields | targets_.FieldsAt(RoutedKey(form, miss, 0)).value_or(0);
}

Match Pipeline::KeyFor(const Answer& answer) const {
  const Miss& miss = answer.question.miss;
  const Form form = FormOf(miss.port);
  if (!answer.bridged) return RoutedKey(form, miss, FieldsFor(answer));
  const auto port = ports_.find(miss.port);
  const Lane* lane = port == ports_.end() ? nullptr : port->second.port.Find(miss.vlan);
  return BridgedKey(form, lane != nullptr ? *lane : Lane{}, miss);
}

Flow* Pipeline::Reshape(const Answer& answer, TimePoint now) {
  const Form form = FormOf(answer.question.miss.port);
  const Fields fields = FieldsFor(answer);
  const Match match = RoutedKey(form, answer.question.miss, fields);
  if (const auto known = targets_.FieldsAt(match); known && *known != fields) {
    Target& target = targets_.Open(match);
    target.fields = fields;
    target.outdated.clear();
    for (const FlowId id : target.flows) {
      const Flow* flow = table_.Find(id);
      const bool fits =
          flow->match() == match || (flow->answered && RoutedKey(form, flow->packet, fields) == flow->match());
      if (!fits) target.outdated.insert(id);
    }
    const std::vector<FlowId> outdated(target.outdated.begin(), target.outdated.end());
    for (const FlowId id : outdated) Leave(*table_.Find(id));  // may be the end of `target`
  }
  if (!HasRoom(match)) {
    ++counters_.misses_table_full;
    return nullptr;
  }
  Flow& flow = Obtain(match, now);
  targets_.SetFields(match, fields);
  return &flow;
}

Flow* Pipeline::ReshapeBridged(const Answer& answer, TimePoint now) {
  const Match match = KeyFor(answer);
  if (HasRoom(match)) return &Obtain(match, now);
  ++counters_.misses_table_full;
  return nullptr;
}

void Pipeline::Apply(Flow& flow, const PortState& port, const Answer& answer, TimePoint now) {
  const Miss& miss = answer.question.miss;
  const bool first = !flow.wanted;
  flow.answered = true;
  flow.asked = now;
  flow.waiting = answer.verdict == Answer::Verdict::kWait;
  FlowTable::Keep(flow, miss);
  Dependencies dependencies = answer.dependencies;
  if (answer.sender && VouchesForSender(flow.table())) {
    dependencies.stations.push_back(*answer.sender);
    dependencies.sender = answer.sender;
  }
  table_.SetDependencies(flow, std::move(dependencies));

  if (answer.verdict != Answer::Verdict::kForward) {
    ++(flow.waiting ? counters_.answers_wait : counters_.answers_software);
    Explain(flow, answer.reason);
    Unwant(flow);
    return;
  }
  ++counters_.answers_forward;
  table_.FindSection(flow);
  if (const Reason why = WhyNot(flow, port, answer, now); !why.empty()) {
    Explain(flow, why);
    Unwant(flow);
    return;
  }
  Want(flow, ActionOf(answer), now);
  const Lane* lane = port.port.Find(miss.vlan);
  const bool lead = flow.wanted && lane != nullptr && (first || answer.question.fresh);
  const bool source_counts = lane != nullptr && lane->ChecksSource(miss.ethertype);
  const bool source_stands = !source_counts || answer.source == SourceVerdict::kValid;
  if (lead && source_stands && answer.sender_reason.empty()) EnsureWay(*lane, miss, answer.sender, now);
}

Action Pipeline::ActionOf(const Answer& answer) {
  const Adjacency& way = answer.adjacency;
  return answer.bridged ? Action{BridgeTo{way.egress, way.vlan}} : Action{RouteTo{way}};
}

Reason Pipeline::WhyNot(const Flow& flow, const PortState& state, const Answer& answer, TimePoint now) const {
  if (!state.port.offload) return {Why::kOffloadOff, "offload is switched off (dpuflowctl offload)"};
  // A guard that is still on its way keeps new entries out; it does not throw old ones out.
  if (state.guards_missing > 0 && (!flow.installed || !state.guard_refusal.empty())) {
    return {Why::kGuards, state.guard_refusal.empty() ? "the port's guards are being installed"
                                                      : fmt::format("a guard was refused: {}", state.guard_refusal)};
  }
  if (flow.mask.Has(Mask::kPortless))
    return {Why::kPortless, "a fragment, or without ports, and the path depends on ports"};
  if (RefusesSender(flow.match(), answer)) {
    return !answer.sender_reason.empty() ? answer.sender_reason
                                         : Reason{Why::kReversePath, "the kernel has not accepted the source"};
  }
  if (HasSections(flow.table()) && flow.section == 0)
    return {Why::kShapes, fmt::format("the {} table has no section left for keys of this shape",
                                      flow.table() == Table::kFlat ? "flat" : "L3")};
  if (!flow.wanted && now < flow.retry_after) return flow.reason();
  return {};
}

void Pipeline::EnsureWay(const Lane& lane, const Miss& miss, const std::optional<StationKey>& sender, TimePoint now) {
  // From the far end to the near one: a packet is not led to a table before that one's entry is on its way.
  for (const Rule& rule : WayTo(FormOf(miss.port), lane, miss)) {
    if (!HasRoom(rule.match)) {
      ++counters_.misses_table_full;
      continue;
    }
    Flow& flow = Obtain(rule.match, now);
    flow.answered = true;
    flow.active = now;
    FlowTable::Keep(flow, miss);
    if (sender && VouchesForSender(rule.match.table)) SetSender(flow, sender);
    if (!flow.wanted) Want(flow, rule.action, now);
  }
}

// All that an entry of L2 source depends on.
void Pipeline::SetSender(Flow& flow, const std::optional<StationKey>& sender) {
  Dependencies dependencies;
  if (sender) dependencies.stations = {*sender};
  dependencies.sender = sender;
  table_.SetDependencies(flow, std::move(dependencies));
}

// What says that the packet's sender is where it is: an entry on the way, or else the packet's own.
bool Pipeline::LeadsOn(const Lane& lane, const Miss& miss) const {
  const std::vector<Rule> way = WayTo(FormOf(miss.port), lane, miss);
  if (way.empty()) return true;
  const Flow* flow = table_.Find(way.back().match);
  return flow != nullptr && flow->wanted;
}

// ---- operations and outcomes ----------------------------------------------------------------------------------------

std::vector<Operation> Pipeline::TakeOperations(std::size_t most, TimePoint now) {
  std::vector<Operation> taken;
  // What stands is changed before anything is added: a withdrawn route must not wait behind a flood of new flows.
  for (auto* queue : {&changes_, &adds_}) {
    while (taken.size() < most && !queue->empty()) {
      if (auto operation = Issue(queue->Pop(), now)) taken.push_back(std::move(*operation));
    }
  }
  return taken;
}

std::optional<Operation> Pipeline::Issue(const Queued& queued, TimePoint now) {
  const FlowId id = queued.flow;
  Flow* flow = table_.Find(id);
  if (flow != nullptr) flow->queued = false;
  const bool idle = flow == nullptr || (flow->wanted == flow->installed && !flow->doubtful);
  if (idle || (flow->wanted && !flow->installed && MustWait(*flow))) {
    cause_ = queued.epoch;
    Settle(id);
    EndDoubt(id);
    ledger_.Close(queued.epoch);
    cause_ = ledger_.now();
    return std::nullopt;
  }
  const bool afresh = flow->afresh && flow->wanted && flow->installed;
  flow->afresh = flow->doubtful = false;
  Operation operation;
  operation.flow = id;
  operation.section = flow->section;
  operation.epoch = queued.epoch;
  operation.course = queued.course;
  operation.course.issued = now;
  operation.kind = !flow->wanted || afresh ? Operation::Kind::kRemove
                   : !flow->installed      ? Operation::Kind::kAdd
                                           : Operation::Kind::kReplace;
  operation.rule = flow->With(flow->wanted ? flow->wanted : flow->installed);
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
      if (outcome.kind == Operation::Kind::kAdd && outcome.error->code == EEXIST)
        flow->installed = actions_.Get(operation.rule.action);
      Refused(*flow, *outcome.error, now);
    } else if (removal) {
      ++counters_.removes;
      flow->installed.reset();
      OnRoom(flow->table(), now);
    } else {
      ++(outcome.kind == Operation::Kind::kAdd ? counters_.adds : counters_.replaces);
      flow->installed = actions_.Get(operation.rule.action);
      flow->programmed = now;
      flow->base_packets = flow->base_bytes = 0;  // a filter that replaces another counts from zero
      flow->refusals = 0;
    }
    if (flow->table() == Table::kGuard) OnGuard(flow->port());
    if (!outcome.error || !removal) Settle(outcome.flow);  // a removal that failed waits for OnTick
    EndDoubt(outcome.flow);
  }
  ledger_.Close(operation.epoch);
  cause_ = ledger_.now();
}

void Pipeline::Explain(Flow& flow, const Reason& reason) {
  if (flow.reason().why != reason.why) ++counters_.reasons[static_cast<std::size_t>(reason.why)];
  flow.kept = reason.empty() ? Interned<Reason>() : reasons_.Get(reason);
}

void Pipeline::Refused(Flow& flow, const Error& error, TimePoint now) {
  ++counters_.refusals[error.code];
  Explain(flow, {Why::kRefused, ToString(error)});
  constexpr std::uint8_t kMostDoublings = 16;
  const unsigned doublings = std::min(flow.refusals, kMostDoublings);
  flow.refusals = static_cast<std::uint8_t>(doublings + 1);
  flow.retry_after = now + std::min(limits_.retry_max, limits_.retry_min * (1u << doublings));
  if (error.code == ENOSPC) StandInLine(flow, now);
  // What is wanted could not be had. An older rule that still stands would be wrong: it goes, and software takes over.
  StopWanting(flow);
}

std::size_t Pipeline::InFlight(std::uint32_t port) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(in_flight_, [port](const auto& entry) { return entry.second.rule.match.port == port; }));
}

}  // namespace dpuflow::flow
