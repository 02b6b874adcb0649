// SPDX-License-Identifier: Apache-2.0
//
// Looking at all flows without holding the loop up: there may be a hundred thousand, so it is done in slices, a turn each.
// Flows that come or go meanwhile are seen or not.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>

#include "agent/flow/flow_table.h"

namespace dpuflow {

struct FlowWalk {
  std::function<void()> begin;  // also where it has to begin again; what was seen before does not count
  std::function<void(const flow::Flow&)> each;
  std::function<void()> done;
};

class FlowWalks {
 public:
  explicit FlowWalks(const flow::FlowTable& flows) : flows_(flows) {}

  // One after the other, in the order in which they come.
  void Add(FlowWalk walk) { walks_.push_back({std::move(walk)}); }
  // Looks at so many flows, or a few more.
  void Advance(std::size_t most);
  [[nodiscard]] bool empty() const { return walks_.empty(); }

 private:
  struct UnderWay {
    FlowWalk walk;
    std::size_t position = 0;
    std::size_t places = 0;  // FlowTable::places, when it began
  };

  const flow::FlowTable& flows_;
  std::deque<UnderWay> walks_;
};

}  // namespace dpuflow
