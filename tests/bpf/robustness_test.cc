// SPDX-License-Identifier: Apache-2.0
//
// Bytes that make no sense: nothing crashes, nothing wrong is forwarded, nothing that goes to the stack is changed.
#include <cerrno>
#include <random>

#include "tests/bpf/fixture.h"

namespace dpuflow::test {
namespace {

class RobustnessTest : public ClassifierTest {
 protected:
  // Runs a frame and checks what must hold for any. Newer kernels refuse to run frames whose network header is not
  // there in full; returns whether it ran.
  bool RunAndCheck(const Frame& frame, const SkbContext& context = {}) {
    const RunResult result = Run(frame, context);
    if (result.error != 0) {
      EXPECT_EQ(result.error, EINVAL);
      return false;
    }
    if (result.action == kToStack) {
      EXPECT_EQ(result.frame, frame);
      return true;
    }
    EXPECT_EQ(result.action, kRedirected);
    ++forwarded_;
    EXPECT_TRUE(MayBeForwarded(frame));
    EXPECT_EQ(result.frame, Routed(frame, SourceOf(result.frame), DestinationOf(result.frame)));
    return true;
  }

  // The conditions that can be seen in the bytes, written down once more.
  static bool MayBeForwarded(const Frame& frame) {
    if (frame.size() < kEthernet + 20 || DestinationOf(frame) != Mac(kPod0Mac)) return false;
    const std::size_t length = frame[kEthernet + 2] * 256u + frame[kEthernet + 3];
    return frame[12] == 8 && frame[13] == 0 && frame[kEthernet] == 0x45 && length >= 20 &&
           length <= frame.size() - kEthernet && frame[kTtlAt] > 1 && HasRightChecksum(frame) &&
           IpAddress::FromBytes(std::as_bytes(std::span(frame).subspan(kEthernet + 12, 4))) == Ip("10.1.0.2");
  }

  std::size_t forwarded_ = 0;
  std::mt19937 random_{20240607};  // the same bytes in each run
};

TEST_F(RobustnessTest, TruncatedAtEveryLength) {
  for (const int protocol : {6, 17, 47}) {
    Ipv4Frame wanted = FromPod0("198.51.100.7");
    wanted.protocol = static_cast<std::uint8_t>(protocol);
    const Frame whole = wanted.Build();
    for (std::size_t size = 0; size < whole.size(); ++size) {
      RunAndCheck(Frame(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
    }
  }
  EXPECT_EQ(forwarded_, 0u) << "the length in the header is that of the whole";
}

TEST_F(RobustnessTest, OfEveryLengthWithTheRightLengthInTheHeader) {
  for (std::size_t length = 20; length < 64; ++length) {
    Ipv4Frame wanted = FromPod0("198.51.100.7");
    wanted.length = length;
    const Outcome outcome = Send(wanted.Build());
    EXPECT_EQ(outcome.verdict, length < 24 ? "malformed" : "forwarded") << "ports end at byte 24, length " << length;
  }
}

TEST_F(RobustnessTest, PortsAreNotReadFromPadding) {
  Ipv4Frame wanted = FromPod0("198.51.100.7");
  wanted.length = 20;
  Frame padded = wanted.Build();
  padded.resize(60);
  EXPECT_EQ(Send(padded).verdict, "malformed");
}

TEST_F(RobustnessTest, EveryVersionAndHeaderLength) {
  for (unsigned first = 0; first <= 0xff; ++first) {
    Frame frame = FromPod0("198.51.100.7").Build();
    frame[kEthernet] = static_cast<std::uint8_t>(first);
    if ((first & 0xf) >= 5) SetChecksum(frame);
    const Outcome outcome = Send(frame);
    EXPECT_EQ(outcome.verdict, first == 0x45                            ? "forwarded"
                               : (first >> 4) == 4 && (first & 0xf) > 5 ? "options"
                                                                        : "malformed")
        << first;
  }
}

TEST_F(RobustnessTest, AggregatesWithBrokenTcpHeaders) {
  Ipv4Frame wanted = FromPod0("198.51.100.7");
  wanted.protocol = 6;
  wanted.length = 1000;
  Frame frame = wanted.Build();
  frame[kEthernet + 20 + 12] = 0x40;  // a TCP header of 16 bytes
  EXPECT_EQ(Send(frame, {.gso_size = 500, .gso_segs = 2}).verdict, "malformed");
  EXPECT_EQ(Send(wanted.Build(), {.gso_size = 0xffff, .gso_segs = 2}).verdict, "too_big");
}

TEST_F(RobustnessTest, RandomBytes) {
  std::uniform_int_distribution<unsigned> byte(0, 255), size(14, 200);
  std::size_t ran = 0;
  for (int i = 0; i < 10'000; ++i) {
    Frame frame(size(random_));
    for (auto& value : frame) value = static_cast<std::uint8_t>(byte(random_));
    ran += RunAndCheck(frame) ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(ran, 9000u);
}

TEST_F(RobustnessTest, ValidPacketsWithRandomDamage) {
  std::uniform_int_distribution<unsigned> byte(0, 255), hits(1, 3), place(0, 54), coin(0, 1);
  for (int i = 0; i < 10'000; ++i) {
    Ipv4Frame wanted = FromPod0("198.51.100.7");
    wanted.protocol = coin(random_) != 0 ? 6 : 17;
    Frame frame = wanted.Build();
    for (unsigned n = hits(random_); n > 0; --n) frame[place(random_)] = static_cast<std::uint8_t>(byte(random_));
    // Half of them with the checksum made right again, so that the damage gets past it.
    if (coin(random_) != 0 && (frame[kEthernet] & 0xf) >= 5) SetChecksum(frame);
    RunAndCheck(frame, coin(random_) != 0 ? SkbContext{} : SkbContext{.gso_size = byte(random_), .gso_segs = 2});
    if (HasFailure()) return;
  }
  EXPECT_GT(forwarded_, 500u) << "some damage does not matter";
}

}  // namespace
}  // namespace dpuflow::test
