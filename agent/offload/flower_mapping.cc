// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/flower_mapping.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "agent/flow/sections.h"

namespace dpuflow::offload {
namespace {

using flow::Table;

constexpr std::array<std::uint8_t, 4> kMagic = {'d', 'p', 'u', 'f'};
constexpr std::uint8_t kVersion = 1;

std::uint32_t ChainOf(Table table) {
  switch (table) {
    case Table::kGuard:
    case Table::kL2Source:
    case Table::kFlat:
      return 0;
    case Table::kL2Destination:
      return 1;
    case Table::kL3:
      break;
  }
  return 2;
}

// Of the flat table's sections, among the guards of chain 0.
constexpr std::array<std::uint16_t, flow::kFlatSections> kFlatPrios = {5, 6, 7, 8, 12, 13, 14, 15};

netlink::Masked<IpAddress> MaskedPrefix(const IpPrefix& prefix) {
  // The mask is the highest address of the prefix whose network part is all ones.
  const IpAddress ones = netlink::Exact(prefix.address).mask;
  return {prefix.address, IpPrefix::Canonical(ones, prefix.length).address};
}

bool IsTagged(const flow::Match& match) { return match.vlan != flow::kUntagged; }

netlink::FlowerKey ToKey(const flow::Match& match) {
  netlink::FlowerKey key;
  if (IsTagged(match)) {
    key.vlan_id = match.vlan;
    key.vlan_priority = match.vlan_priority;
    key.vlan_ethertype = match.ethertype;
  }
  const bool flat = match.table == Table::kFlat;
  if (flat || match.table == Table::kL2Source) key.eth_src = netlink::Exact(match.source_mac);
  if (flat || match.table == Table::kL2Destination) key.eth_dst = netlink::Exact(match.destination_mac);
  if (match.source) key.ip_src = MaskedPrefix(*match.source);
  if (match.destination) key.ip_dst = MaskedPrefix(*match.destination);
  if (match.ttl_expires) key.ip_ttl = netlink::Masked<std::uint8_t>{0, 0xfe};
  if (match.tos) key.ip_tos = netlink::Masked<std::uint8_t>{*match.tos, 0xff};
  key.ip_proto = match.protocol;
  key.src_port = match.source_port;
  key.dst_port = match.destination_port;
  // A fragment shows no ports, or not those that the kernel would look at.
  if (match.source_port || match.destination_port) key.fragment = false;
  return key;
}

// From the tag of the packet to that of the frame which leaves. Popped and pushed in this order is rewritten (mlx5, act/vlan.c).
void AppendTag(std::vector<netlink::Action>& actions, std::uint16_t before, std::uint16_t after) {
  if (before == after) return;
  if (before != flow::kUntagged) actions.emplace_back(netlink::VlanPopAction{});
  if (after != flow::kUntagged) actions.emplace_back(netlink::VlanPushAction{after});
}

std::vector<netlink::Action> ToActions(const flow::Action& action, const flow::Match& match) {
  if (const auto* jump = std::get_if<flow::GotoTable>(&action)) return {netlink::GotoAction{ChainOf(jump->table)}};
  if (const auto* bridge = std::get_if<flow::BridgeTo>(&action)) {
    std::vector<netlink::Action> actions;
    AppendTag(actions, match.vlan, bridge->vlan);
    actions.emplace_back(netlink::RedirectAction{bridge->egress});
    return actions;
  }
  if (const auto* route = std::get_if<flow::RouteTo>(&action)) {
    const flow::Adjacency& adjacency = route->adjacency;
    const Family family = match.ethertype == flow::kEthertypeIpv4 ? Family::kIpv4 : Family::kIpv6;
    std::vector<netlink::Action> actions = {netlink::PeditAction{adjacency.destination, adjacency.source, family}};
    AppendTag(actions, match.vlan, adjacency.vlan);
    actions.emplace_back(netlink::RedirectAction{adjacency.egress});
    return actions;
  }
  return {netlink::TrapAction{}};
}

IpPrefix ToPrefix(const netlink::Masked<IpAddress>& field) {
  int length = 0;
  for (const std::uint8_t byte : field.mask.bytes()) length += std::popcount(byte);
  return {field.value, static_cast<std::uint8_t>(length)};
}

flow::Match ToMatch(const netlink::Filter& filter, Table table) {
  const netlink::FlowerKey& key = filter.key;
  flow::Match match;
  match.table = table;
  match.port = filter.id.ifindex;
  match.vlan = key.vlan_id.value_or(flow::kUntagged);
  match.vlan_priority = key.vlan_priority;
  match.ethertype = key.vlan_ethertype.value_or(filter.id.ethertype);
  if (key.eth_src) match.source_mac = key.eth_src->value;
  if (key.eth_dst) match.destination_mac = key.eth_dst->value;
  if (key.ip_src) match.source = ToPrefix(*key.ip_src);
  if (key.ip_dst) match.destination = ToPrefix(*key.ip_dst);
  match.ttl_expires = key.ip_ttl.has_value();
  if (key.ip_tos) match.tos = key.ip_tos->value;
  match.protocol = key.ip_proto;
  match.source_port = key.src_port;
  match.destination_port = key.dst_port;
  return match;
}

std::optional<flow::Action> ToAction(const std::vector<netlink::Action>& actions, std::uint16_t vlan) {
  const netlink::PeditAction* edit = nullptr;
  for (const netlink::Action& action : actions) {
    if (std::holds_alternative<netlink::TrapAction>(action)) return flow::Trap{};
    if (const auto* jump = std::get_if<netlink::GotoAction>(&action)) {
      for (const Table table : {Table::kL2Destination, Table::kL3}) {
        if (jump->chain == ChainOf(table)) return flow::GotoTable{table};
      }
    }
    if (const auto* pedit = std::get_if<netlink::PeditAction>(&action)) edit = pedit;
    if (std::holds_alternative<netlink::VlanPopAction>(action)) vlan = flow::kUntagged;
    if (const auto* push = std::get_if<netlink::VlanPushAction>(&action)) vlan = push->id;
    const auto* redirect = std::get_if<netlink::RedirectAction>(&action);
    if (redirect == nullptr) continue;
    if (edit == nullptr) return flow::BridgeTo{redirect->ifindex, vlan};
    return flow::RouteTo{
        {redirect->ifindex, edit->eth_src.value_or(MacAddress{}), edit->eth_dst.value_or(MacAddress{}), vlan}};
  }
  return std::nullopt;
}

}  // namespace

Place PlaceOf(const flow::Match& match, std::uint8_t section) {
  const bool v6 = match.ethertype == flow::kEthertypeIpv6;
  const bool tagged = IsTagged(match);
  const auto place = [&](std::uint16_t of_ipv4, std::uint16_t of_ipv6, std::uint16_t of_tagged) {
    return Place{ChainOf(match.table), tagged ? of_tagged : v6 ? of_ipv6 : of_ipv4};
  };
  switch (match.table) {
    case Table::kGuard:
      return match.ttl_expires ? place(1, 3, 9) : place(2, 4, v6 ? 11 : 10);
    case Table::kL2Source:
      return match.source ? place(6, 8, v6 ? 14 : 13) : place(5, 7, 12);
    case Table::kL2Destination:
      return place(1, 2, 3);
    case Table::kFlat:
      return {ChainOf(match.table), section == 0 ? std::uint16_t{0} : kFlatPrios.at(section - 1u)};
    case Table::kL3:
      break;
  }
  return {ChainOf(match.table), section};
}

netlink::Filter ToFilter(const flow::Rule& rule, flow::FlowId flow, std::uint8_t section) {
  const Place place = PlaceOf(rule.match, section);
  netlink::Filter filter;
  filter.id = {rule.match.port,
               netlink::kClsactIngress,
               place.chain,
               place.prio,
               EthertypeOf(flow::KindOf(rule.match.vlan, rule.match.ethertype)),
               HandleOf(flow)};
  filter.key = ToKey(rule.match);
  filter.actions = ToActions(rule.action, rule.match);
  filter.cookie = CookieOf({rule.match.table, flow});
  return filter;
}

std::optional<flow::Rule> ToRule(const netlink::Filter& filter) {
  const auto owner = OwnerOf(filter.cookie);
  if (!owner) return std::nullopt;
  const flow::Match match = ToMatch(filter, owner->table);
  const auto action = ToAction(filter.actions, match.vlan);
  if (!action) return std::nullopt;
  return flow::Rule{match, *action};
}

std::uint8_t SectionOf(Table table, std::uint16_t prio) {
  if (table == Table::kL3) return static_cast<std::uint8_t>(prio);
  const auto* place = std::ranges::find(kFlatPrios, prio);
  if (table != Table::kFlat || place == kFlatPrios.end()) return 0;
  return static_cast<std::uint8_t>(place - kFlatPrios.begin() + 1);
}

netlink::Cookie CookieOf(const Owner& owner) {
  netlink::Cookie cookie{};
  std::ranges::copy(kMagic, cookie.begin());
  cookie[4] = kVersion;
  cookie[5] = static_cast<std::uint8_t>(owner.table);
  std::memcpy(&cookie[8], &owner.flow, sizeof owner.flow);
  return cookie;
}

std::optional<Owner> OwnerOf(const netlink::Cookie& cookie) {
  if (!std::equal(kMagic.begin(), kMagic.end(), cookie.begin()) || cookie[5] >= flow::kTables) return std::nullopt;
  Owner owner;
  owner.table = static_cast<Table>(cookie[5]);
  std::memcpy(&owner.flow, &cookie[8], sizeof owner.flow);
  return owner;
}

}  // namespace dpuflow::offload
