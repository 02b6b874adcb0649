// SPDX-License-Identifier: Apache-2.0
//
// Routes, nexthop objects and policy rules: where packets go.
#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>

#include "netlink/rtnl.h"
#include "netlink/rtnl_internal.h"

namespace dpuflow::netlink {
namespace {

IpAddress ZeroOf(std::uint8_t family) { return family == AF_INET6 ? IpAddress::V6({}) : IpAddress::V4(0, 0, 0, 0); }

// RTA_VIA: an address that names its own family, as IPv4 routes via an IPv6 gateway have.
IpAddress ReadVia(AttributeReader& attribute) {
  static_cast<void>(attribute.Value<rtvia>());
  const auto payload = attribute.payload();
  if (payload.size() < sizeof(rtvia)) return {};
  return IpAddress::FromBytes(payload.subspan(sizeof(rtvia))).value_or(IpAddress());
}

// One attribute of a next hop, whether it stands in the route itself or in a member of RTA_MULTIPATH.
void ReadHopAttribute(AttributeReader& attribute, NextHop& hop) {
  switch (attribute.type()) {
    case RTA_OIF:
      hop.ifindex = attribute.U32();
      break;
    case RTA_GATEWAY:
      hop.gateway = attribute.Ip();
      break;
    case RTA_VIA:
      hop.gateway = ReadVia(attribute);
      break;
    case RTA_ENCAP_TYPE:
      hop.encapsulated = attribute.U16() != 0;
      break;
    default:
      break;
  }
}

// RTA_MULTIPATH: a row of `struct rtnexthop`, each followed by its own attributes.
std::vector<NextHop> ReadMultipath(std::span<const std::byte> rest, MessageReader& reader) {
  std::vector<NextHop> hops;
  while (!rest.empty()) {
    rtnexthop header{};
    if (rest.size() >= sizeof header) std::memcpy(&header, rest.data(), sizeof header);
    if (header.rtnh_len < sizeof header || header.rtnh_len > rest.size()) {
      reader.Fail();
      return hops;
    }
    NextHop& hop = hops.emplace_back();
    hop.ifindex = static_cast<std::uint32_t>(header.rtnh_ifindex);
    hop.flags = header.rtnh_flags;
    hop.weight = static_cast<std::uint16_t>(header.rtnh_hops + 1);
    AttributeReader attributes = reader.AttributesIn(rest.subspan(sizeof header, header.rtnh_len - sizeof header));
    while (attributes.Next()) ReadHopAttribute(attributes, hop);
    rest = rest.subspan(std::min<std::size_t>(rest.size(), RTNH_ALIGN(header.rtnh_len)));
  }
  return hops;
}

std::uint32_t ReadMtu(AttributeReader metrics) {
  std::uint32_t mtu = 0;
  while (metrics.Next()) {
    if (metrics.type() == RTAX_MTU) mtu = metrics.U32();
  }
  return mtu;
}

void ReadRouteAttributes(MessageReader& reader, Route& route, IpAddress& destination) {
  NextHop hop;
  hop.flags = static_cast<std::uint8_t>(route.flags);  // the kernel puts a single hop's RTNH_F_* here
  AttributeReader attributes = reader.Attributes(sizeof(rtmsg));
  while (attributes.Next()) {
    switch (attributes.type()) {
      case RTA_DST:
        destination = attributes.Ip();
        break;
      case RTA_TABLE:
        route.table = attributes.U32();
        break;
      case RTA_PRIORITY:
        route.metric = attributes.U32();
        break;
      case RTA_NH_ID:
        route.nexthop_id = attributes.U32();
        break;
      case RTA_METRICS:
        route.mtu = ReadMtu(attributes.Nested());
        break;
      case RTA_MULTIPATH:
        route.nexthops = ReadMultipath(attributes.payload(), reader);
        break;
      default:
        ReadHopAttribute(attributes, hop);
    }
  }
  const bool has_hop = hop.ifindex != 0 || !hop.gateway.is_none();
  if (route.nexthops.empty() && has_hop) route.nexthops.push_back(hop);
}

// IPv6 keeps such routes on the loopback device; nothing leaves by it.
bool GoesNowhere(std::uint8_t type) {
  return type == RTN_BLACKHOLE || type == RTN_UNREACHABLE || type == RTN_PROHIBIT || type == RTN_THROW;
}

}  // namespace

void AppendRouteDump(MessageBuffer& buffer, std::uint32_t seq, const RouteDump& which) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(which.family);
  buffer.Begin(RTM_GETROUTE, NLM_F_DUMP, seq, header);
  if (which.table != 0) buffer.PutU32(RTA_TABLE, which.table);
  if (which.ifindex != 0) buffer.PutU32(RTA_OIF, which.ifindex);
}

Result<Event<Route>> ParseRoute(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWROUTE, "a route");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  const auto header = reader.Header<rtmsg>();
  if (reader.ok() && !IsIp(header.rtm_family)) return OtherFamily("a route", header.rtm_family);
  Route route;
  route.table = header.rtm_table;
  route.type = header.rtm_type;
  route.protocol = header.rtm_protocol;
  route.scope = header.rtm_scope;
  route.tos = header.rtm_tos;
  route.flags = header.rtm_flags;
  IpAddress destination = ZeroOf(header.rtm_family);
  ReadRouteAttributes(reader, route, destination);
  if (!reader.ok() || destination.family() != ZeroOf(header.rtm_family).family() ||
      header.rtm_dst_len > destination.bits()) {
    return reader.Malformed("a route");
  }
  route.destination = IpPrefix::Canonical(destination, header.rtm_dst_len);
  if (GoesNowhere(route.type)) route.nexthops.clear();
  return Event<Route>{std::move(route), *removed};
}

void AppendRouteQuery(MessageBuffer& buffer, std::uint32_t seq, const RouteQuery& query) {
  rtmsg header{};
  header.rtm_family = static_cast<std::uint8_t>(query.destination.family());
  header.rtm_dst_len = static_cast<std::uint8_t>(query.destination.bits());
  header.rtm_src_len = static_cast<std::uint8_t>(query.source.bits());
  header.rtm_tos = query.tos;
  // IPv4 names the table only when asked; IPv6 always does, and refuses the flag.
  if (query.destination.is_v4()) header.rtm_flags |= RTM_F_LOOKUP_TABLE;
  if (query.fib_match) header.rtm_flags |= RTM_F_FIB_MATCH;
  buffer.Begin(RTM_GETROUTE, 0, seq, header);
  buffer.PutIp(RTA_DST, query.destination);
  if (!query.source.is_none()) buffer.PutIp(RTA_SRC, query.source);
  if (query.iif != 0) buffer.PutU32(RTA_IIF, query.iif);
  if (query.ip_protocol != 0) buffer.PutU8(RTA_IP_PROTO, query.ip_protocol);
  if (query.source_port != 0) buffer.PutBe16(RTA_SPORT, query.source_port);
  if (query.destination_port != 0) buffer.PutBe16(RTA_DPORT, query.destination_port);
}

void AppendNexthopDump(MessageBuffer& buffer, std::uint32_t seq) {
  buffer.Begin(RTM_GETNEXTHOP, NLM_F_DUMP, seq, nhmsg{});
}

namespace {

// Times are in clock_t: 1/USER_HZ of a second, which is 1/100 on all that we build for.
void ReadResilientGroup(AttributeReader group, NexthopObject& nexthop) {
  constexpr std::uint32_t kMillisecondsPerTick = 10;
  nexthop.resilient = true;
  while (group.Next()) {
    if (group.type() == NHA_RES_GROUP_IDLE_TIMER) {
      nexthop.idle_timer = std::chrono::milliseconds(std::uint64_t{group.U32()} * kMillisecondsPerTick);
    }
  }
}

}  // namespace

Result<Event<NexthopObject>> ParseNexthop(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWNEXTHOP, "a nexthop");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  NexthopObject nexthop;
  AttributeReader attributes = reader.Attributes(sizeof(nhmsg));
  while (attributes.Next()) {
    switch (attributes.type()) {
      case NHA_ID:
        nexthop.id = attributes.U32();
        break;
      case NHA_OIF:
        nexthop.ifindex = attributes.U32();
        break;
      case NHA_GATEWAY:
        nexthop.gateway = attributes.Ip();
        break;
      case NHA_BLACKHOLE:
        nexthop.blackhole = true;
        break;
      case NHA_ENCAP_TYPE:
        nexthop.encapsulated = attributes.U16() != 0;
        break;
      case NHA_GROUP: {
        const auto members = attributes.payload();
        if (members.size() % sizeof(nexthop_grp) != 0) reader.Fail();
        for (std::size_t at = 0; at + sizeof(nexthop_grp) <= members.size(); at += sizeof(nexthop_grp)) {
          nexthop_grp member{};
          std::memcpy(&member, members.data() + at, sizeof member);
          nexthop.group.push_back(member.id);
        }
        break;
      }
      case NHA_RES_GROUP:
        ReadResilientGroup(attributes.Nested(), nexthop);
        break;
      default:
        break;
    }
  }
  if (!reader.ok() || nexthop.id == 0) return reader.Malformed("a nexthop");
  return Event<NexthopObject>{std::move(nexthop), *removed};
}

Result<NexthopBucket> ParseNexthopBucket(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWNEXTHOPBUCKET, "a nexthop bucket");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  NexthopBucket bucket;
  AttributeReader attributes = reader.Attributes(sizeof(nhmsg));
  while (attributes.Next()) {
    if (attributes.type() == NHA_ID) {
      bucket.group = attributes.U32();
    } else if (attributes.type() == NHA_RES_BUCKET) {
      AttributeReader fields = attributes.Nested();
      while (fields.Next()) {
        if (fields.type() == NHA_RES_BUCKET_INDEX) bucket.index = fields.U16();
        if (fields.type() == NHA_RES_BUCKET_NH_ID) bucket.nexthop = fields.U32();
      }
    }
  }
  if (!reader.ok() || bucket.group == 0) return reader.Malformed("a nexthop bucket");
  return bucket;
}

void AppendRuleDump(MessageBuffer& buffer, std::uint32_t seq, Family family) {
  fib_rule_hdr header{};
  header.family = static_cast<std::uint8_t>(family);
  buffer.Begin(RTM_GETRULE, NLM_F_DUMP, seq, header);
}

namespace {

void ReadRuleAttribute(AttributeReader& attribute, Rule& rule, const fib_rule_hdr& header) {
  switch (attribute.type()) {
    case FRA_PRIORITY:
      rule.priority = attribute.U32();
      break;
    case FRA_TABLE:
      rule.table = attribute.U32();
      break;
    case FRA_SRC:
      rule.source = IpPrefix::Canonical(attribute.Ip(), header.src_len);
      break;
    case FRA_DST:
      rule.destination = IpPrefix::Canonical(attribute.Ip(), header.dst_len);
      break;
    case FRA_IIFNAME:
      rule.iif = attribute.String();
      break;
    case FRA_OIFNAME:
      rule.oif = attribute.String();
      break;
    case FRA_FWMARK:
      rule.mark = attribute.U32();
      break;
    case FRA_FWMASK:
      rule.mark_mask = attribute.U32();
      break;
    case FRA_IP_PROTO:
      rule.ip_protocol = attribute.U8();
      break;
    case FRA_SPORT_RANGE:
      rule.looks_at_source_port = true;
      break;
    case FRA_DPORT_RANGE:
      rule.looks_at_destination_port = true;
      break;
    case FRA_L3MDEV:
      rule.l3mdev = attribute.U8() != 0;
      break;
    // What a rule does, and what people are told, not what it looks at.
    case FRA_GOTO:
    case FRA_FLOW:
    case FRA_SUPPRESS_IFGROUP:
    case FRA_SUPPRESS_PREFIXLEN:
    case FRA_PAD:
    case FRA_PROTOCOL:
      break;
    case FRA_TUN_ID: {
      const auto id = attribute.payload();
      rule.obscure |= std::ranges::any_of(id, [](std::byte byte) { return byte != std::byte{0}; });
      break;
    }
    default:
      rule.obscure = true;
  }
}

}  // namespace

Result<Event<Rule>> ParseRule(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWRULE, "a rule");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  const auto header = reader.Header<fib_rule_hdr>();
  if (reader.ok() && !IsIp(header.family)) return OtherFamily("a rule", header.family);
  Rule rule;
  rule.family = Family{header.family};
  rule.table = header.table;
  rule.action = header.action;
  rule.tos = header.tos;
  rule.inverted = (header.flags & FIB_RULE_INVERT) != 0;
  AttributeReader attributes = reader.Attributes(sizeof header);
  while (attributes.Next()) ReadRuleAttribute(attributes, rule, header);
  const auto wrong_family = [&](const IpPrefix& prefix) {
    return !prefix.address.is_none() && prefix.address.family() != rule.family;
  };
  if (!reader.ok() || wrong_family(rule.source) || wrong_family(rule.destination)) return reader.Malformed("a rule");
  return Event<Rule>{std::move(rule), *removed};
}

}  // namespace dpuflow::netlink
