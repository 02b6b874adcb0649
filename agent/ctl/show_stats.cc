// SPDX-License-Identifier: Apache-2.0
//
// `stats`: every counter by itself, a histogram as one line, and how fast they move.
#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "agent/ctl/json_field.h"
#include "agent/ctl/show.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

// A counter or gauge, or all samples of one histogram.
struct Series {
  std::string title;  // name and labels
  std::string help;
  std::string kind;
  std::int64_t value = 0;                                       // of a histogram, how many observations
  std::int64_t sum = 0;                                         // of these
  std::vector<std::pair<std::string, std::int64_t>> buckets{};  // by upper bound; each holds those before it as well
};

// The name of a histogram's sample is the histogram's and one of these (agent/daemon/metrics.h).
enum class Part : std::uint8_t { kBucket, kSum, kCount };
constexpr std::array<std::pair<std::string_view, Part>, 3> kParts = {
    {{"_bucket", Part::kBucket}, {"_sum", Part::kSum}, {"_count", Part::kCount}}};

std::string LabelsOf(const Json& sample) {
  std::string text;
  if (!Field(sample, "labels").is_object()) return text;
  for (const auto& [label, unused] : Field(sample, "labels").items()) {
    if (label != "le") text += " " + label + "=" + Text(Field(sample, "labels"), label.c_str());
  }
  return text;
}

// Samples of one histogram follow each other.
std::vector<Series> SeriesOf(const Json& samples) {
  std::vector<Series> all;
  for (const Json& sample : samples) {
    std::string name = Text(sample, "name");
    const std::string kind = Text(sample, "kind");
    const std::int64_t value = Number(sample, "value");
    const auto part = std::ranges::find_if(kParts, [&](const auto& each) { return name.ends_with(each.first); });
    const bool histogram = kind == "histogram" && part != kParts.end();
    if (histogram) name.resize(name.size() - part->first.size());
    const std::string title = name + LabelsOf(sample);
    if (!histogram || all.empty() || all.back().title != title) {
      all.push_back({title, Text(sample, "help", ""), kind, histogram ? 0 : value});
    }
    if (!histogram) continue;
    Series& series = all.back();
    if (part->second == Part::kBucket) series.buckets.emplace_back(Text(Field(sample, "labels"), "le"), value);
    if (part->second == Part::kSum) series.sum = value;
    if (part->second == Part::kCount) series.value = value;
  }
  return all;
}

Series Since(Series now, const Series& before) {
  now.value -= before.value;
  now.sum -= before.sum;
  for (std::size_t i = 0; i < std::min(now.buckets.size(), before.buckets.size()); ++i) {
    now.buckets[i].second -= before.buckets[i].second;
  }
  return now;
}

// "p50 <= 200, p90 <= 500, p99 > 5000, mean 174": by the buckets' bounds.
std::string Spread(const Series& histogram) {
  if (histogram.buckets.empty() || histogram.value <= 0) return {};
  std::string text;
  for (const std::int64_t percent : {50, 90, 99}) {
    const auto holds = [&](const auto& bucket) { return bucket.second * 100 >= percent * histogram.value; };
    const auto bucket = std::ranges::find_if(histogram.buckets, holds);
    if (bucket == histogram.buckets.end()) continue;
    const bool beyond = bucket->first == "+Inf" && bucket != histogram.buckets.begin();
    const std::string bound = beyond ? " > " + std::prev(bucket)->first : " <= " + bucket->first;
    text += fmt::format("p{}{}, ", percent, bound);
  }
  return fmt::format("{}mean {}", text, histogram.sum / histogram.value);
}

std::string Titled(const Series& series) {
  const std::string spread = Spread(series);
  return spread.empty() ? series.title : series.title + ": " + spread;
}

std::string Below(const Series& series, const Style& style) {
  return style.details && !series.help.empty() ? Paragraph(4, {"# " + series.help}) : "";
}

}  // namespace

std::string ShowStats(const Json& counters, const Style& style) {
  Table table({{"VALUE", true}, {"COUNTER", false}}, style.colors);
  for (const Series& series : SeriesOf(counters)) {
    if (!style.details && series.value == 0) continue;
    table.Add({{std::to_string(series.value), Color::kNone}, {Titled(series), Color::kNone}}, Below(series, style));
  }
  return table.Finish();
}

std::string ShowRates(const Json& before, const Json& after, std::chrono::duration<double> apart, const Style& style) {
  std::map<std::string, Series> earlier;
  for (Series& series : SeriesOf(before)) earlier.emplace(series.title, std::move(series));
  Table table({{"PER SECOND", true}, {"VALUE", true}, {"COUNTER", false}}, style.colors);
  for (const Series& series : SeriesOf(after)) {
    const bool gauge = series.kind == "gauge";
    const Series moved = gauge ? series : Since(series, earlier[series.title]);
    if (!style.details && moved.value == 0) continue;
    const std::string rate = gauge ? "" : fmt::format("{:.1f}", static_cast<double>(moved.value) / apart.count());
    table.Add({{rate, Color::kNone}, {std::to_string(series.value), Color::kNone}, {Titled(moved), Color::kNone}},
              Below(series, style));
  }
  return table.Finish();
}

Json WithRates(const Json& before, Json after, std::chrono::duration<double> apart) {
  const auto key = [](const Json& sample) { return Text(sample, "name") + api::Dump(Field(sample, "labels")); };
  std::map<std::string, std::int64_t> earlier;
  for (const Json& sample : before) earlier[key(sample)] = Number(sample, "value");
  for (Json& sample : after) {
    if (Text(sample, "kind") == "gauge") continue;
    sample["per_second"] = static_cast<double>(Number(sample, "value") - earlier[key(sample)]) / apart.count();
  }
  return after;
}

}  // namespace dpuflow::ctl
