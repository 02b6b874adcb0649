// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/rate_limiter.h"

#include <utility>

namespace dpuflow {

RateLimiter::RateLimiter(std::uint32_t limit, Duration interval, std::size_t max_keys)
    : limit_(limit), interval_(interval), max_keys_(max_keys) {}

RateLimiter::Decision RateLimiter::Admit(std::string_view key, TimePoint now) {
  Window& window = Find(key, now);
  if (now - window.begin >= interval_) {
    window.begin = now;
    window.admitted = 0;
  }
  if (window.admitted >= limit_) {
    ++window.suppressed;
    return {};
  }
  ++window.admitted;
  return {.admitted = true, .suppressed = std::exchange(window.suppressed, 0)};
}

std::vector<RateLimiter::Report> RateLimiter::TakeExpired(TimePoint now) {
  std::vector<Report> reports;
  for (auto it = windows_.begin(); it != windows_.end();) {
    const Window& window = it->second;
    if (now - window.begin < interval_) {
      ++it;
      continue;
    }
    if (window.suppressed > 0) reports.push_back({it->first, window.suppressed});
    it = windows_.erase(it);
  }
  return reports;
}

RateLimiter::Window& RateLimiter::Find(std::string_view key, TimePoint now) {
  if (const auto it = windows_.find(key); it != windows_.end()) return it->second;
  if (windows_.size() >= max_keys_) {
    std::erase_if(windows_, [&](const auto& entry) {
      return entry.second.suppressed == 0 && now - entry.second.begin >= interval_;
    });
  }
  const bool room = windows_.size() < max_keys_;
  return windows_.try_emplace(room ? std::string(key) : std::string(), Window{.begin = now}).first->second;
}

}  // namespace dpuflow
