// SPDX-License-Identifier: Apache-2.0
//
// A client's conversation without a socket: what goes in, what comes out, and what waits.
#include "agent/api/session.h"

#include <gtest/gtest.h>

#include <deque>

namespace dpuflow::api {
namespace {

using namespace std::string_literals;

constexpr const char* kTestInterface = R"(
interface test.example
method Echo(text: string, note: ?string) -> (text: string)
method Later() -> (n: int)
method Count(to: int) -> (n: ?int)
method Push(n: int) -> (n: int)
method Nobody() -> ()
)";

class SessionTest : public testing::Test {
 protected:
  SessionTest() {
    EXPECT_TRUE(service_.AddInterface(kTestInterface));
    service_.Register("test.example.Echo", [this](const Json& parameters, Call call) {
      echoed_.push_back(Dump(parameters));
      call.Reply({{"text", parameters["text"]}});
    });
    service_.Register("test.example.Later", [this](const Json&, Call call) { waiting_.push_back(std::move(call)); });
    service_.Register("test.example.Count", [this](const Json& parameters, Call call) {
      call.Stream([this, n = 0, to = parameters["to"].get<int>()]() mutable -> std::optional<Json> {
        if (n == to) return std::nullopt;
        ++generated_;
        return Json{{"n", ++n}};
      });
    });
    service_.Register("test.example.Push", [this](const Json& parameters, Call call) {
      const int n = parameters["n"].get<int>();
      for (int i = 1; i < n && pushed_; ++i) pushed_ = call.ReplyContinues({{"n", i}});
      call.Reply({{"n", n}});
    });
  }

  // Sends JSON text as one message.
  void Say(const std::string& text) { session_->Receive(text + '\0'); }
  void SayCall(const std::string& method, const std::string& parameters, const std::string& rest = "") {
    Say(R"({"method":"test.example.)" + method + R"(","parameters":)" + parameters + rest + "}");
  }
  // The replies that wait to be sent, one per element, and takes them.
  std::vector<std::string> Heard() {
    std::vector<std::string> messages;
    while (!session_->output().empty()) {
      framer_.Append(session_->output());
      session_->Consume(session_->output().size());
    }
    while (auto message = *framer_.Next()) messages.push_back(*message);
    return messages;
  }
  using Replies = std::vector<std::string>;

  Service service_{{"Vendor", "Product", "1", "https://example.com"}};
  Limits limits_{.max_request = 256, .output_room = 128, .max_output = 1024};
  std::shared_ptr<Session> session_ = Session::Create(service_, limits_, {1, 2, 3});
  Framer framer_{1 << 20};
  std::deque<Call> waiting_;
  std::vector<std::string> echoed_;
  int generated_ = 0;
  bool pushed_ = true;
};

TEST_F(SessionTest, CallIsAnswered) {
  SayCall("Echo", R"({"text":"a"})");
  EXPECT_EQ(Heard(), (Replies{R"({"parameters":{"text":"a"}})"}));
  EXPECT_TRUE(session_->wants_input());
  EXPECT_FALSE(session_->is_finished());
}

TEST_F(SessionTest, ByteByByteIsTheSame) {
  for (const char c : R"({"method":"test.example.Echo","parameters":{"text":"a"}})"s + '\0') {
    session_->Receive(std::string_view(&c, 1));
  }
  EXPECT_EQ(Heard(), (Replies{R"({"parameters":{"text":"a"}})"}));
}

TEST_F(SessionTest, NullIsTheSameAsAbsent) {
  SayCall("Echo", R"({"text":"a","note":null})");
  EXPECT_EQ(echoed_, (Replies{R"({"text":"a"})"}));
}

TEST_F(SessionTest, WrongCallsGetTheStandardErrors) {
  Say(R"({"method":"nodots"})");
  Say(R"({"method":"other.interface.Do"})");
  Say(R"({"method":"test.example.Gone"})");
  EXPECT_EQ(
      Heard(),
      (Replies{R"({"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"nodots"}})",
               R"({"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"other.interface"}})",
               R"({"error":"org.varlink.service.MethodNotFound","parameters":{"method":"test.example.Gone"}})"}));
  SayCall("Nobody", "{}");
  SayCall("Echo", R"({"text":1})");
  SayCall("Count", R"({"to":1})");
  EXPECT_EQ(
      Heard(),
      (Replies{R"({"error":"org.varlink.service.MethodNotImplemented","parameters":{"method":"test.example.Nobody"}})",
               R"({"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"text"}})",
               R"({"error":"org.varlink.service.ExpectedMore","parameters":{}})"}));
  EXPECT_EQ(service_.counters().error_replies, 6U);
  EXPECT_FALSE(session_->is_finished());  // none of these ends the conversation
}

TEST_F(SessionTest, ServiceDescribesItself) {
  Say(R"({"method":"org.varlink.service.GetInfo"})");
  EXPECT_EQ(Heard(), (Replies{R"({"parameters":{"vendor":"Vendor","product":"Product","version":"1",)"
                              R"("url":"https://example.com","interfaces":["io.dpuflow.Agent","org.varlink.service",)"
                              R"("test.example"]}})"}));
  Say(R"({"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"test.example"}})");
  const auto reply = ParseReply(Heard().front());
  EXPECT_EQ(reply->parameters["description"], kTestInterface);
  Say(R"({"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"gone"}})");
  EXPECT_EQ(Heard(),
            (Replies{R"({"error":"org.varlink.service.InterfaceNotFound","parameters":{"interface":"gone"}})"}));
}

TEST_F(SessionTest, ServiceKnowsWhatIsMissing) {
  service_.Register("test.example.Undefined", [](const Json&, Call) {});
  const std::vector<std::string> names = service_.Mismatched();
  EXPECT_EQ(std::count(names.begin(), names.end(), "test.example.Nobody"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "test.example.Undefined"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "test.example.Echo"), 0);
  EXPECT_EQ(std::count(names.begin(), names.end(), "org.varlink.service.GetInfo"), 0);
}

TEST_F(SessionTest, OnewayIsDoneAndNotAnswered) {
  SayCall("Echo", R"({"text":"a"})", R"(,"oneway":true)");
  SayCall("Echo", R"({})", R"(,"oneway":true)");
  SayCall("Echo", R"({"text":"b"})");
  EXPECT_EQ(echoed_.size(), 2U);
  EXPECT_EQ(Heard(), (Replies{R"({"parameters":{"text":"b"}})"}));
}

TEST_F(SessionTest, LaterAnswerWakesTheOwnerAndKeepsTheOrder) {
  int wakeups = 0;
  session_->SetWakeup([&wakeups] { ++wakeups; });
  SayCall("Later", "{}");
  SayCall("Echo", R"({"text":"second"})");
  EXPECT_TRUE(Heard().empty());
  EXPECT_TRUE(echoed_.empty());
  EXPECT_EQ(wakeups, 0);
  waiting_.front().Reply({{"n", 1}});
  EXPECT_EQ(wakeups, 1);
  EXPECT_EQ(Heard(), (Replies{R"({"parameters":{"n":1}})", R"({"parameters":{"text":"second"}})"}));
  waiting_.front().Reply({{"n", 2}});  // once is enough
  EXPECT_TRUE(Heard().empty());
}

TEST_F(SessionTest, DroppedCallIsAnsweredNotReady) {
  SayCall("Later", "{}");
  EXPECT_TRUE(waiting_.front().is_open());
  waiting_.clear();
  EXPECT_EQ(Heard(),
            (Replies{R"({"error":"io.dpuflow.Agent.NotReady","parameters":{"reason":"the agent dropped the call"}})"}));
}

TEST_F(SessionTest, CallMayOutliveItsClient) {
  SayCall("Later", "{}");
  EXPECT_EQ(waiting_.front().peer(), (PeerCredentials{1, 2, 3}));
  session_.reset();
  EXPECT_FALSE(waiting_.front().is_open());
  waiting_.front().Reply({{"n", 1}});
}

TEST_F(SessionTest, CallAssignedOverIsAnswered) {
  SayCall("Later", "{}");
  auto other = Session::Create(service_, limits_, {});
  other->Receive(R"({"method":"test.example.Later"})"s + '\0');
  waiting_[0] = std::move(waiting_[1]);
  EXPECT_EQ(Heard().size(), 1U);
  waiting_[0].Reply({{"n", 1}});
  EXPECT_EQ(other->output(), R"({"parameters":{"n":1}})"s + '\0');
}

TEST_F(SessionTest, StreamIsPulledAsTheClientReads) {
  SayCall("Count", R"({"to":1000})", R"(,"more":true)");
  SayCall("Echo", R"({"text":"next"})");
  const int at_first = generated_;
  EXPECT_LT(at_first, 10);
  EXPECT_LT(session_->output().size(), 200U);
  session_->Consume(session_->output().find('\0') + 1);
  EXPECT_LE(generated_, at_first + 1);
  EXPECT_TRUE(echoed_.empty());
  session_->Consume(0);
  const std::size_t heard = Heard().size();
  EXPECT_EQ(generated_, 1000);
  EXPECT_EQ(heard + 1, 1000U + 1);  // the first one was consumed above; the echo comes last
  EXPECT_EQ(echoed_.size(), 1U);
}

TEST_F(SessionTest, StreamReadInHalvesStaysShort) {
  SayCall("Count", R"({"to":5000})", R"(,"more":true)");
  std::size_t longest = 0;
  while (generated_ < 5000) {
    longest = std::max(longest, session_->output().size());
    framer_.Append(session_->output().substr(0, 50));
    session_->Consume(std::min<std::size_t>(50, session_->output().size()));
  }
  EXPECT_LT(longest, 250U);
  EXPECT_EQ(Heard().size(), 5000U);
}

TEST_F(SessionTest, OnlyTheLastReplySaysThatItIsTheLast) {
  SayCall("Count", R"({"to":2})", R"(,"more":true)");
  SayCall("Count", R"({"to":1})", R"(,"more":true)");
  SayCall("Count", R"({"to":0})", R"(,"more":true)");
  EXPECT_EQ(Heard(), (Replies{R"({"parameters":{"n":1},"continues":true})", R"({"parameters":{"n":2}})",
                              R"({"parameters":{"n":1}})", R"({"parameters":{}})"}));
}

TEST_F(SessionTest, PushedRepliesContinue) {
  SayCall("Push", R"({"n":2})", R"(,"more":true)");
  EXPECT_EQ(Heard(), (Replies{R"({"parameters":{"n":1},"continues":true})", R"({"parameters":{"n":2}})"}));
  SayCall("Push", R"({"n":2})");  // without `more` there is only the last one
  EXPECT_EQ(Heard(), (Replies{R"({"parameters":{"n":2}})"}));
}

TEST_F(SessionTest, SlowReaderOfPushedRepliesIsDropped) {
  SayCall("Push", R"({"n":1000})", R"(,"more":true)");
  EXPECT_FALSE(pushed_);
  EXPECT_TRUE(session_->is_finished());
  EXPECT_TRUE(session_->output().empty());
  EXPECT_EQ(service_.counters().slow_readers, 1U);
}

TEST_F(SessionTest, WhoDoesNotReadIsNotReadFrom) {
  int sent = 0;
  while (session_->wants_input() && sent < 1000) {
    SayCall("Echo", R"({"text":"abc"})");
    ++sent;
  }
  EXPECT_LT(sent, 20);
  EXPECT_FALSE(session_->wants_input());
  EXPECT_EQ(Heard().size(), static_cast<std::size_t>(sent));  // nothing is lost
  EXPECT_TRUE(session_->wants_input());
}

TEST_F(SessionTest, GarbageIsAnsweredAndEndsTheConversationAfterWhatCameBefore) {
  SayCall("Later", "{}");
  Say("garbage");
  SayCall("Echo", R"({"text":"never"})");
  EXPECT_FALSE(session_->is_finished());
  waiting_.front().Reply({{"n", 1}});
  EXPECT_EQ(Heard(),
            (Replies{R"({"parameters":{"n":1}})", R"({"error":"io.dpuflow.Agent.BadMessage","parameters":{"reason":)"
                                                  R"("expected a JSON object, found something that is not JSON"}})"}));
  EXPECT_TRUE(session_->is_finished());
  EXPECT_FALSE(session_->wants_input());
  EXPECT_TRUE(echoed_.empty());
  EXPECT_EQ(service_.counters().bad_messages, 1U);
}

TEST_F(SessionTest, TooLongARequestEndsTheConversation) {
  session_->Receive(std::string(257, ' '));
  EXPECT_EQ(Heard(), (Replies{R"({"error":"io.dpuflow.Agent.BadMessage","parameters":{"reason":)"
                              R"("expected at most 256 bytes, found more"}})"}));
  EXPECT_TRUE(session_->is_finished());
}

TEST_F(SessionTest, MessageWithoutItsNulIsAnsweredAtTheEnd) {
  session_->Receive("{\"method\":\"org.varlink.service.GetInfo\"}\n");
  EXPECT_TRUE(Heard().empty());
  session_->ReceiveEnd();
  EXPECT_EQ(Heard(), (Replies{R"({"error":"io.dpuflow.Agent.BadMessage","parameters":{"reason":)"
                              R"("expected a NUL after the message, found the end"}})"}));
  EXPECT_TRUE(session_->is_finished());
}

TEST_F(SessionTest, EndOfInputLeavesAnswersToCome) {
  SayCall("Later", "{}");
  SayCall("Echo", R"({"text":"a"})");
  session_->ReceiveEnd();
  EXPECT_FALSE(session_->is_finished());
  waiting_.front().Reply({{"n", 1}});
  EXPECT_EQ(Heard().size(), 2U);
  EXPECT_TRUE(session_->is_finished());
}

TEST_F(SessionTest, WhatAGoneClientAskedIsStillDone) {
  SayCall("Count", R"({"to":1000})", R"(,"more":true)");
  SayCall("Later", "{}");
  SayCall("Echo", R"({"text":"a"})", R"(,"oneway":true)");
  const int generated = generated_;
  session_->PeerGone();
  EXPECT_EQ(generated_, generated);
  EXPECT_EQ(echoed_.size(), 1U);
  ASSERT_EQ(waiting_.size(), 1U);
  EXPECT_FALSE(waiting_.front().is_open());
  EXPECT_TRUE(session_->output().empty());
}

}  // namespace
}  // namespace dpuflow::api
