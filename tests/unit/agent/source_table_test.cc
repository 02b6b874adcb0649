// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/source_table.h"

#include <gtest/gtest.h>

namespace dpuflow::flow {
namespace {

const IpAddress kFirst = IpAddress::V4(10, 0, 0, 1);
const IpAddress kSecond = IpAddress::V4(10, 0, 0, 2);
const IpAddress kElsewhere = IpAddress::V4(172, 16, 0, 1);

TEST(SourceTable, SaysEachChangeOnce) {
  SourceTable table(10);
  table.Allow({7}, kFirst);
  table.Allow({7}, kFirst);
  EXPECT_EQ(table.TakeUpdates(), (std::vector<SourceUpdate>{{{7}, kFirst, true}}));
  EXPECT_TRUE(table.TakeUpdates().empty());
  table.Revoke({7}, kFirst);
  table.Revoke({7}, kFirst);
  EXPECT_EQ(table.TakeUpdates(), (std::vector<SourceUpdate>{{{7}, kFirst, false}}));
}

TEST(SourceTable, APairIsLaneAndAddress) {
  SourceTable table(10);
  table.Allow({7}, kFirst);
  EXPECT_TRUE(table.IsValid({7}, kFirst));
  EXPECT_FALSE(table.IsValid({8}, kFirst));
  EXPECT_FALSE(table.IsValid({7}, kSecond));
  EXPECT_FALSE(table.IsValid({7, 100}, kFirst));
}

TEST(SourceTable, RevokesByPrefixAndByPort) {
  SourceTable table(10);
  table.Allow({7}, kFirst);
  table.Allow({8}, kSecond);
  table.Allow({7}, kElsewhere);
  table.RevokeIn(*IpPrefix::Parse("10.0.0.0/24"));
  EXPECT_FALSE(table.IsValid({7}, kFirst));
  EXPECT_FALSE(table.IsValid({8}, kSecond));
  EXPECT_TRUE(table.IsValid({7}, kElsewhere));
  table.Allow({7, 100}, kElsewhere);
  table.RevokePort(7);
  EXPECT_EQ(table.size(), 0u);
}

TEST(SourceTable, TheOldestGoesWhenItIsFull) {
  SourceTable table(2);
  table.Allow({7}, kFirst);
  table.Allow({7}, kSecond);
  table.Allow({7}, kElsewhere);
  EXPECT_EQ(table.size(), 2u);
  EXPECT_FALSE(table.IsValid({7}, kFirst));
}

TEST(SourceTable, StaysBoundedWhenPairsComeAndGo) {
  SourceTable table(2);
  for (int i = 0; i < 1000; ++i) {
    table.Allow({7}, kFirst);
    table.Revoke({7}, kFirst);
  }
  table.Allow({7}, kSecond);
  EXPECT_EQ(table.size(), 1u);
  EXPECT_TRUE(table.IsValid({7}, kSecond));
}

}  // namespace
}  // namespace dpuflow::flow
