// SPDX-License-Identifier: Apache-2.0
//
// IPv6: the same as IPv4 where the two are alike, and what is its own. The network of fixture.h has it as well:
//
//   pod0  fd00:1::1/64, uplink fd00:3::1/64, neighbours ::2 of each with the MACs of IPv4's; fd00:1::2 is a validated
//   source; 2001:db8::/32 leads to fd00:3::2, and the IPv4 prefix 198.51.102.0/24 to fe80::2 at the uplink (RFC 5549)
#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

class Ipv6Test : public ClassifierTest {
 protected:
  void SetUp() override {
    ClassifierTest::SetUp();
    Write("/proc/sys/net/ipv6/conf/all/forwarding", "1");
    for (const char* device : {"pod0", "uplink"}) {
      Write(fmt::format("/proc/sys/net/ipv6/conf/{}/addr_gen_mode", device), "1");
      Write(fmt::format("/proc/sys/net/ipv6/conf/{}/accept_dad", device), "0");
      Write(fmt::format("/proc/sys/net/ipv6/conf/{}/disable_ipv6", device), "0");
    }
    Command(
        "ip -batch - <<'END'\n"
        "address add fd00:1::1/64 dev pod0 nodad\naddress add fd00:3::1/64 dev uplink nodad\n"
        "address add fe80::1/64 dev uplink nodad\n"
        "neigh add fd00:1::2 lladdr 02:00:00:00:02:00 nud permanent dev pod0\n"
        "neigh add fd00:3::2 lladdr 02:00:00:00:02:02 nud permanent dev uplink\n"
        "neigh add fe80::2 lladdr 02:00:00:00:02:02 nud permanent dev uplink\n"
        "route add 2001:db8::/32 via fd00:3::2\n"
        "route add 198.51.102.0/24 via inet6 fe80::2 dev uplink\nEND\n");
    ASSERT_TRUE(classifier_->AddSource({Ifindex("pod0")}, Ip("fd00:1::2")));
  }

  static Ipv6Frame FromPod(std::string_view destination) {
    return {
        .source_mac = kPod0Neighbour, .destination_mac = kPod0Mac, .source = "fd00:1::2", .destination = destination};
  }
  void ExpectToStack(const Frame& frame, std::string_view verdict, std::string_view protocol = "udp") {
    const Outcome outcome = Send(frame);
    EXPECT_EQ(outcome.action, kToStack) << verdict;
    EXPECT_EQ(outcome.verdict, verdict);
    EXPECT_EQ(outcome.protocol, protocol) << verdict;
  }
};

TEST_F(Ipv6Test, ThroughAGateway) {
  const Frame sent = FromPod("2001:db8::7").Build();
  const Outcome outcome = Send(sent);
  EXPECT_EQ(outcome.action, kRedirected);
  EXPECT_EQ(outcome.verdict, "forwarded");
  EXPECT_EQ(outcome.frame, Routed6(sent, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
}

TEST_F(Ipv6Test, ToANeighbour) {
  const Frame sent = FromPod("fd00:3::2").Build();
  EXPECT_EQ(Send(sent).frame, Routed6(sent, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
}

TEST_F(Ipv6Test, AnIpv4RouteWithAnIpv6NextHop) {
  const Frame sent = FromPod0("198.51.102.7").Build();
  EXPECT_EQ(Send(sent).frame, Routed(sent, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
}

TEST_F(Ipv6Test, AMissSaysAllThatIsKnown) {
  Ipv6Frame wanted = FromPod("2001:db8::7");
  wanted.next_header = 6;
  wanted.traffic_class = 0xb8;
  wanted.flow_label = 0xabcde;
  ASSERT_EQ(Run(wanted.Build()).action, kRedirected);
  auto misses = Misses();
  ASSERT_EQ(misses.size(), 1u);
  misses[0].time = {};
  EXPECT_EQ(misses[0], (MissEvent{.verdict = DPUFLOW_VERDICT_FORWARDED,
                                  .port = Ifindex("pod0"),
                                  .vlan = DPUFLOW_UNTAGGED,
                                  .ethertype = 0x86dd,
                                  .source_mac = Mac(kPod0Neighbour),
                                  .destination_mac = Mac(kPod0Mac),
                                  .source = Ip("fd00:1::2"),
                                  .destination = Ip("2001:db8::7"),
                                  .protocol = 6,
                                  .source_port = 40000,
                                  .destination_port = 7,
                                  .tos = 0xb8,
                                  .length = 100}));
}

TEST_F(Ipv6Test, NeighbourDiscoveryAndGroupsAreControl) {
  Ipv6Frame packet = FromPod("2001:db8::7");
  packet.next_header = 58;
  Frame solicitation = packet.Build();
  solicitation[kAfterIpv6] = 135;
  ExpectToStack(solicitation, "nd", "icmp");
  Frame echo = packet.Build();
  echo[kAfterIpv6] = 128;
  EXPECT_EQ(Send(echo).action, kRedirected);
  Ipv6Frame group = FromPod("ff02::5");
  group.destination_mac = "33:33:00:00:00:05";
  group.next_header = 89;
  ExpectToStack(group.Build(), "multicast", "ospf");
  ExpectToStack(FromPod("fe80::1").Build(), "link_local");
}

TEST_F(Ipv6Test, WhatIsForTheDpuIsControl) {
  Ipv6Frame bgp = FromPod("fd00:1::1");
  bgp.next_header = 6;
  bgp.destination_port = 179;
  bgp.hop_limit = 1;
  ExpectToStack(bgp.Build(), "local", "bgp");
  ASSERT_TRUE(Misses().empty());
}

TEST_F(Ipv6Test, NotWhenTheHopLimitExpires) {
  for (const int hops : {0, 1}) {
    Ipv6Frame wanted = FromPod("2001:db8::7");
    wanted.hop_limit = static_cast<std::uint8_t>(hops);
    ExpectToStack(wanted.Build(), "ttl");
  }
  Ipv6Frame last = FromPod("2001:db8::7");
  last.hop_limit = 2;
  EXPECT_EQ(Send(last.Build()).action, kRedirected);
}

TEST_F(Ipv6Test, ExtensionHeaders) {
  Ipv6Frame wanted = FromPod("2001:db8::7");
  wanted.next_header = 0;
  ExpectToStack(wanted.Build(), "options", "other");
  for (const int header : {43, 44, 60}) {  // routing, fragment, destination options: nothing for a router to look at
    wanted.next_header = static_cast<std::uint8_t>(header);
    EXPECT_EQ(Send(wanted.Build()).action, kRedirected) << header;
    for (const MissEvent& miss : Misses()) EXPECT_EQ(miss.source_port | miss.destination_port, 0) << header;
    ASSERT_TRUE(classifier_->ForgetReported());
  }
}

TEST_F(Ipv6Test, NotWithLengthsThatDisagree) {
  Frame frame = FromPod("2001:db8::7").Build();
  frame[kEthernet + 5] += 1;
  ExpectToStack(frame, "malformed", "other");
  frame = FromPod("2001:db8::7").Build();
  frame[kEthernet + 4] = frame[kEthernet + 5] = 0;
  ExpectToStack(frame, "malformed");
  frame = FromPod("2001:db8::7").Build();
  frame[kEthernet + 5] = 3;  // shorter than UDP's ports
  ExpectToStack(frame, "malformed");
}

TEST_F(Ipv6Test, NotToMartiansNorFromUnknownSources) {
  ExpectToStack(FromPod("::1").Build(), "martian");
  ExpectToStack(FromPod("::").Build(), "martian");
  Ipv6Frame stranger = FromPod("2001:db8::7");
  stranger.source = "fd00:1::99";
  ExpectToStack(stranger.Build(), "source_unknown");
}

TEST_F(Ipv6Test, WhereTheKernelWouldNot) {
  Command("ip route add blackhole 2001:db8:1::/48 && ip route add prohibit 2001:db8:2::/48");
  ExpectToStack(FromPod("2001:db8:1::1").Build(), "blackhole");
  ExpectToStack(FromPod("2001:db8:2::1").Build(), "prohibit");
  ExpectToStack(FromPod("2002::1").Build(), "local");  // no route, which the lookup does not tell from local
}

// The lookup asks the ingress device alone; the kernel's stack asks for all.
TEST_F(Ipv6Test, NotWhileTheMachineDoesNotForward) {
  const Frame frame = FromPod("2001:db8::7").Build();
  ASSERT_TRUE(classifier_->Set({.ipv6_forwarding = false}));
  ExpectToStack(frame, "forwarding_disabled");
  EXPECT_EQ(Send(FromPod0("198.51.100.7").Build()).action, kRedirected) << "IPv4 has its own setting";
  ASSERT_TRUE(classifier_->Set({}));
  EXPECT_EQ(Send(frame).action, kRedirected);
}

TEST_F(Ipv6Test, WhatFitsThePath) {
  Command("ip route add 2001:db8:3::/48 via fd00:3::2 mtu lock 1300");
  Ipv6Frame wanted = FromPod("2001:db8:3::7");
  wanted.length = 1300;
  EXPECT_EQ(Send(wanted.Build()).action, kRedirected);
  wanted.length = 1301;
  ExpectToStack(wanted.Build(), "too_big");
}

TEST_F(Ipv6Test, AnAggregateIsMeasuredByItsSegments) {
  Command("ip route add 2001:db8:3::/48 via fd00:3::2 mtu lock 1300");
  Ipv6Frame wanted = FromPod("2001:db8:3::7");
  wanted.next_header = 6;
  wanted.length = 60 + 2 * 1240;
  const Frame frame = wanted.Build();
  EXPECT_EQ(Send(frame, {.gso_size = 1240, .gso_segs = 2}).action, kRedirected);
  const Outcome too_big = Send(frame, {.gso_size = 1241, .gso_segs = 2});
  EXPECT_EQ(too_big.verdict, "too_big");
}

}  // namespace
}  // namespace dpuflow::test
