// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/rule.h"

#include <gtest/gtest.h>

namespace dpuflow::flow {
namespace {

Rule Routing() {
  Rule rule;
  rule.match.port = 7;
  rule.match.destination = IpPrefix::Parse("192.0.2.1");
  rule.action = RouteTo{{5, *MacAddress::Parse("02:00:00:00:00:05"), *MacAddress::Parse("0a:00:00:00:00:01")}};
  return rule;
}

TEST(Rule, AFullKeyIsExact) { EXPECT_TRUE(IsExact(Routing())); }

TEST(Rule, APrefixNeverForwards) {
  Rule rule = Routing();
  rule.match.destination = IpPrefix::Parse("192.0.2.0/24");
  EXPECT_FALSE(IsExact(rule));
}

TEST(Rule, AGuardMayHoldAPrefixButMustTrap) {
  Rule guard;
  guard.match.table = Table::kGuard;
  guard.match.port = 7;
  guard.match.source = IpPrefix::Parse("127.0.0.0/8");
  EXPECT_TRUE(IsExact(guard));
  guard.action = GotoTable{Table::kL3};
  EXPECT_FALSE(IsExact(guard));
}

TEST(Rule, ReadsAsASentence) {
  EXPECT_EQ(ToString(Routing()),
            "l3 port 7 untagged ip dst 192.0.2.1/32 -> set src 02:00:00:00:00:05 dst 0a:00:00:00:00:01 ttl-1 "
            "redirect 5");
}

TEST(Rule, TableNamesGoBothWays) {
  for (const Table table : {Table::kGuard, Table::kL2Source, Table::kL2Destination, Table::kL3, Table::kFlat}) {
    EXPECT_EQ(ParseTable(ToString(table)), table);
  }
  EXPECT_FALSE(ParseTable("l4"));
}

TEST(Rule, MatchesThatDifferInOneFieldAreDifferentKeys) {
  const Match base = Routing().match;
  std::vector<Match> others(6, base);
  others[0].port = 8;
  others[1].vlan = 5;
  others[2].table = Table::kL2Source;
  others[3].destination = IpPrefix::Parse("192.0.2.2");
  others[4].source_mac = *MacAddress::Parse("02:00:00:00:00:01");
  others[5].destination_mac = *MacAddress::Parse("02:00:00:00:00:01");
  for (const Match& other : others) {
    EXPECT_FALSE(other == base);
    EXPECT_NE(std::hash<Match>()(other), std::hash<Match>()(base));
  }
}

}  // namespace
}  // namespace dpuflow::flow
