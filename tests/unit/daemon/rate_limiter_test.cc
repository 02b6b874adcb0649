// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/rate_limiter.h"

#include <gtest/gtest.h>

namespace dpuflow {
namespace {

using std::chrono::seconds;
using Decision = RateLimiter::Decision;
using Report = RateLimiter::Report;

constexpr Decision kRefused = {.admitted = false, .suppressed = 0};
constexpr Decision Admitted(std::uint64_t suppressed = 0) { return {.admitted = true, .suppressed = suppressed}; }

RateLimiter::TimePoint At(int second) { return RateLimiter::TimePoint(seconds(1000 + second)); }

TEST(RateLimiter, AdmitsTheFirstOfAnIntervalAndCountsTheRest) {
  RateLimiter limiter(2, seconds(10));
  EXPECT_EQ(limiter.Admit("a", At(0)), Admitted());
  EXPECT_EQ(limiter.Admit("a", At(1)), Admitted());
  EXPECT_EQ(limiter.Admit("a", At(2)), kRefused);
  EXPECT_EQ(limiter.Admit("a", At(9)), kRefused);
  EXPECT_EQ(limiter.Admit("a", At(10)), Admitted(2));
  EXPECT_EQ(limiter.Admit("a", At(11)), Admitted());
}

TEST(RateLimiter, KeysDoNotSpendEachOthersBudget) {
  RateLimiter limiter(1, seconds(10));
  EXPECT_EQ(limiter.Admit("a", At(0)), Admitted());
  EXPECT_EQ(limiter.Admit("b", At(0)), Admitted());
  EXPECT_EQ(limiter.Admit("a", At(1)), kRefused);
}

TEST(RateLimiter, ReportsAKeyThatHasGoneQuiet) {
  RateLimiter limiter(1, seconds(10));
  limiter.Admit("quiet", At(0));
  limiter.Admit("quiet", At(1));
  limiter.Admit("calm", At(0));
  EXPECT_TRUE(limiter.TakeExpired(At(9)).empty());
  EXPECT_EQ(limiter.TakeExpired(At(10)), (std::vector<Report>{{"quiet", 1}}));
  EXPECT_TRUE(limiter.TakeExpired(At(20)).empty()) << "reported once";
}

TEST(RateLimiter, KeysBeyondTheBoundShareOneBudget) {
  RateLimiter limiter(1, seconds(10), 2);
  EXPECT_EQ(limiter.Admit("a", At(0)), Admitted());
  EXPECT_EQ(limiter.Admit("b", At(0)), Admitted());
  EXPECT_EQ(limiter.Admit("c", At(0)), Admitted()) << "the shared budget";
  EXPECT_EQ(limiter.Admit("d", At(0)), kRefused);
  EXPECT_EQ(limiter.TakeExpired(At(10)), (std::vector<Report>{{"", 1}}));
}

TEST(RateLimiter, KeysThatAreOverMakeRoom) {
  RateLimiter limiter(1, seconds(10), 1);
  EXPECT_EQ(limiter.Admit("a", At(0)), Admitted());
  EXPECT_EQ(limiter.Admit("b", At(10)), Admitted());
  EXPECT_EQ(limiter.Admit("b", At(11)), kRefused);
  EXPECT_EQ(limiter.TakeExpired(At(20)), (std::vector<Report>{{"b", 1}})) << "b has a budget of its own";
}

}  // namespace
}  // namespace dpuflow
