// SPDX-License-Identifier: Apache-2.0
//
// What the kernel's bridge tells: its ports with their flags and VLANs, and its forwarding database.
//
// rtnetlink with AF_BRIDGE, whose requests and notifications share message types and groups with links and neighbours
// (rtnl.h). Sources: net/bridge/br_netlink.c, br_fdb.c; bridge(8).
#pragma once

#include <cstdint>
#include <vector>

#include "netlink/message.h"
#include "netlink/values.h"

namespace dpuflow::netlink {

// `bridge vlan show`. IFLA_BRIDGE_VLAN_INFO.
struct BridgeVlan {
  std::uint16_t id = 0;
  bool pvid = false;      // untagged frames that enter here are of this VLAN
  bool untagged = false;  // frames of this VLAN leave here without a tag

  bool operator==(const BridgeVlan&) const = default;
};

// `bridge -d link show`. A port of a bridge, or the bridge itself, which is a member of VLANs like a port.
struct BridgePort {
  std::uint32_t ifindex = 0;
  std::uint32_t bridge = 0;  // IFLA_MASTER; equal to `ifindex`: this is the bridge itself
  std::uint8_t state = 0;    // BR_STATE_*; of the bridge itself 0
  bool hairpin = false;
  bool learning = true;
  bool isolated = false;
  bool locked = false;
  std::vector<BridgeVlan> vlans{};  // ascending

  bool operator==(const BridgePort&) const = default;
};

// VLANs of a port, from `first` to `last`, that do not forward there: `bridge -d vlan show`, a state that is not forwarding.
struct VlanHalt {
  std::uint32_t ifindex = 0;  // of the port, or of the bridge itself
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool operator==(const VlanHalt&) const = default;
};

// `bridge fdb show`: behind which port a station is.
struct FdbEntry {
  // The port; with `local` the bridge, for the kernel moves those to another port with the same MAC, or back, without a word
  // (net/bridge/br_fdb.c, fdb_delete_local).
  std::uint32_t ifindex = 0;
  std::uint32_t bridge = 0;  // NDA_MASTER
  MacAddress mac{};
  std::uint16_t vlan = 0;  // NDA_VLAN; 0: the bridge does not look at VLANs
  bool local = false;      // an address of the bridge's or of one of its ports: frames go up
  bool learned = false;    // from frames, and to be forgotten when there are none for the bridge's ageing time
  bool locked = false;  // NTF_EXT_LOCKED (6.2): it was heard at a locked port that lets nobody in yet (bridge(8), mab)

  bool operator==(const FdbEntry&) const = default;
};

// RTM_GETLINK of AF_BRIDGE; RTM_NEWLINK, RTM_DELLINK in the group RTNLGRP_LINK.
void AppendBridgePortDump(MessageBuffer& buffer, std::uint32_t seq);
// EAFNOSUPPORT for what is no port of the kernel's bridge (a NIC's own switch answers the same dump).
Result<Event<BridgePort>> ParseBridgePort(const nlmsghdr& message);

// RTM_GETVLAN, RTM_NEWVLAN; notified of in RTNLGRP_BRVLAN. Linux 5.8; EOPNOTSUPP where there are no bridges at all.
void AppendVlanDump(MessageBuffer& buffer, std::uint32_t seq);
Result<std::vector<VlanHalt>> ParseVlanHalts(const nlmsghdr& message);  // those of one port

// RTM_GETNEIGH of AF_BRIDGE; RTM_NEWNEIGH, RTM_DELNEIGH in the group RTNLGRP_NEIGH.
void AppendFdbDump(MessageBuffer& buffer, std::uint32_t seq);
// EAFNOSUPPORT for what a device filters for itself (`self`) and no bridge forwards by.
Result<Event<FdbEntry>> ParseFdbEntry(const nlmsghdr& message);

// bridge fdb replace MAC dev IFINDEX master use [vlan VLAN]: as if a frame had come from the station at this port, so that
// it is not forgotten. Whoever says so about a station that has moved moves it back; one that is not there is made. VLAN 0
// says it of all VLANs of the port.
void AppendFdbUse(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, const MacAddress& mac,
                  std::uint16_t vlan);

}  // namespace dpuflow::netlink
