// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/switch_ports.h"

#include <gtest/gtest.h>

namespace dpuflow::kernel {
namespace {

using netlink::EswitchMode;
using netlink::PortFlavour;

const netlink::DevlinkHandle kNic{"pci", "0000:03:00.0"};
const netlink::DevlinkHandle kSibling{"pci", "0000:03:00.1"};
const netlink::DevlinkHandle kOther{"pci", "0000:04:00.0"};

const Switch kSwitch{"0102030405060708", {kNic, kSibling}};

netlink::DevlinkPort Port(std::uint32_t ifindex, PortFlavour flavour = PortFlavour::kPciVf,
                          const netlink::DevlinkHandle& handle = kNic) {
  netlink::DevlinkPort port;
  port.handle = handle;
  port.index = ifindex;
  port.flavour = flavour;
  port.ifindex = ifindex;
  return port;
}

LinkMirror Links(std::vector<netlink::Link> links) {
  LinkMirror mirror;
  (void)mirror.Reset(links);
  return mirror;
}

netlink::Link Link(std::uint32_t ifindex, std::string name = "eth0") {
  netlink::Link link;
  link.ifindex = ifindex;
  link.name = std::move(name);
  link.switch_id = "0102030405060708";
  return link;
}

const Eswitch kFirst{kNic, EswitchMode::kSwitchdev, "01"};
const Eswitch kSecond{kSibling, EswitchMode::kSwitchdev, "01"};
const Eswitch kForeign{kOther, EswitchMode::kSwitchdev, "02"};

TEST(ChooseSwitch, TakesTheOnlyOne) {
  const auto chosen = ChooseSwitch({kFirst}, "");
  ASSERT_TRUE(chosen);
  EXPECT_EQ(*chosen, (Switch{"01", {kNic}}));
}

TEST(ChooseSwitch, EswitchesWithOneIdAreOneNic) {
  const Switch nic{"01", {kNic, kSibling}};
  EXPECT_EQ(ChooseSwitch({kSecond, kFirst}, ""), nic);
  EXPECT_EQ(ChooseSwitch({kFirst, kForeign, kSecond}, "pci/0000:03:00.1"), nic) << "named by any of them";
}

TEST(ChooseSwitch, AnEswitchInLegacyModeIsNoPartOfTheNic) {
  const Eswitch legacy{kSibling, EswitchMode::kLegacy, ""};
  EXPECT_EQ(ChooseSwitch({kFirst, legacy}, ""), (Switch{"01", {kNic}}));
  EXPECT_EQ(FindSwitch({kFirst, kSecond}, "01"), (Switch{"01", {kNic, kSibling}}));
  EXPECT_EQ(FindSwitch({legacy, kForeign}, "01"), std::nullopt);
}

TEST(ChooseSwitch, LegacyModeSaysWhatToType) {
  const auto chosen = ChooseSwitch({{kNic, EswitchMode::kLegacy, ""}}, "");
  ASSERT_FALSE(chosen);
  EXPECT_NE(chosen.error().extack.find("devlink dev eswitch set pci/0000:03:00.0 mode switchdev"), std::string::npos);
}

TEST(ChooseSwitch, NothingAtAllSaysWhereToLook) {
  const auto chosen = ChooseSwitch({}, "");
  ASSERT_FALSE(chosen);
  EXPECT_NE(chosen.error().extack.find("devlink dev show"), std::string::npos);
}

TEST(ChooseSwitch, NoPortsSaysSo) {
  const auto chosen = ChooseSwitch({{kNic, EswitchMode::kSwitchdev, ""}}, "");
  ASSERT_FALSE(chosen);
  EXPECT_EQ(chosen.error().extack, "pci/0000:03:00.0 has no ports; type: devlink port show");
}

TEST(ChooseSwitch, SeveralHaveToBeChosenFrom) {
  const auto chosen = ChooseSwitch({kFirst, kForeign}, "");
  ASSERT_FALSE(chosen);
  EXPECT_NE(chosen.error().extack.find("pci/0000:04:00.0"), std::string::npos);
  EXPECT_EQ(ChooseSwitch({kFirst, kForeign}, "pci/0000:04:00.0"), (Switch{"02", {kOther}}));
  EXPECT_FALSE(ChooseSwitch({kFirst, kForeign}, "pci/0000:05:00.0"));
}

TEST(FindPorts, AreKnownByAttributesAndNotByName) {
  const LinkMirror links = Links({Link(3, "wan"), Link(4, "p0"), Link(5, "pf0vf9"), Link(6)});
  const auto ports = FindPorts(kSwitch,
                               {Port(3, PortFlavour::kPhysical), Port(4, PortFlavour::kPciPf), Port(5),
                                Port(6, PortFlavour::kOther), Port(7), Port(0)},
                               links);
  ASSERT_EQ(ports.size(), 3u);
  EXPECT_EQ(ports.at(3).role, PortRole::kUplink);
  EXPECT_EQ(ports.at(4).role, PortRole::kPf);
  EXPECT_EQ(ports.at(5).role, PortRole::kVf);
  EXPECT_TRUE(ports.at(5).refusal.empty());
}

TEST(FindPorts, AnotherInstancesPortsAreNotOurs) {
  EXPECT_TRUE(FindPorts(kSwitch, {Port(3, PortFlavour::kPciVf, kOther)}, Links({Link(3)})).empty());
}

TEST(FindPorts, PortsOfAllEswitchesOfTheNicAreOurs) {
  EXPECT_EQ(FindPorts(kSwitch, {Port(3), Port(4, PortFlavour::kPhysical, kSibling)}, Links({Link(3), Link(4)})).size(),
            2u);
}

TEST(FindPorts, APortUnderAMasterIsRefusedWithTheCommandThatFreesIt) {
  netlink::Link bonded = Link(3, "p0");
  bonded.master = 9;
  bonded.slave_kind = "bond";
  netlink::Link vswitch = Link(4, "pf0vf0");
  vswitch.master = 10;
  vswitch.slave_kind = "openvswitch";
  const auto ports = FindPorts(kSwitch, {Port(3), Port(4)}, Links({bonded, vswitch, Link(9, "bond0")}));
  EXPECT_EQ(ports.at(3).refusal, "it belongs to the bond bond0");
  EXPECT_EQ(ports.at(3).hint, "ip link set dev p0 nomaster");
  EXPECT_EQ(ports.at(4).refusal, "it belongs to an Open vSwitch bridge");
  EXPECT_EQ(ports.at(4).hint, "ovs-vsctl del-port pf0vf0");
}

}  // namespace
}  // namespace dpuflow::kernel
