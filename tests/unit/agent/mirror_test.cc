// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/mirror.h"

#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/neighbour.h>

#include <algorithm>

namespace dpuflow::kernel {
namespace {

using netlink::Event;

netlink::Neigh Neigh(std::uint16_t state, const char* mac = "0a:00:00:00:00:01") {
  return {5, IpAddress::V4(10, 0, 0, 1), *MacAddress::Parse(mac), state, 0};
}

TEST(NeighMirror, ReachableToStaleIsNoChange) {
  NeighMirror mirror;
  EXPECT_EQ(mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_REACHABLE)}).size(), 1u);
  EXPECT_TRUE(mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_STALE)}).empty());
  EXPECT_TRUE(mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_PROBE)}).empty());
}

TEST(NeighMirror, ANewMacFailureAndRemovalAreChanges) {
  NeighMirror mirror;
  (void)mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_REACHABLE)});
  EXPECT_EQ(mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_REACHABLE, "0a:00:00:00:00:02")}).size(), 1u);
  EXPECT_EQ(mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_FAILED)}).size(), 1u);
  EXPECT_EQ(mirror.Find({5, IpAddress::V4(10, 0, 0, 1)})->state, NUD_FAILED);
  EXPECT_TRUE(mirror.Apply({Neigh(NUD_FAILED), true}).empty()) << "it was of no use before";
  EXPECT_EQ(mirror.size(), 0u);
}

TEST(NeighMirror, AnIncompleteEntryThatWasUnknownIsNoChange) {
  NeighMirror mirror;
  EXPECT_TRUE(mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_INCOMPLETE)}).empty());
}

TEST(NeighMirror, OnlyAStaleNeighbourOfTheKernelsOwnCanBeRefreshed) {
  const flow::NeighKey key{5, IpAddress::V4(10, 0, 0, 1)};
  NeighMirror mirror;
  EXPECT_FALSE(mirror.CanBeRefreshed(key)) << "not there";
  for (const int state : {NUD_REACHABLE, NUD_DELAY, NUD_PROBE, NUD_PERMANENT, NUD_NOARP, NUD_INCOMPLETE, NUD_FAILED}) {
    (void)mirror.Apply(Event<netlink::Neigh>{Neigh(static_cast<std::uint16_t>(state))});
    EXPECT_FALSE(mirror.CanBeRefreshed(key)) << state;
  }
  (void)mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_STALE)});
  EXPECT_TRUE(mirror.CanBeRefreshed(key));
  EXPECT_FALSE(mirror.CanBeRefreshed({6, key.address})) << "another device's";

  netlink::Neigh learned = Neigh(NUD_STALE);
  learned.flags = NTF_EXT_LEARNED;
  netlink::Neigh managed = Neigh(NUD_STALE);
  managed.flags_ext = NTF_EXT_MANAGED;
  for (const netlink::Neigh& of_others : {learned, managed}) {
    (void)mirror.Reset({of_others});
    EXPECT_FALSE(mirror.CanBeRefreshed(key));
  }
  (void)mirror.Reset({Neigh(NUD_STALE)});
  EXPECT_TRUE(mirror.CanBeRefreshed(key));
  (void)mirror.Apply({Neigh(NUD_STALE), true});
  EXPECT_FALSE(mirror.CanBeRefreshed(key)) << "gone";
}

TEST(NeighMirror, AResetSaysWhatDiffers) {
  NeighMirror mirror;
  (void)mirror.Apply(Event<netlink::Neigh>{Neigh(NUD_REACHABLE)});
  EXPECT_TRUE(mirror.Reset({Neigh(NUD_STALE)}).empty());
  EXPECT_EQ(mirror.Reset({}).size(), 1u);
  EXPECT_TRUE(mirror.Reset({Neigh(NUD_NOARP)}).empty()) << "the kernel makes such entries without a word";
}

netlink::Link Link(std::uint32_t ifindex, std::uint32_t flags = 1) {
  netlink::Link link;
  link.ifindex = ifindex;
  link.name = "p0";
  link.flags = flags;
  link.mtu = 1500;
  return link;
}

TEST(LinkMirror, OnlyWhatFlowsSeeIsAChange) {
  LinkMirror mirror;
  EXPECT_EQ(mirror.Apply(Event<netlink::Link>{Link(3)}).size(), 1u);
  netlink::Link renamed = Link(3);
  renamed.name = "uplink";
  EXPECT_TRUE(mirror.Apply(Event<netlink::Link>{renamed}).empty());
  EXPECT_EQ(mirror.Name(3), "uplink");
  EXPECT_EQ(mirror.Apply(Event<netlink::Link>{Link(3, 0)}).size(), 1u) << "down";
  netlink::Link small = Link(3, 0);
  small.mtu = 1400;
  EXPECT_EQ(mirror.Apply(Event<netlink::Link>{small}).size(), 1u);
  EXPECT_EQ(mirror.Apply({Link(3), true}).size(), 1u);
  EXPECT_EQ(mirror.Name(3), "if3");
}

TEST(LinkMirror, SettingsOfADeviceThatIsDownCountWhenItGoesUp) {
  LinkMirror mirror;
  netlink::Link device = Link(3, 0);
  device.vlan.emplace().id = 100;
  (void)mirror.Reset({device});
  device.vlan->maps_egress_priority = true;
  EXPECT_TRUE(mirror.Reset({device}).empty()) << "the kernel does not say it";
  device.flags = IFF_UP;
  EXPECT_FALSE(mirror.Apply(Event<netlink::Link>{device}).empty());
  EXPECT_TRUE(mirror.Find(3)->vlan->maps_egress_priority);
  device.vlan->maps_egress_priority = false;
  EXPECT_FALSE(mirror.Reset({device}).empty());
}

TEST(LinkMirror, ALinkThatIsBackMayBeABetterWayForAnyFlow) {
  constexpr std::uint32_t kUp = 0x1, kUpWithCarrier = 0x10001;  // IFF_UP, IFF_LOWER_UP
  const auto everything = [](const Changes& changes) {
    return std::ranges::any_of(
        changes, [](const flow::Change& change) { return std::holds_alternative<flow::EverythingChanged>(change); });
  };
  LinkMirror mirror;
  EXPECT_FALSE(everything(mirror.Apply(Event<netlink::Link>{Link(3, kUpWithCarrier)})))
      << "new: its routes come by events";
  EXPECT_FALSE(everything(mirror.Apply(Event<netlink::Link>{Link(3, kUp)}))) << "its own flows only";
  EXPECT_TRUE(everything(mirror.Apply(Event<netlink::Link>{Link(3, kUpWithCarrier)})));
  (void)mirror.Apply(Event<netlink::Link>{Link(3, kUp)});
  EXPECT_TRUE(everything(mirror.Reset({Link(3, kUpWithCarrier)})));
  EXPECT_FALSE(everything(mirror.Reset({Link(3, kUpWithCarrier)}))) << "still there";
}

TEST(LinkMirror, AResetFindsWhatCameWentAndChanged) {
  LinkMirror mirror;
  (void)mirror.Reset({Link(3), Link(4), Link(5)});
  EXPECT_EQ(mirror.Reset({Link(4), Link(5, 0), Link(6)}).size(), 3u);  // 5 down, 6 new, 3 gone
}

TEST(AddressMirror, OwnAddressesAreMartianSources) {
  AddressMirror mirror;
  const netlink::Address address{3, IpAddress::V4(10, 0, 7, 1), 24, 0, 0};
  EXPECT_EQ(mirror.Apply(Event<netlink::Address>{address}).size(), 1u);
  EXPECT_TRUE(mirror.Apply(Event<netlink::Address>{address}).empty()) << "a repeated announcement";
  const auto everywhere = [](std::uint32_t) { return true; };
  const auto martians = mirror.Martians(everywhere);
  EXPECT_NE(std::ranges::find(martians, IpPrefix::Host(address.local)), martians.end());
  EXPECT_NE(std::ranges::find(martians, *IpPrefix::Parse("127.0.0.0/8")), martians.end());
  EXPECT_EQ(mirror.Apply({address, true}).size(), 2u) << "its own route, and those that prefer it as their source";
  EXPECT_EQ(std::ranges::count_if(mirror.Martians(everywhere), [](const IpPrefix& p) { return p.address.is_v4(); }), 3);
}

TEST(AddressMirror, AnAddressOfAnotherRoutingDomainIsNoMartian) {
  AddressMirror mirror;
  const netlink::Address address{3, IpAddress::V4(10, 0, 7, 1), 24, 0, 0};
  (void)mirror.Apply(Event<netlink::Address>{address});
  const auto martians = mirror.Martians([](std::uint32_t ifindex) { return ifindex != 3; });
  EXPECT_EQ(std::ranges::find(martians, IpPrefix::Host(address.local)), martians.end());
}

TEST(NexthopMirror, AGroupHasItsMembersAsLongAsTheyAreThere) {
  NexthopMirror mirror;
  EXPECT_EQ(mirror.Reset({{.id = 11, .ifindex = 2}, {.id = 12, .ifindex = 3}, {.id = 20, .group = {11, 12}}}).size(),
            3u);
  EXPECT_EQ(mirror.Members(20).size(), 3u);
  EXPECT_EQ(mirror.Apply({{.id = 12}, true}).size(), 1u);
  EXPECT_EQ(mirror.Members(20).size(), 2u);
  EXPECT_EQ(mirror.Members(11).size(), 1u);
  EXPECT_TRUE(mirror.Members(99).empty());
  EXPECT_TRUE(mirror.Reset({{.id = 11, .ifindex = 2}, {.id = 20, .group = {11, 12}}}).empty()) << "nothing new";
}

TEST(NexthopMirror, KnowsTheResilientGroupsThatHaveATimer) {
  using std::chrono::seconds;
  NexthopMirror mirror;
  mirror.Reset({{.id = 11, .ifindex = 2},
                {.id = 20, .group = {11}},
                {.id = 21, .group = {11}, .resilient = true, .idle_timer = seconds(120)},
                {.id = 22, .group = {11}, .resilient = true}});
  ASSERT_EQ(mirror.Resilient().size(), 1u);
  EXPECT_EQ(mirror.Resilient()[0].id, 21u);
  mirror.Apply({{.id = 21}, true});
  EXPECT_TRUE(mirror.Resilient().empty());
}

TEST(SpecialRouteMirror, RoutesForATosConcernTheirDestinationsUntilTheyGo) {
  SpecialRouteMirror mirror;
  netlink::Route route;
  route.destination = *IpPrefix::Parse("192.0.2.0/24");
  route.tos = 0x10;
  EXPECT_EQ(mirror.Apply({route, false}).size(), 1u);
  EXPECT_TRUE(mirror.Apply({route, false}).empty()) << "a repeated announcement";
  EXPECT_TRUE(mirror.LooksAtTos(IpAddress::V4(192, 0, 2, 7)));
  EXPECT_FALSE(mirror.LooksAtTos(IpAddress::V4(192, 0, 3, 7)));
  EXPECT_EQ(mirror.Apply({route, true}).size(), 1u);
  EXPECT_FALSE(mirror.LooksAtTos(IpAddress::V4(192, 0, 2, 7)));
  EXPECT_EQ(mirror.Reset({route}).size(), 1u);
  EXPECT_TRUE(mirror.Reset({route}).empty());
}

TEST(SpecialRouteMirror, ARouteWithAnMtuCountsUntilOneWithoutTakesItsPlace) {
  SpecialRouteMirror mirror;
  netlink::Route route;
  route.destination = *IpPrefix::Parse("2001:db8::/32");
  route.mtu = 1300;
  EXPECT_EQ(mirror.Apply({route, false}).size(), 1u);
  EXPECT_TRUE(mirror.any_with_mtu(Family::kIpv6));
  EXPECT_FALSE(mirror.any_with_mtu(Family::kIpv4));
  EXPECT_FALSE(mirror.any_with_tos());
  route.mtu = 0;
  EXPECT_EQ(mirror.Apply({route, false}).size(), 1u);
  EXPECT_FALSE(mirror.any_with_mtu(Family::kIpv6));
  EXPECT_TRUE(mirror.Apply({route, false}).empty()) << "an ordinary route";
}

TEST(RuleMirror, OneOfTwoThatLookTheSameGoesAtATime) {
  RuleMirror mirror;
  netlink::Rule rule;
  rule.family = Family::kIpv4;
  (void)mirror.Apply({rule, false});
  (void)mirror.Apply({rule, false});
  EXPECT_EQ(mirror.all().size(), 2u);
  (void)mirror.Apply({rule, true});
  EXPECT_EQ(mirror.all().size(), 1u);
}

TEST(RuleMirror, AResetThatSaysTheSameIsNoNews) {
  RuleMirror mirror;
  netlink::Rule first, second;
  first.priority = 100;
  second.priority = 200;
  (void)mirror.Apply({second, false});
  (void)mirror.Apply({first, false});
  EXPECT_TRUE(mirror.Reset({first, second}).empty());
  EXPECT_FALSE(mirror.Reset({first}).empty());
  EXPECT_EQ(mirror.all().size(), 1u);
}

}  // namespace
}  // namespace dpuflow::kernel
