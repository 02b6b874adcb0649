// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/key_fields.h"

#include <gtest/gtest.h>

namespace dpuflow::kernel {
namespace {

using flow::kFieldDestinationPort;
using flow::kFieldPorts;
using flow::kFieldProtocol;
using flow::kFieldSource;
using flow::kFieldTos;

const IpAddress kDestination = IpAddress::V4(192, 0, 2, 1);
const std::vector<std::string> kIngress = {"pf0vf0", "blue"};

netlink::Rule From(const char* source) {
  netlink::Rule rule;
  rule.family = Family::kIpv4;
  rule.source = IpPrefix::Parse(source).value();
  return rule;
}

flow::Fields FieldsFor(const netlink::Rule& rule) {
  return FieldsOfRules(std::vector{rule}, kDestination, kIngress).fields;
}

TEST(MultipathFields, FollowTheHashPolicy) {
  EXPECT_EQ(MultipathFields({0, 0}, Family::kIpv4), kFieldSource);
  EXPECT_EQ(MultipathFields({2, 0}, Family::kIpv4), kFieldSource);
  EXPECT_EQ(MultipathFields({0, 0}, Family::kIpv6), kFieldSource | kFieldProtocol) << "it hashes the next header";
  EXPECT_EQ(MultipathFields({1, 0}, Family::kIpv4), kFieldSource | kFieldProtocol | kFieldPorts);
  EXPECT_EQ(MultipathFields({1, 0}, Family::kIpv6), kFieldSource | kFieldProtocol | kFieldPorts);
}

TEST(MultipathFields, OfACustomPolicyAreJustThoseThatItNames) {
  EXPECT_EQ(MultipathFields({3, 0x02}, Family::kIpv4), 0) << "the destination is in every key";
  EXPECT_EQ(MultipathFields({3, 0x01}, Family::kIpv4), kFieldSource);
  EXPECT_EQ(MultipathFields({3, 0x20}, Family::kIpv4), kFieldProtocol | kFieldDestinationPort)
      << "a port is nothing without its protocol";
  EXPECT_EQ(MultipathFields({3, 0x3c0}, Family::kIpv4), 0) << "inner headers, which nobody looks at without a packet";
}

TEST(FieldsOfRules, AreThoseOfTheRulesThatThePacketCanMeet) {
  EXPECT_EQ(FieldsFor(From("10.0.0.0/8")), kFieldSource);
  netlink::Rule rule;
  rule.family = Family::kIpv4;
  EXPECT_EQ(FieldsFor(rule), 0) << "from all";
  rule.tos = 0x10;
  rule.ip_protocol = 6;
  rule.looks_at_destination_port = true;
  EXPECT_EQ(FieldsFor(rule), kFieldTos | kFieldProtocol | kFieldDestinationPort);
}

TEST(FieldsOfRules, NotOfThoseThatItCannotMeet) {
  netlink::Rule rule = From("10.0.0.0/8");
  rule.family = Family::kIpv6;
  EXPECT_EQ(FieldsFor(rule), 0);
  rule = From("10.0.0.0/8");
  rule.destination = *IpPrefix::Parse("198.51.100.0/24");
  EXPECT_EQ(FieldsFor(rule), 0);
  rule.inverted = true;
  EXPECT_EQ(FieldsFor(rule), kFieldSource) << "`not` turns it round";
  rule = From("10.0.0.0/8");
  rule.iif = "pf0vf1";
  EXPECT_EQ(FieldsFor(rule), 0);
  rule.iif = "blue";
  EXPECT_EQ(FieldsFor(rule), kFieldSource) << "the VRF counts as ingress as well";
  rule = From("10.0.0.0/8");
  rule.oif = "pf0vf1";
  EXPECT_EQ(FieldsFor(rule), 0);
  rule = From("10.0.0.0/8");
  rule.mark = 1;
  rule.mark_mask = 0xff;
  EXPECT_EQ(FieldsFor(rule), 0) << "what hardware forwards has no mark";
  rule.mark = 0;
  EXPECT_EQ(FieldsFor(rule), kFieldSource);
}

TEST(FieldsOfRules, TellOfWhatNoKeyCanHold) {
  netlink::Rule rule;
  rule.family = Family::kIpv4;
  rule.obscure = true;
  EXPECT_TRUE(FieldsOfRules(std::vector{rule}, kDestination, kIngress).obscure);
  rule.destination = *IpPrefix::Parse("198.51.100.0/24");
  EXPECT_FALSE(FieldsOfRules(std::vector{rule}, kDestination, kIngress).obscure);
}

}  // namespace
}  // namespace dpuflow::kernel
