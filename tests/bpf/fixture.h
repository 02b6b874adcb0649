// SPDX-License-Identifier: Apache-2.0
//
// A small DPU in a network namespace of its own, and the classifier loaded, but attached to nothing: packets run through
// it by BPF_PROG_RUN. Needs root.
//
//   pod0     port     10.1.0.1/24   02:00:00:00:01:00   neighbour 10.1.0.2; its address is a validated source
//   pod1     port     10.2.0.1/24   02:00:00:00:01:01   neighbour 10.2.0.2
//   uplink   port     10.3.0.1/24   02:00:00:00:01:02   neighbour 10.3.0.2, gateway of 198.51.100.0/24
//   foreign  port of another eswitch  10.4.0.1/24       neighbour 10.4.0.2
//   outside  no port  10.5.0.1/24                       neighbour 10.5.0.2
//
// Each is one end of a veth pair; the other end ("pod0x", ...) is what a pod or the wire would be. A neighbour's MAC is
// that of its device with a 02 for the 01. There is no default route.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/classifier.h"
#include "tests/bpf/packet.h"

namespace dpuflow::test {

inline constexpr int kToStack = -1;    // TC_ACT_UNSPEC
inline constexpr int kRedirected = 7;  // TC_ACT_REDIRECT

inline constexpr std::string_view kPod0Mac = "02:00:00:00:01:00";
inline constexpr std::string_view kPod1Mac = "02:00:00:00:01:01";
inline constexpr std::string_view kUplinkMac = "02:00:00:00:01:02";
inline constexpr std::string_view kPod0Neighbour = "02:00:00:00:02:00";
inline constexpr std::string_view kPod1Neighbour = "02:00:00:00:02:01";
inline constexpr std::string_view kUplinkNeighbour = "02:00:00:00:02:02";

// What the kernel would know of a packet beside its bytes.
struct SkbContext {
  std::uint32_t gso_size = 0;
  std::uint32_t gso_segs = 0;
  std::uint32_t mark = 0;
};

// What the program did with a packet.
struct RunResult {
  int error = 0;  // of BPF_PROG_RUN: the program did not run
  int action = 0;
  Frame frame;
  std::uint32_t nanoseconds = 0;  // of the program alone, by the kernel's clock
};

// The same with what it counted.
struct Outcome {
  int action = 0;
  std::string verdict;  // words, which read well in a failure
  std::string protocol;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  Frame frame;
};

void Write(const std::string& path, std::string_view text);  // throws std::runtime_error, as the two below
std::string Command(const std::string& line);                // output of a shell command that must succeed
std::uint32_t Ifindex(const std::string& name);

class ClassifierTest : public ::testing::Test {
 protected:
  void SetUp() override;

  // Load()s anew, with the same ports and sources.
  void LoadClassifier(const Classifier::Options& options);
  [[nodiscard]] RunResult Run(const Frame& frame, const SkbContext& context = {}, const std::string& port = "pod0");
  // Runs the frame and finds out what was counted, which must be one verdict.
  [[nodiscard]] Outcome Send(const Frame& frame, const SkbContext& context = {}, const std::string& port = "pod0");
  [[nodiscard]] std::vector<MissEvent> Misses();
  [[nodiscard]] ReportCounters Reports() const;

  // A datagram from the pod at pod0 to the router.
  static Ipv4Frame FromPod0(std::string_view destination) {
    return {
        .source_mac = kPod0Neighbour, .destination_mac = kPod0Mac, .source = "10.1.0.2", .destination = destination};
  }

  std::optional<Classifier> classifier_;
};

}  // namespace dpuflow::test
