// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/decision.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "agent/kernel/bridging.h"

namespace dpuflow::kernel {
namespace {

using flow::Answer;
using flow::Reason;
using flow::Why;

// Why the kernel would not forward at all; nothing where it would.
std::optional<Reason> NotForwarded(const PathAnswer& path) {
  switch (path.result) {
    case PathAnswer::Result::kLocal:
      return Reason{Why::kLocal, "for this machine itself, not unicast, or without a route"};
    case PathAnswer::Result::kBlackhole:
      return Reason{Why::kBlackhole, "the route is a blackhole"};
    case PathAnswer::Result::kUnreachable:
      return Reason{Why::kUnreachable, "no route"};
    case PathAnswer::Result::kProhibit:
      return Reason{Why::kProhibit, "the route prohibits it"};
    case PathAnswer::Result::kForwardingOff:
      return Reason{Why::kForwardingOff, "forwarding is off at the ingress (sysctl net.ipv4.ip_forward)"};
    case PathAnswer::Result::kTunnel:
      return Reason{Why::kTunnel, "the route leads into a lightweight tunnel"};
    case PathAnswer::Result::kFailed:
      return Reason{Why::kLookupFailed, fmt::format("the route lookup failed ({})", ErrnoName(path.error))};
    case PathAnswer::Result::kForward:
    case PathAnswer::Result::kNoNeigh:
    case PathAnswer::Result::kTooBig:
      break;
  }
  return std::nullopt;
}

Reason RouteErrorReason(const Error& error) {
  switch (error.code) {
    case EXDEV:
      return {Why::kReversePath, "the source fails the reverse-path check (rp_filter)"};
    case EINVAL:
      return {Why::kMartian, "the source is not acceptable (martian)"};
    default:
      return {Why::kLookupFailed, fmt::format("the kernel refuses it ({})", ErrnoName(error.code))};
  }
}

// The source, where the kernel's refusal can only be about it.
flow::SourceVerdict JudgeSource(const IpAddress& source, const PathAnswer& path, const Result<netlink::Route>& route) {
  if (IsUnroutableSource(source)) return flow::SourceVerdict::kInvalid;
  if (route) return flow::SourceVerdict::kValid;
  const bool about_source = route.error().code == EXDEV || route.error().code == EINVAL;
  const bool would_forward = path.result == PathAnswer::Result::kForward ||
                             path.result == PathAnswer::Result::kNoNeigh || path.result == PathAnswer::Result::kTooBig;
  return about_source && would_forward ? flow::SourceVerdict::kInvalid : flow::SourceVerdict::kUnknown;
}

template <typename T>
void AddOnce(std::vector<T>& list, const T& value) {
  if (std::ranges::find(list, value) == list.end()) list.push_back(value);
}

// All paths of the route and not only the one taken: when another member comes or goes, this one's choice may change.
flow::Dependencies DependenciesOf(const netlink::Route& route, const std::vector<netlink::NextHop>& paths,
                                  const PathAnswer& path, const IpAddress& destination, const NexthopMirror& nexthops) {
  flow::Dependencies dependencies;
  dependencies.route = route.destination;
  dependencies.table = route.table;
  if (route.nexthop_id != 0) AddOnce(dependencies.nexthop_ids, route.nexthop_id);
  for (const netlink::NexthopObject& object : nexthops.Members(route.nexthop_id)) {
    AddOnce(dependencies.nexthop_ids, object.id);
  }
  for (const netlink::NextHop& hop : paths) {
    AddOnce(dependencies.links, hop.ifindex);
    AddOnce(dependencies.neighs, {hop.ifindex, hop.gateway.is_none() ? destination : hop.gateway});
  }
  if (path.egress != 0) {
    AddOnce(dependencies.links, path.egress);
    dependencies.next_hop = {path.egress, path.next_hop};
    AddOnce(dependencies.neighs, *dependencies.next_hop);
  }
  return dependencies;
}

// Which fields the choice looks at, and why no key can hold them.
struct KeyNeeds {
  flow::Fields fields = 0;
  bool uniform = true;
  std::optional<Reason> objection;
};

// Whether frames that leave by this interface may have a tag. A port of a bridge may be a VLAN device.
bool MayTag(const L3Interface& interface, const Topology& topology) {
  if (interface.lane) return interface.lane->vlan != flow::kUntagged;
  return interface.tag != flow::kUntagged || topology.TagsIn(*interface.domain);
}

// What stands in the tag of a packet that leaves by one of these paths, while hardware only rewrites its VLAN id.
void AddVlanPriority(KeyNeeds& needs, const flow::Miss& miss, const std::vector<netlink::NextHop>& paths,
                     const Topology& topology) {
  for (const netlink::NextHop& hop : paths) {
    const L3Interface* egress = topology.Find(hop.ifindex);
    if (egress == nullptr || !MayTag(*egress, topology)) continue;
    if (miss.vlan != flow::kUntagged) needs.fields |= flow::kFieldVlanPriority;
    if (egress->maps_egress_priority) {
      needs.objection = {Why::kVlanPriority, fmt::format("{} maps priorities to its tags (ip -d link show dev {})",
                                                         egress->name, egress->name)};
    } else if (miss.vlan_priority != 0 && !needs.objection) {
      needs.objection = {
          Why::kVlanPriority,
          fmt::format("its tag has the priority {}, which hardware would hand on, and the kernel does not",
                      miss.vlan_priority)};
    }
  }
}

KeyNeeds NeedsOf(const flow::Miss& miss, const std::vector<netlink::NextHop>& paths, const DecisionContext& context) {
  std::vector<std::string> ingress;
  if (const L3Interface* interface = context.topology.At(miss.lane())) ingress = {interface->name, interface->vrf};
  const RuleFields rules = FieldsOfRules(context.tables.rules.all(), miss.destination, ingress);
  KeyNeeds needs;
  needs.fields = rules.fields;
  if (context.tables.special_routes.LooksAtTos(miss.destination)) needs.fields |= flow::kFieldTos;
  needs.uniform = needs.fields == 0;  // what the hash policy adds below is the same for every packet
  const bool v6 = miss.destination.is_v6();
  if (paths.size() > 1) {
    needs.fields |= MultipathFields(v6 ? context.hash_v6 : context.hash_v4, miss.destination.family());
  }
  const bool by_protocol = (needs.fields & flow::kFieldProtocol) != 0;
  if (rules.obscure) {
    needs.objection = {Why::kRule, "a policy rule looks at what no entry can match (ip rule)"};
  } else if ((by_protocol || paths.size() > 1) && !CanBeAsked(miss.protocol)) {
    needs.objection = {Why::kProtocol,
                       fmt::format("the path depends on more than addresses, and the kernel cannot be asked about IP "
                                   "protocol {}",
                                   miss.protocol)};
  }
  AddVlanPriority(needs, miss, paths, context.topology);
  return needs;
}

// How the packet leaves: the interface, the lane, and why hardware cannot take it there.
struct Way {
  const L3Interface* interface = nullptr;
  std::optional<flow::LaneId> lane{};  // nothing: none, or not known before the neighbour's MAC is
  std::optional<StationPath> station{};
  std::optional<Reason> objection{};
};

// What fits, in bytes of L3, if that is less than what its ingress can send; 0: all does. The lookup of the path does not see
// a route's own MTU unless it is locked, nor that of the port behind a bridge.
std::uint32_t TooNarrow(const PathAnswer& path, const netlink::Route& route, const Way& way, std::uint32_t ingress,
                        const DecisionContext& context) {
  const auto port = context.ports.find(ingress);
  std::uint32_t fits = 0;
  const auto narrow = [&](std::uint32_t mtu) {
    if (mtu != 0 && (fits == 0 || mtu < fits)) fits = mtu;
  };
  if (path.result == PathAnswer::Result::kTooBig) narrow(path.mtu);
  if (port == context.ports.end()) return fits;
  if (port->second.largest_packet > route.mtu) narrow(route.mtu);
  if (!way.station || !way.lane) return fits;
  const std::optional<std::uint32_t> largest = LargestTo(*way.station, context);
  if (largest && port->second.largest_packet > *largest) narrow(*largest);
  return fits;
}

Way WayOf(const PathAnswer& path, const std::vector<netlink::NextHop>& paths, const DecisionContext& context) {
  const std::uint32_t egress = path.egress != 0 ? path.egress : paths.empty() ? 0 : paths[0].ifindex;
  Way way;
  way.interface = context.topology.Find(egress);
  if (way.interface == nullptr) {
    way.objection = {Why::kNoPort, fmt::format("it leaves by ifindex {}, which is no port of the switch", egress)};
  } else if (way.interface->lane) {
    way.lane = way.interface->lane;
  } else if (path.result == PathAnswer::Result::kForward) {
    way.station = FindStation(*way.interface->domain, way.interface->tag, path.destination_mac, nullptr, context);
    way.lane = way.station->lane;
    way.objection = way.station->objection;
    if (way.lane && !LargestTo(*way.station, context)) way.objection = Reason{Why::kNoPort, "its egress is going"};
  }
  return way;
}

// Why only the kernel's stack does to the packet all that is to be done.
std::optional<Reason> NeedsStack(const flow::Miss& miss, const Way& way, const DecisionContext& context) {
  if (auto why = context.tables.forward_path.WhyStack(miss.destination.family())) return why;
  for (const L3Interface* interface : {context.topology.At(miss.lane()), way.interface}) {
    if (interface == nullptr) continue;
    if (auto why = WhyStackAt({interface->ifindex}, context)) return why;
    if (!interface->domain) continue;
    // Through a VLAN device of a bridge packets pass the bridge's own as well.
    if (auto why = WhyStackAt({interface->domain->bridge}, context)) return why;
    if (auto why = context.tables.forward_path.WhyStackOfBridge()) return why;
  }
  const LaneView* lane = context.topology.Find(miss.lane());
  return WhyStackAt({miss.port, lane == nullptr ? 0 : lane->bridge_port, way.lane ? way.lane->port : 0,
                     way.station ? way.station->bridge_port : 0},
                    context);
}

// Why hardware must not do what the kernel would; nothing where it may.
std::optional<Reason> NotOffloadable(const flow::Question& question, const Way& way, const netlink::Route& route,
                                     const std::vector<netlink::NextHop>& paths, const DecisionContext& context) {
  if (route.type != RTN_UNICAST) return Reason{Why::kRouteType, "the route is not unicast"};
  if (std::ranges::any_of(paths, [](const netlink::NextHop& hop) { return hop.encapsulated; })) {
    return Reason{Why::kEncapsulation, "the route encapsulates"};
  }
  if (way.objection) return way.objection;
  if (!way.lane) return std::nullopt;  // not known before the neighbour is
  if (way.lane->port == question.miss.port) return Reason{Why::kSamePort, "it leaves by the port at which it enters"};
  return NotReachable(question.miss.port, way.lane->port, context);
}

}  // namespace

bool IsUnroutableSource(const IpAddress& source) {
  if (!source.is_v6()) return false;
  const auto& bytes = source.bytes();
  const bool zeros = std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; });
  const bool link_local = bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
  return bytes[0] == 0xff || link_local || (zeros && bytes[15] <= 1);
}

bool Contradict(const PathAnswer& path, const Result<netlink::Route>& route) {
  using Outcome = PathAnswer::Result;
  const bool has_path =
      path.result == Outcome::kForward || path.result == Outcome::kNoNeigh || path.result == Outcome::kTooBig;
  const bool has_none = path.result == Outcome::kUnreachable || path.result == Outcome::kLocal;
  if (route) return has_none && route->type == RTN_UNICAST;
  return has_path && (route.error().code == ENETUNREACH || route.error().code == EHOSTUNREACH);
}

std::optional<Reason> NotListed(const flow::Miss& miss, const DecisionPorts& ports) {
  const auto port = ports.find(miss.port);
  if (port == ports.end() || port->second.sources == nullptr) return std::nullopt;
  const bool listed =
      std::ranges::any_of(*port->second.sources, [&](const IpPrefix& prefix) { return prefix.Contains(miss.source); });
  if (listed) return std::nullopt;
  return Reason{Why::kSourceList, fmt::format("{} is not among the sources of {} (sources.{})", miss.source,
                                              port->second.name, port->second.name)};
}

std::optional<Reason> NotReachable(std::uint32_t from, std::uint32_t to, const DecisionContext& context) {
  const auto found = context.ports.find(to);
  if (found == context.ports.end()) {
    return Reason{Why::kNoPort, fmt::format("it leaves by ifindex {}, which is no port of the switch", to)};
  }
  const std::string& name = found->second.name;
  if (!found->second.ready)
    return Reason{Why::kPortNotReady, fmt::format("it leaves by {}, which takes no part", name)};
  if (!found->second.offload) {
    return Reason{Why::kOffloadOff, fmt::format("it leaves by {}, where offload is switched off", name)};
  }
  const auto ingress = context.ports.find(from);
  if (ingress == context.ports.end()) return std::nullopt;  // it is gone, and its flows are going
  return context.reach.Obstacle(ingress->second.kind, found->second.kind, name);
}

std::optional<Reason> WhyStackAt(std::initializer_list<std::uint32_t> devices, const DecisionContext& context) {
  for (const std::uint32_t ifindex : devices) {
    const netlink::Link* device = context.tables.links.Find(ifindex);
    if (device == nullptr) continue;
    if (auto why = context.tables.forward_path.WhyStack(ifindex, device->name)) return why;
  }
  return std::nullopt;
}

std::vector<netlink::NextHop> PathsOf(const netlink::Route& route, const NexthopMirror& nexthops) {
  if (!route.nexthops.empty() || route.nexthop_id == 0) return route.nexthops;
  std::vector<netlink::NextHop> paths;
  for (const netlink::NexthopObject& object : nexthops.Members(route.nexthop_id)) {
    if (!object.group.empty() || object.blackhole) continue;
    netlink::NextHop hop;
    hop.ifindex = object.ifindex;
    hop.gateway = object.gateway;
    hop.encapsulated = object.encapsulated;
    paths.push_back(hop);
  }
  return paths;
}

flow::Answer Decide(const flow::Question& question, const PathAnswer& path, const Result<netlink::Route>& route,
                    const DecisionContext& context, const DecisionSettings& settings) {
  const flow::Miss& miss = question.miss;
  Answer answer;
  answer.question = question;
  answer.source = JudgeSource(miss.source, path, route);
  JudgeSender(answer, context);
  const auto software = [&](Reason reason) {
    answer.verdict = Answer::Verdict::kSoftware;
    answer.reason = std::move(reason);
    return answer;
  };
  std::vector<netlink::NextHop> paths;
  if (route) {
    paths = PathsOf(*route, context.tables.nexthops);
    answer.dependencies = DependenciesOf(*route, paths, path, miss.destination, context.tables.nexthops);
  }
  const KeyNeeds needs = NeedsOf(miss, paths, context);
  answer.fields = needs.fields;
  answer.uniform = needs.uniform;
  if (auto why = NotListed(miss, context.ports)) {
    answer.source = flow::SourceVerdict::kInvalid;
    return software(std::move(*why));
  }
  if (IsUnroutableSource(miss.source))
    return software({Why::kSourceScope, "the source's scope does not reach beyond the link"});
  if (auto why = NotForwarded(path)) return software(std::move(*why));
  if (!route) return software(RouteErrorReason(route.error()));
  if (needs.objection) return software(*needs.objection);
  const Way way = WayOf(path, paths, context);
  if (way.station) answer.dependencies.stations.push_back(way.station->station);
  if (way.station && way.station->bridge_port != 0) AddOnce(answer.dependencies.links, way.station->bridge_port);
  if (way.lane) AddOnce(answer.dependencies.links, way.lane->port);
  if (auto why = NotOffloadable(question, way, *route, paths, context)) return software(std::move(*why));
  if (settings.respect_netfilter) {
    if (auto why = NeedsStack(miss, way, context)) return software(std::move(*why));
  }
  if (const std::uint32_t fits = TooNarrow(path, *route, way, miss.port, context); fits != 0 && !settings.trust_size) {
    return software(
        {Why::kOversize, fmt::format("its egress takes {} bytes, its ingress can send more (flows.oversize)", fits)});
  }
  if (way.lane) answer.adjacency = {way.lane->port, path.source_mac, path.destination_mac, way.lane->vlan};
  if (path.result == PathAnswer::Result::kNoNeigh) {
    answer.verdict = Answer::Verdict::kWait;
    answer.reason = {Why::kNeighbour, fmt::format("waits for the neighbour {}", path.next_hop)};
    return answer;
  }
  answer.verdict = Answer::Verdict::kForward;
  return answer;
}

}  // namespace dpuflow::kernel
