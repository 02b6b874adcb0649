// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include "bytes.h"
#include "captured_rtnl.h"
#include "netlink/rtnl.h"

namespace dpuflow::netlink {
namespace {

Route RouteOf(std::string_view hex) {
  const auto event = ParseRoute(Captured(hex).header());
  EXPECT_TRUE(event) << ToString(event.error());
  return event.value_or(Event<Route>{}).value;
}

TEST(Routes, OneOfBgpHasItsMetricAndMtu) {
  const Route route = RouteOf(captured::kRouteBgp);
  EXPECT_EQ(ToString(route.destination), "10.2.0.0/16");
  EXPECT_EQ(route.protocol, 186);
  EXPECT_EQ(route.metric, 20u);
  EXPECT_EQ(route.mtu, 1400u);
  EXPECT_EQ(route.table, unsigned{RT_TABLE_MAIN});
  EXPECT_EQ(route.nexthops, (std::vector<NextHop>{{.ifindex = 3, .gateway = IpAddress::V4(10, 0, 0, 2)}}));
}

TEST(Routes, AMultipathOneHasItsMembersAndWeights) {
  EXPECT_EQ(RouteOf(captured::kRouteMultipath).nexthops,
            (std::vector<NextHop>{{.ifindex = 3, .gateway = IpAddress::V4(10, 0, 0, 2), .weight = 3},
                                  {.ifindex = 3, .gateway = IpAddress::V4(10, 0, 0, 3), .weight = 1}}));
  const Route v6 = RouteOf(captured::kRouteV6Multipath);
  EXPECT_EQ(ToString(v6.destination), "fd02::/64");
  ASSERT_EQ(v6.nexthops.size(), 2u);
  EXPECT_EQ(v6.nexthops[1].gateway, *IpAddress::Parse("fd00::3"));
}

TEST(Routes, AnIpv4OneMayHaveAnIpv6Gateway) {
  const Route route = RouteOf(captured::kRouteViaIpv6);
  ASSERT_EQ(route.nexthops.size(), 1u);
  EXPECT_EQ(route.nexthops[0].gateway, *IpAddress::Parse("fd00::2"));
}

TEST(Routes, OneByNexthopGroupNamesItAndShowsItsMembers) {
  const Route route = RouteOf(captured::kRouteNexthopGroup);
  EXPECT_EQ(route.nexthop_id, 20u);
  ASSERT_EQ(route.nexthops.size(), 2u);
  EXPECT_EQ(route.nexthops[1].weight, 5);
}

TEST(Routes, OneWithAnLwtunnelSaysSo) {
  EXPECT_TRUE(RouteOf(captured::kRouteEncap).nexthops.at(0).encapsulated);
  EXPECT_FALSE(RouteOf(captured::kRouteBgp).nexthops.at(0).encapsulated);
}

TEST(Routes, ABlackholeHasNoNextHop) {
  EXPECT_EQ(RouteOf(captured::kRouteBlackhole).type, RTN_BLACKHOLE);
  EXPECT_TRUE(RouteOf(captured::kRouteBlackhole).nexthops.empty());
  EXPECT_EQ(RouteOf(captured::kRouteV6Unreachable).type, RTN_UNREACHABLE);
  EXPECT_TRUE(RouteOf(captured::kRouteV6Unreachable).nexthops.empty());
}

TEST(Routes, ATableAbove255IsInItsAttribute) { EXPECT_EQ(RouteOf(captured::kRouteVrf).table, 1000u); }

TEST(Routes, ADefaultRouteHasNoDestinationAttribute) {
  rtmsg header{};
  header.rtm_family = AF_INET6;
  MessageBuffer buffer;
  buffer.Begin(RTM_DELROUTE, 0, 1, header);
  const auto event = ParseRoute(buffer.header(0));
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->removed);
  EXPECT_EQ(ToString(event->value.destination), "::/0");
}

TEST(Routes, ADeadMemberIsMarked) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_flags = RTNH_F_DEAD | RTNH_F_LINKDOWN;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWROUTE, 0, 1, header);
  buffer.PutU32(RTA_OIF, 5);
  EXPECT_EQ(ParseRoute(buffer.header(0))->value.nexthops.at(0).flags, RTNH_F_DEAD | RTNH_F_LINKDOWN);
}

TEST(Routes, ADestinationOfTheOtherFamilyIsMalformed) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = 64;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWROUTE, 0, 1, header);
  buffer.PutIp(RTA_DST, *IpAddress::Parse("fd00::"));
  EXPECT_EQ(ParseRoute(buffer.header(0)).error().code, EBADMSG);
}

TEST(Routes, AMultipathMemberOfLengthZeroIsMalformed) {
  rtmsg header{};
  header.rtm_family = AF_INET;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWROUTE, 0, 1, header);
  buffer.Put(RTA_MULTIPATH, FromHex("0000000003000000"));
  EXPECT_EQ(ParseRoute(buffer.header(0)).error().code, EBADMSG);
}

TEST(Routes, OfMulticastAreAnotherFamily) {
  rtmsg header{};
  header.rtm_family = RTNL_FAMILY_IPMR;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWROUTE, 0, 1, header);
  EXPECT_EQ(ParseRoute(buffer.header(0)).error().code, EAFNOSUPPORT);
}

TEST(RouteAnswers, ThePathIsOneNextHopToOneAddress) {
  const Route route = RouteOf(captured::kAnswerPath);
  EXPECT_EQ(ToString(route.destination), "10.4.1.1/32");
  EXPECT_NE(route.flags & RTM_F_CLONED, 0u);
  EXPECT_EQ(route.nexthops, (std::vector<NextHop>{{.ifindex = 3, .gateway = IpAddress::V4(10, 0, 0, 3)}}));
}

TEST(RouteAnswers, TheMatchIsTheRoute) {
  const Route route = RouteOf(captured::kAnswerMatch);
  EXPECT_EQ(ToString(route.destination), "10.4.0.0/16");
  EXPECT_EQ(route.nexthop_id, 20u);
  EXPECT_EQ(route.nexthops.size(), 2u);
}

TEST(RouteAnswers, LocalDeliveryIsAType) {
  const Route route = RouteOf(captured::kAnswerLocal);
  EXPECT_EQ(route.type, RTN_LOCAL);
  EXPECT_EQ(route.table, unsigned{RT_TABLE_LOCAL});
}

TEST(RouteQueries, CarryWhatThePacketHas) {
  MessageBuffer buffer;
  AppendRouteQuery(buffer, 9,
                   {.destination = IpAddress::V4(10, 1, 2, 3),
                    .source = IpAddress::V4(10, 0, 0, 77),
                    .iif = 3,
                    .ip_protocol = IPPROTO_UDP,
                    .source_port = 1000,
                    .destination_port = 53});
  EXPECT_EQ(ToHex(buffer.bytes()),
            "4c0000001a000100"
            "0900000000000000"
            "0220200000000000"
            "00100000"
            "080001000a010203"
            "080002000a00004d"
            "0800030003000000"
            "05001b0011000000"
            "06001c0003e80000"
            "06001d0000350000");
}

TEST(RouteQueries, LeaveOutWhatIsNotKnown) {
  MessageBuffer buffer;
  AppendRouteQuery(buffer, 9, {.destination = *IpAddress::Parse("fd02::5"), .fib_match = true});
  EXPECT_EQ(ToHex(buffer.bytes()),
            "300000001a000100"
            "0900000000000000"
            "0a80000000000000"
            "00200000"
            "14000100fd020000"
            "0000000000000000"
            "00000005");
}

TEST(RouteDumps, FilterByTableInTheKernel) {
  MessageBuffer buffer;
  AppendRouteDump(buffer, 1, {.family = Family::kIpv4, .table = 1000});
  EXPECT_EQ(ToHex(buffer.bytes()).substr(32),
            "020000000000000000000000"
            "08000f00e8030000");
}

TEST(Nexthops, AreSinglesGroupsOrBlackholes) {
  const auto single = ParseNexthop(Captured(captured::kNexthop).header());
  ASSERT_TRUE(single);
  EXPECT_EQ(single->value, (NexthopObject{.id = 11, .ifindex = 3, .gateway = IpAddress::V4(10, 0, 0, 2)}));
  const auto group = ParseNexthop(Captured(captured::kNexthopGroup).header());
  ASSERT_TRUE(group);
  EXPECT_EQ(group->value.group, (std::vector<std::uint32_t>{11, 12}));
  const auto blackhole = ParseNexthop(Captured(captured::kNexthopBlackhole).header());
  ASSERT_TRUE(blackhole);
  EXPECT_TRUE(blackhole->value.blackhole);
}

TEST(Nexthops, AGroupOfHalfAMemberIsMalformed) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWNEXTHOP, 0, 1, nhmsg{});
  buffer.PutU32(NHA_ID, 1);
  buffer.Put(NHA_GROUP, FromHex("0b00000000000000ff"));
  EXPECT_EQ(ParseNexthop(buffer.header(0)).error().code, EBADMSG);
}

TEST(Rules, SayWhatTheyLookAt) {
  const auto rule = ParseRule(Captured(captured::kRuleFrom).header());
  ASSERT_TRUE(rule);
  Rule expected;
  expected.family = Family::kIpv4;
  expected.priority = 32765;
  expected.table = 100;
  expected.action = FR_ACT_TO_TBL;
  expected.source = *IpPrefix::Parse("10.9.0.0/16");
  EXPECT_EQ(rule->value, expected);
}

TEST(Rules, KnowEachSelectorOfIpRule) {
  MessageBuffer buffer;
  fib_rule_hdr header{};
  header.family = AF_INET6;
  header.dst_len = 64;
  header.tos = 0x10;
  header.flags = FIB_RULE_INVERT;
  buffer.Begin(RTM_NEWRULE, 0, 1, header);
  buffer.PutIp(FRA_DST, *IpAddress::Parse("2001:db8::"));
  buffer.PutString(FRA_IIFNAME, "pf0vf0");
  buffer.PutU32(FRA_FWMARK, 7);
  buffer.PutU32(FRA_FWMASK, 0xff);
  buffer.PutU8(FRA_IP_PROTO, 6);
  buffer.PutValue(FRA_DPORT_RANGE, fib_rule_port_range{80, 90});
  buffer.PutU32(FRA_SUPPRESS_PREFIXLEN, 0);
  const auto rule = ParseRule(buffer.header(0));
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->value.destination, *IpPrefix::Parse("2001:db8::/64"));
  EXPECT_EQ(rule->value.iif, "pf0vf0");
  EXPECT_EQ(rule->value.mark, 7u);
  EXPECT_EQ(rule->value.mark_mask, 0xffu);
  EXPECT_EQ(rule->value.tos, 0x10);
  EXPECT_EQ(rule->value.ip_protocol, 6);
  EXPECT_TRUE(rule->value.looks_at_destination_port);
  EXPECT_FALSE(rule->value.looks_at_source_port);
  EXPECT_TRUE(rule->value.inverted);
  EXPECT_FALSE(rule->value.obscure);
}

TEST(Rules, AreObscureWhereTheyLookAtMoreThanAPacket) {
  for (const std::uint16_t attribute : {std::uint16_t{FRA_UID_RANGE}, std::uint16_t{200}}) {
    MessageBuffer buffer;
    fib_rule_hdr header{};
    header.family = AF_INET;
    buffer.Begin(RTM_NEWRULE, 0, 1, header);
    buffer.PutValue(attribute, std::uint64_t{0});
    EXPECT_TRUE(ParseRule(buffer.header(0))->value.obscure) << attribute;
  }
}

TEST(Nexthops, AGroupIsResilientByItsTimers) {
  const auto group = ParseNexthop(Captured(captured::kNexthopResilient).header());
  ASSERT_TRUE(group);
  const NexthopObject expected{
      .id = 20, .group = {11, 12}, .resilient = true, .idle_timer = std::chrono::milliseconds(2000)};
  EXPECT_EQ(group->value, expected);
  EXPECT_FALSE(ParseNexthop(Captured(captured::kNexthopGroup).header())->value.resilient);
}

TEST(Nexthops, ABucketNamesItsGroupAndItsMember) {
  const auto bucket = ParseNexthopBucket(Captured(captured::kNexthopBucket).header());
  ASSERT_TRUE(bucket);
  EXPECT_EQ(*bucket, (NexthopBucket{.group = 20, .index = 2, .nexthop = 12}));
  EXPECT_EQ(ParseNexthopBucket(Captured(captured::kNexthop).header()).error().code, EINVAL);
}

TEST(Nexthops, ABucketOfNoGroupIsMalformed) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWNEXTHOPBUCKET, 0, 1, nhmsg{});
  EXPECT_EQ(ParseNexthopBucket(buffer.header(0)).error().code, EBADMSG);
}

}  // namespace
}  // namespace dpuflow::netlink
