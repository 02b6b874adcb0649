// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace dpuflow::flow {
namespace {

Match To(const char* destination, std::uint32_t port = 7) {
  Match match;
  match.port = port;
  match.destination = IpPrefix::Parse(destination);
  return match;
}

std::vector<FlowId> Sorted(std::vector<FlowId> ids) {
  std::ranges::sort(ids);
  return ids;
}

TEST(FlowTable, OneFlowPerKey) {
  FlowTable table;
  const FlowId id = table.Obtain(To("192.0.2.1"), {}).id;
  EXPECT_EQ(table.Obtain(To("192.0.2.1"), {}).id, id);
  EXPECT_NE(table.Obtain(To("192.0.2.1", 8), {}).id, id);
  EXPECT_EQ(table.size(), 2u);
}

TEST(FlowTable, ARouteConcernsTheDestinationsInItsPrefixAndNoOthers) {
  FlowTable table;
  table.Obtain(To("192.0.1.255"), {});
  const FlowId first = table.Obtain(To("192.0.2.0"), {}).id;
  const FlowId last = table.Obtain(To("192.0.2.255"), {}).id;
  table.Obtain(To("192.0.3.0"), {});
  EXPECT_EQ(Sorted(table.Affected(RouteChanged{*IpPrefix::Parse("192.0.2.0/24")})), (std::vector{first, last}));
  EXPECT_EQ(table.Affected(RouteChanged{*IpPrefix::Parse("0.0.0.0/0")}).size(), 4u);
  EXPECT_EQ(table.Affected(RouteChanged{*IpPrefix::Parse("192.0.2.255")}), std::vector{last});
}

TEST(FlowTable, ACheckedSourceIsFoundByItsRouteToo) {
  FlowTable table;
  Match match;
  match.table = Table::kL2Source;
  match.port = 7;
  match.source = IpPrefix::Parse("10.0.7.2");
  const FlowId id = table.Obtain(match, {}).id;
  EXPECT_EQ(table.Affected(RouteChanged{*IpPrefix::Parse("10.0.0.0/8")}), std::vector{id});
}

TEST(FlowTable, DependenciesAreFoundUntilTheyAreReplaced) {
  FlowTable table;
  Flow& flow = table.Obtain(To("192.0.2.1"), {});
  const NeighKey neigh{5, IpAddress::V4(10, 0, 0, 1)};
  table.SetDependencies(flow, {std::nullopt, 254, {17}, {5, 6}, {neigh}});
  EXPECT_EQ(table.Affected(LinkChanged{6}), std::vector{flow.id});
  EXPECT_EQ(table.Affected(NexthopChanged{17}), std::vector{flow.id});
  EXPECT_EQ(table.Affected(NeighChanged{neigh}), std::vector{flow.id});
  table.SetDependencies(flow, {std::nullopt, 254, {}, {5}, {}});
  EXPECT_TRUE(table.Affected(LinkChanged{6}).empty());
  EXPECT_TRUE(table.Affected(NexthopChanged{17}).empty());
  EXPECT_TRUE(table.Affected(NeighChanged{neigh}).empty());
}

TEST(FlowTable, KnowsWhichKindsOfPacketsAPortHasFlowsOf) {
  FlowTable table;
  const auto v4 = Only(PacketKind::kIpv4), v6 = Only(PacketKind::kIpv6), tagged = Only(PacketKind::kTagged);
  EXPECT_TRUE(table.KindsOnPort(7).none());
  const FlowId first = table.Obtain(To("192.0.2.1"), {}).id;
  table.Obtain(To("192.0.2.1", 8), {});
  EXPECT_EQ(table.KindsOnPort(7), v4);
  Match match = To("2001:db8::1");
  match.ethertype = kEthertypeIpv6;
  Flow& flow = table.Obtain(match, {});
  match.vlan = 100;
  const FlowId last = table.Obtain(match, {}).id;
  EXPECT_EQ(table.KindsOnPort(7), v4 | v6 | tagged);
  table.SetDependencies(flow, {std::nullopt, 254, {}, {5}, {}});
  table.Erase(last);
  EXPECT_EQ(table.KindsOnPort(7), v4 | v6);
  table.Erase(first);
  EXPECT_EQ(table.KindsOnPort(7), v6);
  EXPECT_EQ(table.KindsOnPort(8), v4);
}

TEST(FlowTable, AnErasedFlowIsInNoIndex) {
  FlowTable table;
  Flow& flow = table.Obtain(To("192.0.2.1"), {});
  table.SetDependencies(flow, {std::nullopt, 254, {17}, {5}, {{5, IpAddress::V4(10, 0, 0, 1)}}});
  table.Erase(flow.id);
  EXPECT_TRUE(table.Affected(LinkChanged{5}).empty());
  EXPECT_TRUE(table.Affected(LinkChanged{7}).empty());
  EXPECT_TRUE(table.Affected(EverythingChanged{}).empty());
  EXPECT_TRUE(table.Affected(RouteChanged{*IpPrefix::Parse("0.0.0.0/0")}).empty());
  EXPECT_EQ(table.Find(To("192.0.2.1")), nullptr);
}

}  // namespace
}  // namespace dpuflow::flow
