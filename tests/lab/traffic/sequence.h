// SPDX-License-Identifier: Apache-2.0
//
// Which numbered packets arrived, how often and in what order.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "tests/lab/traffic/payload.h"

namespace labtraffic {

class SequenceTracker {
 public:
  // A data packet, or the end marker, that arrived at this time.
  void Arrived(const Payload& payload, std::uint64_t now_ns);

  std::uint64_t unique() const { return unique_; }
  bool ended() const { return end_.has_value(); }
  // Whether every packet that the end marker speaks of has arrived.
  bool complete() const { return end_ && unique_ >= end_->count; }

  // received (each packet once), duplicated, lost, gaps (at most kGapsShown ranges of missing numbers), reordered: how
  // many came after a higher number of their flow; last_reordered: the latest *sent* of those; latency. Without an end
  // marker, what is lost after the highest number that arrived cannot be known, and `ended` is false.
  nlohmann::json Report() const;

 private:
  static constexpr std::size_t kGapsShown = 1000;

  struct Reordered {
    std::uint64_t sequence;
    std::uint64_t sent_ns;
    std::uint64_t received_ns;
  };

  std::uint64_t first() const;
  std::uint64_t past_last() const;

  std::vector<std::uint8_t> seen_;  // indexed by number; saturates at 2
  std::map<std::uint32_t, std::uint64_t> highest_of_flow_;
  std::optional<Payload> end_;
  std::optional<Reordered> last_reordered_;
  std::uint64_t unique_ = 0;
  std::uint64_t duplicated_ = 0;
  std::uint64_t reordered_ = 0;
  std::uint64_t lowest_ = UINT64_MAX;
  std::uint64_t first_sent_ns_ = UINT64_MAX;
  std::uint64_t first_received_ns_ = 0;
  std::uint64_t last_received_ns_ = 0;
  std::uint64_t latency_min_ns_ = UINT64_MAX;
  std::uint64_t latency_max_ns_ = 0;
  std::uint64_t latency_sum_ns_ = 0;
};

}  // namespace labtraffic
