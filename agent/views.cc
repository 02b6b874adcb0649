// SPDX-License-Identifier: Apache-2.0
#include "agent/views.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "agent/offload/flower_mapping.h"

namespace dpuflow {
namespace {

using api::Json;
using flow::Flow;

std::int64_t Milliseconds(flow::Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

// The prefix in the least words: a host is its address.
std::string PrefixText(const IpPrefix& prefix) {
  return prefix.length == prefix.address.bits() ? ToString(prefix.address) : ToString(prefix);
}

void AddTagAndEgress(Json& view, std::uint16_t before, std::uint16_t after, const std::string& egress) {
  if (after != before) {
    if (before != flow::kUntagged) view["pop_vlan"] = true;
    if (after != flow::kUntagged) view["push_vlan"] = after;
  }
  view["egress"] = egress;
}

Json ActionsView(const flow::Rule& rule, const NameOf& name_of) {
  Json view = Json::object();
  if (const auto* jump = std::get_if<flow::GotoTable>(&rule.action)) {
    view["goto_table"] = std::string(ToString(jump->table));
  } else if (const auto* route = std::get_if<flow::RouteTo>(&rule.action)) {
    view["set_src_mac"] = ToString(route->adjacency.source);
    view["set_dst_mac"] = ToString(route->adjacency.destination);
    view["decrement_ttl"] = true;
    AddTagAndEgress(view, rule.match.vlan, route->adjacency.vlan, name_of(route->adjacency.egress));
  } else if (const auto* bridge = std::get_if<flow::BridgeTo>(&rule.action)) {
    AddTagAndEgress(view, rule.match.vlan, bridge->vlan, name_of(bridge->egress));
  } else {
    view["trap"] = true;
  }
  return view;
}

Json RouteView(const IpPrefix& prefix, const flow::Dependencies& dependencies, const flow::Match& match) {
  Json view;
  view["prefix"] = ToString(prefix);
  view["table"] = dependencies.table;
  if (!dependencies.nexthop_ids.empty()) view["nexthop_id"] = dependencies.nexthop_ids.front();
  if (dependencies.neighs.size() == 1 && match.destination &&
      dependencies.neighs[0].address != match.destination->address) {
    view["gateway"] = ToString(dependencies.neighs[0].address);
  }
  return view;
}

}  // namespace

Json MatchView(const flow::Match& match) {
  Json view = Json::object();
  if (!match.source_mac.is_zero()) view["src_mac"] = ToString(match.source_mac);
  if (!match.destination_mac.is_zero()) view["dst_mac"] = ToString(match.destination_mac);
  if (match.source) view["source"] = PrefixText(*match.source);
  if (match.destination) view["destination"] = PrefixText(*match.destination);
  if (match.ttl_expires) {
    view["ttl"] = 0;
    view["ttl_mask"] = 0xfe;
  }
  if (match.protocol) view["protocol"] = *match.protocol;
  if (match.source_port) view["source_port"] = *match.source_port;
  if (match.destination_port) view["destination_port"] = *match.destination_port;
  if (match.tos) view["tos"] = *match.tos;
  if (match.vlan_priority) view["vlan_priority"] = *match.vlan_priority;
  return view;
}

Json FlowView(const Flow& flow, const NameOf& name_of, flow::TimePoint now) {
  const auto& action = flow.installed ? flow.installed : flow.wanted;
  Json view;
  view["id"] = flow.id;
  view["table"] = std::string(ToString(flow.table()));
  view["port"] = name_of(flow.port());
  view["ifindex"] = flow.port();
  if (flow.vlan() != flow::kUntagged) view["vlan"] = flow.vlan();
  view["ethertype"] = flow.ethertype();
  view["match"] = MatchView(flow.match());
  view["actions"] = action ? ActionsView(flow.With(action), name_of) : Json::object();
  view["state"] = std::string(ToString(flow.state()));
  if (!flow.reason().empty()) {
    view["reason"] = flow.reason().text;
    view["why"] = std::string(ToString(flow.reason().why));
  }
  view["age_ms"] = Milliseconds(now - flow.created);
  view["idle_ms"] = Milliseconds(now - std::max(flow.active, flow.programmed));
  view["packets"] = flow.packets;
  view["bytes"] = flow.bytes;
  view["packets_per_second"] = std::llround(flow.packets_per_second);
  view["bits_per_second"] = std::llround(flow.bytes_per_second * 8);
  if (flow.installed || flow.in_flight) {
    const offload::Place place = offload::PlaceOf(flow.match(), flow.section);
    view["tc"] = {{"chain", place.chain}, {"prio", place.prio}, {"handle", offload::HandleOf(flow.id)}};
  }
  if (const auto route = flow.route()) view["route"] = RouteView(*route, flow.dependencies(), flow.match());
  return view;
}

Json PortView(const PortSlot& slot, const PortNumbers& numbers, const std::vector<IpPrefix>* sources) {
  static constexpr std::array<std::string_view, 4> kStates = {"preparing", "ready", "refused", "preparing"};
  const netlink::Link& link = slot.info.link;
  const netlink::DevlinkPort& devlink = slot.info.devlink;
  Json view;
  view["name"] = link.name;
  view["ifindex"] = link.ifindex;
  view["role"] = std::string(ToString(slot.info.role));
  if (slot.info.role != kernel::PortRole::kUplink) {
    view["controller"] = devlink.controller;
    view["pf"] = devlink.pf;
    if (slot.info.role == kernel::PortRole::kVf) view["vf"] = devlink.vf_or_sf;
  }
  view["switch_id"] = link.switch_id;
  view["devlink"] = fmt::format("{}/{}", ToString(devlink.handle), devlink.index);
  view["mac"] = ToString(link.address);
  view["mtu"] = link.mtu;
  view["carrier"] = link.has_carrier();
  view["state"] = std::string(kStates[static_cast<std::size_t>(slot.state)]);
  if (slot.state == PortSlot::State::kReleasing) {
    view["reason"] = "our entries are being removed";
  } else if (!slot.refusal.empty()) {  // while it is tried again, too
    view["reason"] = slot.refusal;
    view["hint"] = slot.hint;
  }
  view["offload"] = slot.offload;
  if (sources != nullptr) {
    view["sources"] = Json::array();
    for (const IpPrefix& source : *sources) view["sources"].push_back(PrefixText(source));
  }
  if (slot.state == PortSlot::State::kReady) view["chains"] = slot.form == flow::Form::kChained;
  view["guards"] = numbers.entries[static_cast<std::size_t>(flow::Table::kGuard)];
  view["l2_source"] = numbers.entries[static_cast<std::size_t>(flow::Table::kL2Source)];
  view["l2_destination"] = numbers.entries[static_cast<std::size_t>(flow::Table::kL2Destination)];
  view["l3"] = numbers.entries[static_cast<std::size_t>(flow::Table::kL3)];
  view["flat"] = numbers.entries[static_cast<std::size_t>(flow::Table::kFlat)];
  view["misses"] = numbers.misses;
  return view;
}

Json DifferenceView(const AuditDifference& difference, const NameOf& name_of) {
  Json view;
  view["kind"] = difference.kind;
  view["port"] = name_of(difference.port);
  if (difference.flow != 0) view["flow"] = difference.flow;
  if (!difference.expected.empty()) view["expected"] = difference.expected;
  if (!difference.found.empty()) view["found"] = difference.found;
  return view;
}

Json SampleView(const metrics::Sample& sample) {
  Json labels = Json::object();
  for (const auto& [key, value] : sample.labels) labels[key] = value;
  Json view;
  view["name"] = sample.name;
  view["labels"] = std::move(labels);
  view["value"] = sample.value;
  view["kind"] = std::string(metrics::Name(sample.kind));
  if (!sample.help.empty()) view["help"] = sample.help;
  return view;
}

bool FlowFilter::Matches(const Flow& flow, const NameOf& name_of) const {
  if (table && flow.table() != *table) return false;
  if (state && flow.state() != *state) return false;
  if (vlan && flow.vlan() != (*vlan == 0 ? flow::kUntagged : *vlan)) return false;
  if (port && name_of(flow.port()) != *port) return false;
  if (destination && (!flow.is_routed() || !destination->Contains(flow.packet.destination))) return false;
  return true;
}

tl::expected<FlowFilter, std::string> ParseFlowFilter(const Json& parameters) {
  const auto text = [&](const char* name) -> std::optional<std::string> {
    if (!parameters.contains(name)) return std::nullopt;
    return parameters[name].get<std::string>();
  };
  FlowFilter filter;
  filter.port = text("port");
  if (const auto table = text("table")) {
    filter.table = flow::ParseTable(*table);
    if (!filter.table) return tl::make_unexpected("table");
  }
  if (const auto state = text("state")) {
    filter.state = flow::ParseState(*state);
    if (!filter.state) return tl::make_unexpected("state");
  }
  if (const auto destination = text("destination")) {
    filter.destination = IpPrefix::Parse(*destination);
    if (!filter.destination) return tl::make_unexpected("destination");
  }
  if (parameters.contains("vlan")) {
    const auto vlan = parameters["vlan"].get<std::int64_t>();
    if (vlan < 0 || vlan > 4095) return tl::make_unexpected("vlan");
    filter.vlan = static_cast<std::uint16_t>(vlan);
  }
  return filter;
}

}  // namespace dpuflow
