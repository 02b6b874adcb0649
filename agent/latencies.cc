// SPDX-License-Identifier: Apache-2.0
#include "agent/latencies.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace dpuflow {
namespace {

const std::vector<std::uint64_t> kBounds = {50,     100,    200,     500,     1000,    2000,      5000,      10'000,
                                            20'000, 50'000, 100'000, 200'000, 500'000, 1'000'000, 2'000'000, 5'000'000};

metrics::Histogram& Stage(metrics::Registry& registry, const char* stage) {
  return registry.AddHistogram("dpuflow_flow_microseconds",
                               "From a new flow's first packet to the acknowledgement of its entry, by stage.", kBounds,
                               {{"stage", stage}});
}

void Observe(metrics::Histogram& histogram, flow::TimePoint from, flow::TimePoint to) {
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(to - from).count();
  histogram.Observe(static_cast<std::uint64_t>(std::max<std::int64_t>(0, took)));
}

}  // namespace

Latencies::Latencies(metrics::Registry& registry)
    : operation_(registry.AddHistogram("dpuflow_operation_microseconds",
                                       "From an operation's issue to its acknowledgement.", kBounds)),
      report_(Stage(registry, "report")),
      resolve_(Stage(registry, "resolve")),
      queue_(Stage(registry, "queue")),
      program_(Stage(registry, "program")),
      acknowledge_(Stage(registry, "acknowledge")),
      total_(Stage(registry, "total")) {}

void Latencies::OnOutcome(const flow::Outcome& outcome, flow::TimePoint told) {
  const flow::Course& course = outcome.course;
  Observe(operation_, course.issued, told);
  const bool new_flow = course.missed != flow::TimePoint{} && outcome.kind == flow::Operation::Kind::kAdd;
  if (!new_flow || outcome.error) return;
  Observe(report_, course.missed, course.read);
  Observe(resolve_, course.read, course.issued);
  Observe(queue_, course.issued, course.begun);
  Observe(program_, course.begun, course.granted);
  Observe(acknowledge_, course.granted, told);
  Observe(total_, course.missed, told);
}

}  // namespace dpuflow
