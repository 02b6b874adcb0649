// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/mask.h"

namespace dpuflow::flow {
Mask MaskOf(const Match& match) {
  Mask mask;
  mask.table = match.table;
  mask.fields = FieldsOf(match);
  const auto set = [&mask](bool is, std::uint16_t field) {
    if (is) mask.fields |= field;
  };
  set(!match.source_mac.is_zero(), Mask::kSourceMac);
  set(!match.destination_mac.is_zero(), Mask::kDestinationMac);
  set(match.destination.has_value(), Mask::kDestination);
  set(match.ttl_expires, Mask::kTtlExpires);
  set(match.portless, Mask::kPortless);
  if (match.source) mask.source_length = match.source->length;
  return mask;
}

Miss PacketOf(const Match& match) {
  Miss packet;
  packet.port = match.port;
  packet.vlan = match.vlan;
  packet.vlan_priority = match.vlan_priority.value_or(0);
  packet.ethertype = match.ethertype;
  packet.source_mac = match.source_mac;
  packet.destination_mac = match.destination_mac;
  if (match.source) packet.source = match.source->address;
  if (match.destination) packet.destination = match.destination->address;
  packet.protocol = match.protocol.value_or(0);
  packet.source_port = match.source_port.value_or(0);
  packet.destination_port = match.destination_port.value_or(0);
  packet.tos = match.tos.value_or(0);
  return packet;
}

Match Masked(const Miss& packet, const Mask& mask) {
  const auto has = [&mask](std::uint16_t field) { return mask.Has(field); };
  Match match;
  match.table = mask.table;
  match.port = packet.port;
  match.vlan = packet.vlan;
  match.ethertype = packet.ethertype;
  if (has(Mask::kSourceMac)) match.source_mac = packet.source_mac;
  if (has(Mask::kDestinationMac)) match.destination_mac = packet.destination_mac;
  if (has(kFieldSource)) match.source = IpPrefix{packet.source, mask.source_length};
  if (has(Mask::kDestination)) match.destination = IpPrefix::Host(packet.destination);
  match.ttl_expires = has(Mask::kTtlExpires);
  if (has(kFieldProtocol)) match.protocol = packet.protocol;
  if (has(kFieldSourcePort)) match.source_port = packet.source_port;
  if (has(kFieldDestinationPort)) match.destination_port = packet.destination_port;
  if (has(kFieldTos)) match.tos = packet.tos;
  if (has(kFieldVlanPriority)) match.vlan_priority = packet.vlan_priority;
  match.portless = has(Mask::kPortless);
  return match;
}

}  // namespace dpuflow::flow
