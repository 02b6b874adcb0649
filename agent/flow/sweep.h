// SPDX-License-Identifier: Apache-2.0
//
// A sweep: the counters of our entries of one port, as read in one go: of all kinds of packets for which there are flows. It is
// judged in slices, because a port may have a hundred thousand flows, and others wait meanwhile.
#pragma once

#include <optional>
#include <vector>

#include "agent/flow/events.h"
#include "agent/flow/packet_kind.h"

namespace dpuflow::flow {

struct Sweep {
  std::uint32_t port = 0;
  TimePoint began;                          // before the first counter was read
  PacketKinds kinds = PacketKinds().set();  // what was read; by default all
  std::vector<Sample> samples{};
  // The pipeline's: how many samples have been looked at, how many flows they were of, and when all have been, the flows
  // that may be in none.
  std::size_t looked_at = 0;
  std::size_t found = 0;
  std::optional<std::vector<FlowId>> unseen{};
};

}  // namespace dpuflow::flow
