// SPDX-License-Identifier: Apache-2.0
//
// What stands on a port against what should.
#include "agent/offload/comparison.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "agent/offload/flower_mapping.h"

namespace dpuflow::offload {
namespace {

Expected EntryOf(flow::FlowId id, std::uint8_t last) {
  Expected expected;
  expected.flow = id;
  expected.section = 1;
  expected.rule.match.table = flow::Table::kL3;
  expected.rule.match.port = 7;
  expected.rule.match.destination = IpPrefix::Host(IpAddress::V4(192, 0, 2, last));
  expected.rule.action = flow::RouteTo{{2, MacAddress{{2, 0, 0, 0, 0, 2}}, MacAddress{{2, 0, 0, 0, 0, 1}}}};
  return expected;
}

netlink::InstalledFilter Standing(const Expected& entry) {
  netlink::InstalledFilter found;
  found.filter = ToFilter(entry.rule, entry.flow, entry.section);
  found.in_hw = true;
  return found;
}

std::vector<Difference> Compare(const std::vector<Expected>& expected,
                                const std::vector<netlink::InstalledFilter>& found) {
  Comparison comparison(expected);
  for (const netlink::InstalledFilter& filter : found) comparison.Add(filter);
  return comparison.Finish();
}

TEST(Comparison, AReadingThatBeginsAnewCountsOnce) {
  const Expected entry = EntryOf(5, 1), other = EntryOf(6, 2);
  netlink::InstalledFilter wrong = Standing(entry);
  wrong.in_hw = false;
  Comparison comparison({other, entry});
  comparison.Add(wrong);
  comparison.Add(Standing(other));
  comparison.Begin();
  comparison.Add(Standing(entry));
  comparison.Add(Standing(entry));  // a dump that shifted may show one twice
  const auto differences = comparison.Finish();
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].flaw, Flaw::kMissing);
  EXPECT_EQ(differences[0].flow, other.flow);
}

TEST(Comparison, WhatStandsAsItShouldIsNoDifference) {
  const std::vector<Expected> expected = {EntryOf(5, 1), EntryOf(6, 2)};
  EXPECT_TRUE(Compare(expected, std::vector{Standing(expected[1]), Standing(expected[0])}).empty());
}

// One of each table and family, tagged and not.
std::vector<Expected> AllKinds() {
  using flow::Table;
  const MacAddress one{{2, 0, 0, 0, 0, 1}}, two{{2, 0, 0, 0, 0, 2}};
  std::vector<Expected> kinds;
  const auto add = [&](Table table, std::uint8_t section, const flow::Action& action) -> flow::Match& {
    Expected& entry = kinds.emplace_back();
    entry.flow = static_cast<flow::FlowId>(kinds.size());
    entry.section = section;
    entry.rule.action = action;
    entry.rule.match.table = table;
    entry.rule.match.port = 7;
    return entry.rule.match;
  };
  add(Table::kGuard, 0, flow::Trap{}).ttl_expires = true;
  add(Table::kGuard, 0, flow::Trap{}).source = IpPrefix::Parse("224.0.0.0/3");
  for (const std::uint16_t vlan : {flow::kUntagged, std::uint16_t{10}}) {
    for (const bool v6 : {false, true}) {
      const auto address = v6 ? *IpAddress::Parse("2001:db8::1") : IpAddress::V4(192, 0, 2, 1);
      const std::size_t before = kinds.size();
      add(Table::kL2Source, 0, flow::GotoTable{Table::kL2Destination}).source_mac = one;
      flow::Match& checked = add(Table::kL2Source, 0, flow::GotoTable{Table::kL2Destination});
      checked.source_mac = one;
      checked.source = IpPrefix::Host(address);
      add(Table::kL2Destination, 0, flow::GotoTable{Table::kL3}).destination_mac = two;
      add(Table::kL2Destination, 0, flow::BridgeTo{2, vlan}).destination_mac = one;
      add(Table::kL2Destination, 0, flow::BridgeTo{2, 20}).destination_mac = one;
      add(Table::kL3, 3, flow::RouteTo{{2, two, one, flow::kUntagged}}).destination = IpPrefix::Host(address);
      flow::Match& fine = add(Table::kL3, 15, flow::RouteTo{{2, two, one, 30}});
      fine.destination = fine.source = IpPrefix::Host(address);
      fine.protocol = 6;
      fine.source_port = 1024;
      fine.destination_port = 443;
      fine.tos = 0x10;
      flow::Match& flat = add(Table::kFlat, 8, flow::RouteTo{{2, two, one}});
      flat.source_mac = one;
      flat.destination_mac = two;
      flat.destination = IpPrefix::Host(address);
      flow::Match& bridged = add(Table::kFlat, 5, flow::BridgeTo{3, flow::kUntagged});
      bridged.source_mac = one;
      bridged.destination_mac = two;
      for (std::size_t i = before; i < kinds.size(); ++i) {
        kinds[i].rule.match.vlan = vlan;
        kinds[i].rule.match.ethertype = v6 ? flow::kEthertypeIpv6 : flow::kEthertypeIpv4;
      }
    }
  }
  return kinds;
}

TEST(Comparison, AnEntryOfOursIsRecognized) {
  for (const Expected& entry : AllKinds()) {
    const auto recognized = Recognize(Standing(entry));
    ASSERT_TRUE(recognized) << ToString(entry.rule);
    EXPECT_EQ(recognized->rule, entry.rule) << ToString(recognized->rule);
    EXPECT_EQ(recognized->flow, entry.flow);
    EXPECT_EQ(recognized->section, entry.section) << ToString(entry.rule);
  }
}

TEST(Comparison, WhatWeWouldNotHaveWrittenIsNotRecognized) {
  const std::function<void(netlink::InstalledFilter&)> kDamages[] = {
      [](auto& found) { found.in_hw = false; },
      [](auto& found) { found.filter.skip_sw = false; },
      [](auto& found) { found.filter.cookie = {}; },
      [](auto& found) { found.filter.cookie[4] = 99; },  // the version
      [](auto& found) { found.filter.cookie[8] = 6; },   // another flow than the handle says
      [](auto& found) { found.filter.key.ip_dst->mask = IpAddress::V4(255, 255, 255, 0); },
      [](auto& found) { found.filter.key.ip_dst->mask = IpAddress::V4(255, 255, 0, 255); },
      [](auto& found) {
        found.filter.key.ip_ttl = netlink::Masked<std::uint8_t>{1, 0xff};
      },
      [](auto& found) { found.filter.actions.pop_back(); },
      [](auto& found) { found.filter.actions.erase(found.filter.actions.begin()); },
      [](auto& found) { found.filter.actions.back() = netlink::DropAction{}; },
      [](auto& found) { found.filter.actions.emplace_back(netlink::GotoAction{3}); },
      [](auto& found) { found.filter.id.chain = 1; },
      [](auto& found) { found.filter.id.handle = HandleOf(0); },
      [](auto& found) { found.complete = false; },
  };
  for (const auto& damage : kDamages) {
    netlink::InstalledFilter found = Standing(EntryOf(5, 1));
    damage(found);
    EXPECT_FALSE(Recognize(found)) << InWords(found.filter);
  }
}

TEST(Comparison, EachFlawHasItsName) {
  const Expected entry = EntryOf(5, 1);
  const std::pair<Flaw, std::function<void(netlink::InstalledFilter&)>> kCases[] = {
      {Flaw::kNotInHardware, [](auto& found) { found.in_hw = false; }},
      {Flaw::kInSoftware, [](auto& found) { found.filter.skip_sw = false; }},
      {Flaw::kCookie, [](auto& found) { found.filter.cookie = {}; }},
      {Flaw::kMatch, [](auto& found) { found.filter.key.ip_proto = 17; }},
      {Flaw::kMatch, [](auto& found) { found.filter.key.ip_dst->mask = IpAddress::V4(255, 255, 255, 0); }},
      {Flaw::kActions, [](auto& found) { found.filter.actions.back() = netlink::RedirectAction{9}; }},
      {Flaw::kActions, [](auto& found) { found.filter.actions.pop_back(); }},
      {Flaw::kUnknown, [](auto& found) { found.complete = false; }},
  };
  for (const auto& [flaw, damage] : kCases) {
    netlink::InstalledFilter found = Standing(entry);
    damage(found);
    const auto differences = Compare(std::vector{entry}, std::vector{found});
    ASSERT_EQ(differences.size(), 1u) << ToString(flaw);
    EXPECT_EQ(differences[0].flaw, flaw);
    EXPECT_EQ(differences[0].flow, 5u);
    EXPECT_EQ(differences[0].expected, Standing(entry).filter);
    EXPECT_EQ(differences[0].found, found);
  }
}

TEST(Comparison, AnEntryThatIsNotThereIsMissing) {
  const auto differences = Compare(std::vector{EntryOf(5, 1)}, {});
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].flaw, Flaw::kMissing);
  EXPECT_EQ(differences[0].flow, 5u);
  EXPECT_FALSE(differences[0].found);
}

TEST(Comparison, OurCookieElsewhereIsAStrayAndForeignFiltersAreNot) {
  const Expected entry = EntryOf(5, 1);
  netlink::InstalledFilter moved = Standing(entry);
  moved.filter.id.chain = 3;
  netlink::InstalledFilter foreign = Standing(EntryOf(6, 2));
  foreign.filter.cookie = {1, 2, 3};
  const auto differences = Compare(std::vector{entry}, std::vector{Standing(entry), moved, foreign});
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].flaw, Flaw::kStray);
  EXPECT_EQ(differences[0].found, moved);
}

TEST(Comparison, AFilterInTheWordsOfTc) {
  EXPECT_EQ(InWords(Standing(EntryOf(5, 1)).filter),
            "chain 2 pref 1 handle 0x80000005 dst_ip 192.0.2.1: pedit eth dst set 02:00:00:00:00:01 eth src set "
            "02:00:00:00:00:02 ip ttl dec, redirect ifindex 2");
  netlink::Filter guard;
  guard.id = {7, netlink::kClsactIngress, 0, 1, 0x0800, 0x80000001};
  guard.key.ip_ttl = netlink::Masked<std::uint8_t>{0, 0xfe};
  guard.actions = {netlink::TrapAction{}};
  EXPECT_EQ(InWords(guard), "chain 0 pref 1 handle 0x80000001 ip_ttl 0/0xfe: trap");
}

}  // namespace
}  // namespace dpuflow::offload
