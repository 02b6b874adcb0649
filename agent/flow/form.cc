// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/form.h"

#include "agent/flow/targets.h"

namespace dpuflow::flow {
namespace {

Match OfPacket(Table table, const Miss& miss) {
  Match match;
  match.table = table;
  match.port = miss.port;
  match.vlan = miss.vlan;
  match.ethertype = miss.ethertype;
  return match;
}

Match DestinationKey(const Miss& miss) {
  Match match = OfPacket(Table::kL2Destination, miss);
  match.destination_mac = miss.destination_mac;
  return match;
}

Match SourceKey(const Miss& miss, const Lane& lane) {
  Match match = OfPacket(Table::kL2Source, miss);
  match.source_mac = miss.source_mac;
  if (lane.ChecksSource(miss.ethertype)) match.source = IpPrefix::Host(miss.source);
  return match;
}

Match Flat(Match match, const Miss& miss) {
  match.table = Table::kFlat;
  match.source_mac = miss.source_mac;
  match.destination_mac = miss.destination_mac;
  return match;
}

}  // namespace

Match RoutedKey(Form form, const Miss& miss, Fields fields) {
  const Match match = KeyOf(miss, fields);
  return form == Form::kFlat ? Flat(match, miss) : match;
}

Match BridgedKey(Form form, const Lane& lane, const Miss& miss) {
  if (form == Form::kChained) return DestinationKey(miss);
  Match match = Flat(OfPacket(Table::kFlat, miss), miss);
  if (lane.lists_sources) match.source = IpPrefix::Host(miss.source);
  return match;
}

Fields FieldsOfLane(Form form, const Lane& lane, std::uint16_t ethertype) {
  return form == Form::kFlat && lane.ChecksSource(ethertype) ? kFieldSource : Fields{0};
}

std::vector<Rule> WayTo(Form form, const Lane& lane, const Miss& miss) {
  if (form == Form::kFlat) return {};
  std::vector<Rule> way;
  if (lane.Routes(miss.destination_mac)) way.push_back({DestinationKey(miss), GotoTable{Table::kL3}});
  way.push_back({SourceKey(miss, lane), GotoTable{Table::kL2Destination}});
  return way;
}

bool StandsIn(Table table, Form form) {
  return table == Table::kGuard || (table == Table::kFlat) == (form == Form::kFlat);
}

bool VouchesForSender(Table table) { return table == Table::kL2Source || table == Table::kFlat; }

bool RefusesSender(const Match& match, const Answer& answer) {
  if (!VouchesForSender(match.table)) return false;
  return (match.source && answer.source != SourceVerdict::kValid) || !answer.sender_reason.empty();
}

}  // namespace dpuflow::flow
