// SPDX-License-Identifier: Apache-2.0
//
// Addresses as plain values: MAC, IP (either family) and prefix. Comparable, hashable, printable;
// no system call.
#pragma once

#include <fmt/format.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dpuflow {

// 48-bit IEEE 802 MAC address, in the order in which it is on the wire.
struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};

  auto operator<=>(const MacAddress&) const = default;
  [[nodiscard]] bool is_zero() const { return *this == MacAddress{}; }
  [[nodiscard]] bool is_multicast() const { return (bytes[0] & 1) != 0; }  // broadcast included
  static std::optional<MacAddress> Parse(std::string_view text);           // "02:00:00:00:00:01"
};

enum class Family : std::uint8_t { kNone = 0, kIpv4 = 2, kIpv6 = 10 };  // the values of AF_UNSPEC, AF_INET, AF_INET6

// An IPv4 or IPv6 address, network byte order; IPv4 uses the first four bytes and the others are
// zero.
class IpAddress {
 public:
  IpAddress() = default;
  static IpAddress V4(std::uint32_t network_order);
  static IpAddress V4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d);
  static IpAddress V6(const std::array<std::uint8_t, 16>& bytes);
  // From the bytes of a netlink attribute; nothing unless 4 or 16 bytes.
  static std::optional<IpAddress> FromBytes(std::span<const std::byte> bytes);
  static std::optional<IpAddress> Parse(std::string_view text);

  auto operator<=>(const IpAddress&) const = default;
  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool is_none() const { return family_ == Family::kNone; }
  [[nodiscard]] bool is_v4() const { return family_ == Family::kIpv4; }
  [[nodiscard]] bool is_v6() const { return family_ == Family::kIpv6; }
  [[nodiscard]] unsigned bits() const { return is_v4() ? 32 : is_v6() ? 128 : 0; }
  [[nodiscard]] const std::array<std::uint8_t, 16>& bytes() const { return bytes_; }
  [[nodiscard]] std::span<const std::uint8_t> wire() const { return {bytes_.data(), bits() / 8}; }
  [[nodiscard]] std::uint32_t v4() const;  // network byte order

 private:
  Family family_ = Family::kNone;
  std::array<std::uint8_t, 16> bytes_{};
};

// address/length, host bits zero (Canonical makes them so).
struct IpPrefix {
  IpAddress address{};
  std::uint8_t length = 0;

  auto operator<=>(const IpPrefix&) const = default;
  static IpPrefix Host(const IpAddress& address);  // /32 or /128
  static IpPrefix Canonical(const IpAddress& address, std::uint8_t length);
  static std::optional<IpPrefix> Parse(std::string_view text);  // "10.0.0.0/8", "10.0.0.1" (a host)
  [[nodiscard]] bool Contains(const IpAddress& other) const;
  [[nodiscard]] IpAddress Last() const;  // highest address in the prefix
};

std::string ToString(const MacAddress& mac);
std::string ToString(const IpAddress& address);  // RFC 5952; "none" for an empty one
std::string ToString(const IpPrefix& prefix);

// FNV-1a over bytes: for hash tables keyed by small values.
constexpr std::size_t HashBytes(std::span<const std::uint8_t> bytes, std::size_t seed = 0xcbf29ce484222325) {
  for (const std::uint8_t byte : bytes) seed = (seed ^ byte) * 0x100000001b3;
  return seed;
}

}  // namespace dpuflow

template <>
struct std::hash<dpuflow::MacAddress> {
  std::size_t operator()(const dpuflow::MacAddress& mac) const { return dpuflow::HashBytes(mac.bytes); }
};

template <>
struct std::hash<dpuflow::IpAddress> {
  std::size_t operator()(const dpuflow::IpAddress& address) const { return dpuflow::HashBytes(address.wire()); }
};

namespace dpuflow::detail {
template <typename T>
struct ToStringFormatter : fmt::formatter<std::string> {
  template <typename Context>
  auto format(const T& value, Context& context) const {
    return fmt::formatter<std::string>::format(ToString(value), context);
  }
};
}  // namespace dpuflow::detail

template <>
struct fmt::formatter<dpuflow::MacAddress> : dpuflow::detail::ToStringFormatter<dpuflow::MacAddress> {};
template <>
struct fmt::formatter<dpuflow::IpAddress> : dpuflow::detail::ToStringFormatter<dpuflow::IpAddress> {};
template <>
struct fmt::formatter<dpuflow::IpPrefix> : dpuflow::detail::ToStringFormatter<dpuflow::IpPrefix> {};
