// SPDX-License-Identifier: Apache-2.0
//
// One tc flower filter as a value: where it stands, what it matches, what it does.
//
// A filter is named by (ifindex, parent, chain, prio, ethertype, handle), as in
//   tc filter add dev IFINDEX ingress chain CHAIN prio PRIO protocol ETHERTYPE handle HANDLE flower
//   ...
// The codec (tc.h) writes and reads exactly what stands here; an attribute that it does not know
// makes a parsed filter `complete == false`, so that a foreign filter is never mistaken for one of
// ours.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "netlink/address.h"

namespace dpuflow::netlink {

// TC_H_CLSACT | TC_H_MIN_INGRESS: the ingress of a clsact qdisc, and of a plain `ingress` as well.
inline constexpr std::uint32_t kClsactIngress = 0xFFFFFFF2;

struct FilterId {
  std::uint32_t ifindex = 0;
  std::uint32_t parent = kClsactIngress;
  std::uint32_t chain = 0;
  std::uint16_t prio = 0;
  std::uint16_t ethertype = 0;  // host byte order: 0x0800, 0x86dd, 0x8100; one per prio
  std::uint32_t handle = 0;     // ours to choose, unique within (ifindex, chain, prio)

  auto operator<=>(const FilterId&) const = default;
};

template <typename T>
struct Masked {
  T value{};
  T mask{};

  auto operator<=>(const Masked&) const = default;
};

// Masked<T> with all mask bits set.
inline Masked<MacAddress> Exact(const MacAddress& mac) {
  return {mac, MacAddress{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}};
}
inline Masked<IpAddress> Exact(const IpAddress& address) {
  return {address, IpPrefix::Host(address).Last().is_v6()
                       ? IpAddress::V6({255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
                       : IpAddress::V4(255, 255, 255, 255)};
}

// TCA_FLOWER_KEY_*. The ethertype is FilterId's; with 802.1Q there, `vlan_ethertype` is the inner
// one.
struct FlowerKey {
  std::optional<std::uint16_t> vlan_id{};         // 0..4095
  std::optional<std::uint8_t> vlan_priority{};    // PCP, 0..7
  std::optional<std::uint16_t> vlan_ethertype{};  // host byte order
  std::optional<Masked<MacAddress>> eth_dst{};
  std::optional<Masked<MacAddress>> eth_src{};
  std::optional<Masked<IpAddress>> ip_src{};
  std::optional<Masked<IpAddress>> ip_dst{};
  std::optional<std::uint8_t> ip_proto{};
  std::optional<Masked<std::uint8_t>> ip_ttl{};  // hop limit in IPv6
  std::optional<Masked<std::uint8_t>> ip_tos{};  // traffic class in IPv6
  std::optional<std::uint16_t> src_port{};       // host byte order; TCP or UDP, by ip_proto
  std::optional<std::uint16_t> dst_port{};
  std::optional<bool> fragment{};  // ip_flags frag / nofrag

  bool operator==(const FlowerKey&) const = default;
};

// act_pedit, extended form; only what routing rewrites. Fields that are not set stay as they are.
struct PeditAction {
  std::optional<MacAddress> eth_dst{};
  std::optional<MacAddress> eth_src{};
  Family decrement_ttl = Family::kNone;  // TTL - 1 (IPv4) or hop limit - 1 (IPv6)

  bool operator==(const PeditAction&) const = default;
};
struct VlanPushAction {
  std::uint16_t id = 0;
  bool operator==(const VlanPushAction&) const = default;
};
struct VlanPopAction {
  bool operator==(const VlanPopAction&) const = default;
};
struct GotoAction {
  std::uint32_t chain = 0;
  bool operator==(const GotoAction&) const = default;
};
struct RedirectAction {  // mirred egress redirect
  std::uint32_t ifindex = 0;
  bool operator==(const RedirectAction&) const = default;
};
struct TrapAction {
  bool operator==(const TrapAction&) const = default;
};
struct DropAction {
  bool operator==(const DropAction&) const = default;
};
using Action =
    std::variant<PeditAction, VlanPushAction, VlanPopAction, GotoAction, RedirectAction, TrapAction, DropAction>;

using Cookie = std::array<std::uint8_t, 16>;  // TC_COOKIE_MAX_SIZE

struct Filter {
  FilterId id{};
  FlowerKey key{};
  std::vector<Action> actions{};
  Cookie cookie{};      // on the last action; all zero: none
  bool skip_sw = true;  // TCA_CLS_FLAGS_SKIP_SW

  bool operator==(const Filter&) const = default;
};

// 64-bit totals since the filter was made (TCA_STATS_BASIC_HW).
struct FilterCounters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;

  bool operator==(const FilterCounters&) const = default;
};

// A filter as the kernel shows it, from a full dump, a notification or a GET.
struct InstalledFilter {
  Filter filter{};
  bool in_hw = false;    // TCA_CLS_FLAGS_IN_HW
  bool complete = true;  // every attribute was understood; false for a filter that this codec could
                         // not have written
  FilterCounters counters{};

  bool operator==(const InstalledFilter&) const = default;
};

// A line of a terse dump: no key, no action parameters. Of any kind, not only flower.
struct TerseFilter {
  FilterId id{};
  bool flower = false;
  bool in_hw = false;
  std::optional<Cookie> cookie{};  // of the last action that has one
  FilterCounters counters{};       // of the last action that counts in hardware

  bool operator==(const TerseFilter&) const = default;
};

}  // namespace dpuflow::netlink
