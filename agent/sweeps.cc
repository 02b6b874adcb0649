// SPDX-License-Identifier: Apache-2.0
#include "agent/sweeps.h"

#include <chrono>
#include <utility>

namespace dpuflow {

Sweeps::Sweeps(SweepPace pace, flow::Pipeline& pipeline, metrics::Registry& registry)
    : pace_(pace),
      pipeline_(pipeline),
      read_(registry.AddCounter("dpuflow_sweeps_total", "Times that a port's counters were read.")),
      failures_(registry.AddCounter("dpuflow_sweep_failures_total", "Sweeps that failed.")),
      took_(registry.AddHistogram("dpuflow_sweep_microseconds", "What reading a port's counters took.",
                                  {200, 500, 1000, 2000, 5000, 10'000, 20'000, 50'000, 100'000, 200'000, 500'000,
                                   1'000'000, 2'000'000, 5'000'000})) {}

void Sweeps::OnSwept(offload::Swept swept) {
  read_.Add();
  took_.Observe(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(swept.took).count()));
  pace_.Spent(swept.cpu);
  unjudged_.push_back(std::move(swept.sweep));
}

void Sweeps::JudgeSome(std::size_t most) {
  while (most > 0 && !unjudged_.empty()) {
    flow::Sweep& sweep = unjudged_.front();
    const std::size_t judged = pipeline_.OnSweep(sweep, most);
    if (judged < most) {
      sampled_[sweep.port] = sweep.began;
      unjudged_.pop_front();
    }
    most -= judged;
  }
}

std::optional<Sweeps::TimePoint> Sweeps::SampledAt(std::uint32_t port) const {
  const auto found = sampled_.find(port);
  return found == sampled_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace dpuflow
