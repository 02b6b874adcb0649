// SPDX-License-Identifier: Apache-2.0
#include "netlink/rtnl.h"

#include <gtest/gtest.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "bytes.h"
#include "captured_rtnl.h"

namespace dpuflow::netlink {
namespace {

TEST(Links, ABridgePortIsReadAsTheKernelShowsIt) {
  const auto event = ParseLink(Captured(captured::kBridgePort).header());
  ASSERT_TRUE(event) << ToString(event.error());
  const Link& link = event->value;
  EXPECT_FALSE(event->removed);
  EXPECT_EQ(link.ifindex, 6u);
  EXPECT_EQ(link.name, "v2");
  EXPECT_EQ(link.arphrd, ARPHRD_ETHER);
  EXPECT_EQ(link.mtu, 1500u);
  EXPECT_EQ(link.master, 4u);
  EXPECT_EQ(link.kind, "veth");
  EXPECT_EQ(link.slave_kind, "bridge");
  EXPECT_TRUE(link.is_up());
  EXPECT_TRUE(link.has_carrier());
  EXPECT_FALSE(link.address.is_zero());
}

TEST(Links, ABridgeIsReadAsTheKernelShowsIt) {
  const auto event = ParseLink(Captured(captured::kBridge).header());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->value.name, "br0");
  EXPECT_EQ(event->value.kind, "bridge");
  EXPECT_EQ(event->value.master, 0u);
}

MessageBuffer LinkMessage(std::uint16_t type, std::uint8_t family) {
  ifinfomsg header{};
  header.ifi_family = family;
  header.ifi_index = 9;
  MessageBuffer buffer;
  buffer.Begin(type, 0, 1, header);
  return buffer;
}

TEST(Links, ARepresentorHasASwitchAndAPort) {
  MessageBuffer buffer = LinkMessage(RTM_NEWLINK, AF_UNSPEC);
  buffer.Put(IFLA_PHYS_SWITCH_ID, FromHex("00a1b2c3d4e5f6ff"));
  buffer.PutString(IFLA_PHYS_PORT_NAME, "c1pf0vf3");
  const auto event = ParseLink(buffer.header(0));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->value.switch_id, "00a1b2c3d4e5f6ff");
  EXPECT_EQ(event->value.phys_port_name, "c1pf0vf3");
}

TEST(Links, APeerInAnotherNamespaceIsNoLowerDevice) {
  MessageBuffer buffer = LinkMessage(RTM_NEWLINK, AF_UNSPEC);
  buffer.PutU32(IFLA_LINK, 3);
  EXPECT_EQ(ParseLink(buffer.header(0))->value.lower, 3u);
  buffer.PutU32(IFLA_LINK_NETNSID, 0);
  EXPECT_EQ(ParseLink(buffer.header(0))->value.lower, 0u);
}

TEST(Links, SomeTakeMoreOfTheirLowerDeviceThanTheirOwnFrames) {
  const auto taps = [](const char* kind, std::uint32_t macvlan_mode) {
    MessageBuffer buffer = LinkMessage(RTM_NEWLINK, AF_UNSPEC);
    {
      const Nest info(buffer, IFLA_LINKINFO);
      buffer.PutString(IFLA_INFO_KIND, kind);
      const Nest data(buffer, IFLA_INFO_DATA);
      buffer.PutU32(IFLA_MACVLAN_MODE, macvlan_mode);
    }
    return ParseLink(buffer.header(0))->value.taps_lower;
  };
  EXPECT_FALSE(taps("macvlan", MACVLAN_MODE_BRIDGE));
  EXPECT_TRUE(taps("macvlan", MACVLAN_MODE_PASSTHRU));
  EXPECT_TRUE(taps("macvtap", MACVLAN_MODE_PASSTHRU));
  EXPECT_TRUE(taps("macvlan", MACVLAN_MODE_SOURCE));
  EXPECT_TRUE(taps("ipvlan", 0));
  EXPECT_FALSE(taps("vlan", MACVLAN_MODE_PASSTHRU));
}

TEST(Links, AnAddressThatIsNoMacIsNoFault) {
  MessageBuffer buffer = LinkMessage(RTM_NEWLINK, AF_UNSPEC);
  buffer.Put(IFLA_ADDRESS, FromHex("0a000001"));  // a tunnel's
  const auto event = ParseLink(buffer.header(0));
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->value.address.is_zero());
}

TEST(Links, LeavingABridgeIsNotTheEndOfTheLink) {
  const MessageBuffer bridge = LinkMessage(RTM_DELLINK, AF_BRIDGE);
  EXPECT_EQ(ParseLink(bridge.header(0)).error().code, EAFNOSUPPORT);
  const MessageBuffer gone = LinkMessage(RTM_DELLINK, AF_UNSPEC);
  EXPECT_TRUE(ParseLink(gone.header(0))->removed);
}

TEST(Links, AMessageOfAnotherKindIsRefused) {
  EXPECT_EQ(ParseLink(Captured(captured::kAddressV4).header()).error().code, EINVAL);
}

TEST(Addresses, AreReadInBothFamilies) {
  const auto v4 = ParseAddress(Captured(captured::kAddressV4).header());
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->value.local, IpAddress::V4(10, 0, 0, 1));
  EXPECT_EQ(v4->value.prefix_length, 24);
  EXPECT_EQ(v4->value.ifindex, 3u);
  const auto v6 = ParseAddress(Captured(captured::kAddressV6).header());
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->value.local, *IpAddress::Parse("fe80::3ce2:47ff:fe40:64cc"));
  EXPECT_EQ(v6->value.scope, RT_SCOPE_LINK);
}

TEST(Addresses, OfAPointToPointLinkOursIsTheLocalOne) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 32;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWADDR, 0, 1, header);
  buffer.PutIp(IFA_ADDRESS, IpAddress::V4(10, 0, 0, 2));
  buffer.PutIp(IFA_LOCAL, IpAddress::V4(10, 0, 0, 1));
  EXPECT_EQ(ParseAddress(buffer.header(0))->value.local, IpAddress::V4(10, 0, 0, 1));
}

TEST(Addresses, ALengthBeyondTheFamilyIsMalformed) {
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = 33;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWADDR, 0, 1, header);
  buffer.PutIp(IFA_LOCAL, IpAddress::V4(10, 0, 0, 1));
  EXPECT_EQ(ParseAddress(buffer.header(0)).error().code, EBADMSG);
}

TEST(Neighbours, AreReadInBothFamilies) {
  const auto v4 = ParseNeigh(Captured(captured::kNeighV4).header());
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->value, (Neigh{.ifindex = 3,
                              .address = IpAddress::V4(10, 0, 0, 2),
                              .lladdr = *MacAddress::Parse("02:00:00:00:00:22"),
                              .state = NUD_PERMANENT}));
  const auto v6 = ParseNeigh(Captured(captured::kNeighV6).header());
  ASSERT_TRUE(v6);
  EXPECT_TRUE(v6->value.address.is_v6());
  EXPECT_EQ(v6->value.state, NUD_NOARP);
}

TEST(Neighbours, TheBridgesTableIsAnotherFamily) {
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWNEIGH, 0, 1, header);
  EXPECT_EQ(ParseNeigh(buffer.header(0)).error().code, EAFNOSUPPORT);
}

TEST(Neighbours, OneWithoutAddressYetHasNoMac) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_state = NUD_INCOMPLETE;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWNEIGH, 0, 1, header);
  buffer.PutIp(NDA_DST, IpAddress::V4(10, 0, 0, 9));
  EXPECT_TRUE(ParseNeigh(buffer.header(0))->value.lladdr.is_zero());
}

TEST(Neighbours, OneThatTheKernelManagesIsSeen) {
  ndmsg header{};
  header.ndm_family = AF_INET;
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWNEIGH, 0, 1, header);
  buffer.PutIp(NDA_DST, IpAddress::V4(10, 0, 0, 9));
  buffer.PutU32(NDA_FLAGS_EXT, NTF_EXT_MANAGED);
  EXPECT_EQ(ParseNeigh(buffer.header(0))->value.flags_ext, unsigned{NTF_EXT_MANAGED});
}

// As `ip neigh get 10.0.0.2 dev DEV` sends it, but for the sequence number.
TEST(Neighbours, OneIsAskedFor) {
  MessageBuffer buffer;
  AppendNeighQuery(buffer, 7, 3, IpAddress::V4(10, 0, 0, 2));
  EXPECT_EQ(ToHex(buffer.bytes()),
            "240000001e000100"
            "0700000000000000"
            "0200000003000000"
            "00000000"
            "080001000a000002");
}

// Neither NLM_F_CREATE (0x400) nor NLM_F_REPLACE (0x100), and no state: nothing is made or overwritten by it.
TEST(Neighbours, AUseIsToldInBothFamilies) {
  MessageBuffer buffer;
  AppendNeighUse(buffer, 7, 3, IpAddress::V4(10, 0, 0, 2));
  EXPECT_EQ(ToHex(buffer.bytes()),
            "240000001c000100"
            "0700000000000000"
            "0200000003000000"
            "00000100"
            "080001000a000002");
  buffer.Clear();
  AppendNeighUse(buffer, 8, 3, *IpAddress::Parse("2001:db8::2"));
  EXPECT_EQ(ToHex(buffer.bytes()),
            "300000001c000100"
            "0800000000000000"
            "0a00000003000000"
            "00000100"
            "1400010020010db8000000000000000000000002");
}

TEST(Qdiscs, ClsactIsRecognised) {
  const auto event = ParseQdisc(Captured(captured::kClsact).header());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->value, (Qdisc{.ifindex = 3, .handle = 0xffff0000, .parent = 0xfffffff1, .kind = "clsact"}));
}

TEST(Qdiscs, ASharedBlockIsSeen) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWQDISC, 0, 1, tcmsg{});
  buffer.PutString(TCA_KIND, "clsact");
  buffer.PutU32(TCA_INGRESS_BLOCK, 22);
  EXPECT_EQ(ParseQdisc(buffer.header(0))->value.ingress_block, 22u);
}

// As `tc qdisc add dev DEV clsact` sends it, but for the sequence number.
TEST(Qdiscs, ClsactIsAskedForAsTcDoes) {
  MessageBuffer buffer;
  AppendClsactAdd(buffer, 7, 3);
  EXPECT_EQ(ToHex(buffer.bytes()),
            "3000000024000106"
            "0700000000000000"
            "0000000003000000"
            "0000fffff1ffffff"
            "00000000"
            "0b000100636c736163740000");
}

// As `tc chain add dev DEV ingress chain 6582389` sends it, but for the sequence number.
TEST(Chains, OneIsAddedAsTcDoes) {
  MessageBuffer buffer;
  AppendFilterChainAdd(buffer, 7, 3, 0xfffffff2, 6582389);
  EXPECT_EQ(ToHex(buffer.bytes()),
            "2c00000064000106"
            "0700000000000000"
            "0000000003000000"
            "00000000f2ffffff"
            "00000000"
            "08000b0075706400");
}

TEST(Chains, TheirNumberIsRead) {
  MessageBuffer buffer;
  AppendFilterChainAdd(buffer, 7, 3, 0xfffffff2, 5);
  EXPECT_EQ(*ParseFilterChain(buffer.header(0)), 5u);
}

TEST(Chains, OneWithoutANumberIsMalformed) {
  MessageBuffer buffer;
  AppendFilterChainDump(buffer, 7, 3, 0xfffffff2);
  const auto other = ParseFilterChain(buffer.header(0));  // RTM_GETCHAIN
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, EINVAL);
  MessageBuffer bare;
  bare.Begin(RTM_NEWCHAIN, 0, 1, tcmsg{});
  EXPECT_EQ(ParseFilterChain(bare.header(0)).error().code, EBADMSG);
}

}  // namespace
}  // namespace dpuflow::netlink
