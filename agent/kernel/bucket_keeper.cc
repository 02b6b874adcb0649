// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/bucket_keeper.h"

#include <algorithm>

namespace dpuflow::kernel {
namespace {

constexpr int kTurnsPerTimer = 4;
constexpr int kRecentPartOfTimer = 2;  // a half

}  // namespace

void BucketKeeper::OnTick(const NexthopMirror& nexthops, const flow::FlowTable& flows, flow::TimePoint now) {
  if (!due_.empty()) return;
  std::map<std::uint32_t, flow::TimePoint> next_turns;  // without groups that are gone
  for (const netlink::NexthopObject& group : nexthops.Resilient()) {
    const auto known = next_turns_.find(group.id);
    const flow::TimePoint soon = now + group.idle_timer / kTurnsPerTimer;
    if (known != next_turns_.end() && now < known->second) {
      next_turns.emplace(group.id, std::min(known->second, soon));  // the timer may have become shorter
      continue;
    }
    next_turns.emplace(group.id, soon);
    for (const flow::FlowId id : flows.Affected(flow::NexthopChanged{group.id})) {
      const flow::Flow* flow = flows.Find(id);
      const bool routes = flow->is_routed() && flow->installed;
      if (routes && now - flow->active < group.idle_timer / kRecentPartOfTimer) due_.push_back(id);
    }
  }
  next_turns_ = std::move(next_turns);
}

std::vector<flow::FlowId> BucketKeeper::Take(std::size_t most) {
  const auto end = due_.begin() + static_cast<std::ptrdiff_t>(std::min(most, due_.size()));
  std::vector<flow::FlowId> taken(due_.begin(), end);
  due_.erase(due_.begin(), end);
  return taken;
}

}  // namespace dpuflow::kernel
