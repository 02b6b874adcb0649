// SPDX-License-Identifier: Apache-2.0
//
// Aging: how counters keep a flow alive, and when it is idle.
//
// A driver samples its counters (mlx5: once a second), so a packet is seen up to one counter period and one poll after
// it passed. `active` is the time of the poll that saw the counter move, never earlier than the packet. Polls come at about the
// time when an entry is due: the one that is a little early decides, since the next may be seconds away. So an entry goes at most
// one counter period and one poll too late, and never earlier than kEarly, which is less than a counter period.
#pragma once

#include "agent/flow/flow.h"

namespace dpuflow::flow {

// Takes one reading into the flow's totals and rates; says whether the counter has moved. Totals that went back mean that
// the filter was replaced.
bool ApplySample(Flow& flow, const Sample& sample, TimePoint now);

inline constexpr std::chrono::milliseconds kEarly{500};

// Nothing has moved for `idle_time`, less kEarly, counted from its programming at first.
[[nodiscard]] bool IsIdle(const Flow& flow, TimePoint now, Duration idle_time);

}  // namespace dpuflow::flow
