// SPDX-License-Identifier: Apache-2.0
#include "tests/lab/traffic/frame.h"

#include <netinet/in.h>

#include <cctype>
#include <stdexcept>

#include "tests/lab/traffic/checksum.h"

namespace labtraffic {
namespace {

void Put16(std::string& out, std::size_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

void Set16(std::string& out, std::size_t at, std::uint16_t value) {
  out[at] = static_cast<char>(value >> 8);
  out[at + 1] = static_cast<char>(value);
}

// The transport's checksum covers addresses, protocol and length as well: for both families these bytes, in some order.
std::uint16_t TransportChecksum(const FrameSpec& spec, const std::string& segment) {
  std::string covered = spec.source.bytes() + spec.destination.bytes();
  Put16(covered, spec.protocol);
  Put16(covered, segment.size());
  const std::uint16_t sum = Checksum(covered + segment);
  return sum == 0 && spec.protocol == IPPROTO_UDP ? 0xffff : sum;
}

std::string Udp(const FrameSpec& spec) {
  std::string out;
  Put16(out, spec.source.port());
  Put16(out, spec.destination.port());
  Put16(out, 8 + spec.payload.size());
  Put16(out, 0);
  out += spec.payload;
  Set16(out, 6, TransportChecksum(spec, out));
  return out;
}

std::string Tcp(const FrameSpec& spec) {
  std::string out;
  Put16(out, spec.source.port());
  Put16(out, spec.destination.port());
  out += std::string("\x00\x00\x00\x01\x00\x00\x00\x00\x50", 9);
  out.push_back(static_cast<char>(spec.tcp_flags));
  Put16(out, 65535);
  Put16(out, 0);
  Put16(out, 0);
  out += spec.payload;
  Set16(out, 16, TransportChecksum(spec, out));
  return out;
}

std::string Icmp(const FrameSpec& spec) {
  const bool v4 = spec.protocol == IPPROTO_ICMP;
  std::string out;
  out.push_back(static_cast<char>(v4 ? 8 : 128));
  out += std::string("\x00\x00\x00\x00\x01\x00\x01", 7);
  out += spec.payload;
  Set16(out, 2, v4 ? Checksum(out) : TransportChecksum(spec, out));
  return out;
}

std::string Transport(const FrameSpec& spec) {
  if (spec.fragment_offset != 0) {
    return spec.payload;
  }
  switch (spec.protocol) {
    case IPPROTO_UDP:
      return Udp(spec);
    case IPPROTO_TCP:
      return Tcp(spec);
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return Icmp(spec);
    default:
      return spec.payload;
  }
}

std::string Ipv4(const FrameSpec& spec, const std::string& content) {
  std::string options = spec.ip_options;
  options.resize((options.size() + 3) / 4 * 4);
  const std::size_t length = 20 + options.size();
  if (length > 60 || spec.fragment_offset % 8 != 0) {
    throw std::invalid_argument("at most 40 bytes of IP options, and a fragment offset that is a multiple of 8");
  }
  std::string out;
  out.push_back(static_cast<char>(0x40 | length / 4));
  out.push_back(0);
  Put16(out, length + content.size());
  Put16(out, spec.identification);
  Put16(out, (spec.dont_fragment ? 0x4000U : 0U) | (spec.more_fragments ? 0x2000U : 0U) | spec.fragment_offset / 8U);
  out.push_back(static_cast<char>(spec.ttl));
  out.push_back(static_cast<char>(spec.protocol));
  Put16(out, 0);
  out += spec.source.bytes() + spec.destination.bytes() + options;
  Set16(out, 10, Checksum(out));
  return out + content;
}

std::string Ipv6(const FrameSpec& spec, const std::string& content) {
  std::string out("\x60\x00\x00\x00", 4);
  Put16(out, content.size());
  out.push_back(static_cast<char>(spec.protocol));
  out.push_back(static_cast<char>(spec.ttl));
  return out + spec.source.bytes() + spec.destination.bytes() + content;
}

unsigned Nibble(char digit) {
  const auto value = static_cast<unsigned char>(digit);
  return std::isdigit(value) ? value - '0' : std::tolower(value) - 'a' + 10U;
}

}  // namespace

std::string BuildFrame(const FrameSpec& spec) {
  if (spec.source.family() != spec.destination.family()) {
    throw std::invalid_argument("source and destination are of different families");
  }
  const bool v4 = spec.source.family() == AF_INET;
  std::string frame(spec.destination_mac.begin(), spec.destination_mac.end());
  frame.append(spec.source_mac.begin(), spec.source_mac.end());
  if (spec.vlan_tci) {
    Put16(frame, 0x8100);
    Put16(frame, *spec.vlan_tci);
  }
  Put16(frame, v4 ? 0x0800 : 0x86dd);
  const std::string content = Transport(spec);
  frame += v4 ? Ipv4(spec, content) : Ipv6(spec, content);
  if (frame.size() < 60) {
    frame.resize(60);
  }
  return frame;
}

std::string FromHex(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c))) {
      digits.push_back(c);
    } else if (c != ' ' && c != ':') {
      throw std::invalid_argument("expected hexadecimal digits, found '" + text + "'");
    }
  }
  if (digits.size() % 2 != 0) {
    throw std::invalid_argument("expected whole bytes, found an odd number of hexadecimal digits");
  }
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    bytes.push_back(static_cast<char>(Nibble(digits[i]) << 4 | Nibble(digits[i + 1])));
  }
  return bytes;
}

std::string ToHex(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text.push_back(kDigits[static_cast<std::uint8_t>(c) >> 4]);
    text.push_back(kDigits[c & 0xf]);
  }
  return text;
}

}  // namespace labtraffic
