// SPDX-License-Identifier: Apache-2.0
//
// Addresses as people type them. What is accepted is written and read again as the same value.
#include "netlink/address.h"

#include "fuzz.h"

namespace dpuflow {
namespace {

using fuzz::Require;

template <typename T>
void CheckRoundTrip(const T& value) {
  Require(T::Parse(ToString(value)) == value, "an address is read as it is written");
}

void CheckPrefix(const IpPrefix& prefix) {
  CheckRoundTrip(prefix);
  Require(prefix.length <= prefix.address.bits(), "a prefix is no longer than its address");
  Require(IpPrefix::Canonical(prefix.address, prefix.length) == prefix, "a prefix is canonical");
  Require(prefix.Contains(prefix.address) && prefix.Contains(prefix.Last()), "a prefix contains its ends");
  Require(prefix.address <= prefix.Last(), "a prefix begins before it ends");
}

void Check(std::string_view text) {
  constexpr std::string_view kOfAddresses = "0123456789abcdefABCDEF:./";
  const auto mac = MacAddress::Parse(text);
  const auto address = IpAddress::Parse(text);
  const auto prefix = IpPrefix::Parse(text);
  Require(!(mac && prefix), "a text is a MAC or an IP address, not both");
  Require(!address || prefix == IpPrefix::Host(*address), "an address alone is a host's prefix");
  Require(!(mac || prefix) || text.find_first_not_of(kOfAddresses) == std::string_view::npos,
          "an address has nothing else in it");
  if (mac) CheckRoundTrip(*mac);
  if (address) CheckRoundTrip(*address);
  if (prefix) CheckPrefix(*prefix);
}

void CheckBytes(std::span<const std::byte> bytes) {
  const auto address = IpAddress::FromBytes(bytes);
  Require(address.has_value() == (bytes.size() == 4 || bytes.size() == 16), "an address has 4 or 16 bytes");
  if (address) CheckRoundTrip(*address);
}

}  // namespace
}  // namespace dpuflow

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dpuflow::Check(dpuflow::fuzz::Text(data, size));
  dpuflow::CheckBytes(std::as_bytes(std::span(data, size)));
  return 0;
}
