// SPDX-License-Identifier: Apache-2.0
//
// Attached for real, with packets that come in at one device and go out at another: the redirect, VLAN tags as the
// kernel hands them over, and other filters behind the classifier.
#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "netlink/socket.h"
#include "netlink/tc.h"
#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

// The far side of a device: sends and receives whole frames.
class FarSide {
 public:
  explicit FarSide(const std::string& name) : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL))) {
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(Ifindex(name));
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0) << std::strerror(errno);
  }
  ~FarSide() { close(fd_); }
  FarSide(const FarSide&) = delete;
  FarSide& operator=(const FarSide&) = delete;

  void Send(const Frame& frame) const {
    EXPECT_EQ(write(fd_, frame.data(), frame.size()), static_cast<ssize_t>(frame.size())) << std::strerror(errno);
  }

  // The next frame of an ethertype that comes in; empty if none does within 10 s.
  [[nodiscard]] Frame Receive(std::uint16_t ethertype) const {
    pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
    while (poll(&readable, 1, 10'000) > 0) {
      Frame frame(65536);
      sockaddr_ll from{};
      socklen_t size = sizeof(from);
      const ssize_t length = recvfrom(fd_, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (length <= 0 || from.sll_pkttype == PACKET_OUTGOING || ntohs(from.sll_protocol) != ethertype) continue;
      frame.resize(static_cast<std::size_t>(length));
      return frame;
    }
    return {};
  }

 private:
  int fd_;
};

class TrafficTest : public ClassifierTest {
 protected:
  void SetUp() override {
    ClassifierTest::SetUp();
    bpf_tc_hook hook{};
    hook.sz = sizeof(hook);
    hook.ifindex = static_cast<int>(Ifindex("pod0"));
    hook.attach_point = BPF_TC_INGRESS;
    ASSERT_EQ(bpf_tc_hook_create(&hook), 0);
    bpf_tc_opts options{};
    options.sz = sizeof(options);
    options.prog_fd = classifier_->program_fd();
    options.priority = 16;
    ASSERT_EQ(bpf_tc_attach(&hook, &options), 0);
  }
};

TEST_F(TrafficTest, DataLeavesByItsPort) {
  const FarSide pod("pod0x"), wire("uplinkx"), neighbour("pod1x");
  const Frame outward = FromPod0("198.51.100.7").Build(), across = FromPod0("10.2.0.2").Build();
  pod.Send(outward);
  EXPECT_EQ(wire.Receive(ETH_P_IP), Routed(outward, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
  pod.Send(across);
  EXPECT_EQ(neighbour.Receive(ETH_P_IP), Routed(across, Mac(kPod1Mac), Mac(kPod1Neighbour)));
  EXPECT_EQ(Misses().size(), 2u);
}

TEST_F(TrafficTest, WhatTheStackGetsItHandles) {
  const FarSide pod("pod0x"), wire("uplinkx"), outside("outsidex");
  pod.Send(ArpRequest(kPod0Neighbour, "10.1.0.2", "10.1.0.1"));
  EXPECT_EQ(SourceOf(pod.Receive(ETH_P_ARP)), Mac(kPod0Mac)) << "the kernel answers";
  const Frame elsewhere = FromPod0("10.5.0.2").Build();
  pod.Send(elsewhere);
  EXPECT_EQ(outside.Receive(ETH_P_IP), Routed(elsewhere, Mac("02:00:00:00:01:04"), Mac("02:00:00:00:02:04")));
  Ipv4Frame expired = FromPod0("198.51.100.7");
  expired.ttl = 1;
  pod.Send(expired.Build());
  const Frame answer = pod.Receive(ETH_P_IP);
  ASSERT_GT(answer.size(), 34u);
  EXPECT_EQ(answer[34], 11) << "ICMP time exceeded";
}

TEST_F(TrafficTest, ForwardingOffLeavesDataToTheKernel) {
  ASSERT_TRUE(classifier_->Set({.forward = false}));
  const FarSide pod("pod0x"), wire("uplinkx");
  const Frame sent = FromPod0("198.51.100.7").Build();
  pod.Send(sent);
  EXPECT_EQ(wire.Receive(ETH_P_IP), Routed(sent, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
  const auto counters = classifier_->ReadCounters().value().packets;
  ASSERT_EQ(counters.size(), 1u);
  EXPECT_EQ(counters[0].verdict, DPUFLOW_VERDICT_FORWARDING_OFF);
}

TEST_F(TrafficTest, FiltersBehindSeeWhatIsLeftToTheStackAndNoMore) {
  Command("tc filter add dev pod0 ingress prio 100 protocol all matchall action mirred egress redirect dev outside");
  const FarSide pod("pod0x"), wire("uplinkx"), outside("outsidex");
  pod.Send(FromPod0("198.51.100.7").Build());
  EXPECT_FALSE(wire.Receive(ETH_P_IP).empty());
  Ipv4Frame spoofed = FromPod0("198.51.100.7");
  spoofed.source = "10.1.0.99";
  pod.Send(spoofed.Build());
  EXPECT_EQ(outside.Receive(ETH_P_IP), spoofed.Build());
}

// Where tc goes on in the chain of a miss. Without an opinion, tc could note the chain in the packet once more.
TEST_F(TrafficTest, InALaterChainWhatIsLeftToTheStackGoesThereAtOnce) {
  Command(
      "tc filter add dev pod0 ingress prio 1 protocol all matchall action goto chain 1 &&"
      "tc filter add dev pod0 ingress chain 1 prio 100 protocol all matchall action mirred egress redirect dev "
      "outside");
  netlink::MessageBuffer request;
  auto socket = netlink::Socket::Open();
  ASSERT_TRUE(socket);
  const netlink::BpfFilter filter{
      .id = {.ifindex = Ifindex("pod0"), .chain = 1, .prio = 16, .ethertype = ETH_P_ALL, .handle = 1},
      .program = classifier_->program_fd(),
      .name = "dpuflow",
      .classid = DPUFLOW_LATER_CHAIN};
  ASSERT_TRUE(netlink::AppendBpfFilterAdd(request, socket->NextSeq(), filter));
  ASSERT_TRUE(socket->Transact(request, "attach the classifier in chain 1"));
  const FarSide pod("pod0x"), wire("uplinkx"), neighbour("pod1x");
  Ipv4Frame spoofed = FromPod0("198.51.100.7");
  spoofed.source = "10.1.0.99";
  pod.Send(spoofed.Build());
  EXPECT_EQ(wire.Receive(ETH_P_IP), Routed(spoofed.Build(), Mac(kUplinkMac), Mac(kUplinkNeighbour))) << "by the stack";
  const Frame across = FromPod0("10.2.0.2").Build();
  pod.Send(across);
  EXPECT_EQ(neighbour.Receive(ETH_P_IP), Routed(across, Mac(kPod1Mac), Mac(kPod1Neighbour)));
  const auto counters = classifier_->ReadCounters().value().packets;
  EXPECT_TRUE(std::ranges::any_of(counters, [](const auto& one) { return one.verdict == DPUFLOW_VERDICT_FORWARDED; }));
}

// A VLAN device at each of two ports, known to the classifier or not.
class VlanTest : public TrafficTest {
 protected:
  void SetUp() override {
    TrafficTest::SetUp();
    Command(
        "ip link add pod0.5 link pod0 type vlan id 5 && ip link set pod0.5 up &&"
        "ip link add uplink.9 link uplink type vlan id 9 && ip link set uplink.9 up &&"
        "ip address add 10.6.0.1/24 dev pod0.5 && ip address add 10.9.0.1/24 dev uplink.9 &&"
        "ip neigh add 10.9.0.2 lladdr 02:00:00:00:02:02 nud permanent dev uplink.9");
  }

  void Know() {
    const std::uint32_t pod = Ifindex("pod0.5"), uplink = Ifindex("uplink.9");
    ASSERT_TRUE(classifier_->SetIngress({Ifindex("pod0"), 5}, {.l3_ifindex = pod}));
    ASSERT_TRUE(classifier_->SetEgress(pod, {.port = Ifindex("pod0")}));
    ASSERT_TRUE(classifier_->SetEgress(uplink, {.port = Ifindex("uplink")}));
    ASSERT_TRUE(classifier_->AddSource({Ifindex("pod0"), 5}, Ip("10.6.0.2")));
  }

  static Frame Tagged(Frame frame, std::uint16_t tci) {
    const std::array<std::uint8_t, 4> tag = {0x81, 0x00, static_cast<std::uint8_t>(tci >> 8),
                                             static_cast<std::uint8_t>(tci)};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    return frame;
  }
  static Ipv4Frame FromVlan5(std::string_view destination) {
    Ipv4Frame frame = FromPod0(destination);
    frame.source = "10.6.0.2";
    return frame;
  }
  [[nodiscard]] std::string OnlyVerdict() const {
    const auto counters = classifier_->ReadCounters().value().packets;
    return counters.size() == 1 ? std::string(ToString(counters[0].verdict))
                                : fmt::format("{} verdicts", counters.size());
  }
};

TEST_F(VlanTest, UnknownTagsAreLeftToTheKernel) {
  const FarSide pod("pod0x");
  pod.Send(Tagged(ArpRequest(kPod0Neighbour, "10.6.0.2", "10.6.0.1"), 5));
  EXPECT_FALSE(pod.Receive(ETH_P_ARP).empty()) << "the kernel answers in VLAN 5";
  EXPECT_EQ(OnlyVerdict(), "vlan");
}

TEST_F(VlanTest, ATagEndsAtItsInterface) {
  Know();
  const FarSide pod("pod0x"), neighbour("pod1x");
  const Frame sent = FromVlan5("10.2.0.2").Build();
  pod.Send(Tagged(sent, 3 << 13 | 5));
  EXPECT_EQ(neighbour.Receive(ETH_P_IP), Routed(sent, Mac(kPod1Mac), Mac(kPod1Neighbour)));
  EXPECT_EQ(OnlyVerdict(), "forwarded");
  const auto events = Misses();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].vlan, 5);
  EXPECT_EQ(events[0].vlan_priority, 3);
  EXPECT_EQ(events[0].ethertype, ETH_P_IP);
}

// A socket shows the tag that a packet came with beside it (PACKET_AUXDATA), so the far side looks with a device of its own.
TEST_F(VlanTest, AnotherTagBeginsAtTheEgress) {
  Know();
  Command("ip link add uplinkx.9 link uplinkx type vlan id 9 && ip link set uplinkx.9 up");
  const FarSide pod("pod0x"), wire("uplinkx.9");
  const Frame tagged = FromVlan5("10.9.0.2").Build(), plain = FromPod0("10.9.0.2").Build();
  pod.Send(Tagged(tagged, 5));
  EXPECT_EQ(wire.Receive(ETH_P_IP), Routed(tagged, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
  pod.Send(plain);
  EXPECT_EQ(wire.Receive(ETH_P_IP), Routed(plain, Mac(kUplinkMac), Mac(kUplinkNeighbour)));
  EXPECT_EQ(OnlyVerdict(), "forwarded");
}

TEST_F(VlanTest, ASourceIsValidInItsOwnVlanOnly) {
  Know();
  const FarSide pod("pod0x"), neighbour("pod1x");
  const Frame sent = FromPod0("10.2.0.2").Build();
  pod.Send(Tagged(sent, 5));
  EXPECT_FALSE(neighbour.Receive(ETH_P_IP).empty()) << "the kernel forwards it";
  EXPECT_EQ(OnlyVerdict(), "source_unknown");
}

TEST_F(VlanTest, FramesToTheVlansOwnMac) {
  Command("ip link set pod0.5 address 02:00:00:00:05:05");
  Know();
  ASSERT_TRUE(classifier_->SetIngress({Ifindex("pod0"), 5},
                                      {.l3_ifindex = Ifindex("pod0.5"), .mac = Mac("02:00:00:00:05:05")}));
  const FarSide pod("pod0x"), neighbour("pod1x");
  Ipv4Frame frame = FromVlan5("10.2.0.2");
  frame.destination_mac = "02:00:00:00:05:05";
  pod.Send(Tagged(frame.Build(), 5));
  EXPECT_FALSE(neighbour.Receive(ETH_P_IP).empty());
  EXPECT_EQ(OnlyVerdict(), "forwarded");
  frame.destination_mac = "02:00:00:00:05:06";
  pod.Send(Tagged(frame.Build(), 5));
  EXPECT_TRUE(Misses().size() == 1) << "for another host: neither forwarded nor reported";
}

TEST_F(VlanTest, TheLaneOfAnyVlanStandsForTagsWithoutOne) {
  Know();
  Command(
      "ip link add br0 type bridge && ip link set br0 up && ip link set pod0 master br0 && ip link set pod1 master "
      "br0");
  ASSERT_TRUE(classifier_->SetIngress({Ifindex("pod0"), DPUFLOW_ANY_VLAN}, {.stack_only = true, .bridged = true}));
  const FarSide pod("pod0x"), neighbour("pod1x");
  Ipv4Frame frame = FromPod0("10.0.0.2");
  frame.destination_mac = kPod1Neighbour;
  pod.Send(Tagged(frame.Build(), 3 << 13 | 7));
  EXPECT_EQ(neighbour.Receive(ETH_P_IP), frame.Build()) << "the bridge floods it";
  EXPECT_EQ(OnlyVerdict(), "bridged");
  const auto events = Misses();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].vlan, 7);
  EXPECT_EQ(events[0].vlan_priority, 3);
}

}  // namespace
}  // namespace dpuflow::test
