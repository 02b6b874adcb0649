// SPDX-License-Identifier: Apache-2.0
//
// Packets for which the entries of an earlier run may have been made.
//
// The kernel is asked about a packet (flow::Question), and an entry holds no more of it than its key. What is missing does not
// decide where the packet goes, or the key would have it; but there must be a source that may enter there, and for the key of
// a source a destination. Both are found among what stands and what the kernel knows: where packets to an address leave, packets
// from it may enter; so may those of a neighbour there. Where there is neither, nobody's address stands for the source.
//
// Pure.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "agent/flow/events.h"
#include "agent/kernel/mirror.h"
#include "agent/kernel/topology.h"
#include "agent/offload/comparison.h"

namespace dpuflow {

class EarlierPackets {
 public:
  // `standing`: the entries of all ports. References are not kept.
  EarlierPackets(std::span<const offload::Expected> standing, const kernel::Topology& topology,
                 const kernel::NeighMirror& neighs);

  // Nothing: there is none with which the kernel could be asked.
  [[nodiscard]] std::optional<flow::Miss> For(const flow::Match& match) const;

 private:
  struct Seen {
    MacAddress router;      // zero: nothing routes there
    MacAddress sender;      // of some packet that entered
    IpAddress source;       // none: nothing is known
    IpAddress destination;  // likewise
  };
  using Key = std::pair<flow::LaneId, std::uint16_t>;  // and ethertype

  void Note(const offload::Expected& entry);
  void NoteNeighbours(Seen& seen, std::uint16_t ethertype, std::uint32_t l3_ifindex, const kernel::NeighMirror& neighs);

  std::map<Key, Seen> seen_;
};

}  // namespace dpuflow
