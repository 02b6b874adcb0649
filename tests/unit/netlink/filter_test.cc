// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

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

TEST(FilterEncoding, ATrafficClassIsAKey) {
  Filter filter = RoutedFlow();
  filter.key.ip_tos = Masked<std::uint8_t>{0xb8, 0xff};
  EXPECT_EQ(RoundTrip(filter).filter, filter);
  EXPECT_TRUE(RoundTrip(filter).complete);
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

TEST(BpfFilters, TellTheProgramAClassid) {
  MessageBuffer with, without;
  BpfFilter filter{.id = {.ifindex = 3, .chain = 1, .prio = 16, .ethertype = ETH_P_ALL, .handle = 1},
                   .program = 5,
                   .name = "dpuflow"};
  ASSERT_TRUE(AppendBpfFilterAdd(without, 1, filter));
  filter.classid = 0x6470;
  ASSERT_TRUE(AppendBpfFilterAdd(with, 1, filter));
  EXPECT_EQ(with.bytes().size(), without.bytes().size() + 8);
  EXPECT_EQ(ToHex(with.bytes().last(8)), "0800030070640000");
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
  std::vector<InstalledFilter> filters;
  ASSERT_TRUE(ReadFilters(
      socket, {.ifindex = 3}, [&] { filters.clear(); },
      [&](InstalledFilter filter) { filters.push_back(std::move(filter)); }));
  ASSERT_EQ(filters.size(), 1u);
  EXPECT_EQ(filters.front().filter, RoutedFlow());
  EXPECT_EQ(ListTerse(socket, {.ifindex = 3})->size(), 1u);
  EXPECT_TRUE(ListBpfFilters(socket, {.ifindex = 3})->empty());
}

}  // namespace
}  // namespace dpuflow::netlink
