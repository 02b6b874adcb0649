// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/sections.h"

#include <gtest/gtest.h>

namespace dpuflow::flow {
namespace {

Shape With(Fields fields) { return {kEthertypeIpv4, false, true, fields}; }

TEST(Sections, OneForEachShapeFromTheFirstOn) {
  Sections sections(kSections);
  EXPECT_EQ(sections.Acquire(With(0)), 1) << "goto lands on prio 1";
  EXPECT_EQ(sections.Acquire(With(kFieldSource)), 2);
  EXPECT_EQ(sections.Acquire(With(0)), 1);
  EXPECT_EQ(sections.Acquire({kEthertypeIpv6, false, true, 0}), 3) << "a prio holds one ethertype";
  EXPECT_EQ(sections.in_use(), 3u);
}

TEST(Sections, AreGivenBackWithTheLastFlowOfTheirShape) {
  Sections sections(kSections);
  const auto first = sections.Acquire(With(kFieldSource));
  sections.Acquire(With(kFieldSource));
  sections.Release(first);
  EXPECT_NE(sections.Acquire(With(0)), first);
  sections.Release(first);
  EXPECT_EQ(sections.Acquire(With(kFieldTos)), first);
}

TEST(Sections, MoreShapesThanThereAreSectionsGetNone) {
  Sections sections(kSections);
  for (Fields fields = 0; fields < kSections; ++fields) EXPECT_NE(sections.Acquire(With(fields)), 0);
  EXPECT_EQ(sections.Acquire(With(31)), 0);
  sections.Release(0);
  sections.Release(4);
  EXPECT_EQ(sections.Acquire(With(31)), 4);
}

TEST(Sections, BridgedFramesWithATagLookTheSameInBothFamilies) {
  Match match;
  match.table = Table::kFlat;
  Match of_ipv6 = match;
  of_ipv6.ethertype = kEthertypeIpv6;
  EXPECT_NE(ShapeOf(match), ShapeOf(of_ipv6)) << "a prio holds one ethertype";
  match.vlan = of_ipv6.vlan = 10;
  EXPECT_EQ(ShapeOf(match), ShapeOf(of_ipv6)) << "here it is 802.1Q";
  Match routed = match;
  routed.destination = IpPrefix::Parse("192.0.2.1");
  EXPECT_NE(ShapeOf(routed), ShapeOf(match));
}

}  // namespace
}  // namespace dpuflow::flow
