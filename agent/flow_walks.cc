// SPDX-License-Identifier: Apache-2.0
#include "agent/flow_walks.h"

#include <utility>

namespace dpuflow {

void FlowWalks::Advance(std::size_t most) {
  std::size_t seen = 0;
  while (!walks_.empty() && seen < most) {
    UnderWay& walk = walks_.front();
    if (walk.position == 0 || walk.places != flows_.places()) {
      walk.walk.begin();
      walk.position = 0;
      walk.places = flows_.places();
    }
    walk.position = flows_.GoThrough(walk.position, most - seen, [&](const flow::Flow& flow) {
      walk.walk.each(flow);
      ++seen;
    });
    if (walk.position != 0) return;
    const auto done = std::move(walk.walk.done);
    walks_.pop_front();  // `done` may add another
    done();
  }
}

}  // namespace dpuflow
