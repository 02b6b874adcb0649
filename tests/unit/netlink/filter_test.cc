// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <linux/gen_stats.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>

#include "bytes.h"
#include "fake_transport.h"
#include "filters.h"
#include "netlink/tc.h"

namespace dpuflow::netlink {
namespace {

// Encoded by us and read as if the kernel had sent it.
InstalledFilter RoundTrip(const Filter& filter) {
  MessageBuffer buffer;
  EXPECT_TRUE(AppendFilterAdd(buffer, 1, filter));
  const auto installed = ParseFilter(buffer.header(0));
  EXPECT_TRUE(installed);
  return installed.value_or(InstalledFilter{});
}

TEST(FilterEncoding, GoesRoundForEveryKindOfFilter) {
  for (const Filter& filter : AllFilters()) {
    const InstalledFilter installed = RoundTrip(filter);
    EXPECT_EQ(installed.filter, filter) << filter.id.handle;
    EXPECT_TRUE(installed.complete) << filter.id.handle;
    MessageBuffer first;
    MessageBuffer second;
    ASSERT_TRUE(AppendFilterAdd(first, 1, filter));
    ASSERT_TRUE(AppendFilterAdd(second, 1, installed.filter));
    EXPECT_EQ(ToHex(first.bytes()), ToHex(second.bytes()));
  }
}

// The words of pedit: dst[0..3], dst[4..5] with src[0..1], src[2..5], TTL.
TEST(FilterEncoding, RewritesBothMacsAndTtlInFourWords) {
  MessageBuffer buffer;
  ASSERT_TRUE(AppendFilterAdd(buffer, 1, RoutedFlow()));
  const std::string rest = "000000000000000000000000";  // at, offmask, shift
  EXPECT_NE(ToHex(buffer.bytes())
                .find("0400"
                      "0000000000000000"
                      "03000000"
                      "0000000000000000"
                      "04000000"
                      "00000000"
                      "02aabbcc"
                      "00000000" +
                      rest +
                      "00000000"
                      "dd0102aa"
                      "04000000" +
                      rest +
                      "00000000"
                      "bbccdd02"
                      "08000000" +
                      rest +
                      "00ffffff"
                      "ff000000"
                      "08000000" +
                      rest),
            std::string::npos)
      << ToHex(buffer.bytes());
}

TEST(FilterEncoding, LeavesTheOtherMacAlone) {
  Filter filter = RoutedFlow();
  filter.actions.front() = PeditAction{kNewDestination, {}, Family::kNone};
  MessageBuffer buffer;
  ASSERT_TRUE(AppendFilterAdd(buffer, 1, filter));
  EXPECT_NE(ToHex(buffer.bytes())
                .find("0000ffff"
                      "dd010000"
                      "04000000"),
            std::string::npos);
  EXPECT_EQ(RoundTrip(filter).filter, filter);
}

TEST(FilterEncoding, AddMustCreateAndReplaceMay) {
  MessageBuffer buffer;
  ASSERT_TRUE(AppendFilterAdd(buffer, 1, RoutedFlow(), NLM_F_ECHO));
  ASSERT_TRUE(AppendFilterReplace(buffer, 2, RoutedFlow()));
  EXPECT_EQ(buffer.header(0).nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO);
  EXPECT_EQ(buffer.header(1).nlmsg_flags, NLM_F_REQUEST | NLM_F_CREATE);
}

TEST(FilterEncoding, EveryActionShunsPerCpuCountersAndOnlyTheLastHasTheCookie) {
  MessageBuffer buffer;
  ASSERT_TRUE(AppendFilterAdd(buffer, 1, RoutedFlow()));
  const std::string hex = ToHex(buffer.bytes());
  const std::string flag =
      "0c00070001000000"
      "01000000";
  const std::string cookie =
      "14000600"
      "64707501";
  EXPECT_NE(hex.find(flag), hex.rfind(flag));
  EXPECT_NE(hex.find(cookie), std::string::npos);
  EXPECT_EQ(hex.find(cookie), hex.rfind(cookie));
}

TEST(FilterEncoding, SkipSwIsAFlag) {
  Filter filter = RoutedFlow();
  filter.skip_sw = true;
  MessageBuffer buffer;
  ASSERT_TRUE(AppendFilterAdd(buffer, 1, filter));
  EXPECT_NE(ToHex(buffer.bytes())
                .find("08001600"
                      "02000000"),
            std::string::npos);
  EXPECT_TRUE(RoundTrip(filter).filter.skip_sw);
}

// `tc filter del dev DEV ingress chain 2 prio 1 protocol ip handle 7 flower`
TEST(FilterEncoding, DeleteNamesOneFilter) {
  MessageBuffer buffer;
  ASSERT_TRUE(AppendFilterDelete(buffer, 5, RoutedFlow().id));
  EXPECT_EQ(ToHex(buffer.bytes()),
            "380000002d000100"
            "0500000000000000"
            "0000000003000000"
            "07000000f2ffffff"
            "08000100"
            "08000b0002000000"
            "0b000100666c6f7765720000");
}

TEST(FilterEncoding, ATerseDumpAsksForIt) {
  MessageBuffer buffer;
  AppendFilterDump(buffer, 5, {.ifindex = 3, .chain = 2, .terse = true});
  EXPECT_EQ(ToHex(buffer.bytes()),
            "380000002e000103"
            "0500000000000000"
            "0000000003000000"
            "00000000f2ffffff"
            "00000000"
            "08000b0002000000"
            "0c000f0001000000"
            "01000000");
}

TEST(FilterEncoding, ADumpMayBeNarrowedToAnEthertype) {
  MessageBuffer buffer;
  AppendFilterDump(buffer, 5, {.ifindex = 3, .ethertype = ETH_P_IPV6});
  EXPECT_EQ(ToHex(buffer.bytes()),
            "240000002e000103"
            "0500000000000000"
            "0000000003000000"
            "00000000f2ffffff"
            "86dd0000");
}

struct Refusal {
  const char* name;
  std::function<void(Filter&)> spoil;
};

class FilterRefusal : public ::testing::TestWithParam<Refusal> {};

TEST_P(FilterRefusal, IsRefusedWithASentenceAndNothingWritten) {
  Filter filter = RoutedFlow();
  GetParam().spoil(filter);
  MessageBuffer buffer;
  const auto result = AppendFilterAdd(buffer, 1, filter);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, EINVAL);
  EXPECT_FALSE(result.error().extack.empty());
  EXPECT_TRUE(buffer.empty());
}

INSTANTIATE_TEST_SUITE_P(
    AFilter, FilterRefusal,
    ::testing::Values(
        Refusal{"WithoutHandle", [](Filter& f) { f.id.handle = 0; }},
        Refusal{"WithoutPrio", [](Filter& f) { f.id.prio = 0; }},
        Refusal{"WithoutEthertype", [](Filter& f) { f.id.ethertype = 0; }},
        Refusal{"WithoutActions", [](Filter& f) { f.actions.clear(); }},
        Refusal{"WithMoreActionsThanTheKernelTakes", [](Filter& f) { f.actions.assign(33, TrapAction{}); }},
        Refusal{"WithARewriteOfNothing", [](Filter& f) { f.actions.front() = PeditAction{}; }},
        Refusal{"WithAnAddressOfTheOtherFamily", [](Filter& f) { f.key.ip_dst = Exact(*IpAddress::Parse("fd00::1")); }},
        Refusal{"WithAMaskOfTheOtherFamily", [](Filter& f) { f.key.ip_dst->mask = *IpAddress::Parse("ffff::"); }},
        Refusal{"WithAnAddressBehindAnUnknownTag", [](Filter& f) { f.id.ethertype = ETH_P_8021Q; }},
        Refusal{"WithAPortOfNoProtocol", [](Filter& f) { f.key.dst_port = std::uint16_t{53}; }},
        Refusal{"WithAPortOfIcmp",
                [](Filter& f) {
                  f.key.ip_proto = std::uint8_t{IPPROTO_ICMP};
                  f.key.dst_port = std::uint16_t{53};
                }},
        Refusal{"WithAVlanUntagged", [](Filter& f) { f.key.vlan_id = std::uint16_t{1}; }},
        Refusal{"WithAVlanIdTooLarge",
                [](Filter& f) {
                  f.id.ethertype = ETH_P_8021Q;
                  f.key.vlan_ethertype = std::uint16_t{ETH_P_IP};
                  f.key.vlan_id = std::uint16_t{4096};
                }},
        Refusal{"WithATtlOfArp",
                [](Filter& f) {
                  f.id.ethertype = ETH_P_ARP;
                  f.key.ip_dst.reset();
                  f.key.ip_ttl = Masked<std::uint8_t>{1, 0xff};
                }}),
    [](const auto& test) { return test.param.name; });

TEST(FilterRequests, NeverNameAWholePriority) {
  MessageBuffer buffer;
  FilterId id = RoutedFlow().id;
  id.handle = 0;
  EXPECT_FALSE(AppendFilterDelete(buffer, 1, id));
  EXPECT_FALSE(AppendFilterGet(buffer, 1, id));
  EXPECT_FALSE(AppendBpfFilterDelete(buffer, 1, id));
  EXPECT_TRUE(buffer.empty());
}

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
  buffer_.PutU8(TCA_FLOWER_KEY_IP_TOS, 4);
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

TEST(BpfFilters, GoOutInDirectActionMode) {
  MessageBuffer buffer;
  const BpfFilter filter{.id = {.ifindex = 3, .chain = 2, .prio = 16, .ethertype = ETH_P_ALL, .handle = 1},
                         .program = 5,
                         .name = "dpuflow"};
  ASSERT_TRUE(AppendBpfFilterAdd(buffer, 1, filter));
  EXPECT_EQ(ToHex(buffer.bytes()),
            "540000002c000106"
            "0100000000000000"
            "0000000003000000"
            "01000000f2ffffff"
            "00031000"
            "08000b0002000000"
            "0800010062706600"
            "20000280"
            "0800060005000000"
            "0c000700647075666c6f7700"
            "0800080001000000");
}

TEST(BpfFilters, NeedAProgramAndAShortName) {
  MessageBuffer buffer;
  const FilterId id{.ifindex = 3, .prio = 16, .ethertype = ETH_P_ALL, .handle = 1};
  EXPECT_FALSE(AppendBpfFilterAdd(buffer, 1, {.id = id, .program = -1, .name = "x"}));
  EXPECT_FALSE(AppendBpfFilterAdd(buffer, 1, {.id = id, .program = 3, .name = std::string(256, 'x')}));
  EXPECT_TRUE(buffer.empty());
}

TEST(FilterLists, LeaveOutTheHeaders) {
  auto transport = std::make_unique<FakeTransport>();
  FakeTransport& kernel = *transport;
  kernel.on_request = [&](const nlmsghdr& request) {
    MessageBuffer dump;
    tcmsg header{};
    dump.Begin(RTM_NEWTFILTER, NLM_F_MULTI, request.nlmsg_seq, header);
    dump.PutString(TCA_KIND, "flower");
    ASSERT_TRUE(AppendFilterAdd(dump, request.nlmsg_seq, RoutedFlow()));
    dump.Begin(NLMSG_DONE, NLM_F_MULTI, request.nlmsg_seq, int{0});
    kernel.Answer(dump);
  };
  Socket socket(std::move(transport));
  const auto filters = ListFilters(socket, {.ifindex = 3});
  ASSERT_TRUE(filters);
  ASSERT_EQ(filters->size(), 1u);
  EXPECT_EQ(filters->front().filter, RoutedFlow());
  EXPECT_EQ(ListTerse(socket, {.ifindex = 3})->size(), 1u);
  EXPECT_TRUE(ListBpfFilters(socket, {.ifindex = 3})->empty());
}

}  // namespace
}  // namespace dpuflow::netlink
