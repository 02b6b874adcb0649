// SPDX-License-Identifier: Apache-2.0
//
// What a numbered packet carries. All sides run on one kernel, so their clocks are one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace labtraffic {

struct Payload {
  enum class Kind : std::uint32_t {
    kData = 0x6c744441,  // "ltDA"
    kEnd = 0x6c74454e,   // "ltEN": `sequence` is the first number of the stream, `count` how many it had
  };
  static constexpr std::size_t kSize = 32;

  Kind kind = Kind::kData;
  std::uint32_t flow = 0;
  std::uint64_t sequence = 0;
  std::uint64_t count = 0;
  std::uint64_t sent_ns = 0;  // CLOCK_MONOTONIC

  // In network order, padded with zeros to `size`, which is kSize at least.
  std::string Encode(std::size_t size = kSize) const;
  // Nothing if the bytes are no payload of ours.
  static std::optional<Payload> Decode(std::string_view bytes);
};

std::uint64_t MonotonicNs();

}  // namespace labtraffic
