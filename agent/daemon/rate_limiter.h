// SPDX-License-Identifier: Apache-2.0
//
// Lets at most `limit` events per key through in each interval and counts the rest. Pure: time comes in as an argument.
// Not thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace dpuflow {

class RateLimiter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  struct Decision {
    bool admitted = false;
    std::uint64_t suppressed = 0;  // admitted: how many of this key were refused since the last report

    bool operator==(const Decision&) const = default;
  };
  struct Report {
    std::string key;
    std::uint64_t suppressed = 0;

    bool operator==(const Report&) const = default;
  };

  // A key's interval begins with its first event and is not sliding. Memory is bounded by `max_keys`; keys beyond share
  // the budget of the key "" (keys whose interval is over and that have nothing to report make room first).
  RateLimiter(std::uint32_t limit, Duration interval, std::size_t max_keys = 256);

  Decision Admit(std::string_view key, TimePoint now);

  // Forgets the keys whose interval is over, and returns those of them that were suppressed, in the order of the keys.
  std::vector<Report> TakeExpired(TimePoint now);

 private:
  struct Window {
    TimePoint begin;
    std::uint32_t admitted = 0;
    std::uint64_t suppressed = 0;
  };
  Window& Find(std::string_view key, TimePoint now);

  const std::uint32_t limit_;
  const Duration interval_;
  const std::size_t max_keys_;
  std::map<std::string, Window, std::less<>> windows_;
};

}  // namespace dpuflow
