// SPDX-License-Identifier: Apache-2.0
#include "netlink/devlink.h"

#include <gtest/gtest.h>
#include <linux/devlink.h>
#include <linux/genetlink.h>

#include "bytes.h"
#include "netlink/devlink_internal.h"

namespace dpuflow::netlink {
namespace {

class DevlinkPorts : public ::testing::Test {
 protected:
  void Begin(std::uint8_t command) {
    buffer_.Begin(0x14, 0, 1, genlmsghdr{.cmd = command, .version = 1, .reserved = 0});
    buffer_.PutString(DEVLINK_ATTR_BUS_NAME, "pci");
    buffer_.PutString(DEVLINK_ATTR_DEV_NAME, "0000:03:00.0");
  }
  Result<Event<DevlinkPort>> Parse() { return ParseDevlinkPort(buffer_.header(0)); }

  MessageBuffer buffer_;
};

TEST_F(DevlinkPorts, AVfOfTheHostIsExternal) {
  Begin(DEVLINK_CMD_PORT_NEW);
  buffer_.PutU32(DEVLINK_ATTR_PORT_INDEX, 65538);
  buffer_.PutU32(DEVLINK_ATTR_PORT_NETDEV_IFINDEX, 12);
  buffer_.PutString(DEVLINK_ATTR_PORT_NETDEV_NAME, "pf0vf3");
  buffer_.PutU16(DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_VF);
  buffer_.PutU32(DEVLINK_ATTR_PORT_CONTROLLER_NUMBER, 1);
  buffer_.PutU16(DEVLINK_ATTR_PORT_PCI_PF_NUMBER, 0);
  buffer_.PutU16(DEVLINK_ATTR_PORT_PCI_VF_NUMBER, 3);
  buffer_.PutU8(DEVLINK_ATTR_PORT_EXTERNAL, 1);
  const auto event = Parse();
  ASSERT_TRUE(event) << ToString(event.error());
  EXPECT_FALSE(event->removed);
  EXPECT_EQ(event->value, (DevlinkPort{.handle = {"pci", "0000:03:00.0"},
                                       .index = 65538,
                                       .flavour = PortFlavour::kPciVf,
                                       .ifindex = 12,
                                       .ifname = "pf0vf3",
                                       .controller = 1,
                                       .vf_or_sf = 3,
                                       .external = true}));
}

TEST_F(DevlinkPorts, TheUplinkIsPhysical) {
  Begin(DEVLINK_CMD_NEW);  // how older kernels mark the lines of a dump
  buffer_.PutU32(DEVLINK_ATTR_PORT_INDEX, 65535);
  buffer_.PutU16(DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PHYSICAL);
  buffer_.PutU32(DEVLINK_ATTR_PORT_NUMBER, 1);
  const auto event = Parse();
  ASSERT_TRUE(event);
  EXPECT_EQ(event->value.flavour, PortFlavour::kPhysical);
  EXPECT_EQ(event->value.port_number, 1u);
}

TEST_F(DevlinkPorts, ASubfunctionOfAnotherControllerIsExternal) {
  Begin(DEVLINK_CMD_PORT_NEW);
  buffer_.PutU32(DEVLINK_ATTR_PORT_INDEX, 9);
  buffer_.PutU16(DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_SF);
  buffer_.PutU32(DEVLINK_ATTR_PORT_CONTROLLER_NUMBER, 1);
  buffer_.PutU32(DEVLINK_ATTR_PORT_PCI_SF_NUMBER, 88);
  const auto event = Parse();
  ASSERT_TRUE(event);
  EXPECT_TRUE(event->value.external);
  EXPECT_EQ(event->value.vf_or_sf, 88u);
}

TEST_F(DevlinkPorts, OneThatGoesIsRemoved) {
  Begin(DEVLINK_CMD_PORT_DEL);
  buffer_.PutU32(DEVLINK_ATTR_PORT_INDEX, 0);
  EXPECT_TRUE(Parse()->removed);
}

TEST_F(DevlinkPorts, ADeviceIsNoPort) {
  Begin(DEVLINK_CMD_NEW);
  EXPECT_EQ(Parse().error().code, EINVAL);
  EXPECT_EQ(ParseDevlinkHandle(buffer_.header(0)), (DevlinkHandle{"pci", "0000:03:00.0"}));
}

TEST_F(DevlinkPorts, AHealthReportOfAPortIsNoPort) {
  Begin(DEVLINK_CMD_HEALTH_REPORTER_RECOVER);
  buffer_.PutU32(DEVLINK_ATTR_PORT_INDEX, 0);
  EXPECT_EQ(Parse().error().code, EINVAL);
}

TEST_F(DevlinkPorts, TheEswitchModeIsRead) {
  Begin(DEVLINK_CMD_ESWITCH_GET);
  EXPECT_EQ(ParseEswitchMode(buffer_.header(0)), EswitchMode::kUnknown);
  buffer_.PutU16(DEVLINK_ATTR_ESWITCH_MODE, DEVLINK_ESWITCH_MODE_SWITCHDEV);
  EXPECT_EQ(ParseEswitchMode(buffer_.header(0)), EswitchMode::kSwitchdev);
}

TEST_F(DevlinkPorts, TruncationAndDamageAreSurvived) {
  Begin(DEVLINK_CMD_PORT_NEW);
  buffer_.PutU32(DEVLINK_ATTR_PORT_INDEX, 1);
  buffer_.PutU16(DEVLINK_ATTR_PORT_FLAVOUR, DEVLINK_PORT_FLAVOUR_PCI_VF);
  const auto parse = [](const nlmsghdr& message) {
    static_cast<void>(ParseDevlinkPort(message));
    static_cast<void>(ParseDevlinkHandle(message));
    static_cast<void>(ParseEswitchMode(message));
  };
  ForEachTruncation(buffer_.bytes(), parse);
  ForEachDamage(buffer_.bytes(), parse);
}

TEST(Devlink, OpensOrSaysThatThisKernelHasNone) {
  auto devlink = Devlink::Open();
  if (devlink) {
    EXPECT_TRUE(devlink->Devices());
  } else {
    EXPECT_EQ(devlink.error().code, EPROTONOSUPPORT) << ToString(devlink.error());
  }
}

}  // namespace
}  // namespace dpuflow::netlink
