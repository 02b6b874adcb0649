// SPDX-License-Identifier: Apache-2.0
//
// When counters are read again: each period, but less often where reading takes long, because somebody's processors are spent
// on it, and rtnl. Pure.
#pragma once

#include <algorithm>
#include <chrono>

#include "agent/flow/events.h"

namespace dpuflow {

class SweepPace {
 public:
  using Duration = flow::Duration;
  using TimePoint = flow::TimePoint;

  // At least `period` apart, and at most `longest` (if that is more).
  SweepPace(Duration period, Duration longest) : period_(period), longest_(std::max(period, longest)) {}

  // Asked each period, by a timer that may be late. True: counters are to be read now; what that takes counts anew.
  [[nodiscard]] bool IsDue(TimePoint now) {
    if (now - began_ + period_ / 2 < std::clamp<Duration>(kShare * spent_, period_, longest_)) return false;
    began_ = now;
    spent_ = {};
    return true;
  }
  // Processor time that the readings since have taken.
  void Spent(Duration cpu) { spent_ += cpu; }

 private:
  static constexpr int kShare = 100;  // of a processor's time, one of so many parts

  Duration period_;
  Duration longest_;
  TimePoint began_{};
  Duration spent_{};
};

}  // namespace dpuflow
