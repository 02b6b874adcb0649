// SPDX-License-Identifier: Apache-2.0
//
// What the kernel's bridge would do with a packet, from the mirrors of its tables (br_handle_frame, br_forward). Pure.
//
// A frame to the MAC of the interface that routing has in its domain is routed, any other unicast frame is bridged. Entries
// for what the bridge floods, learns from or sends up are never made. Where the bridge learns, an entry of the L2 source
// table says that it has: a station that has moved away misses there, so that the bridge sees it come back.
#pragma once

#include <cstdint>
#include <optional>

#include "agent/kernel/decision.h"

namespace dpuflow::kernel {

// Whether the packet is bridged and not routed.
[[nodiscard]] bool IsBridged(const flow::Miss& miss, const Topology& topology);

// The way of frames to a station: the lane, or why hardware must not know it.
struct StationPath {
  flow::StationKey station;
  std::optional<flow::LaneId> lane;
  std::uint32_t bridge_port = 0;  // ifindex of the port of the bridge that it is behind; 0: not known
  std::optional<flow::Reason> objection;
};
// `tag`: of the frame inside the bridge, where that does not look at VLANs. `from`: the lane at which the frame enters; null:
// from the machine itself, which is isolated from nobody.
[[nodiscard]] StationPath FindStation(const BridgeDomain& domain, std::uint16_t tag, const MacAddress& mac,
                                      const LaneView* from, const DecisionContext& context);

// The largest packet, in bytes of L3, that is sent to the station; `path.lane` is there. Nothing: not known.
[[nodiscard]] std::optional<std::uint32_t> LargestTo(const StationPath& path, const DecisionContext& context);

// Fills in `sender` and `sender_reason` of a packet that enters by a bridge.
void JudgeSender(flow::Answer& answer, const DecisionContext& context);

// The answer for a packet that IsBridged(). `route`: of the packet, if it were routed at the interface of its lane; asked for
// its source, which that interface may check of packets that use the same entry. Null: there is no such interface.
[[nodiscard]] flow::Answer DecideBridged(const flow::Question& question, const Result<netlink::Route>* route,
                                         const DecisionContext& context, const DecisionSettings& settings);

}  // namespace dpuflow::kernel
