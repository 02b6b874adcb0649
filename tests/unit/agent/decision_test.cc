// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/decision.h"

#include <gtest/gtest.h>
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
  }
  Answer Ask() const { return Decide(question, path, route, ports, settings); }
  void ExpectSoftware(const char* reason_part) const {
    const Answer answer = Ask();
    EXPECT_EQ(answer.verdict, Answer::Verdict::kSoftware);
    EXPECT_NE(answer.reason.find(reason_part), std::string::npos) << answer.reason;
  }

  flow::Question question;
  PathAnswer path;
  Result<netlink::Route> route{netlink::Route{}};
  DecisionPorts ports;
  DecisionSettings settings;
};

TEST_F(Decision, ASinglePathToAPortIsOffloadedWithItsDependencies) {
  const Answer answer = Ask();
  EXPECT_EQ(answer.verdict, Answer::Verdict::kForward);
  EXPECT_TRUE(answer.source_valid);
  EXPECT_EQ(answer.adjacency, (flow::Adjacency{2, path.source_mac, path.destination_mac}));
  EXPECT_EQ(answer.dependencies.route, route->destination);
  EXPECT_EQ(answer.dependencies.links, std::vector<std::uint32_t>{2});
  EXPECT_EQ(answer.dependencies.neighs, (std::vector<flow::NeighKey>{{2, IpAddress::V4(10, 1, 0, 1)}}));
}

TEST_F(Decision, AnOnLinkDestinationDependsOnItsOwnNeighbour) {
  route->nexthops = {{2, {}, 0, 1, false}};
  EXPECT_EQ(Ask().dependencies.neighs, (std::vector<flow::NeighKey>{{2, question.miss.destination}}));
}

TEST_F(Decision, AnUnresolvedNeighbourMakesItWait) {
  path.result = PathAnswer::Result::kNoNeigh;
  const Answer answer = Ask();
  EXPECT_EQ(answer.verdict, Answer::Verdict::kWait);
  EXPECT_TRUE(answer.source_valid);
  EXPECT_FALSE(answer.dependencies.neighs.empty());
}

TEST_F(Decision, ARefusedSourceIsNotValidThoughTheLookupForwards) {
  route = MakeError(EXDEV, "ask for the route");
  EXPECT_FALSE(Ask().source_valid);
  ExpectSoftware("rp_filter");
  route = MakeError(EINVAL, "ask for the route");
  EXPECT_FALSE(Ask().source_valid);
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

TEST_F(Decision, SeveralPathsStayInSoftwareAndAllAreDependencies) {
  route->nexthops.push_back({3, IpAddress::V4(10, 2, 0, 1), 0, 1, false});
  ExpectSoftware("several paths");
  EXPECT_EQ(Ask().dependencies.links, (std::vector<std::uint32_t>{2, 3}));
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

}  // namespace
}  // namespace dpuflow::kernel
