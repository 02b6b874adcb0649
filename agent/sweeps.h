// SPDX-License-Identifier: Apache-2.0
//
// The readings of the counters: when ports are swept, and how the flows are judged by what was read, in slices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "agent/daemon/metrics.h"
#include "agent/flow/pipeline.h"
#include "agent/offload/backend.h"
#include "agent/sweep_pace.h"

namespace dpuflow {

class Sweeps {
 public:
  using TimePoint = flow::TimePoint;

  Sweeps(SweepPace pace, flow::Pipeline& pipeline, metrics::Registry& registry);

  // Asked each period of the pace: whether all ports are to be swept now. Not while flows are still being judged.
  [[nodiscard]] bool IsDue(TimePoint now) { return unjudged_.empty() && pace_.IsDue(now); }
  void OnSwept(offload::Swept swept);
  void OnFailure() { failures_.Add(); }

  // Judges at most so many flows.
  void JudgeSome(std::size_t most);
  [[nodiscard]] bool judging() const { return !unjudged_.empty(); }

  // When the counters were read by which the port's flows were last judged.
  [[nodiscard]] std::optional<TimePoint> SampledAt(std::uint32_t port) const;
  void Forget(std::uint32_t port) { sampled_.erase(port); }

 private:
  SweepPace pace_;
  flow::Pipeline& pipeline_;
  std::deque<flow::Sweep> unjudged_;
  std::map<std::uint32_t, TimePoint> sampled_;  // by port
  metrics::Counter& read_;
  metrics::Counter& failures_;
  metrics::Histogram& took_;
};

}  // namespace dpuflow
