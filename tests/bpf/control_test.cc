// SPDX-License-Identifier: Apache-2.0
//
// Control goes up to the DPU's stack untouched, is never reported, and is counted by what it is.
#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

class ControlTest : public ClassifierTest {
 protected:
  void Expect(const Frame& frame, std::string_view verdict, std::string_view protocol = "other") {
    const Outcome outcome = Send(frame);
    EXPECT_EQ(outcome.action, kToStack) << verdict;
    EXPECT_EQ(outcome.verdict, verdict);
    EXPECT_EQ(outcome.protocol, protocol) << verdict;
    EXPECT_TRUE(Misses().empty()) << verdict;
  }
  static Ipv4Frame Local(std::uint8_t protocol, std::uint16_t source_port, std::uint16_t destination_port) {
    Ipv4Frame frame = FromPod0("10.1.0.1");
    frame.protocol = protocol;
    frame.source_port = source_port;
    frame.destination_port = destination_port;
    return frame;
  }
};

TEST_F(ControlTest, OfTheLink) {
  const std::vector<std::uint8_t> payload(46);
  Expect(EthernetFrame("01:80:c2:00:00:00", kPod0Neighbour, 0x0027, payload), "l2_control");  // STP: a length
  Expect(EthernetFrame("01:80:c2:00:00:0e", kPod0Neighbour, 0x88cc, payload), "l2_control");  // LLDP
  Expect(EthernetFrame(kPod0Mac, kPod0Neighbour, 0x8809, payload), "l2_control");             // LACP
  Expect(EthernetFrame(kPod0Mac, kPod0Neighbour, 0x888e, payload), "l2_control");             // 802.1X
  Expect(ArpRequest(kPod0Neighbour, "10.1.0.2", "10.1.0.1"), "arp");
  Expect(EthernetFrame("ff:ff:ff:ff:ff:ff", kPod0Neighbour, 0x1234, payload), "multicast");
}

TEST_F(ControlTest, OfRoutingProtocolsForTheDpu) {
  Expect(Local(6, 50000, 179).Build(), "local", "bgp");
  Expect(Local(6, 179, 50000).Build(), "local", "bgp");
  Expect(Local(17, 49152, 3784).Build(), "local", "bfd");
  Expect(Local(17, 49152, 3785).Build(), "local", "bfd");
  Expect(Local(17, 49152, 4784).Build(), "local", "bfd");
  Expect(Local(89, 0, 0).Build(), "local", "ospf");
}

TEST_F(ControlTest, OfABgpNeighbourWithTtlOne) {
  Ipv4Frame frame = Local(6, 50000, 179);
  frame.ttl = 1;
  Expect(frame.Build(), "local", "bgp");
}

TEST_F(ControlTest, AnythingElseForTheDpu) {
  Expect(Local(1, 0x0800, 0).Build(), "local", "icmp");
  Expect(Local(6, 50000, 22).Build(), "local", "tcp");
  Expect(Local(17, 50000, 53).Build(), "local", "udp");
  Expect(Local(47, 0, 0).Build(), "local", "other");
  Command("ip address add 192.0.2.255/32 dev lo");
  Expect(FromPod0("192.0.2.255").Build(), "local", "udp");
  Expect(FromPod0("10.2.0.255").Build(), "local", "udp");   // a broadcast address
  Expect(FromPod0("203.0.113.1").Build(), "local", "udp");  // no route, which the lookup does not tell from local
}

TEST_F(ControlTest, FromASourceThatNobodyValidated) {
  Ipv4Frame frame = Local(6, 50000, 179);
  frame.source = "10.1.0.99";
  Expect(frame.Build(), "local", "bgp");
}

TEST_F(ControlTest, ToGroups) {
  Ipv4Frame hello = FromPod0("224.0.0.5");
  hello.destination_mac = "01:00:5e:00:00:05";
  hello.protocol = 89;
  Expect(hello.Build(), "multicast", "ospf");
  hello.options = 4;
  Expect(hello.Build(), "multicast", "ospf");
  Expect(FromPod0("239.255.255.255").Build(), "multicast", "udp");
  Expect(FromPod0("255.255.255.255").Build(), "multicast", "udp");
  Expect(FromPod0("169.254.1.1").Build(), "link_local", "udp");
  Ipv4Frame broadcast = FromPod0("198.51.100.7");
  broadcast.destination_mac = "ff:ff:ff:ff:ff:ff";
  Expect(broadcast.Build(), "multicast", "udp");
}

TEST_F(ControlTest, WhatIsNotUnderstoodIsLeftAlone) {
  const std::vector<std::uint8_t> payload(46);
  Expect(EthernetFrame(kPod0Mac, kPod0Neighbour, 0x8847, payload), "not_ip");
  Expect(EthernetFrame(kPod0Mac, kPod0Neighbour, 0x8100, payload), "vlan");
  Expect(EthernetFrame(kPod0Mac, kPod0Neighbour, 0x88a8, payload), "vlan");
}

}  // namespace
}  // namespace dpuflow::test
