// SPDX-License-Identifier: Apache-2.0
#include "tests/lab/traffic/payload.h"

#include <algorithm>
#include <ctime>

namespace labtraffic {
namespace {

void Put(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

std::uint64_t Take(std::string_view& in, std::size_t bytes) {
  std::uint64_t value = 0;
  for (const char c : in.substr(0, bytes)) {
    value = value << 8 | static_cast<std::uint8_t>(c);
  }
  in.remove_prefix(bytes);
  return value;
}

}  // namespace

std::string Payload::Encode(std::size_t size) const {
  std::string out;
  Put(out, static_cast<std::uint32_t>(kind), 4);
  Put(out, flow, 4);
  Put(out, sequence, 8);
  Put(out, count, 8);
  Put(out, sent_ns, 8);
  out.resize(std::max(size, kSize));
  return out;
}

std::optional<Payload> Payload::Decode(std::string_view bytes) {
  if (bytes.size() < kSize) {
    return std::nullopt;
  }
  Payload payload;
  payload.kind = static_cast<Kind>(Take(bytes, 4));
  if (payload.kind != Kind::kData && payload.kind != Kind::kEnd) {
    return std::nullopt;
  }
  payload.flow = static_cast<std::uint32_t>(Take(bytes, 4));
  payload.sequence = Take(bytes, 8);
  payload.count = Take(bytes, 8);
  payload.sent_ns = Take(bytes, 8);
  return payload;
}

std::uint64_t MonotonicNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace labtraffic
