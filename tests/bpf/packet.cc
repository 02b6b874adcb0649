// SPDX-License-Identifier: Apache-2.0
#include "tests/bpf/packet.h"

#include <algorithm>
#include <span>

namespace dpuflow::test {
namespace {

void Put16(Frame& frame, std::size_t at, std::size_t value) {
  frame.at(at) = static_cast<std::uint8_t>(value >> 8);
  frame.at(at + 1) = static_cast<std::uint8_t>(value);
}

void Put(Frame& frame, std::size_t at, std::span<const std::uint8_t> bytes) {
  std::ranges::copy(bytes, frame.begin() + static_cast<std::ptrdiff_t>(at));
}

std::uint16_t Sum(std::span<const std::uint8_t> header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2) sum += std::uint32_t{header[i]} << 8 | header[i + 1];
  while (sum > 0xffff) sum = (sum >> 16) + (sum & 0xffff);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

MacAddress Mac(std::string_view text) { return MacAddress::Parse(text).value(); }
IpAddress Ip(std::string_view text) { return IpAddress::Parse(text).value(); }

Frame EthernetFrame(std::string_view destination_mac, std::string_view source_mac, std::uint16_t ethertype,
                    const std::vector<std::uint8_t>& payload) {
  Frame frame(kEthernet);
  Put(frame, 0, Mac(destination_mac).bytes);
  Put(frame, 6, Mac(source_mac).bytes);
  Put16(frame, 12, ethertype);
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

Frame ArpRequest(std::string_view source_mac, std::string_view source, std::string_view target) {
  Frame frame = EthernetFrame("ff:ff:ff:ff:ff:ff", source_mac, 0x0806, std::vector<std::uint8_t>(46));
  const std::uint8_t kind[] = {0, 1, 8, 0, 6, 4, 0, 1};  // Ethernet, IPv4, lengths, request
  Put(frame, kEthernet, kind);
  Put(frame, kEthernet + 8, Mac(source_mac).bytes);
  Put(frame, kEthernet + 14, Ip(source).wire());
  Put(frame, kEthernet + 24, Ip(target).wire());
  return frame;
}

Frame Ipv4Frame::Build() const {
  Frame frame = EthernetFrame(destination_mac, source_mac, 0x0800, std::vector<std::uint8_t>(length));
  const std::size_t header = 20 + options;
  for (std::size_t i = header; i < length; ++i) frame[kEthernet + i] = static_cast<std::uint8_t>(i);
  frame[kEthernet] = static_cast<std::uint8_t>(0x40 | header / 4);
  frame[kEthernet + 1] = tos;
  Put16(frame, kEthernet + 2, length);
  Put16(frame, kEthernet + 4, id);
  Put16(frame, kEthernet + 6, fragment);
  frame[kTtlAt] = ttl;
  frame[kEthernet + 9] = protocol;
  Put(frame, kEthernet + 12, Ip(source).wire());
  Put(frame, kEthernet + 16, Ip(destination).wire());
  std::fill_n(frame.begin() + kEthernet + 20, options, std::uint8_t{1});
  if (length >= header + 4) {
    Put16(frame, kEthernet + header, source_port);
    Put16(frame, kEthernet + header + 2, destination_port);
  }
  if (protocol == 6 && length >= header + 20) frame[kEthernet + header + 12] = 0x50;  // a TCP header of 20 bytes
  SetChecksum(frame);
  return frame;
}

Frame Ipv6Frame::Build() const {
  constexpr std::size_t kHeader = 40;
  Frame frame = EthernetFrame(destination_mac, source_mac, 0x86dd, std::vector<std::uint8_t>(length));
  for (std::size_t i = kHeader; i < length; ++i) frame[kEthernet + i] = static_cast<std::uint8_t>(i);
  Put16(frame, kEthernet, 0x6000u | std::size_t{traffic_class} << 4 | flow_label >> 16);
  Put16(frame, kEthernet + 2, flow_label & 0xffff);
  Put16(frame, kEthernet + 4, length - kHeader);
  frame[kEthernet + 6] = next_header;
  frame[kHopLimitAt] = hop_limit;
  Put(frame, kEthernet + 8, Ip(source).wire());
  Put(frame, kEthernet + 24, Ip(destination).wire());
  if (length >= kHeader + 4) {
    Put16(frame, kAfterIpv6, source_port);
    Put16(frame, kAfterIpv6 + 2, destination_port);
  }
  if (next_header == 6 && length >= kHeader + 20) frame[kAfterIpv6 + 12] = 0x50;
  return frame;
}

MacAddress DestinationOf(const Frame& frame) {
  MacAddress mac;
  std::copy_n(frame.begin(), 6, mac.bytes.begin());
  return mac;
}

MacAddress SourceOf(const Frame& frame) {
  MacAddress mac;
  std::copy_n(frame.begin() + 6, 6, mac.bytes.begin());
  return mac;
}

bool HasRightChecksum(const Frame& frame) {
  return frame.size() >= kEthernet + 20 && Sum(std::span(frame).subspan(kEthernet, 20)) == 0xffff;
}

void SetChecksum(Frame& frame) {
  const std::size_t header = (frame.at(kEthernet) & 0xfu) * 4;
  Put16(frame, kChecksumAt, 0);
  Put16(frame, kChecksumAt, 0xffffu & ~Sum(std::span(frame).subspan(kEthernet, header)));
}

Frame Routed(const Frame& frame, const MacAddress& source, const MacAddress& destination) {
  Frame routed = frame;
  Put(routed, 0, destination.bytes);
  Put(routed, 6, source.bytes);
  --routed[kTtlAt];
  SetChecksum(routed);
  return routed;
}

Frame Routed6(const Frame& frame, const MacAddress& source, const MacAddress& destination) {
  Frame routed = frame;
  Put(routed, 0, destination.bytes);
  Put(routed, 6, source.bytes);
  --routed[kHopLimitAt];
  return routed;
}

}  // namespace dpuflow::test
