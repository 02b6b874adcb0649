// SPDX-License-Identifier: Apache-2.0
//
// Ethernet frames made to order, right in all that is not asked to be wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tests/lab/traffic/address.h"

namespace labtraffic {

struct FrameSpec {
  Mac destination_mac = {};
  Mac source_mac = {};
  std::optional<std::uint16_t> vlan_tci;  // PCP, DEI, VLAN id
  Endpoint source;                        // the ports are UDP's or TCP's
  Endpoint destination;                   // of the same family
  std::uint8_t protocol = 17;
  std::uint8_t ttl = 64;
  std::string ip_options;             // IPv4, padded here to whole words
  std::uint16_t identification = 1;   // IPv4
  std::uint16_t fragment_offset = 0;  // IPv4, in bytes, a multiple of 8; a later fragment has no transport header
  bool more_fragments = false;
  bool dont_fragment = false;
  std::uint8_t tcp_flags = 0x02;
  std::string payload;
};

std::string BuildFrame(const FrameSpec& spec);

// "0a 0b", "0a0b" or "0a:0b". Throws std::invalid_argument.
std::string FromHex(const std::string& text);
std::string ToHex(const std::string& bytes);

}  // namespace labtraffic
