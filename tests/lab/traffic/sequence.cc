// SPDX-License-Identifier: Apache-2.0
#include "tests/lab/traffic/sequence.h"

#include <algorithm>
#include <stdexcept>

namespace labtraffic {
namespace {

// Numbers index a table, so a stream's are bounded.
constexpr std::uint64_t kMaxSequence = 100'000'000;

double Milliseconds(std::uint64_t ns) { return static_cast<double>(ns / 1000) / 1000.0; }

}  // namespace

void SequenceTracker::Arrived(const Payload& payload, std::uint64_t now_ns) {
  if (payload.kind == Payload::Kind::kEnd) {
    end_ = payload;
    return;
  }
  if (payload.sequence >= kMaxSequence) {
    throw std::out_of_range("a packet's number is above the limit of a stream");
  }
  if (seen_.size() <= payload.sequence) {
    seen_.resize(std::max<std::size_t>(payload.sequence + 1, seen_.size() * 2));
  }
  if (unique_ == 0) {
    first_received_ns_ = now_ns;
  }
  last_received_ns_ = now_ns;
  lowest_ = std::min(lowest_, payload.sequence);
  first_sent_ns_ = std::min(first_sent_ns_, payload.sent_ns);
  if (seen_[payload.sequence] != 0) {
    ++duplicated_;
    return;
  }
  seen_[payload.sequence] = 1;
  ++unique_;

  const auto [highest, is_first] = highest_of_flow_.try_emplace(payload.flow, payload.sequence);
  if (!is_first && payload.sequence < highest->second) {
    ++reordered_;
    if (!last_reordered_ || payload.sent_ns > last_reordered_->sent_ns) {
      last_reordered_ = {payload.sequence, payload.sent_ns, now_ns};
    }
  }
  highest->second = std::max(highest->second, payload.sequence);

  const std::uint64_t latency = now_ns - std::min(now_ns, payload.sent_ns);
  latency_min_ns_ = std::min(latency_min_ns_, latency);
  latency_max_ns_ = std::max(latency_max_ns_, latency);
  latency_sum_ns_ += latency;
}

std::uint64_t SequenceTracker::first() const { return end_ ? end_->sequence : lowest_; }

std::uint64_t SequenceTracker::past_last() const {
  if (end_) {
    return end_->sequence + end_->count;
  }
  std::uint64_t past = 0;
  for (const auto& [flow, highest] : highest_of_flow_) {
    past = std::max(past, highest + 1);
  }
  return past;
}

nlohmann::json SequenceTracker::Report() const {
  nlohmann::json gaps = nlohmann::json::array();
  std::uint64_t lost = 0;
  std::uint64_t gap_begin = 0;
  bool in_gap = false;
  const std::uint64_t begin = std::min(first(), past_last());
  for (std::uint64_t number = begin; number <= past_last(); ++number) {
    const bool missing = number < past_last() && (number >= seen_.size() || seen_[number] == 0);
    lost += missing ? 1 : 0;
    if (missing && !in_gap) {
      gap_begin = number;
    }
    if (!missing && in_gap && gaps.size() < kGapsShown) {
      gaps.push_back({gap_begin, number - 1});
    }
    in_gap = missing;
  }

  nlohmann::json report = {
      {"received", unique_},
      {"duplicated", duplicated_},
      {"lost", lost},
      {"gaps", gaps},
      {"reordered", reordered_},
      {"ended", ended()},
      {"flows", highest_of_flow_.size()},
      {"last_reordered", nullptr},
      {"latency_us", nullptr},
      {"duration_ms", Milliseconds(last_received_ns_ - first_received_ns_)},
  };
  if (last_reordered_) {
    report["last_reordered"] = {
        {"sequence", last_reordered_->sequence},
        {"sent_ms", Milliseconds(last_reordered_->sent_ns - first_sent_ns_)},
        {"received_ms", Milliseconds(last_reordered_->received_ns - first_sent_ns_)},
    };
  }
  if (unique_ != 0) {
    report["latency_us"] = {
        {"min", latency_min_ns_ / 1000},
        {"mean", latency_sum_ns_ / unique_ / 1000},
        {"max", latency_max_ns_ / 1000},
    };
  }
  return report;
}

}  // namespace labtraffic
