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

TEST(Comparison, WhatStandsAsItShouldIsNoDifference) {
  const std::vector<Expected> expected = {EntryOf(5, 1), EntryOf(6, 2)};
  EXPECT_TRUE(Compare(expected, std::vector{Standing(expected[1]), Standing(expected[0])}).empty());
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
