// SPDX-License-Identifier: Apache-2.0
//
// Every number that the agent keeps, under one naming scheme: its own metrics, the pipeline's counters, the
// classifier's, the queues'.
#pragma once

#include <vector>

#include "agent/agent.h"
#include "agent/daemon/metrics.h"

namespace dpuflow {

std::vector<metrics::Sample> CollectStats(const Agent& agent);

}  // namespace dpuflow
