// SPDX-License-Identifier: Apache-2.0
//
// A second run, on the hardware that a first one left: what is right goes on untouched, the rest is put right or goes.
#include <gtest/gtest.h>

#include "agent/earlier_packets.h"
#include "tests/unit/agent/world.h"

namespace dpuflow::flow {
namespace {

// The second world begins with the first one's hardware.
class AdoptionTest : public testing::Test {
 protected:
  AdoptionTest() {
    first.Route(World::kServer);
    first.Route(kOther);
    second.routes = first.routes;
  }

  // Returns how many entries were taken over.
  std::size_t Begin() {
    const std::size_t adopted = Adopt();
    second.SetPorts();
    return adopted;
  }
  std::size_t Adopt() {
    second.hardware = first.hardware;
    std::size_t adopted = 0;
    for (const auto& [id, flow] : first.pipeline.flows().all()) {
      if (flow.installed && second.pipeline.Adopt(id, flow.With(flow.installed), flow.section, flow.packet, second.now))
        ++adopted;
    }
    return adopted;
  }
  [[nodiscard]] std::size_t Done(Operation::Kind kind) const {
    return static_cast<std::size_t>(std::ranges::count(second.log, kind, &Operation::kind));
  }

  inline static const IpAddress kOther = IpAddress::V4(192, 0, 2, 9);
  inline static const MacAddress kOtherPeer{{0x0b, 0, 0, 0, 0, 0x02}};
  World first;
  World second{{}, false};
};

TEST_F(AdoptionTest, WhatIsRightIsNotTouched) {
  first.Send(World::kServer);
  first.Send(kOther);
  EXPECT_EQ(Begin(), first.hardware.size());
  EXPECT_TRUE(second.log.empty()) << ToString(second.log[0].rule);
  EXPECT_EQ(second.pipeline.counters().questions, 2u) << "each destination was asked about";
  for (const auto& [id, flow] : second.pipeline.flows().all()) EXPECT_EQ(flow.state(), State::kOffloaded);
  second.Change(NeighChanged{World::kRouter});
  EXPECT_EQ(second.pipeline.counters().questions, 4u) << "what they depend on is known again";
}

TEST_F(AdoptionTest, WhatHasMovedIsReplaced) {
  first.Send(World::kServer);
  second.Route(World::kServer, kOtherPeer);
  Begin();
  EXPECT_EQ(second.log.size(), 1u);
  EXPECT_EQ(Done(Operation::Kind::kReplace), 1u);
  EXPECT_EQ(std::get<RouteTo>(second.Entry(World::kServer)->action).adjacency.destination, kOtherPeer);
}

TEST_F(AdoptionTest, WhatIsNotForwardedAnyMoreGoes) {
  first.Send(World::kServer);
  first.Send(kOther);
  second.Unroute(World::kServer);
  Begin();
  EXPECT_EQ(second.Entry(World::kServer), nullptr);
  EXPECT_NE(second.Entry(kOther), nullptr);
  EXPECT_EQ(second.log.size(), 1u);
}

TEST_F(AdoptionTest, AKeyThatIsTooWideGivesWayToAFinerOne) {
  first.Send(World::kServer);
  second.routes[World::kServer].fields = kFieldSource;
  Begin();
  ASSERT_NE(second.Entry(World::kServer), nullptr);
  EXPECT_TRUE(second.Entry(World::kServer)->match.source);
  EXPECT_EQ(Done(Operation::Kind::kRemove), 1u);
  EXPECT_EQ(Done(Operation::Kind::kAdd), 1u);
}

TEST_F(AdoptionTest, EntriesOfAnotherShapeOfThePortGo) {
  first.Send(World::kServer);
  Adopt();
  second.SetPort(World::kUplink, World::kUplinkMac);
  second.SetPort(World::kPod, MacAddress({{0x02, 0, 0, 0, 0, 0x99}}),
                 [](Port& port) { port.lanes[0].checks_sources = true; });
  second.Run();
  EXPECT_EQ(second.Entries(Table::kL2Source), 0u) << "without an address";
  EXPECT_EQ(second.Entries(Table::kL2Destination), 0u) << "to a MAC that is the router's no more";
}

TEST_F(AdoptionTest, TwoCannotHaveOnePlace) {
  first.Send(World::kServer);
  Begin();
  const Flow& flow = *second.pipeline.flows().Find(first.pipeline.flows().all().begin()->first);
  Rule other{flow.match(), Trap{}};
  EXPECT_FALSE(second.pipeline.Adopt(flow.id, other, flow.section, flow.packet, second.now)) << "its number";
  EXPECT_FALSE(second.pipeline.Adopt(12345, other, flow.section, flow.packet, second.now)) << "its key";
  other.match.port = World::kOtherPod;
  other.match.table = Table::kL3;
  other.match.destination = IpPrefix::Host(kOther);
  other.match.protocol = 6;
  EXPECT_FALSE(second.pipeline.Adopt(12346, other, 1, flow.packet, second.now))
      << "a section of keys without a protocol";
  EXPECT_TRUE(second.pipeline.Adopt(12347, other, 2, flow.packet, second.now));
  other.match.protocol.reset();
  EXPECT_FALSE(second.pipeline.Adopt(12348, other, 1, flow.packet, second.now)) << "another shape for one destination";
}

TEST_F(AdoptionTest, IdleTimeBeginsAnew) {
  first.Send(World::kServer);
  Begin();
  second.Pass(std::chrono::seconds(29));
  EXPECT_NE(second.Entry(World::kServer), nullptr);
  second.Pass(std::chrono::seconds(5));
  EXPECT_EQ(second.Entry(World::kServer), nullptr);
}

// ---- packets --------------------------------------------------------------------------------------------------------

class EarlierPacketsTest : public testing::Test {
 protected:
  EarlierPacketsTest() {
    for (const std::uint32_t ifindex : {World::kPod, World::kUplink}) {
      netlink::Link link;
      link.ifindex = ifindex;
      link.name = fmt::format("port{}", ifindex);
      link.flags = 1;  // IFF_UP
      link.address = {{2, 0, 0, 0, 0, static_cast<std::uint8_t>(ifindex)}};
      (void)links.Apply({link});
    }
  }
  [[nodiscard]] std::optional<Miss> For(const Match& match) const {
    const kernel::Topology topology({World::kPod, World::kUplink}, links, kernel::BridgeMirror());
    return EarlierPackets(standing, topology, neighs).For(match);
  }
  static Match Of(Table table, std::uint32_t port) {
    Match match;
    match.table = table;
    match.port = port;
    return match;
  }
  static Match Routed(std::uint32_t port, const IpAddress& destination) {
    Match match = Of(Table::kL3, port);
    match.destination = IpPrefix::Host(destination);
    if (destination.is_v6()) match.ethertype = kEthertypeIpv6;
    return match;
  }
  void Stand(const Match& match, const Action& action) { standing.push_back({1, {match, action}, 1}); }
  void Neighbour(std::uint32_t ifindex, const IpAddress& address, const MacAddress& mac) {
    netlink::Neigh neigh;
    neigh.ifindex = ifindex;
    neigh.address = address;
    neigh.lladdr = mac;
    (void)neighs.Apply({neigh});
  }

  kernel::LinkMirror links;
  kernel::NeighMirror neighs;
  std::vector<offload::Expected> standing;
};

TEST_F(EarlierPacketsTest, WherePacketsToAnAddressLeaveThoseFromItEnter) {
  const Match out = Routed(World::kPod, World::kServer), back = Routed(World::kUplink, World::kPodAddress);
  Stand(out, RouteTo{{World::kUplink, World::kUplinkMac, World::kPeerMac}});
  Stand(back, RouteTo{{World::kPod, World::kPodRouterMac, World::kPodMac}});
  const auto there = For(out), again = For(back);
  ASSERT_TRUE(there && again);
  EXPECT_EQ(there->source, World::kPodAddress);
  EXPECT_EQ(there->destination, World::kServer);
  EXPECT_EQ(there->destination_mac, links.Find(World::kPod)->address);
  EXPECT_EQ(again->source, World::kServer);
}

TEST_F(EarlierPacketsTest, ANeighbourThatIsNotOfTheLinkAloneMaySendThere) {
  const auto server = *IpAddress::Parse("2001:db8::1");
  const Match out = Routed(World::kPod, server);
  Stand(out, RouteTo{{World::kUplink, World::kUplinkMac, World::kPeerMac}});
  ASSERT_TRUE(For(out));
  EXPECT_EQ(ToString(For(out)->source), "100:0:0:1::1") << "nobody is known there";
  Neighbour(World::kPod, *IpAddress::Parse("fe80::7"), World::kPodMac);
  EXPECT_EQ(ToString(For(out)->source), "100:0:0:1::1");
  Neighbour(World::kUplink, *IpAddress::Parse("2001:db8:1::1"), World::kPeerMac);
  Neighbour(World::kPod, World::kPodAddress, World::kPodMac);
  EXPECT_EQ(ToString(For(out)->source), "100:0:0:1::1") << "elsewhere, or of the other family";
  Neighbour(World::kPod, *IpAddress::Parse("2001:db8:7::7"), World::kPodMac);
  const auto packet = For(out);
  ASSERT_TRUE(packet);
  EXPECT_EQ(ToString(packet->source), "2001:db8:7::7");
  EXPECT_EQ(packet->source_mac, World::kPodMac);
}

TEST_F(EarlierPacketsTest, WhereNobodyIsKnownTheDummyAddressStandsForTheSource) {
  const Match out = Routed(World::kPod, World::kServer);
  Stand(out, RouteTo{{World::kUplink, World::kUplinkMac, World::kPeerMac}});
  ASSERT_TRUE(For(out));
  EXPECT_EQ(For(out)->source, IpAddress::V4(192, 0, 0, 8));
}

TEST_F(EarlierPacketsTest, TheKeyHasTheLastWord) {
  Match out = Routed(World::kPod, World::kServer);
  out.source = IpPrefix::Host(IpAddress::V4(10, 0, 7, 99));
  out.protocol = 6;
  out.source_port = 1024;
  out.destination_port = 443;
  out.tos = 0x10;
  out.vlan_priority = 3;
  Stand(out, RouteTo{{World::kUplink, World::kUplinkMac, World::kPeerMac}});
  const auto packet = For(out);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->source, IpAddress::V4(10, 0, 7, 99));
  EXPECT_EQ(KeyOf(*packet, kFieldSource | kFieldProtocol | kFieldPorts | kFieldTos).destination_port, 443);
  EXPECT_EQ(packet->tos, 0x10);
  EXPECT_EQ(packet->vlan_priority, 3);
}

TEST_F(EarlierPacketsTest, ACheckedSourceIsAskedAboutWithADestination) {
  Match source = Of(Table::kL2Source, World::kPod);
  source.source_mac = World::kPodMac;
  source.source = IpPrefix::Host(World::kPodAddress);
  Stand(source, GotoTable{Table::kL2Destination});
  EXPECT_FALSE(For(source));
  Stand(Routed(World::kPod, World::kServer), RouteTo{{World::kUplink, World::kUplinkMac, World::kPeerMac}});
  ASSERT_TRUE(For(source));
  EXPECT_EQ(For(source)->destination, World::kServer);
  source.source.reset();
  standing.clear();
  EXPECT_TRUE(For(source)) << "its MAC alone says enough";
}

}  // namespace
}  // namespace dpuflow::flow
