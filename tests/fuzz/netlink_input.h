// SPDX-License-Identifier: Apache-2.0
//
// Fuzzed bytes as what the kernel sends.
#pragma once

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace dpuflow::fuzz {

// A copy in memory of just that size: AddressSanitizer sees a read beyond it, and the header is aligned.
inline std::vector<std::byte> Bytes(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  return {bytes.begin(), bytes.end()};
}

// One message, or nothing where not even a header fits. Its length is made true, so that a mutation which inserts bytes
// is not all for nothing: lengths that lie are what datagram_fuzz.cc is for.
class OneMessage {
 public:
  OneMessage(const std::uint8_t* data, std::size_t size) : bytes_(Bytes(data, size)) {
    const auto length = static_cast<std::uint32_t>(size);
    if (size >= sizeof(nlmsghdr)) std::memcpy(bytes_.data(), &length, sizeof length);
  }

  [[nodiscard]] bool empty() const { return bytes_.size() < sizeof(nlmsghdr); }
  [[nodiscard]] const nlmsghdr& header() const {
    return *static_cast<const nlmsghdr*>(static_cast<const void*>(bytes_.data()));
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace dpuflow::fuzz
