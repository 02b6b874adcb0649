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

#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/flow/flow_table.h"

namespace dpuflow::flow {

// The key of a packet's L3 flow where the path depends on `fields`.
[[nodiscard]] Match KeyOf(const Miss& miss, Fields fields);
// The routed match with the destination alone: what names a target.
[[nodiscard]] Match TargetOf(const Match& match);

// What is kept only where a target has more than the one flow whose key is the destination alone. (A key of the flat table
// always has MAC addresses as well.)
struct Target {
  Fields fields = 0;
  std::unordered_set<FlowId> flows;
  std::unordered_set<FlowId> outdated;  // some of `flows`, on their way out
};

class Targets {
 public:
  explicit Targets(const FlowTable& table) : table_(table) {}

  // The fields that keys of this target have; nothing: it has no flow.
  [[nodiscard]] std::optional<Fields> FieldsAt(const Match& match) const;
  void SetFields(const Match& match, Fields fields);
  // All of the target, to be changed. Valid until one of its flows is removed.
  [[nodiscard]] Target& Open(const Match& match);
  // A flow that is in the table; the other for one that is about to leave it.
  void Add(const Flow& flow);
  // Returns the flows that may be programmed now because `flow` was the last outdated one.
  std::vector<FlowId> Remove(const Flow& flow);
  // An add of this flow has to wait.
  [[nodiscard]] bool Blocks(const Flow& flow) const;

 private:
  // The flow of the destination alone; null: there is none.
  [[nodiscard]] const Flow* Wide(const Match& match) const { return table_.Find(TargetOf(match)); }

  const FlowTable& table_;
  std::unordered_map<Match, Target> targets_;
};

}  // namespace dpuflow::flow
