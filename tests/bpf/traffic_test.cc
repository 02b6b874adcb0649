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

#include <cstring>

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

TEST_F(TrafficTest, TaggedPacketsAreLeftToTheKernel) {
  Command(
      "ip link add pod0.5 link pod0 type vlan id 5 && ip link set pod0.5 up && ip address add 10.6.0.1/24 dev pod0.5");
  const FarSide pod("pod0x");
  Frame tagged = ArpRequest(kPod0Neighbour, "10.6.0.2", "10.6.0.1");
  const std::uint8_t tag[] = {0x81, 0x00, 0x00, 0x05};
  tagged.insert(tagged.begin() + 12, std::begin(tag), std::end(tag));
  pod.Send(tagged);
  const Frame answer = pod.Receive(ETH_P_ARP);
  EXPECT_FALSE(answer.empty()) << "the kernel answers in VLAN 5";
  const auto counters = classifier_->ReadCounters().value().packets;
  ASSERT_EQ(counters.size(), 1u);
  EXPECT_EQ(counters[0].verdict, DPUFLOW_VERDICT_VLAN);
}

}  // namespace
}  // namespace dpuflow::test
