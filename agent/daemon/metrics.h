// SPDX-License-Identifier: Apache-2.0
//
// Named numbers: every drop, refusal and overflow has one, with a reason. Names and labels are as Prometheus has them
// (dpuflow_misses_total{reason="ring-full"}), so that the gateway passes them on without a table of its own.
//
//   metrics::Counter& full = registry.AddCounter("dpuflow_misses_lost_total", "Misses lost.",
//   {{"reason", "ring"}}); full.Add();
//
// Registry and metrics belong to the loop's thread. AtomicCounter alone may be added to from any thread. A metric lives
// as long as its registry, at a fixed address. Asking for the same name and labels again gives the same metric; asking
// for it as another kind, or for an ill-formed name, is a fault of the program and aborts.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dpuflow::metrics {

enum class Kind : std::uint8_t { kCounter, kGauge, kHistogram };
std::string_view Name(Kind kind);  // "counter", as in Prometheus' TYPE lines

class Counter {
 public:
  void Add(std::uint64_t n = 1) { value_ += n; }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

class AtomicCounter {
 public:
  void Add(std::uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void Set(std::int64_t value) { value_ = value; }
  void Add(std::int64_t n) { value_ += n; }
  [[nodiscard]] std::int64_t value() const { return value_; }

 private:
  std::int64_t value_ = 0;
};

// Counts observations in buckets by upper bound. Integers: the unit is in the name (dpuflow_program_microseconds).
class Histogram {
 public:
  explicit Histogram(std::vector<std::uint64_t> bounds);  // ascending, inclusive; +Inf is implied

  void Observe(std::uint64_t value);
  [[nodiscard]] const std::vector<std::uint64_t>& bounds() const { return bounds_; }
  // Observations at or under bounds()[i], for each i; then all of them.
  [[nodiscard]] std::vector<std::uint64_t> Cumulative() const;
  [[nodiscard]] std::uint64_t sum() const { return sum_; }

 private:
  std::vector<std::uint64_t> bounds_;
  std::vector<std::uint64_t> counts_;  // one more than bounds_
  std::uint64_t sum_ = 0;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

// One number, as the API's GetStats shows it. A histogram gives several, as in Prometheus: NAME_bucket with a label
// "le", NAME_sum and NAME_count. Values above 2^63 - 1 are shown as that (Varlink's integers are signed).
struct Sample {
  std::string name;
  Labels labels;
  std::int64_t value = 0;
  std::string help;
  Kind kind = Kind::kCounter;

  bool operator==(const Sample&) const = default;
};

// dpuflow_misses_total{port="pf0vf0",reason="ring"} 3
std::string ToString(const Sample& sample);

class Registry {
 public:
  Registry();
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  Counter& AddCounter(std::string_view name, std::string_view help, Labels labels = {});
  AtomicCounter& AddAtomicCounter(std::string_view name, std::string_view help, Labels labels = {});
  Gauge& AddGauge(std::string_view name, std::string_view help, Labels labels = {});
  Histogram& AddHistogram(std::string_view name, std::string_view help, std::vector<std::uint64_t> bounds,
                          Labels labels = {});

  // A number that is kept elsewhere (a queue's length, a map in the kernel) and read when samples are collected. The
  // callback runs on the loop's thread and must stay valid as long as the registry, or until Remove.
  void AddObserved(Kind kind, std::string_view name, std::string_view help, Labels labels,
                   std::function<std::int64_t()> read);

  // Forgets a metric (a port that is gone). References to it end here.
  void Remove(std::string_view name, const Labels& labels);

  // Everything, by name, then in the order in which it was added. Costs one allocation per string: for people and
  // scrapers, not for the hot path.
  [[nodiscard]] std::vector<Sample> Collect() const;

 private:
  struct Entry;
  struct Family;
  // The metric of that name and those labels, made from `arguments` if it is not there.
  template <typename Metric, typename... Arguments>
  Metric& FindOrAdd(Kind kind, std::string_view name, std::string_view help, Labels labels, Arguments&&... arguments);

  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace dpuflow::metrics
