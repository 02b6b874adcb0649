// SPDX-License-Identifier: Apache-2.0
#include "tests/lab/traffic/sequence.h"

#include <gtest/gtest.h>

#include "tests/lab/traffic/address.h"
#include "tests/lab/traffic/checksum.h"
#include "tests/lab/traffic/frame.h"

namespace labtraffic {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

Payload Data(std::uint64_t sequence, std::uint32_t flow = 0) {
  Payload payload;
  payload.flow = flow;
  payload.sequence = sequence;
  payload.sent_ns = sequence * kMs;
  return payload;
}

Payload End(std::uint64_t first, std::uint64_t count) {
  Payload payload;
  payload.kind = Payload::Kind::kEnd;
  payload.sequence = first;
  payload.count = count;
  return payload;
}

TEST(SequenceTracker, AStreamThatArrivedInOrderIsComplete) {
  SequenceTracker tracker;
  for (std::uint64_t n = 5; n < 8; ++n) {
    tracker.Arrived(Data(n), n * kMs);
  }
  EXPECT_FALSE(tracker.complete());
  tracker.Arrived(End(5, 3), 9 * kMs);
  EXPECT_TRUE(tracker.complete());
  const auto report = tracker.Report();
  EXPECT_EQ(report["received"], 3);
  EXPECT_EQ(report["lost"], 0);
  EXPECT_EQ(report["reordered"], 0);
  EXPECT_EQ(report["last_reordered"], nullptr);
}

TEST(SequenceTracker, TheEndMarkerTellsWhatIsLostAtBothEnds) {
  SequenceTracker tracker;
  for (const std::uint64_t n : {2, 3, 5}) {
    tracker.Arrived(Data(n), n * kMs);
  }
  EXPECT_EQ(tracker.Report()["lost"], 1);
  tracker.Arrived(End(0, 8), 9 * kMs);
  const auto report = tracker.Report();
  EXPECT_EQ(report["lost"], 5);
  EXPECT_EQ(report["gaps"], (nlohmann::json{{0, 1}, {4, 4}, {6, 7}}));
}

TEST(SequenceTracker, ALatePacketIsReorderedAndNotLost) {
  SequenceTracker tracker;
  for (const std::uint64_t n : {0, 2, 3, 1, 4}) {
    tracker.Arrived(Data(n), 10 * kMs);
  }
  const auto report = tracker.Report();
  EXPECT_EQ(report["reordered"], 1);
  EXPECT_EQ(report["lost"], 0);
  EXPECT_EQ(report["last_reordered"]["sequence"], 1);
  EXPECT_EQ(report["last_reordered"]["sent_ms"], 1.0);
  EXPECT_EQ(report["last_reordered"]["received_ms"], 10.0);
}

TEST(SequenceTracker, FlowsOvertakingEachOtherAreNotReordered) {
  SequenceTracker tracker;
  tracker.Arrived(Data(1, 1), 0);
  tracker.Arrived(Data(0, 0), 0);
  EXPECT_EQ(tracker.Report()["reordered"], 0);
}

TEST(SequenceTracker, ADuplicateCountsOnceAndIsNoReordering) {
  SequenceTracker tracker;
  for (const std::uint64_t n : {0, 1, 0}) {
    tracker.Arrived(Data(n), 0);
  }
  const auto report = tracker.Report();
  EXPECT_EQ(report["received"], 2);
  EXPECT_EQ(report["duplicated"], 1);
  EXPECT_EQ(report["reordered"], 0);
}

TEST(SequenceTracker, NothingArrivedIsAReportToo) {
  const auto report = SequenceTracker().Report();
  EXPECT_EQ(report["received"], 0);
  EXPECT_EQ(report["lost"], 0);
}

TEST(Payload, SurvivesTheWire) {
  Payload payload = End(7, 9);
  payload.flow = 3;
  payload.sent_ns = 0x0102030405060708;
  const std::string bytes = payload.Encode(100);
  ASSERT_EQ(bytes.size(), 100U);
  const auto decoded = Payload::Decode(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->Encode(100), bytes);
  EXPECT_FALSE(Payload::Decode("short"));
  EXPECT_FALSE(Payload::Decode(std::string(64, 'x')));
}

TEST(Checksum, OfRfc1071sExample) { EXPECT_EQ(Checksum(FromHex("0001f203f4f5f6f7")), 0x220d); }

TEST(Frame, AnIpv4HeaderWithOptionsSumsToZero) {
  FrameSpec spec;
  spec.source = Endpoint::Parse("192.0.2.1:5");
  spec.destination = Endpoint::Parse("192.0.2.2:6");
  spec.ip_options = FromHex("070704");
  const std::string frame = BuildFrame(spec);
  EXPECT_EQ(frame[14], 0x46);
  EXPECT_EQ(Checksum(frame.substr(14, 24)), 0);
}

TEST(Endpoint, ParsesWhatItPrints) {
  EXPECT_EQ(Endpoint::Parse("192.0.2.255:9").Advanced(1, 1).address(), "192.0.3.0");
  EXPECT_EQ(Endpoint::Parse("192.0.2.255:9").Advanced(1, 1).port(), 10);
  EXPECT_EQ(Endpoint::Parse("[2001:db8::1]:9").Advanced(1, 0).address(), "2001:db8::2");
  EXPECT_EQ(Endpoint::Parse("2001:db8::1").port(), 0);
  EXPECT_THROW(Endpoint::Parse("nowhere"), std::invalid_argument);
  EXPECT_THROW(ParseMac("02:00:00:00:00"), std::invalid_argument);
}

}  // namespace
}  // namespace labtraffic
