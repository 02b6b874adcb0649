// SPDX-License-Identifier: Apache-2.0
//
// A rule: what an entry of the hardware matches and what it then does, as a value that knows no backend.
//
// Three tables stand one behind the other, and a fourth, small one before them (design: "three tables"):
//
//   guard  ->  L2 source  ->  L2 destination  ->  L3
//   trap       goto           goto, or redirect   set MACs, TTL - 1, redirect
//                             to a bridge's port
//
// Where the NIC cannot go from one table to the next, one flat table carries the same meaning (form.h):
//
//   guard  ->  flat
//   trap       as L3, or as L2 destination to a bridge's port
//
// A rule that forwards (or leads on to a table that does) is exact: each field of its table's key is set, with all
// mask bits. Only a guard may hold a prefix or a masked TTL, because it never forwards: it hands the packet to software.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "netlink/address.h"

namespace dpuflow::flow {

enum class Table : std::uint8_t { kGuard, kL2Source, kL2Destination, kL3, kFlat };
inline constexpr std::size_t kTables = 5;

// How the tables of a port stand in hardware.
enum class Form : std::uint8_t { kChained, kFlat };

inline constexpr std::uint16_t kUntagged = 0xffff;  // VLAN id of a packet that has none
inline constexpr std::uint16_t kAnyVlan = 0xfffe;   // of a lane: every VLAN id of its port that has no lane of its own
inline constexpr std::uint16_t kEthertypeIpv4 = 0x0800;
inline constexpr std::uint16_t kEthertypeIpv6 = 0x86dd;

// What the kernel's choice of a path looks at in a packet, beside its destination: a set of these.
using Fields = std::uint8_t;
inline constexpr Fields kFieldSource = 1 << 0;
inline constexpr Fields kFieldProtocol = 1 << 1;
inline constexpr Fields kFieldSourcePort = 1 << 2;
inline constexpr Fields kFieldDestinationPort = 1 << 3;
inline constexpr Fields kFieldTos = 1 << 4;
inline constexpr Fields kFieldVlanPriority = 1 << 5;  // of tagged packets
inline constexpr Fields kFieldPorts = kFieldSourcePort | kFieldDestinationPort;

// What a packet must look like. Which fields are set is a function of the table:
//   guard: one of `source` (any length) or `ttl_expires`;  L2 source: `source_mac`, and `source` as a host prefix where the
//   port checks sources;  L2 destination: `destination_mac`;  L3: `destination`, and what of the packet the kernel's choice
//   depends on (Fields);  flat: both MACs, and where it routes what L3 has. Ports are those of an unfragmented TCP or UDP
//   packet.
struct Match {
  Table table = Table::kL3;
  std::uint32_t port = 0;  // ifindex of the representor at which the packet enters
  std::uint16_t vlan = kUntagged;
  std::uint16_t ethertype = kEthertypeIpv4;  // host byte order
  MacAddress source_mac;
  MacAddress destination_mac;
  std::optional<IpPrefix> source;
  std::optional<IpPrefix> destination;
  bool ttl_expires = false;  // TTL (hop limit) 0 or 1
  std::optional<std::uint8_t> protocol{};
  std::optional<std::uint16_t> source_port{};
  std::optional<std::uint16_t> destination_port{};
  std::optional<std::uint8_t> tos{};            // or traffic class
  std::optional<std::uint8_t> vlan_priority{};  // PCP
  // Packets whose path depends on ports that they do not show. No entry can match just these: a flow of this kind is
  // never in hardware.
  bool portless = false;

  bool operator==(const Match&) const = default;
};

// Whether it is the key of routed packets, and of an entry that sends them on.
[[nodiscard]] inline bool IsRouted(const Match& match) { return match.destination.has_value(); }

// Which of Fields are in the match.
[[nodiscard]] Fields FieldsOf(const Match& match);

// Egress port plus the two MACs and the tag of the frame that leaves there.
struct Adjacency {
  std::uint32_t egress = 0;  // ifindex of the representor
  MacAddress source;
  MacAddress destination;
  std::uint16_t vlan = kUntagged;

  bool operator==(const Adjacency&) const = default;
};

struct GotoTable {
  Table table = Table::kL3;
  bool operator==(const GotoTable&) const = default;
};
struct RouteTo {  // rewrite both MACs and the tag, decrement the TTL, redirect
  Adjacency adjacency;
  bool operator==(const RouteTo&) const = default;
};
struct BridgeTo {  // rewrite the tag, redirect
  std::uint32_t egress = 0;
  std::uint16_t vlan = kUntagged;
  bool operator==(const BridgeTo&) const = default;
};
struct Trap {
  bool operator==(const Trap&) const = default;
};
using Action = std::variant<Trap, GotoTable, RouteTo, BridgeTo>;

struct Rule {
  Match match;
  Action action;

  bool operator==(const Rule&) const = default;
};

// True when `rule` may forward: each field of its table's key is there in full, and it does what entries of its table do; guards
// only trap.
[[nodiscard]] bool IsExact(const Rule& rule);

// "guard", "l2_source", "l2_destination", "l3", "flat": the words of the API and the command line.
std::string_view ToString(Table table);
std::optional<Table> ParseTable(std::string_view text);
// "l3 port 7 untagged ip dst 192.0.2.1/32 proto 6 sport 1024 dport 80"; ports of the switch by ifindex
std::string ToString(const Match& match);
// "... -> set src .. dst .. ttl-1 redirect 5"
std::string ToString(const Rule& rule);

}  // namespace dpuflow::flow

template <>
struct std::hash<dpuflow::flow::Match> {
  std::size_t operator()(const dpuflow::flow::Match& match) const;
};
template <>
struct std::hash<dpuflow::flow::Action> {
  std::size_t operator()(const dpuflow::flow::Action& action) const;
};
