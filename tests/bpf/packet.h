// SPDX-License-Identifier: Apache-2.0
//
// Frames for the classifier's tests, built from values and checked from bytes, by other code than what is tested.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "netlink/address.h"

namespace dpuflow::test {

using Frame = std::vector<std::uint8_t>;

// What is not said is an ordinary UDP datagram. Lengths and checksums come out right unless one is forced.
struct Ipv4Frame {
  std::string_view source_mac = "02:00:00:00:02:01";
  std::string_view destination_mac;
  std::string_view source;
  std::string_view destination;
  std::uint8_t protocol = 17;
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 7;
  std::uint8_t ttl = 64;
  std::uint8_t tos = 0;
  std::uint16_t id = 1;
  std::uint16_t fragment = 0x4000;  // flags and offset: "don't fragment"
  std::size_t options = 0;          // bytes of IP options (no-operation), a multiple of four
  std::size_t length = 100;         // bytes of L3

  [[nodiscard]] Frame Build() const;
};

// The same in IPv6.
struct Ipv6Frame {
  std::string_view source_mac = "02:00:00:00:02:01";
  std::string_view destination_mac;
  std::string_view source;
  std::string_view destination;
  std::uint8_t next_header = 17;
  std::uint16_t source_port = 40000;
  std::uint16_t destination_port = 7;
  std::uint8_t hop_limit = 64;
  std::uint8_t traffic_class = 0;
  std::uint32_t flow_label = 0;
  std::size_t length = 100;  // bytes of L3

  [[nodiscard]] Frame Build() const;
};

// Ethernet header and payload.
Frame EthernetFrame(std::string_view destination_mac, std::string_view source_mac, std::uint16_t ethertype,
                    const std::vector<std::uint8_t>& payload);
Frame ArpRequest(std::string_view source_mac, std::string_view source, std::string_view target);

MacAddress Mac(std::string_view text);  // the text must be right
IpAddress Ip(std::string_view text);

MacAddress DestinationOf(const Frame& frame);
MacAddress SourceOf(const Frame& frame);
bool HasRightChecksum(const Frame& frame);  // an IPv4 header without options, summed up as RFC 791 says
void SetChecksum(Frame& frame);             // of an IPv4 header of any length that is there in full

// What a router makes of a frame: MACs, TTL less one, checksum computed anew.
Frame Routed(const Frame& frame, const MacAddress& source, const MacAddress& destination);

// The same in IPv6, where the hop limit has no checksum.
Frame Routed6(const Frame& frame, const MacAddress& source, const MacAddress& destination);

inline constexpr std::size_t kEthernet = 14;  // bytes before the IP header
inline constexpr std::size_t kTtlAt = kEthernet + 8;
inline constexpr std::size_t kChecksumAt = kEthernet + 10;
inline constexpr std::size_t kHopLimitAt = kEthernet + 7;
inline constexpr std::size_t kAfterIpv6 = kEthernet + 40;

}  // namespace dpuflow::test
