// SPDX-License-Identifier: Apache-2.0
//
// From what the kernel said about a packet to an answer for its flow. Pure.
//
// Two questions are asked, because each is blind where the other sees (design, decision 1): bpf_fib_lookup gives the
// path, by the same call that the classifier forwards with; RTM_GETROUTE with RTM_F_FIB_MATCH says whether the source is
// acceptable and which route, next hops and metrics the path rests on. Only where both agree that the packet is
// forwarded to a port of this switch, that its key can hold what the choice of the path looks at (key_fields.h), and that
// the largest packet its ingress can send fits, may hardware do it. Everything else stays in software, with the reason in
// words.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <unordered_map>

#include "agent/flow/events.h"
#include "agent/kernel/key_fields.h"
#include "agent/kernel/reach.h"
#include "agent/kernel/tables.h"
#include "agent/kernel/topology.h"
#include "bpf/path_lookup.h"
#include "netlink/error.h"
#include "netlink/values.h"

namespace dpuflow::kernel {

// A port of the switch as far as decisions go.
struct DecisionPort {
  std::string name;
  bool ready = false;                // prepared, with our classifier
  std::uint32_t largest_packet = 0;  // bytes of L3, that can enter there
  std::uint32_t mtu = 0;             // bytes of L3, that can leave there
  bool offload = true;               // the operator's switch
  PortKind kind{};
  const std::vector<IpPrefix>* sources = nullptr;  // that may enter there, by the configuration; null: any
  std::vector<std::uint16_t> checked{};  // VLAN ids of the lanes where the kernel checks them, too (rp_filter)
};
using DecisionPorts = std::unordered_map<std::uint32_t, DecisionPort>;

struct DecisionSettings {
  bool trust_size = false;        // oversize = trust: packets that do not fit are not sent
  bool respect_netfilter = true;  // else what only the kernel's stack applies is passed by
};

// What a decision looks at beside the kernel's answers. References to what is current.
struct DecisionContext {
  const DecisionPorts& ports;
  const Topology& topology;
  const Reach& reach;
  const Tables& tables;
  HashPolicy hash_v4;
  HashPolicy hash_v6;
  bool bridge_netfilter = false;  // netfilter may see bridged packets as if they were routed (br_netfilter)
};

// Whether one of the kernel's two answers knows a route and the other none: they are of different moments, and one of a
// moment in which a route was being replaced. There the kernel itself finds none for an instant (fib_table_lookup passes
// over a fib_info that is dead by now). Both are to be asked for again. A path lookup that finds no route has one answer for
// that and for a destination that is local.
[[nodiscard]] bool Contradict(const PathAnswer& path, const Result<netlink::Route>& route);

// IPv6 sources that ip6_forward and ip6_rcv_core do not let through, though a lookup would.
[[nodiscard]] bool IsUnroutableSource(const IpAddress& source);

// The route's paths, also where it shows none but names a nexthop object.
[[nodiscard]] std::vector<netlink::NextHop> PathsOf(const netlink::Route& route, const NexthopMirror& nexthops);

// Why the configuration does not let this source enter at its port; nothing: it does.
[[nodiscard]] std::optional<flow::Reason> NotListed(const flow::Miss& miss, const DecisionPorts& ports);

// Why hardware may not send from the one port to the other; nothing: it may.
[[nodiscard]] std::optional<flow::Reason> NotReachable(std::uint32_t from, std::uint32_t to,
                                                       const DecisionContext& context);

// Why only the kernel's stack does all that is to be done to what passes these devices (ifindexes; 0: none).
[[nodiscard]] std::optional<flow::Reason> WhyStackAt(std::initializer_list<std::uint32_t> devices,
                                                     const DecisionContext& context);

[[nodiscard]] flow::Answer Decide(const flow::Question& question, const PathAnswer& path,
                                  const Result<netlink::Route>& route, const DecisionContext& context,
                                  const DecisionSettings& settings);

}  // namespace dpuflow::kernel
