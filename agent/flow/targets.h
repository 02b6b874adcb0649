// SPDX-License-Identifier: Apache-2.0
//
// Targets: the flows of one port (and VLAN, and ethertype) to one destination, which must agree on the shape of their keys.
//
// Were a wide key (the destination alone) and a fine one (with ports) in hardware at once, which of them a packet hits
// would be undefined. So a target remembers which fields the kernel's choice looks at; when that changes, the flows whose
// keys no longer fit become `outdated`, and no other flow of the target is programmed until they are out of hardware.
//
// Pure; owned by the pipeline.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "agent/flow/flow.h"

namespace dpuflow::flow {

// The key of a packet's L3 flow where the path depends on `fields`.
[[nodiscard]] Match KeyOf(const Miss& miss, Fields fields);
// The routed match with the destination alone: what names a target.
[[nodiscard]] Match TargetOf(const Match& match);

struct Target {
  Fields fields = 0;
  std::unordered_set<FlowId> flows;
  std::unordered_set<FlowId> outdated;  // some of `flows`, on their way out
};

class Targets {
 public:
  // The target of a routed match; null where it has no flow.
  [[nodiscard]] Target* Find(const Match& match);
  [[nodiscard]] const Target* Find(const Match& match) const;
  void Add(const Flow& flow);
  // Returns the flows that may be programmed now because `flow` was the last outdated one.
  std::vector<FlowId> Remove(const Flow& flow);
  // An add of this flow has to wait.
  [[nodiscard]] bool Blocks(const Flow& flow);

 private:
  std::unordered_map<Match, Target> targets_;
};

}  // namespace dpuflow::flow
