// SPDX-License-Identifier: Apache-2.0
#include "netlink/address.h"

#include <gtest/gtest.h>

namespace dpuflow {
namespace {

TEST(MacAddress, ReadsAndShowsItsText) {
  const auto mac = MacAddress::Parse("02:00:5e:00:00:ff");
  ASSERT_TRUE(mac);
  EXPECT_EQ(ToString(*mac), "02:00:5e:00:00:ff");
  EXPECT_FALSE(mac->is_multicast());
  EXPECT_TRUE(MacAddress::Parse("ff:ff:ff:ff:ff:ff")->is_multicast());
}

TEST(MacAddress, RefusesOtherText) {
  for (const char* text : {"", "02:00:5e:00:00", "02:00:5e:00:00:zz", "02-00-5e-00-00-01", "2:0:5e:0:0:1"}) {
    EXPECT_FALSE(MacAddress::Parse(text)) << text;
  }
}

TEST(IpAddress, KnowsItsFamily) {
  EXPECT_TRUE(IpAddress::Parse("10.0.0.1")->is_v4());
  EXPECT_TRUE(IpAddress::Parse("fd00::1")->is_v6());
  EXPECT_TRUE(IpAddress().is_none());
  EXPECT_FALSE(IpAddress::Parse("10.0.0"));
  EXPECT_EQ(ToString(*IpAddress::Parse("FD00:0:0::1")), "fd00::1");
}

TEST(IpAddress, TakesFourOrSixteenBytes) {
  const std::array<std::byte, 16> bytes{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{1}};
  EXPECT_EQ(IpAddress::FromBytes(std::span(bytes).first(4)), IpAddress::V4(10, 0, 0, 1));
  EXPECT_TRUE(IpAddress::FromBytes(bytes)->is_v6());
  EXPECT_FALSE(IpAddress::FromBytes(std::span(bytes).first(5)));
}

TEST(IpPrefix, DropsHostBits) {
  EXPECT_EQ(ToString(*IpPrefix::Parse("10.1.2.3/20")), "10.1.0.0/20");
  EXPECT_EQ(ToString(*IpPrefix::Parse("fd00::ffff/113")), "fd00::8000/113");
  EXPECT_EQ(ToString(*IpPrefix::Parse("10.1.2.3")), "10.1.2.3/32");
  EXPECT_FALSE(IpPrefix::Parse("10.0.0.0/33"));
  EXPECT_FALSE(IpPrefix::Parse("10.0.0.0/"));
}

TEST(IpPrefix, ContainsItsRangeAndNothingElse) {
  const auto prefix = *IpPrefix::Parse("10.1.16.0/20");
  EXPECT_TRUE(prefix.Contains(IpAddress::V4(10, 1, 31, 255)));
  EXPECT_FALSE(prefix.Contains(IpAddress::V4(10, 1, 32, 0)));
  EXPECT_EQ(prefix.Last(), IpAddress::V4(10, 1, 31, 255));
  EXPECT_TRUE(IpPrefix::Parse("0.0.0.0/0")->Contains(IpAddress::V4(1, 2, 3, 4)));
  EXPECT_FALSE(IpPrefix::Parse("0.0.0.0/0")->Contains(*IpAddress::Parse("::1")));
}

}  // namespace
}  // namespace dpuflow
