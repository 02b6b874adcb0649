// SPDX-License-Identifier: Apache-2.0
//
// How long a new flow takes from its first packet into hardware, as histograms, by stage:
//
//   missed --report--> read --resolve--> issued --queue--> begun --program--> granted --acknowledge--> told
#pragma once

#include "agent/daemon/metrics.h"
#include "agent/flow/events.h"

namespace dpuflow {

class Latencies {
 public:
  explicit Latencies(metrics::Registry& registry);

  // The loop has been told what became of an operation.
  void OnOutcome(const flow::Outcome& outcome, flow::TimePoint told);

 private:
  metrics::Histogram& operation_;  // of any kind, from issue to acknowledgement
  metrics::Histogram& report_;
  metrics::Histogram& resolve_;
  metrics::Histogram& queue_;
  metrics::Histogram& program_;
  metrics::Histogram& acknowledge_;
  metrics::Histogram& total_;
};

}  // namespace dpuflow
