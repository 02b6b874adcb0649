// SPDX-License-Identifier: Apache-2.0
//
// Flows of a port that is in a bridge: frames to the gateway are routed, others bridged.
#include <gtest/gtest.h>

#include "tests/unit/agent/world.h"

namespace dpuflow::flow {
namespace {

class BridgedFlows : public testing::Test {
 protected:
  BridgedFlows() {
    world.stations = {World::kPodMac};
    world.bridged_to[kOtherMac] = World::kOtherPod;
    SetPort();
  }
  void SetPort(const std::function<void(Port&)>& change = [](Port&) {}) {
    world.SetPort(World::kPod, World::kPodRouterMac, [&](Port& port) {
      port.lanes[0].bridged = true;
      change(port);
    });
    world.Run();
  }
  void SendTo(const MacAddress& mac, const MacAddress& from = World::kPodMac) {
    Miss miss = world.MissTo(World::kServer);
    miss.destination_mac = mac;
    miss.source_mac = from;
    world.pipeline.OnMiss(miss, world.now);
    world.Run();
  }
  // What the entry for frames to this MAC does; null: there is none.
  const Action* EntryFor(const MacAddress& mac) const {
    for (const auto& [id, entry] : world.hardware) {
      if (entry.rule.match.table == Table::kL2Destination && entry.rule.match.destination_mac == mac)
        return &entry.rule.action;
    }
    return nullptr;
  }
  void Learned(const MacAddress& mac) { world.Change(StationChanged{{World::kBridge, 0, mac}}); }

  inline static const MacAddress kOtherMac{{0x0a, 0, 0, 0, 0, 0x08}};
  inline static const MacAddress kStranger{{0x0a, 0, 0, 0, 0, 0x99}};
  World world;
};

TEST_F(BridgedFlows, AFrameToAnotherStationHasTwoEntries) {
  SendTo(kOtherMac);
  ASSERT_NE(EntryFor(kOtherMac), nullptr);
  EXPECT_EQ(*EntryFor(kOtherMac), Action{(BridgeTo{World::kOtherPod, kUntagged})});
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u);
  EXPECT_EQ(world.Entries(Table::kL3), 0u);
}

TEST_F(BridgedFlows, OfIpv6WhereTheMachineDoesNotForwardItAFrameIsBridgedAllTheSame) {
  const auto send = [&](const MacAddress& mac) {
    Miss miss = world.MissTo(IpAddress::V6({0x20, 0x01, 0x0d, 0xb8}));
    miss.source = IpAddress::V6({0x20, 0x01, 0x0d, 0xb8, 1});
    miss.ethertype = kEthertypeIpv6;
    miss.destination_mac = mac;
    world.pipeline.OnMiss(miss, world.now);
    world.Run();
  };
  world.Route(IpAddress::V6({0x20, 0x01, 0x0d, 0xb8}));
  send(World::kPodRouterMac);
  EXPECT_EQ(EntryFor(World::kPodRouterMac), nullptr);
  send(kOtherMac);
  ASSERT_NE(EntryFor(kOtherMac), nullptr);
  SetPort([](Port& port) { port.lanes[0].martians.clear(); });
  EXPECT_NE(EntryFor(kOtherMac), nullptr) << "still";
  SetPort([](Port& port) { port.ipv6 = true; });
  send(World::kPodRouterMac);
  EXPECT_NE(EntryFor(World::kPodRouterMac), nullptr);
  SetPort();
  EXPECT_EQ(EntryFor(World::kPodRouterMac), nullptr);
  EXPECT_NE(EntryFor(kOtherMac), nullptr);
}

TEST_F(BridgedFlows, ALaneThatLeadsNowhereHasNoEntries) {
  SendTo(kOtherMac);
  ASSERT_EQ(world.Entries(Table::kL2Source), 1u);
  SetPort([](Port& port) { port.lanes[0].bridged = port.lanes[0].routed = false; });
  EXPECT_EQ(world.Entries(Table::kL2Source), 0u);
  EXPECT_EQ(world.Entries(Table::kL2Destination), 0u);
}

TEST_F(BridgedFlows, ASourceWhoseLaneBecomesABridgesFollowsItsStation) {
  world.stations.clear();
  SetPort([](Port& port) { port.lanes[0].bridged = false; });
  world.Route(World::kServer);
  SendTo(World::kPodRouterMac);
  ASSERT_EQ(world.Entries(Table::kL2Source), 1u);
  world.stations = {World::kPodMac};
  SetPort();
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u) << "the bridge knows the station";
  world.stations = {kStranger};
  Learned(World::kPodMac);
  EXPECT_EQ(world.Entries(Table::kL2Source), 0u);
}

TEST_F(BridgedFlows, AFrameToTheGatewayIsRouted) {
  world.Route(World::kServer);
  SendTo(World::kPodRouterMac);
  EXPECT_EQ(*EntryFor(World::kPodRouterMac), Action{GotoTable{Table::kL3}});
  EXPECT_EQ(world.Entries(Table::kL3), 1u);
}

TEST_F(BridgedFlows, AStationThatMovesTakesItsEntryAlong) {
  SendTo(kOtherMac);
  world.bridged_to[kOtherMac] = World::kUplink;
  Learned(kOtherMac);
  EXPECT_EQ(*EntryFor(kOtherMac), Action{(BridgeTo{World::kUplink, kUntagged})});
  EXPECT_EQ(world.log.back().kind, Operation::Kind::kReplace);
}

TEST_F(BridgedFlows, ASenderThatTheBridgeDoesNotKnowHereHasNoEntry) {
  SendTo(kOtherMac, kStranger);
  EXPECT_EQ(world.Entries(Table::kL2Source), 0u);
  world.stations.insert(kStranger);
  SendTo(kOtherMac, kStranger);
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u) << "its next packet asks again";
  world.stations.erase(kStranger);
  Learned(kStranger);
  EXPECT_EQ(world.Entries(Table::kL2Source), 0u) << "it has moved away";
  EXPECT_NE(EntryFor(kOtherMac), nullptr) << "others may use it";
}

TEST_F(BridgedFlows, ASecondSenderUsesTheSameEntry) {
  world.stations.insert(kStranger);
  SendTo(kOtherMac);
  SendTo(kOtherMac, kStranger);
  EXPECT_EQ(world.Entries(Table::kL2Source), 2u);
  EXPECT_EQ(world.Entries(Table::kL2Destination), 1u);
}

TEST_F(BridgedFlows, WhatWasBridgedAndIsRoutedNowLeaves) {
  SendTo(kOtherMac);
  SetPort([](Port& port) { port.lanes[0].router_mac = kOtherMac; });
  EXPECT_EQ(EntryFor(kOtherMac), nullptr);
}

TEST_F(BridgedFlows, OutOfTheBridgeNothingIsBridged) {
  SendTo(kOtherMac);
  SetPort([](Port& port) { port.lanes[0].bridged = false; });
  EXPECT_EQ(EntryFor(kOtherMac), nullptr);
  SendTo(kOtherMac);
  EXPECT_EQ(EntryFor(kOtherMac), nullptr);
}

TEST_F(BridgedFlows, WhereRoutingHasNoInterfaceThereAreNoGuards) {
  SetPort(
      [](Port& port) { port.lanes[0] = Lane{.vlan = kUntagged, .bridged = true, .router_mac = {}, .martians = {}}; });
  std::size_t guards = 0;
  for (const auto& [id, entry] : world.hardware) {
    guards += entry.rule.match.table == Table::kGuard && entry.rule.match.port == World::kPod ? 1u : 0u;
  }
  EXPECT_EQ(guards, 0u);
  SendTo(kOtherMac);
  EXPECT_NE(EntryFor(kOtherMac), nullptr);
}

// A spoofed source must not ride to the gateway on the entry of a frame that was only bridged.
TEST_F(BridgedFlows, WhereTheGatewayChecksSourcesABridgedFrameVouchesForNone) {
  SetPort([](Port& port) { port.lanes[0].checks_sources = true; });
  SendTo(kOtherMac);
  EXPECT_EQ(world.Entries(Table::kL2Source), 0u) << "the source was not asked about";
}

TEST_F(BridgedFlows, StationsWhoseFramesHardwareCountsAreUsed) {
  SendTo(kOtherMac);
  world.Pass(std::chrono::seconds(2));
  EXPECT_TRUE(world.pipeline.TakeUsedStations().empty());
  world.Hit(Table::kL2Source);
  world.Pass(std::chrono::seconds(1));
  EXPECT_EQ(world.pipeline.TakeUsedStations(),
            (std::vector<StationUse>{{{World::kBridge, 0, World::kPodMac}, world.now}}));
}

TEST_F(BridgedFlows, AnAuditAsksAboutThem) {
  SendTo(kOtherMac);
  std::size_t asked = 0;
  for (const FlowId id : world.pipeline.flows().OnPort(World::kPod))
    asked += world.pipeline.AuditQuestion(id) ? 1u : 0u;
  EXPECT_EQ(asked, 2u) << "the station's entry and the sender's";
}

// A station that has moved is accepted at its new port, and sent to there, only when its entry at the old one is out of
// hardware.
class AStationThatMoves : public BridgedFlows {
 protected:
  AStationThatMoves() {
    world.SetPort(World::kOtherPod, kOtherRouterMac, [](Port& port) { port.lanes[0].bridged = true; });
    world.bridged_to[kThirdMac] = World::kUplink;
    SendTo(kOtherMac);
    world.paused = true;
    world.log.clear();
  }
  void Move() {
    world.stations = {kStranger};
    Learned(World::kPodMac);
  }
  void SendFromTheNewPort(const MacAddress& from = World::kPodMac) {
    Miss miss = world.MissTo(World::kServer);
    miss.port = World::kOtherPod;
    miss.source_mac = from;
    miss.destination_mac = kThirdMac;
    world.pipeline.OnMiss(miss, world.now);
    world.Run();
  }
  std::size_t SendersAt(std::uint32_t port) const {
    return static_cast<std::size_t>(std::ranges::count_if(world.hardware, [&](const auto& entry) {
      return entry.second.rule.match.port == port && entry.second.rule.match.table == Table::kL2Source;
    }));
  }

  // The entry at the old port goes with one batch, and once that is acknowledged, the one at the new port comes with the next.
  void ExpectOneAfterTheOther() {
    world.Program();
    EXPECT_EQ(SendersAt(World::kPod), 0u);
    EXPECT_EQ(SendersAt(World::kOtherPod), 0u) << "that was not acknowledged yet when this batch was made";
    world.Program();
    EXPECT_EQ(SendersAt(World::kOtherPod), 1u);
  }

  inline static const MacAddress kOtherRouterMac{{0x02, 0, 0, 0, 0, 0x08}};
  inline static const MacAddress kThirdMac{{0x0a, 0, 0, 0, 0, 0x55}};
};

TEST_F(AStationThatMoves, LeavesItsOldPortFirst) {
  Move();
  SendFromTheNewPort();
  ExpectOneAfterTheOther();
}

TEST_F(AStationThatMoves, AndThatIsKnownBeforeTheKernelHasBeenAsked) {
  world.stations = {kStranger};
  world.pipeline.OnChange(StationChanged{{World::kBridge, 0, World::kPodMac}}, world.now);
  std::vector<Question> questions = world.pipeline.TakeQuestions(64, world.now);
  SendFromTheNewPort();
  world.Program();
  EXPECT_EQ(SendersAt(World::kOtherPod), 0u);
  EXPECT_FALSE(world.pipeline.settled());
  for (const Answer& answer : world.AnswersTo(questions)) world.pipeline.OnAnswer(answer, world.now);
  ExpectOneAfterTheOther();
}

TEST_F(AStationThatMoves, IfItHasNotMovedAfterAllNothingWaits) {
  Learned(World::kPodMac);
  SendFromTheNewPort();
  world.Program();
  EXPECT_EQ(SendersAt(World::kPod), 1u);
  EXPECT_EQ(SendersAt(World::kOtherPod), 1u);
}

TEST_F(AStationThatMoves, OthersDoNotWaitForIt) {
  Move();
  SendFromTheNewPort(kStranger);
  world.Program();
  EXPECT_EQ(SendersAt(World::kOtherPod), 1u);
}

TEST_F(AStationThatMoves, ARemovalThatIsRefusedIsNotWaitedFor) {
  Move();
  SendFromTheNewPort();
  world.removal_refusal = Error{EIO, "remove"};
  world.Program();
  world.Program();
  EXPECT_EQ(SendersAt(World::kPod), 1u);
  EXPECT_EQ(SendersAt(World::kOtherPod), 1u);
}

TEST_F(AStationThatMoves, LeavesAPortThatIsNoLongerOursFirst) {
  SetPort([](Port& port) { port.offload = false; });
  SendFromTheNewPort();
  ExpectOneAfterTheOther();
}

TEST_F(AStationThatMoves, APortThatIsReleasedIsWaitedFor) {
  world.pipeline.RemovePort(World::kPod);
  SendFromTheNewPort();
  world.Program();
  EXPECT_EQ(SendersAt(World::kOtherPod), 0u) << "its entries may still be there";
  world.pipeline.PortReleased(World::kPod);
  world.Program();
  EXPECT_EQ(SendersAt(World::kOtherPod), 1u);
}

TEST_F(AStationThatMoves, APortThatIsRemovedMeanwhileEndsTheDoubt) {
  Move();
  SendFromTheNewPort();
  world.pipeline.RemovePort(World::kPod);
  world.pipeline.PortReleased(World::kPod);
  world.Program();
  EXPECT_EQ(SendersAt(World::kOtherPod), 1u);
}

// Its removal was queued, and is not needed any more.
TEST_F(AStationThatMoves, AndIsBackBeforeItsEntryWasTouchedHoldsNothingUp) {
  SetPort([](Port& port) { port.offload = false; });
  SetPort();
  SendTo(kOtherMac);
  world.Program();
  world.Program();
  EXPECT_EQ(SendersAt(World::kPod), 1u);
  SendFromTheNewPort();
  world.Program();
  EXPECT_EQ(SendersAt(World::kOtherPod), 1u);
  EXPECT_TRUE(world.pipeline.settled());
}

}  // namespace
}  // namespace dpuflow::flow
