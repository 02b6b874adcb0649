// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a packet at a port, and why, before it is sent: `dpuflowctl explain`, in the manner of `ip route get`.
//
//   classification   what the classifier makes of the packet where hardware has no entry for it
//   route, paths     what the kernel's tables say, by the questions that a miss asks; neighbour
//   decision         what the hardware is to do: forward it, wait for the neighbour, or nothing, and why
//   key, entries     the flow that the packet's miss would lead to, and what stands for it already
//
// Pure: it is told what the kernel said, and looks at tables. It changes nothing: no flow is made, no source is approved,
// nothing is counted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/flow/pipeline.h"
#include "agent/kernel/mirror.h"
#include "agent/kernel/resolver.h"
#include "agent/port_manager.h"
#include "bpf/classifier.h"

namespace dpuflow {

// A packet with a TTL that suffices. Whether it is a fragment is left open.
struct PacketQuestion {
  flow::Miss packet;       // source_mac zero: none was named, and it may have any
  bool names_mac = false;  // its destination MAC was named, and may be a station's; else it is that of who routes there
  bool any_protocol = false;  // none was named; the packet has one all the same, as in `ip route get`
  std::uint32_t mark = 0;
};

struct Explanation {
  using Decision = flow::Answer::Verdict;

  flow::Miss packet;
  Verdict verdict = DPUFLOW_VERDICT_FORWARDED;  // the classifier's, of a small packet
  std::string classification;                   // the same in words
  flow::SourceVerdict source = flow::SourceVerdict::kUnknown;

  std::optional<flow::StationKey> station;  // that it is bridged to; nothing: it is routed, and the rest is about that
  std::optional<netlink::FdbEntry> fdb;     // what the bridge has of it; nothing: no entry
  std::uint32_t bridged_by = 0;             // ifindex of the port of the switch by which it leaves then; 0: none
  std::optional<netlink::Route> route;      // nothing: the kernel names none, or was not asked
  std::optional<std::uint32_t> rule;        // priority of the policy rule that names its table, if that is certain
  std::vector<netlink::NextHop> paths;      // all of the route
  std::optional<std::size_t> taken;         // the one that the packet takes, of `paths`
  std::string why_path;                     // why this one
  std::optional<flow::NeighKey> next_hop;   // the neighbour that the packet is sent to
  std::optional<netlink::Neigh> neigh;      // what the kernel has of it; nothing: no entry
  std::uint32_t mtu = 0;                    // of the path, in bytes of L3; 0: not known
  std::uint32_t largest_packet = 0;         // that can enter by the port

  Decision decision = Decision::kSoftware;
  std::string reason;  // why not kForward
  std::string hint;    // the command that changes that, if there is one

  std::optional<flow::Match> key;    // of the packet's own flow, without its source MAC; nothing: there would be none
  std::optional<flow::Form> form;    // in which the port's entries stand; nothing: it takes no part
  std::vector<flow::Flow> entries;   // that the packet matches, in the order in which it meets them
  std::size_t entries_left_out = 0;  // more L2 source or flat entries than are listed
  bool in_hardware = false;          // the packet meets an entry in each table of the port

  std::vector<std::string> notes;  // what else is worth knowing, a sentence each
  std::string summary;             // one line: where the packet is forwarded, and why
};

// What an explanation looks at. References to what is current.
struct ExplainContext {
  const PortSlot& port;  // at which the packet enters
  const flow::Pipeline& pipeline;
  const kernel::DecisionContext& decision;
  const ClassifierSettings& classifier;
  bool respect_netfilter = true;
};

// Whether the kernel can be asked: the packet enters at an interface that routing knows, or is bridged to the MAC that was
// named.
[[nodiscard]] bool CanAskKernel(const PacketQuestion& question, const ExplainContext& context);

// `kernel`: what it said; nothing where it could not be asked.
[[nodiscard]] Explanation Explain(const PacketQuestion& question, const std::optional<kernel::Insight>& kernel,
                                  const ExplainContext& context);

}  // namespace dpuflow
