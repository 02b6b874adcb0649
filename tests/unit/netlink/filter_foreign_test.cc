// SPDX-License-Identifier: Apache-2.0
//
// Filters that others have written: what is almost ours is not ours.
#include <gtest/gtest.h>
#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <netinet/in.h>

#include "bytes.h"
#include "netlink/tc.h"

namespace dpuflow::netlink {
namespace {

// A flower message with one more attribute, or with an action of our making.
class ForeignFilter : public ::testing::Test {
 protected:
  void Begin(std::string_view kind = "flower") {
    tcmsg header{};
    header.tcm_handle = 1;
    header.tcm_info = 0x00010008;  // prio 1, ETH_P_IP
    buffer_.Begin(RTM_NEWTFILTER, 0, 1, header);
    buffer_.PutString(TCA_KIND, kind);
    options_ = buffer_.BeginNest(TCA_OPTIONS);
    buffer_.PutBe16(TCA_FLOWER_KEY_ETH_TYPE, ETH_P_IP);
  }
  void BeginAction(std::string_view kind) {
    list_ = buffer_.BeginNest(TCA_FLOWER_ACT);
    action_ = buffer_.BeginNest(1);
    buffer_.PutString(TCA_ACT_KIND, kind);
  }
  void PutGact(int verdict) {
    const Nest options(buffer_, TCA_ACT_OPTIONS);
    tc_gact params{};
    params.action = verdict;
    buffer_.PutValue(TCA_GACT_PARMS, params);
  }
  void EndAction() {
    buffer_.EndNest(action_);
    buffer_.EndNest(list_);
  }
  void PutDrop() {
    BeginAction("gact");
    PutGact(TC_ACT_SHOT);
    EndAction();
  }
  InstalledFilter Finish() {
    buffer_.EndNest(options_);
    return ParseFilter(buffer_.header(0)).value_or(InstalledFilter{});
  }

  MessageBuffer buffer_;
  std::size_t options_ = 0;
  std::size_t list_ = 0;
  std::size_t action_ = 0;
};

TEST_F(ForeignFilter, APlainOneIsComplete) {
  Begin();
  PutDrop();
  const InstalledFilter filter = Finish();
  EXPECT_TRUE(filter.complete);
  EXPECT_EQ(filter.filter.actions, std::vector<Action>{DropAction{}});
}

TEST_F(ForeignFilter, AnUnknownKeyIsSeen) {
  Begin();
  buffer_.PutU8(TCA_FLOWER_KEY_ARP_OP, 1);
  PutDrop();
  EXPECT_FALSE(Finish().complete);
}

TEST_F(ForeignFilter, AnAttributeOfTheFutureIsSeen) {
  Begin();
  buffer_.PutU8(999, 4);
  PutDrop();
  EXPECT_FALSE(Finish().complete);
}

TEST_F(ForeignFilter, OneThatSkipsTheHardwareIsSeen) {
  Begin();
  buffer_.PutU32(TCA_FLOWER_FLAGS, TCA_CLS_FLAGS_SKIP_HW);
  PutDrop();
  EXPECT_FALSE(Finish().complete);
}

TEST_F(ForeignFilter, AMaskedPortIsSeen) {
  Begin();
  buffer_.PutU8(TCA_FLOWER_KEY_IP_PROTO, IPPROTO_TCP);
  buffer_.PutBe16(TCA_FLOWER_KEY_TCP_DST, 80);
  buffer_.PutBe16(TCA_FLOWER_KEY_TCP_DST_MASK, 0xfff0);
  PutDrop();
  EXPECT_FALSE(Finish().complete);
}

TEST_F(ForeignFilter, AnUnknownActionIsSeen) {
  Begin();
  BeginAction("police");
  PutGact(TC_ACT_SHOT);
  EndAction();
  EXPECT_FALSE(Finish().complete);
}

TEST_F(ForeignFilter, AnUnknownVerdictIsSeen) {
  Begin();
  BeginAction("gact");
  PutGact(TC_ACT_OK);
  EndAction();
  EXPECT_FALSE(Finish().complete);
}

TEST_F(ForeignFilter, ACookieOfAnotherLengthIsNotOurs) {
  Begin();
  BeginAction("gact");
  PutGact(TC_ACT_SHOT);
  buffer_.Put(TCA_ACT_COOKIE, FromHex("64707501"));
  EndAction();
  EXPECT_EQ(Finish().filter.cookie, Cookie{});
  EXPECT_EQ(ParseTerse(buffer_.header(0))->cookie, std::nullopt);
}

TEST_F(ForeignFilter, OneOfAnotherClassifierIsSeen) {
  Begin("u32");
  EXPECT_FALSE(Finish().complete);
}

TEST_F(ForeignFilter, CountersAreThoseOfTheHardwareIn64Bits) {
  Begin();
  buffer_.PutU32(TCA_FLOWER_FLAGS, TCA_CLS_FLAGS_SKIP_SW | TCA_CLS_FLAGS_IN_HW);
  BeginAction("gact");
  PutGact(TC_ACT_SHOT);
  {
    const Nest stats(buffer_, TCA_ACT_STATS);
    buffer_.PutValue(TCA_STATS_BASIC, gnet_stats_basic{.bytes = 900, .packets = 9});
    buffer_.PutValue(TCA_STATS_PKT64, std::uint64_t{0x100000009});
    buffer_.PutValue(TCA_STATS_BASIC_HW, gnet_stats_basic{.bytes = 700, .packets = 7});
    buffer_.PutValue(TCA_STATS_PKT64, std::uint64_t{0x100000007});
  }
  EndAction();
  const InstalledFilter filter = Finish();
  EXPECT_TRUE(filter.in_hw);
  EXPECT_TRUE(filter.filter.skip_sw);
  EXPECT_EQ(filter.counters, (FilterCounters{.packets = 0x100000007, .bytes = 700}));
  const auto terse = ParseTerse(buffer_.header(0));
  EXPECT_TRUE(terse->in_hw);
  EXPECT_EQ(terse->counters, filter.counters);
}

}  // namespace
}  // namespace dpuflow::netlink
