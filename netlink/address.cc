// SPDX-License-Identifier: Apache-2.0
#include "netlink/address.h"

#include <arpa/inet.h>

#include <charconv>

namespace dpuflow {
namespace {

// The mask of byte `index` of a prefix `length` bits long.
std::uint8_t MaskByte(unsigned length, unsigned index) {
  const unsigned first_bit = index * 8;
  if (length >= first_bit + 8) return 0xff;
  if (length <= first_bit) return 0;
  return static_cast<std::uint8_t>(0xff << (8 - (length - first_bit)));
}

}  // namespace

std::optional<MacAddress> MacAddress::Parse(std::string_view text) {
  MacAddress mac;
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 0; i < 6; ++i) {
    const char* begin = text.data() + i * 3;
    const auto [end, error] = std::from_chars(begin, begin + 2, mac.bytes[i], 16);
    if (error != std::errc{} || end != begin + 2) return std::nullopt;
    if (i < 5 && begin[2] != ':') return std::nullopt;
  }
  return mac;
}

IpAddress IpAddress::V4(std::uint32_t network_order) {
  IpAddress address;
  address.family_ = Family::kIpv4;
  std::memcpy(address.bytes_.data(), &network_order, sizeof network_order);
  return address;
}

IpAddress IpAddress::V4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  IpAddress address;
  address.family_ = Family::kIpv4;
  address.bytes_ = {a, b, c, d};
  return address;
}

IpAddress IpAddress::V6(const std::array<std::uint8_t, 16>& bytes) {
  IpAddress address;
  address.family_ = Family::kIpv6;
  address.bytes_ = bytes;
  return address;
}

std::optional<IpAddress> IpAddress::FromBytes(std::span<const std::byte> bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) return std::nullopt;
  IpAddress address;
  address.family_ = bytes.size() == 4 ? Family::kIpv4 : Family::kIpv6;
  std::memcpy(address.bytes_.data(), bytes.data(), bytes.size());
  return address;
}

std::optional<IpAddress> IpAddress::Parse(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;  // inet_pton() would read what is before it
  const std::string terminated(text);
  IpAddress address;
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes_.data()) == 1) {
    address.family_ = Family::kIpv4;
    return address;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes_.data()) == 1) {
    address.family_ = Family::kIpv6;
    return address;
  }
  return std::nullopt;
}

std::uint32_t IpAddress::v4() const {
  std::uint32_t network_order = 0;
  std::memcpy(&network_order, bytes_.data(), sizeof network_order);
  return network_order;
}

IpPrefix IpPrefix::Host(const IpAddress& address) { return {address, static_cast<std::uint8_t>(address.bits())}; }

IpPrefix IpPrefix::Canonical(const IpAddress& address, std::uint8_t length) {
  std::array<std::uint8_t, 16> bytes = address.bytes();
  for (unsigned i = 0; i < bytes.size(); ++i) bytes[i] &= MaskByte(length, i);
  if (address.is_v6()) return {IpAddress::V6(bytes), length};
  return {IpAddress::V4(bytes[0], bytes[1], bytes[2], bytes[3]), length};
}

std::optional<IpPrefix> IpPrefix::Parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::Parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return Host(*address);
  const std::string_view digits = text.substr(slash + 1);
  std::uint8_t length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || length > address->bits()) return std::nullopt;
  return Canonical(*address, length);
}

bool IpPrefix::Contains(const IpAddress& other) const {
  if (other.family() != address.family()) return false;
  for (unsigned i = 0; i * 8 < length; ++i) {
    if (((other.bytes()[i] ^ address.bytes()[i]) & MaskByte(length, i)) != 0) return false;
  }
  return true;
}

IpAddress IpPrefix::Last() const {
  std::array<std::uint8_t, 16> bytes = address.bytes();
  for (unsigned i = 0; i < address.bits() / 8; ++i) bytes[i] |= static_cast<std::uint8_t>(~MaskByte(length, i));
  if (address.is_v6()) return IpAddress::V6(bytes);
  return IpAddress::V4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

std::string ToString(const MacAddress& mac) {
  const auto& b = mac.bytes;
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[0], b[1], b[2], b[3], b[4], b[5]);
}

std::string ToString(const IpAddress& address) {
  if (address.is_none()) return "none";
  char text[INET6_ADDRSTRLEN];
  inet_ntop(static_cast<int>(address.family()), address.bytes().data(), text, sizeof text);
  return text;
}

std::string ToString(const IpPrefix& prefix) { return fmt::format("{}/{}", prefix.address, prefix.length); }

}  // namespace dpuflow
