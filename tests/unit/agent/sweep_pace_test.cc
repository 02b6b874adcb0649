// SPDX-License-Identifier: Apache-2.0
#include "agent/sweep_pace.h"

#include <gtest/gtest.h>

namespace dpuflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const SweepPace::TimePoint kStart = SweepPace::TimePoint{} + std::chrono::hours(1);

TEST(SweepPace, ReadsEachPeriodWhereThatCostsLittle) {
  SweepPace pace(seconds(1), seconds(5));
  EXPECT_TRUE(pace.IsDue(kStart));
  pace.Spent(milliseconds(5));
  EXPECT_TRUE(pace.IsDue(kStart + milliseconds(1003)));
  EXPECT_TRUE(pace.IsDue(kStart + milliseconds(2000)));  // on time, after one that was late
}

TEST(SweepPace, TakesAHundredthOfAProcessor) {
  SweepPace pace(seconds(1), seconds(5));
  EXPECT_TRUE(pace.IsDue(kStart));
  pace.Spent(milliseconds(12));  // of one port
  pace.Spent(milliseconds(8));   // of another
  EXPECT_FALSE(pace.IsDue(kStart + seconds(1)));
  EXPECT_TRUE(pace.IsDue(kStart + seconds(2)));
  EXPECT_TRUE(pace.IsDue(kStart + seconds(3)));  // nothing has been spent since
}

TEST(SweepPace, ButReadsOftenEnough) {
  SweepPace pace(seconds(1), seconds(5));
  EXPECT_TRUE(pace.IsDue(kStart));
  pace.Spent(seconds(3));
  EXPECT_FALSE(pace.IsDue(kStart + seconds(4)));
  EXPECT_TRUE(pace.IsDue(kStart + seconds(5)));
}

TEST(SweepPace, NeverMoreOftenThanThePeriodSays) {
  SweepPace pace(seconds(10), seconds(5));
  EXPECT_TRUE(pace.IsDue(kStart));
  EXPECT_TRUE(pace.IsDue(kStart + seconds(10)));
}

}  // namespace
}  // namespace dpuflow
