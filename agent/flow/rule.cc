// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/rule.h"

#include <array>

namespace dpuflow::flow {
namespace {

constexpr std::array<std::string_view, kTables> kTableNames = {"guard", "l2_source", "l2_destination", "l3", "flat"};

bool IsHost(const IpPrefix& prefix) { return prefix.length == prefix.address.bits(); }

bool PortsHaveAProtocol(const Match& match) {
  return (!match.source_port && !match.destination_port) || match.protocol;
}

bool IsExactRoute(const Match& match) {
  return match.destination && IsHost(*match.destination) && !match.ttl_expires &&
         (!match.source || IsHost(*match.source)) && PortsHaveAProtocol(match) && !match.portless;
}

// A bridge looks at the source alone, and only where sources are listed.
bool IsExactBridged(const Match& match) {
  return (FieldsOf(match) & ~kFieldSource) == 0 && (!match.source || IsHost(*match.source)) && !match.ttl_expires;
}

// Whether entries of the table do such a thing.
bool IsOfItsTable(const Action& action, const Match& match) {
  const auto* jump = std::get_if<GotoTable>(&action);
  switch (match.table) {
    case Table::kGuard:
      return std::holds_alternative<Trap>(action);
    case Table::kL2Source:
      return jump != nullptr && jump->table == Table::kL2Destination;
    case Table::kL2Destination:
      return jump != nullptr ? jump->table == Table::kL3 : std::holds_alternative<BridgeTo>(action);
    case Table::kL3:
    case Table::kFlat:
      return IsRouted(match) ? std::holds_alternative<RouteTo>(action) : std::holds_alternative<BridgeTo>(action);
  }
  return false;
}

std::string ActionText(const Action& action) {
  if (std::holds_alternative<Trap>(action)) return "trap";
  if (const auto* jump = std::get_if<GotoTable>(&action)) return fmt::format("goto {}", ToString(jump->table));
  const auto tag_text = [](std::uint16_t vlan) { return vlan == kUntagged ? "" : fmt::format(" vlan {}", vlan); };
  if (const auto* bridge = std::get_if<BridgeTo>(&action)) {
    return fmt::format("bridge{} redirect {}", tag_text(bridge->vlan), bridge->egress);
  }
  const Adjacency& adjacency = std::get<RouteTo>(action).adjacency;
  const std::string tag = tag_text(adjacency.vlan);
  return fmt::format("set src {} dst {} ttl-1{} redirect {}", adjacency.source, adjacency.destination, tag,
                     adjacency.egress);
}

}  // namespace

bool IsExact(const Rule& rule) {
  const Match& match = rule.match;
  if (match.port == 0 || match.ethertype == 0 || !IsOfItsTable(rule.action, match)) return false;
  switch (match.table) {
    case Table::kGuard:
      return true;
    case Table::kL2Source:
      return !match.source_mac.is_zero() && match.destination_mac.is_zero() && !match.destination &&
             !match.ttl_expires && (!match.source || IsHost(*match.source));
    case Table::kL2Destination:
      return !match.destination_mac.is_zero() && match.source_mac.is_zero() && !match.source && !match.destination &&
             !match.ttl_expires;
    case Table::kL3:
      return IsExactRoute(match) && match.source_mac.is_zero() && match.destination_mac.is_zero();
    case Table::kFlat:
      return !match.source_mac.is_zero() && !match.destination_mac.is_zero() &&
             (IsRouted(match) ? IsExactRoute(match) : IsExactBridged(match));
  }
  return false;
}

Fields FieldsOf(const Match& match) {
  Fields fields = 0;
  if (match.source) fields |= kFieldSource;
  if (match.protocol) fields |= kFieldProtocol;
  if (match.source_port) fields |= kFieldSourcePort;
  if (match.destination_port) fields |= kFieldDestinationPort;
  if (match.tos) fields |= kFieldTos;
  if (match.vlan_priority) fields |= kFieldVlanPriority;
  return fields;
}

std::string_view ToString(Table table) { return kTableNames[static_cast<std::size_t>(table)]; }

std::optional<Table> ParseTable(std::string_view text) {
  for (std::size_t i = 0; i < kTables; ++i) {
    if (kTableNames[i] == text) return static_cast<Table>(i);
  }
  return std::nullopt;
}

std::string ToString(const Match& match) {
  std::string text = fmt::format("{} port {}", ToString(match.table), match.port);
  text += match.vlan == kUntagged ? " untagged" : fmt::format(" vlan {}", match.vlan);
  text += match.ethertype == kEthertypeIpv4   ? " ip"
          : match.ethertype == kEthertypeIpv6 ? " ipv6"
                                              : fmt::format(" 0x{:04x}", match.ethertype);
  if (!match.source_mac.is_zero()) text += fmt::format(" src_mac {}", match.source_mac);
  if (!match.destination_mac.is_zero()) text += fmt::format(" dst_mac {}", match.destination_mac);
  if (match.source) text += fmt::format(" src {}", *match.source);
  if (match.destination) text += fmt::format(" dst {}", *match.destination);
  if (match.ttl_expires) text += " ttl 0..1";
  if (match.protocol) text += fmt::format(" proto {}", *match.protocol);
  if (match.source_port) text += fmt::format(" sport {}", *match.source_port);
  if (match.destination_port) text += fmt::format(" dport {}", *match.destination_port);
  if (match.tos) text += fmt::format(" tos 0x{:02x}", *match.tos);
  if (match.vlan_priority) text += fmt::format(" vlan_prio {}", *match.vlan_priority);
  if (match.portless) text += " without ports";
  return text;
}

std::string ToString(const Rule& rule) {
  return fmt::format("{} -> {}", ToString(rule.match), ActionText(rule.action));
}

}  // namespace dpuflow::flow

std::size_t std::hash<dpuflow::flow::Match>::operator()(const dpuflow::flow::Match& match) const {
  const auto low = [](std::uint32_t value) { return static_cast<std::uint8_t>(value); };
  const auto high = [](std::uint32_t value) { return static_cast<std::uint8_t>(value >> 8); };
  const std::uint16_t source_port = match.source_port.value_or(0);
  const std::uint16_t destination_port = match.destination_port.value_or(0);
  const std::array<std::uint8_t, 19> head = {
      static_cast<std::uint8_t>(match.table),
      low(match.port),
      high(match.port),
      low(match.port >> 16),
      high(match.port >> 16),
      low(match.vlan),
      high(match.vlan),
      low(match.ethertype),
      high(match.ethertype),
      static_cast<std::uint8_t>(match.ttl_expires),
      dpuflow::flow::FieldsOf(match),
      match.protocol.value_or(0),
      low(source_port),
      high(source_port),
      low(destination_port),
      high(destination_port),
      match.tos.value_or(0),
      match.vlan_priority.value_or(0),
      static_cast<std::uint8_t>(match.portless),
  };
  std::size_t digest = dpuflow::HashBytes(head);
  digest = dpuflow::HashBytes(match.source_mac.bytes, digest);
  digest = dpuflow::HashBytes(match.destination_mac.bytes, digest);
  for (const auto& prefix : {match.source, match.destination}) {
    if (!prefix) continue;
    digest = dpuflow::HashBytes(prefix->address.wire(), digest);
    digest = dpuflow::HashBytes({&prefix->length, 1}, digest);
  }
  return digest;
}

std::size_t std::hash<dpuflow::flow::Action>::operator()(const dpuflow::flow::Action& action) const {
  using namespace dpuflow::flow;
  if (const auto* jump = std::get_if<GotoTable>(&action)) return static_cast<std::size_t>(jump->table) + 1;
  if (const auto* bridge = std::get_if<BridgeTo>(&action)) return (std::size_t{bridge->egress} << 16) + bridge->vlan;
  const auto* route = std::get_if<RouteTo>(&action);
  if (route == nullptr) return 0;
  const Adjacency& way = route->adjacency;
  const std::size_t digest = dpuflow::HashBytes(way.destination.bytes, dpuflow::HashBytes(way.source.bytes));
  return digest ^ (std::size_t{way.egress} << 16) ^ way.vlan;
}
