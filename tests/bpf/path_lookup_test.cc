// SPDX-License-Identifier: Apache-2.0
//
// The batched lookup against the routes that were made, against `ip route get`, and against what the classifier does.
#include <net/if.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <set>
#include <sstream>
#include <thread>

#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

using enum PathAnswer::Result;

class PathLookupTest : public ClassifierTest {
 protected:
  static PathQuery To(std::string_view destination, std::uint16_t length = 100) {
    return {.ingress = Ifindex("pod0"),
            .source = Ip("10.1.0.2"),
            .destination = Ip(destination),
            .protocol = 17,
            .source_port = 40000,
            .destination_port = 7,
            .length = length};
  }
  static std::string NameOf(std::uint32_t ifindex) {
    std::array<char, IF_NAMESIZE> name{};
    return if_indextoname(ifindex, name.data()) != nullptr ? name.data() : "nothing";
  }
  PathAnswer Ask(const PathQuery& query) {
    PathAnswer answer;
    const auto asked = classifier_->ResolveBatch({&query, 1}, {&answer, 1});
    EXPECT_TRUE(asked) << ToString(asked.error());
    return answer;
  }
};

TEST_F(PathLookupTest, NamesThePath) {
  EXPECT_EQ(Ask(To("10.2.0.2")), (PathAnswer{.result = kForward,
                                             .egress = Ifindex("pod1"),
                                             .source_mac = Mac(kPod1Mac),
                                             .destination_mac = Mac(kPod1Neighbour),
                                             .next_hop = Ip("10.2.0.2"),
                                             .mtu = 1500}));
  EXPECT_EQ(Ask(To("198.51.100.7")), (PathAnswer{.result = kForward,
                                                 .egress = Ifindex("uplink"),
                                                 .source_mac = Mac(kUplinkMac),
                                                 .destination_mac = Mac(kUplinkNeighbour),
                                                 .next_hop = Ip("10.3.0.2"),
                                                 .mtu = 1500}));
}

TEST_F(PathLookupTest, SaysWhyNot) {
  Command(
      "ip route add blackhole 203.0.113.0/26 && ip route add unreachable 203.0.113.64/26 &&"
      "ip route add prohibit 203.0.113.128/26 && ip route add 198.51.101.0/24 via 10.3.0.2 mtu lock 600 &&"
      "ip route add 198.51.102.0/24 via 10.3.0.77");
  EXPECT_EQ(Ask(To("203.0.113.1")), (PathAnswer{.result = kBlackhole}));
  EXPECT_EQ(Ask(To("203.0.113.65")), (PathAnswer{.result = kUnreachable}));
  EXPECT_EQ(Ask(To("203.0.113.129")), (PathAnswer{.result = kProhibit}));
  EXPECT_EQ(Ask(To("10.1.0.1")), (PathAnswer{.result = kLocal}));
  EXPECT_EQ(Ask(To("192.0.2.1")), (PathAnswer{.result = kLocal})) << "no route";
  EXPECT_EQ(Ask(To("198.51.101.7", 600)).mtu, 600);
  EXPECT_EQ(Ask(To("198.51.101.7", 601)), (PathAnswer{.result = kTooBig, .mtu = 600}));
  EXPECT_EQ(Ask(To("198.51.102.7")),
            (PathAnswer{.result = kNoNeigh, .egress = Ifindex("uplink"), .next_hop = Ip("10.3.0.77")}));
  PathQuery nowhere = To("10.2.0.2");
  nowhere.ingress = 4711;
  EXPECT_EQ(Ask(nowhere), (PathAnswer{.result = kFailed, .error = ENODEV}));
  Write("/proc/sys/net/ipv4/conf/pod0/forwarding", "0");
  EXPECT_EQ(Ask(To("10.2.0.2")), (PathAnswer{.result = kForwardingOff}));
}

TEST_F(PathLookupTest, AgreesWithIpRouteGet) {
  Command(
      "ip route add 198.18.0.0/15 via 10.3.0.2 && ip route add 198.18.7.0/24 via 10.2.0.2 &&"
      "ip route add 198.18.7.7/32 via 10.5.0.2 && ip route add 198.18.8.0/24 tos 0x10 via 10.2.0.2 &&"
      "ip rule add ipproto udp dport 53 lookup 100 && ip route add 198.18.0.0/15 via 10.4.0.2 table 100");
  std::vector<PathQuery> queries;
  std::string batch;  // one process for all of them
  for (const auto* destination : {"198.18.1.1", "198.18.7.1", "198.18.7.7", "198.18.8.1", "10.2.0.2", "198.51.100.1"}) {
    for (const int port : {7, 53}) {
      for (const int tos : {0, 0x10}) {
        PathQuery& query = queries.emplace_back(To(destination));
        query.destination_port = static_cast<std::uint16_t>(port);
        query.tos = static_cast<std::uint8_t>(tos);
        batch += fmt::format("route get {} from 10.1.0.2 iif pod0 ipproto udp sport 40000 dport {} tos {:#x}\n",
                             destination, port, tos);
      }
    }
  }
  std::vector<PathAnswer> answers(queries.size());
  ASSERT_TRUE(classifier_->ResolveBatch(queries, answers));
  std::istringstream said(Command("ip -o -batch - <<'END'\n" + batch + "END\n"));
  for (std::size_t i = 0; i < queries.size(); ++i) {
    std::string line;
    ASSERT_TRUE(std::getline(said, line)) << i;
    const bool on_link = answers[i].next_hop == queries[i].destination;
    const std::string path =
        fmt::format("{}dev {} ", on_link ? "" : fmt::format("via {} ", answers[i].next_hop), NameOf(answers[i].egress));
    EXPECT_NE(line.find(path), std::string::npos) << "looked up: " << path << "; ip route get: " << line;
  }
}

TEST_F(PathLookupTest, AnyNumberOfQueries) {
  for (const std::size_t count : {0u, 1u, 255u, 256u, 257u, 1000u}) {
    std::vector<PathQuery> queries;
    for (std::size_t i = 0; i < count; ++i) queries.push_back(To(i % 3 == 0 ? "10.2.0.2" : "198.51.100.7"));
    std::vector<PathAnswer> answers(count);
    ASSERT_TRUE(classifier_->ResolveBatch(queries, answers));
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_EQ(answers[i].egress, Ifindex(i % 3 == 0 ? "pod1" : "uplink")) << i << " of " << count;
    }
  }
  const PathQuery query = To("10.2.0.2");
  EXPECT_EQ(classifier_->ResolveBatch({&query, 1}, {}).error().code, EINVAL);
}

TEST_F(PathLookupTest, InTheNamespaceOfTheCallingThread) {
  const PathQuery query = To("10.2.0.2");
  PathAnswer elsewhere;
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ASSERT_TRUE(classifier_->ResolveBatch({&query, 1}, {&elsewhere, 1}));
  }).join();
  EXPECT_EQ(elsewhere, (PathAnswer{.result = kFailed, .error = ENODEV}));
  EXPECT_EQ(Ask(query).result, kForward);
}

// One flow, one path: the classifier sends it where the lookup says, whatever the hash policy.
TEST_F(PathLookupTest, ChoosesTheClassifiersPathOfAMultipathRoute) {
  Command("ip route add 198.18.0.0/15 nexthop via 10.3.0.2 nexthop via 10.2.0.2 weight 2");
  for (const auto* policy : {"0", "1"}) {
    Write("/proc/sys/net/ipv4/fib_multipath_hash_policy", policy);
    std::set<std::uint32_t> used;
    for (unsigned i = 0; i < 100; ++i) {
      const std::string destination = fmt::format("198.18.0.{}", i % 50);
      PathQuery query = To(destination);
      query.source_port = static_cast<std::uint16_t>(1000 + i);
      const PathAnswer answer = Ask(query);
      Ipv4Frame wanted = FromPod0(destination);
      wanted.source_port = query.source_port;
      const RunResult run = Run(wanted.Build());
      ASSERT_EQ(run.action, kRedirected);
      EXPECT_EQ(SourceOf(run.frame), answer.source_mac) << "policy " << policy << ", flow " << i;
      used.insert(answer.egress);
    }
    EXPECT_EQ(used.size(), 2u) << "policy " << policy;
  }
}

}  // namespace
}  // namespace dpuflow::test
