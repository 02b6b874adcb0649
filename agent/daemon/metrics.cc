// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <variant>

namespace dpuflow::metrics {
namespace {

using Reader = std::function<std::int64_t()>;

[[noreturn]] void Fault(std::string_view name, std::string_view what) {
  fmt::print(stderr, "dpuflowd: metric {}: {}\n", name, what);
  std::abort();
}

// Prometheus' data model; the colon is for its own rules, so it is not taken here.
bool IsName(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto more = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && letter(name.front()) && std::all_of(name.begin(), name.end(), more);
}

std::int64_t Clamp(std::uint64_t value) {
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(value, static_cast<std::uint64_t>(kMost)));
}

Labels With(Labels labels, std::string name, std::string value) {
  labels.emplace_back(std::move(name), std::move(value));
  return labels;
}

std::string EscapedLabel(std::string_view value) {
  std::string escaped;
  for (const char c : value) {
    if (c == '\n') {
      escaped += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

}  // namespace

struct Registry::Entry {
  Labels labels;
  std::variant<Counter, AtomicCounter, Gauge, Histogram, Reader> metric;

  template <typename Metric, typename... Arguments>
  Entry(std::in_place_type_t<Metric> type, Labels its_labels, Arguments&&... arguments)
      : labels(std::move(its_labels)), metric(type, std::forward<Arguments>(arguments)...) {}

  void Append(std::vector<Sample>& samples, const std::string& name, const Family& family) const;
};

struct Registry::Family {
  Kind kind = Kind::kCounter;
  std::string help;
  std::vector<std::unique_ptr<Entry>> entries;  // by pointer: references to metrics stay valid
};

std::string_view Name(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return "counter";
    case Kind::kGauge:
      return "gauge";
    case Kind::kHistogram:
      return "histogram";
  }
  return "untyped";
}

Histogram::Histogram(std::vector<std::uint64_t> bounds) : bounds_(std::move(bounds)), counts_(bounds_.size() + 1) {}

void Histogram::Observe(std::uint64_t value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  ++counts_[static_cast<std::size_t>(bucket)];
  sum_ += value;
}

std::vector<std::uint64_t> Histogram::Cumulative() const {
  std::vector<std::uint64_t> totals(counts_.size());
  std::partial_sum(counts_.begin(), counts_.end(), totals.begin());
  return totals;
}

std::string ToString(const Sample& sample) {
  std::string labels;
  for (const auto& [name, value] : sample.labels) {
    labels += fmt::format("{}{}=\"{}\"", labels.empty() ? "" : ",", name, EscapedLabel(value));
  }
  if (!labels.empty()) labels = "{" + labels + "}";
  return fmt::format("{}{} {}", sample.name, labels, sample.value);
}

void Registry::Entry::Append(std::vector<Sample>& samples, const std::string& name, const Family& family) const {
  const auto add = [&](std::string sample_name, Labels sample_labels, std::int64_t value) {
    samples.push_back({std::move(sample_name), std::move(sample_labels), value, family.help, family.kind});
  };
  if (const auto* histogram = std::get_if<Histogram>(&metric)) {
    const auto totals = histogram->Cumulative();
    for (std::size_t i = 0; i < totals.size(); ++i) {
      const bool last = i == histogram->bounds().size();
      add(name + "_bucket", With(labels, "le", last ? "+Inf" : std::to_string(histogram->bounds()[i])),
          Clamp(totals[i]));
    }
    add(name + "_sum", labels, Clamp(histogram->sum()));
    add(name + "_count", labels, Clamp(totals.back()));
  } else if (const auto* counter = std::get_if<Counter>(&metric)) {
    add(name, labels, Clamp(counter->value()));
  } else if (const auto* atomic_counter = std::get_if<AtomicCounter>(&metric)) {
    add(name, labels, Clamp(atomic_counter->value()));
  } else if (const auto* gauge = std::get_if<Gauge>(&metric)) {
    add(name, labels, gauge->value());
  } else {
    add(name, labels, std::get<Reader>(metric)());
  }
}

Registry::Registry() = default;
Registry::~Registry() = default;

template <typename Metric, typename... Arguments>
Metric& Registry::FindOrAdd(Kind kind, std::string_view name, std::string_view help, Labels labels,
                            Arguments&&... arguments) {
  if (!IsName(name)) Fault(name, "not a name");
  for (const auto& label : labels) {
    if (!IsName(label.first) || label.first == "le") Fault(name, "ill-named label " + label.first);
  }
  auto it = families_.find(name);
  if (it == families_.end()) {
    it = families_.try_emplace(std::string(name), Family{kind, std::string(help), {}}).first;
  }
  Family& family = it->second;
  if (family.kind != kind) Fault(name, "is already of another kind");
  for (const auto& entry : family.entries) {
    if (entry->labels != labels) continue;
    auto* metric = std::get_if<Metric>(&entry->metric);
    if (metric == nullptr) Fault(name, "is already kept in another way");
    return *metric;
  }
  family.entries.push_back(
      std::make_unique<Entry>(std::in_place_type<Metric>, std::move(labels), std::forward<Arguments>(arguments)...));
  return std::get<Metric>(family.entries.back()->metric);
}

Counter& Registry::AddCounter(std::string_view name, std::string_view help, Labels labels) {
  return FindOrAdd<Counter>(Kind::kCounter, name, help, std::move(labels));
}

AtomicCounter& Registry::AddAtomicCounter(std::string_view name, std::string_view help, Labels labels) {
  return FindOrAdd<AtomicCounter>(Kind::kCounter, name, help, std::move(labels));
}

Gauge& Registry::AddGauge(std::string_view name, std::string_view help, Labels labels) {
  return FindOrAdd<Gauge>(Kind::kGauge, name, help, std::move(labels));
}

Histogram& Registry::AddHistogram(std::string_view name, std::string_view help, std::vector<std::uint64_t> bounds,
                                  Labels labels) {
  return FindOrAdd<Histogram>(Kind::kHistogram, name, help, std::move(labels), std::move(bounds));
}

void Registry::AddObserved(Kind kind, std::string_view name, std::string_view help, Labels labels,
                           std::function<std::int64_t()> read) {
  if (kind == Kind::kHistogram) Fault(name, "a histogram cannot be read as one number");
  FindOrAdd<Reader>(kind, name, help, std::move(labels)) = std::move(read);
}

void Registry::Remove(std::string_view name, const Labels& labels) {
  const auto it = families_.find(name);
  if (it == families_.end()) return;
  std::erase_if(it->second.entries, [&](const auto& entry) { return entry->labels == labels; });
  if (it->second.entries.empty()) families_.erase(it);
}

std::vector<Sample> Registry::Collect() const {
  std::vector<Sample> samples;
  for (const auto& [name, family] : families_) {
    for (const auto& entry : family.entries) entry->Append(samples, name, family);
  }
  return samples;
}

}  // namespace dpuflow::metrics
