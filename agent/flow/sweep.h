// SPDX-License-Identifier: Apache-2.0
//
// A sweep: the counters of all our entries of one port, as read in one go. It is judged in slices, because a port may have a
// hundred thousand flows, and others wait meanwhile.
#pragma once

#include <optional>
#include <vector>

#include "agent/flow/events.h"

namespace dpuflow::flow {

struct Sweep {
  std::uint32_t port = 0;
  TimePoint began;                // before the first counter was read
  std::vector<Sample> samples{};  // by flow, in rising order
  // The port's flows that are still to be judged; nothing before the first slice. The pipeline's.
  std::optional<std::vector<FlowId>> unjudged{};
};

}  // namespace dpuflow::flow
