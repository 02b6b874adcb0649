// SPDX-License-Identifier: Apache-2.0
//
// The interfaces that routing knows, and the lanes that the switch knows: one map, for what enters and for what leaves.
//
//   routing (rtnetlink, bpf_fib_lookup)    switch (flower), classifier
//   c1pf0vf3                               port c1pf0vf3, untagged
//   c1pf0vf3.100                           port c1pf0vf3, VLAN 100
//
// A packet of a lane is routed as one that enters at its interface; a packet that routing sends to an interface leaves by
// its lane. What has no lane (a VLAN device on another device, with another ethertype, or down) is the kernel's alone.
//
// Pure: made anew from the links whenever one of them changes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/flow/events.h"
#include "agent/kernel/mirror.h"

namespace dpuflow::kernel {

struct L3Interface {
  std::uint32_t ifindex = 0;
  flow::LaneId lane;
  std::string name;
  MacAddress address;
  std::string vrf;                    // the VRF device that it is in; empty: none
  bool maps_egress_priority = false;  // its tags have priorities, by a map of the user's

  bool operator==(const L3Interface&) const = default;
};

class Topology {
 public:
  Topology() = default;
  // `ports`: ifindexes of the ports of the switch.
  Topology(const std::vector<std::uint32_t>& ports, const LinkMirror& links);

  // Null: none.
  [[nodiscard]] const L3Interface* At(const flow::LaneId& lane) const;
  [[nodiscard]] const L3Interface* Find(std::uint32_t ifindex) const;
  // Those of one port, the untagged first.
  [[nodiscard]] std::vector<L3Interface> OnPort(std::uint32_t port) const;
  [[nodiscard]] const std::map<flow::LaneId, L3Interface>& all() const { return by_lane_; }

  bool operator==(const Topology&) const = default;

 private:
  void Add(const netlink::Link& link, const flow::LaneId& lane, const LinkMirror& links);

  std::map<flow::LaneId, L3Interface> by_lane_;
  std::map<std::uint32_t, flow::LaneId> by_ifindex_;
};

}  // namespace dpuflow::kernel
