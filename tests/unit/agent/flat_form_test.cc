// SPDX-License-Identifier: Apache-2.0
//
// Flows of ports whose NIC has no chains: each packet has one entry, with both MACs.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/agent/world.h"

namespace dpuflow::flow {
namespace {

class FlatForm : public testing::Test {
 protected:
  FlatForm() { SetPort(); }
  void SetPort(const std::function<void(Port&)>& change = [](Port&) {}) {
    world.SetPort(World::kPod, World::kPodRouterMac, [&](Port& port) {
      port.form = Form::kFlat;
      change(port);
    });
    world.Run();
  }
  void CheckSources() {
    SetPort([](Port& port) { port.lanes[0].checks_sources = true; });
  }
  void Bridge() {
    world.stations = {World::kPodMac};
    world.bridged_to[kOtherMac] = World::kOtherPod;
    SetPort([](Port& port) { port.lanes[0].bridged = true; });
  }
  void Send(const std::function<void(Miss&)>& change = [](Miss&) {}) {
    Miss miss = world.MissTo(World::kServer);
    change(miss);
    world.pipeline.OnMiss(miss, world.now);
    world.Run();
  }
  void SendFrom(const MacAddress& mac) {
    Send([&](Miss& miss) { miss.source_mac = mac; });
  }
  void SendBridged(const MacAddress& from = World::kPodMac) {
    Send([&](Miss& miss) {
      miss.source_mac = from;
      miss.destination_mac = kOtherMac;
    });
  }
  [[nodiscard]] std::vector<Rule> Entries() const {
    std::vector<Rule> rules;
    for (const auto& [id, entry] : world.hardware) {
      if (entry.rule.match.table != Table::kGuard) rules.push_back(entry.rule);
    }
    return rules;
  }
  // Whether at any time two entries of different shapes for the server stood at once, or were on their way at once.
  [[nodiscard]] bool ShapesMet() const {
    std::map<FlowId, Fields> standing;
    for (const Operation& operation : world.log) {
      if (!IsRouted(operation.rule.match)) continue;
      if (operation.kind == Operation::Kind::kRemove) {
        standing.erase(operation.flow);
      } else {
        standing[operation.flow] = FieldsOf(operation.rule.match);
      }
      for (const auto& [id, fields] : standing) {
        if (fields != standing.begin()->second) return true;
      }
    }
    return false;
  }

  inline static const MacAddress kOtherMac{{0x0a, 0, 0, 0, 0, 0x08}};
  inline static const MacAddress kStranger{{0x0a, 0, 0, 0, 0, 0x99}};
  World world;
};

TEST_F(FlatForm, OneMissMakesOneEntryWithBothMacs) {
  world.Route(World::kServer);
  Send();
  ASSERT_EQ(Entries().size(), 1u);
  const Rule rule = Entries()[0];
  EXPECT_EQ(rule.match.table, Table::kFlat);
  EXPECT_EQ(rule.match.source_mac, World::kPodMac);
  EXPECT_EQ(rule.match.destination_mac, World::kPodRouterMac);
  EXPECT_EQ(rule.match.destination, IpPrefix::Host(World::kServer));
  EXPECT_EQ(rule.match.source, std::nullopt);
  EXPECT_EQ(rule.action, Action{(RouteTo{{World::kUplink, World::kUplinkMac, World::kPeerMac}})});
  EXPECT_TRUE(IsExact(rule));
}

TEST_F(FlatForm, OtherPortsOfTheSameSwitchKeepTheirTables) {
  world.Route(World::kPodAddress);
  Send([](Miss& miss) {
    miss.port = World::kUplink;
    miss.destination_mac = World::kUplinkMac;
    miss.destination = World::kPodAddress;
  });
  EXPECT_EQ(world.Entries(Table::kFlat), 0u);
  EXPECT_EQ(world.Entries(Table::kL3), 1u);
}

TEST_F(FlatForm, AnotherSenderHasAnEntryOfItsOwn) {
  world.Route(World::kServer);
  Send();
  SendFrom(kStranger);
  EXPECT_EQ(world.Entries(Table::kFlat), 2u);
  world.Unroute(World::kServer);
  world.Change(RouteChanged{IpPrefix::Host(World::kServer)});
  EXPECT_EQ(world.Entries(Table::kFlat), 0u) << "a change concerns them all";
}

TEST_F(FlatForm, NothingForwardsBeforeItsGuardsStand) {
  world.refusal = Error{ENOSPC, "add", "full"};
  world.AddMartian(*IpPrefix::Parse("10.9.9.9"));
  SetPort([](Port& port) { port.lanes[0].martians.push_back(*IpPrefix::Parse("10.9.9.9")); });
  world.Route(World::kServer);
  Send();
  EXPECT_EQ(world.Entries(Table::kFlat), 0u);
  world.refusal.reset();
  world.Pass(std::chrono::seconds(2));
  EXPECT_EQ(world.Entries(Table::kFlat), 1u) << "without another packet";
}

TEST_F(FlatForm, ANewMacOfTheNeighbourReplacesTheEntryInPlace) {
  world.Route(World::kServer);
  Send();
  world.Route(World::kServer, kStranger);
  world.Change(NeighChanged{World::kRouter});
  EXPECT_EQ(world.log.back().kind, Operation::Kind::kReplace);
  EXPECT_EQ(std::get<RouteTo>(Entries().at(0).action).adjacency.destination, kStranger);
}

TEST_F(FlatForm, AFrameToTheRoutersOldMacIsRoutedNoMore) {
  world.Route(World::kServer);
  Send();
  SetPort([](Port& port) { port.lanes[0].router_mac = kStranger; });
  EXPECT_TRUE(Entries().empty());
}

TEST_F(FlatForm, AnEntryThatStandsStillGoes) {
  world.Route(World::kServer);
  Send();
  world.Hit(Table::kFlat);
  world.Pass(std::chrono::seconds(20));
  EXPECT_EQ(world.Entries(Table::kFlat), 1u);
  EXPECT_EQ(world.pipeline.TakeUsedNeighs(), (std::set<NeighKey>{World::kRouter}))
      << "its counter tells of the next hop";
  world.Pass(std::chrono::seconds(15));
  EXPECT_EQ(world.Entries(Table::kFlat), 0u);
}

TEST_F(FlatForm, WhereSourcesAreCheckedTheKeyHasTheSource) {
  CheckSources();
  world.Route(World::kServer);
  Send();
  ASSERT_EQ(Entries().size(), 1u);
  EXPECT_EQ(Entries()[0].match.source, IpPrefix::Host(World::kPodAddress));
  const std::size_t flows = world.pipeline.flows().size();
  const IpAddress spoofed = IpAddress::V4(10, 9, 9, 9);
  world.bad_sources.insert(spoofed);
  Send([&](Miss& miss) { miss.source = spoofed; });
  EXPECT_EQ(Entries().size(), 1u) << "a source that the kernel refuses has none";
  EXPECT_EQ(world.pipeline.flows().size(), flows) << "nor anything else that stays";
}

TEST_F(FlatForm, WhereSourcesAreListedBridgedKeysHaveThemToo) {
  Bridge();
  SetPort([](Port& port) {
    port.lanes[0].bridged = true;
    port.lanes[0].lists_sources = true;
  });
  world.bridged_source = SourceVerdict::kValid;
  SendBridged();
  ASSERT_EQ(Entries().size(), 1u);
  EXPECT_EQ(Entries()[0].match.source, IpPrefix::Host(World::kPodAddress));
}

TEST_F(FlatForm, TwoPacketsBeforeTheFirstAnswerAgreeOnTheShape) {
  CheckSources();
  world.Route(World::kServer);
  for (const std::uint8_t last : {2, 3}) {
    world.pipeline.OnMiss(world.MissTo(World::kServer, IpAddress::V4(10, 0, 7, last)), world.now);
  }
  world.Run();
  EXPECT_EQ(Entries().size(), 2u);
  EXPECT_EQ(world.pipeline.flows().size() - world.Entries(Table::kGuard), 2u) << "no flow that nobody needs";
}

TEST_F(FlatForm, ARouteToItsSourceAsksAgain) {
  CheckSources();
  world.Route(World::kServer);
  Send();
  world.bad_sources.insert(World::kPodAddress);
  world.Change(RouteChanged{*IpPrefix::Parse("10.0.7.0/24")});
  EXPECT_TRUE(Entries().empty());
}

TEST_F(FlatForm, ALinkMayTakeTheRouteToItsSourceAwaySilently) {
  CheckSources();
  world.Route(World::kServer);
  Send();
  world.bad_sources.insert(World::kPodAddress);
  world.Change(LinkChanged{99});
  EXPECT_TRUE(Entries().empty());
}

TEST_F(FlatForm, APortThatBeginsToCheckSourcesRewritesItsEntries) {
  world.Route(World::kServer);
  Send();
  world.log.clear();
  CheckSources();
  ASSERT_EQ(Entries().size(), 1u);
  EXPECT_EQ(Entries()[0].match.source, IpPrefix::Host(World::kPodAddress));
  SetPort();
  ASSERT_EQ(Entries().size(), 1u);
  EXPECT_EQ(Entries()[0].match.source, std::nullopt);
  EXPECT_FALSE(ShapesMet());
}

TEST_F(FlatForm, TheFieldsOfTheChoiceAreInTheKey) {
  world.Route(World::kServer);
  Send();
  world.routes[World::kServer].fields = kFieldSource | kFieldProtocol | kFieldPorts;
  world.Change(RouteChanged{IpPrefix::Host(World::kServer)});
  ASSERT_EQ(Entries().size(), 1u);
  EXPECT_EQ(Entries()[0].match.source_port, 40000);
  EXPECT_EQ(Entries()[0].match.source_mac, World::kPodMac);
  EXPECT_TRUE(IsExact(Entries()[0]));
  EXPECT_FALSE(ShapesMet());
}

TEST_F(FlatForm, ABridgedFrameHasOneEntry) {
  Bridge();
  SendBridged();
  ASSERT_EQ(Entries().size(), 1u);
  const Rule rule = Entries()[0];
  EXPECT_EQ(rule.match.source_mac, World::kPodMac);
  EXPECT_EQ(rule.match.destination_mac, kOtherMac);
  EXPECT_FALSE(IsRouted(rule.match));
  EXPECT_EQ(rule.action, Action{(BridgeTo{World::kOtherPod, kUntagged})});
  EXPECT_TRUE(IsExact(rule));
}

// Its MAC keeps it from the gateway, where a source would count.
TEST_F(FlatForm, ABridgedFrameHasItWhereTheGatewayChecksSourcesToo) {
  Bridge();
  SetPort([](Port& port) { port.lanes[0].bridged = port.lanes[0].checks_sources = true; });
  SendBridged();
  ASSERT_EQ(Entries().size(), 1u);
  EXPECT_EQ(Entries()[0].match.source, std::nullopt);
}

TEST_F(FlatForm, ASenderThatTheBridgeDoesNotKnowHereHasNoEntryUntilItDoes) {
  Bridge();
  world.Route(World::kServer);
  SendBridged(kStranger);
  SendFrom(kStranger);
  EXPECT_TRUE(Entries().empty());
  EXPECT_EQ(world.pipeline.counters().reasons[static_cast<std::size_t>(Why::kStation)], 2u);
  world.stations.insert(kStranger);
  world.Change(StationChanged{{World::kBridge, 0, kStranger}});
  EXPECT_EQ(Entries().size(), 2u) << "bridged and routed, without another packet";
  world.stations.erase(kStranger);
  world.Change(StationChanged{{World::kBridge, 0, kStranger}});
  EXPECT_TRUE(Entries().empty()) << "it has moved away";
}

TEST_F(FlatForm, AStationThatMovesTakesEveryEntryToItAlong) {
  Bridge();
  world.stations.insert(kStranger);
  SendBridged();
  SendBridged(kStranger);
  world.bridged_to[kOtherMac] = World::kUplink;
  world.Change(StationChanged{{World::kBridge, 0, kOtherMac}});
  ASSERT_EQ(Entries().size(), 2u);
  for (const Rule& rule : Entries()) EXPECT_EQ(rule.action, Action{(BridgeTo{World::kUplink, kUntagged})});
}

TEST_F(FlatForm, ItsCounterTellsOfTheSender) {
  Bridge();
  world.Route(World::kServer);
  Send();
  SendBridged();
  world.Hit(Table::kFlat);
  world.Pass(std::chrono::seconds(1));
  const StationUse use{{World::kBridge, 0, World::kPodMac}, world.now};
  EXPECT_EQ(world.pipeline.TakeUsedStations(), (std::vector<StationUse>{use, use})) << "and not of where it goes";
}

TEST_F(FlatForm, OutOfTheBridgeNothingIsBridged) {
  Bridge();
  SendBridged();
  world.stations.clear();
  SetPort();
  EXPECT_TRUE(Entries().empty());
}

TEST_F(FlatForm, AnAuditAsksAboutEachAndSeesWhatIsWrong) {
  Bridge();
  world.Route(World::kServer);
  Send();
  SendBridged();
  std::vector<Question> questions;
  for (const FlowId id : world.pipeline.flows().OnPort(World::kPod)) {
    if (const auto question = world.pipeline.AuditQuestion(id)) questions.push_back(*question);
  }
  ASSERT_EQ(questions.size(), 2u);
  const auto disagreements = [&] {
    return std::ranges::count_if(world.AnswersTo(questions),
                                 [&](const Answer& a) { return world.pipeline.Disagrees(a); });
  };
  EXPECT_EQ(disagreements(), 0);
  world.stations = {kOtherMac};
  EXPECT_EQ(disagreements(), 2) << "the sender is elsewhere";
  world.stations = {World::kPodMac};
  world.bridged_to[kOtherMac] = World::kUplink;
  world.Route(World::kServer, kStranger);
  EXPECT_EQ(disagreements(), 2) << "they lead elsewhere";
}

TEST_F(FlatForm, WithOffloadOffTheHardwareIsEmpty) {
  world.Route(World::kServer);
  Send();
  SetPort([](Port& port) { port.offload = false; });
  EXPECT_TRUE(Entries().empty());
}

TEST_F(FlatForm, MoreShapesThanSectionsStayInSoftwareWithTheReason) {
  std::uint8_t last = 10;
  for (const Fields ports : {Fields{0}, kFieldSourcePort}) {
    for (const Fields source : {Fields{0}, kFieldSource}) {
      for (const Fields rest : {Fields{0}, kFieldTos, kFieldProtocol}) {
        const IpAddress destination = IpAddress::V4(192, 0, 2, last++);
        world.Route(destination);
        world.routes[destination].fields = ports | source | rest;
        world.Send(destination);
      }
    }
  }
  std::vector<Shape> shapes;
  for (const Rule& rule : Entries()) {
    if (std::ranges::find(shapes, ShapeOf(rule.match)) == shapes.end()) shapes.push_back(ShapeOf(rule.match));
  }
  EXPECT_EQ(shapes.size(), kFlatSections);
  EXPECT_EQ(world.pipeline.counters().reasons[static_cast<std::size_t>(Why::kShapes)], 3u);
}

TEST_F(FlatForm, EntriesOfAnotherFormLeaveWithIt) {
  world.Route(World::kServer);
  Send();
  SetPort([](Port& port) { port.form = Form::kChained; });
  EXPECT_TRUE(Entries().empty());
  Send();
  EXPECT_EQ(world.Entries(Table::kFlat), 0u);
  EXPECT_EQ(Entries().size(), 3u);
}

}  // namespace
}  // namespace dpuflow::flow
