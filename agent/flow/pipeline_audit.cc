// SPDX-License-Identifier: Apache-2.0
//
// What an audit needs to know of flows, and does to them. It looks at entries that stand still: whatever is under way is
// being put right already.
#include "agent/flow/form.h"
#include "agent/flow/pipeline.h"

namespace dpuflow::flow {
namespace {

constexpr std::chrono::seconds kSurpriseAgain{
    60};                                     // of one flow: what writing again does not mend is not mended by more
constexpr std::size_t kMaxSurprises = 1024;  // waiting to be taken

}  // namespace

bool Pipeline::IsStanding(const Flow& flow) {
  return flow.installed && flow.wanted == flow.installed && !flow.in_flight && !flow.queued && flow.held == 0 &&
         !flow.dirty && !flow.doubtful && !flow.leaving;
}

const Flow* Pipeline::FindStanding(FlowId id) const {
  const Flow* flow = table_.Find(id);
  return flow != nullptr && IsStanding(*flow) ? flow : nullptr;
}

std::optional<Question> Pipeline::AuditQuestion(FlowId id) const {
  const Flow* flow = FindStanding(id);
  if (flow == nullptr) return std::nullopt;
  const bool bridged = !flow->dependencies().stations.empty();
  const bool asked =
      flow->is_routed() || bridged || (flow->table() == Table::kL2Source && flow->mask.Has(kFieldSource));
  if (!asked) return std::nullopt;
  return Question{id, flow->packet, false, ledger_.now()};
}

bool Pipeline::Disagrees(const Answer& answer) const {
  const Flow* flow = FindStanding(answer.question.flow);
  if (flow == nullptr || flow->packet != answer.question.miss) return false;
  if (RefusesSender(flow->match(), answer)) return true;
  if (flow->table() == Table::kL2Source) return false;
  if (answer.verdict != Answer::Verdict::kForward || answer.source == SourceVerdict::kInvalid) return true;
  return KeyFor(answer) != flow->match() || *flow->installed != ActionOf(answer);
}

bool Pipeline::Rewrite(FlowId id, bool afresh, TimePoint began) {
  Flow* flow = table_.Find(id);
  if (flow == nullptr || !IsStanding(*flow) || flow->touched >= began) return false;
  flow->doubtful = true;
  flow->afresh = afresh;
  Settle(id);
  return true;
}

bool Pipeline::Evict(FlowId id, TimePoint began) {
  Flow* flow = table_.Find(id);
  const bool idle = flow != nullptr && !flow->installed && !flow->in_flight && !flow->queued && flow->touched < began;
  if (!idle) return false;
  flow->installed = actions_.Get(Trap{});  // whatever it is
  flow->afresh = flow->wanted.has_value();
  Settle(id);
  return true;
}

void Pipeline::AskAgain(FlowId id) {
  if (Flow* flow = table_.Find(id)) MarkDirtyToAsk(*flow);
}

void Pipeline::NoteSurprise(Flow& flow, const Lane& lane, const Miss& miss, TimePoint seen) {
  const auto stands = [&](const Flow* entry) {
    return entry != nullptr && IsStanding(*entry) && seen - entry->touched > limits_.surprise;
  };
  if (!stands(&flow) || seen - flow.surprised < kSurpriseAgain || surprises_.size() >= kMaxSurprises) return;
  Surprise surprise{flow.id, {flow.id}, seen};
  for (const Rule& rule : WayTo(FormOf(miss.port), lane, miss)) {
    const Flow* entry = table_.Find(rule.match);
    if (!stands(entry)) return;
    surprise.entries.push_back(entry->id);
  }
  // Whether a guard is lost, too, no packet will tell.
  for (const FlowId id : table_.OnPort(miss.port)) {
    if (table_.Find(id)->table() == Table::kGuard) surprise.entries.push_back(id);
  }
  flow.surprised = seen;
  surprises_.push_back(std::move(surprise));
}

void Pipeline::NoteAudited(FlowId id) {
  if (Flow* flow = table_.Find(id)) flow->unaudited = false;
}

}  // namespace dpuflow::flow
