// SPDX-License-Identifier: Apache-2.0
//
// Explanations of packets in the small world of a pipeline, with the kernel's words made up here; and what the API shows.
#include "agent/explain.h"

#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>

#include <cerrno>

#include "agent/api/idl.h"
#include "agent/api/interfaces.h"
#include "agent/explain_view.h"
#include "agent/kernel/bridging.h"
#include "tests/unit/agent/world.h"

namespace dpuflow {
namespace {

using api::Json;
using flow::World;
using Decision = Explanation::Decision;

const IpAddress kRouter = IpAddress::V4(10, 1, 0, 1);

class ExplainTest : public testing::Test {
 protected:
  ExplainTest() {
    port.info.link.ifindex = World::kPod;
    port.info.link.name = "pf0vf0";
    port.info.link.address = World::kPodRouterMac;
    port.state = PortSlot::State::kReady;
    ports[World::kPod] = {"pf0vf0", true, 1500};
    ports[World::kUplink] = {"p0", true, 1500};
    for (const auto& [ifindex, name] : {std::pair(World::kPod, "pf0vf0"), {World::kUplink, "p0"}}) {
      netlink::Link link;
      link.ifindex = ifindex;
      link.name = name;
      link.address = ifindex == World::kPod ? World::kPodRouterMac : World::kUplinkMac;
      (void)tables.links.Apply(netlink::Event<netlink::Link>{link});
    }
    question.packet = world.MissTo(World::kServer);
    question.packet.source_mac = {};
    insight.path.result = PathAnswer::Result::kForward;
    insight.path.egress = World::kUplink;
    insight.path.next_hop = kRouter;
    insight.path.mtu = 1500;
    insight.route->destination = *IpPrefix::Parse("192.0.2.0/24");
    insight.route->table = RT_TABLE_MAIN;
    insight.route->type = RTN_UNICAST;
    insight.route->protocol = RTPROT_BGP;
    insight.route->nexthops = {{World::kUplink, kRouter, 0, 1, false}};
    tables.rules.Reset({Rule(0, RT_TABLE_LOCAL), Rule(32766, RT_TABLE_MAIN), Rule(32767, RT_TABLE_DEFAULT)});
    world.Route(World::kServer);
  }

  static netlink::Rule Rule(std::uint32_t priority, std::uint32_t table) {
    netlink::Rule rule;
    rule.family = Family::kIpv4;
    rule.priority = priority;
    rule.table = table;
    rule.action = FR_ACT_TO_TBL;
    return rule;
  }

  // The kernel's words, and the decision that follows.
  Explanation Ask() {
    const kernel::Topology topology({World::kPod, World::kUplink}, tables.links, tables.bridges);
    const kernel::Reach reach;
    const kernel::DecisionContext decision{ports, topology, reach, tables, hash_v4, hash_v6};
    const ExplainContext context{port, world.pipeline, decision, classifier, true};
    if (!CanAskKernel(question, context)) return Check(Explain(question, std::nullopt, context));
    if (kernel::IsBridged(question.packet, topology)) {
      insight.answer = kernel::DecideBridged({0, question.packet}, nullptr, decision, {});
    } else {
      insight.answer = kernel::Decide({0, question.packet}, insight.path, insight.route, decision, {});
    }
    return Check(Explain(question, insight, context));
  }
  // Every explanation fits the interface definition.
  Explanation Check(Explanation explanation) {
    static const auto kInterface = api::ParseInterface(api::kAgentInterface);
    EXPECT_EQ(api::Mismatch(*kInterface, kInterface->methods.at("Explain").output, View(explanation)), std::nullopt);
    return explanation;
  }
  Json View(const Explanation& explanation) const {
    return ExplanationView(
        explanation, [this](std::uint32_t ifindex) { return tables.links.Name(ifindex); }, world.now);
  }
  void ExpectSoftware(const Explanation& explanation, const std::string& reason, Verdict verdict) {
    EXPECT_EQ(explanation.decision, Decision::kSoftware);
    EXPECT_EQ(explanation.summary, "in software: " + reason);
    EXPECT_EQ(explanation.verdict, verdict) << ToString(explanation.verdict);
  }

  // From here on pod and uplink are ports of a bridge.
  void Bridge() {
    netlink::Link bridge;
    bridge.ifindex = kBridge;
    bridge.name = "br0";
    bridge.flags = IFF_UP;
    bridge.bridge.emplace();
    (void)tables.links.Apply({bridge});
    for (const std::uint32_t ifindex : {World::kPod, World::kUplink}) {
      netlink::Link link = *tables.links.Find(ifindex);
      link.master = kBridge;
      link.mtu = 1500;
      (void)tables.links.Apply({link});
      netlink::BridgePort member;
      member.ifindex = ifindex;
      member.bridge = kBridge;
      member.state = BR_STATE_FORWARDING;
      ports[ifindex].mtu = 1500;
      (void)tables.bridges.Apply(netlink::Event<netlink::BridgePort>{member});
    }
  }

  static constexpr std::uint32_t kBridge = 50;
  World world;
  PortSlot port;
  kernel::DecisionPorts ports;
  kernel::Tables tables;
  kernel::HashPolicy hash_v4, hash_v6;
  ClassifierSettings classifier;
  PacketQuestion question;
  kernel::Insight insight;
};

TEST_F(ExplainTest, APacketThatNobodyHasSentYet) {
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.verdict, DPUFLOW_VERDICT_SOURCE_UNKNOWN) << "nobody has asked about it";
  EXPECT_EQ(explanation.decision, Decision::kForward);
  EXPECT_TRUE(explanation.entries.empty());
  EXPECT_EQ(explanation.summary, "in software: its entries are added when a packet asks for them");
  EXPECT_EQ(explanation.why_path, "the only path");
  EXPECT_EQ(explanation.rule, 32766u);
  EXPECT_EQ(explanation.key, flow::KeyOf(question.packet, 0));
}

TEST_F(ExplainTest, AFlowInHardwareHasItsThreeEntriesInOrder) {
  world.Send(World::kServer);
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.summary, "in hardware: it leaves by p0");
  EXPECT_EQ(explanation.verdict, DPUFLOW_VERDICT_FORWARDED);
  ASSERT_EQ(explanation.entries.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(explanation.entries[i].table(), static_cast<flow::Table>(i + 1));
  }
}

TEST_F(ExplainTest, WithoutChainsAFlowHasOneEntryOfEverySender) {
  port.form = flow::Form::kFlat;
  world.SetPort(World::kPod, World::kPodRouterMac, [](flow::Port& each) { each.form = flow::Form::kFlat; });
  world.Run();
  Explanation explanation = Ask();
  EXPECT_EQ(explanation.summary, "in software: its entries are added when a packet asks for them");
  EXPECT_EQ(explanation.key->table, flow::Table::kFlat);
  world.Send(World::kServer);
  flow::Miss other = world.MissTo(World::kServer);
  other.source_mac = World::kPeerMac;
  world.pipeline.OnMiss(other, world.now);
  world.Send(IpAddress::V4(192, 0, 2, 9));
  world.Run();
  explanation = Ask();
  EXPECT_EQ(explanation.summary, "in hardware: it leaves by p0");
  ASSERT_EQ(explanation.entries.size(), 2u);
  for (const flow::Flow& flow : explanation.entries) EXPECT_EQ(flow.table(), flow::Table::kFlat);
  EXPECT_EQ(explanation.notes.size(), 1u) << "that the NIC has no chains";
  EXPECT_EQ(View(explanation)["chains"], false);
}

TEST_F(ExplainTest, NothingChangesByAsking) {
  world.Send(World::kServer);
  const std::size_t flows = world.pipeline.flows().size(), operations = world.log.size();
  const std::uint64_t misses = world.pipeline.counters().misses, questions = world.pipeline.counters().questions;
  question.packet.destination = IpAddress::V4(192, 0, 2, 9);
  question.packet.source = IpAddress::V4(10, 0, 7, 9);
  (void)Ask();
  world.Run();
  EXPECT_EQ(world.pipeline.flows().size(), flows);
  EXPECT_EQ(world.pipeline.counters().misses, misses);
  EXPECT_EQ(world.pipeline.counters().questions, questions);
  EXPECT_EQ(world.log.size(), operations);
  EXPECT_FALSE(world.pipeline.IsApproved({World::kPod}, question.packet.source));
}

TEST_F(ExplainTest, ANeighbourThatIsAwaited) {
  insight.path.result = PathAnswer::Result::kNoNeigh;
  netlink::Neigh neigh;
  neigh.ifindex = World::kUplink;
  neigh.address = kRouter;
  neigh.state = NUD_INCOMPLETE;
  (void)tables.neighs.Apply(netlink::Event<netlink::Neigh>{neigh});
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.decision, Decision::kWait);
  EXPECT_EQ(explanation.verdict, DPUFLOW_VERDICT_NO_NEIGH);
  EXPECT_EQ(explanation.summary, "in software: waits for the neighbour 10.1.0.1");
  EXPECT_EQ(View(explanation)["neighbour"], (Json{{"address", "10.1.0.1"}, {"port", "p0"}, {"state", "INCOMPLETE"}}));
}

TEST_F(ExplainTest, WhatTheKernelKeepsOrDrops) {
  using R = PathAnswer::Result;
  insight.path = {};
  const auto with = [&](R result, int error) {
    insight.path.result = result;
    insight.route = MakeError(error, "ask for a route");
    return Ask();
  };
  ExpectSoftware(with(R::kLocal, ENETUNREACH), "no route", DPUFLOW_VERDICT_LOCAL);
  ExpectSoftware(with(R::kProhibit, EACCES), "the route prohibits it", DPUFLOW_VERDICT_PROHIBIT);
  ExpectSoftware(with(R::kUnreachable, EHOSTUNREACH), "the route says that the destination is unreachable",
                 DPUFLOW_VERDICT_UNREACHABLE);
  const Explanation blackhole = with(R::kBlackhole, EINVAL);
  ExpectSoftware(blackhole, "the route is a blackhole", DPUFLOW_VERDICT_BLACKHOLE);
  ASSERT_EQ(blackhole.notes.size(), 1u);
  EXPECT_NE(blackhole.notes[0].find("ip route show table all match 192.0.2.1"), std::string::npos);
}

TEST_F(ExplainTest, WhatIsForTheMachineItselfIsControlByItsName) {
  insight.path = {};
  insight.path.result = PathAnswer::Result::kLocal;
  insight.route->type = RTN_LOCAL;
  const std::tuple<int, int, const char*> kCases[] = {
      {6, 179, " (BGP)"}, {17, 3784, " (BFD)"}, {89, 0, " (OSPF)"}, {17, 53, ""}};
  for (const auto& [protocol, to, name] : kCases) {
    question.packet.protocol = static_cast<std::uint8_t>(protocol);
    question.packet.destination_port = static_cast<std::uint16_t>(to);
    ExpectSoftware(Ask(), std::string("it is for this machine itself") + name, DPUFLOW_VERDICT_LOCAL);
  }
}

TEST_F(ExplainTest, TheKernelsOwnRoutesAreInTheTableLocalThoughItNamesMain) {
  insight.path = {};
  insight.path.result = PathAnswer::Result::kLocal;
  insight.route->type = RTN_LOCAL;
  insight.route->protocol = RTPROT_KERNEL;
  EXPECT_EQ(Ask().route->table, std::uint32_t{RT_TABLE_LOCAL});
  EXPECT_EQ(Ask().rule, 0u);
}

TEST_F(ExplainTest, DestinationsThatSayEnough) {
  const std::pair<const char*, Verdict> kCases[] = {{"224.0.0.5", DPUFLOW_VERDICT_MULTICAST},
                                                    {"255.255.255.255", DPUFLOW_VERDICT_MULTICAST},
                                                    {"169.254.1.1", DPUFLOW_VERDICT_LINK_LOCAL},
                                                    {"127.0.0.1", DPUFLOW_VERDICT_MARTIAN},
                                                    {"ff02::1", DPUFLOW_VERDICT_MULTICAST},
                                                    {"fe80::1", DPUFLOW_VERDICT_LINK_LOCAL},
                                                    {"::1", DPUFLOW_VERDICT_MARTIAN}};
  for (const auto& [address, verdict] : kCases) {
    question.packet.destination = *IpAddress::Parse(address);
    const Explanation explanation = Ask();
    EXPECT_EQ(explanation.verdict, verdict) << address;
    EXPECT_EQ(explanation.decision, Decision::kSoftware);
    EXPECT_FALSE(explanation.reason.empty());
  }
}

TEST_F(ExplainTest, OfSeveralPathsTheOneTakenAndWhy) {
  insight.route->nexthops = {{World::kUplink, IpAddress::V4(10, 1, 0, 2), 0, 1, false},
                             {World::kUplink, kRouter, 0, 3, false}};
  hash_v4.policy = 1;
  Explanation explanation = Ask();
  EXPECT_EQ(explanation.taken, 1u);
  EXPECT_EQ(explanation.why_path,
            "path 2 of 2, by the kernel's hash of source, destination, protocol, source port, destination port (sysctl "
            "net.ipv4.fib_multipath_hash_policy = 1)");
  EXPECT_EQ(explanation.key->destination_port, 7);
  const Json paths = View(explanation)["route"]["paths"];
  EXPECT_EQ(paths[0]["taken"], false);
  EXPECT_EQ(paths[1], (Json{{"gateway", "10.1.0.1"}, {"egress", "p0"}, {"weight", 3}, {"taken", true}}));

  question.packet.source_port = question.packet.destination_port = 0;
  question.any_protocol = true;
  explanation = Ask();
  EXPECT_NE(explanation.summary.find("the path depends on ports"), std::string::npos);
  EXPECT_NE(explanation.notes.at(0).find("UDP was taken"), std::string::npos);
}

TEST_F(ExplainTest, TheRuleThatNamesTheTableIfThereIsOne) {
  insight.route->table = 100;
  EXPECT_EQ(Ask().rule, std::nullopt);
  netlink::Rule rule = Rule(100, 100);
  rule.source = *IpPrefix::Parse("10.0.7.0/24");
  netlink::Rule other = Rule(90, 100);
  other.iif = "pf0vf1";
  tables.rules.Reset({other, rule});
  EXPECT_EQ(Ask().rule, 100u);
  tables.rules.Reset({Rule(80, 100), rule});
  EXPECT_EQ(Ask().rule, std::nullopt) << "it may be either";
}

TEST_F(ExplainTest, APortThatTakesNoPart) {
  port.state = PortSlot::State::kRefused;
  port.refusal = "it belongs to the bond bond0";
  port.hint = "ip link set dev pf0vf0 nomaster";
  port.info.link.master = 40;
  (void)tables.links.Apply(netlink::Event<netlink::Link>{port.info.link});
  ports[World::kPod].ready = false;
  const Explanation explanation = Ask();
  ExpectSoftware(explanation, "pf0vf0 takes no part: it belongs to the bond bond0", DPUFLOW_VERDICT_NOT_A_PORT);
  EXPECT_EQ(explanation.hint, "ip link set dev pf0vf0 nomaster");
  EXPECT_FALSE(explanation.route) << "the bond is what routes";
  EXPECT_NE(explanation.notes.at(0).find("if40"), std::string::npos);
}

TEST_F(ExplainTest, OffloadSwitchedOff) {
  port.offload = ports[World::kPod].offload = false;
  const Explanation explanation = Ask();
  ExpectSoftware(explanation, "offload is switched off at pf0vf0", DPUFLOW_VERDICT_NOT_A_PORT);
  EXPECT_EQ(explanation.hint, "dpuflowctl offload on dev pf0vf0");
  EXPECT_TRUE(explanation.route);
}

TEST_F(ExplainTest, APacketOfAVlanThatNobodyKnowsIsNotAskedAbout) {
  question.packet.vlan = 10;
  const Explanation explanation = Ask();
  ExpectSoftware(explanation, "pf0vf0 has no VLAN device with id 10 that is up", DPUFLOW_VERDICT_VLAN);
  EXPECT_FALSE(explanation.route || explanation.key);
}

TEST_F(ExplainTest, APacketToAStationIsBridged) {
  Bridge();
  const MacAddress station = *MacAddress::Parse("0a:00:00:00:00:77");
  question.names_mac = true;
  question.packet.destination_mac = station;
  Explanation explanation = Ask();
  ExpectSoftware(explanation, "the bridge has not learned behind which port 0a:00:00:00:00:77 is (bridge fdb)",
                 DPUFLOW_VERDICT_BRIDGED);
  EXPECT_FALSE(explanation.fdb);
  (void)tables.bridges.Apply(
      netlink::Event<netlink::FdbEntry>{{World::kUplink, kBridge, station, 0, false, true, false}});
  explanation = Ask();
  EXPECT_EQ(explanation.station, (flow::StationKey{kBridge, 0, station}));
  ASSERT_TRUE(explanation.fdb);
  EXPECT_EQ(explanation.decision, Decision::kForward) << explanation.reason;
  EXPECT_EQ(explanation.bridged_by, World::kUplink);
  EXPECT_EQ(explanation.key->table, flow::Table::kL2Destination);
  EXPECT_FALSE(explanation.route || explanation.next_hop);
  EXPECT_EQ(explanation.summary, "in software: its entries are added when a packet asks for them");
  EXPECT_EQ(View(explanation)["station"]["state"], "dynamic");
}

TEST_F(ExplainTest, ASenderThatIsNamedIsToBeKnownToTheBridge) {
  Bridge();
  const MacAddress sender = *MacAddress::Parse("0a:00:00:00:00:66"), station = *MacAddress::Parse("0a:00:00:00:00:77");
  question.names_mac = true;
  question.packet.destination_mac = station;
  const auto learned = [&](std::uint32_t ifindex, const MacAddress& mac) {
    (void)tables.bridges.Apply(netlink::Event<netlink::FdbEntry>{{ifindex, kBridge, mac, 0, false, true, false}});
  };
  learned(World::kUplink, station);
  netlink::BridgePort member = *tables.bridges.Port(World::kPod);
  member.learning = true;
  (void)tables.bridges.Apply(netlink::Event<netlink::BridgePort>{member});
  EXPECT_EQ(Ask().decision, Decision::kForward) << "of whoever is known";
  question.packet.source_mac = sender;
  ExpectSoftware(Ask(), "the bridge has not learned behind which port 0a:00:00:00:00:66 is (bridge fdb)",
                 DPUFLOW_VERDICT_BRIDGED);
  learned(World::kPod, sender);
  EXPECT_EQ(Ask().decision, Decision::kForward);
}

TEST_F(ExplainTest, APacketToAnotherMacIsNobodysWhereNoBridgeIs) {
  world.Send(World::kServer);
  question.names_mac = true;
  question.packet.destination_mac = *MacAddress::Parse("02:00:00:00:00:99");
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.decision, Decision::kSoftware);
  EXPECT_EQ(explanation.verdict, DPUFLOW_VERDICT_OTHER_HOST);
  EXPECT_FALSE(explanation.in_hardware);
}

TEST_F(ExplainTest, WhereABridgeHasNoInterfaceTheMacIsToBeNamed) {
  Bridge();
  EXPECT_NE(Ask().reason.find("dst_mac"), std::string::npos);
}

TEST_F(ExplainTest, Ipv6WhileTheMachineDoesNotForwardIt) {
  question.packet = world.MissTo(*IpAddress::Parse("2001:db8::1"), *IpAddress::Parse("2001:db8:7::2"));
  classifier.ipv6_forwarding = false;
  ExpectSoftware(Ask(), "the machine does not forward IPv6", DPUFLOW_VERDICT_FORWARDING_DISABLED);
}

TEST_F(ExplainTest, ASourceThatIsRefusedIsInSoftwareBesideAnEntryOfOthers) {
  world.Send(World::kServer);
  question.packet.source = IpAddress::V4(10, 0, 9, 9);
  insight.route = MakeError(EXDEV, "ask for a route");
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.source, flow::SourceVerdict::kInvalid);
  ExpectSoftware(explanation, "the source fails the reverse-path check (rp_filter)", DPUFLOW_VERDICT_SOURCE_UNKNOWN);
}

TEST_F(ExplainTest, AGuardAgainstTheSourceComesFirst) {
  world.Send(World::kServer);
  question.packet.source = IpAddress::V4(127, 0, 0, 5);
  insight.route = MakeError(EINVAL, "ask for a route");
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.entries.at(0).table(), flow::Table::kGuard);
  ExpectSoftware(explanation, "the source is not acceptable (martian)", DPUFLOW_VERDICT_SOURCE_UNKNOWN);
}

TEST_F(ExplainTest, WhatTheStackDoesIsTheReasonAndTheVerdict) {
  world.Send(World::kServer);
  netlink::BaseChain chain;
  chain.family = NFPROTO_INET;
  chain.hook = NF_INET_FORWARD;
  chain.table = "test";
  chain.name = "forwarding";
  chain.rules = 1;
  tables.forward_path.Reset(std::vector{chain});
  classifier.stack_only_v4 = true;
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.verdict, DPUFLOW_VERDICT_STACK_ONLY);
  EXPECT_NE(explanation.summary.find("in hardware, and about to leave it: netfilter"), std::string::npos);
}

TEST_F(ExplainTest, ARefusedEntryKeepsTheDriversWords) {
  world.refusal = Error{ENOSPC, "add filter", "the table is full"};
  world.Send(World::kServer);
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.decision, Decision::kSoftware);
  EXPECT_NE(explanation.summary.find("the table is full"), std::string::npos) << explanation.summary;
}

TEST_F(ExplainTest, AMarkIsExplainedAndNotLookedAt) {
  question.mark = 7;
  const Explanation explanation = Ask();
  EXPECT_EQ(explanation.decision, Decision::kForward);
  EXPECT_NE(explanation.notes.at(0).find("no packet from a port carries a mark"), std::string::npos);
}

TEST_F(ExplainTest, APathThatIsTooNarrow) {
  insight.path.mtu = 1400;
  EXPECT_NE(Ask().notes.at(0).find("more than 1400 bytes"), std::string::npos);
}

class ParsePacketTest : public ExplainTest {
 protected:
  // The parameter that is refused; nothing: none.
  std::string Refused(const Json& more) {
    Json parameters = {{"destination", "192.0.2.1"}, {"source", "10.0.7.2"}, {"port", "pf0vf0"}};
    parameters.update(more);
    const auto parsed =
        ParsePacket(parameters, {{World::kPod, port}}, kernel::Topology({World::kPod}, tables.links, tables.bridges));
    return parsed ? "" : parsed.error();
  }
};

TEST_F(ParsePacketTest, WhatIsLeftOutIsAsIpRouteGetHasIt) {
  const auto parsed = ParsePacket({{"destination", "192.0.2.1"}, {"source", "10.0.7.2"}, {"port", "pf0vf0"}},
                                  {{World::kPod, port}}, kernel::Topology({World::kPod}, tables.links, tables.bridges));
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->any_protocol);
  flow::Miss expected = world.MissTo(World::kServer);
  expected.source_mac = {};
  expected.source_port = expected.destination_port = 0;
  EXPECT_EQ(parsed->packet, expected);
}

TEST_F(ParsePacketTest, WhatIsOutOfBoundsIsRefusedByName) {
  EXPECT_EQ(Refused({{"destination", "192.0.2.0/24"}}), "destination");
  EXPECT_EQ(Refused({{"source", "2001:db8::1"}}), "source");
  EXPECT_EQ(Refused({{"port", "eth9"}}), "port");
  EXPECT_EQ(Refused({{"protocol", 256}}), "protocol");
  EXPECT_EQ(Refused({{"source_port", 0}}), "source_port");
  EXPECT_EQ(Refused({{"destination_port", 65536}}), "destination_port");
  EXPECT_EQ(Refused({{"protocol", 1}, {"destination_port", 80}}), "destination_port");
  EXPECT_EQ(Refused({{"tos", -1}}), "tos");
  EXPECT_EQ(Refused({{"mark", 0x100000000}}), "mark");
  EXPECT_EQ(Refused({{"vlan", 0}}), "vlan");
  EXPECT_EQ(Refused({{"protocol", 6}, {"source_port", 1}, {"destination_port", 65535}, {"tos", 255}, {"vlan", 4094}}),
            "");
}

}  // namespace
}  // namespace dpuflow
