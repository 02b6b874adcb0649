// SPDX-License-Identifier: Apache-2.0
#include "netlink/netfilter.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

#include <cerrno>

#include "bytes.h"
#include "captured_netfilter.h"

namespace dpuflow::netlink {
namespace {

TEST(BaseChains, SayWhereTheyHangAndWhetherTheyFilter) {
  const auto chain = ParseChain(Captured(captured::kForwardChain).header());
  ASSERT_TRUE(chain);
  BaseChain expected;
  expected.family = NFPROTO_INET;
  expected.table = "test";
  expected.name = "forwarding";
  expected.hook = NF_INET_FORWARD;
  expected.drops = true;
  expected.rules = 1;
  EXPECT_EQ(*chain, expected);
}

TEST(BaseChains, OfNetdevNameEachDeviceOnce) {
  const auto chain = ParseChain(Captured(captured::kNetdevChain).header());
  ASSERT_TRUE(chain);
  EXPECT_EQ(chain->family, NFPROTO_NETDEV);
  EXPECT_EQ(chain->devices, std::vector<std::string>{"d0"});
  EXPECT_EQ(chain->rules, 0u);
  EXPECT_FALSE(chain->drops);
}

TEST(BaseChains, AChainThatHangsNowhereIsPassedOver) {
  EXPECT_EQ(ParseChain(Captured(captured::kPlainChain).header()).error().code, EAFNOSUPPORT);
  EXPECT_EQ(ParseChain(Captured(captured::kForwardPolicy).header()).error().code, EINVAL);
}

TEST(BaseChains, AreAskedForInEveryFamily) {
  MessageBuffer buffer;
  AppendChainDump(buffer, 5);
  EXPECT_EQ(ToHex(buffer.bytes()),
            "14000000040a0103"
            "0500000000000000"
            "00000000");
}

TEST(XfrmPolicies, SayWhomTheyConcern) {
  const auto policy = ParsePolicy(Captured(captured::kForwardPolicy).header());
  ASSERT_TRUE(policy);
  EXPECT_EQ(*policy, (XfrmPolicy{AF_INET, XFRM_POLICY_FWD}));
  EXPECT_EQ(ParsePolicy(Captured(captured::kForwardChain).header()).error().code, EINVAL);
}

}  // namespace
}  // namespace dpuflow::netlink
