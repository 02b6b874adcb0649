// SPDX-License-Identifier: Apache-2.0
//
// Which neighbours the pipeline says are in use.
#include <gtest/gtest.h>

#include "tests/unit/agent/world.h"

namespace dpuflow::flow {
namespace {

using Neighs = std::set<NeighKey>;

class KeepAlive : public testing::Test {
 protected:
  KeepAlive() {
    world_.Route(World::kServer);
    world_.Send(World::kServer);
  }
  // What a sweep shows, after that many packets to a destination.
  Neighs UsedAfter(std::uint64_t packets, const IpAddress& destination = World::kServer) {
    for (auto& [id, entry] : world_.hardware) {
      if (entry.rule.match.destination == IpPrefix::Host(destination)) entry.packets += packets;
    }
    world_.now += std::chrono::seconds(1);
    world_.Sweep();
    return world_.pipeline.TakeUsedNeighs();
  }

  World world_;
};

TEST_F(KeepAlive, ANeighbourIsInUseWhileItsCountersMove) {
  EXPECT_EQ(UsedAfter(0), Neighs{}) << "programmed, and no packet yet";
  EXPECT_EQ(UsedAfter(1), Neighs{World::kRouter});
  EXPECT_EQ(UsedAfter(0), Neighs{});
  EXPECT_EQ(UsedAfter(5), Neighs{World::kRouter});
}

TEST_F(KeepAlive, ItIsSaidOnce) {
  (void)UsedAfter(1);
  EXPECT_EQ(world_.pipeline.TakeUsedNeighs(), Neighs{});
}

TEST_F(KeepAlive, FlowsToTheSameNeighbourSayItTogether) {
  const IpAddress other = IpAddress::V4(192, 0, 2, 77);
  world_.Route(other);
  world_.Send(other);
  world_.Hit(Table::kL3);
  EXPECT_EQ(UsedAfter(0), Neighs{World::kRouter});
}

TEST_F(KeepAlive, WhatHardwareRefusesAndTheClassifierForwardsIsInUseAsWell) {
  const IpAddress other = IpAddress::V4(192, 0, 2, 77);
  world_.Route(other);
  world_.refusal = Error{ENOSPC, "add", ""};
  world_.Send(other);
  (void)world_.pipeline.TakeUsedNeighs();
  EXPECT_EQ(UsedAfter(0, other), Neighs{}) << "no packet came up";
  world_.pipeline.OnMiss(world_.MissTo(other), {world_.now, false}, world_.now);
  EXPECT_EQ(world_.pipeline.TakeUsedNeighs(), Neighs{}) << "what goes to the stack is the stack's to use";
  world_.pipeline.OnMiss(world_.MissTo(other), {world_.now, true}, world_.now);
  EXPECT_EQ(world_.pipeline.TakeUsedNeighs(), Neighs{World::kRouter});
}

TEST_F(KeepAlive, TheTablesOfLayer2UseNoNeighbour) {
  world_.Hit(Table::kL2Source);
  world_.Hit(Table::kL2Destination);
  EXPECT_EQ(UsedAfter(0), Neighs{});
}

TEST_F(KeepAlive, OfSeveralPathsOnlyTheOneTakenIsInUse) {
  const NeighKey second{World::kUplink, IpAddress::V4(10, 1, 0, 2)};
  const IpAddress other = IpAddress::V4(192, 0, 2, 77);
  world_.Route(other);
  world_.routes[other].dependencies.neighs = {World::kRouter, second};
  world_.routes[other].dependencies.next_hop = second;
  world_.Send(other);
  EXPECT_EQ(UsedAfter(1, other), Neighs{second});
}

TEST_F(KeepAlive, ANewNextHopIsInUseFromItsOwnFirstPacketOn) {
  const NeighKey second{World::kUplink, IpAddress::V4(10, 1, 0, 2)};
  world_.Route(World::kServer, MacAddress{{0x0b, 0, 0, 0, 0, 0x02}});
  world_.routes[World::kServer].dependencies.next_hop = second;
  world_.Change(EverythingChanged{});
  EXPECT_EQ(UsedAfter(0), Neighs{});
  EXPECT_EQ(UsedAfter(1), Neighs{second});
}

TEST_F(KeepAlive, AnEntryThatIsOnItsWayOutSaysNothing) {
  world_.removal_refusal = Error{EBUSY, "remove", ""};
  world_.Unroute(World::kServer);
  world_.Change(RouteChanged{IpPrefix::Host(World::kServer)});
  ASSERT_NE(world_.Entry(World::kServer), nullptr);
  EXPECT_EQ(UsedAfter(1), Neighs{});
}

}  // namespace
}  // namespace dpuflow::flow
