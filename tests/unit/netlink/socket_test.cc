// SPDX-License-Identifier: Apache-2.0
//
// Dumps and notifications against a kernel in memory, and a few words with the real one, which need no privilege.
#include "netlink/socket.h"

#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "bytes.h"
#include "fake_transport.h"
#include "netlink/rtnl.h"

namespace dpuflow::netlink {
namespace {

class SocketDump : public ::testing::Test {
 protected:
  SocketDump() { request_.Begin(RTM_GETLINK, NLM_F_DUMP, 5, std::uint32_t{0}); }

  // One datagram with `values` and, at the end of the dump, NLMSG_DONE.
  void Part(const std::vector<std::uint32_t>& values, bool last, std::uint16_t flags = 0) {
    MessageBuffer part;
    for (const std::uint32_t value : values) part.Begin(RTM_NEWLINK, NLM_F_MULTI | flags, 5, value);
    if (last) part.Begin(NLMSG_DONE, NLM_F_MULTI | flags, 5, int{0});
    kernel_->Answer(part);
  }

  Result<std::vector<std::uint32_t>> Collect() {
    return socket_.Collect(request_, "list", [](const nlmsghdr& message) -> Result<std::uint32_t> {
      MessageReader reader(message);
      const auto value = reader.Header<std::uint32_t>();
      if (value == 13) return MakeError(EBADMSG, "read a value");
      if (value == 99) return MakeError(EAFNOSUPPORT, "read a value");
      return value;
    });
  }

  MessageBuffer request_;
  FakeTransport* kernel_ = new FakeTransport;  // owned by socket_
  Socket socket_{std::unique_ptr<Transport>(kernel_)};
};

using Values = std::vector<std::uint32_t>;

TEST_F(SocketDump, ComesInParts) {
  Part({1, 2}, false);
  Part({3}, true);
  EXPECT_EQ(Collect(), Values({1, 2, 3}));
}

TEST_F(SocketDump, AnInterruptedOneIsReadAgainFromItsBeginning) {
  int attempts = 0;
  kernel_->on_request = [&](const nlmsghdr&) {
    if (++attempts == 1) {
      Part({1, 2}, false);
      Part({3}, true, NLM_F_DUMP_INTR);
    } else {
      Part({4, 5}, true);
    }
  };
  EXPECT_EQ(Collect(), Values({4, 5}));
  EXPECT_EQ(attempts, 2);
}

TEST_F(SocketDump, OneThatIsInterruptedEachTimeIsGivenUp) {
  int attempts = 0;
  kernel_->on_request = [&](const nlmsghdr&) {
    ++attempts;
    Part({1}, true, NLM_F_DUMP_INTR);
  };
  EXPECT_EQ(Collect().error().code, EINTR);
  EXPECT_EQ(attempts, Socket::kDumpAttempts);
}

TEST_F(SocketDump, OverflowIsAnErrorAndTheSocketStaysUsable) {
  kernel_->Fail(ENOBUFS);
  Part({2}, true);
  EXPECT_EQ(Collect().error().code, ENOBUFS);
  Part({3}, true);
  EXPECT_EQ(Collect(), Values({3}));
}

TEST_F(SocketDump, AnErrorOfTheParserReadsTheDumpToItsEnd) {
  Part({1, 13, 2}, false);
  Part({3}, true);
  EXPECT_EQ(Collect().error().code, EBADMSG);
  Part({4}, true);
  EXPECT_EQ(Collect(), Values({4}));
}

TEST_F(SocketDump, MessagesOfAnotherFamilyAreLeftOut) {
  Part({1, 99, 2}, true);
  EXPECT_EQ(Collect(), Values({1, 2}));
}

TEST_F(SocketDump, ARefusedOneHasTheKernelsSentence) {
  kernel_->on_request = [&](const nlmsghdr& request) {
    kernel_->Acknowledge(request, EINVAL, "Invalid header for dump request");
  };
  EXPECT_EQ(Collect().error(), (Error{EINVAL, "list", "Invalid header for dump request"}));
}

TEST_F(SocketDump, AnErrorMayComeWithItsEnd) {
  MessageBuffer end;
  end.Begin(NLMSG_DONE, NLM_F_MULTI, 5, int{-ENODEV});
  kernel_->Answer(end);
  EXPECT_EQ(Collect().error().code, ENODEV);
}

TEST_F(SocketDump, ASilentKernelIsATimeout) { EXPECT_EQ(Collect().error().code, ETIMEDOUT); }

class SocketReceive : public ::testing::Test {
 protected:
  void Notify() {
    MessageBuffer buffer;
    buffer.Begin(RTM_NEWLINK, 0, 0, std::uint32_t{1});
    buffer.Begin(RTM_NEWLINK, 0, 0, std::uint32_t{2});
    kernel_->Answer(buffer);
  }
  Result<ReceiveStatus> Receive() {
    return socket_.Receive([this](const nlmsghdr&) { ++seen_; });
  }

  int seen_ = 0;
  FakeTransport* kernel_ = new FakeTransport;  // owned by socket_
  Socket socket_{std::unique_ptr<Transport>(kernel_)};
};

TEST_F(SocketReceive, ReadsWhatIsThere) {
  Notify();
  Notify();
  EXPECT_EQ(Receive(), ReceiveStatus::kDrained);
  EXPECT_EQ(seen_, 4);
}

TEST_F(SocketReceive, TellsOfAnOverflowAndStillGivesWhatIsLeft) {
  Notify();
  kernel_->Fail(ENOBUFS);
  Notify();
  EXPECT_EQ(Receive(), ReceiveStatus::kOverflow);
  EXPECT_EQ(seen_, 4);
  EXPECT_EQ(Receive(), ReceiveStatus::kDrained);
}

TEST_F(SocketReceive, StopsAfterABoundedNumber) {
  for (int i = 0; i < 100; ++i) Notify();
  EXPECT_EQ(Receive(), ReceiveStatus::kMore);
  EXPECT_EQ(Receive(), ReceiveStatus::kDrained);
  EXPECT_EQ(seen_, 200);
}

TEST_F(SocketReceive, RefusesGarbageAfterWhatWasWhole) {
  kernel_->AnswerBytes(FromHex("1000000012000000000000000000000008000000"));
  EXPECT_EQ(Receive().error().code, EBADMSG);
  EXPECT_EQ(seen_, 1);
}

TEST(KernelSocket, ListsTheLoopbackDevice) {
  auto socket = Socket::Open({.receive_buffer = 8 * 1024, .send_buffer = 8 * 1024});
  ASSERT_TRUE(socket) << ToString(socket.error());
  EXPECT_NE(socket->port_id(), 0u);
  MessageBuffer request;
  AppendLinkDump(request, socket->NextSeq());
  const auto links = socket->Collect(request, "list links", ParseLink);
  ASSERT_TRUE(links) << ToString(links.error());
  EXPECT_TRUE(std::any_of(links->begin(), links->end(), [](const Link& link) { return link.name == "lo"; }));
}

TEST(KernelSocket, RefusesAChangeOfADeviceThatIsNotThere) {
  auto socket = Socket::Open();
  ASSERT_TRUE(socket);
  MessageBuffer request;
  AppendClsactDelete(request, socket->NextSeq(), 0x7ffffff0);
  const auto result = socket->Transact(request, "delete clsact");
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().code == EPERM || result.error().code == ENODEV) << ToString(result.error());
}

TEST(KernelSocket, AnswersManyQuestionsThroughASmallReceiveBuffer) {
  auto socket = Socket::Open({.receive_buffer = 4 * 1024, .send_buffer = 8 * 1024});
  ASSERT_TRUE(socket);
  MessageBuffer requests;
  for (int i = 0; i < 500; ++i) AppendLinkQuery(requests, socket->NextSeq(), 0x7ffffff0);
  for (const auto& answer : socket->AskBatch(requests, "show link")) {
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, ENODEV);
  }
}

TEST(KernelSocket, RefusesAnUnknownGroup) { EXPECT_EQ(Socket::Open({.groups = {100'000}}).error().code, EINVAL); }

}  // namespace
}  // namespace dpuflow::netlink
