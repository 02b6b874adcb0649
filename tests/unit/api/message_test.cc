// SPDX-License-Identifier: Apache-2.0
#include "agent/api/message.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace dpuflow::api {
namespace {

using namespace std::string_literals;

TEST(Message, RequestComesBackAsItWas) {
  const Request request{"io.dpuflow.Agent.GetFlow", {{"id", 7}}, true, false};
  const std::string bytes = Serialize(request);
  EXPECT_EQ(bytes, R"({"method":"io.dpuflow.Agent.GetFlow","parameters":{"id":7},"more":true})"
                   "\0"s);
  EXPECT_EQ(*ParseRequest(bytes.substr(0, bytes.size() - 1)), request);
}

TEST(Message, ReplyComesBackAsItWas) {
  for (const Reply& reply : {Reply{{{"count", 3}}, true, {}}, Reply{{{"id", 7}}, false, kNoSuchFlow}, Reply{}}) {
    const std::string bytes = Serialize(reply);
    EXPECT_EQ(*ParseReply(bytes.substr(0, bytes.size() - 1)), reply) << bytes;
  }
}

TEST(Message, FieldsKeepTheirOrder) {
  EXPECT_EQ(Dump({{"id", 1}, {"table", "l3"}, {"age_ms", 5}}), R"({"id":1,"table":"l3","age_ms":5})");
}

TEST(Message, TextThatIsNoUtf8IsReplaced) { EXPECT_EQ(Dump(Json("driver said \xff")), "\"driver said \xef\xbf\xbd\""); }

TEST(Message, RefusalSaysWhatWasExpected) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "expected a JSON object, found something that is not JSON"},
      {"GET / HTTP/1.1", "expected a JSON object, found something that is not JSON"},
      {"[1]", "expected a JSON object, found a JSON array"},
      {"{}", "expected a \"method\", found none"},
      {R"({"method":7})", "expected \"method\" to be a string"},
      {R"({"method":"a.B","more":1})", "expected \"more\" to be true or false"},
      {R"({"method":"a.B","parameters":[]})", "expected \"parameters\" to be an object"},
      {R"({"method":"a.B","more":true,"oneway":true})", "expected \"more\" or \"oneway\", found both"},
      {R"({"method":"a.B","upgrade":true})", "\"upgrade\" is not offered here"},
      {R"({"method":"a.B","parameters":{"n":1e999}})", "expected a JSON object, found something that is not JSON"},
      {"{\"method\":\"\xff\"}", "expected a JSON object, found something that is not JSON"},
  };
  for (const auto& [text, reason] : kCases) {
    const auto request = ParseRequest(text);
    ASSERT_FALSE(request) << text;
    EXPECT_EQ(request.error().code, EBADMSG);
    EXPECT_EQ(request.error().extack, reason) << text;
  }
}

TEST(Message, UnknownMembersAndNullsAreIgnored) {
  const auto request = ParseRequest(R"({"method":"a.B","trace":1,"parameters":null,"more":null})");
  ASSERT_TRUE(request);
  EXPECT_EQ(*request, (Request{"a.B"}));
}

TEST(Message, DeepNestingIsOnlyLong) {
  const std::string deep(30000, '[');
  EXPECT_FALSE(ParseRequest(deep));
  EXPECT_TRUE(ParseRequest(R"({"method":"a.B","parameters":{"x":)" + deep + std::string(30000, ']') + "}}"));
}

TEST(Framer, CutsAtNulWhateverThePieces) {
  const std::string bytes = "one\0two\0\0three"s;
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    Framer framer(16);
    std::vector<std::string> messages;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      framer.Append(bytes.substr(at, piece));
      while (auto message = *framer.Next()) messages.push_back(*message);
    }
    EXPECT_EQ(messages, (std::vector<std::string>{"one", "two", ""})) << "pieces of " << piece;
    EXPECT_EQ(framer.size(), 5U);
  }
}

TEST(Framer, LongestMessageFitsAndOneByteMoreDoesNot) {
  Framer framer(8);
  framer.Append("12345678\0"s);
  EXPECT_EQ(**framer.Next(), "12345678");
  framer.Append("123456789\0"s);
  EXPECT_EQ(framer.Next().error().code, EMSGSIZE);
  EXPECT_EQ(framer.Next().error().code, EMSGSIZE);  // and stays
}

TEST(Framer, TooLongIsSeenBeforeItsEnd) {
  Framer framer(8);
  framer.Append("12345678");
  EXPECT_TRUE(framer.Next());
  framer.Append("9");
  EXPECT_FALSE(framer.Next());
}

TEST(Framer, ManyMessagesMayWaitTogether) {
  Framer framer(4);
  for (int i = 0; i < 100000; ++i) framer.Append("ab\0"s);
  int count = 0;
  while (*framer.Next()) ++count;
  EXPECT_EQ(count, 100000);
  EXPECT_EQ(framer.size(), 0U);
}

}  // namespace
}  // namespace dpuflow::api
