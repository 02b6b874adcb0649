// SPDX-License-Identifier: Apache-2.0
//
// Which fields of a packet a match has. With a packet that it matches, that is all of the match, and a flow, which keeps such a
// packet anyhow, need not keep the match as well.
//
// Pure.
#pragma once

#include <cstdint>

#include "agent/flow/events.h"
#include "agent/flow/rule.h"

namespace dpuflow::flow {

struct Mask {
  Table table = Table::kL3;
  std::uint8_t source_length = 0;  // of the source's prefix, if there is one
  std::uint16_t fields = 0;        // Fields (rule.h), and a set of these

  static constexpr std::uint16_t kSourceMac = 1 << 8;
  static constexpr std::uint16_t kDestinationMac = 1 << 9;
  static constexpr std::uint16_t kDestination = 1 << 10;
  static constexpr std::uint16_t kTtlExpires = 1 << 11;
  static constexpr std::uint16_t kPortless = 1 << 12;

  [[nodiscard]] bool Has(std::uint16_t field) const { return (fields & field) != 0; }
  bool operator==(const Mask&) const = default;
};

[[nodiscard]] Mask MaskOf(const Match& match);
// A packet that it matches; what it does not look at is empty.
[[nodiscard]] Miss PacketOf(const Match& match);
// The match with the packet's values in these fields.
[[nodiscard]] Match Masked(const Miss& packet, const Mask& mask);

}  // namespace dpuflow::flow
