// SPDX-License-Identifier: Apache-2.0
//
// Hardware with too few places: who makes room for whom.
#include <gtest/gtest.h>

#include "agent/flow/pipeline.h"
#include "tests/unit/agent/world.h"

namespace dpuflow::flow {
namespace {

using namespace std::chrono_literals;

IpAddress Server(std::uint8_t last) { return IpAddress::V4(192, 0, 2, last); }

class RoomTest : public testing::Test {
 protected:
  // The table has room for `places` destinations; they are taken, and have stood for a while.
  void Fill(std::uint8_t places) {
    world_.capacity = places;
    for (std::uint8_t last = 1; last <= places; ++last) Want(last);
    for (int second = 0; second < 12; ++second) {
      world_.Hit(Table::kL3);
      world_.Pass(1s);
    }
    ASSERT_EQ(world_.Entries(Table::kL3), places);
  }
  void Want(std::uint8_t last) {
    world_.Route(Server(last));
    world_.Send(Server(last));
  }
  // Packets of these pass in hardware, one a second each.
  void Use(std::initializer_list<std::uint8_t> used) {
    for (auto& [id, entry] : world_.hardware) {
      for (const std::uint8_t last : used) {
        entry.packets += entry.rule.match.destination == IpPrefix::Host(Server(last)) ? 1u : 0u;
      }
    }
  }
  bool InHardware(std::uint8_t last) const { return world_.Entry(Server(last)) != nullptr; }
  const Flow& FlowTo(std::uint8_t last) const {
    for (const auto& [id, flow] : world_.pipeline.flows().all()) {
      if (flow.match().destination == IpPrefix::Host(Server(last))) return flow;
    }
    throw std::logic_error("no such flow");
  }
  std::uint64_t Evicted() const { return world_.pipeline.counters().evicted; }

  World world_;
};

TEST_F(RoomTest, TheOneThatStoodStillTheLongestMakesRoom) {
  Fill(3);
  for (int second = 0; second < 4; ++second) {
    Use({1, 3});
    world_.Pass(1s);
  }
  Want(4);
  EXPECT_FALSE(InHardware(4));
  EXPECT_EQ(FlowTo(4).reason().why, Why::kRefused);
  world_.Pass(1s);
  EXPECT_FALSE(InHardware(2));
  EXPECT_EQ(FlowTo(2).reason().why, Why::kNoRoom);
  Want(4);  // its next packet
  EXPECT_TRUE(InHardware(4));
  EXPECT_EQ(Evicted(), 1u);
}

TEST_F(RoomTest, WhoHasMadeRoomStaysOutForAWhile) {
  Fill(1);
  world_.Pass(4s);
  Want(2);
  world_.Pass(1s);
  Want(2);
  ASSERT_TRUE(InHardware(2));
  for (int second = 0; second < 9; ++second) {
    Use({2});
    Want(1);
    world_.Pass(1s);
    EXPECT_TRUE(InHardware(2)) << second;
  }
  EXPECT_EQ(Evicted(), 1u);
}

TEST_F(RoomTest, ManyThatComeOncePushOutNothingInUse) {
  Fill(2);
  for (std::uint8_t last = 10; last < 40; ++last) {
    Use({1, 2});
    Want(last);
    world_.Pass(1s);
  }
  EXPECT_TRUE(InHardware(1));
  EXPECT_TRUE(InHardware(2));
  EXPECT_EQ(Evicted(), 0u);
}

TEST_F(RoomTest, OneThatGoesOnSendingGetsThePlaceOfTheLeastUsed) {
  Fill(2);
  for (int second = 0; second < 12 && !InHardware(9); ++second) {
    Use({1, 2});
    Use({1});
    Want(9);
    world_.Pass(1s);
  }
  EXPECT_TRUE(InHardware(9));
  EXPECT_TRUE(InHardware(1));
  EXPECT_FALSE(InHardware(2));
}

TEST_F(RoomTest, TheLimitOfTheConfigurationIsMadeRoomUnderAsWell) {
  Limits limits;
  limits.max_entries = 10;  // two of L2, eight destinations
  World world(limits);
  const auto want = [&](std::uint8_t last) {
    world.Route(Server(last));
    world.Send(Server(last));
  };
  for (std::uint8_t last = 1; last <= 8; ++last) want(last);
  for (int second = 0; second < 12; ++second) {
    world.Hit(Table::kL2Source);
    world.Hit(Table::kL2Destination);
    world.Pass(1s);
  }
  want(9);
  EXPECT_EQ(world.Entry(Server(9)), nullptr);
  world.Pass(6s);
  want(9);
  EXPECT_NE(world.Entry(Server(9)), nullptr);
  EXPECT_EQ(world.pipeline.counters().evicted, 1u);
}

}  // namespace
}  // namespace dpuflow::flow
