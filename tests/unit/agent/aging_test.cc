// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/aging.h"

#include <gtest/gtest.h>

namespace dpuflow::flow {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart = TimePoint{} + 1h;

Flow Offloaded() {
  static Pool<Action> actions;
  Flow flow;
  flow.installed = actions.Get(Trap{});
  flow.created = flow.active = flow.programmed = kStart;
  return flow;
}

TEST(Aging, ACounterThatMovedIsASignOfLifeAtTheTimeOfTheSample) {
  Flow flow = Offloaded();
  EXPECT_TRUE(ApplySample(flow, {1, 10, 1000, true}, kStart + 5s));
  EXPECT_EQ(flow.active, kStart + 5s);
  EXPECT_FALSE(ApplySample(flow, {1, 10, 1000, true}, kStart + 6s));
  EXPECT_EQ(flow.active, kStart + 5s);
  EXPECT_FALSE(IsIdle(flow, kStart + 14s, 10s));
  EXPECT_TRUE(IsIdle(flow, kStart + 15s - kEarly, 10s)) << "the next poll may come much later";
}

TEST(Aging, TheTimeCountsFromProgrammingWhenNothingWasCounted) {
  Flow flow = Offloaded();
  flow.programmed = kStart + 3s;
  EXPECT_FALSE(IsIdle(flow, kStart + 12s, 10s));
  EXPECT_TRUE(IsIdle(flow, kStart + 13s, 10s));
}

TEST(Aging, TotalsGoOnWhenAReplacedFilterCountsFromZero) {
  Flow flow = Offloaded();
  ApplySample(flow, {1, 100, 5000, true}, kStart + 1s);
  ApplySample(flow, {1, 7, 350, true}, kStart + 2s);
  EXPECT_EQ(flow.packets, 107u);
  EXPECT_EQ(flow.bytes, 5350u);
  EXPECT_EQ(flow.active, kStart + 2s);
}

TEST(Aging, CountersAreWiderThan32Bits) {
  Flow flow = Offloaded();
  ApplySample(flow, {1, 1, 0xffff'fff0, true}, kStart + 1s);
  ApplySample(flow, {1, 2, 0x1'0000'0010, true}, kStart + 2s);
  EXPECT_EQ(flow.bytes, 0x1'0000'0010u);
}

TEST(Aging, RatesAreBetweenTheLastTwoSamples) {
  Flow flow = Offloaded();
  ApplySample(flow, {1, 100, 10000, true}, kStart + 1s);
  ApplySample(flow, {1, 300, 30000, true}, kStart + 3s);
  EXPECT_DOUBLE_EQ(flow.packets_per_second, 100);
  EXPECT_DOUBLE_EQ(flow.bytes_per_second, 10000);
}

}  // namespace
}  // namespace dpuflow::flow
