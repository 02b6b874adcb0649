// SPDX-License-Identifier: Apache-2.0
//
// What the pipeline is told of a port of the switch: which of its packets are routed or bridged, and in which form entries
// stand there.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/flow/rule.h"
#include "netlink/address.h"

namespace dpuflow::flow {

// What the pipeline knows of a lane: of the packets of a port with one VLAN id, or with none.
struct Lane {
  std::uint16_t vlan = kUntagged;
  bool bridged = false;   // frames to other MACs are a bridge's
  bool routed = false;    // routing sees packets of this lane
  MacAddress router_mac;  // of the interface at which it does: frames to it are to be routed
  // Entries that say who may send carry the source address: those of IPv4 where the kernel checks it (rp_filter), all where
  // the configuration has a list of sources.
  bool checks_sources = false;
  bool lists_sources = false;
  // Sources that no packet from here may have: the machine's own addresses, loopback, multicast. One guard each.
  std::vector<IpPrefix> martians{};

  [[nodiscard]] bool Routes(const MacAddress& destination) const { return routed && destination == router_mac; }
  [[nodiscard]] bool ChecksSource(std::uint16_t ethertype) const {
    return lists_sources || (checks_sources && ethertype == kEthertypeIpv4);
  }
  bool operator==(const Lane&) const = default;
};

// ... and of a port of the switch that takes part.
struct Port {
  std::uint32_t ifindex = 0;
  Form form = Form::kChained;
  bool ipv6 = false;          // the machine forwards IPv6
  bool offload = true;        // off: the hardware is kept empty, guards included
  std::vector<Lane> lanes{};  // those that routing knows, each once; other packets stay in software

  [[nodiscard]] const Lane* Find(std::uint16_t vlan) const;  // or that of any VLAN; null: there is none
  bool operator==(const Port&) const = default;
};

}  // namespace dpuflow::flow
