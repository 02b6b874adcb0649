// SPDX-License-Identifier: Apache-2.0
#include "netlink/socket.h"

#include <algorithm>
#include <optional>
#include <string>

namespace dpuflow::netlink {
namespace {

// The kernel sizes a dump's pieces by the largest buffer it has seen, up to 32 KiB; notifications may be larger.
constexpr std::size_t kDatagramSize = 65'536;

// Datagrams in one Receive().
constexpr int kMaxDatagrams = 64;

// Answers are queued before sendmsg() returns; only a dump is made while it is read, and may wait for rtnl, which a
// driver can hold for seconds.
constexpr std::chrono::milliseconds kAnswerTimeout{10'000};

// What an answer takes of the receive buffer, with the kernel's own overhead: an error with its sentence, and an object
// in full. Generous, so that a batch in which every message fails overflows nothing.
constexpr std::size_t kErrorAnswerSize = 2048;
constexpr std::size_t kObjectAnswerSize = 4096;

// Datagrams are missing, but the socket works on.
bool IsLoss(const Error& error) { return error.code == ENOBUFS || error.code == EMSGSIZE || error.code == EBADMSG; }

Error NoAnswer(int code, std::string_view doing) {
  return {code, std::string(doing), code == ENOBUFS ? "answer lost" : "no answer"};
}

// Finds the message that an answer is for. Requests are answered in order, so the search goes on where it stood; an
// answer to something older (a request that timed out) finds nothing.
class AnswerMatcher {
 public:
  AnswerMatcher(const MessageBuffer& requests, std::size_t first, std::size_t last)
      : requests_(requests), cursor_(first), last_(last) {}

  std::optional<std::size_t> Find(std::uint32_t seq) {
    for (std::size_t i = cursor_; i < last_; ++i) {
      if (requests_.header(i).nlmsg_seq == seq) return cursor_ = i;
    }
    return std::nullopt;
  }

 private:
  const MessageBuffer& requests_;
  std::size_t cursor_;
  std::size_t last_;
};

}  // namespace

struct Socket::Chunk {
  std::size_t first;
  std::size_t last;  // one behind
};

Result<Socket> Socket::Open(const SocketOptions& options) {
  return OpenTransport(options).map([](std::unique_ptr<Transport> transport) { return Socket(std::move(transport)); });
}

Socket::Socket(std::unique_ptr<Transport> transport) : transport_(std::move(transport)), buffer_(kDatagramSize) {}

std::uint32_t Socket::NextSeq() {
  if (next_seq_ == 0) ++next_seq_;
  return next_seq_++;
}

Result<void> Socket::ReadMessages(std::chrono::milliseconds timeout, const Callback& each) {
  const auto length = transport_->Receive(buffer_, timeout);
  if (!length) return tl::make_unexpected(length.error());
  return ForEachMessage(std::span(buffer_).first(*length), each);
}

Result<ReceiveStatus> Socket::Receive(const Callback& each) {
  bool overflow = false;
  for (int i = 0; i < kMaxDatagrams; ++i) {
    const auto read = ReadMessages(std::chrono::milliseconds(0), each);
    if (read) continue;
    if (read.error().code == EAGAIN) {
      return overflow ? ReceiveStatus::kOverflow : ReceiveStatus::kDrained;
    }
    if (read.error().code != ENOBUFS && read.error().code != EMSGSIZE) {
      return tl::make_unexpected(read.error());
    }
    overflow = true;
  }
  return overflow ? ReceiveStatus::kOverflow : ReceiveStatus::kMore;
}

Socket::Chunk Socket::NextChunk(const MessageBuffer& requests, std::size_t first, std::size_t answer_size) const {
  const std::size_t answers = std::max<std::size_t>(1, transport_->receive_limit() / answer_size);
  const std::size_t limit = std::min(requests.count(), first + answers);
  std::size_t last = first + 1;
  while (last < limit && requests.bytes(first, last + 1).size() <= transport_->send_limit()) ++last;
  return {first, last};
}

Result<void> Socket::Transact(MessageBuffer& request, std::string_view doing) {
  const std::vector<BatchResult> results = TransactBatch(request, doing);
  if (results.size() != 1) return MakeError(EINVAL, std::string(doing), "not one message");
  if (!results[0].done()) return tl::make_unexpected(results[0].error);
  return {};
}

std::vector<BatchResult> Socket::TransactBatch(MessageBuffer& requests, std::string_view doing) {
  std::vector<BatchResult> results(requests.count());
  if (!requests.ok()) {
    const Error error{EMSGSIZE, std::string(doing), "attribute too long"};
    for (BatchResult& result : results) result = {Outcome::kFailed, error, {}};
    return results;
  }
  for (std::size_t first = 0; first < requests.count();) {
    const bool echo = (requests.header(first).nlmsg_flags & NLM_F_ECHO) != 0;
    const Chunk chunk = NextChunk(requests, first, echo ? kObjectAnswerSize : kErrorAnswerSize);
    TransactChunk(requests, chunk, doing, results);
    first = chunk.last;
  }
  return results;
}

void Socket::TransactChunk(MessageBuffer& requests, const Chunk& chunk, std::string_view doing,
                           std::vector<BatchResult>& results) {
  for (std::size_t i = chunk.first; i < chunk.last; ++i) requests.ClearFlags(i, NLM_F_ACK);
  const std::size_t barrier = chunk.last - 1;
  requests.SetFlags(barrier, NLM_F_ACK);
  if (auto sent = transport_->Send(requests.bytes(chunk.first, chunk.last)); !sent) {
    const Error error{sent.error().code, std::string(doing), sent.error().doing};
    for (std::size_t i = chunk.first; i < chunk.last; ++i) {
      results[i] = {Outcome::kFailed, error, {}};
    }
    return;
  }

  AnswerMatcher matcher(requests, chunk.first, chunk.last);
  std::vector<bool> answered(chunk.last - chunk.first);
  bool lost = false;
  while (!answered[barrier - chunk.first]) {
    const auto read = ReadMessages(lost ? std::chrono::milliseconds(0) : kAnswerTimeout, [&](const nlmsghdr& message) {
      const auto index = matcher.Find(message.nlmsg_seq);
      if (!index) return;
      BatchResult& result = results[*index];
      if (message.nlmsg_type != NLMSG_ERROR) {
        result.echo = Message(message);
        return;
      }
      if (answered[*index - chunk.first]) return;
      answered[*index - chunk.first] = true;
      const auto ack = ParseAck(message, doing);
      result.outcome = ack ? Outcome::kDone : Outcome::kFailed;
      if (!ack) result.error = ack.error();
    });
    if (read) continue;
    if (!IsLoss(read.error())) break;
    lost = true;
  }

  // Behind the barrier silence means success, unless answers were lost.
  const bool silence_is_success = answered[barrier - chunk.first] && !lost;
  for (std::size_t i = chunk.first; i < chunk.last; ++i) {
    if (answered[i - chunk.first]) continue;
    results[i].outcome = silence_is_success ? Outcome::kDone : Outcome::kUnknown;
    if (!silence_is_success) results[i].error = NoAnswer(lost ? ENOBUFS : ETIMEDOUT, doing);
  }
}

Result<Message> Socket::Ask(const MessageBuffer& request, std::string_view doing) {
  std::vector<Result<Message>> answers = AskBatch(request, doing);
  if (answers.size() != 1) return MakeError(EINVAL, std::string(doing), "not one message");
  return std::move(answers[0]);
}

std::vector<Result<Message>> Socket::AskBatch(const MessageBuffer& requests, std::string_view doing) {
  std::vector<Result<Message>> results(requests.count(), tl::make_unexpected(NoAnswer(ETIMEDOUT, doing)));
  if (!requests.ok()) {
    const Error error{EMSGSIZE, std::string(doing), "attribute too long"};
    std::fill(results.begin(), results.end(), tl::make_unexpected(error));
    return results;
  }
  for (std::size_t first = 0; first < requests.count();) {
    const Chunk chunk = NextChunk(requests, first, kObjectAnswerSize);
    AskChunk(requests, chunk, doing, results);
    first = chunk.last;
  }
  return results;
}

void Socket::AskChunk(const MessageBuffer& requests, const Chunk& chunk, std::string_view doing,
                      std::vector<Result<Message>>& results) {
  const auto begin = results.begin() + static_cast<std::ptrdiff_t>(chunk.first);
  const auto end = results.begin() + static_cast<std::ptrdiff_t>(chunk.last);
  if (auto sent = transport_->Send(requests.bytes(chunk.first, chunk.last)); !sent) {
    const Error error{sent.error().code, std::string(doing), sent.error().doing};
    std::fill(begin, end, tl::make_unexpected(error));
    return;
  }

  AnswerMatcher matcher(requests, chunk.first, chunk.last);
  std::vector<bool> answered(chunk.last - chunk.first);
  std::size_t missing = answered.size();
  bool lost = false;
  while (missing > 0) {
    const auto read = ReadMessages(lost ? std::chrono::milliseconds(0) : kAnswerTimeout, [&](const nlmsghdr& message) {
      const auto index = matcher.Find(message.nlmsg_seq);
      if (!index || answered[*index - chunk.first]) return;
      answered[*index - chunk.first] = true;
      --missing;
      if (message.nlmsg_type != NLMSG_ERROR) {
        results[*index] = Message(message);
        return;
      }
      auto ack = ParseAck(message, doing);
      results[*index] = ack ? MakeError(ENODATA, std::string(doing), "acknowledged, not answered")
                            : tl::make_unexpected(std::move(ack.error()));
    });
    if (read) continue;
    if (!IsLoss(read.error())) break;
    lost = true;
  }
  if (!lost) return;
  for (std::size_t i = chunk.first; i < chunk.last; ++i) {
    if (!answered[i - chunk.first]) results[i] = tl::make_unexpected(NoAnswer(ENOBUFS, doing));
  }
}

Result<void> Socket::Dump(const MessageBuffer& request, std::string_view doing, const std::function<void()>& restart,
                          const std::function<Result<void>(const nlmsghdr&)>& each) {
  if (!request.ok() || request.count() != 1) {
    return MakeError(EINVAL, std::string(doing), "not one message");
  }
  for (int attempt = 0; attempt < kDumpAttempts; ++attempt) {
    restart();
    const Result<bool> consistent = DumpOnce(request, doing, each);
    if (!consistent) return tl::make_unexpected(consistent.error());
    if (*consistent) return {};
  }
  return MakeError(EINTR, std::string(doing), "the table changed during each attempt to read it");
}

// Reads a dump to its end in any case. False: the kernel marked it as inconsistent.
Result<bool> Socket::DumpOnce(const MessageBuffer& request, std::string_view doing,
                              const std::function<Result<void>(const nlmsghdr&)>& each) {
  if (auto sent = transport_->Send(request.bytes()); !sent) {
    return MakeError(sent.error().code, std::string(doing), sent.error().doing);
  }
  const std::uint32_t seq = request.header(0).nlmsg_seq;
  Result<void> result;  // the first error
  bool finished = false;
  bool interrupted = false;
  bool lost = false;
  while (!finished) {
    const auto read = ReadMessages(lost ? std::chrono::milliseconds(0) : kAnswerTimeout, [&](const nlmsghdr& message) {
      if (message.nlmsg_seq != seq || finished) return;
      interrupted = interrupted || (message.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      finished = message.nlmsg_type == NLMSG_DONE || message.nlmsg_type == NLMSG_ERROR;
      if (!result) return;
      result = finished ? ParseAck(message, doing) : each(message);
    });
    if (read) continue;
    if (!IsLoss(read.error())) break;
    lost = true;
  }
  if (lost) return tl::make_unexpected(NoAnswer(ENOBUFS, doing));
  if (!finished) return tl::make_unexpected(NoAnswer(ETIMEDOUT, doing));
  if (!result) return tl::make_unexpected(result.error());
  return !interrupted;
}

}  // namespace dpuflow::netlink
