// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/forward_path.h"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <linux/xfrm.h>
#include <sys/socket.h>

namespace dpuflow::kernel {
namespace {

using netlink::BaseChain;

BaseChain Chain(std::uint8_t family, std::uint32_t hook, std::uint32_t rules = 1) {
  BaseChain chain;
  chain.family = family;
  chain.hook = hook;
  chain.rules = rules;
  return chain;
}

bool Concerns(const BaseChain& chain, Family family) {
  ForwardPath path;
  path.Reset(std::vector{chain});
  return path.WhyStack(family).has_value();
}

TEST(ForwardPath, NothingThereIsNoReason) {
  const ForwardPath path;
  EXPECT_FALSE(path.WhyStack(Family::kIpv4));
  EXPECT_FALSE(path.WhyStack(Family::kIpv6));
  EXPECT_FALSE(path.WhyStack(2, "p0"));
}

TEST(ForwardPath, ChainsAtTheHooksOfForwardingConcernTheirFamily) {
  for (const auto hook : {NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_POST_ROUTING, NF_INET_INGRESS}) {
    EXPECT_TRUE(Concerns(Chain(NFPROTO_IPV4, hook), Family::kIpv4)) << hook;
    EXPECT_FALSE(Concerns(Chain(NFPROTO_IPV4, hook), Family::kIpv6)) << hook;
    EXPECT_TRUE(Concerns(Chain(NFPROTO_IPV6, hook), Family::kIpv6)) << hook;
    EXPECT_TRUE(Concerns(Chain(NFPROTO_INET, hook), Family::kIpv4)) << hook;
    EXPECT_TRUE(Concerns(Chain(NFPROTO_INET, hook), Family::kIpv6)) << hook;
  }
  for (const auto hook : {NF_INET_LOCAL_IN, NF_INET_LOCAL_OUT}) {
    EXPECT_FALSE(Concerns(Chain(NFPROTO_INET, hook), Family::kIpv4)) << "what is forwarded does not come by";
  }
  EXPECT_FALSE(Concerns(Chain(NFPROTO_BRIDGE, NF_INET_FORWARD), Family::kIpv4));
}

TEST(ForwardPath, AnEmptyChainCountsOnlyIfItDrops) {
  BaseChain chain = Chain(NFPROTO_INET, NF_INET_FORWARD, 0);
  EXPECT_FALSE(Concerns(chain, Family::kIpv4));
  chain.drops = true;
  EXPECT_TRUE(Concerns(chain, Family::kIpv4));
}

TEST(ForwardPath, ANetdevChainConcernsItsDevices) {
  ForwardPath path;
  BaseChain chain = Chain(NFPROTO_NETDEV, NF_NETDEV_INGRESS);
  chain.devices = {"pf0vf0"};
  path.Reset(std::vector{chain});
  EXPECT_FALSE(path.WhyStack(Family::kIpv4));
  EXPECT_TRUE(path.WhyStack(7, "pf0vf0"));
  EXPECT_FALSE(path.WhyStack(8, "pf0vf1"));
}

TEST(ForwardPath, XfrmPoliciesForForwardedPackets) {
  ForwardPath path;
  path.Reset(std::vector<netlink::XfrmPolicy>{{AF_INET, XFRM_POLICY_IN}});
  EXPECT_FALSE(path.WhyStack(Family::kIpv4));
  path.Reset(std::vector<netlink::XfrmPolicy>{{AF_INET, XFRM_POLICY_OUT}});
  EXPECT_TRUE(path.WhyStack(Family::kIpv4));
  EXPECT_FALSE(path.WhyStack(Family::kIpv6));
  path.Reset(std::vector<netlink::XfrmPolicy>{{0, XFRM_POLICY_FWD}});
  EXPECT_TRUE(path.WhyStack(Family::kIpv6));
}

TEST(ForwardPath, QueuesThatShapeConcernTheirPort) {
  ForwardPath path;
  netlink::Qdisc qdisc;
  qdisc.ifindex = 2;
  for (const char* plain : {"noqueue", "mq", "fq_codel", "pfifo_fast", "clsact"}) {
    qdisc.kind = plain;
    path.Reset(QuietTables{{qdisc}, {}, {}});
    EXPECT_FALSE(path.WhyStack(2, "p0")) << plain;
  }
  for (const char* shaper : {"tbf", "htb", "netem", "something_new"}) {
    qdisc.kind = shaper;
    path.Reset(QuietTables{{qdisc}, {}, {}});
    EXPECT_TRUE(path.WhyStack(2, "p0")) << shaper;
    EXPECT_FALSE(path.WhyStack(3, "p1")) << shaper;
  }
}

TEST(ForwardPath, TablesOfIptablesLegacyCountByBeingThere) {
  ForwardPath path;
  path.Reset(QuietTables{{}, {"filter"}, {}});
  EXPECT_TRUE(path.WhyStack(Family::kIpv4));
  EXPECT_FALSE(path.WhyStack(Family::kIpv6));
}

TEST(ForwardPath, TablesOfEbtablesConcernWhatPassesABridge) {
  ForwardPath path;
  path.Reset(QuietTables{{}, {}, {}, {"nat"}});
  EXPECT_TRUE(path.WhyStackOfBridge());
  EXPECT_FALSE(path.WhyStack(Family::kIpv4));
}

TEST(ForwardPath, AResetSaysWhetherAnythingIsNew) {
  ForwardPath path;
  EXPECT_TRUE(path.Reset(std::vector{Chain(NFPROTO_INET, NF_INET_FORWARD)}));
  EXPECT_FALSE(path.Reset(std::vector{Chain(NFPROTO_INET, NF_INET_FORWARD)}));
  EXPECT_FALSE(path.Reset(QuietTables{}));
}

}  // namespace
}  // namespace dpuflow::kernel
