// SPDX-License-Identifier: Apache-2.0
#include "agent/stats.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace dpuflow {
namespace {

using metrics::Kind;
using metrics::Labels;
using metrics::Sample;

class Collector {
 public:
  explicit Collector(std::vector<Sample>& samples) : samples_(samples) {}
  void Add(Kind kind, const char* name, Labels labels, std::uint64_t value, const char* help) {
    samples_.push_back({name, std::move(labels), static_cast<std::int64_t>(value), help, kind});
  }
  void Count(const char* name, Labels labels, std::uint64_t value, const char* help) {
    Add(Kind::kCounter, name, std::move(labels), value, help);
  }
  void Gauge(const char* name, Labels labels, std::uint64_t value, const char* help) {
    Add(Kind::kGauge, name, std::move(labels), value, help);
  }

 private:
  std::vector<Sample>& samples_;
};

void CollectPipeline(const flow::Pipeline& pipeline, Collector& into) {
  const flow::PipelineCounters& counters = pipeline.counters();
  constexpr const char* kMisses = "dpuflow_misses_total";
  constexpr const char* kMissesHelp = "Flows that the classifier reported, by what became of the report.";
  const std::uint64_t ignored = counters.misses_unknown_port + counters.misses_not_for_router +
                                counters.misses_not_supported + counters.misses_table_full;
  into.Count(kMisses, {{"result", "taken"}}, counters.misses - ignored, kMissesHelp);
  into.Count(kMisses, {{"result", "unknown_port"}}, counters.misses_unknown_port, kMissesHelp);
  into.Count(kMisses, {{"result", "not_for_router"}}, counters.misses_not_for_router, kMissesHelp);
  into.Count(kMisses, {{"result", "not_supported"}}, counters.misses_not_supported, kMissesHelp);
  into.Count(kMisses, {{"result", "table_full"}}, counters.misses_table_full, kMissesHelp);
  into.Count("dpuflow_questions_total", {}, counters.questions, "Packets that the kernel was asked about.");
  into.Count("dpuflow_questions_dropped_total", {}, counters.questions_dropped,
             "Questions for which there was no room.");
  constexpr const char* kAnswers = "dpuflow_answers_total";
  constexpr const char* kAnswersHelp = "The kernel's answers.";
  into.Count(kAnswers, {{"verdict", "forward"}}, counters.answers_forward, kAnswersHelp);
  into.Count(kAnswers, {{"verdict", "wait"}}, counters.answers_wait, kAnswersHelp);
  into.Count(kAnswers, {{"verdict", "software"}}, counters.answers_software, kAnswersHelp);
  into.Count("dpuflow_sources_refused_total", {}, counters.sources_refused, "Sources that the kernel does not accept.");
  into.Count("dpuflow_flows_dirtied_total", {}, counters.dirtied, "Flows asked about again because something changed.");
  constexpr const char* kOperations = "dpuflow_operations_total";
  constexpr const char* kOperationsHelp = "Operations that the hardware acknowledged.";
  into.Count(kOperations, {{"kind", "add"}}, counters.adds, kOperationsHelp);
  into.Count(kOperations, {{"kind", "replace"}}, counters.replaces, kOperationsHelp);
  into.Count(kOperations, {{"kind", "remove"}}, counters.removes, kOperationsHelp);
  for (const auto& [code, count] : counters.refusals) {
    into.Count("dpuflow_hw_refused_total", {{"errno", ErrnoName(code)}}, count, "Operations that failed, by errno.");
  }
  for (std::size_t i = 1; i < flow::kWhys; ++i) {
    into.Count("dpuflow_flows_kept_total", {{"why", std::string(ToString(static_cast<flow::Why>(i)))}},
               counters.reasons[i], "Times that a flow was kept or taken out of hardware, by why.");
  }
  into.Count("dpuflow_flows_evicted_total", {}, counters.evicted, "Entries that made room for others in a full table.");
  into.Count("dpuflow_entries_adopted_total", {}, counters.adopted, "Entries of an earlier run that were taken over.");
  into.Count("dpuflow_flows_expired_total", {}, counters.expired, "Entries removed because their counter stood still.");
  into.Count("dpuflow_flows_vanished_total", {}, counters.vanished, "Entries that somebody else took out of hardware.");
  into.Gauge("dpuflow_operations_in_flight", {}, pipeline.in_flight(), "Operations under way.");
}

void CollectFlows(const FlowCounts& flows, Collector& into) {
  const FlowCounts::ByTable entries = flows.Entries();
  for (std::size_t i = 0; i < flow::kTables; ++i) {
    const std::string table(ToString(static_cast<flow::Table>(i)));
    into.Gauge("dpuflow_entries", {{"table", table}}, entries[i], "Entries in hardware.");
  }
  into.Gauge("dpuflow_flows", {}, flows.all, "Flows known, in hardware or not.");
}

void CollectClassifier(const Classifier& classifier, Collector& into) {
  const auto counters = classifier.ReadCounters();
  if (!counters) return;
  for (const ClassifierCounter& counter : counters->packets) {
    const Labels labels = {{"kind", std::string(ToString(KindOf(counter.verdict)))},
                           {"verdict", std::string(ToString(counter.verdict))},
                           {"protocol", std::string(ToString(counter.protocol))}};
    into.Count("dpuflow_classifier_packets_total", labels, counter.packets, "Packets that hardware did not match.");
    into.Count("dpuflow_classifier_bytes_total", labels, counter.bytes, "Their bytes, Ethernet header included.");
  }
  constexpr const char* kReports = "dpuflow_reports_total";
  constexpr const char* kReportsHelp = "Flows for the agent's attention, by what became of them in the classifier.";
  into.Count(kReports, {{"result", "sent"}}, counters->reports.sent, kReportsHelp);
  into.Count(kReports, {{"result", "suppressed"}}, counters->reports.suppressed, kReportsHelp);
  into.Count(kReports, {{"result", "ring_full"}}, counters->reports.ring_full, kReportsHelp);
}

void CollectQueues(const Agent& agent, Collector& into) {
  for (const QueueDepth& queue : agent.Queues()) {
    const Labels labels = {{"queue", queue.name}};
    into.Gauge("dpuflow_queue_depth", labels, queue.depth, "What waits in a queue.");
    into.Gauge("dpuflow_queue_peak", labels, queue.peak, "The most that has ever waited there.");
  }
}

void CollectSamples(const Agent& agent, Collector& into) {
  flow::Duration oldest{};
  const flow::TimePoint now = flow::Clock::now();
  for (const auto& [ifindex, slot] : agent.ports().slots()) {
    const auto sampled = agent.sweeps().SampledAt(ifindex);
    if (slot.state == PortSlot::State::kReady && sampled) oldest = std::max(oldest, now - *sampled);
  }
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(oldest).count();
  into.Gauge("dpuflow_counter_age_milliseconds", {}, static_cast<std::uint64_t>(age),
             "Since the counters were read by which flows were last judged, at the port where that is longest ago.");
}

}  // namespace

std::vector<Sample> CollectStats(const Agent& agent, const FlowCounts& flows) {
  std::vector<Sample> samples = agent.metrics().Collect();
  Collector into(samples);
  CollectPipeline(agent.pipeline(), into);
  CollectFlows(flows, into);
  CollectClassifier(agent.classifier(), into);
  CollectQueues(agent, into);
  CollectSamples(agent, into);
  return samples;
}

}  // namespace dpuflow
