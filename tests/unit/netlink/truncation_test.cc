// SPDX-License-Identifier: Apache-2.0
//
// Kernel bytes are not trusted: every captured message, cut at every length and damaged in every byte, goes through every
// parser. What comes out does not matter, that something does: the sanitizers see the rest.
#include <gtest/gtest.h>

#include "bytes.h"
#include "captured_bridge.h"
#include "captured_filters.h"
#include "captured_netfilter.h"
#include "captured_rtnl.h"
#include "netlink/bridge.h"
#include "netlink/netfilter.h"
#include "netlink/rtnl.h"
#include "netlink/tc.h"

namespace dpuflow::netlink {
namespace {

void ParseAsEverything(const nlmsghdr& message) {
  static_cast<void>(ParseLink(message));
  static_cast<void>(ParseAddress(message));
  static_cast<void>(ParseNeigh(message));
  static_cast<void>(ParseRoute(message));
  static_cast<void>(ParseNexthop(message));
  static_cast<void>(ParseRule(message));
  static_cast<void>(ParseQdisc(message));
  static_cast<void>(ParseBridgePort(message));
  static_cast<void>(ParseFdbEntry(message));
  static_cast<void>(ParseVlanHalts(message));
  static_cast<void>(ParseChain(message));
  static_cast<void>(ParsePolicy(message));
  static_cast<void>(ParseNexthopBucket(message));
  static_cast<void>(ParseFilter(message));
  static_cast<void>(ParseTerse(message));
  static_cast<void>(ParseBpfFilter(message));
  static_cast<void>(IsFilterHeader(message));
  static_cast<void>(ParseAck(message, "x"));
}

class Damage : public ::testing::TestWithParam<std::string_view> {};

TEST_P(Damage, OfEveryByteIsSurvived) { ForEachDamage(Captured(GetParam()).bytes(), ParseAsEverything); }
TEST_P(Damage, ByTruncationIsSurvived) { ForEachTruncation(Captured(GetParam()).bytes(), ParseAsEverything); }

INSTANTIATE_TEST_SUITE_P(Captured, Damage,
                         ::testing::Values(captured::kBridgePort, captured::kAddressV4, captured::kAddressV6,
                                           captured::kNeighV4, captured::kRuleFrom, captured::kNexthopGroup,
                                           captured::kNexthopResilient, captured::kNexthopBucket, captured::kClsact,
                                           captured::kRouteMultipath, captured::kRouteViaIpv6, captured::kRouteEncap,
                                           captured::kRouteV6Multipath, captured::kRouteBgp, captured::kRoutedFlow,
                                           captured::kIpv6FlowWithPorts, captured::kTaggedFlow, captured::kTtlGuard,
                                           captured::kTerseFlow, captured::kBpfFilter, captured::kTcRoutedFlow,
                                           captured::kForwardChain, captured::kNetdevChain, captured::kForwardPolicy,
                                           captured::kPortOfBridge, captured::kVlanTaken, captured::kStation));

TEST(Truncation, OfAFilterNeverYieldsACompleteOne) {
  const Message whole = Captured(captured::kRoutedFlow);
  const auto expected = ParseFilter(whole.header());
  ForEachTruncation(whole.bytes(), [&](const nlmsghdr& message) {
    const auto filter = ParseFilter(message);
    EXPECT_FALSE(filter && filter->complete) << message.nlmsg_len;
  });
}

}  // namespace
}  // namespace dpuflow::netlink
