// SPDX-License-Identifier: Apache-2.0
//
// A bridge with three ports of the switch, made up: which lanes there are, what routing has of them, and what the bridge
// would do with a packet.
#include "agent/kernel/bridging.h"

#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_bridge.h>

namespace dpuflow::kernel {
namespace {

using flow::kUntagged;
using flow::LaneId;
using flow::Why;
using Verdict = flow::Answer::Verdict;

constexpr std::uint32_t kBridge = 50;
constexpr std::uint32_t kPod = 7, kOtherPod = 8, kUplink = 2;
const MacAddress kPodMac = *MacAddress::Parse("0a:00:00:00:00:07");
const MacAddress kOtherMac = *MacAddress::Parse("0a:00:00:00:00:08");
const MacAddress kBridgeMac = *MacAddress::Parse("02:00:00:00:00:50");

class Bridging : public testing::Test {
 protected:
  Bridging() {
    for (const auto& [ifindex, name] : {std::pair(kUplink, "p0"), {kPod, "pf0vf0"}, {kOtherPod, "pf0vf1"}}) {
      AddLink(ifindex, name).master = ifindex == kUplink ? 0 : kBridge;
      ports[ifindex] = {.name = name, .ready = true, .largest_packet = 1500, .mtu = 1500};
    }
    netlink::Link& bridge = AddLink(kBridge, "br0");
    bridge.kind = "bridge";
    bridge.bridge = netlink::BridgeInfo{.filters_vlans = false, .protocol = 0x8100};
    bridge.address = kBridgeMac;
    for (const std::uint32_t port : {kPod, kOtherPod}) Join(port);
    Learn(kPodMac, kPod);
    Learn(kOtherMac, kOtherPod);
    Own(kBridgeMac);
    question.miss.port = kPod;
    question.miss.source_mac = kPodMac;
    question.miss.destination_mac = kOtherMac;
    question.miss.source = IpAddress::V4(10, 5, 0, 10);
    question.miss.destination = IpAddress::V4(10, 5, 0, 11);
  }

  netlink::Link& AddLink(std::uint32_t ifindex, const char* name) {
    netlink::Link& link = links_by_ifindex[ifindex];
    link.ifindex = ifindex;
    link.name = name;
    link.flags = IFF_UP;
    link.mtu = 1500;
    return link;
  }
  netlink::BridgePort& Join(std::uint32_t ifindex) {
    netlink::BridgePort& port = bridge_ports[ifindex];
    port.ifindex = ifindex;
    port.bridge = kBridge;
    port.state = BR_STATE_FORWARDING;
    return port;
  }
  netlink::Link& AddVlan(std::uint32_t ifindex, const char* name, std::uint32_t lower, std::uint16_t id) {
    netlink::Link& link = AddLink(ifindex, name);
    link.kind = "vlan";
    link.lower = lower;
    link.vlan = {.id = id, .protocol = 0x8100, .maps_egress_priority = false};
    return link;
  }
  void Learn(const MacAddress& mac, std::uint32_t port, std::uint16_t vlan = 0) {
    (void)tables.bridges.Apply(netlink::Event<netlink::FdbEntry>{{port, kBridge, mac, vlan, false}});
  }
  // The bridge takes frames to this MAC for itself.
  void Own(const MacAddress& mac, std::uint16_t vlan = 0) {
    (void)tables.bridges.Apply(netlink::Event<netlink::FdbEntry>{{kBridge, kBridge, mac, vlan, true}});
  }
  // From here on the bridge looks at VLANs; a pod's port has VLAN 10 without a tag, the other's with one.
  void FilterVlans() {
    links_by_ifindex[kBridge].bridge->filters_vlans = true;
    bridge_ports[kPod].vlans = {{10, true, true}};
    bridge_ports[kOtherPod].vlans = {{10, false, false}, {20, true, true}};
    Join(kBridge).vlans = {{10, false, false}};
    AddVlan(60, "br0.10", kBridge, 10).address = kBridgeMac;
    Learn(kPodMac, kPod, 10);
    Learn(kOtherMac, kOtherPod, 10);
    Own(kBridgeMac, 10);
  }

  Topology MakeTopology() {
    for (const auto& [ifindex, link] : links_by_ifindex) (void)tables.links.Apply({link});
    for (const auto& [ifindex, port] : bridge_ports)
      (void)tables.bridges.Apply(netlink::Event<netlink::BridgePort>{port});
    return Topology({kUplink, kPod, kOtherPod}, tables.links, tables.bridges);
  }
  flow::Answer Ask() {
    const Topology topology = MakeTopology();
    const DecisionContext context{ports, topology, reach, tables, hash, hash, bridge_netfilter};
    EXPECT_TRUE(IsBridged(question.miss, topology));
    return DecideBridged(question, nullptr, context, settings);
  }
  void ExpectSoftware(Why why) {
    const flow::Answer answer = Ask();
    EXPECT_EQ(answer.verdict, Verdict::kSoftware);
    EXPECT_EQ(answer.reason.why, why) << answer.reason.text;
  }

  std::map<std::uint32_t, netlink::Link> links_by_ifindex;
  std::map<std::uint32_t, netlink::BridgePort> bridge_ports;
  DecisionPorts ports;
  Reach reach;
  Tables tables;
  HashPolicy hash;
  DecisionSettings settings;
  flow::Question question;
  bool bridge_netfilter = false;
};

// ---- topology --------------------------------------------------------------------------------------------------------

TEST_F(Bridging, UntaggedPacketsOfAPortEnterAtItsBridge) {
  const Topology topology = MakeTopology();
  const LaneView* lane = topology.Find(LaneId{kPod, kUntagged});
  ASSERT_NE(lane, nullptr);
  EXPECT_EQ(lane->domain, (BridgeDomain{kBridge, 0}));
  ASSERT_TRUE(lane->interface);
  EXPECT_EQ(lane->interface->ifindex, kBridge);
  EXPECT_EQ(topology.At({kUplink, kUntagged})->ifindex, kUplink);
}

TEST_F(Bridging, ATagIsPartOfWhatABridgeHandsOnThatDoesNotLookAtIt) {
  const Topology topology = MakeTopology();
  const LaneView* lane = topology.Find(LaneId{kPod, 10});
  ASSERT_NE(lane, nullptr);
  EXPECT_EQ(lane->id.vlan, flow::kAnyVlan);
  EXPECT_EQ(lane->domain, (BridgeDomain{kBridge, 0}));
  EXPECT_FALSE(lane->interface) << "the bridge's own interface has no tag";
  EXPECT_EQ(lane->TagInside(10), 10);
}

TEST_F(Bridging, AVlanDeviceOnTheBridgeRoutesItsTagAtEachPort) {
  AddVlan(60, "br0.9", kBridge, 9).address = kBridgeMac;
  Own(kBridgeMac);
  const Topology topology = MakeTopology();
  for (const std::uint32_t port : {kPod, kOtherPod}) {
    ASSERT_NE(topology.At({port, 9}), nullptr);
    EXPECT_EQ(topology.At({port, 9})->name, "br0.9");
    EXPECT_EQ(topology.At({port, 10}), nullptr);
  }
  ASSERT_NE(topology.Find(60), nullptr);
  EXPECT_EQ(topology.Find(60)->domain, (BridgeDomain{kBridge, 0}));
  EXPECT_EQ(topology.Find(60)->tag, 9);
}

TEST_F(Bridging, AVlanDeviceOnAPortTakesItsTagAwayFromTheBridge) {
  AddVlan(60, "br0.9", kBridge, 9).address = kBridgeMac;
  Own(kBridgeMac);
  for (const bool up : {true, false}) {
    netlink::Link& vlan = AddVlan(70, "pf0vf0.9", kPod, 9);
    vlan.master = 99;  // of somebody
    if (!up) vlan.flags = 0;
    const Topology topology = MakeTopology();
    ASSERT_NE(topology.Find(LaneId{kPod, 9}), nullptr);
    EXPECT_FALSE(topology.Find(LaneId{kPod, 9})->domain);
    EXPECT_FALSE(topology.Find(LaneId{kPod, 9})->interface);
    EXPECT_TRUE(topology.Find(LaneId{kPod, 10})->domain);
    EXPECT_TRUE(topology.Find(LaneId{kOtherPod, 9})->domain);
  }
}

TEST_F(Bridging, AVlanDeviceOnAPortTakesItsVlanAwayFromABridgeThatLooksAtVlansToo) {
  FilterVlans();
  AddVlan(70, "pf0vf1.10", kOtherPod, 10).flags = 0;
  const Topology topology = MakeTopology();
  ASSERT_NE(topology.Find(LaneId{kOtherPod, 10}), nullptr);
  EXPECT_TRUE(topology.Find(LaneId{kOtherPod, 10})->leads_nowhere());
  EXPECT_EQ(topology.LeavesBy(kOtherPod, {kBridge, 10}), (LaneId{kOtherPod, 10})) << "frames leave as before";
  EXPECT_TRUE(topology.Find(LaneId{kOtherPod, kUntagged})->domain);
}

TEST_F(Bridging, EachVlanOfAPortIsALaneOfItsDomain) {
  FilterVlans();
  const Topology topology = MakeTopology();
  EXPECT_EQ(topology.At({kPod, kUntagged})->name, "br0.10");
  EXPECT_EQ(topology.At({kPod, 10})->name, "br0.10") << "the PVID is accepted with its tag, too";
  EXPECT_EQ(topology.At({kOtherPod, 10})->name, "br0.10");
  EXPECT_EQ(topology.At({kOtherPod, kUntagged}), nullptr) << "nothing routes for VLAN 20";
  EXPECT_EQ(topology.Find(LaneId{kOtherPod, kUntagged})->domain, (BridgeDomain{kBridge, 20}));
  EXPECT_EQ(topology.LeavesBy(kPod, {kBridge, 10}), (LaneId{kPod, kUntagged}));
  EXPECT_EQ(topology.LeavesBy(kOtherPod, {kBridge, 10}), (LaneId{kOtherPod, 10}));
  EXPECT_EQ(topology.LeavesBy(kPod, {kBridge, 20}), std::nullopt);
}

TEST_F(Bridging, FramesToAMacThatTheBridgeDoesNotKnowForItsOwnAreFlooded) {
  FilterVlans();
  links_by_ifindex[60].address = *MacAddress::Parse("02:00:00:00:00:60");
  Topology topology = MakeTopology();
  EXPECT_EQ(topology.At({kPod, kUntagged}), nullptr) << "so they are not routed alone";
  ASSERT_NE(topology.Find(60), nullptr);
  EXPECT_EQ(topology.Find(60)->domain, (BridgeDomain{kBridge, 10})) << "what is routed leaves there all the same";
  Own(links_by_ifindex[60].address, 10);
  topology = MakeTopology();
  ASSERT_NE(topology.At({kPod, kUntagged}), nullptr);
  EXPECT_EQ(topology.At({kPod, kUntagged})->name, "br0.10");
}

TEST_F(Bridging, AVlanThatDoesNotForwardAtAPortHasNoLaneThere) {
  FilterVlans();
  EXPECT_EQ(tables.bridges.Reset(std::vector<netlink::VlanHalt>{{kOtherPod, 5, 15}}).size(), 1u) << "of one port";
  const Topology topology = MakeTopology();
  EXPECT_EQ(topology.Find(LaneId{kOtherPod, 10}), nullptr);
  EXPECT_EQ(topology.LeavesBy(kOtherPod, {kBridge, 10}), std::nullopt);
  EXPECT_NE(topology.Find(LaneId{kOtherPod, kUntagged}), nullptr) << "that is VLAN 20";
  EXPECT_NE(topology.Find(LaneId{kPod, kUntagged}), nullptr);
  EXPECT_TRUE(tables.bridges.Reset(std::vector<netlink::VlanHalt>{{kOtherPod, 5, 15}}).empty());
  EXPECT_EQ(tables.bridges.Reset(std::vector<netlink::VlanHalt>{}).size(), 1u);
  EXPECT_NE(MakeTopology().Find(LaneId{kOtherPod, 10}), nullptr);
}

TEST_F(Bridging, AVlanDeviceMayBeThePortOfABridge) {
  netlink::Link& vlan = AddVlan(70, "pf0vf0.5", kPod, 5);
  vlan.master = kBridge;
  Join(70);
  Topology topology = MakeTopology();
  EXPECT_EQ(topology.Find(LaneId{kPod, 5})->bridge_port, 70u);
  EXPECT_EQ(topology.LeavesBy(70, {kBridge, 0}), (LaneId{kPod, 5}));
  vlan.vlan->maps_egress_priority = true;
  topology = MakeTopology();
  EXPECT_EQ(topology.LeavesBy(70, {kBridge, 0}), std::nullopt) << "its tags are the kernel's to make";
}

TEST_F(Bridging, WhatABridgeShowsToThePortOfAnotherIsTheKernelsAlone) {
  AddVlan(80, "br0.7", kBridge, 7).master = 99;
  Topology topology = MakeTopology();
  EXPECT_TRUE(topology.Find(LaneId{kPod, 7})->leads_nowhere());
  EXPECT_FALSE(topology.Find(LaneId{kPod, 8})->leads_nowhere());
  EXPECT_FALSE(topology.Find(LaneId{kPod, kUntagged})->leads_nowhere());
  FilterVlans();
  links_by_ifindex[60].master = 99;  // br0.10
  topology = MakeTopology();
  EXPECT_TRUE(topology.Find(LaneId{kPod, kUntagged})->leads_nowhere()) << "VLAN 10";
  EXPECT_TRUE(topology.Find(LaneId{kOtherPod, 10})->leads_nowhere());
  EXPECT_FALSE(topology.Find(LaneId{kOtherPod, kUntagged})->leads_nowhere()) << "VLAN 20";
}

TEST_F(Bridging, NothingIsRoutedAtAnInterfaceWhoseFramesAnotherTakes) {
  netlink::Link& ipvlan = AddLink(81, "ipvl0");
  ipvlan.lower = kUplink;
  ipvlan.taps_lower = true;
  netlink::Link& macvlan = AddLink(82, "macvl0");
  macvlan.lower = kBridge;
  macvlan.taps_lower = true;
  const Topology topology = MakeTopology();
  EXPECT_TRUE(topology.Find(LaneId{kUplink, kUntagged})->leads_nowhere());
  ASSERT_NE(topology.Find(kUplink), nullptr) << "packets leave by it all the same";
  for (const std::uint16_t vlan : {kUntagged, std::uint16_t{10}}) {
    EXPECT_TRUE(topology.Find(LaneId{kPod, vlan})->leads_nowhere()) << "the bridge shows it everything";
  }
}

TEST_F(Bridging, ABridgeWithAMasterOfItsOwnIsTheKernelsAlone) {
  FilterVlans();
  links_by_ifindex[kBridge].master = 99;  // Open vSwitch, for one
  const Topology topology = MakeTopology();
  for (const LaneId& lane : {LaneId{kPod, kUntagged}, LaneId{kOtherPod, 10}, LaneId{kOtherPod, kUntagged}}) {
    EXPECT_TRUE(topology.Find(lane)->leads_nowhere()) << lane.port;
  }
}

TEST_F(Bridging, APortThatDoesNotForwardHasNoLanes) {
  bridge_ports[kPod].state = BR_STATE_LEARNING;
  EXPECT_EQ(MakeTopology().Find(LaneId{kPod, kUntagged}), nullptr);
}

// ---- the bridge's word -----------------------------------------------------------------------------------------------

TEST_F(Bridging, AFrameGoesToThePortOfItsStation) {
  const flow::Answer answer = Ask();
  EXPECT_EQ(answer.verdict, Verdict::kForward) << answer.reason.text;
  EXPECT_TRUE(answer.bridged);
  EXPECT_EQ(answer.adjacency.egress, kOtherPod);
  EXPECT_EQ(answer.adjacency.vlan, kUntagged);
  EXPECT_EQ(answer.dependencies.stations, (std::vector<flow::StationKey>{{kBridge, 0, kOtherMac}}));
  EXPECT_EQ(answer.sender, (flow::StationKey{kBridge, 0, kPodMac}));
  EXPECT_TRUE(answer.sender_reason.empty());
}

TEST_F(Bridging, NoFrameFromAGroupsMac) {
  bridge_ports[kPod].learning = false;
  EXPECT_TRUE(Ask().sender_reason.empty());
  question.miss.source_mac = *MacAddress::Parse("01:00:5e:00:00:01");
  EXPECT_FALSE(Ask().sender_reason.empty());
  question.miss.source_mac = {};
  EXPECT_FALSE(Ask().sender_reason.empty());
}

TEST_F(Bridging, ATagIsHandedOn) {
  question.miss.vlan = 7;
  question.miss.vlan_priority = 3;
  const flow::Answer answer = Ask();
  EXPECT_EQ(answer.verdict, Verdict::kForward) << answer.reason.text;
  EXPECT_EQ(answer.adjacency.egress, kOtherPod);
  EXPECT_EQ(answer.adjacency.vlan, 7);
}

TEST_F(Bridging, ASecondTagStaysInSoftware) {
  netlink::Link& vlan = AddVlan(70, "pf0vf1.5", kOtherPod, 5);
  vlan.master = kBridge;
  Join(70);
  Learn(kOtherMac, 70);
  EXPECT_EQ(Ask().adjacency.vlan, 5);
  question.miss.vlan = 7;
  ExpectSoftware(Why::kSecondTag);
}

TEST_F(Bridging, ATagThatIsMadeAnewStaysInSoftware) {
  for (const auto& [ifindex, port] : {std::pair<std::uint32_t, std::uint32_t>{70, kPod}, {71, kOtherPod}}) {
    netlink::Link& vlan = AddVlan(ifindex, port == kPod ? "pf0vf0.5" : "pf0vf1.5", port, 5);
    vlan.master = kBridge;
    Join(ifindex);
  }
  Learn(kPodMac, 70);
  Learn(kOtherMac, 71);
  question.miss.vlan = 5;
  ExpectSoftware(Why::kVlanPriority);
}

TEST_F(Bridging, WithTheTagThatItsVlanHasThere) {
  FilterVlans();
  EXPECT_EQ(Ask().adjacency.vlan, 10);
  bridge_ports[kOtherPod].vlans[0].untagged = true;
  EXPECT_EQ(Ask().adjacency.vlan, kUntagged);
  bridge_ports[kOtherPod].vlans.erase(bridge_ports[kOtherPod].vlans.begin());
  ExpectSoftware(Why::kNoPort);
}

TEST_F(Bridging, AStationThatIsUnknownIsFloodedAndOnesOwnIsTaken) {
  question.miss.destination_mac = *MacAddress::Parse("0a:00:00:00:00:99");
  ExpectSoftware(Why::kStation);
  (void)tables.bridges.Apply(
      netlink::Event<netlink::FdbEntry>{{kPod, kBridge, question.miss.destination_mac, 0, true}});
  ExpectSoftware(Why::kLocal);
}

TEST_F(Bridging, WhatTheBridgeDoesNotForward) {
  bridge_ports[kPod].isolated = true;
  EXPECT_EQ(Ask().verdict, Verdict::kForward) << "both must be";
  bridge_ports[kOtherPod].isolated = true;
  ExpectSoftware(Why::kIsolated);
  bridge_ports[kPod].isolated = false;
  bridge_ports[kOtherPod].state = BR_STATE_BLOCKING;
  ExpectSoftware(Why::kNoPort);
  bridge_ports[kOtherPod].state = BR_STATE_FORWARDING;
  Learn(kOtherMac, kPod);
  ExpectSoftware(Why::kSamePort);
}

TEST_F(Bridging, ASenderMustBeKnownWhereTheBridgeLearnsOrIsLocked) {
  Learn(kPodMac, kOtherPod);
  EXPECT_EQ(Ask().sender_reason.why, Why::kStation) << "it has moved: the bridge must see it come back";
  bridge_ports[kPod].learning = false;
  EXPECT_TRUE(Ask().sender_reason.empty());
  bridge_ports[kPod].locked = true;
  EXPECT_EQ(Ask().sender_reason.why, Why::kStation);
  Learn(kPodMac, kPod);
  EXPECT_TRUE(Ask().sender_reason.empty());
  netlink::FdbEntry heard{kPod, kBridge, kPodMac};
  heard.locked = true;
  (void)tables.bridges.Apply(netlink::Event<netlink::FdbEntry>{heard});
  EXPECT_EQ(Ask().sender_reason.why, Why::kStation);
  bridge_ports[kPod].locked = false;
  EXPECT_TRUE(Ask().sender_reason.empty());
}

TEST_F(Bridging, AListOfSourcesIsAllThatTagsWithoutAnInterfaceAreHeldTo) {
  const std::vector<IpPrefix> sources = {*IpPrefix::Parse("10.5.0.0/24"), *IpPrefix::Parse("2001:db8::/64")};
  ports[kPod].sources = &sources;
  ports[kPod].checked = {kUntagged};
  EXPECT_EQ(Ask().source, flow::SourceVerdict::kUnknown) << "the kernel checks it at the bridge's interface";
  question.miss.vlan = 9;
  EXPECT_EQ(Ask().source, flow::SourceVerdict::kValid);
  question.miss.vlan = kUntagged;
  question.miss.ethertype = flow::kEthertypeIpv6;
  question.miss.source = *IpAddress::Parse("2001:db8::1");
  EXPECT_EQ(Ask().source, flow::SourceVerdict::kValid);
}

TEST_F(Bridging, APacketThatWouldNotFitStaysInSoftware) {
  ports[kOtherPod].mtu = 1400;
  ExpectSoftware(Why::kOversize);
  settings.trust_size = true;
  EXPECT_EQ(Ask().verdict, Verdict::kForward);
}

// The station is behind a VLAN device on the port, which is what the bridge sends through.
TEST_F(Bridging, TheSizeAndTheQueueOfAVlanDeviceCount) {
  netlink::Link& vlan = AddVlan(70, "pf0vf1.5", kOtherPod, 5);
  vlan.master = kBridge;
  Join(70);
  Learn(kOtherMac, 70);
  EXPECT_EQ(Ask().verdict, Verdict::kForward);
  vlan.mtu = 1400;
  ExpectSoftware(Why::kOversize);
  vlan.mtu = 1500;
  netlink::Qdisc shaper;
  shaper.ifindex = 70;
  shaper.kind = "tbf";
  (void)tables.forward_path.Reset(QuietTables{{shaper}, {}, {}});
  ExpectSoftware(Why::kQueue);
}

TEST_F(Bridging, NetfilterCountsWhereItSeesBridgedPackets) {
  netlink::BaseChain chain;
  chain.family = 2;  // NFPROTO_IPV4
  chain.hook = 2;    // NF_INET_FORWARD
  chain.rules = 1;
  (void)tables.forward_path.Reset(std::vector<netlink::BaseChain>{chain});
  EXPECT_EQ(Ask().verdict, Verdict::kForward);
  bridge_netfilter = true;
  ExpectSoftware(Why::kNetfilter);
  bridge_netfilter = false;
  chain.family = 7;  // NFPROTO_BRIDGE
  (void)tables.forward_path.Reset(std::vector<netlink::BaseChain>{chain});
  ExpectSoftware(Why::kNetfilter);
}

// ---- the mirror ------------------------------------------------------------------------------------------------------

TEST_F(Bridging, AStationThatMovedIsNotTakenOutByTheEndOfItsOldPlace) {
  using Entry = netlink::Event<netlink::FdbEntry>;
  EXPECT_EQ(tables.bridges.Apply(Entry{{kOtherPod, kBridge, kPodMac, 0, false}}).size(), 1u);
  EXPECT_TRUE(tables.bridges.Apply(Entry{{kPod, kBridge, kPodMac, 0, false}, true}).empty());
  EXPECT_EQ(tables.bridges.Find({kBridge, 0, kPodMac})->ifindex, kOtherPod);
  EXPECT_EQ(tables.bridges.Apply(Entry{{kOtherPod, kBridge, kPodMac, 0, false}, true}).size(), 1u);
  EXPECT_EQ(tables.bridges.Find({kBridge, 0, kPodMac}), nullptr);
}

TEST_F(Bridging, ABridgeIsToldOfAUseThatIsNewerThanAllItSaid) {
  using Entry = netlink::Event<netlink::FdbEntry>;
  const flow::StationKey station{kBridge, 0, kPodMac};
  const flow::TimePoint learned{std::chrono::seconds(10)};
  (void)tables.bridges.Apply(Entry{{kPod, kBridge, kPodMac, 0, false, true}}, learned);
  EXPECT_EQ(tables.bridges.Refreshable(station, learned), nullptr)
      << "what was counted then may be from before it moved";
  ASSERT_NE(tables.bridges.Refreshable(station, learned + std::chrono::seconds(1)), nullptr);
  EXPECT_EQ(tables.bridges.Refreshable(station, learned + std::chrono::seconds(1))->ifindex, kPod);
  (void)tables.bridges.Apply(Entry{{kPod, kBridge, kPodMac, 0, false, false}}, learned);
  EXPECT_EQ(tables.bridges.Refreshable(station, learned + std::chrono::seconds(1)), nullptr) << "put there by somebody";
}

TEST_F(Bridging, AWholeDumpTellsOfEachDifference) {
  const std::vector<netlink::FdbEntry> all = {{kOtherPod, kBridge, kPodMac, 0, false}};
  EXPECT_EQ(tables.bridges.Reset(all).size(), 3u) << "one has moved, one has gone, as has the bridge's own";
  EXPECT_TRUE(tables.bridges.Reset(all).empty());
}

}  // namespace
}  // namespace dpuflow::kernel
