// SPDX-License-Identifier: Apache-2.0
//
// The agent hears of each flow once, and again when it should: after the window, after a full ring, after it forgot.
#include <poll.h>

#include <chrono>
#include <string>

#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

class MissTest : public ClassifierTest {
 protected:
  // As many flows as asked for, by destination.
  static Frame FlowFrame(unsigned number) {
    const std::string destination = fmt::format("198.51.100.{}", number);
    return FromPod0(destination).Build();
  }
  std::string VerdictOfOnlyMiss() {
    const auto misses = Misses();
    return misses.size() == 1 ? std::string(ToString(misses[0].verdict)) : fmt::format("{} misses", misses.size());
  }
};

TEST_F(MissTest, SaysAllThatIsKnownOfThePacket) {
  Ipv4Frame wanted = FromPod0("198.51.100.7");
  wanted.protocol = 6;
  wanted.tos = 0x2a;
  wanted.destination_port = 443;
  const auto before = steady_clock::now().time_since_epoch();
  ASSERT_EQ(Run(wanted.Build()).action, kRedirected);
  auto misses = Misses();
  ASSERT_EQ(misses.size(), 1u);
  EXPECT_GE(misses[0].time, before);
  EXPECT_LE(misses[0].time, steady_clock::now().time_since_epoch());
  misses[0].time = {};
  EXPECT_EQ(misses[0], (MissEvent{.verdict = DPUFLOW_VERDICT_FORWARDED,
                                  .port = Ifindex("pod0"),
                                  .vlan = DPUFLOW_UNTAGGED,
                                  .ethertype = 0x0800,
                                  .source_mac = Mac(kPod0Neighbour),
                                  .destination_mac = Mac(kPod0Mac),
                                  .source = Ip("10.1.0.2"),
                                  .destination = Ip("198.51.100.7"),
                                  .protocol = 6,
                                  .source_port = 40000,
                                  .destination_port = 443,
                                  .tos = 0x2a,
                                  .length = 100}));
}

TEST_F(MissTest, OncePerFlow) {
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Run(FlowFrame(7)).action, kRedirected);
  EXPECT_EQ(Misses().size(), 1u);
  EXPECT_EQ(Reports(), (ReportCounters{.sent = 1, .suppressed = 9, .ring_full = 0}));
  ASSERT_EQ(Run(FlowFrame(8)).action, kRedirected);
  EXPECT_EQ(Misses().size(), 1u);
}

TEST_F(MissTest, AFlowDiffersByPortMacsAndAddresses) {
  const Ipv4Frame flow = FromPod0("198.51.100.7");
  Ipv4Frame other_source = flow, other_mac = flow, other_port = flow;
  other_source.source = "10.1.0.3";
  other_mac.source_mac = "02:00:00:00:0a:0a";
  other_port.destination_mac = kPod1Mac;
  (void)Run(flow.Build());
  (void)Run(other_source.Build());
  (void)Run(other_mac.Build());
  (void)Run(other_port.Build(), {}, "pod1");
  EXPECT_EQ(Misses().size(), 4u);
  Ipv4Frame other_connection = flow;
  other_connection.source_port = 1;
  (void)Run(other_connection.Build());
  EXPECT_EQ(Misses().size(), 0u);
}

TEST_F(MissTest, OnRequestAFlowDiffersByPortsOrTos) {
  Ipv4Frame flow = FromPod0("198.51.100.7");
  Ipv4Frame other_port = flow, other_protocol = flow, other_tos = flow;
  other_port.source_port = 1;
  other_protocol.protocol = 6;
  other_tos.tos = 0xb8;
  const auto events = [&](const ClassifierSettings& settings) {
    EXPECT_TRUE(classifier_->Set(settings));
    EXPECT_TRUE(classifier_->ForgetReported());
    for (const Ipv4Frame& frame : {flow, other_port, other_protocol, other_tos, flow}) (void)Run(frame.Build());
    return Misses().size();
  };
  EXPECT_EQ(events({}), 1u);
  EXPECT_EQ(events({.by_ports = true}), 3u);
  EXPECT_EQ(events({.by_tos = true}), 2u);
  EXPECT_EQ(events({.by_ports = true, .by_tos = true}), 4u);
}

TEST_F(MissTest, AgainAfterTheWindow) {
  constexpr auto kWindow = 100ms;
  LoadClassifier({.report_window = kWindow});
  (void)Run(FlowFrame(7));
  const auto first = Misses();
  ASSERT_EQ(first.size(), 1u);
  std::vector<MissEvent> second;
  const auto deadline = steady_clock::now() + 10s;
  while (second.empty() && steady_clock::now() < deadline) {
    (void)Run(FlowFrame(7));
    second = Misses();
  }
  ASSERT_EQ(second.size(), 1u);
  EXPECT_GE(second[0].time - first[0].time, kWindow);
}

TEST_F(MissTest, TheDefaultWindowIsUnderASecond) {
  EXPECT_LT(Classifier::Options().report_window, 1s);
  EXPECT_GE(Classifier::Options().report_window, 500ms);
}

TEST_F(MissTest, AFullRingLosesNoFlowForGood) {
  LoadClassifier({.report_window = 1h, .ring_bytes = 4096});
  constexpr unsigned kFlows = 200;
  for (unsigned i = 0; i < kFlows; ++i) {
    ASSERT_EQ(Run(FlowFrame(i)).action, kRedirected) << "a full ring keeps no packet from its way";
  }
  const auto reports = Reports();
  EXPECT_GT(reports.ring_full, 0u);
  EXPECT_EQ(reports.sent + reports.ring_full, kFlows);
  std::size_t heard = Misses().size();
  EXPECT_EQ(heard, reports.sent);
  for (int round = 0; round < 20 && heard < kFlows; ++round) {
    for (unsigned i = 0; i < kFlows; ++i) (void)Run(FlowFrame(i));
    heard += Misses().size();
  }
  EXPECT_EQ(heard, kFlows) << "each flow once: what was lost came again, what was heard did not";
}

TEST_F(MissTest, ForgettingBringsEachFlowBack) {
  LoadClassifier({.report_window = 1h});
  for (unsigned i = 0; i < 5; ++i) (void)Run(FlowFrame(i));
  EXPECT_EQ(Misses().size(), 5u);
  ASSERT_TRUE(classifier_->ForgetReported());
  for (unsigned i = 0; i < 5; ++i) (void)Run(FlowFrame(i));
  EXPECT_EQ(Misses().size(), 5u);
}

TEST_F(MissTest, MoreFlowsThanAreRemembered) {
  LoadClassifier({.report_window = 1h, .max_reported = 64});
  for (unsigned i = 0; i < 250; ++i) ASSERT_EQ(Run(FlowFrame(i)).action, kRedirected);
  EXPECT_EQ(Misses().size(), 250u);
}

TEST_F(MissTest, OfDataThatWaits) {
  (void)Run(FromPod0("10.2.0.77").Build());
  EXPECT_EQ(VerdictOfOnlyMiss(), "no_neigh");
  Ipv4Frame unknown = FromPod0("198.51.100.7");
  unknown.source = "10.1.0.99";
  (void)Run(unknown.Build());
  EXPECT_EQ(VerdictOfOnlyMiss(), "source_unknown");
  (void)Run(FromPod0("10.4.0.2").Build());
  EXPECT_EQ(VerdictOfOnlyMiss(), "other_switch");
  (void)Run(FromPod0("10.5.0.2").Build());
  EXPECT_EQ(VerdictOfOnlyMiss(), "egress_not_a_port");
  Ipv4Frame big = FromPod0("198.51.100.8");
  big.length = 1501;
  (void)Run(big.Build());
  EXPECT_EQ(VerdictOfOnlyMiss(), "too_big");
}

TEST_F(MissTest, NotOfPacketsThatHardwareMustNotForward) {
  Ipv4Frame expired = FromPod0("198.51.100.7"), optional = expired, stranger = expired;
  expired.ttl = 1;
  optional.options = 8;
  stranger.destination_mac = "02:00:00:00:09:09";
  (void)Run(expired.Build());
  (void)Run(optional.Build());
  (void)Run(stranger.Build());
  (void)Run(FromPod0("198.51.100.7").Build(), {.mark = 7});
  (void)Run(FromPod0("10.1.0.1").Build());
  EXPECT_TRUE(Misses().empty());
}

TEST_F(MissTest, TheAgentMaySwitchReportsOff) {
  ASSERT_TRUE(classifier_->Set({.report = false}));
  ASSERT_EQ(Run(FlowFrame(7)).action, kRedirected);
  EXPECT_TRUE(Misses().empty());
  ASSERT_TRUE(classifier_->Set({}));
  ASSERT_EQ(Run(FlowFrame(7)).action, kRedirected);
  EXPECT_EQ(Misses().size(), 1u);
}

TEST_F(MissTest, TheRingIsReadableWhileThereAreEvents) {
  pollfd ring{.fd = classifier_->ring_fd(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&ring, 1, 0), 0);
  for (unsigned i = 0; i < 3; ++i) (void)Run(FlowFrame(i));
  EXPECT_EQ(poll(&ring, 1, 0), 1);
  std::vector<IpAddress> seen;
  const auto take = [&](const MissEvent& event) { seen.push_back(event.destination); };
  EXPECT_EQ(classifier_->DrainMisses(take, 2), 2u);
  EXPECT_EQ(poll(&ring, 1, 0), 1) << "one is left";
  EXPECT_EQ(classifier_->DrainMisses(take, 2), 1u);
  EXPECT_EQ(poll(&ring, 1, 0), 0);
  EXPECT_EQ(classifier_->DrainMisses(take, 2), 0u);
  EXPECT_EQ(seen, (std::vector{Ip("198.51.100.0"), Ip("198.51.100.1"), Ip("198.51.100.2")}));
}

}  // namespace
}  // namespace dpuflow::test
