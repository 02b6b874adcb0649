// SPDX-License-Identifier: Apache-2.0
#include "agent/explain_view.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <utility>

namespace dpuflow {
namespace {

using api::Json;

struct Word {
  unsigned number;
  const char* word;
};

template <std::size_t size>
std::string WordOf(unsigned number, const std::array<Word, size>& words) {
  const auto found = std::ranges::find(words, number, &Word::number);
  return found != words.end() ? found->word : std::to_string(number);
}

// The words of iproute2: lib/rt_names.c, lib/utils.c, ip/ipneigh.c.
constexpr std::array kTypes = {Word{RTN_UNICAST, "unicast"},
                               Word{RTN_LOCAL, "local"},
                               Word{RTN_BROADCAST, "broadcast"},
                               Word{RTN_ANYCAST, "anycast"},
                               Word{RTN_MULTICAST, "multicast"},
                               Word{RTN_BLACKHOLE, "blackhole"},
                               Word{RTN_UNREACHABLE, "unreachable"},
                               Word{RTN_PROHIBIT, "prohibit"},
                               Word{RTN_THROW, "throw"},
                               Word{RTN_NAT, "nat"}};
constexpr std::array kProtocols = {
    Word{RTPROT_UNSPEC, "unspec"}, Word{RTPROT_REDIRECT, "redirect"}, Word{RTPROT_KERNEL, "kernel"},
    Word{RTPROT_BOOT, "boot"},     Word{RTPROT_STATIC, "static"},     Word{RTPROT_GATED, "gated"},
    Word{RTPROT_RA, "ra"},         Word{RTPROT_MRT, "mrt"},           Word{RTPROT_ZEBRA, "zebra"},
    Word{RTPROT_BIRD, "bird"},     Word{RTPROT_DNROUTED, "dnrouted"}, Word{RTPROT_XORP, "xorp"},
    Word{RTPROT_NTK, "ntk"},       Word{RTPROT_DHCP, "dhcp"},         Word{RTPROT_KEEPALIVED, "keepalived"},
    Word{RTPROT_BABEL, "babel"},   Word{RTPROT_BGP, "bgp"},           Word{RTPROT_ISIS, "isis"},
    Word{RTPROT_OSPF, "ospf"},     Word{RTPROT_RIP, "rip"},           Word{RTPROT_EIGRP, "eigrp"}};
constexpr std::array kScopes = {Word{RT_SCOPE_UNIVERSE, "global"}, Word{RT_SCOPE_SITE, "site"},
                                Word{RT_SCOPE_LINK, "link"}, Word{RT_SCOPE_HOST, "host"},
                                Word{RT_SCOPE_NOWHERE, "nowhere"}};
constexpr std::array kPathFlags = {Word{RTNH_F_DEAD, "dead"}, Word{RTNH_F_LINKDOWN, "linkdown"},
                                   Word{RTNH_F_ONLINK, "onlink"}, Word{RTNH_F_PERVASIVE, "pervasive"},
                                   Word{RTNH_F_UNRESOLVED, "unresolved"}};
constexpr std::array kNeighStates = {
    Word{NUD_INCOMPLETE, "INCOMPLETE"}, Word{NUD_REACHABLE, "REACHABLE"}, Word{NUD_STALE, "STALE"},
    Word{NUD_DELAY, "DELAY"},           Word{NUD_PROBE, "PROBE"},         Word{NUD_FAILED, "FAILED"},
    Word{NUD_NOARP, "NOARP"},           Word{NUD_PERMANENT, "PERMANENT"}, Word{NUD_NONE, "NONE"}};

Json PathView(const netlink::NextHop& hop, bool taken, const NameOf& name_of) {
  Json view;
  if (!hop.gateway.is_none()) view["gateway"] = ToString(hop.gateway);
  if (hop.ifindex != 0) view["egress"] = name_of(hop.ifindex);
  view["weight"] = hop.weight;
  Json flags = Json::array();
  for (const Word& flag : kPathFlags) {
    if ((hop.flags & flag.number) != 0) flags.push_back(flag.word);
  }
  if (!flags.empty()) view["flags"] = std::move(flags);
  view["taken"] = taken;
  return view;
}

Json RouteView(const Explanation& explanation, const NameOf& name_of) {
  const netlink::Route& route = *explanation.route;
  Json view;
  view["prefix"] = ToString(route.destination);
  view["table"] = route.table;
  if (explanation.rule) view["rule"] = *explanation.rule;
  view["type"] = WordOf(route.type, kTypes);
  view["protocol"] = WordOf(route.protocol, kProtocols);
  view["scope"] = WordOf(route.scope, kScopes);
  if (route.metric != 0) view["metric"] = route.metric;
  if (route.tos != 0) view["tos"] = route.tos;
  if (route.nexthop_id != 0) view["nexthop_id"] = route.nexthop_id;
  view["paths"] = Json::array();
  for (std::size_t i = 0; i < explanation.paths.size(); ++i) {
    view["paths"].push_back(PathView(explanation.paths[i], explanation.taken == i, name_of));
  }
  if (!explanation.why_path.empty()) view["why"] = explanation.why_path;
  return view;
}

Json NeighbourView(const Explanation& explanation, const NameOf& name_of) {
  Json view;
  view["address"] = ToString(explanation.next_hop->address);
  view["port"] = name_of(explanation.next_hop->ifindex);
  if (!explanation.neigh) return view;
  if (!explanation.neigh->lladdr.is_zero()) view["mac"] = ToString(explanation.neigh->lladdr);
  view["state"] = WordOf(explanation.neigh->state, kNeighStates);
  return view;
}

Json StationView(const Explanation& explanation, const NameOf& name_of) {
  Json view;
  view["mac"] = ToString(explanation.station->mac);
  view["bridge"] = name_of(explanation.station->bridge);
  if (explanation.station->vlan != 0) view["vlan"] = explanation.station->vlan;
  view["state"] = "unknown";
  if (!explanation.fdb) return view;
  view["port"] = name_of(explanation.fdb->ifindex);
  view["state"] = explanation.fdb->local ? "permanent" : explanation.fdb->learned ? "dynamic" : "static";
  return view;
}

Json KeyView(const flow::Match& key) {
  Json view;
  if (key.vlan != flow::kUntagged) view["vlan"] = key.vlan;
  view["ethertype"] = key.ethertype;
  view["match"] = MatchView(key);
  return view;
}

bool HasPorts(std::uint8_t protocol) { return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP; }

// The lane whose packets enter at the interface of this name: a port, or a VLAN device on one.
std::optional<flow::LaneId> LaneNamed(const std::string& name, const std::map<std::uint32_t, PortSlot>& ports,
                                      const kernel::Topology& topology) {
  for (const auto& [ifindex, slot] : ports) {
    if (slot.info.link.name == name) return flow::LaneId{ifindex, flow::kUntagged};
  }
  for (const auto& [ifindex, interface] : topology.interfaces()) {
    if (interface.name == name && interface.lane && ports.contains(interface.lane->port)) return interface.lane;
  }
  return std::nullopt;
}

// The integer parameter of this name, within limits, put into `into`; false: it is out of them.
template <typename T>
bool Take(const Json& parameters, const char* name, std::int64_t least, std::int64_t most, T& into) {
  if (!parameters.contains(name)) return true;
  const auto value = parameters[name].get<std::int64_t>();
  if (value < least || value > most) return false;
  into = static_cast<T>(value);
  return true;
}

bool Take(const Json& parameters, const char* name, MacAddress& into) {
  if (!parameters.contains(name)) return true;
  const auto mac = MacAddress::Parse(parameters[name].get<std::string>());
  if (mac) into = *mac;
  return mac.has_value();
}

}  // namespace

tl::expected<PacketQuestion, std::string> ParsePacket(const Json& parameters,
                                                      const std::map<std::uint32_t, PortSlot>& ports,
                                                      const kernel::Topology& topology) {
  PacketQuestion question;
  flow::Miss& packet = question.packet;
  const auto destination = IpAddress::Parse(parameters["destination"].get<std::string>());
  if (!destination) return tl::make_unexpected("destination");
  const auto source = IpAddress::Parse(parameters["source"].get<std::string>());
  if (!source || source->family() != destination->family()) return tl::make_unexpected("source");
  const auto name = parameters["port"].get<std::string>();
  const auto lane = LaneNamed(name, ports, topology);
  if (!lane) return tl::make_unexpected("port");

  packet.port = lane->port;
  packet.vlan = lane->vlan;
  packet.ethertype = destination->is_v6() ? flow::kEthertypeIpv6 : flow::kEthertypeIpv4;
  packet.source = *source;
  packet.destination = *destination;
  packet.protocol = IPPROTO_UDP;
  question.any_protocol = !parameters.contains("protocol");
  if (!Take(parameters, "protocol", 1, 255, packet.protocol)) return tl::make_unexpected("protocol");
  const std::int64_t last_port = HasPorts(packet.protocol) ? 65535 : 0;
  if (!Take(parameters, "source_port", 1, last_port, packet.source_port)) return tl::make_unexpected("source_port");
  if (!Take(parameters, "destination_port", 1, last_port, packet.destination_port)) {
    return tl::make_unexpected("destination_port");
  }
  if (!Take(parameters, "tos", 0, 255, packet.tos)) return tl::make_unexpected("tos");
  if (!Take(parameters, "mark", 0, UINT32_MAX, question.mark)) return tl::make_unexpected("mark");
  if (!Take(parameters, "vlan", 1, 4094, packet.vlan)) return tl::make_unexpected("vlan");
  if (lane->vlan != flow::kUntagged && packet.vlan != lane->vlan) return tl::make_unexpected("vlan");
  if (!Take(parameters, "src_mac", packet.source_mac)) return tl::make_unexpected("src_mac");
  question.names_mac = parameters.contains("dst_mac");
  if (!Take(parameters, "dst_mac", packet.destination_mac)) return tl::make_unexpected("dst_mac");
  if (question.names_mac) return question;
  const kernel::L3Interface* ingress = topology.At(packet.lane());
  packet.destination_mac = ingress != nullptr ? ingress->address : ports.at(packet.port).info.link.address;
  return question;
}

Json ExplanationView(const Explanation& explanation, const NameOf& name_of, flow::TimePoint now) {
  static constexpr std::array<const char*, 3> kDecisions = {"forward", "wait", "software"};
  static constexpr std::array<const char*, 3> kSources = {"unknown", "valid", "invalid"};
  Json view;
  view["classification"] = {{"verdict", std::string(ToString(explanation.verdict))},
                            {"kind", std::string(ToString(KindOf(explanation.verdict)))},
                            {"text", explanation.classification}};
  view["source"] = kSources[static_cast<std::size_t>(explanation.source)];
  if (explanation.station) view["station"] = StationView(explanation, name_of);
  if (explanation.route) view["route"] = RouteView(explanation, name_of);
  if (explanation.next_hop) view["neighbour"] = NeighbourView(explanation, name_of);
  if (explanation.mtu != 0) view["mtu"] = explanation.mtu;
  view["largest_packet"] = explanation.largest_packet;
  view["decision"] = kDecisions[static_cast<std::size_t>(explanation.decision)];
  if (!explanation.reason.empty()) view["reason"] = explanation.reason;
  if (!explanation.hint.empty()) view["hint"] = explanation.hint;
  if (explanation.key) view["key"] = KeyView(*explanation.key);
  if (explanation.form) view["chains"] = *explanation.form == flow::Form::kChained;
  view["entries"] = Json::array();
  for (const flow::Flow& flow : explanation.entries) view["entries"].push_back(FlowView(flow, name_of, now));
  view["entries_left_out"] = explanation.entries_left_out;
  view["in_hardware"] = explanation.in_hardware;
  view["notes"] = explanation.notes;
  view["summary"] = explanation.summary;
  return view;
}

}  // namespace dpuflow
