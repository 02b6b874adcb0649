// SPDX-License-Identifier: Apache-2.0
//
// What rtnetlink tells, as plain values: links, addresses, neighbours, routes, qdiscs. The parsers
// that make them from kernel bytes, and the encoders that make requests of them, are in rtnl.h;
// nothing here touches a byte.
//
// `ifindex` is always the kernel's (> 0; 0 means none). Kernel constants (IFF_*, NUD_*, RTN_*,
// RT_TABLE_*) stay the kernel's, from <linux/if.h>, <linux/neighbour.h>, <linux/rtnetlink.h>.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netlink/address.h"

namespace dpuflow::netlink {

// A notification or a line of a dump: `value` is there (added or changed), or it is gone.
template <typename T>
struct Event {
  T value{};
  bool removed = false;

  bool operator==(const Event&) const = default;
};

// What makes a link of kind "vlan" one. IFLA_INFO_DATA.
struct VlanInfo {
  std::uint16_t id = 0;               // IFLA_VLAN_ID
  std::uint16_t protocol = 0;         // IFLA_VLAN_PROTOCOL, host byte order: 0x8100, 0x88a8
  bool maps_egress_priority = false;  // IFLA_VLAN_EGRESS_QOS: its tags have priorities, by a map

  bool operator==(const VlanInfo&) const = default;
};

// What a link of kind "bridge" says of itself. IFLA_INFO_DATA.
struct BridgeInfo {
  bool filters_vlans = false;     // IFLA_BR_VLAN_FILTERING
  std::uint16_t protocol = 0;     // IFLA_BR_VLAN_PROTOCOL, host byte order
  std::uint32_t ageing_time = 0;  // IFLA_BR_AGEING_TIME, in 1/100 s: stations that are silent for so long are forgotten

  bool operator==(const BridgeInfo&) const = default;
};

// `ip -d link show`. RTM_NEWLINK.
struct Link {
  std::uint32_t ifindex = 0;
  std::string name{};
  std::uint32_t flags = 0;   // IFF_UP, IFF_LOWER_UP, ...
  std::uint16_t arphrd = 0;  // ARPHRD_ETHER, ...
  std::uint32_t mtu = 0;     // bytes, L3
  MacAddress address{};
  std::uint32_t master = 0;  // IFLA_MASTER: the bridge, bond, VRF, ... it is in
  std::uint32_t lower = 0;   // IFLA_LINK: what a VLAN or macvlan stands on
  std::optional<VlanInfo> vlan{};
  std::optional<BridgeInfo> bridge{};
  // Of `lower` it takes frames that are not to a MAC of its own alone: ipvlan and ipvtap, macvlan and macvtap in the modes
  // passthru and source.
  bool taps_lower = false;
  std::string kind{};            // IFLA_INFO_KIND: "bridge", "bond", "vlan", ...; empty for a NIC
  std::string slave_kind{};      // IFLA_INFO_SLAVE_KIND: the kind of its master
  std::string switch_id{};       // IFLA_PHYS_SWITCH_ID, lower-case hex; empty where there is none
  std::string phys_port_name{};  // IFLA_PHYS_PORT_NAME: "p0", "c1pf0vf3"

  bool operator==(const Link&) const = default;
  [[nodiscard]] bool is_up() const { return (flags & 0x1) != 0; }            // IFF_UP
  [[nodiscard]] bool has_carrier() const { return (flags & 0x10000) != 0; }  // IFF_LOWER_UP
};

// `ip address show`. RTM_NEWADDR.
struct Address {
  std::uint32_t ifindex = 0;
  IpAddress local{};
  std::uint8_t prefix_length = 0;
  std::uint8_t scope = 0;   // RT_SCOPE_*
  std::uint32_t flags = 0;  // IFA_F_*

  bool operator==(const Address&) const = default;
};

// `ip neigh show`. RTM_NEWNEIGH of AF_INET and AF_INET6.
struct Neigh {
  std::uint32_t ifindex = 0;
  IpAddress address{};
  MacAddress lladdr{};
  std::uint16_t state = 0;      // NUD_*
  std::uint8_t flags = 0;       // NTF_*
  std::uint32_t flags_ext = 0;  // NTF_EXT_*

  bool operator==(const Neigh&) const = default;
};

// One way out of a route.
struct NextHop {
  std::uint32_t ifindex = 0;
  IpAddress gateway{};        // RTA_GATEWAY or RTA_VIA (then possibly of the other family); none when on-link
  std::uint8_t flags = 0;     // RTNH_F_DEAD, RTNH_F_LINKDOWN, ...
  std::uint16_t weight = 1;   // rtnh_hops + 1
  bool encapsulated = false;  // RTA_ENCAP is there: an lwtunnel (MPLS, seg6, ...)

  bool operator==(const NextHop&) const = default;
};

// `ip route show`, and the answer of `ip route get`. RTM_NEWROUTE.
struct Route {
  IpPrefix destination{};   // 0.0.0.0/0 or ::/0 for a default route
  std::uint32_t table = 0;  // RT_TABLE_MAIN = 254, ...
  std::uint8_t type = 0;    // RTN_UNICAST, RTN_LOCAL, RTN_BLACKHOLE, ...
  std::uint8_t protocol = 0;
  std::uint8_t scope = 0;
  std::uint8_t tos = 0;
  std::uint32_t flags = 0;          // RTM_F_CLONED, RTNH_F_*
  std::uint32_t metric = 0;         // RTA_PRIORITY
  std::uint32_t nexthop_id = 0;     // RTA_NH_ID; 0 where the route has none
  std::uint32_t mtu = 0;            // RTAX_MTU; 0 where the route sets none
  std::vector<NextHop> nexthops{};  // one, or the members of RTA_MULTIPATH; empty for blackhole and its like

  bool operator==(const Route&) const = default;
};

// `ip route get DESTINATION from SOURCE iif IFINDEX ...`: the kernel's decision about one packet.
struct RouteQuery {
  IpAddress destination{};
  IpAddress source{};            // none: left out
  std::uint32_t iif = 0;         // L3 ingress interface; 0: a packet of the machine's own
  std::uint8_t ip_protocol = 0;  // IPPROTO_TCP, UDP, ICMP, ICMPV6 only; 0: left out
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint8_t tos = 0;
  // RTM_F_FIB_MATCH: the answer is the route that matched (prefix, table, nexthop id, all paths),
  // not the path taken.
  bool fib_match = false;

  bool operator==(const RouteQuery&) const = default;
};

// `ip nexthop show`. RTM_NEWNEXTHOP.
struct NexthopObject {
  std::uint32_t id = 0;
  std::uint32_t ifindex = 0;
  IpAddress gateway{};
  bool blackhole = false;
  bool encapsulated = false;           // an lwtunnel
  std::vector<std::uint32_t> group{};  // member ids; empty for a single next hop
  bool resilient = false;              // a group of `type resilient`: members are chosen by buckets
  // ... of which one that has not been used for this time may be moved to another member
  std::chrono::milliseconds idle_timer{};

  bool operator==(const NexthopObject&) const = default;
};

// A bucket of a resilient group, as `ip nexthop bucket show` has it. RTM_NEWNEXTHOPBUCKET.
struct NexthopBucket {
  std::uint32_t group = 0;    // its id
  std::uint16_t index = 0;    // from 0
  std::uint32_t nexthop = 0;  // id of the member that it leads to

  bool operator==(const NexthopBucket&) const = default;
};

// `ip rule show`. RTM_NEWRULE. Enough to tell what of a packet a rule looks at (fib_rule_match in net/core/fib_rules.c);
// values of ports and users are not kept.
struct Rule {
  Family family = Family::kNone;
  std::uint32_t priority = 0;
  std::uint32_t table = 0;
  std::uint8_t action = 0;  // FR_ACT_TO_TBL, FR_ACT_GOTO, FR_ACT_BLACKHOLE, ...
  bool inverted = false;    // `ip rule add not ...`
  IpPrefix source{};        // none: any
  IpPrefix destination{};
  std::string iif{};
  std::string oif{};
  std::uint32_t mark = 0;
  std::uint32_t mark_mask = 0;  // 0: the mark is not looked at
  std::uint8_t tos = 0;
  std::uint8_t ip_protocol = 0;
  bool looks_at_source_port = false;
  bool looks_at_destination_port = false;
  bool l3mdev = false;
  // A selector that no packet shows (user, tunnel id) or that this parser does not know.
  bool obscure = false;

  bool operator==(const Rule&) const = default;
};

// `tc qdisc show`. RTM_NEWQDISC.
struct Qdisc {
  std::uint32_t ifindex = 0;
  std::uint32_t handle = 0;
  std::uint32_t parent = 0;         // TC_H_CLSACT for clsact and ingress (they share it)
  std::string kind{};               // "clsact", "ingress", ...
  std::uint32_t ingress_block = 0;  // TCA_INGRESS_BLOCK: shared with other ports; 0 when private

  bool operator==(const Qdisc&) const = default;
};

// `devlink dev eswitch show` and `devlink port show`.
enum class EswitchMode : std::uint8_t { kUnknown, kLegacy, kSwitchdev };
enum class PortFlavour : std::uint8_t { kOther, kPhysical, kPciPf, kPciVf, kPciSf };

struct DevlinkHandle {
  std::string bus{};     // "pci"
  std::string device{};  // "0000:03:00.0"

  auto operator<=>(const DevlinkHandle&) const = default;
};
std::string ToString(const DevlinkHandle& handle);  // "pci/0000:03:00.0"

struct DevlinkPort {
  DevlinkHandle handle{};
  std::uint32_t index = 0;  // within the devlink instance
  PortFlavour flavour = PortFlavour::kOther;
  std::uint32_t ifindex = 0;  // the netdev that represents it; 0 while there is none
  std::string ifname{};
  std::uint32_t port_number = 0;  // physical
  std::uint32_t controller = 0;   // pf, vf, sf
  std::uint16_t pf = 0;           // pf, vf, sf
  std::uint32_t vf_or_sf = 0;     // vf, sf
  bool external = false;          // the function lives on another machine: the host

  bool operator==(const DevlinkPort&) const = default;
};

}  // namespace dpuflow::netlink
