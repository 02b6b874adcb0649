// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/moving_stations.h"

#include <array>
#include <iterator>

namespace dpuflow::flow {

void MovingStations::Doubt(const Flow& entry) { stations_[entry.match().source_mac].doubted.insert(entry.id); }

void MovingStations::DoubtUntilReleased(const Flow& entry) {
  stations_[entry.match().source_mac].ports.insert(entry.port());
}

std::vector<FlowId> MovingStations::Clear(const Flow& entry) {
  std::vector<FlowId> freed;
  if (stations_.empty()) return freed;
  const auto found = stations_.find(entry.match().source_mac);
  if (found == stations_.end()) return freed;
  found->second.doubted.erase(entry.id);
  Settle(found, freed);
  return freed;
}

std::vector<FlowId> MovingStations::Release(std::uint32_t port) {
  std::vector<FlowId> freed;
  for (auto station = stations_.begin(); station != stations_.end();) {
    station->second.ports.erase(port);
    station = Settle(station, freed);
  }
  return freed;
}

MovingStations::Stations::iterator MovingStations::Settle(Stations::iterator station, std::vector<FlowId>& freed) {
  if (!station->second.doubted.empty() || !station->second.ports.empty()) return std::next(station);
  freed.insert(freed.end(), station->second.waiting.begin(), station->second.waiting.end());
  return stations_.erase(station);
}

bool MovingStations::Blocks(const Flow& flow) {
  if (stations_.empty()) return false;
  const auto* routed = flow.wanted ? std::get_if<RouteTo>(&*flow.wanted) : nullptr;
  const Match match = flow.match();
  const std::array<MacAddress, 3> spoken_of = {match.source_mac, match.destination_mac,
                                               routed != nullptr ? routed->adjacency.destination : MacAddress{}};
  for (const MacAddress& mac : spoken_of) {
    const auto found = stations_.find(mac);
    if (found == stations_.end() || found->second.doubted.contains(flow.id)) continue;
    found->second.waiting.insert(flow.id);
    return true;
  }
  return false;
}

}  // namespace dpuflow::flow
