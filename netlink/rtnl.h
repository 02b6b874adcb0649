// SPDX-License-Identifier: Apache-2.0
//
// rtnetlink's messages to and from the values of values.h. Pure functions over bytes; a Socket
// carries them.
//
// Parsers: take a message of a dump, an answer or a notification. RTM_DEL* gives `removed`. Errors:
//   EBADMSG       truncated or impossible content;
//   EINVAL        a message of another kind (RTM_NEWADDR given to ParseLink);
//   EAFNOSUPPORT  the right kind but for another family: to be passed over. RTNLGRP_LINK carries messages of AF_BRIDGE
//                 whose RTM_DELLINK says that a port left its bridge, not that the link is gone; RTNLGRP_NEIGH carries
//                 the bridge's FDB. Nothing of that kind reaches a value by mistake.
// Attributes that a value has no field for are passed over: these are mirrors, not copies.
//
// Dump requests: `family` AF_UNSPEC means IPv4 and IPv6. They are exact enough for
// NETLINK_GET_STRICT_CHK.
#pragma once

#include <linux/netlink.h>

#include <cstdint>

#include "netlink/error.h"
#include "netlink/message.h"
#include "netlink/values.h"

namespace dpuflow::netlink {

// ip link show. RTM_NEWLINK, RTM_DELLINK; groups RTNLGRP_LINK.
void AppendLinkDump(MessageBuffer& buffer, std::uint32_t seq);
void AppendLinkQuery(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex);  // for Ask
Result<Event<Link>> ParseLink(const nlmsghdr& message);

// ip address show. RTM_NEWADDR, RTM_DELADDR; groups RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR.
void AppendAddressDump(MessageBuffer& buffer, std::uint32_t seq, Family family = Family::kNone);
Result<Event<Address>> ParseAddress(const nlmsghdr& message);

// ip neigh show. RTM_NEWNEIGH, RTM_DELNEIGH; group RTNLGRP_NEIGH.
void AppendNeighDump(MessageBuffer& buffer, std::uint32_t seq, Family family = Family::kNone);
Result<Event<Neigh>> ParseNeigh(const nlmsghdr& message);
// ip neigh get ADDRESS dev IFINDEX (Linux 5.0); for Ask. ENOENT: there is none.
void AppendNeighQuery(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, const IpAddress& address);
// ip neigh change ADDRESS dev IFINDEX use: as if a packet were sent to it. A STALE neighbour is then probed, after
// delay_first_probe_time: DELAY, PROBE, and REACHABLE or FAILED. ENOENT where there is none: it is not made. It is an
// administrator's word as well, and takes NUD_PERMANENT, NTF_EXT_LEARNED and NTF_EXT_MANAGED from a neighbour that has them.
void AppendNeighUse(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, const IpAddress& address);

// ip route show [table TABLE] [dev IFINDEX]; 0: any. The kernel filters only on a strict_check
// socket; without, all routes come. RTM_NEWROUTE, RTM_DELROUTE; groups RTNLGRP_IPV4_ROUTE,
// RTNLGRP_IPV6_ROUTE.
struct RouteDump {
  Family family = Family::kNone;
  std::uint32_t table = 0;
  std::uint32_t ifindex = 0;
};
void AppendRouteDump(MessageBuffer& buffer, std::uint32_t seq, const RouteDump& which = {});
Result<Event<Route>> ParseRoute(const nlmsghdr& message);

// ip route get. The answer, an RTM_NEWROUTE, goes through ParseRoute: with fib_match the route that
// matched (prefix, table, nexthop id, all paths), else the path taken (one next hop; the
// destination as /32 or /128). A refusal comes as the request's error: EINVAL (blackhole or
// martian), ENETUNREACH, EHOSTUNREACH, EACCES (prohibit), EXDEV (rp_filter), EAGAIN (throw).
void AppendRouteQuery(MessageBuffer& buffer, std::uint32_t seq, const RouteQuery& query);

// ip nexthop show. RTM_NEWNEXTHOP, RTM_DELNEXTHOP; group RTNLGRP_NEXTHOP.
void AppendNexthopDump(MessageBuffer& buffer, std::uint32_t seq);
Result<Event<NexthopObject>> ParseNexthop(const nlmsghdr& message);
// ip monitor nexthop: RTM_NEWNEXTHOPBUCKET, in the same group (Linux 5.13). A bucket of a resilient group has moved to
// another member because it was idle, or because the group was unbalanced for too long (nh_res_table_upkeep_dw in
// net/ipv4/nexthop.c; rtnl is not held). What moves while the group is being changed is not announced bucket by bucket, only
// the change is, as RTM_NEWNEXTHOP of the group; and a change because a link went down is not announced at all.
Result<NexthopBucket> ParseNexthopBucket(const nlmsghdr& message);

// ip rule show. RTM_NEWRULE, RTM_DELRULE; groups RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE.
void AppendRuleDump(MessageBuffer& buffer, std::uint32_t seq, Family family = Family::kNone);
Result<Event<Rule>> ParseRule(const nlmsghdr& message);

// tc qdisc show. RTM_NEWQDISC, RTM_DELQDISC; group RTNLGRP_TC. The kernel cannot filter this dump
// by device: all come.
void AppendQdiscDump(MessageBuffer& buffer, std::uint32_t seq);
Result<Event<Qdisc>> ParseQdisc(const nlmsghdr& message);
// tc qdisc add dev IFINDEX clsact. EEXIST where there is one ("Exclusivity flag on"), also over a
// plain `ingress`.
void AppendClsactAdd(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex);
// tc qdisc del dev IFINDEX clsact. All its filters go too, without notification of each. EINVAL
// when the qdisc there is of another kind: a plain `ingress` is never deleted by this.
void AppendClsactDelete(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex);

// tc chain add dev IFINDEX ingress chain CHAIN, without a template: a chain (28 bits) that stays without filters, and of which no driver
// hears. EEXIST where it is there, be it by its filters.
void AppendFilterChainAdd(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, std::uint32_t parent,
                          std::uint32_t chain);
// tc chain show dev IFINDEX ingress: chains that were added, or that have filters. None where there is no such qdisc.
void AppendFilterChainDump(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, std::uint32_t parent);
Result<std::uint32_t> ParseFilterChain(const nlmsghdr& message);

}  // namespace dpuflow::netlink
