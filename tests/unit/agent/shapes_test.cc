// SPDX-License-Identifier: Apache-2.0
//
// Keys of several shapes: how a target gets the fields that the kernel's choice looks at, and loses them again, and that no
// two shapes of it are ever in hardware at once.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/flow/pipeline.h"
#include "tests/unit/agent/world.h"

namespace dpuflow::flow {
namespace {

constexpr Fields kConnection = kFieldSource | kFieldProtocol | kFieldPorts;

class Shapes : public testing::Test {
 protected:
  void Needs(Fields fields, bool uniform = true) {
    world.Route(World::kServer);
    world.routes[World::kServer].fields = fields;
    world.routes[World::kServer].uniform = uniform;
  }
  void SendFrom(std::uint16_t source_port, std::uint8_t protocol = 17) {
    Miss miss = world.MissTo(World::kServer);
    miss.source_port = source_port;
    miss.protocol = protocol;
    if (protocol != 6 && protocol != 17) miss.source_port = miss.destination_port = 0;
    world.pipeline.OnMiss(miss, world.now);
    world.Run();
  }
  [[nodiscard]] std::vector<Match> Installed() const {
    std::vector<Match> matches;
    for (const auto& [id, entry] : world.hardware) {
      if (entry.rule.match.table == Table::kL3) matches.push_back(entry.rule.match);
    }
    return matches;
  }
  void Changed() { world.Change(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")}); }

  World world;
};

TEST_F(Shapes, AKeyHasJustTheFieldsThatTheChoiceLooksAt) {
  Needs(kConnection);
  SendFrom(1024);
  const auto installed = Installed();
  ASSERT_EQ(installed.size(), 1u);
  EXPECT_EQ(installed[0].source, IpPrefix::Host(World::kPodAddress));
  EXPECT_EQ(installed[0].protocol, 17);
  EXPECT_EQ(installed[0].source_port, 1024);
  EXPECT_EQ(installed[0].destination_port, 7);
  EXPECT_FALSE(installed[0].tos);
}

TEST_F(Shapes, EachConnectionHasAnEntryOfItsOwn) {
  Needs(kConnection);
  for (std::uint16_t port = 1024; port < 1034; ++port) SendFrom(port);
  EXPECT_EQ(Installed().size(), 10u);
  SendFrom(1024);
  EXPECT_EQ(Installed().size(), 10u);
}

TEST_F(Shapes, ConnectionsThatAskAtOnceAllGetTheirEntry) {
  Needs(kConnection);
  for (std::uint16_t port = 1024; port < 1034; ++port) {
    Miss miss = world.MissTo(World::kServer);
    miss.source_port = port;
    world.pipeline.OnMiss(miss, world.now);
  }
  world.Run();
  EXPECT_EQ(Installed().size(), 10u);
}

TEST_F(Shapes, OneEntryServesAllWhereTheDestinationAloneDecides) {
  Needs(0);
  for (std::uint16_t port = 1024; port < 1034; ++port) SendFrom(port);
  EXPECT_EQ(Installed().size(), 1u);
}

TEST_F(Shapes, AProtocolWithoutPortsHasAKeyWithoutPorts) {
  Needs(kConnection);
  SendFrom(0, 1);
  const auto installed = Installed();
  ASSERT_EQ(installed.size(), 1u);
  EXPECT_EQ(installed[0].protocol, 1);
  EXPECT_FALSE(installed[0].source_port);
}

TEST_F(Shapes, AFragmentStaysInSoftwareWhereThePathDependsOnPorts) {
  Needs(kConnection);
  Miss fragment = world.MissTo(World::kServer);
  fragment.source_port = fragment.destination_port = 0;
  world.pipeline.OnMiss(fragment, world.now);
  world.Run();
  EXPECT_TRUE(Installed().empty());
  SendFrom(1024);
  EXPECT_EQ(Installed().size(), 1u);
}

TEST_F(Shapes, AWideEntryIsOutOfHardwareBeforeAFineOneGoesIn) {
  Needs(0);
  SendFrom(1024);
  Needs(kConnection);
  world.log.clear();
  world.paused = true;
  Changed();
  for (int turn = 0; turn < 10; ++turn) {
    world.Ask();
    const auto operations = world.pipeline.TakeOperations(64, world.now);
    if (operations.empty()) break;
    ASSERT_EQ(operations.size(), 1u);
    ASSERT_EQ(operations[0].kind, Operation::Kind::kRemove);
    EXPECT_TRUE(world.pipeline.TakeOperations(64, world.now).empty()) << "the add waits for the removal's outcome";
    EXPECT_FALSE(world.pipeline.settled());
    world.hardware.erase(operations[0].flow);
    world.pipeline.OnOutcome({operations[0].kind, operations[0].flow, std::nullopt, world.now}, world.now);
    world.paused = false;
    world.Run();
  }
  ASSERT_EQ(Installed().size(), 1u) << "the connection that was last seen, without another packet";
  EXPECT_EQ(Installed()[0].source_port, 1024);
}

TEST_F(Shapes, FineEntriesAreOutBeforeAWideOneGoesIn) {
  Needs(kConnection);
  for (std::uint16_t port = 1024; port < 1034; ++port) SendFrom(port);
  Needs(0);
  world.log.clear();
  Changed();
  ASSERT_EQ(Installed().size(), 1u);
  EXPECT_EQ(FieldsOf(Installed()[0]), 0);
  const auto add = std::ranges::find(world.log, Operation::Kind::kAdd, &Operation::kind);
  ASSERT_NE(add, world.log.end());
  EXPECT_EQ(
      std::count_if(world.log.begin(), add, [](const Operation& o) { return o.kind == Operation::Kind::kRemove; }), 10);
}

TEST_F(Shapes, ARemovalThatFailsKeepsTheOtherShapeOutUntilItSucceeds) {
  Needs(0);
  SendFrom(1024);
  Needs(kConnection);
  world.removal_refusal = Error{EIO, "delete the filter", {}};
  Changed();
  EXPECT_EQ(Installed().size(), 1u);
  EXPECT_EQ(FieldsOf(Installed()[0]), 0);
  world.removal_refusal.reset();
  world.Pass(std::chrono::seconds(2));
  ASSERT_EQ(Installed().size(), 1u);
  EXPECT_EQ(FieldsOf(Installed()[0]), kConnection);
}

TEST_F(Shapes, ThereAndBackInOneGoLeavesTheWideEntry) {
  Needs(0);
  SendFrom(1024);
  world.paused = true;
  Needs(kConnection);
  world.pipeline.OnChange(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")}, world.now);
  world.Ask();
  Needs(0);
  world.pipeline.OnChange(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")}, world.now);
  world.Ask();
  world.paused = false;
  world.Run();
  SendFrom(1024);
  ASSERT_EQ(Installed().size(), 1u);
  EXPECT_EQ(FieldsOf(Installed()[0]), 0);
  EXPECT_TRUE(world.pipeline.settled());
}

TEST_F(Shapes, WhereRulesMakePacketsDifferFieldsAddUp) {
  Needs(kFieldSource, false);
  SendFrom(1024);
  Needs(kFieldProtocol, false);
  Changed();
  SendFrom(1024);
  ASSERT_EQ(Installed().size(), 1u);
  EXPECT_EQ(FieldsOf(Installed()[0]), kFieldSource | kFieldProtocol);
  Needs(0, true);
  Changed();
  ASSERT_EQ(Installed().size(), 1u);
  EXPECT_EQ(FieldsOf(Installed()[0]), 0) << "the rules are gone";
}

TEST_F(Shapes, AnotherDestinationKeepsItsShape) {
  Needs(kConnection);
  SendFrom(1024);
  const IpAddress other = IpAddress::V4(198, 51, 100, 1);
  world.Route(other);
  world.Send(other);
  ASSERT_NE(world.Entry(other), nullptr);
  EXPECT_EQ(FieldsOf(world.Entry(other)->match), 0);
  EXPECT_EQ(Installed().size(), 2u);
}

TEST_F(Shapes, Ipv6HasGuardsAndEntriesOfItsOwn) {
  const IpAddress server = *IpAddress::Parse("2001:db8::1");
  const IpAddress pod = *IpAddress::Parse("2001:db8:7::2");
  world.Route(server);
  world.pipeline.OnMiss(world.MissTo(server, pod), world.now);
  world.Run();
  EXPECT_EQ(world.Entry(server), nullptr) << "the machine does not forward IPv6";
  world.SetPort(World::kPod, World::kPodRouterMac, [](Port& port) { port.ipv6 = true; });
  world.Run();
  EXPECT_EQ(world.Entries(Table::kGuard), 5u) << "one for its hop limit";
  world.pipeline.OnMiss(world.MissTo(server, pod), world.now);
  world.Run();
  ASSERT_NE(world.Entry(server), nullptr);
  EXPECT_EQ(world.Entry(server)->match.ethertype, kEthertypeIpv6);
  EXPECT_EQ(world.Entries(Table::kL2Source), 1u);
}

}  // namespace
}  // namespace dpuflow::flow
