// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/moving_stations.h"

#include <array>

namespace dpuflow::flow {

void MovingStations::Doubt(const Flow& entry) { stations_[entry.match.source_mac].doubted.insert(entry.id); }

std::vector<FlowId> MovingStations::Clear(const Flow& entry) {
  const auto found = stations_.find(entry.match.source_mac);
  if (found == stations_.end()) return {};
  Station& station = found->second;
  station.doubted.erase(entry.id);
  if (!station.doubted.empty()) return {};
  const std::vector<FlowId> freed(station.waiting.begin(), station.waiting.end());
  stations_.erase(found);
  return freed;
}

bool MovingStations::Blocks(const Flow& flow) {
  if (stations_.empty()) return false;
  const auto* routed = flow.wanted ? std::get_if<RouteTo>(&flow.wanted->action) : nullptr;
  const std::array<MacAddress, 3> spoken_of = {flow.match.source_mac, flow.match.destination_mac,
                                               routed != nullptr ? routed->adjacency.destination : MacAddress{}};
  for (const MacAddress& mac : spoken_of) {
    const auto found = stations_.find(mac);
    if (found == stations_.end() || found->second.doubted.contains(flow.id)) continue;
    found->second.waiting.insert(flow.id);
    return true;
  }
  return false;
}

bool MovingStations::Doubts(const Flow& entry) const {
  const auto found = stations_.find(entry.match.source_mac);
  return found != stations_.end() && found->second.doubted.contains(entry.id);
}

}  // namespace dpuflow::flow
