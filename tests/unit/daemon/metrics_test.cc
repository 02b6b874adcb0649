// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/metrics.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

namespace dpuflow::metrics {
namespace {

std::vector<std::string> Lines(const Registry& registry) {
  std::vector<std::string> lines;
  for (const Sample& sample : registry.Collect()) lines.push_back(ToString(sample));
  return lines;
}

TEST(Metrics, AreShownByNameThenInTheOrderOfTheirCreation) {
  Registry registry;
  registry.AddGauge("dpuflow_flows", "Flows known.").Set(-2);
  registry.AddCounter("dpuflow_drops_total", "Drops.", {{"reason", "ring"}}).Add(3);
  registry.AddCounter("dpuflow_drops_total", "Drops.", {{"reason", "age"}}).Add();
  EXPECT_EQ(Lines(registry), (std::vector<std::string>{"dpuflow_drops_total{reason=\"ring\"} 3",
                                                       "dpuflow_drops_total{reason=\"age\"} 1", "dpuflow_flows -2"}));
}

TEST(Metrics, SamplesCarryHelpAndKind) {
  Registry registry;
  registry.AddCounter("dpuflow_misses_total", "Misses.", {{"port", "pf0vf0"}}).Add(7);
  EXPECT_EQ(registry.Collect(),
            (std::vector<Sample>{{"dpuflow_misses_total", {{"port", "pf0vf0"}}, 7, "Misses.", Kind::kCounter}}));
  EXPECT_EQ(Name(Kind::kCounter), "counter");
}

TEST(Metrics, AskingAgainGivesTheSameOneAtTheSameAddress) {
  Registry registry;
  Counter& first = registry.AddCounter("dpuflow_a_total", "A.", {{"port", "1"}});
  for (int i = 2; i < 100; ++i) registry.AddCounter("dpuflow_a_total", "A.", {{"port", std::to_string(i)}});
  first.Add();
  EXPECT_EQ(&registry.AddCounter("dpuflow_a_total", "A.", {{"port", "1"}}), &first);
  EXPECT_EQ(first.value(), 1u);
}

TEST(Metrics, HistogramBucketsIncludeTheirBoundAndAddUp) {
  Registry registry;
  Histogram& histogram = registry.AddHistogram("dpuflow_program_microseconds", "Latency.", {10, 100}, {{"op", "add"}});
  for (const std::uint64_t value : {0u, 10u, 11u, 100u, 101u}) histogram.Observe(value);
  EXPECT_EQ(Lines(registry), (std::vector<std::string>{"dpuflow_program_microseconds_bucket{op=\"add\",le=\"10\"} 2",
                                                       "dpuflow_program_microseconds_bucket{op=\"add\",le=\"100\"} 4",
                                                       "dpuflow_program_microseconds_bucket{op=\"add\",le=\"+Inf\"} 5",
                                                       "dpuflow_program_microseconds_sum{op=\"add\"} 222",
                                                       "dpuflow_program_microseconds_count{op=\"add\"} 5"}));
}

TEST(Metrics, ObservedOnesAreReadWhenCollected) {
  Registry registry;
  std::int64_t length = 1;
  registry.AddObserved(Kind::kGauge, "dpuflow_queue_length", "Length.", {}, [&] { return length; });
  length = 5;
  EXPECT_EQ(Lines(registry), (std::vector<std::string>{"dpuflow_queue_length 5"}));
}

TEST(Metrics, AnAtomicCounterTakesFromManyThreads) {
  Registry registry;
  AtomicCounter& counter = registry.AddAtomicCounter("dpuflow_a_total", "A.");
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) counter.Add();
      });
    }
    EXPECT_EQ(registry.Collect().size(), 1u) << "may be read meanwhile";
  }
  EXPECT_EQ(Lines(registry), (std::vector<std::string>{"dpuflow_a_total 4000"}));
}

TEST(Metrics, RemovedOnesAreForgotten) {
  Registry registry;
  registry.AddCounter("dpuflow_a_total", "A.", {{"port", "1"}});
  registry.AddCounter("dpuflow_a_total", "A.", {{"port", "2"}});
  registry.Remove("dpuflow_a_total", {{"port", "1"}});
  registry.Remove("dpuflow_b_total", {});
  EXPECT_EQ(Lines(registry), (std::vector<std::string>{"dpuflow_a_total{port=\"2\"} 0"}));
  registry.Remove("dpuflow_a_total", {{"port", "2"}});
  registry.AddGauge("dpuflow_a_total", "May be another kind now.");
}

TEST(Metrics, LabelValuesAreEscapedAsPrometheusHasThem) {
  EXPECT_EQ(ToString(Sample{"a", {{"text", "x\"y\\z\n"}}, 1, "", Kind::kGauge}), "a{text=\"x\\\"y\\\\z\\n\"} 1");
}

TEST(Metrics, ValuesBeyondSignedAreShownAsTheLargest) {
  Registry registry;
  registry.AddCounter("dpuflow_a_total", "A.").Add(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(registry.Collect().front().value, std::numeric_limits<std::int64_t>::max());
}

TEST(MetricsDeathTest, FaultsOfTheProgramAbort) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Registry registry;
  registry.AddCounter("dpuflow_a_total", "A.");
  EXPECT_DEATH(registry.AddGauge("dpuflow_a_total", "A."), "dpuflow_a_total: is already of another kind");
  EXPECT_DEATH(registry.AddAtomicCounter("dpuflow_a_total", "A."), "already kept in another way");
  EXPECT_DEATH(registry.AddCounter("dpuflow-a", "A."), "not a name");
  EXPECT_DEATH(registry.AddCounter("dpuflow_b", "B.", {{"le", "1"}}), "ill-named label le");
}

}  // namespace
}  // namespace dpuflow::metrics
