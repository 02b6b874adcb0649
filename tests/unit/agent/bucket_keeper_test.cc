// SPDX-License-Identifier: Apache-2.0
//
// For which flows a lookup keeps a bucket in use, and when.
#include <gtest/gtest.h>

#include <chrono>

#include "agent/kernel/bucket_keeper.h"
#include "tests/unit/agent/world.h"

namespace dpuflow::kernel {
namespace {

using flow::Table;
using flow::World;
using std::chrono::seconds;

constexpr std::uint32_t kGroup = 20;

class Buckets : public testing::Test {
 protected:
  Buckets() {
    SetTimer(seconds(40));
    Route(World::kServer);
    world_.Send(World::kServer);
  }
  void SetTimer(std::chrono::milliseconds timer) {
    nexthops_.Apply({{.id = kGroup, .group = {11, 12}, .resilient = true, .idle_timer = timer}, false});
  }
  void Route(const IpAddress& destination) {
    world_.Route(destination);
    world_.routes[destination].dependencies.nexthop_ids = {kGroup, 11, 12};
  }
  // How many times a flow was due in that many seconds, while its counters move or stand still.
  std::size_t TurnsIn(int time, bool moving) {
    std::size_t turns = 0;
    for (int i = 0; i < time; ++i) {
      if (moving) world_.Hit(Table::kL3);
      world_.now += seconds(1);
      world_.Sweep();
      keeper_.OnTick(nexthops_, world_.pipeline.flows(), world_.now);
      turns += keeper_.Take(100).size();
    }
    return turns;
  }

  World world_{flow::Limits{.idle_time = std::chrono::hours(1)}};
  NexthopMirror nexthops_;
  BucketKeeper keeper_;
};

TEST_F(Buckets, AFlowIsDueFourTimesInItsIdleTimer) { EXPECT_EQ(TurnsIn(200, true), 20u); }

TEST_F(Buckets, AFlowThatStandsStillIsDueForHalfTheTimerAtMost) {
  (void)TurnsIn(40, true);
  EXPECT_LE(TurnsIn(19, false), 2u);
  EXPECT_EQ(TurnsIn(200, false), 0u);
  EXPECT_GE(TurnsIn(20, true), 1u) << "it sends again";
}

TEST_F(Buckets, AShorterTimerCountsAtOnce) {
  SetTimer(seconds(1000));
  (void)TurnsIn(1, true);
  SetTimer(seconds(8));
  EXPECT_GE(TurnsIn(10, true), 4u);
}

TEST_F(Buckets, FlowsOfOtherRoutesAreNeverDue) {
  const IpAddress other = IpAddress::V4(192, 0, 2, 77);
  world_.Route(other);
  world_.Send(other);
  (void)TurnsIn(1, true);
  EXPECT_EQ(TurnsIn(40, true), 4u);
}

TEST_F(Buckets, OfAnotherTypeOfGroupNoneIsDue) {
  nexthops_.Apply({{.id = kGroup, .group = {11, 12}}, false});
  EXPECT_EQ(TurnsIn(40, true), 0u);
}

TEST_F(Buckets, AFlowInSoftwareIsNotDue) {
  world_.Unroute(World::kServer);
  world_.Change(flow::EverythingChanged{});
  EXPECT_EQ(TurnsIn(40, true), 0u);
}

TEST_F(Buckets, WhatWasNotTakenIsNotDueTwice) {
  world_.Hit(Table::kL3);
  for (int i = 0; i < 100; ++i) {
    world_.now += seconds(1);
    world_.Hit(Table::kL3);
    world_.Sweep();
    keeper_.OnTick(nexthops_, world_.pipeline.flows(), world_.now);
  }
  EXPECT_FALSE(keeper_.empty());
  EXPECT_EQ(keeper_.Take(100).size(), 1u);
  EXPECT_TRUE(keeper_.empty());
}

}  // namespace
}  // namespace dpuflow::kernel
