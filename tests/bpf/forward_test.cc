// SPDX-License-Identifier: Apache-2.0
//
// Data: what the classifier forwards, how the packet then looks, and what it leaves to the kernel although it is data.
// Each egress port has its own MACs, so the frame says where it went.
#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

class ForwardTest : public ClassifierTest {
 protected:
  void ExpectToStack(const Frame& frame, std::string_view verdict, const SkbContext& context = {}) {
    const Outcome outcome = Send(frame, context);
    EXPECT_EQ(outcome.action, kToStack);
    EXPECT_EQ(outcome.verdict, verdict);
  }
};

TEST_F(ForwardTest, ToAPodOnTheSameSwitch) {
  const Frame sent = FromPod0("10.2.0.2").Build();
  const Outcome outcome = Send(sent);
  EXPECT_EQ(outcome.action, kRedirected);
  EXPECT_EQ(outcome.verdict, "forwarded");
  EXPECT_EQ(outcome.protocol, "udp");
  EXPECT_EQ(outcome.packets, 1u);
  EXPECT_EQ(outcome.bytes, sent.size());
  EXPECT_EQ(outcome.frame, Routed(sent, Mac(kPod1Mac), Mac(kPod1Neighbour)));
}

TEST_F(ForwardTest, ThroughAGateway) {
  const Frame sent = FromPod0("198.51.100.7").Build();
  const Outcome outcome = Send(sent);
  EXPECT_EQ(outcome.action, kRedirected);
  EXPECT_EQ(outcome.frame, Routed(sent, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
}

// The identification moves the checksum through all its values. Those next to a carry are run, and a few of the others.
TEST_F(ForwardTest, TheChecksumIsRightWhateverItWas) {
  for (unsigned id = 0; id <= 0xffff; ++id) {
    Ipv4Frame wanted = FromPod0("10.2.0.2");
    wanted.id = static_cast<std::uint16_t>(id);
    wanted.length = 28;
    const Frame sent = wanted.Build();
    const std::uint8_t high = sent[kChecksumAt];
    if (high >= 2 && high < 0xfe && id % 100 != 0) continue;
    const RunResult result = Run(sent);
    ASSERT_EQ(result.action, kRedirected) << "id " << id;
    ASSERT_TRUE(HasRightChecksum(result.frame)) << "id " << id;
  }
}

TEST_F(ForwardTest, TransitBgpIsData) {
  Ipv4Frame wanted = FromPod0("198.51.100.7");
  wanted.protocol = 6;
  wanted.destination_port = 179;
  const Outcome outcome = Send(wanted.Build());
  EXPECT_EQ(outcome.action, kRedirected);
  EXPECT_EQ(outcome.protocol, "tcp");
}

TEST_F(ForwardTest, AnyProtocolOfIp) {
  for (const int protocol : {1, 4, 41, 47, 50, 89, 132, 255}) {
    Ipv4Frame wanted = FromPod0("198.51.100.7");
    wanted.protocol = static_cast<std::uint8_t>(protocol);
    EXPECT_EQ(Send(wanted.Build()).action, kRedirected) << protocol;
  }
}

TEST_F(ForwardTest, FragmentsWithoutALookAtPorts) {
  for (const int fragment : {0x2000, 0x2010, 0x0010}) {  // first, middle, last
    Ipv4Frame wanted = FromPod0("198.51.100.7");
    wanted.fragment = static_cast<std::uint16_t>(fragment);
    EXPECT_EQ(Send(wanted.Build()).action, kRedirected) << fragment;
    const auto misses = Misses();
    for (const MissEvent& miss : misses) EXPECT_EQ(miss.source_port | miss.destination_port, 0) << fragment;
    ASSERT_TRUE(classifier_->ForgetReported());
  }
}

TEST_F(ForwardTest, PaddingOfShortFrames) {
  Ipv4Frame wanted = FromPod0("10.2.0.2");
  wanted.length = 30;
  Frame padded = wanted.Build();
  padded.resize(60);
  EXPECT_EQ(Send(padded).frame, Routed(padded, Mac(kPod1Mac), Mac(kPod1Neighbour)));
}

TEST_F(ForwardTest, NotWhenTheTtlExpires) {
  for (const int ttl : {0, 1}) {
    Ipv4Frame wanted = FromPod0("198.51.100.7");
    wanted.ttl = static_cast<std::uint8_t>(ttl);
    ExpectToStack(wanted.Build(), "ttl");
  }
  Ipv4Frame last = FromPod0("198.51.100.7");
  last.ttl = 2;
  EXPECT_EQ(Send(last.Build()).action, kRedirected);
}

TEST_F(ForwardTest, NotWithOptions) {
  Ipv4Frame wanted = FromPod0("198.51.100.7");
  wanted.options = 4;
  ExpectToStack(wanted.Build(), "options");
}

TEST_F(ForwardTest, NotWithABadChecksum) {
  Frame frame = FromPod0("198.51.100.7").Build();
  frame[kChecksumAt] ^= 1;
  ExpectToStack(frame, "bad_checksum");
}

TEST_F(ForwardTest, NotForAnotherMac) {
  Ipv4Frame wanted = FromPod0("198.51.100.7");
  wanted.destination_mac = "02:00:00:00:09:09";
  ExpectToStack(wanted.Build(), "other_host");
}

TEST_F(ForwardTest, NotWithAPacketMark) { ExpectToStack(FromPod0("198.51.100.7").Build(), "marked", {.mark = 1}); }

TEST_F(ForwardTest, NotToMartians) {
  ExpectToStack(FromPod0("127.0.0.1").Build(), "martian");
  ExpectToStack(FromPod0("0.0.0.5").Build(), "martian");
}

TEST_F(ForwardTest, NotFromASourceThatNobodyValidated) {
  Ipv4Frame spoofed = FromPod0("198.51.100.7");
  spoofed.source = "10.1.0.99";
  ExpectToStack(spoofed.Build(), "source_unknown");
  ASSERT_TRUE(classifier_->AddSource({Ifindex("pod0")}, Ip("10.1.0.99")));
  EXPECT_EQ(Send(spoofed.Build()).action, kRedirected);
  ASSERT_TRUE(classifier_->RemoveSource({Ifindex("pod0")}, Ip("10.1.0.99")));
  ExpectToStack(spoofed.Build(), "source_unknown");
}

TEST_F(ForwardTest, AValidSourceOfAnotherPortIsNone) {
  ASSERT_TRUE(classifier_->AddSource({Ifindex("pod1")}, Ip("10.1.0.99")));
  Ipv4Frame spoofed = FromPod0("198.51.100.7");
  spoofed.source = "10.1.0.99";
  ExpectToStack(spoofed.Build(), "source_unknown");
}

TEST_F(ForwardTest, WhereTheKernelWouldNot) {
  Command(
      "ip route add blackhole 203.0.113.0/26 && ip route add unreachable 203.0.113.64/26 &&"
      "ip route add prohibit 203.0.113.128/26");
  ExpectToStack(FromPod0("203.0.113.1").Build(), "blackhole");
  ExpectToStack(FromPod0("203.0.113.65").Build(), "unreachable");
  ExpectToStack(FromPod0("203.0.113.129").Build(), "prohibit");
  Write("/proc/sys/net/ipv4/conf/pod0/forwarding", "0");
  ExpectToStack(FromPod0("10.2.0.2").Build(), "forwarding_disabled");
}

TEST_F(ForwardTest, NotYetWithoutANeighbour) {
  ExpectToStack(FromPod0("10.2.0.77").Build(), "no_neigh");
  Command("ip neigh add 10.2.0.77 lladdr 02:00:00:00:07:07 nud reachable dev pod1");
  EXPECT_EQ(DestinationOf(Send(FromPod0("10.2.0.77").Build()).frame), Mac("02:00:00:00:07:07"));
}

TEST_F(ForwardTest, OnlyToPortsOfTheSwitch) {
  ExpectToStack(FromPod0("10.4.0.2").Build(), "other_switch");
  ExpectToStack(FromPod0("10.5.0.2").Build(), "egress_not_a_port");
  Ipv4Frame back = FromPod0("10.1.0.3");
  Command("ip neigh add 10.1.0.3 lladdr 02:00:00:00:02:03 nud permanent dev pod0");
  ExpectToStack(back.Build(), "same_port");
}

TEST_F(ForwardTest, OnlyFromAndToPortsThatTakePart) {
  const Frame frame = FromPod0("10.2.0.2").Build();
  const std::uint32_t pod0 = Ifindex("pod0"), pod1 = Ifindex("pod1");
  ASSERT_TRUE(classifier_->RemoveEgress(pod1));
  ExpectToStack(frame, "egress_not_a_port");
  ASSERT_TRUE(classifier_->SetEgress(pod1, {.port = pod1}));
  ASSERT_TRUE(classifier_->RemoveIngress({pod0}));
  ExpectToStack(frame, "not_a_port");
  ASSERT_TRUE(classifier_->SetIngress({pod0}, {.l3_ifindex = pod0}));
  EXPECT_EQ(Send(frame).action, kRedirected);
}

TEST_F(ForwardTest, RoutingSeesTheL3Interface) {
  ASSERT_TRUE(classifier_->SetIngress({Ifindex("pod0")}, {.l3_ifindex = Ifindex("outside")}));
  Write("/proc/sys/net/ipv4/conf/outside/forwarding", "0");
  ExpectToStack(FromPod0("10.2.0.2").Build(), "forwarding_disabled");
}

TEST_F(ForwardTest, TheAgentMaySwitchItOff) {
  ASSERT_TRUE(classifier_->Set({.forward = false}));
  ExpectToStack(FromPod0("10.2.0.2").Build(), "forwarding_off");
  ASSERT_EQ(Misses().size(), 1u) << "hardware may take the flow all the same";
  ASSERT_TRUE(classifier_->Set({}));
  EXPECT_EQ(Send(FromPod0("10.2.0.2").Build()).action, kRedirected);
}

TEST_F(ForwardTest, NotWhereOnlyTheStackAppliesEverything) {
  const Frame frame = FromPod0("10.2.0.2").Build();
  ASSERT_TRUE(classifier_->Set({.stack_only_v4 = true}));
  ExpectToStack(frame, "stack_only");
  ASSERT_EQ(Misses().size(), 1u) << "the agent says why";
  ASSERT_TRUE(classifier_->Set({.stack_only_v6 = true}));
  EXPECT_EQ(Send(frame).action, kRedirected);
  const std::uint32_t pod0 = Ifindex("pod0"), pod1 = Ifindex("pod1");
  ASSERT_TRUE(classifier_->SetIngress({pod0}, {.l3_ifindex = pod0, .stack_only = true}));
  ExpectToStack(frame, "stack_only");
  ASSERT_TRUE(classifier_->SetIngress({pod0}, {.l3_ifindex = pod0}));
  ASSERT_TRUE(classifier_->SetEgress(pod1, {.port = pod1, .stack_only = true}));
  ExpectToStack(frame, "stack_only");
  ASSERT_TRUE(classifier_->SetEgress(pod1, {.port = pod1}));
  EXPECT_EQ(Send(frame).action, kRedirected);
}

TEST_F(ForwardTest, WhatFitsThePath) {
  Command("ip route add 198.51.101.0/24 via 10.3.0.2 mtu lock 600");
  Ipv4Frame wanted = FromPod0("198.51.101.7");
  wanted.length = 600;
  EXPECT_EQ(Send(wanted.Build()).action, kRedirected);
  wanted.length = 601;
  ExpectToStack(wanted.Build(), "too_big");
}

TEST_F(ForwardTest, AnAggregateIsMeasuredByItsSegments) {
  Command("ip route add 198.51.101.0/24 via 10.3.0.2 mtu lock 600");
  Ipv4Frame wanted = FromPod0("198.51.101.7");
  wanted.protocol = 6;
  wanted.length = 40 + 3 * 560;
  const Frame frame = wanted.Build();
  const Outcome outcome = Send(frame, {.gso_size = 560, .gso_segs = 3});
  EXPECT_EQ(outcome.action, kRedirected);
  EXPECT_EQ(outcome.packets, 3u) << "as on the wire";
  EXPECT_EQ(outcome.frame, Routed(frame, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
  ExpectToStack(frame, "too_big", {.gso_size = 561, .gso_segs = 3});
}

TEST_F(ForwardTest, AnAggregateOfUnknownSegmentsIsLeftToTheKernel) {
  Ipv4Frame wanted = FromPod0("198.51.100.7");
  wanted.length = 28 + 1000;
  ExpectToStack(wanted.Build(), "aggregate", {.gso_size = 500, .gso_segs = 2});
}

}  // namespace
}  // namespace dpuflow::test
