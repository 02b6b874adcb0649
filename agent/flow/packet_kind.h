// SPDX-License-Identifier: Apache-2.0
//
// Packets as the `protocol` of a tc filter tells them apart. Each entry is for one kind, and a dump may be of one alone.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>

#include "agent/flow/rule.h"

namespace dpuflow::flow {

enum class PacketKind : std::uint8_t { kIpv4, kIpv6, kTagged };
inline constexpr std::size_t kPacketKinds = 3;

inline PacketKind KindOf(std::uint16_t vlan, std::uint16_t ethertype) {
  if (vlan != kUntagged) return PacketKind::kTagged;
  return ethertype == kEthertypeIpv6 ? PacketKind::kIpv6 : PacketKind::kIpv4;
}

// A set of them, by their number.
using PacketKinds = std::bitset<kPacketKinds>;

inline PacketKinds Only(PacketKind kind) { return PacketKinds(1u << static_cast<unsigned>(kind)); }
inline bool Contains(const PacketKinds& kinds, PacketKind kind) { return (kinds & Only(kind)).any(); }

}  // namespace dpuflow::flow
