// SPDX-License-Identifier: Apache-2.0
//
// Bytes for the codec tests: from hex, to hex, cut short, damaged.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "netlink/message.h"

namespace dpuflow::netlink {

inline std::vector<std::byte> FromHex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

inline std::string ToHex(std::span<const std::byte> bytes) {
  std::string hex;
  for (const std::byte byte : bytes) hex += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return hex;
}

inline const nlmsghdr& HeaderOf(const std::vector<std::byte>& bytes) {
  return *static_cast<const nlmsghdr*>(static_cast<const void*>(bytes.data()));
}

// One captured message.
inline Message Captured(std::string_view hex) { return Message(HeaderOf(FromHex(hex))); }

// The message cut to each length from its header on, in a buffer of just that size: a read beyond it is AddressSanitizer's.
inline void ForEachTruncation(std::span<const std::byte> message, const std::function<void(const nlmsghdr&)>& each) {
  for (std::size_t length = sizeof(nlmsghdr); length < message.size(); ++length) {
    std::vector<std::byte> cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(length));
    const auto nlmsg_len = static_cast<std::uint32_t>(length);
    std::memcpy(cut.data(), &nlmsg_len, sizeof nlmsg_len);
    each(HeaderOf(cut));
  }
}

// The message with each byte behind its header replaced, in turn, by values that lengths and types dislike.
inline void ForEachDamage(std::span<const std::byte> message, const std::function<void(const nlmsghdr&)>& each) {
  for (std::size_t at = sizeof(nlmsghdr); at < message.size(); ++at) {
    for (const unsigned value : {0x00U, 0x01U, 0x03U, 0x05U, 0x7fU, 0x80U, 0xffU}) {
      std::vector<std::byte> damaged(message.begin(), message.end());
      damaged[at] = static_cast<std::byte>(value);
      each(HeaderOf(damaged));
    }
  }
}

}  // namespace dpuflow::netlink
