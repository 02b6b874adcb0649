// SPDX-License-Identifier: Apache-2.0
//
// What time brings: counters and aging, retries, and what the operator flushes.
#include <utility>

#include "agent/flow/aging.h"
#include "agent/flow/pipeline.h"

namespace dpuflow::flow {

std::size_t Pipeline::OnSweep(Sweep& sweep, std::size_t most) {
  std::size_t judged = 0;
  for (; judged < most && sweep.looked_at < sweep.samples.size(); ++judged) {
    const Sample& sample = sweep.samples[sweep.looked_at++];
    Flow* flow = table_.Find(sample.flow);
    if (flow == nullptr || !IsToBeJudged(*flow, sweep)) continue;
    ++sweep.found;
    Judge(*flow, &sample, sweep.began);
  }
  if (judged == most) return judged;
  // Mostly there is a sample of each flow, and no need to look for others.
  if (!sweep.unseen) {
    const bool all = sweep.found == table_.CountOnPort(sweep.port);
    sweep.unseen = all ? std::vector<FlowId>() : table_.OnPort(sweep.port);
  }
  for (; judged < most && !sweep.unseen->empty(); ++judged) {
    Flow* flow = table_.Find(sweep.unseen->back());
    sweep.unseen->pop_back();
    if (flow != nullptr && IsToBeJudged(*flow, sweep)) Judge(*flow, nullptr, sweep.began);
  }
  return judged;
}

// Not yet, and what was read is not of the filter before this one.
bool Pipeline::IsToBeJudged(const Flow& flow, const Sweep& sweep) {
  return flow.port() == sweep.port && Contains(sweep.kinds, flow.group->kind) && flow.sampled != sweep.began &&
         flow.installed && !flow.in_flight && !flow.queued && flow.programmed < sweep.began;
}

void Pipeline::Judge(Flow& flow, const Sample* sample, TimePoint now) {
  const bool guard = flow.table() == Table::kGuard;
  const bool moved = sample != nullptr && ApplySample(flow, *sample, now);
  if (moved && flow.wanted && flow.dependencies().next_hop) used_neighs_.insert(*flow.dependencies().next_hop);
  if (moved && flow.wanted && flow.dependencies().sender) used_stations_.push_back({*flow.dependencies().sender, now});
  if (sample == nullptr || (guard && !sample->in_hw)) {
    // Gone, or passed over because the dump shifted under the sweep. Writing it again is right in both cases.
    ++counters_.vanished;
    flow.doubtful = true;
    Settle(flow.id);
  } else if (!sample->in_hw) {
    ++counters_.vanished;
    Leave(flow);  // a filter that is not in hardware: out with it; the next packet brings it back
  } else if (!guard && IsIdle(flow, now, limits_.idle_time)) {
    ++counters_.expired;
    Leave(flow);
  }
}

bool Pipeline::OnTick(TimePoint now, std::size_t most) {
  if (ticking_.empty()) {
    MakeRoom(now);
    ticking_.swap(unwanted_);
  }
  for (; most > 0 && !ticking_.empty(); --most) {
    const FlowId id = ticking_.back();
    ticking_.pop_back();
    Flow* flow = table_.Find(id);
    if (flow != nullptr && !flow->wanted) Tick(*flow, now);
    if (flow = table_.Find(id); flow == nullptr) continue;
    flow->listed = !flow->wanted;
    if (flow->listed) unwanted_.push_back(id);
  }
  return ticking_.empty();
}

void Pipeline::Tick(Flow& flow, TimePoint now) {
  if (flow.in_flight || flow.queued || flow.held != 0) return;
  const bool guard = flow.table() == Table::kGuard;
  if (guard && !flow.leaving) {
    if (now >= flow.retry_after) Want(flow, Trap{}, now);
  } else if (flow.installed) {
    if (now >= flow.retry_after) Settle(flow.id);
  } else if (!guard && IsIdle(flow, now, limits_.idle_time)) {
    Forget(flow.id);
  }
}

std::size_t Pipeline::Flush(const std::function<bool(const Flow&)>& selected) {
  std::vector<FlowId> ids;
  for (const auto& [id, flow] : table_.all()) {
    if (flow.table() != Table::kGuard && selected(flow)) ids.push_back(id);
  }
  for (const FlowId id : ids) {
    if (Flow* flow = table_.Find(id)) Leave(*flow);
  }
  return ids.size();
}

}  // namespace dpuflow::flow
