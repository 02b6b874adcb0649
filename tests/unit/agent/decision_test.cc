// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/decision.h"

#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>

#include <cerrno>

namespace dpuflow::kernel {
namespace {

using flow::Answer;

class Decision : public testing::Test {
 protected:
  Decision() {
    question.flow = 1;
    question.miss.port = 7;
    question.miss.source = IpAddress::V4(10, 0, 7, 2);
    question.miss.destination = IpAddress::V4(192, 0, 2, 1);
    path.result = PathAnswer::Result::kForward;
    path.egress = 2;
    path.source_mac = *MacAddress::Parse("02:00:00:00:00:02");
    path.destination_mac = *MacAddress::Parse("0b:00:00:00:00:01");
    path.next_hop = IpAddress::V4(10, 1, 0, 1);
    path.mtu = 1500;
    route->destination = *IpPrefix::Parse("192.0.2.0/24");
    route->table = RT_TABLE_MAIN;
    route->type = RTN_UNICAST;
    route->nexthops = {{2, IpAddress::V4(10, 1, 0, 1), 0, 1, false}};
    ports[2] = {"p0", true, 1500};
    ports[7] = {"pf0vf0", true, 1500};
    AddLink(2, "p0");
    AddLink(7, "pf0vf0");
    question.miss.protocol = 17;
  }
  Answer Ask() {
    for (const auto& [ifindex, link] : links_by_ifindex) (void)tables.links.Apply({link});
    const Topology topology({2, 7}, tables.links, tables.bridges);
    return Decide(question, path, route, {ports, topology, reach, tables, hash_v4, hash_v6}, settings);
  }
  netlink::Link& AddLink(std::uint32_t ifindex, const char* name) {
    netlink::Link link;
    link.ifindex = ifindex;
    link.name = name;
    link.flags = IFF_UP;
    return links_by_ifindex[ifindex] = link;
  }
  // A VLAN device on a port.
  netlink::Link& AddVlan(std::uint32_t ifindex, std::uint32_t port, std::uint16_t id) {
    netlink::Link& link = AddLink(ifindex, "vlan");
    link.kind = "vlan";
    link.lower = port;
    link.vlan = {.id = id, .protocol = 0x8100, .maps_egress_priority = false};
    return link;
  }
  void ExpectSoftware(const char* reason_part) {
    const Answer answer = Ask();
    EXPECT_EQ(answer.verdict, Answer::Verdict::kSoftware);
    EXPECT_NE(answer.reason.text.find(reason_part), std::string::npos) << answer.reason.text;
  }

  flow::Question question;
  PathAnswer path;
  Result<netlink::Route> route{netlink::Route{}};
  DecisionPorts ports;
  Reach reach;
  std::map<std::uint32_t, netlink::Link> links_by_ifindex;
  Tables tables;
  HashPolicy hash_v4, hash_v6;
  DecisionSettings settings;
};

TEST_F(Decision, ASinglePathToAPortIsOffloadedWithItsDependencies) {
  const Answer answer = Ask();
  EXPECT_EQ(answer.verdict, Answer::Verdict::kForward);
  EXPECT_EQ(answer.source, flow::SourceVerdict::kValid);
  EXPECT_EQ(answer.adjacency, (flow::Adjacency{2, path.source_mac, path.destination_mac}));
  EXPECT_EQ(answer.dependencies.route, route->destination);
  EXPECT_EQ(answer.dependencies.links, std::vector<std::uint32_t>{2});
  EXPECT_EQ(answer.dependencies.neighs, (std::vector<flow::NeighKey>{{2, IpAddress::V4(10, 1, 0, 1)}}));
}

TEST_F(Decision, APortOfAnotherEswitchTakesOnlyWhatTheNicReaches) {
  ports[2].kind = {{"pci", "0000:03:00.1"}, PortRole::kUplink};
  ports[7].kind = {{"pci", "0000:03:00.0"}, PortRole::kVf};
  ExpectSoftware("a port of the other eswitch pci/0000:03:00.1; whether hardware sends there is being tried");
  const auto trials = reach.TakeTrials({{2, ports[2].kind}, {7, ports[7].kind}}, {});
  ASSERT_EQ(trials.size(), 2u);
  (void)reach.OnTried({7, 2}, MakeError(EOPNOTSUPP, "offload", "devices are not on same switch HW"), {});
  ExpectSoftware("devices are not on same switch HW");
  (void)reach.OnTried({2, 7}, Result<void>{}, {});
  ExpectSoftware("devices are not on same switch HW");
  reach.TryAgain();
  (void)reach.TakeTrials({{2, ports[2].kind}, {7, ports[7].kind}}, {});
  (void)reach.OnTried({7, 2}, Result<void>{}, {});
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
}

TEST_F(Decision, ASourceThatIsNotInThePortsListIsInvalid) {
  const std::vector<IpPrefix> sources = {*IpPrefix::Parse("10.0.7.2"), *IpPrefix::Parse("2001:db8::/64")};
  ports[7].sources = &sources;
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
  question.miss.source = IpAddress::V4(10, 0, 7, 3);
  EXPECT_EQ(Ask().source, flow::SourceVerdict::kInvalid);
  EXPECT_EQ(Ask().reason,
            (flow::Reason{flow::Why::kSourceList, "10.0.7.3 is not among the sources of pf0vf0 (sources.pf0vf0)"}));
}

TEST_F(Decision, APathByAVlanDeviceLeavesByItsPortWithItsTag) {
  AddVlan(20, 2, 100);
  path.egress = 20;
  route->nexthops = {{20, IpAddress::V4(10, 1, 0, 1), 0, 1, false}};
  const Answer answer = Ask();
  EXPECT_EQ(answer.verdict, Answer::Verdict::kForward) << answer.reason.text;
  EXPECT_EQ(answer.adjacency, (flow::Adjacency{2, path.source_mac, path.destination_mac, 100}));
  EXPECT_EQ(answer.fields, 0) << "a tag that is new has no priority";
}

TEST_F(Decision, ATagOnlyKeepsItsPriorityWhereThatIsNone) {
  AddVlan(20, 2, 100);
  AddVlan(70, 7, 5);
  path.egress = 20;
  route->nexthops = {{20, IpAddress::V4(10, 1, 0, 1), 0, 1, false}};
  question.miss.vlan = 5;
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
  EXPECT_EQ(Ask().fields, flow::kFieldVlanPriority);
  question.miss.vlan_priority = 3;
  EXPECT_EQ(Ask().fields, flow::kFieldVlanPriority);
  ExpectSoftware("priority 3");
  path.egress = 2;
  route->nexthops = {{2, IpAddress::V4(10, 1, 0, 1), 0, 1, false}};
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward) << "a tag that goes takes its priority along";
}

TEST_F(Decision, AMapOfPrioritiesIsTheKernels) {
  AddVlan(20, 2, 100).vlan->maps_egress_priority = true;
  path.egress = 20;
  route->nexthops = {{20, IpAddress::V4(10, 1, 0, 1), 0, 1, false}};
  ExpectSoftware("maps priorities");
}

TEST_F(Decision, WhatIsNoLaneOfTheSwitchStaysInSoftware) {
  path.egress = 20;
  route->nexthops = {{20, IpAddress::V4(10, 1, 0, 1), 0, 1, false}};
  ExpectSoftware("no port of the switch");
  AddVlan(20, 2, 100).flags = 0;
  ExpectSoftware("no port of the switch");
  AddVlan(20, 2, 100).vlan->protocol = 0x88a8;
  ExpectSoftware("no port of the switch");
  AddVlan(20, 9, 100);
  ExpectSoftware("no port of the switch");
}

TEST_F(Decision, FromOneVlanToAnotherOfTheSamePortStaysInSoftware) {
  AddVlan(20, 7, 100);
  path.egress = 20;
  route->nexthops = {{20, IpAddress::V4(10, 1, 0, 1), 0, 1, false}};
  ExpectSoftware("the port at which it enters");
}

TEST_F(Decision, AnOnLinkDestinationDependsOnItsOwnNeighbour) {
  route->nexthops = {{2, {}, 0, 1, false}};
  path.next_hop = question.miss.destination;
  EXPECT_EQ(Ask().dependencies.neighs, (std::vector<flow::NeighKey>{{2, question.miss.destination}}));
  EXPECT_EQ(Ask().dependencies.next_hop, (flow::NeighKey{2, question.miss.destination}));
}

TEST_F(Decision, OfSeveralPathsOneNeighbourIsTheNextHop) {
  route->nexthops = {{2, IpAddress::V4(10, 1, 0, 9), 0, 1, false}, {2, path.next_hop, 0, 1, false}};
  const Answer answer = Ask();
  EXPECT_EQ(answer.dependencies.neighs.size(), 2u);
  EXPECT_EQ(answer.dependencies.next_hop, (flow::NeighKey{2, path.next_hop}));
}

TEST_F(Decision, APacketThatGoesNowhereHasNoNextHop) {
  path = {.result = PathAnswer::Result::kUnreachable};
  EXPECT_EQ(Ask().dependencies.next_hop, std::nullopt);
}

TEST_F(Decision, AnUnresolvedNeighbourMakesItWait) {
  path.result = PathAnswer::Result::kNoNeigh;
  const Answer answer = Ask();
  EXPECT_EQ(answer.verdict, Answer::Verdict::kWait);
  EXPECT_EQ(answer.source, flow::SourceVerdict::kValid);
  EXPECT_FALSE(answer.dependencies.neighs.empty());
}

TEST_F(Decision, ARefusedSourceIsNotValidThoughTheLookupForwards) {
  route = MakeError(EXDEV, "ask for the route");
  EXPECT_EQ(Ask().source, flow::SourceVerdict::kInvalid);
  ExpectSoftware("rp_filter");
  route = MakeError(EINVAL, "ask for the route");
  EXPECT_EQ(Ask().source, flow::SourceVerdict::kInvalid);
  ExpectSoftware("martian");
}

TEST_F(Decision, LocalBlackholeUnreachableAndProhibitStayWithTheKernel) {
  for (const auto result :
       {PathAnswer::Result::kLocal, PathAnswer::Result::kBlackhole, PathAnswer::Result::kUnreachable,
        PathAnswer::Result::kProhibit, PathAnswer::Result::kForwardingOff, PathAnswer::Result::kTunnel}) {
    path.result = result;
    EXPECT_EQ(Ask().verdict, Answer::Verdict::kSoftware);
    EXPECT_FALSE(Ask().reason.empty());
  }
}

TEST_F(Decision, APacketThatWouldNotFitStaysInSoftwareUnlessSizesAreTrusted) {
  path.result = PathAnswer::Result::kTooBig;
  path.mtu = 1400;
  ExpectSoftware("1400");
  path.result = PathAnswer::Result::kForward;
  settings.trust_size = true;
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
}

TEST_F(Decision, SeveralPathsNeedWhatTheHashPolicyLooksAtAndAllAreDependencies) {
  route->nexthops.push_back({3, IpAddress::V4(10, 2, 0, 1), 0, 1, false});
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
  EXPECT_EQ(Ask().dependencies.links, (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(Ask().fields, flow::kFieldSource);
  hash_v4.policy = 1;
  EXPECT_EQ(Ask().fields, flow::kFieldSource | flow::kFieldProtocol | flow::kFieldPorts);
  hash_v4 = {3, 0x30};
  EXPECT_EQ(Ask().fields, flow::kFieldProtocol | flow::kFieldPorts);
  EXPECT_TRUE(Ask().uniform);
}

TEST_F(Decision, AProtocolThatTheKernelCannotBeAskedAboutStaysInSoftwareOnSeveralPaths) {
  question.miss.protocol = 47;
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
  route->nexthops.push_back({3, IpAddress::V4(10, 2, 0, 1), 0, 1, false});
  ExpectSoftware("IP protocol 47");
}

TEST_F(Decision, ARouteThatOnlyNamesItsNexthopHasTheMembersOfThat) {
  route->nexthops.clear();
  route->nexthop_id = 20;
  tables.nexthops.Reset({{.id = 20, .group = {11, 12}},
                         {.id = 11, .ifindex = 2, .gateway = IpAddress::V4(10, 1, 0, 1)},
                         {.id = 12, .ifindex = 3, .gateway = IpAddress::V4(10, 2, 0, 1)}});
  const Answer answer = Ask();
  EXPECT_EQ(answer.dependencies.nexthop_ids, (std::vector<std::uint32_t>{20, 11, 12}));
  EXPECT_EQ(answer.dependencies.links, (std::vector<std::uint32_t>{2, 3}));
  EXPECT_EQ(answer.dependencies.neighs.size(), 2u);
  EXPECT_EQ(answer.fields, flow::kFieldSource) << "two members: the hash decides";
}

TEST_F(Decision, ThePathTakenIsADependencyInAnyCase) {
  route->nexthops.clear();
  EXPECT_EQ(Ask().dependencies.links, std::vector<std::uint32_t>{2});
  EXPECT_EQ(Ask().dependencies.neighs, (std::vector<flow::NeighKey>{{2, path.next_hop}}));
}

TEST_F(Decision, WhatARuleLooksAtIsInTheKey) {
  netlink::Rule rule;
  rule.family = Family::kIpv4;
  rule.source = *IpPrefix::Parse("10.0.0.0/8");
  tables.rules.Reset({rule});
  EXPECT_EQ(Ask().fields, flow::kFieldSource);
  EXPECT_FALSE(Ask().uniform);
  rule.obscure = true;
  tables.rules.Reset({rule});
  ExpectSoftware("policy rule");
}

TEST_F(Decision, ARouteForOneTosPutsTheTosIntoTheKeysOfItsDestinations) {
  netlink::Route with_tos;
  with_tos.destination = *IpPrefix::Parse("192.0.2.0/25");
  with_tos.tos = 0x10;
  tables.special_routes.Reset({with_tos});
  EXPECT_EQ(Ask().fields, flow::kFieldTos);
  EXPECT_FALSE(Ask().uniform);
  question.miss.destination = *IpAddress::Parse("192.0.2.200");
  EXPECT_EQ(Ask().fields, 0);
}

TEST_F(Decision, WhatOnlyTheStackAppliesKeepsTheFlowThereUnlessTheOperatorIgnoresIt) {
  netlink::BaseChain chain;
  chain.family = NFPROTO_INET;
  chain.table = "filter";
  chain.name = "forward";
  chain.hook = NF_INET_FORWARD;
  chain.rules = 1;
  tables.forward_path.Reset(std::vector{chain});
  ExpectSoftware("table filter chain forward");
  settings.respect_netfilter = false;
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
}

TEST_F(Decision, AShapedEgressConcernsWhatLeavesThere) {
  netlink::Qdisc shaper;
  shaper.ifindex = 2;
  shaper.kind = "tbf";
  tables.forward_path.Reset(QuietTables{{shaper}, {}, {}});
  ExpectSoftware("tbf");
  shaper.ifindex = 9;
  tables.forward_path.Reset(QuietTables{{shaper}, {}, {}});
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
}

TEST_F(Decision, ARefusalWhileThePathDoesNotForwardSaysNothingOfTheSource) {
  path.result = PathAnswer::Result::kBlackhole;
  route = MakeError(EINVAL, "ask for the route");
  EXPECT_EQ(Ask().source, flow::SourceVerdict::kUnknown);
  route = MakeError(ENOBUFS, "ask for the route");
  path.result = PathAnswer::Result::kForward;
  EXPECT_EQ(Ask().source, flow::SourceVerdict::kUnknown);
}

TEST_F(Decision, Ipv6SourcesThatStayOnTheLinkAreInvalid) {
  question.miss.destination = *IpAddress::Parse("2001:db8::1");
  for (const char* source : {"fe80::1", "ff02::1", "::1", "::"}) {
    question.miss.source = *IpAddress::Parse(source);
    EXPECT_EQ(Ask().source, flow::SourceVerdict::kInvalid) << source;
    ExpectSoftware("scope");
  }
  question.miss.source = *IpAddress::Parse("2001:db8:1::1");
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
}

TEST_F(Decision, ARouteWithAnMtuOfItsOwnIsAsNarrowThoughTheLookupDoesNotSaySo) {
  route->mtu = 1300;
  ExpectSoftware("takes 1300 bytes");
  settings.trust_size = true;
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
  settings.trust_size = false;
  route->mtu = 1500;
  EXPECT_EQ(Ask().verdict, Answer::Verdict::kForward);
}

TEST_F(Decision, AnEgressThatIsNoReadyPortStaysInSoftware) {
  ports[2].ready = false;
  ExpectSoftware("p0");
  ports.erase(2);
  ExpectSoftware("no port of the switch");
}

TEST_F(Decision, BackOutOfItsOwnPortStaysInSoftware) {
  path.egress = 7;
  ExpectSoftware("enters");
}

TEST_F(Decision, EncapsulationAndRoutesThatAreNotUnicastStayInSoftware) {
  route->nexthops[0].encapsulated = true;
  ExpectSoftware("encapsulates");
  route->nexthops[0].encapsulated = false;
  route->type = RTN_BROADCAST;
  ExpectSoftware("not unicast");
}

// A route that is being replaced is not there for an instant: one of two lookups then finds none.
TEST(Contradiction, IsWhereOneAnswerHasARouteAndTheOtherNone) {
  PathAnswer forward;
  forward.result = PathAnswer::Result::kForward;
  PathAnswer none;
  none.result = PathAnswer::Result::kUnreachable;
  netlink::Route route;
  route.type = RTN_UNICAST;
  const auto error = [](int code) {
    return Result<netlink::Route>(tl::make_unexpected(Error{code, "ask for a route", {}}));
  };
  EXPECT_TRUE(Contradict(none, route));
  EXPECT_TRUE(Contradict(forward, error(ENETUNREACH)));
  EXPECT_FALSE(Contradict(forward, route));
  EXPECT_FALSE(Contradict(none, error(ENETUNREACH)));
  EXPECT_FALSE(Contradict(forward, error(EXDEV)));  // about the source
  PathAnswer none_or_local;                         // as bpf_fib_lookup says it
  none_or_local.result = PathAnswer::Result::kLocal;
  EXPECT_TRUE(Contradict(none_or_local, route));
  EXPECT_FALSE(Contradict(none_or_local, error(ENETUNREACH)));
  route.type = RTN_UNREACHABLE;
  EXPECT_FALSE(Contradict(none, route));
  route.type = RTN_LOCAL;
  EXPECT_FALSE(Contradict(none_or_local, route));
}

}  // namespace
}  // namespace dpuflow::kernel
