// SPDX-License-Identifier: Apache-2.0
#include "agent/earlier_packets.h"

#include <netinet/in.h>

#include "agent/flow/mask.h"
#include "agent/kernel/decision.h"

namespace dpuflow {
namespace {

Family FamilyOf(std::uint16_t ethertype) { return ethertype == flow::kEthertypeIpv6 ? Family::kIpv6 : Family::kIpv4; }

IpAddress Unspecified(std::uint16_t ethertype) {
  return ethertype == flow::kEthertypeIpv6 ? IpAddress::V6({}) : IpAddress::V4(0, 0, 0, 0);
}

// Nobody: the addresses that stand for a source without one (RFC 7600, RFC 9780).
IpAddress Dummy(std::uint16_t ethertype) {
  if (ethertype != flow::kEthertypeIpv6) return IpAddress::V4(192, 0, 0, 8);
  return IpAddress::V6({0x01, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1});
}

}  // namespace

EarlierPackets::EarlierPackets(std::span<const offload::Expected> standing, const kernel::Topology& topology,
                               const kernel::NeighMirror& neighs) {
  for (const offload::Expected& entry : standing) Note(entry);
  for (auto& [key, seen] : seen_) {
    const kernel::L3Interface* interface = topology.At(key.first);
    if (interface == nullptr) continue;
    seen.router = interface->address;
    NoteNeighbours(seen, key.second, interface->ifindex, neighs);
  }
}

void EarlierPackets::Note(const offload::Expected& entry) {
  const flow::Match& match = entry.rule.match;
  if (match.table == flow::Table::kGuard) return;
  Seen& seen = seen_[{{match.port, match.vlan}, match.ethertype}];
  if (!match.source_mac.is_zero()) seen.sender = match.source_mac;
  if (match.source) seen.source = match.source->address;
  if (!match.destination) return;
  seen.destination = match.destination->address;
  const auto* route = std::get_if<flow::RouteTo>(&entry.rule.action);
  if (route == nullptr) return;
  Seen& beyond = seen_[{{route->adjacency.egress, route->adjacency.vlan}, match.ethertype}];
  if (beyond.source.is_none()) beyond.source = match.destination->address;
}

void EarlierPackets::NoteNeighbours(Seen& seen, std::uint16_t ethertype, std::uint32_t l3_ifindex,
                                    const kernel::NeighMirror& neighs) {
  for (const netlink::Neigh& neigh : neighs.At(l3_ifindex)) {
    if (seen.sender.is_zero()) seen.sender = neigh.lladdr;
    const bool fits = neigh.address.family() == FamilyOf(ethertype) && !kernel::IsUnroutableSource(neigh.address);
    if (fits && seen.source.is_none()) seen.source = neigh.address;
  }
}

std::optional<flow::Miss> EarlierPackets::For(const flow::Match& match) const {
  flow::Miss packet = flow::PacketOf(match);
  if (!match.protocol) packet.protocol = IPPROTO_UDP;
  if (const auto found = seen_.find({packet.lane(), match.ethertype}); found != seen_.end()) {
    const Seen& seen = found->second;
    if (packet.source_mac.is_zero()) packet.source_mac = seen.sender;
    if (packet.destination_mac.is_zero()) packet.destination_mac = seen.router;
    if (packet.source.is_none()) packet.source = seen.source;
    if (packet.destination.is_none()) packet.destination = seen.destination;
  }
  // The key of what is routed has the source wherever that decides anything: where none is known, any will do.
  if (flow::IsRouted(match) && packet.source.is_none()) packet.source = Dummy(match.ethertype);
  // A bridge asks for no address, and nobody is asked about a guard.
  const bool asks = flow::IsRouted(match) || (match.table != flow::Table::kGuard && match.source);
  if (asks && (packet.source.is_none() || packet.destination.is_none())) return std::nullopt;
  if (packet.source.is_none()) packet.source = Unspecified(match.ethertype);
  if (packet.destination.is_none()) packet.destination = Unspecified(match.ethertype);
  return packet;
}

}  // namespace dpuflow
