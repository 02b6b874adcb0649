// SPDX-License-Identifier: Apache-2.0
//
// Every number that the agent keeps, under one naming scheme: its own metrics, the pipeline's counters, the
// classifier's, the queues'.
#pragma once

#include <vector>

#include "agent/agent.h"
#include "agent/daemon/metrics.h"
#include "agent/flow_counts.h"

namespace dpuflow {

// `flows`: how many there are now.
std::vector<metrics::Sample> CollectStats(const Agent& agent, const FlowCounts& flows);

}  // namespace dpuflow
