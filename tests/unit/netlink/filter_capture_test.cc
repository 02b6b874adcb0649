// SPDX-License-Identifier: Apache-2.0
//
// What a real kernel showed of our filters, and what iproute2 sends for the same ones.
#include <gtest/gtest.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include "bytes.h"
#include "captured_filters.h"
#include "filters.h"
#include "netlink/tc.h"

namespace dpuflow::netlink {
namespace {

TEST(CapturedFilters, ReadBackAsWhatWasSent) {
  const std::vector<std::string_view> shown = {
      captured::kRoutedFlow,  captured::kIpv6FlowWithPorts, captured::kTaggedFlow,        captured::kTtlGuard,
      captured::kSourceEntry, captured::kTaggedByMac,       captured::kTaggedIpv6Fragment};
  const std::vector<Filter> sent = AllFilters();
  ASSERT_EQ(shown.size(), sent.size());
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const auto installed = ParseFilter(Captured(shown[i]).header());
    ASSERT_TRUE(installed) << ToString(installed.error());
    EXPECT_EQ(installed->filter, sent[i]) << i;
    EXPECT_TRUE(installed->complete) << i;
    EXPECT_FALSE(installed->in_hw);
  }
}

// The kernel marks the actions of a skip_sw filter with flags of its own.
TEST(CapturedFilters, OneInHardwareIsStillOurs) {
  Filter sent = RoutedFlow();
  sent.id.ifindex = 6;
  sent.id.handle = 1;
  sent.key.ip_dst = Exact(IpAddress::V4(10, 9, 0, 1));
  sent.actions.back() = RedirectAction{8};
  sent.cookie = {1, 2, 3};
  sent.cookie.back() = 7;
  sent.skip_sw = true;
  const auto installed = ParseFilter(Captured(captured::kHardwareFlow).header());
  ASSERT_TRUE(installed);
  EXPECT_EQ(installed->filter, sent);
  EXPECT_TRUE(installed->complete);
  EXPECT_TRUE(installed->in_hw);
}

TEST(CapturedFilters, TheTerseFormHasIdentityAndCookie) {
  const auto terse = ParseTerse(Captured(captured::kTerseFlow).header());
  ASSERT_TRUE(terse);
  EXPECT_EQ(terse->id, RoutedFlow().id);
  EXPECT_TRUE(terse->flower);
  EXPECT_EQ(terse->cookie, RoutedFlow().cookie);
  EXPECT_EQ(terse->counters, FilterCounters{});
}

TEST(CapturedFilters, TheFullFormReadsAsTerseToo) {
  const auto terse = ParseTerse(Captured(captured::kTaggedFlow).header());
  ASSERT_TRUE(terse);
  EXPECT_EQ(terse->id, TaggedFlow().id);
  EXPECT_EQ(terse->cookie, TaggedFlow().cookie);
}

TEST(CapturedFilters, TheHeaderOfAPriorityIsNoFilter) {
  const Message header = Captured(captured::kFilterHeader);
  EXPECT_TRUE(IsFilterHeader(header.header()));
  EXPECT_FALSE(IsFilterHeader(Captured(captured::kTerseFlow).header()));
  const auto filter = ParseFilter(header.header());
  ASSERT_TRUE(filter);
  EXPECT_FALSE(filter->complete);
  EXPECT_EQ(filter->filter.id.chain, 2u);
}

TEST(CapturedFilters, OurClassifierIsRecognised) {
  const auto filter = ParseBpfFilter(Captured(captured::kBpfFilter).header());
  ASSERT_TRUE(filter && *filter);
  EXPECT_EQ((*filter)->name, "dpuflow");
  EXPECT_EQ((*filter)->program_id, 1u);
  EXPECT_EQ((*filter)->tag[0], 0x20);
  EXPECT_TRUE((*filter)->direct_action);
  EXPECT_EQ((*filter)->id.chain, 2u);
  EXPECT_EQ((*filter)->id.prio, 16);
  EXPECT_EQ((*filter)->id.ethertype, ETH_P_ALL);
}

TEST(CapturedFilters, AClassifierIsNoFlowerFilterAndTheOtherWayRound) {
  EXPECT_FALSE(ParseFilter(Captured(captured::kBpfFilter).header())->complete);
  EXPECT_FALSE(ParseTerse(Captured(captured::kBpfFilter).header())->flower);
  EXPECT_EQ(ParseBpfFilter(Captured(captured::kRoutedFlow).header()).value(), std::nullopt);
}

TEST(TcRequests, MeanTheSameAsOurs) {
  Filter ours = RoutedFlow();
  ours.id.ifindex = 2;
  ours.actions.back() = RedirectAction{3};
  ours.skip_sw = true;
  const auto tcs = ParseFilter(Captured(captured::kTcRoutedFlow).header());
  ASSERT_TRUE(tcs);
  EXPECT_TRUE(tcs->complete);
  EXPECT_EQ(tcs->filter, ours);
}

TEST(TcRequests, DecrementTheHopLimitAsWeDo) {
  const auto tcs = ParseFilter(Captured(captured::kTcIpv6HopLimit).header());
  ASSERT_TRUE(tcs);
  EXPECT_TRUE(tcs->complete);
  EXPECT_EQ(tcs->filter.actions, (std::vector<Action>{PeditAction{{}, {}, Family::kIpv6}, RedirectAction{3}}));
}

}  // namespace
}  // namespace dpuflow::netlink
