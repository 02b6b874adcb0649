// SPDX-License-Identifier: Apache-2.0
#include "netlink/bridge.h"

#include <gtest/gtest.h>
#include <linux/if_bridge.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cerrno>

#include "bytes.h"
#include "captured_bridge.h"
#include "captured_rtnl.h"

namespace dpuflow::netlink {
namespace {

using Vlans = std::vector<BridgeVlan>;

TEST(BridgePorts, APortHasFlagsAndVlans) {
  const auto event = ParseBridgePort(Captured(captured::kPortOfBridge).header());
  ASSERT_TRUE(event) << ToString(event.error());
  const BridgePort& port = event->value;
  EXPECT_FALSE(event->removed);
  EXPECT_EQ(port.ifindex, 4u);
  EXPECT_EQ(port.bridge, 2u);
  EXPECT_EQ(port.state, BR_STATE_FORWARDING);
  EXPECT_TRUE(port.isolated);
  EXPECT_TRUE(port.hairpin);
  EXPECT_FALSE(port.learning);
  EXPECT_FALSE(port.locked);
  EXPECT_EQ(port.vlans, (Vlans{{1, false, true}, {10}, {11}, {12}, {20, true, true}}));
}

TEST(BridgePorts, TheBridgeItselfIsAMemberToo) {
  const auto event = ParseBridgePort(Captured(captured::kBridgeItself).header());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->value.ifindex, event->value.bridge);
  EXPECT_EQ(event->value.vlans, (Vlans{{1, true, true}, {10}}));
}

TEST(BridgePorts, ANotificationShowsVlansAsRanges) {
  const auto event = ParseBridgePort(Captured(captured::kVlanTaken).header());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->value.vlans, (Vlans{{1, false, true}, {10}, {11}, {20, true, true}}));
}

TEST(BridgePorts, APortThatLeavesIsGone) {
  const auto event = ParseBridgePort(Captured(captured::kLeftBridge).header());
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->removed);
  EXPECT_EQ(event->value.bridge, 2u);
}

TEST(BridgePorts, AnOrdinaryLinkIsNone) {
  EXPECT_EQ(ParseBridgePort(Captured(captured::kBridgePort).header()).error().code, EAFNOSUPPORT);
}

TEST(Stations, AreReadAsTheKernelShowsThem) {
  const auto event = ParseFdbEntry(Captured(captured::kStation).header());
  ASSERT_TRUE(event) << ToString(event.error());
  EXPECT_FALSE(event->removed);
  EXPECT_EQ(event->value, (FdbEntry{4, 2, *MacAddress::Parse("02:00:00:00:00:99"), 10, false, true}));
  const auto gone = ParseFdbEntry(Captured(captured::kStationGone).header());
  ASSERT_TRUE(gone);
  EXPECT_TRUE(gone->removed);
  EXPECT_EQ(gone->value, event->value);
}

TEST(Stations, OfTheMachineItselfAreLocal) {
  const auto event = ParseFdbEntry(Captured(captured::kLocalStation).header());
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->value.local);
  EXPECT_EQ(event->value.ifindex, event->value.bridge);
  EXPECT_FALSE(event->value.learned);
  EXPECT_EQ(event->value.vlan, 0);
}

TEST(Stations, OneThatIsNotLetInIsLocked) {
  MessageBuffer buffer;
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = 4;
  buffer.Begin(RTM_NEWNEIGH, 0, 0, header);
  buffer.PutMac(NDA_LLADDR, *MacAddress::Parse("02:00:00:00:00:99"));
  buffer.PutU32(NDA_MASTER, 2);
  buffer.PutU32(NDA_FLAGS_EXT, 1u << 0);
  EXPECT_FALSE(ParseFdbEntry(buffer.header(0))->value.locked);
  buffer.PutU32(NDA_FLAGS_EXT, 1u << 1);
  EXPECT_TRUE(ParseFdbEntry(buffer.header(0))->value.locked);
}

TEST(BridgeVlans, ThoseThatDoNotForwardAreHalted) {
  MessageBuffer buffer;
  br_vlan_msg header{};
  header.family = AF_BRIDGE;
  header.ifindex = 4;
  buffer.Begin(RTM_NEWVLAN, 0, 1, header);
  const auto entry = [&](std::uint16_t first, std::uint16_t last, std::uint8_t state) {
    const Nest nest(buffer, BRIDGE_VLANDB_ENTRY);
    buffer.PutValue(BRIDGE_VLANDB_ENTRY_INFO, bridge_vlan_info{0, first});
    if (last != first) buffer.PutU16(BRIDGE_VLANDB_ENTRY_RANGE, last);
    buffer.PutU8(BRIDGE_VLANDB_ENTRY_STATE, state);
  };
  entry(1, 1, BR_STATE_FORWARDING);
  entry(10, 20, BR_STATE_BLOCKING);
  entry(30, 30, BR_STATE_LEARNING);
  const auto halts = ParseVlanHalts(*reinterpret_cast<const nlmsghdr*>(buffer.bytes().data()));
  ASSERT_TRUE(halts);
  EXPECT_EQ(*halts, (std::vector<VlanHalt>{{4, 10, 20}, {4, 30, 30}}));
  EXPECT_EQ(ParseVlanHalts(Captured(captured::kNeighV4).header()).error().code, EAFNOSUPPORT);
}

TEST(Stations, WhatADeviceFiltersForItselfIsNone) {
  EXPECT_EQ(ParseFdbEntry(Captured(captured::kSelfStation).header()).error().code, EAFNOSUPPORT);
  EXPECT_EQ(ParseFdbEntry(Captured(captured::kNeighV4).header()).error().code, EAFNOSUPPORT);
}

TEST(Stations, AUseSaysThatOneHasSentAtAPort) {
  MessageBuffer buffer;
  AppendFdbUse(buffer, 7, 4, *MacAddress::Parse("02:00:00:00:00:99"), 10);
  EXPECT_EQ(ToHex(buffer.bytes()),
            "30000000"  // as rtnetlink wants it of: bridge fdb replace 02:00:00:00:00:99 dev v0 master use vlan 10
            "1c000100"
            "07000000"
            "00000000"
            "07000000"
            "04000000"
            "02000500"
            "0a000200"
            "020000000099"
            "0000"
            "06000500"
            "0a000000");
}

}  // namespace
}  // namespace dpuflow::netlink
