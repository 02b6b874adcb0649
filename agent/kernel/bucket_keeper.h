// SPDX-License-Identifier: Apache-2.0
//
// Keeps buckets of resilient nexthop groups in use while hardware sends by them.
//
// A resilient group keeps flows on their paths when its members change: it moves a bucket to another member only when no
// lookup has come by it for the group's idle timer (nh_res_bucket_should_migrate in net/ipv4/nexthop.c). Hardware makes no
// lookups, so its flows would look idle and be moved, alive as they are. A lookup in their place says that they are in use:
// it goes by the same fields as the flow's key, so it comes by the same bucket. That costs some microseconds a flow, takes
// no lock, and is made while the flow's counters move, and only then: one for an idle flow would hold the bucket in place.
//
// A switch whose driver knows of buckets reports their activity instead (nexthop_res_grp_activity_update); those that are
// programmed by tc do not.
//
// Pure. Lives on the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "agent/flow/flow_table.h"
#include "agent/kernel/mirror.h"

namespace dpuflow::kernel {

class BucketKeeper {
 public:
  // Each group's turn comes four times in its idle timer, at the first call after it: then the flows that rest on it are due
  // whose counters moved, or which missed, in the last half of the timer. So a flow with pauses of up to about the idle timer
  // keeps its bucket, and one that has ended lets go of it after one and a half. To be called each second or more often; the
  // timer cannot be kept up with where it is under some four times that, or the time between two samples of the counters.
  // Does nothing while flows that were due have not been taken.
  void OnTick(const NexthopMirror& nexthops, const flow::FlowTable& flows, flow::TimePoint now);
  // Some of the flows that are due, at most so many. By now they may be gone.
  [[nodiscard]] std::vector<flow::FlowId> Take(std::size_t most);
  [[nodiscard]] bool empty() const { return due_.empty(); }

 private:
  std::map<std::uint32_t, flow::TimePoint> next_turns_;  // by the group's id
  std::deque<flow::FlowId> due_;
};

}  // namespace dpuflow::kernel
