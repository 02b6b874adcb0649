// SPDX-License-Identifier: Apache-2.0
//
// The kernel's small tables as they are mirrored, together: what the watcher reads goes in, what that means comes out.
//
// Pure; lives on the loop.
#pragma once

#include <optional>
#include <string>

#include "agent/kernel/bridge_mirror.h"
#include "agent/kernel/forward_path.h"
#include "agent/kernel/mirror.h"
#include "agent/kernel/watcher.h"

namespace dpuflow::kernel {

// What an event means.
struct News {
  Changes changes;            // of what flows rest on
  bool ports = false;         // which ports there are, or what is above them, may have changed
  bool martians = false;      // likewise which sources no packet from outside may have
  bool rules = false;         // which fields of a packet routing looks at
  bool forward_path = false;  // what else stands in the way of forwarded packets
  bool devlink = false;
  // In words: how a table that was read as a whole differs from what was mirrored of it. Empty: it does not.
  std::string difference{};
};

struct Tables {
  LinkMirror links;
  AddressMirror addresses;
  NeighMirror neighs;
  NexthopMirror nexthops;
  RuleMirror rules;
  SpecialRouteMirror special_routes;
  BridgeMirror bridges;
  ForwardPath forward_path;
  std::optional<DevlinkState> devlink;  // nothing: not read yet
  bool links_read = false;              // all of them, once

  // Remarks of the watcher about its own work (Barrier, TablesRead, Overflow, Trouble) mean nothing here.
  News Apply(KernelEvent event, flow::TimePoint now);

  // The VRF that an interface is in, or is itself; 0: the default one.
  [[nodiscard]] std::uint32_t VrfOf(std::uint32_t ifindex) const;
  // Sources that no packet may have which routing sees enter at this interface.
  [[nodiscard]] std::vector<IpPrefix> MartiansAt(std::uint32_t l3_ifindex) const;
};

}  // namespace dpuflow::kernel
