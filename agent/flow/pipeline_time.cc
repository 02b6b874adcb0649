// SPDX-License-Identifier: Apache-2.0
//
// What time brings: counters and aging, retries, and what the operator flushes.
#include <algorithm>

#include "agent/flow/aging.h"
#include "agent/flow/pipeline.h"

namespace dpuflow::flow {

std::size_t Pipeline::OnSweep(Sweep& sweep, std::size_t most) {
  if (!sweep.unjudged) sweep.unjudged = table_.OnPort(sweep.port);
  const std::size_t judged = std::min(most, sweep.unjudged->size());
  for (std::size_t i = 0; i < judged; ++i) {
    const FlowId id = sweep.unjudged->back();
    sweep.unjudged->pop_back();
    Flow* flow = table_.Find(id);
    // What was read may be of the filter before this one.
    if (flow == nullptr || !flow->installed || flow->in_flight || flow->queued || flow->programmed >= sweep.began)
      continue;
    const auto sample = std::ranges::lower_bound(sweep.samples, id, {}, &Sample::flow);
    const bool seen = sample != sweep.samples.end() && sample->flow == id;
    Judge(*flow, seen ? &*sample : nullptr, sweep.began);
  }
  return judged;
}

void Pipeline::Judge(Flow& flow, const Sample* sample, TimePoint now) {
  const bool guard = flow.match.table == Table::kGuard;
  const bool moved = sample != nullptr && ApplySample(flow, *sample, now);
  if (moved && flow.wanted && flow.dependencies.next_hop) used_neighs_.insert(*flow.dependencies.next_hop);
  if (moved && flow.wanted && flow.dependencies.sender) used_stations_.push_back({*flow.dependencies.sender, now});
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
  if (ticked_ == 0) MakeRoom(now);
  std::vector<FlowId> forgotten;
  std::vector<FlowId> unsettled;
  ticked_ = table_.GoThrough(ticked_, most, [&](const Flow& flow) {
    if (flow.in_flight || flow.queued || flow.held) return;
    if (flow.match.table == Table::kGuard) {
      if (!flow.leaving && !flow.wanted && now >= flow.retry_after) unsettled.push_back(flow.id);
    } else if (!flow.wanted && !flow.installed) {
      if (IsIdle(flow, now, limits_.idle_time)) forgotten.push_back(flow.id);
    }
    if (flow.installed && !flow.wanted && now >= flow.retry_after) unsettled.push_back(flow.id);
  });
  for (const FlowId id : forgotten) Forget(id);
  for (const FlowId id : unsettled) {
    Flow* flow = table_.Find(id);
    if (flow != nullptr && flow->match.table == Table::kGuard && !flow->leaving) {
      Want(*flow, Rule{flow->match, Trap{}}, now);
    } else {
      Settle(id);
    }
  }
  return ticked_ == 0;
}

std::size_t Pipeline::Flush(const std::function<bool(const Flow&)>& selected) {
  std::vector<FlowId> ids;
  for (const auto& [id, flow] : table_.all()) {
    if (flow.match.table != Table::kGuard && selected(flow)) ids.push_back(id);
  }
  for (const FlowId id : ids) {
    if (Flow* flow = table_.Find(id)) Leave(*flow);
  }
  return ids.size();
}

}  // namespace dpuflow::flow
