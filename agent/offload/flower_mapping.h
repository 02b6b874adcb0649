// SPDX-License-Identifier: Apache-2.0
//
// Rules as tc flower filters, and back to whose they are. Pure.
//
//   chain 0   prio 1, 3   guards: TTL (hop limit) 0 and 1     trap                  (IPv4, IPv6)
//             prio 2, 4   guards: martian sources             trap
//             prio 5, 7   L2 source                           goto chain 1
//             prio 6, 8   L2 source + source address          goto chain 1          (a lane has one shape or the other)
//             prio 9..14  the same for tagged packets, where both families share what holds no address: TTL 9, martians 10
//                         and 11, L2 source 12, with source address 13 and 14
//             prio 16     the classifier: whatever was not matched
//   chain 1   prio 1..3   L2 destination: IPv4, IPv6, tagged  goto chain 2, or VLAN tag and redirect (bridged)
//             prio 16     the classifier
//   chain 2   prio 1..15  L3 routing flows, by section        set MACs, TTL - 1, VLAN tag, redirect
//             prio 16     the classifier
//
// In the flat form (flow/form.h) there is chain 0 alone, with the same guards:
//
//   chain 0   prio 5..8,  flat entries, by section            as L3, or as L2 destination to a bridge's port
//             12..15
//             prio 16     the classifier
//
// The classifier has filters (cls_bpf) only on kernels without tcx.
//
// Tagged packets are those of ethertype 802.1Q, with IPv4 or IPv6 inside; a filter of another ethertype matches untagged
// ones only. One key shape and one ethertype per (chain, prio); `goto` lands on prio 1, so chains 1 and 2 begin there. Chains 0 to
// 3 and priorities 1 to 16 are what every firmware takes (mlx5, lib/fs_chains.c).
#pragma once

#include <cstdint>
#include <optional>

#include "agent/flow/events.h"
#include "agent/flow/packet_kind.h"
#include "netlink/flower.h"

namespace dpuflow::offload {

// 0, 1, 2, or 0 alone.
[[nodiscard]] constexpr std::uint32_t ChainsOf(flow::Form form) { return form == flow::Form::kFlat ? 1 : 3; }
inline constexpr std::uint16_t kClassifierPrio = 16;
inline constexpr std::uint32_t kClassifierHandle = 1;
inline constexpr std::uint16_t kEthertypeAll = 0x0003;  // ETH_P_ALL

// The `protocol` under which tc has filters for such packets.
constexpr std::uint16_t EthertypeOf(flow::PacketKind kind) {
  switch (kind) {
    case flow::PacketKind::kIpv4:
      return flow::kEthertypeIpv4;
    case flow::PacketKind::kIpv6:
      return flow::kEthertypeIpv6;
    case flow::PacketKind::kTagged:
      break;
  }
  return 0x8100;  // ETH_P_8021Q
}

struct Place {
  std::uint32_t chain = 0;
  std::uint16_t prio = 0;

  auto operator<=>(const Place&) const = default;
};
// `section` is that of a match whose table has some (flow/sections.h).
[[nodiscard]] Place PlaceOf(const flow::Match& match, std::uint8_t section);

// The filter that does what `rule` says.
[[nodiscard]] netlink::Filter ToFilter(const flow::Rule& rule, flow::FlowId flow, std::uint8_t section);
// And back: the rule that a filter with our cookie says, and the section that it stands in. Nothing where there is none;
// whether ToFilter makes just this filter of them is for the caller to see.
[[nodiscard]] std::optional<flow::Rule> ToRule(const netlink::Filter& filter);
[[nodiscard]] std::uint8_t SectionOf(flow::Table table, std::uint16_t prio);

// Handles begin high, where neither people nor the kernel's own numbering go.
[[nodiscard]] constexpr std::uint32_t HandleOf(flow::FlowId flow) { return 0x80000000u | flow; }
[[nodiscard]] constexpr flow::FlowId FlowOf(std::uint32_t handle) { return handle & 0x7fffffffu; }

// Every filter of ours carries "dpuf", a version, its table and its flow. Another cookie, or none: foreign.
struct Owner {
  flow::Table table = flow::Table::kGuard;
  flow::FlowId flow = 0;

  bool operator==(const Owner&) const = default;
};
[[nodiscard]] netlink::Cookie CookieOf(const Owner& owner);
[[nodiscard]] std::optional<Owner> OwnerOf(const netlink::Cookie& cookie);

}  // namespace dpuflow::offload
