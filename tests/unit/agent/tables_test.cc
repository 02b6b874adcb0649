// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/tables.h"

#include <gtest/gtest.h>
#include <linux/if.h>

#include <algorithm>

namespace dpuflow::kernel {
namespace {

using netlink::Event;

netlink::Link Link(std::uint32_t ifindex, const std::string& name) {
  netlink::Link link;
  link.ifindex = ifindex;
  link.name = name;
  link.flags = IFF_UP;
  return link;
}

bool IsOfLink(const flow::Change& change, std::uint32_t ifindex) {
  const auto* link = std::get_if<flow::LinkChanged>(&change);
  return link != nullptr && link->ifindex == ifindex;
}

TEST(Tables, WhatChangesAtAVlanDeviceChangesAtItsPort) {
  Tables tables;
  (void)tables.Apply(Event<netlink::Link>{Link(7, "pf0vf0")}, {});
  netlink::Link vlan = Link(70, "pf0vf0.5");
  vlan.lower = 7;
  vlan.vlan.emplace();
  const News news = tables.Apply(Event<netlink::Link>{vlan}, {});
  EXPECT_TRUE(news.ports);
  for (const std::uint32_t ifindex : {70u, 7u}) {
    EXPECT_TRUE(std::ranges::any_of(news.changes, [&](const auto& change) { return IsOfLink(change, ifindex); }))
        << ifindex;
  }
}

TEST(Tables, ATableThatIsReadOnceMoreTellsInWordsHowItDiffers) {
  Tables tables;
  (void)tables.Apply(Links{Link(2, "p0")}, {});
  EXPECT_TRUE(tables.links_read);
  EXPECT_EQ(tables.Apply(Links{Link(2, "p0")}, {}).difference, "");
  Links more = {Link(2, "p0")};
  for (std::uint32_t ifindex = 10; ifindex < 17; ++ifindex) more.push_back(Link(ifindex, fmt::format("vf{}", ifindex)));
  EXPECT_EQ(tables.Apply(more, {}).difference, "links: vf10, vf11, vf12, vf13, vf14, 2 more");
}

TEST(Tables, AStationConcernsThePortsWhereItIsTheBridgesOwn) {
  Tables tables;
  netlink::FdbEntry entry{7, 50, *MacAddress::Parse("0a:00:00:00:00:01")};
  EXPECT_FALSE(tables.Apply(Event<netlink::FdbEntry>{entry}, {}).ports);
  entry.local = true;
  EXPECT_TRUE(tables.Apply(Event<netlink::FdbEntry>{entry}, {}).ports);
  entry.local = false;
  EXPECT_TRUE(tables.Apply(Event<netlink::FdbEntry>{entry}, {}).ports) << "it was, until now";
}

TEST(Tables, WithABridgeGoItsStations) {
  Tables tables;
  (void)tables.Apply(Event<netlink::Link>{Link(50, "br0")}, {});
  const netlink::FdbEntry entry{7, 50, *MacAddress::Parse("0a:00:00:00:00:01")};
  (void)tables.Apply(Event<netlink::FdbEntry>{entry}, {});
  const News news = tables.Apply(Event<netlink::Link>{Link(50, "br0"), true}, {});
  EXPECT_TRUE(std::ranges::any_of(
      news.changes, [](const auto& change) { return std::holds_alternative<flow::StationChanged>(change); }));
  EXPECT_EQ(tables.bridges.Find({50, 0, entry.mac}), nullptr);
  (void)tables.Apply(Links{Link(51, "br1")}, {});
  (void)tables.Apply(FdbEntries{{7, 51, entry.mac}}, {});
  (void)tables.Apply(BridgePorts{{51, 51}}, {});
  (void)tables.Apply(Links{}, {});
  EXPECT_EQ(tables.bridges.Find({51, 0, entry.mac}), nullptr) << "where its end was lost as well";
  EXPECT_EQ(tables.bridges.Port(51), nullptr);
}

TEST(Tables, AnAddressIsTheMachinesOwnInItsVrf) {
  Tables tables;
  netlink::Link vrf = Link(60, "red"), port = Link(7, "pf0vf0");
  vrf.kind = "vrf";
  port.master = 60;
  for (const netlink::Link& link : {vrf, port, Link(8, "pf0vf1")}) (void)tables.Apply(Event<netlink::Link>{link}, {});
  (void)tables.Apply(Event<netlink::Address>{{.ifindex = 60, .local = IpAddress::V4(10, 9, 9, 9), .prefix_length = 32}},
                     {});
  const auto is_martian_at = [&](std::uint32_t ifindex) {
    const auto martians = tables.MartiansAt(ifindex);
    return std::ranges::find(martians, IpPrefix::Host(IpAddress::V4(10, 9, 9, 9))) != martians.end();
  };
  EXPECT_TRUE(is_martian_at(7));
  EXPECT_FALSE(is_martian_at(8));
}

}  // namespace
}  // namespace dpuflow::kernel
