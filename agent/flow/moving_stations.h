// SPDX-License-Identifier: Apache-2.0
//
// Stations on the move: those of whom an entry in hardware says that they send from a port, though they may have left it.
//
// A station that moves from one port to another, or whose port is no longer ours, has an entry at the old one that accepts its
// frames. Until the kernel has been asked about that entry, and, if it is no longer so, the hardware has acknowledged its
// removal, nothing new is added that speaks of the station: neither as the sender at its new port, nor as the receiver. So the
// same MAC is never accepted at two ports, and what waits is that station's alone; others are not held up by a slow removal.
//
// Pure; owned by the pipeline.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/flow/flow.h"

namespace dpuflow::flow {

class MovingStations {
 public:
  // The sender of this entry, which vouches for it, may not be there any more.
  void Doubt(const Flow& entry);
  // The same, and the entry is forgotten: it goes with all else at its port.
  void DoubtUntilReleased(const Flow& entry);
  // Nothing is left at the port. Returns the flows that may be programmed now.
  std::vector<FlowId> Release(std::uint32_t port);
  // This entry, if it was in doubt, is right, or gone, or could not be removed. Returns the flows that may be programmed now.
  std::vector<FlowId> Clear(const Flow& entry);
  // Whether an add of this flow has to wait; if so it is among those that Clear returns.
  [[nodiscard]] bool Blocks(const Flow& flow);

 private:
  struct Station {
    std::unordered_set<FlowId> doubted;       // entries
    std::unordered_set<std::uint32_t> ports;  // that are being released
    std::unordered_set<FlowId> waiting;
  };
  using Stations = std::unordered_map<MacAddress, Station>;
  // Forgets the station if nothing of it is in doubt any more; what has waited for that goes to `freed`.
  Stations::iterator Settle(Stations::iterator station, std::vector<FlowId>& freed);

  Stations stations_;
};

}  // namespace dpuflow::flow
