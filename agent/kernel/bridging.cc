// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/bridging.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace dpuflow::kernel {
namespace {

using flow::Reason;
using flow::Why;

Reason Unknown(const MacAddress& mac) {
  return {Why::kStation, fmt::format("the bridge has not learned behind which port {} is (bridge fdb)", mac)};
}

// Why only the kernel's stack does to a bridged packet all that is to be done.
std::optional<Reason> NeedsStack(const flow::Miss& miss, const LaneView& lane, const StationPath& path,
                                 const DecisionContext& context) {
  if (auto why = context.tables.forward_path.WhyStackOfBridge()) return why;
  if (context.bridge_netfilter) {
    if (auto why = context.tables.forward_path.WhyStack(miss.source.family())) return why;
  }
  return WhyStackAt({miss.port, lane.bridge_port, path.lane->port, path.bridge_port}, context);
}

// In doubt it is no good: the packet then stays in software.
flow::SourceVerdict SourceOf(const Result<netlink::Route>* route) {
  if (route == nullptr) return flow::SourceVerdict::kUnknown;
  if (*route) return flow::SourceVerdict::kValid;
  const int code = route->error().code;
  return code == EXDEV || code == EINVAL ? flow::SourceVerdict::kInvalid : flow::SourceVerdict::kUnknown;
}

// Whether a list of the configuration is all that sources in this lane are held to. Of IPv6 the kernel checks none.
bool IsListAlone(const LaneView& lane, Family family, const DecisionPorts& ports) {
  const auto port = ports.find(lane.id.port);
  if (port == ports.end() || port->second.sources == nullptr) return false;
  return family == Family::kIpv6 || std::ranges::find(port->second.checked, lane.id.vlan) == port->second.checked.end();
}

}  // namespace

bool IsBridged(const flow::Miss& miss, const Topology& topology) {
  const LaneView* lane = topology.Find(miss.lane());
  return lane != nullptr && lane->domain && (!lane->interface || lane->interface->address != miss.destination_mac);
}

StationPath FindStation(const BridgeDomain& domain, std::uint16_t tag, const MacAddress& mac, const LaneView* from,
                        const DecisionContext& context) {
  StationPath path;
  path.station = {domain.bridge, domain.vlan, mac};
  const auto object = [&](Reason reason) {
    path.objection = std::move(reason);
    return path;
  };
  const netlink::FdbEntry* entry = context.tables.bridges.Find(path.station);
  if (entry == nullptr) return object(Unknown(mac));
  path.bridge_port = entry->ifindex;
  if (entry->local) return object({Why::kLocal, "for this machine itself"});
  auto lane = context.topology.LeavesBy(entry->ifindex, domain);
  if (!lane) {
    return object(
        {Why::kNoPort, fmt::format("{} is behind ifindex {}, which is no port of the switch that is in the VLAN "
                                   "and forwards (bridge vlan, bridge link)",
                                   mac, entry->ifindex)});
  }
  if (tag != flow::kUntagged && lane->vlan != flow::kUntagged) {
    return object(
        {Why::kSecondTag, fmt::format("{} is behind VLAN {}, where its tag would be a second one", mac, lane->vlan)});
  }
  if (tag != flow::kUntagged) lane->vlan = tag;
  if (from != nullptr && lane->port == from->id.port) {
    return object({Why::kSamePort, "it leaves by the port at which it enters"});
  }
  const netlink::BridgePort* ingress = from == nullptr ? nullptr : context.tables.bridges.Port(from->bridge_port);
  const netlink::BridgePort* egress = context.tables.bridges.Port(entry->ifindex);
  if (ingress != nullptr && egress != nullptr && ingress->isolated && egress->isolated) {
    return object({Why::kIsolated, "both ports of the bridge are isolated (bridge -d link)"});
  }
  const bool anew = from != nullptr && (from->bridge_port != from->id.port || entry->ifindex != lane->port);
  if (anew && from->id.vlan != flow::kUntagged && lane->vlan != flow::kUntagged) {
    return object({Why::kVlanPriority,
                   "a VLAN device takes its tag off, and it gets a new one, without the priority that "
                   "hardware would leave in it"});
  }
  path.lane = lane;
  return path;
}

std::optional<std::uint32_t> LargestTo(const StationPath& path, const DecisionContext& context) {
  const netlink::Link* device = context.tables.links.Find(path.bridge_port);
  const auto port = context.ports.find(path.lane->port);
  if (device == nullptr || port == context.ports.end()) return std::nullopt;
  return std::min(device->mtu, port->second.mtu);
}

void JudgeSender(flow::Answer& answer, const DecisionContext& context) {
  const flow::Miss& miss = answer.question.miss;
  const LaneView* lane = context.topology.Find(miss.lane());
  if (lane == nullptr || !lane->domain) return;
  answer.sender = flow::StationKey{lane->domain->bridge, lane->domain->vlan, miss.source_mac};
  if (miss.source_mac.is_multicast() || miss.source_mac.is_zero()) {
    answer.sender_reason = {Why::kStation,
                            fmt::format("the bridge drops frames from {}, which is nobody's", miss.source_mac)};
    return;
  }
  const netlink::BridgePort* port = context.tables.bridges.Port(lane->bridge_port);
  if (port == nullptr || (!port->learning && !port->locked)) return;
  const netlink::FdbEntry* entry = context.tables.bridges.Find(*answer.sender);
  const bool here = entry != nullptr && !entry->local && entry->ifindex == lane->bridge_port;
  if (!here) {
    answer.sender_reason = Unknown(miss.source_mac);
  } else if (port->locked && entry->locked) {
    answer.sender_reason = {Why::kStation,
                            fmt::format("the bridge lets in nobody at this port that it was not told of, and {} it has "
                                        "only heard (bridge -d fdb: locked)",
                                        miss.source_mac)};
  }
}

flow::Answer DecideBridged(const flow::Question& question, const Result<netlink::Route>* route,
                           const DecisionContext& context, const DecisionSettings& settings) {
  const flow::Miss& miss = question.miss;
  flow::Answer answer;
  answer.question = question;
  answer.bridged = true;
  answer.source = SourceOf(route);
  JudgeSender(answer, context);
  const auto software = [&](Reason reason) {
    answer.verdict = flow::Answer::Verdict::kSoftware;
    answer.reason = std::move(reason);
    return answer;
  };
  if (auto why = NotListed(miss, context.ports)) {
    answer.source = flow::SourceVerdict::kInvalid;
    return software(std::move(*why));
  }
  const LaneView* lane = context.topology.Find(miss.lane());
  if (lane == nullptr || !lane->domain) return software({Why::kNoPort, "its port is in no bridge any more"});
  const bool list_alone = IsListAlone(*lane, miss.source.family(), context.ports);
  if (list_alone && answer.source == flow::SourceVerdict::kUnknown) {
    answer.source = flow::SourceVerdict::kValid;  // routing has nothing to say of it
  }
  StationPath path = FindStation(*lane->domain, lane->TagInside(miss.vlan), miss.destination_mac, lane, context);
  answer.dependencies.stations = {path.station};
  if (path.bridge_port != 0) answer.dependencies.links.push_back(path.bridge_port);
  if (path.lane && path.lane->port != path.bridge_port) answer.dependencies.links.push_back(path.lane->port);
  if (path.objection) return software(std::move(*path.objection));
  if (auto why = NotReachable(miss.port, path.lane->port, context)) return software(std::move(*why));
  if (settings.respect_netfilter) {
    if (auto why = NeedsStack(miss, *lane, path, context)) return software(std::move(*why));
  }
  const std::uint32_t largest = context.ports.at(miss.port).largest_packet;
  const std::uint32_t fits = LargestTo(path, context).value_or(0);
  if (!settings.trust_size && largest > fits) {
    return software(
        {Why::kOversize, fmt::format("its egress takes {} bytes, its ingress can send more (flows.oversize)", fits)});
  }
  answer.adjacency.egress = path.lane->port;
  answer.adjacency.vlan = path.lane->vlan;
  answer.verdict = flow::Answer::Verdict::kForward;
  return answer;
}

}  // namespace dpuflow::kernel
