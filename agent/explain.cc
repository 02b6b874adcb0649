// SPDX-License-Identifier: Apache-2.0
#include "agent/explain.h"

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "agent/kernel/bridging.h"

namespace dpuflow {
namespace {

using flow::SourceVerdict;
using flow::Table;
using kernel::Insight;
using Decision = Explanation::Decision;

constexpr std::size_t kMostSources =
    32;  // L2 source or flat entries that are listed: behind an uplink there may be many

// ---- the classifier (bpf/classifier.bpf.c, in its order) -------------------------------------------------------------

bool IsUsable(const kernel::DecisionPorts& ports, std::uint32_t ifindex) {
  const auto port = ports.find(ifindex);
  return port != ports.end() && port->second.ready && port->second.offload;
}

// Where the destination alone, or the IP protocol, says enough (bpf/parse.h).
Verdict JudgeHeaders(const flow::Miss& packet) {
  const auto& bytes = packet.destination.bytes();
  const auto in = [&](const char* prefix) { return IpPrefix::Parse(prefix)->Contains(packet.destination); };
  if (packet.destination.is_v4()) {
    if (in("224.0.0.0/4") || in("255.255.255.255")) return DPUFLOW_VERDICT_MULTICAST;
    if (in("169.254.0.0/16")) return DPUFLOW_VERDICT_LINK_LOCAL;
    return bytes[0] == 0 || bytes[0] == 127 ? DPUFLOW_VERDICT_MARTIAN : DPUFLOW_VERDICT_FORWARDED;
  }
  if (in("ff00::/8")) return DPUFLOW_VERDICT_MULTICAST;
  if (in("fe80::/10")) return DPUFLOW_VERDICT_LINK_LOCAL;
  if (in("::/127")) return DPUFLOW_VERDICT_MARTIAN;
  return packet.protocol == IPPROTO_HOPOPTS ? DPUFLOW_VERDICT_OPTIONS : DPUFLOW_VERDICT_FORWARDED;
}

Verdict OfLookup(PathAnswer::Result result) {
  switch (result) {
    case PathAnswer::Result::kForward:
      return DPUFLOW_VERDICT_FORWARDED;
    case PathAnswer::Result::kNoNeigh:
      return DPUFLOW_VERDICT_NO_NEIGH;
    case PathAnswer::Result::kTooBig:
      return DPUFLOW_VERDICT_TOO_BIG;
    case PathAnswer::Result::kLocal:
      return DPUFLOW_VERDICT_LOCAL;
    case PathAnswer::Result::kBlackhole:
      return DPUFLOW_VERDICT_BLACKHOLE;
    case PathAnswer::Result::kUnreachable:
      return DPUFLOW_VERDICT_UNREACHABLE;
    case PathAnswer::Result::kProhibit:
      return DPUFLOW_VERDICT_PROHIBIT;
    case PathAnswer::Result::kForwardingOff:
      return DPUFLOW_VERDICT_FORWARDING_DISABLED;
    case PathAnswer::Result::kTunnel:
      return DPUFLOW_VERDICT_TUNNEL;
    case PathAnswer::Result::kFailed:
      break;
  }
  return DPUFLOW_VERDICT_LOOKUP_FAILED;
}

// The kernel would forward it: the classifier reports such packets.
bool IsForwardedByLookup(Verdict verdict) {
  return verdict == DPUFLOW_VERDICT_FORWARDED || verdict > DPUFLOW_VERDICT_LOOKUP_FAILED;
}

bool IsStackOnly(std::uint32_t ifindex, const kernel::L3Interface& interface, const ExplainContext& context) {
  const kernel::ForwardPath& forward_path = context.decision.tables.forward_path;
  const auto port = context.decision.ports.find(ifindex);
  return context.respect_netfilter &&
         (forward_path.WhyStack(interface.ifindex, interface.name) ||
          (port != context.decision.ports.end() && forward_path.WhyStack(port->first, port->second.name)));
}

// Of what the kernel would forward by `path`.
Verdict JudgePath(const flow::Miss& packet, const PathAnswer& path, const ExplainContext& context) {
  const bool v6 = packet.destination.is_v6();
  const kernel::L3Interface* egress = context.decision.topology.Find(path.egress);
  if (egress == nullptr || !egress->lane || !IsUsable(context.decision.ports, egress->lane->port)) {
    return DPUFLOW_VERDICT_EGRESS_NOT_A_PORT;
  }
  // The classifier does not know of lanes that lead nowhere.
  const kernel::LaneView* way_out = context.decision.topology.Find(*egress->lane);
  if (way_out == nullptr || way_out->leads_nowhere()) return DPUFLOW_VERDICT_EGRESS_NOT_A_PORT;
  if (egress->lane->port == packet.port) return DPUFLOW_VERDICT_SAME_PORT;
  if (!context.pipeline.IsApproved(packet.lane(), packet.source)) return DPUFLOW_VERDICT_SOURCE_UNKNOWN;
  const kernel::LaneView* ingress = context.decision.topology.Find(packet.lane());
  if (egress->maps_egress_priority || ingress->domain || IsStackOnly(packet.port, *ingress->interface, context) ||
      IsStackOnly(egress->lane->port, *egress, context)) {
    return DPUFLOW_VERDICT_STACK_ONLY;
  }
  if (v6 ? context.classifier.stack_only_v6 : context.classifier.stack_only_v4) return DPUFLOW_VERDICT_STACK_ONLY;
  return context.classifier.forward ? DPUFLOW_VERDICT_FORWARDED : DPUFLOW_VERDICT_FORWARDING_OFF;
}

Verdict Classify(const flow::Miss& packet, const std::optional<Insight>& kernel, const ExplainContext& context) {
  if (!IsUsable(context.decision.ports, packet.port)) return DPUFLOW_VERDICT_NOT_A_PORT;
  const kernel::LaneView* lane = context.decision.topology.Find(packet.lane());
  // The classifier does not know of lanes that lead nowhere.
  if (lane != nullptr && lane->leads_nowhere()) {
    lane = context.decision.topology.Find(flow::LaneId{packet.port, flow::kAnyVlan});
  }
  if (lane == nullptr) return DPUFLOW_VERDICT_VLAN;
  if (!lane->interface || kernel::IsBridged(packet, context.decision.topology)) return DPUFLOW_VERDICT_BRIDGED;
  if (packet.destination_mac != lane->interface->address) {
    return packet.destination_mac.is_multicast() ? DPUFLOW_VERDICT_MULTICAST : DPUFLOW_VERDICT_OTHER_HOST;
  }
  if (const Verdict verdict = JudgeHeaders(packet); verdict != DPUFLOW_VERDICT_FORWARDED) return verdict;
  if (!kernel) return DPUFLOW_VERDICT_LOOKUP_FAILED;
  Verdict verdict = OfLookup(kernel->path.result);
  if (verdict == DPUFLOW_VERDICT_FORWARDED) verdict = JudgePath(packet, kernel->path, context);
  const bool refused = packet.destination.is_v6() && !context.classifier.ipv6_forwarding;
  return refused && IsForwardedByLookup(verdict) ? DPUFLOW_VERDICT_FORWARDING_DISABLED : verdict;
}

// What is for the machine itself, by the names of the classifier's counters.
std::string ControlName(const flow::Miss& packet) {
  const auto port_is = [&](std::uint16_t number) { return packet.destination_port == number; };
  if (packet.protocol == IPPROTO_TCP && (port_is(179) || packet.source_port == 179)) return " (BGP)";
  if (packet.protocol == IPPROTO_UDP && (port_is(3784) || port_is(3785) || port_is(4784))) return " (BFD)";
  constexpr std::uint8_t kOspf = 89;
  return packet.protocol == kOspf ? " (OSPF)" : "";
}

// The verdict in words; `reason` is why hardware does not forward.
std::string Sentence(Verdict verdict, const std::string& reason, SourceVerdict source) {
  switch (verdict) {
    case DPUFLOW_VERDICT_FORWARDED:
      return "data; the classifier forwards it as long as hardware does not";
    case DPUFLOW_VERDICT_MULTICAST:
      return "multicast or broadcast, which is the machine's own to take";
    case DPUFLOW_VERDICT_LINK_LOCAL:
      return "to an address that stays on its link";
    case DPUFLOW_VERDICT_MARTIAN:
      return "to an address that nobody routes to";
    case DPUFLOW_VERDICT_OPTIONS:
      return "it has hop-by-hop options";
    case DPUFLOW_VERDICT_NO_NEIGH:
      return "data; the kernel's stack looks for the neighbour";
    case DPUFLOW_VERDICT_SOURCE_UNKNOWN:
      return source == SourceVerdict::kInvalid
                 ? "data; its source is not approved here"
                 : "data; its source is new here, so the kernel's stack forwards its first packet";
    case DPUFLOW_VERDICT_FORWARDING_OFF:
      return "data; the kernel's stack forwards it, because the classifier does not (classifier.forward)";
    case DPUFLOW_VERDICT_NOT_A_PORT:
      return "the classifier lets it pass: " + reason;
    case DPUFLOW_VERDICT_BRIDGED:
      if (reason.empty()) return "data; the bridge passes it on as long as hardware does not";
      return reason;
    default:
      return reason.empty() ? "left to the kernel's stack" : reason;  // the classifier has not heard of a change yet
  }
}

// ---- the kernel ------------------------------------------------------------------------------------------------------

// The priority of the rule that says to look into the route's table. Nothing where several may.
std::optional<std::uint32_t> RuleOf(const netlink::Route& route, const flow::Miss& packet,
                                    const ExplainContext& context) {
  const kernel::L3Interface* ingress = context.decision.topology.At(packet.lane());
  if (ingress == nullptr) return std::nullopt;
  const std::string& vrf = ingress->vrf;
  std::optional<std::uint32_t> priority;
  for (const netlink::Rule& rule : context.decision.tables.rules.all()) {
    if (rule.family != packet.destination.family() || rule.action != FR_ACT_TO_TBL) continue;
    if (rule.l3mdev ? vrf.empty() || rule.table != 0 : rule.table != route.table) continue;
    const bool others = (!rule.source.address.is_none() && !rule.source.Contains(packet.source)) ||
                        (!rule.destination.address.is_none() && !rule.destination.Contains(packet.destination)) ||
                        (!rule.iif.empty() && rule.iif != ingress->name && rule.iif != vrf) || !rule.oif.empty() ||
                        (rule.mark & rule.mark_mask) != 0 || (rule.tos != 0 && rule.tos != packet.tos) ||
                        (rule.ip_protocol != 0 && rule.ip_protocol != packet.protocol);
    if (others != rule.inverted) continue;
    if (priority) return std::nullopt;
    priority = rule.priority;
  }
  return priority;
}

// The fields of the hash, which holds the destination in any case but one.
std::string HashedFields(const kernel::HashPolicy& policy, Family family) {
  constexpr std::uint32_t kHashDestination = 1 << 1;  // FIB_MULTIPATH_HASH_FIELD_DST_IP
  const flow::Fields fields = kernel::MultipathFields(policy, family);
  std::string text;
  const auto add = [&](bool is_there, const char* word) {
    if (is_there) text += (text.empty() ? "" : ", ") + std::string(word);
  };
  add((fields & flow::kFieldSource) != 0, "source");
  add(policy.policy != 3 || (policy.fields & kHashDestination) != 0, "destination");
  add((fields & flow::kFieldProtocol) != 0, "protocol");
  add((fields & flow::kFieldSourcePort) != 0, "source port");
  add((fields & flow::kFieldDestinationPort) != 0, "destination port");
  return text;
}

std::string WhyPath(const Explanation& explanation, const ExplainContext& context) {
  const std::size_t paths = explanation.paths.size();
  if (paths == 0 || !explanation.next_hop) return "";
  if (paths == 1) return "the only path";
  const bool v6 = explanation.packet.destination.is_v6();
  const kernel::HashPolicy& policy = v6 ? context.decision.hash_v6 : context.decision.hash_v4;
  const std::string which =
      explanation.taken ? fmt::format("path {} of {}", *explanation.taken + 1, paths) : fmt::format("one of {}", paths);
  return fmt::format("{}, by the kernel's hash of {} (sysctl net.ipv{}.fib_multipath_hash_policy = {})", which,
                     HashedFields(policy, v6 ? Family::kIpv6 : Family::kIpv4), v6 ? 6 : 4, policy.policy);
}

// As long as there are no rules of one's own, the kernel keeps the tables local and main in one (fib_trie_unmerge), and names
// main for either. What it puts there itself is in local.
std::uint32_t TableOf(const netlink::Route& route) {
  const bool own = route.protocol == RTPROT_KERNEL && (route.type == RTN_LOCAL || route.type == RTN_BROADCAST);
  return own && route.table == RT_TABLE_MAIN ? std::uint32_t{RT_TABLE_LOCAL} : route.table;
}

void AddRoute(Explanation& explanation, const Insight& kernel, const ExplainContext& context) {
  const PathAnswer& path = kernel.path;
  if (kernel.route) {
    explanation.route = *kernel.route;
    explanation.paths = kernel::PathsOf(*kernel.route, context.decision.tables.nexthops);
    explanation.route->table = TableOf(*kernel.route);
    explanation.rule = RuleOf(*explanation.route, explanation.packet, context);
  }
  if (path.egress == 0) return;
  explanation.next_hop = {path.egress, path.next_hop};
  const auto taken = std::ranges::find_if(explanation.paths, [&](const netlink::NextHop& hop) {
    const IpAddress& gateway = hop.gateway.is_none() ? explanation.packet.destination : hop.gateway;
    return hop.ifindex == path.egress && gateway == path.next_hop;
  });
  if (taken != explanation.paths.end()) {
    explanation.taken = static_cast<std::size_t>(taken - explanation.paths.begin());
  }
  explanation.why_path = WhyPath(explanation, context);
  explanation.mtu = path.mtu;
  if (explanation.route && explanation.route->mtu != 0)
    explanation.mtu = std::min(path.mtu == 0 ? UINT32_MAX : path.mtu, explanation.route->mtu);
  if (const netlink::Neigh* neigh = context.decision.tables.neighs.Find({path.egress, path.next_hop}))
    explanation.neigh = *neigh;
}

// Whom a packet is bridged to whose destination MAC was named; nothing: it is routed.
std::optional<flow::StationKey> StationOf(const PacketQuestion& question, const ExplainContext& context) {
  const flow::Miss& packet = question.packet;
  if (!question.names_mac || !kernel::IsBridged(packet, context.decision.topology)) return std::nullopt;
  const kernel::BridgeDomain& domain = *context.decision.topology.Find(packet.lane())->domain;
  return flow::StationKey{domain.bridge, domain.vlan, packet.destination_mac};
}

void AddStation(Explanation& explanation, const std::optional<Insight>& kernel, const ExplainContext& context) {
  const netlink::FdbEntry* entry = context.decision.tables.bridges.Find(*explanation.station);
  if (entry != nullptr) explanation.fdb = *entry;
  if (kernel) explanation.bridged_by = kernel->answer.adjacency.egress;
}

// More than the answer for a flow says: packets for the machine itself never have one.
std::string WhyNotForwarded(const Insight& kernel, const flow::Miss& packet, const ExplainContext& context) {
  const Result<netlink::Route>& route = kernel.route;
  const auto local = [&]() -> std::string {
    if (route && route->type == RTN_LOCAL) return "it is for this machine itself" + ControlName(packet);
    if (route && route->type == RTN_BROADCAST) return "it is a broadcast";
    if (!route && (route.error().code == ENETUNREACH || route.error().code == EHOSTUNREACH)) return "no route";
    return kernel.answer.reason.text;
  };
  switch (kernel.path.result) {
    case PathAnswer::Result::kLocal:
      return local();
    case PathAnswer::Result::kUnreachable:
      return "the route says that the destination is unreachable";
    case PathAnswer::Result::kForwardingOff:
      return fmt::format("forwarding is off at {} (sysctl net.{}.forwarding)", context.port.info.link.name,
                         packet.destination.is_v6() ? "ipv6.conf.all" : "ipv4.conf." + context.port.info.link.name);
    default:
      return kernel.answer.reason.text;
  }
}

// ---- the decision ----------------------------------------------------------------------------------------------------

void Refuse(Explanation& explanation, std::string reason, std::string hint = {}) {
  explanation.decision = Decision::kSoftware;
  explanation.reason = std::move(reason);
  explanation.hint = std::move(hint);
}

// Why the port hands nothing to hardware; false: it does.
bool RefusedByPort(Explanation& explanation, const PortSlot& port) {
  const std::string& name = port.info.link.name;
  if (port.state == PortSlot::State::kRefused) {
    Refuse(explanation, fmt::format("{} takes no part: {}", name, port.refusal), port.hint);
  } else if (port.state == PortSlot::State::kPreparing) {
    Refuse(explanation, name + " is being prepared");
  } else if (port.state == PortSlot::State::kReleasing) {
    Refuse(explanation, "our entries are being removed from " + name);
  } else if (!port.offload) {
    Refuse(explanation, "offload is switched off at " + name, "dpuflowctl offload on dev " + name);
  } else {
    return false;
  }
  return true;
}

bool RefusedByHeaders(Explanation& explanation, const ExplainContext& context) {
  const flow::Miss& packet = explanation.packet;
  const kernel::LaneView* lane = context.decision.topology.Find(packet.lane());
  const std::string& port = context.port.info.link.name;
  if (explanation.station) return false;  // a bridge looks at no header but that of the frame
  if (lane != nullptr && lane->domain && !lane->interface) {
    Refuse(explanation,
           fmt::format("routing has no interface where {} is bridged: frames go by their MAC, which is to be named "
                       "(dst_mac)",
                       port),
           "bridge fdb show br " + context.decision.tables.links.Name(lane->domain->bridge));
    return true;
  }
  if (lane != nullptr && lane->leads_nowhere()) {
    Refuse(explanation, fmt::format("what enters there is taken by {}, and the kernel's alone", lane->taken_by),
           "ip -d link show dev " + lane->taken_by);
    return true;
  }
  if (lane == nullptr) {
    Refuse(explanation, fmt::format("{} has no VLAN device with id {} that is up", port, packet.vlan),
           fmt::format("ip link add link {} name {}.{} type vlan id {}", port, port, packet.vlan, packet.vlan));
    return true;
  }
  const Verdict verdict = JudgeHeaders(explanation.packet);
  if (lane->interface && packet.destination_mac != lane->interface->address) {
    Refuse(explanation, fmt::format("it is not sent to the MAC of {}, which is {}", lane->interface->name,
                                    lane->interface->address));
  } else if (verdict != DPUFLOW_VERDICT_FORWARDED) {
    Refuse(explanation, Sentence(verdict, "", SourceVerdict::kUnknown));
  } else if (explanation.packet.destination.is_v6() && !context.classifier.ipv6_forwarding) {
    Refuse(explanation, "the machine does not forward IPv6", "sysctl -w net.ipv6.conf.all.forwarding=1");
  } else {
    return false;
  }
  return true;
}

void Decide(Explanation& explanation, const std::optional<Insight>& kernel, const ExplainContext& context) {
  if (RefusedByPort(explanation, context.port) || RefusedByHeaders(explanation, context)) return;
  if (!kernel) return Refuse(explanation, "the kernel cannot be asked about it");
  explanation.decision = kernel->answer.verdict;
  explanation.reason = kernel->answer.reason.text;
  if (!explanation.packet.source_mac.is_zero() && !kernel->answer.sender_reason.empty()) {
    return Refuse(explanation, kernel->answer.sender_reason.text);
  }
  if (explanation.decision != Decision::kSoftware) return;
  Refuse(explanation,
         explanation.station ? kernel->answer.reason.text : WhyNotForwarded(*kernel, explanation.packet, context));
}

// ---- flows -----------------------------------------------------------------------------------------------------------

// Whether the packet may be from this MAC.
bool IsFrom(const MacAddress& mac, const flow::Miss& packet) {
  return packet.source_mac.is_zero() || packet.source_mac == mac;
}

// Whether the packet matches: guards that look at the source, and L2 source entries.
bool MatchesSource(const flow::Match& match, const flow::Miss& packet) {
  if (match.vlan != packet.vlan || match.ethertype != packet.ethertype) return false;
  if (match.table == Table::kGuard) return match.source && match.source->Contains(packet.source);
  return match.table == Table::kL2Source && IsFrom(match.source_mac, packet) &&
         (!match.source || match.source->Contains(packet.source));
}

// A flat entry for the packet.
bool IsOfKey(flow::Match match, const flow::Match& key, const flow::Miss& packet) {
  if (!IsFrom(match.source_mac, packet)) return false;
  match.source_mac = key.source_mac;
  return match.table == Table::kFlat && match == key;
}

flow::Match Layer2Destination(const flow::Miss& packet) {
  flow::Match match;
  match.table = Table::kL2Destination;
  match.port = packet.port;
  match.vlan = packet.vlan;
  match.ethertype = packet.ethertype;
  match.destination_mac = packet.destination_mac;
  return match;
}

void AddEntries(Explanation& explanation, const std::optional<Insight>& kernel, const ExplainContext& context) {
  const flow::Miss& packet = explanation.packet;
  const flow::FlowTable& flows = context.pipeline.flows();
  if (kernel) explanation.key = context.pipeline.KeyFor(kernel->answer);
  for (const flow::FlowId id : flows.OnPort(packet.port)) {
    const flow::Flow* flow = flows.Find(id);
    const bool own = explanation.key && IsOfKey(flow->match(), *explanation.key, packet);
    if (own || MatchesSource(flow->match(), packet)) explanation.entries.push_back(*flow);
  }
  std::ranges::sort(explanation.entries, {},
                    [](const flow::Flow& flow) { return std::tuple(flow.table(), !flow.installed, flow.id); });
  if (explanation.entries.size() > kMostSources) {
    explanation.entries_left_out = explanation.entries.size() - kMostSources;
    explanation.entries.resize(kMostSources);
  }
  const auto add = [&](const flow::Match& match) {
    if (const flow::Flow* flow = flows.Find(match)) explanation.entries.push_back(*flow);
  };
  if (context.port.form == flow::Form::kFlat) return;
  if (!explanation.station) add(Layer2Destination(packet));
  if (explanation.key) add(*explanation.key);
}

bool HasEntry(const Explanation& explanation, Table table) {
  return std::ranges::any_of(explanation.entries,
                             [&](const flow::Flow& flow) { return flow.table() == table && flow.installed; });
}

// Whether a packet with the right source MAC meets an entry in each table of this form.
bool HasAllEntries(const Explanation& explanation, flow::Form form) {
  if (form == flow::Form::kFlat) return HasEntry(explanation, Table::kFlat);
  return HasEntry(explanation, Table::kL2Source) && HasEntry(explanation, Table::kL2Destination) &&
         (explanation.station || HasEntry(explanation, Table::kL3));
}

// What stands between a flow that hardware may forward and its entries; empty: nothing.
std::string Obstacle(const Explanation& explanation, const ExplainContext& context) {
  const flow::FlowTable& flows = context.pipeline.flows();
  for (const flow::FlowId id : flows.OnPort(explanation.packet.port)) {
    const flow::Flow* flow = flows.Find(id);
    if (flow->table() != Table::kGuard || flow->installed) continue;
    return flow->reason().empty() ? "the port's guards are being installed"
                                  : fmt::format("a guard was refused: {}", flow->reason().text);
  }
  if (explanation.key && explanation.key->portless) {
    return "the path depends on ports: as a fragment it stays in software, else name them (sport, dport)";
  }
  if (HasEntry(explanation, Table::kGuard)) return "a guard hands packets from this source to software";
  for (const flow::Flow& flow : explanation.entries) {
    const bool refused = flow.refusals > 0 || (flow::HasSections(flow.table()) && flow.section == 0);
    if (refused && !flow.wanted && !HasEntry(explanation, flow.table())) return flow.reason().text;
  }
  const Table chained = explanation.station ? Table::kL2Destination : Table::kL3;
  const Table last = context.port.form == flow::Form::kFlat ? Table::kFlat : chained;
  if (!HasEntry(explanation, last) && context.pipeline.full()) {
    return fmt::format("the limit of {} entries is reached (flows.max-entries)", context.pipeline.limits().max_entries);
  }
  return {};
}

// ---- in words --------------------------------------------------------------------------------------------------------

void AddNotes(Explanation& explanation, const PacketQuestion& question, const std::optional<Insight>& kernel,
              const ExplainContext& context) {
  const auto note = [&](std::string sentence) { explanation.notes.push_back(std::move(sentence)); };
  if (question.mark != 0) {
    note(fmt::format("no packet from a port carries a mark, in hardware or at its representor: {:#x} is not looked at",
                     question.mark));
  }
  const bool chosen_by_protocol = kernel && (kernel->answer.fields & (flow::kFieldProtocol | flow::kFieldPorts)) != 0;
  if (question.any_protocol && chosen_by_protocol) note("the path depends on the protocol: UDP was taken (ipproto)");
  if (explanation.packet.protocol == IPPROTO_ICMPV6 && explanation.packet.destination.is_v6()) {
    note("neighbour and router discovery (types 133 to 137) is control, whatever its destination");
  }
  if (kernel && !kernel->route && explanation.verdict == DPUFLOW_VERDICT_BLACKHOLE) {
    note(fmt::format("the kernel does not name a route that discards; to see it: ip route show table all match {}",
                     explanation.packet.destination));
  }
  if (explanation.mtu != 0 && explanation.mtu < explanation.largest_packet) {
    note(fmt::format("packets of more than {} bytes are the kernel's to fragment or to answer", explanation.mtu));
  }
  if (explanation.form == flow::Form::kFlat) {
    note("the NIC offers no chains: one entry in chain 0 does the work of three, for one source MAC");
  }
  if (!kernel && !explanation.station && context.port.info.link.master != 0) {
    note(fmt::format("{} belongs to {}: for what enters there, ask ip route get ... iif {}",
                     context.port.info.link.name, context.decision.tables.links.Name(context.port.info.link.master),
                     context.decision.tables.links.Name(context.port.info.link.master)));
  }
}

std::string Summary(const Explanation& explanation, const ExplainContext& context) {
  const std::uint32_t leaves_by = explanation.next_hop ? explanation.next_hop->ifindex : explanation.bridged_by;
  const std::string egress = context.decision.tables.links.Name(leaves_by);
  if (explanation.in_hardware && explanation.decision == Decision::kForward) {
    return "in hardware: it leaves by " + egress;
  }
  if (explanation.in_hardware) return "in hardware, and about to leave it: " + explanation.reason;
  if (explanation.decision == Decision::kForward) {
    const bool on_its_way =
        std::ranges::any_of(explanation.entries, [](const flow::Flow& flow) { return flow.wanted && !flow.installed; });
    return on_its_way ? "in software: its entries are on their way"
                      : "in software: its entries are added when a packet asks for them";
  }
  return "in software: " + explanation.reason;
}

}  // namespace

bool CanAskKernel(const PacketQuestion& question, const ExplainContext& context) {
  return StationOf(question, context).has_value() || context.decision.topology.At(question.packet.lane()) != nullptr;
}

Explanation Explain(const PacketQuestion& question, const std::optional<Insight>& kernel,
                    const ExplainContext& context) {
  Explanation explanation;
  explanation.packet = question.packet;
  if (context.port.state == PortSlot::State::kReady) explanation.form = context.port.form;
  if (const auto port = context.decision.ports.find(question.packet.port); port != context.decision.ports.end()) {
    explanation.largest_packet = port->second.largest_packet;
  }
  explanation.station = StationOf(question, context);
  if (kernel) explanation.source = kernel->answer.source;
  if (explanation.station) {
    AddStation(explanation, kernel, context);
  } else if (kernel) {
    AddRoute(explanation, *kernel, context);
  }
  explanation.verdict = Classify(question.packet, kernel, context);
  Decide(explanation, kernel, context);
  AddEntries(explanation, kernel, context);
  const bool guarded = HasEntry(explanation, Table::kGuard);
  explanation.in_hardware =
      !guarded && explanation.source != SourceVerdict::kInvalid && HasAllEntries(explanation, context.port.form);
  if (explanation.decision == Decision::kForward && !explanation.in_hardware) {
    if (std::string obstacle = Obstacle(explanation, context); !obstacle.empty()) Refuse(explanation, obstacle);
  }
  explanation.classification = Sentence(explanation.verdict, explanation.reason, explanation.source);
  AddNotes(explanation, question, kernel, context);
  explanation.summary = Summary(explanation, context);
  return explanation;
}

}  // namespace dpuflow
