// SPDX-License-Identifier: Apache-2.0
//
// Conversations with a kernel that says anything. The input is a row of datagrams, each behind two bytes of length
// (little endian); a length of 0 stands for ENOBUFS. They answer a batch of changes, of questions, a dump, or are
// notifications. Requests have sequence numbers from 1 on.
#include "netlink/socket.h"

#include <linux/rtnetlink.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "../unit/netlink/fake_transport.h"
#include "fuzz.h"
#include "netlink/rtnl.h"
#include "netlink_input.h"

namespace dpuflow::netlink {
namespace {

using fuzz::Require;

constexpr std::uint32_t kRequests = 3;

// A socket and its kernel. Made once: the buffer that it receives into is large.
class Conversation {
 public:
  Conversation() : Conversation(std::make_unique<FakeTransport>()) {}

  // The socket, with the input to come and nothing from before.
  Socket& Begin(std::span<const std::byte> input) {
    Drain();
    while (input.size() >= 2) {
      const auto wanted = std::to_integer<std::size_t>(input[0]) | std::to_integer<std::size_t>(input[1]) << 8;
      input = input.subspan(2);
      const auto datagram = input.first(std::min(wanted, input.size()));
      input = input.subspan(datagram.size());
      if (wanted == 0) {
        kernel_.Fail(ENOBUFS);
      } else {
        kernel_.AnswerBytes({datagram.begin(), datagram.end()});
      }
    }
    return socket_;
  }

 private:
  explicit Conversation(std::unique_ptr<FakeTransport> kernel) : kernel_(*kernel), socket_(std::move(kernel)) {}

  void Drain() {
    kernel_.sent.clear();
    auto status = socket_.Receive([](const nlmsghdr&) {});
    while (status != ReceiveStatus::kDrained) status = socket_.Receive([](const nlmsghdr&) {});
  }

  FakeTransport& kernel_;  // of socket_
  Socket socket_;
};

Socket& KernelThatSays(std::span<const std::byte> input) {
  static Conversation conversation;
  return conversation.Begin(input);
}

MessageBuffer Requests(std::uint16_t flags) {
  MessageBuffer requests;
  for (std::uint32_t seq = 1; seq <= kRequests; ++seq) requests.Begin(RTM_NEWLINK, flags, seq, ifinfomsg{});
  return requests;
}

void Change(std::span<const std::byte> input, std::uint16_t flags) {
  MessageBuffer requests = Requests(flags);
  const std::vector<BatchResult> results = KernelThatSays(input).TransactBatch(requests, "fuzz");
  Require(results.size() == kRequests, "each change has a result");
  for (const BatchResult& result : results) {
    Require(result.done() == (result.error == Error{}), "what is not done has an error, and nothing else has");
    Require(result.echo.empty() || result.echo.header().nlmsg_len == result.echo.bytes().size(), "an echo is whole");
  }
}

void Ask(std::span<const std::byte> input) {
  const std::vector<Result<Message>> answers = KernelThatSays(input).AskBatch(Requests(0), "fuzz");
  Require(answers.size() == kRequests, "each question has an answer");
  for (std::size_t i = 0; i < answers.size(); ++i) {
    Require(!answers[i] || answers[i]->header().nlmsg_seq == i + 1, "an answer is to its question");
  }
}

void Dump(std::span<const std::byte> input) {
  MessageBuffer request;
  AppendLinkDump(request, 1);
  const auto links = KernelThatSays(input).Collect(request, "fuzz", ParseLink);
  Require(links || links.error().code > 0, "a dump is whole, or has an error");
}

void Listen(std::span<const std::byte> input) {
  const auto status =
      KernelThatSays(input).Receive([](const nlmsghdr& message) { static_cast<void>(ParseLink(message)); });
  Require(status || status.error().code == EBADMSG, "only a broken datagram is an error");
}

}  // namespace
}  // namespace dpuflow::netlink

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::byte> input = dpuflow::fuzz::Bytes(data, size);
  dpuflow::netlink::Change(input, 0);
  dpuflow::netlink::Change(input, NLM_F_ECHO);
  dpuflow::netlink::Ask(input);
  dpuflow::netlink::Dump(input);
  dpuflow::netlink::Listen(input);
  return 0;
}
