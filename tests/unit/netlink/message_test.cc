// SPDX-License-Identifier: Apache-2.0
#include "netlink/message.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include "bytes.h"

namespace dpuflow::netlink {
namespace {

TEST(MessageBuffer, WritesAnAttributePaddedToFourBytes) {
  MessageBuffer buffer;
  buffer.Begin(RTM_GETLINK, NLM_F_DUMP, 7, rtgenmsg{0});
  buffer.PutString(3, "lo");
  EXPECT_EQ(ToHex(buffer.bytes()),
            "1c00000012000103070000000000000000000000"
            "070003006c6f0000");
}

TEST(MessageBuffer, WritesNetworkOrderWhereAsked) {
  MessageBuffer buffer;
  buffer.Begin(RTM_GETLINK, 0, 1, rtgenmsg{0});
  buffer.PutBe16(1, 0x1234);
  buffer.PutBe32(2, 0x12345678);
  EXPECT_EQ(ToHex(buffer.bytes()).substr(40),
            "0600010012340000"
            "0800020012345678");
}

TEST(MessageBuffer, NestsAttributesInsideEachOther) {
  MessageBuffer buffer;
  buffer.Begin(RTM_GETLINK, 0, 1, rtgenmsg{0});
  {
    const Nest outer(buffer, 2);
    const Nest inner(buffer, 5);
    buffer.PutU8(1, 0xab);
  }
  EXPECT_EQ(ToHex(buffer.bytes()).substr(40),
            "10000280"
            "0c000580"
            "05000100ab000000");
  EXPECT_EQ(buffer.header(0).nlmsg_len, buffer.bytes().size());
}

TEST(MessageBuffer, KeepsTheMessagesOfABatchApart) {
  MessageBuffer buffer;
  for (std::uint32_t seq = 1; seq <= 1000; ++seq) {
    buffer.Begin(RTM_GETROUTE, 0, seq, rtmsg{});
    buffer.PutU32(RTA_OIF, seq);
  }
  ASSERT_EQ(buffer.count(), 1000u);
  EXPECT_EQ(buffer.header(999).nlmsg_seq, 1000u);
  EXPECT_EQ(buffer.bytes(2, 4).size(), 2 * 36u);
  std::uint32_t seen = 0;
  EXPECT_TRUE(ForEachMessage(buffer.bytes(), [&](const nlmsghdr& m) { EXPECT_EQ(m.nlmsg_seq, ++seen); }));
  EXPECT_EQ(seen, 1000u);
}

TEST(MessageBuffer, AnAttributeThatIsTooLongSpoilsIt) {
  MessageBuffer buffer;
  buffer.Begin(RTM_GETLINK, 0, 1, rtgenmsg{0});
  buffer.PutString(1, std::string(70'000, 'x'));
  EXPECT_FALSE(buffer.ok());
  buffer.Clear();
  EXPECT_TRUE(buffer.ok());
}

TEST(MessageBuffer, ANestThatGrowsTooLongSpoilsIt) {
  MessageBuffer buffer;
  buffer.Begin(RTM_GETLINK, 0, 1, rtgenmsg{0});
  {
    const Nest nest(buffer, 1);
    for (int i = 0; i < 3; ++i) buffer.PutString(2, std::string(30'000, 'x'));
  }
  EXPECT_FALSE(buffer.ok());
}

TEST(MessageBuffer, AnAttributeWithoutAMessageSpoilsIt) {
  MessageBuffer buffer;
  buffer.PutU8(1, 1);
  EXPECT_FALSE(buffer.ok());
}

TEST(MessageBuffer, TruncateTakesBackTheLastMessages) {
  MessageBuffer buffer;
  for (std::uint32_t seq = 1; seq <= 3; ++seq) buffer.Begin(RTM_GETLINK, 0, seq, rtgenmsg{0});
  buffer.Truncate(1);
  ASSERT_EQ(buffer.count(), 1u);
  EXPECT_EQ(buffer.bytes().size(), buffer.header(0).nlmsg_len);
}

TEST(AttributeReader, TooShortAValueIsAFaultThatSticks) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWLINK, 0, 1, rtgenmsg{0});
  buffer.PutU16(1, 0xffff);
  buffer.PutU32(2, 5);
  MessageReader reader(buffer.header(0));
  AttributeReader attributes = reader.Attributes(sizeof(rtgenmsg));
  ASSERT_TRUE(attributes.Next());
  EXPECT_EQ(attributes.U32(), 0u);
  EXPECT_FALSE(reader.ok());
  EXPECT_FALSE(attributes.Next());
  EXPECT_EQ(reader.Malformed("a thing").value().code, EBADMSG);
}

TEST(AttributeReader, AFaultInsideANestIsTheMessagesFault) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWLINK, 0, 1, rtgenmsg{0});
  buffer.Put(1, FromHex("ff000100"));  // the inner attribute claims 255 bytes
  MessageReader reader(buffer.header(0));
  AttributeReader attributes = reader.Attributes(sizeof(rtgenmsg));
  ASSERT_TRUE(attributes.Next());
  EXPECT_FALSE(attributes.Nested().Next());
  EXPECT_FALSE(reader.ok());
}

TEST(AttributeReader, AnAttributeOfLengthZeroIsAFaultAndNoEndlessLoop) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWLINK, 0, 1, rtgenmsg{0});
  buffer.Put(1, FromHex("00000000"));
  MessageReader reader(buffer.header(0));
  AttributeReader attributes = reader.Attributes(sizeof(rtgenmsg));
  ASSERT_TRUE(attributes.Next());
  EXPECT_FALSE(attributes.Nested().Next());
  EXPECT_FALSE(reader.ok());
}

TEST(AttributeReader, ATextMayLackItsZero) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWLINK, 0, 1, rtgenmsg{0});
  buffer.Put(1, FromHex("6c6f"));
  MessageReader reader(buffer.header(0));
  AttributeReader attributes = reader.Attributes(sizeof(rtgenmsg));
  ASSERT_TRUE(attributes.Next());
  EXPECT_EQ(attributes.String(), "lo");
}

TEST(AttributeReader, AnAddressHasFourOrSixteenBytes) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWLINK, 0, 1, rtgenmsg{0});
  buffer.Put(1, FromHex("0a0000010a"));
  MessageReader reader(buffer.header(0));
  AttributeReader attributes = reader.Attributes(sizeof(rtgenmsg));
  ASSERT_TRUE(attributes.Next());
  EXPECT_TRUE(attributes.Ip().is_none());
  EXPECT_FALSE(reader.ok());
}

TEST(ForEachMessage, GivesWhatIsWholeAndRefusesTheRest) {
  MessageBuffer buffer;
  buffer.Begin(RTM_NEWLINK, 0, 1, rtgenmsg{0});
  buffer.Begin(RTM_NEWLINK, 0, 2, rtgenmsg{0});
  for (std::size_t length = 0; length < buffer.bytes().size(); ++length) {
    const auto all = buffer.bytes();
    const std::vector<std::byte> cut(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(length));
    std::size_t whole = 0;
    const auto result = ForEachMessage(cut, [&](const nlmsghdr&) { ++whole; });
    EXPECT_EQ(whole, length / 20);
    EXPECT_EQ(result.has_value(), length % 20 == 0);
  }
}

TEST(ForEachMessage, RefusesALengthBelowTheHeaders) {
  EXPECT_FALSE(ForEachMessage(FromHex("0f000000120001030700000000000000"), [](const nlmsghdr&) {}));
  EXPECT_FALSE(ForEachMessage(FromHex("00000000120001030700000000000000"), [](const nlmsghdr&) {}));
}

// The request that an error echoes, in full where NLM_F_CAPPED is missing.
MessageBuffer ErrorMessage(int code, bool capped, std::string_view extack) {
  MessageBuffer buffer;
  nlmsgerr error{};
  error.error = code;
  error.msg.nlmsg_len = sizeof(nlmsghdr) + 8;
  const unsigned flags = NLM_F_ACK_TLVS | (capped ? unsigned{NLM_F_CAPPED} : 0U);
  if (capped) {
    buffer.Begin(NLMSG_ERROR, static_cast<std::uint16_t>(flags), 1, error);
  } else {
    std::array<std::byte, sizeof(nlmsgerr) + 8> header{};  // 8 bytes of the request behind its header
    std::memcpy(header.data(), &error, sizeof error);
    buffer.Begin(NLMSG_ERROR, static_cast<std::uint16_t>(flags), 1, header);
  }
  buffer.PutString(NLMSGERR_ATTR_MSG, extack);
  return buffer;
}

TEST(ParseAck, SuccessIsAnErrorOfZero) {
  MessageBuffer buffer;
  buffer.Begin(NLMSG_ERROR, NLM_F_CAPPED, 1, nlmsgerr{});
  EXPECT_TRUE(ParseAck(buffer.header(0), "add"));
}

TEST(ParseAck, KeepsTheKernelsSentence) {
  for (const bool capped : {true, false}) {
    const MessageBuffer buffer = ErrorMessage(-EEXIST, capped, "Filter already exists");
    const auto ack = ParseAck(buffer.header(0), "add a filter");
    ASSERT_FALSE(ack);
    EXPECT_EQ(ack.error(), (Error{EEXIST, "add a filter", "Filter already exists"})) << capped;
  }
}

TEST(ParseAck, ReadsTheErrorThatEndsADump) {
  MessageBuffer buffer;
  buffer.Begin(NLMSG_DONE, NLM_F_ACK_TLVS, 1, int{-EINVAL});
  buffer.PutString(NLMSGERR_ATTR_MSG, "Invalid header for dump request");
  const auto ack = ParseAck(buffer.header(0), "list");
  ASSERT_FALSE(ack);
  EXPECT_EQ(ack.error(), (Error{EINVAL, "list", "Invalid header for dump request"}));
}

TEST(ParseAck, RefusesWhatIsNoAcknowledgement) {
  MessageBuffer other;
  other.Begin(RTM_NEWLINK, 0, 1, nlmsgerr{});
  EXPECT_EQ(ParseAck(other.header(0), "x").error().code, EBADMSG);
  const MessageBuffer positive = ErrorMessage(5, true, "");
  EXPECT_EQ(ParseAck(positive.header(0), "x").error().code, EBADMSG);
}

TEST(ParseAck, SurvivesTruncationAndDamage) {
  const MessageBuffer buffer = ErrorMessage(-ENOSPC, false, "mlx5_core: table full");
  ForEachTruncation(buffer.bytes(), [](const nlmsghdr& m) { EXPECT_FALSE(ParseAck(m, "x")); });
  ForEachDamage(buffer.bytes(), [](const nlmsghdr& m) { static_cast<void>(ParseAck(m, "x")); });
}

}  // namespace
}  // namespace dpuflow::netlink
