// SPDX-License-Identifier: Apache-2.0
//
// The methods of io.dpuflow.Agent, answered from the agent's state. On the loop.
#pragma once

#include "agent/agent.h"
#include "agent/api/service.h"

namespace dpuflow {

// Registers all of them. `agent` outlives `service`.
void RegisterHandlers(api::Service& service, Agent& agent);

}  // namespace dpuflow
