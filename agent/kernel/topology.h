// SPDX-License-Identifier: Apache-2.0
//
// The interfaces that routing knows, the domains in which bridges switch, and the lanes that the switch knows: one map, for
// what enters and for what leaves.
//
//   routing (rtnetlink, bpf_fib_lookup)    bridge              switch (flower), classifier
//   c1pf0vf3                               -                   port c1pf0vf3, untagged
//   c1pf0vf3.100                           -                   port c1pf0vf3, VLAN 100
//   br0                                    br0                 untagged, at each port in br0
//   br0.9                                  br0                 VLAN 9, at each port in br0
//   -                                      br0                 any other VLAN, at each port in br0
//   br1.7                                  br1, VLAN 7         at each port in VLAN 7 of br1: tagged, untagged, or both
//
// A packet of a lane is routed as one that enters at its interface; a packet that routing sends to an interface leaves by its
// lane, or by the lane of that port of the bridge behind which its station is. br1 looks at VLANs; to br0 a tag is part of what
// it hands on, and the lane of any VLAN stands for all that mean nothing else. What has no lane (a VLAN device on another
// device, with another ethertype, or down) is the kernel's alone, as is what leaves a bridge by a VLAN device that maps
// priorities, and what a bridge shows to a device of its own whose frames somebody else takes (another bridge, ipvlan).
//
// Pure: made anew from links, bridge ports and the bridges' own addresses whenever one of them changes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/flow/events.h"
#include "agent/kernel/bridge_mirror.h"
#include "agent/kernel/mirror.h"

namespace dpuflow::kernel {

// Where frames are switched among each other: a VLAN of a bridge; 0 where it does not look at VLANs.
struct BridgeDomain {
  std::uint32_t bridge = 0;  // ifindex
  std::uint16_t vlan = 0;

  auto operator<=>(const BridgeDomain&) const = default;
};

struct L3Interface {
  std::uint32_t ifindex = 0;
  std::optional<flow::LaneId> lane;     // of a port, or of a VLAN device on one
  std::optional<BridgeDomain> domain;   // otherwise: of a bridge, or of a VLAN device on one
  std::uint16_t tag = flow::kUntagged;  // of its frames in the domain, where the bridge does not look at VLANs
  std::string name;
  MacAddress address;
  std::string vrf;                    // the VRF device that it is in; empty: none
  bool maps_egress_priority = false;  // its tags have priorities, by a map of the user's

  bool operator==(const L3Interface&) const = default;
};

// A lane, with all that is above it. With nothing above it, its packets are the kernel's: a device takes them that neither
// routes nor bridges anything that hardware could.
struct LaneView {
  flow::LaneId id;
  std::optional<L3Interface> interface;  // at which packets to its MAC enter; none: they are bridged or nothing
  std::optional<BridgeDomain> domain;    // in which they are bridged
  std::uint32_t bridge_port = 0;  // ifindex of the port of the bridge: the port of the switch, or a VLAN device on it
  std::string taken_by{};         // that device, where nothing is above the lane

  // The tag that a frame of this lane with this VLAN id has where the bridge sees it, and hands it on.
  [[nodiscard]] std::uint16_t TagInside(std::uint16_t vlan) const {
    return domain && domain->vlan == 0 && bridge_port == id.port ? vlan : flow::kUntagged;
  }
  [[nodiscard]] bool leads_nowhere() const { return !interface && !domain; }
  bool operator==(const LaneView&) const = default;
};

class Topology {
 public:
  Topology() = default;
  // `ports`: ifindexes of the ports of the switch.
  Topology(const std::vector<std::uint32_t>& ports, const LinkMirror& links, const BridgeMirror& bridges);

  // That of any VLAN, if it is none of its own; null: none.
  [[nodiscard]] const LaneView* Find(const flow::LaneId& lane) const;
  [[nodiscard]] const L3Interface* At(const flow::LaneId& lane) const;
  [[nodiscard]] const L3Interface* Find(std::uint32_t ifindex) const;
  // The lane by which frames of a domain leave at a port of the bridge; nothing where they do not, or where it is no port
  // of the switch.
  [[nodiscard]] std::optional<flow::LaneId> LeavesBy(std::uint32_t bridge_port, const BridgeDomain& domain) const;
  // Whether frames of a domain leave with a tag anywhere.
  [[nodiscard]] bool TagsIn(const BridgeDomain& domain) const;
  // The lanes of one port, by VLAN id; that of any VLAN and the untagged last.
  [[nodiscard]] std::vector<LaneView> OnPort(std::uint32_t port) const;
  [[nodiscard]] const std::map<std::uint32_t, L3Interface>& interfaces() const { return interfaces_; }

  bool operator==(const Topology&) const = default;

 private:
  void AddRouted(const netlink::Link& link, const flow::LaneId& lane, const LinkMirror& links);
  void AddBridged(const netlink::BridgePort& port, const netlink::Link& link, const netlink::Link& bridge,
                  const flow::LaneId& lane, const BridgeMirror& bridges);
  void AddBridgeInterfaces(const LinkMirror& links, const BridgeMirror& bridges);
  void AddTagged(const BridgeDomain& domain, std::uint16_t tag);
  [[nodiscard]] std::string TakerOf(const netlink::Link& link, const LinkMirror& links) const;
  void Withdraw(const BridgeDomain& domain, std::uint16_t tag, const std::string& taken_by);
  void Withdraw(std::uint32_t bridge, const std::string& taken_by);

  // ifindexes -> the device on it that takes frames which routing would get (Link::taps_lower)
  std::map<std::uint32_t, std::string> tapped_;
  std::map<flow::LaneId, LaneView> lanes_;
  std::map<std::uint32_t, L3Interface> interfaces_;
  std::map<std::pair<std::uint32_t, BridgeDomain>, flow::LaneId> ways_out_;  // of bridge ports
};

}  // namespace dpuflow::kernel
