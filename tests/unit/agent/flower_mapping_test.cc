// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/flower_mapping.h"

#include <gtest/gtest.h>

#include "agent/flow/sections.h"

namespace dpuflow::offload {
namespace {

using flow::Match;
using flow::Rule;
using flow::Table;

Rule Routing() {
  Rule rule;
  rule.match.port = 7;
  rule.match.destination = IpPrefix::Parse("192.0.2.1");
  rule.action = flow::RouteTo{{5, *MacAddress::Parse("02:00:00:00:00:05"), *MacAddress::Parse("0a:00:00:00:00:01")}};
  return rule;
}

TEST(FlowerMapping, ARoutingFlowSetsMacsAndTtlAndRedirects) {
  const netlink::Filter filter = ToFilter(Routing(), 3, 1);
  EXPECT_EQ(filter.id.ifindex, 7u);
  EXPECT_EQ(filter.id.chain, 2u);
  EXPECT_EQ(filter.id.prio, 1u);
  EXPECT_EQ(filter.id.ethertype, 0x0800);
  EXPECT_EQ(filter.id.handle, HandleOf(3));
  ASSERT_TRUE(filter.key.ip_dst);
  EXPECT_EQ(*filter.key.ip_dst, netlink::Exact(IpAddress::V4(192, 0, 2, 1)));
  ASSERT_EQ(filter.actions.size(), 2u);
  const auto& pedit = std::get<netlink::PeditAction>(filter.actions[0]);
  EXPECT_EQ(pedit.eth_dst, MacAddress::Parse("0a:00:00:00:00:01"));
  EXPECT_EQ(pedit.eth_src, MacAddress::Parse("02:00:00:00:00:05"));
  EXPECT_EQ(pedit.decrement_ttl, Family::kIpv4);
  EXPECT_EQ(std::get<netlink::RedirectAction>(filter.actions[1]).ifindex, 5u);
  EXPECT_TRUE(filter.skip_sw);
}

TEST(FlowerMapping, TheTtlGuardMatchesZeroAndOneAndTraps) {
  Rule guard;
  guard.match.table = Table::kGuard;
  guard.match.port = 7;
  guard.match.ttl_expires = true;
  const netlink::Filter filter = ToFilter(guard, 1, 0);
  EXPECT_EQ(PlaceOf(guard.match, 0), (Place{0, 1}));
  EXPECT_EQ(filter.key.ip_ttl, (netlink::Masked<std::uint8_t>{0, 0xfe}));
  EXPECT_TRUE(std::holds_alternative<netlink::TrapAction>(filter.actions.at(0)));
}

TEST(FlowerMapping, AMartianGuardHasThePrefixAsItsMask) {
  Rule guard;
  guard.match.table = Table::kGuard;
  guard.match.port = 7;
  guard.match.source = IpPrefix::Parse("224.0.0.0/3");
  const netlink::Filter filter = ToFilter(guard, 1, 0);
  ASSERT_TRUE(filter.key.ip_src);
  EXPECT_EQ(filter.key.ip_src->value, IpAddress::V4(224, 0, 0, 0));
  EXPECT_EQ(filter.key.ip_src->mask, IpAddress::V4(224, 0, 0, 0));
}

TEST(FlowerMapping, NoTwoKeyShapesShareAPlace) {
  Match source;
  source.table = Table::kL2Source;
  Match checked = source;
  checked.source = IpPrefix::Parse("10.0.0.1");
  Match destination;
  destination.table = Table::kL2Destination;
  Match routing;
  Match ttl;
  ttl.table = Table::kGuard;
  ttl.ttl_expires = true;
  Match martian;
  martian.table = Table::kGuard;
  martian.source = IpPrefix::Parse("127.0.0.0/8");
  std::set<Place> places;
  for (Match match : {source, checked, destination, ttl, martian}) {
    for (const std::uint16_t ethertype : {flow::kEthertypeIpv4, flow::kEthertypeIpv6}) {
      match.ethertype = ethertype;
      match.vlan = flow::kUntagged;
      EXPECT_TRUE(places.insert(PlaceOf(match, 0)).second);
      match.vlan = 100;
      const bool no_address = !match.source && ethertype == flow::kEthertypeIpv6;  // where both families look the same
      EXPECT_NE(places.insert(PlaceOf(match, 0)).second, no_address);
    }
  }
  EXPECT_TRUE(places.insert(PlaceOf(routing, 1)).second);
  Match flat = routing;
  flat.table = Table::kFlat;
  std::set<Place> of_flat;
  for (std::uint8_t section = 1; section <= flow::kFlatSections; ++section) {
    const Place place = PlaceOf(flat, section);
    EXPECT_EQ(place.chain, 0u);
    EXPECT_TRUE(of_flat.insert(place).second);
    for (const Match& guard : {ttl, martian}) {
      for (const std::uint16_t ethertype : {flow::kEthertypeIpv4, flow::kEthertypeIpv6}) {
        for (const std::uint16_t vlan : {flow::kUntagged, std::uint16_t{100}}) {
          Match match = guard;
          match.ethertype = ethertype;
          match.vlan = vlan;
          EXPECT_NE(PlaceOf(match, 0), place) << "guards stand in the same chain";
        }
      }
    }
    EXPECT_LT(place.prio, kClassifierPrio);
  }
  for (const Place& place : places) EXPECT_LT(place.prio, kClassifierPrio);
}

TEST(FlowerMapping, AFlatEntryHoldsBothMacsAndTheDestination) {
  Rule rule = Routing();
  rule.match.table = Table::kFlat;
  rule.match.source_mac = *MacAddress::Parse("0a:00:00:00:00:07");
  rule.match.destination_mac = *MacAddress::Parse("02:00:00:00:00:07");
  const netlink::Filter filter = ToFilter(rule, 3, 1);
  EXPECT_EQ(filter.id.chain, 0u);
  EXPECT_EQ(filter.key.eth_src, netlink::Exact(rule.match.source_mac));
  EXPECT_EQ(filter.key.eth_dst, netlink::Exact(rule.match.destination_mac));
  EXPECT_EQ(filter.key.ip_dst, netlink::Exact(rule.match.destination->address));
  EXPECT_EQ(filter.actions, ToFilter(Routing(), 3, 1).actions) << "it does what the routing entry would";
  EXPECT_EQ(OwnerOf(filter.cookie), (Owner{Table::kFlat, 3}));
}

TEST(FlowerMapping, ATaggedPacketIsOneOf8021QWithItsEthertypeInside) {
  Rule rule = Routing();
  rule.match.vlan = 100;
  rule.match.vlan_priority = 0;
  const netlink::Filter filter = ToFilter(rule, 3, 1);
  EXPECT_EQ(filter.id.ethertype, EthertypeOf(flow::PacketKind::kTagged));
  EXPECT_EQ(filter.key.vlan_id, 100);
  EXPECT_EQ(filter.key.vlan_priority, 0);
  EXPECT_EQ(filter.key.vlan_ethertype, flow::kEthertypeIpv4);
}

TEST(FlowerMapping, TheTagOfTheFrameThatLeavesIsThatOfItsInterface) {
  const auto actions = [](std::uint16_t before, std::uint16_t after) {
    Rule rule = Routing();
    rule.match.vlan = before;
    std::get<flow::RouteTo>(rule.action).adjacency.vlan = after;
    std::string text;
    for (const netlink::Action& action : ToFilter(rule, 3, 1).actions) {
      if (std::holds_alternative<netlink::PeditAction>(action)) text += "edit ";
      if (std::holds_alternative<netlink::VlanPopAction>(action)) text += "pop ";
      if (const auto* push = std::get_if<netlink::VlanPushAction>(&action)) text += fmt::format("push {} ", push->id);
      if (std::holds_alternative<netlink::RedirectAction>(action)) text += "redirect";
    }
    return text;
  };
  EXPECT_EQ(actions(flow::kUntagged, flow::kUntagged), "edit redirect");
  EXPECT_EQ(actions(flow::kUntagged, 9), "edit push 9 redirect");
  EXPECT_EQ(actions(5, flow::kUntagged), "edit pop redirect");
  EXPECT_EQ(actions(5, 9), "edit pop push 9 redirect") << "rewritten in hardware";
  EXPECT_EQ(actions(9, 9), "edit redirect");
}

TEST(FlowerMapping, GotoLandsWhereTheNextTableBegins) {
  Rule rule;
  rule.match.table = Table::kL2Source;
  rule.match.source_mac = *MacAddress::Parse("0a:00:00:00:00:07");
  rule.action = flow::GotoTable{Table::kL2Destination};
  Match next;
  next.table = Table::kL2Destination;
  const netlink::Filter filter = ToFilter(rule, 1, 1);
  EXPECT_EQ((Place{std::get<netlink::GotoAction>(filter.actions.at(0)).chain, 1}), PlaceOf(next, 1));
}

TEST(FlowerMapping, ACookieSaysWhoseTheFilterIsAndAForeignOneSaysNothing) {
  const Owner owner{Table::kL3, 0x12345678};
  EXPECT_EQ(OwnerOf(CookieOf(owner)), owner);
  EXPECT_FALSE(OwnerOf(netlink::Cookie{}));
  netlink::Cookie foreign = CookieOf(owner);
  foreign[0] = 'x';
  EXPECT_FALSE(OwnerOf(foreign));
  foreign = CookieOf(owner);
  foreign[5] = 200;  // a table that does not exist
  EXPECT_FALSE(OwnerOf(foreign));
}

}  // namespace
}  // namespace dpuflow::offload
