// SPDX-License-Identifier: Apache-2.0
//
// Batches against a kernel in memory: who has succeeded, who has failed, and who is unknown.
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include "fake_transport.h"
#include "netlink/socket.h"

namespace dpuflow::netlink {
namespace {

class SocketBatch : public ::testing::Test {
 protected:
  // Requests with the sequence numbers 1 to `count`, 20 bytes each.
  static MessageBuffer Requests(std::uint32_t count, std::uint16_t flags = 0) {
    MessageBuffer requests;
    for (std::uint32_t seq = 1; seq <= count; ++seq) {
      requests.Begin(RTM_NEWTFILTER, flags, seq, std::uint32_t{seq});
    }
    return requests;
  }

  // What rtnetlink does: errors are always answered, success only where asked for.
  void AnswerLikeTheKernel(std::function<int(std::uint32_t seq)> verdict) {
    kernel_->on_request = [this, verdict](const nlmsghdr& request) {
      const int code = verdict(request.nlmsg_seq);
      if (code != 0) {
        kernel_->Acknowledge(request, code, "a reason");
      } else if ((request.nlmsg_flags & NLM_F_ACK) != 0) {
        kernel_->Acknowledge(request);
      }
    };
  }

  FakeTransport* kernel_ = new FakeTransport;  // owned by socket_
  Socket socket_{std::unique_ptr<Transport>(kernel_)};
};

TEST_F(SocketBatch, SilenceBeforeTheBarrierIsSuccess) {
  AnswerLikeTheKernel([](std::uint32_t) { return 0; });
  MessageBuffer requests = Requests(400);
  for (const BatchResult& result : socket_.TransactBatch(requests, "add")) EXPECT_TRUE(result.done());
  EXPECT_EQ(kernel_->sent.size(), 1u);
}

TEST_F(SocketBatch, OnlyTheLastMessageAsksForAnAcknowledgement) {
  AnswerLikeTheKernel([](std::uint32_t) { return 0; });
  MessageBuffer requests = Requests(3, NLM_F_ACK);
  socket_.TransactBatch(requests, "add");
  EXPECT_EQ(requests.header(0).nlmsg_flags & NLM_F_ACK, 0);
  EXPECT_EQ(requests.header(1).nlmsg_flags & NLM_F_ACK, 0);
  EXPECT_NE(requests.header(2).nlmsg_flags & NLM_F_ACK, 0);
}

TEST_F(SocketBatch, AFailureInTheMiddleIsItsOwn) {
  AnswerLikeTheKernel([](std::uint32_t seq) { return seq == 3 ? ENOSPC : 0; });
  MessageBuffer requests = Requests(5);
  const auto results = socket_.TransactBatch(requests, "add");
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].done(), i != 2);
  EXPECT_EQ(results[2].outcome, Outcome::kFailed);
  EXPECT_EQ(results[2].error, (Error{ENOSPC, "add", "a reason"}));
}

TEST_F(SocketBatch, TheBarrierItselfMayFail) {
  AnswerLikeTheKernel([](std::uint32_t seq) { return seq == 5 ? EEXIST : 0; });
  MessageBuffer requests = Requests(5);
  const auto results = socket_.TransactBatch(requests, "add");
  EXPECT_TRUE(results[3].done());
  EXPECT_EQ(results[4].error.code, EEXIST);
}

TEST_F(SocketBatch, ABatchOverTheSendBufferIsSplitWithABarrierInEachPart) {
  kernel_->room_to_send = 50;  // two messages
  AnswerLikeTheKernel([](std::uint32_t seq) { return seq == 4 ? EPERM : 0; });
  MessageBuffer requests = Requests(5);
  const auto results = socket_.TransactBatch(requests, "add");
  EXPECT_EQ(kernel_->sent.size(), 3u);
  for (std::size_t i = 0; i < results.size(); ++i) EXPECT_EQ(results[i].done(), i != 3) << i;
}

TEST_F(SocketBatch, ABatchWhoseErrorsWouldNotFitTheReceiveBufferIsSplit) {
  kernel_->room_to_receive = 8 * 2048;
  AnswerLikeTheKernel([](std::uint32_t) { return EPERM; });
  MessageBuffer requests = Requests(20);
  const auto results = socket_.TransactBatch(requests, "add");
  EXPECT_EQ(kernel_->sent.size(), 3u);
  for (const BatchResult& result : results) EXPECT_EQ(result.outcome, Outcome::kFailed);
}

TEST_F(SocketBatch, AnOverflowMakesTheUnansweredUnknown) {
  kernel_->on_request = [&](const nlmsghdr& request) {
    if (request.nlmsg_seq == 2) kernel_->Acknowledge(request, ENOSPC);
    if (request.nlmsg_seq == 3) kernel_->Fail(ENOBUFS);
    if (request.nlmsg_seq == 4) kernel_->Acknowledge(request);
  };
  MessageBuffer requests = Requests(4);
  const auto results = socket_.TransactBatch(requests, "add");
  EXPECT_EQ(results[0].outcome, Outcome::kUnknown);
  EXPECT_EQ(results[0].error.code, ENOBUFS);
  EXPECT_EQ(results[1].outcome, Outcome::kFailed);
  EXPECT_EQ(results[2].outcome, Outcome::kUnknown);
  EXPECT_EQ(results[3].outcome, Outcome::kDone);
}

TEST_F(SocketBatch, AnOverflowThatTakesTheBarrierEndsTheWait) {
  kernel_->on_request = [&](const nlmsghdr& request) {
    if (request.nlmsg_seq == 2) kernel_->Fail(ENOBUFS);
  };
  MessageBuffer requests = Requests(2);
  for (const BatchResult& result : socket_.TransactBatch(requests, "add")) {
    EXPECT_EQ(result.outcome, Outcome::kUnknown);
  }
}

TEST_F(SocketBatch, AnOverflowInOnePartLeavesTheOthersKnown) {
  kernel_->room_to_send = 50;
  kernel_->on_request = [&](const nlmsghdr& request) {
    if (request.nlmsg_seq == 1) kernel_->Fail(ENOBUFS);
    if (request.nlmsg_seq % 2 == 0) kernel_->Acknowledge(request);
  };
  MessageBuffer requests = Requests(4);
  const auto results = socket_.TransactBatch(requests, "add");
  EXPECT_EQ(results[0].outcome, Outcome::kUnknown);
  for (std::size_t i = 1; i < 4; ++i) EXPECT_TRUE(results[i].done()) << i;
}

TEST_F(SocketBatch, AKernelThatNeverAnswersLeavesAllUnknown) {
  MessageBuffer requests = Requests(2);
  const auto results = socket_.TransactBatch(requests, "add");
  EXPECT_EQ(results[1].outcome, Outcome::kUnknown);
  EXPECT_EQ(results[1].error.code, ETIMEDOUT);
}

TEST_F(SocketBatch, ARefusedSendHasChangedNothing) {
  kernel_->send_error = ENOMEM;
  MessageBuffer requests = Requests(2);
  for (const BatchResult& result : socket_.TransactBatch(requests, "add")) {
    EXPECT_EQ(result.outcome, Outcome::kFailed);
    EXPECT_EQ(result.error.code, ENOMEM);
  }
}

TEST_F(SocketBatch, ASpoiltBufferIsNotSent) {
  MessageBuffer requests = Requests(1);
  requests.PutString(1, std::string(70'000, 'x'));
  EXPECT_EQ(socket_.TransactBatch(requests, "add")[0].error.code, EMSGSIZE);
  EXPECT_TRUE(kernel_->sent.empty());
}

TEST_F(SocketBatch, TheEchoIsKeptBesideTheOutcome) {
  kernel_->on_request = [&](const nlmsghdr& request) {
    MessageBuffer echo;
    echo.Begin(RTM_NEWTFILTER, 0, request.nlmsg_seq, std::uint32_t{77});
    kernel_->Answer(echo);
    if ((request.nlmsg_flags & NLM_F_ACK) != 0) kernel_->Acknowledge(request);
  };
  MessageBuffer requests = Requests(2, NLM_F_ECHO);
  for (const BatchResult& result : socket_.TransactBatch(requests, "add")) {
    EXPECT_TRUE(result.done());
    ASSERT_FALSE(result.echo.empty());
    EXPECT_EQ(result.echo.header().nlmsg_type, RTM_NEWTFILTER);
  }
}

TEST_F(SocketBatch, AnAnswerToSomethingOlderIsPassedOver) {
  kernel_->on_request = [&](const nlmsghdr& request) {
    nlmsghdr older = request;
    older.nlmsg_seq = 900;
    kernel_->Acknowledge(older, EPERM);
    kernel_->Acknowledge(request);
  };
  MessageBuffer requests = Requests(1);
  EXPECT_TRUE(socket_.TransactBatch(requests, "add")[0].done());
}

TEST_F(SocketBatch, EachQuestionHasItsOwnAnswer) {
  kernel_->on_request = [&](const nlmsghdr& request) {
    if (request.nlmsg_seq == 2) {
      kernel_->Acknowledge(request, ENETUNREACH);
      return;
    }
    MessageBuffer answer;
    answer.Begin(RTM_NEWROUTE, 0, request.nlmsg_seq, std::uint32_t{request.nlmsg_seq * 10});
    kernel_->Answer(answer);
  };
  const auto answers = socket_.AskBatch(Requests(3), "ask");
  ASSERT_EQ(answers.size(), 3u);
  MessageReader third(answers[2]->header());
  EXPECT_EQ(third.Header<std::uint32_t>(), 30u);
  EXPECT_TRUE(answers[0]);
  EXPECT_EQ(answers[1].error().code, ENETUNREACH);
}

TEST_F(SocketBatch, ALostAnswerIsAnErrorOfItsOwn) {
  kernel_->on_request = [&](const nlmsghdr& request) {
    if (request.nlmsg_seq == 1) {
      kernel_->Fail(ENOBUFS);
    } else {
      kernel_->Acknowledge(request, EINVAL);
    }
  };
  const auto answers = socket_.AskBatch(Requests(2), "ask");
  EXPECT_EQ(answers[0].error().code, ENOBUFS);
  EXPECT_EQ(answers[1].error().code, EINVAL);
}

TEST_F(SocketBatch, AnAcknowledgementIsNoAnswerToAQuestion) {
  kernel_->on_request = [&](const nlmsghdr& request) { kernel_->Acknowledge(request); };
  EXPECT_EQ(socket_.Ask(Requests(1), "ask").error().code, ENODATA);
}

TEST_F(SocketBatch, OneChangeAtATimeTakesOneMessage) {
  AnswerLikeTheKernel([](std::uint32_t) { return 0; });
  MessageBuffer one = Requests(1);
  EXPECT_TRUE(socket_.Transact(one, "add"));
  MessageBuffer none;
  EXPECT_EQ(socket_.Transact(none, "add").error().code, EINVAL);
}

}  // namespace
}  // namespace dpuflow::netlink
