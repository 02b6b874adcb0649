// SPDX-License-Identifier: Apache-2.0
//
// The kernel's bridges, mirrored: their ports with flags and VLANs, and which station is behind which port.
//
// Pure, as mirror.h: takes what the watcher reads, keeps it, and says what it means for flows.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "agent/kernel/mirror.h"
#include "netlink/bridge.h"

namespace dpuflow::kernel {

class BridgeMirror {
 public:
  // A port that changed is a LinkChanged, a station that came, moved or went a StationChanged.
  Changes Apply(const netlink::Event<netlink::BridgePort>& event);
  Changes Apply(const netlink::Event<netlink::FdbEntry>& event, flow::TimePoint now = {});
  Changes Reset(const std::vector<netlink::BridgePort>& all);
  Changes Reset(const std::vector<netlink::FdbEntry>& all, flow::TimePoint now = {});
  Changes Reset(const std::vector<netlink::VlanHalt>& all);
  // A link is gone. If it was a bridge, so are its stations and itself as a member of VLANs, of which the kernel says nothing
  // (br_dev_delete).
  Changes Forget(std::uint32_t ifindex);

  // Of a port, or of a bridge itself. Null: it is none.
  [[nodiscard]] const netlink::BridgePort* Port(std::uint32_t ifindex) const;
  // Frames of the VLAN neither enter nor leave there, though the port is in it.
  [[nodiscard]] bool IsHalted(std::uint32_t ifindex, std::uint16_t vlan) const {
    return halted_.contains({ifindex, vlan});
  }
  // Null: unknown, and frames to it are flooded.
  [[nodiscard]] const netlink::FdbEntry* Find(const flow::StationKey& station) const;
  // The entry, if the bridge may be told that the station has sent at time `seen` (AppendFdbUse): it is one that was learned,
  // and nothing has been heard of it since, so that it is still where it was then. Else null.
  [[nodiscard]] const netlink::FdbEntry* Refreshable(const flow::StationKey& station, flow::TimePoint seen) const;

 private:
  std::map<std::uint32_t, netlink::BridgePort> ports_;
  std::set<std::pair<std::uint32_t, std::uint16_t>> halted_;  // ports and VLANs
  std::map<flow::StationKey, netlink::FdbEntry> stations_;
  std::map<flow::StationKey, flow::TimePoint> changed_;  // when a station was last heard of
};

}  // namespace dpuflow::kernel
