// SPDX-License-Identifier: Apache-2.0
//
// A netlink socket: conversations with rtnetlink.
//
// How rtnetlink answers, and what this class makes of it:
//
//  - A request is handled inside sendmsg(), in the caller's thread. One datagram may carry many requests; they are handled
//    in order, and an error does not stop the ones behind it.
//  - A request that fails is always answered: NLMSG_ERROR with its sequence number, the errno and, often, a sentence
//    (extended ack). One that succeeds is answered only when it asks for it (NLM_F_ACK). So a batch needs one ACK, on its
//    last message, as a barrier: whatever was not answered by then has succeeded.
//  - Every answer takes room in the socket's receive queue. A full queue drops answers; the next read says ENOBUFS, once.
//    What was dropped is then *unknown*: the caller has to look at the kernel's state again.
//  - A dump is produced piece by piece as it is read. When the table changed in between, NLM_F_DUMP_INTR marks it as
//    inconsistent, and it has to be read again.
//  - Subscribed groups deliver notifications. ENOBUFS means that some are lost: dump again.
//
// Use one socket per job. A socket that joined groups may only Receive(): a conversation would
// swallow notifications. Not thread-safe: one thread at a time. Two sockets in two threads work in
// parallel, in the kernel too.
//
// Every Result's Error has the errno, what was done, and the kernel's sentence. None of these
// functions throws or logs.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "netlink/error.h"
#include "netlink/message.h"
#include "netlink/transport.h"
#include "netlink/values.h"

namespace dpuflow::netlink {

enum class ReceiveStatus {
  kDrained,   // everything that was there has been read
  kMore,      // there is more; a bounded number of datagrams was read, so that nobody starves
  kOverflow,  // messages were lost at some point before the last one given: dump again
};

// What became of one message of a batch.
enum class Outcome {
  kDone,
  kFailed,   // `error` says why; nothing was changed
  kUnknown,  // the answer was lost (ENOBUFS) or never came: read the kernel's state again
};

struct BatchResult {
  Outcome outcome = Outcome::kUnknown;
  Error error{};   // with kFailed and kUnknown
  Message echo{};  // with NLM_F_ECHO: the notification that the kernel sent to this socket; else empty

  [[nodiscard]] bool done() const { return outcome == Outcome::kDone; }
};

// The value type that a parser yields: T of Result<T>, and of Result<Event<T>>.
namespace detail {
template <typename T>
struct Unwrap {
  using type = T;
  static T Take(T value) { return value; }
};
template <typename T>
struct Unwrap<Event<T>> {
  using type = T;
  static T Take(Event<T> event) { return std::move(event.value); }
};
template <typename Parser>
using Parsed = Unwrap<typename std::invoke_result_t<Parser, const nlmsghdr&>::value_type>;
}  // namespace detail

class Socket {
 public:
  using Callback = std::function<void(const nlmsghdr&)>;

  // Errors: EPERM, EMFILE, EPROTONOSUPPORT, ... and EINVAL for a group that the kernel does not
  // know.
  static Result<Socket> Open(const SocketOptions& options = {});
  // Over any transport: how tests converse without a kernel.
  explicit Socket(std::unique_ptr<Transport> transport);

  [[nodiscard]] int fd() const { return transport_->fd(); }
  [[nodiscard]] std::uint32_t port_id() const { return transport_->port_id(); }
  // A fresh sequence number, never 0 (which marks notifications).
  [[nodiscard]] std::uint32_t NextSeq();

  // Notifications: reads what is there, never waits, gives each message to `each`.
  // Errors: EBADMSG for a datagram that is no netlink (what came before was given), or what recvmsg
  // says.
  Result<ReceiveStatus> Receive(const Callback& each);

  // Sends as it is, and waits for nothing.
  Result<void> Send(std::span<const std::byte> datagram) { return transport_->Send(datagram); }

  // One change (RTM_NEW*, RTM_DEL*): `request` holds one message; NLM_F_ACK is set here.
  // `doing` becomes Error::doing: "add clsact on eth0".
  Result<void> Transact(MessageBuffer& request, std::string_view doing);

  // One question, one answer: RTM_GETROUTE, RTM_GETTFILTER by handle, RTM_GETLINK by index.
  Result<Message> Ask(const MessageBuffer& request, std::string_view doing);

  // Many questions at once, each answered on its own; result i belongs to message i. ENOBUFS: that
  // answer was lost.
  std::vector<Result<Message>> AskBatch(const MessageBuffer& requests, std::string_view doing);

  // Many changes at once; result i belongs to message i. Sets NLM_F_ACK where it is needed. Splits
  // the batch so that requests fit the send buffer and, should all of them fail, answers fit the
  // receive buffer.
  std::vector<BatchResult> TransactBatch(MessageBuffer& requests, std::string_view doing);

  // A dump, whole or not at all. `restart` is called before each attempt: forget what `each` has
  // given so far. An error that `each` returns ends the dump (after it was read to its end, so that
  // the socket stays usable). Errors: EINTR when the table changed during every one of
  // kDumpAttempts; ENOBUFS when parts were lost (should the next dump then say EBUSY, the kernel
  // still holds this one: open another socket); ETIMEDOUT; the kernel's own.
  Result<void> Dump(const MessageBuffer& request, std::string_view doing, const std::function<void()>& restart,
                    const std::function<Result<void>(const nlmsghdr&)>& each);
  static constexpr int kDumpAttempts = 5;

  // A dump into a vector, by one of the parsers of rtnl.h and its like:
  //   MessageBuffer request; AppendLinkDump(request, socket.NextSeq());
  //   Result<std::vector<Link>> links = socket.Collect(request, "list links", ParseLink);
  // A message that the parser refuses with EAFNOSUPPORT (another family's) is left out.
  template <typename Parser>
  auto Collect(const MessageBuffer& request, std::string_view doing, Parser parse)
      -> Result<std::vector<typename detail::Parsed<Parser>::type>>;

 private:
  struct Chunk;  // messages [first, last) of a batch
  [[nodiscard]] Chunk NextChunk(const MessageBuffer& requests, std::size_t first, std::size_t answer_size) const;
  void TransactChunk(MessageBuffer& requests, const Chunk& chunk, std::string_view doing,
                     std::vector<BatchResult>& results);
  void AskChunk(const MessageBuffer& requests, const Chunk& chunk, std::string_view doing,
                std::vector<Result<Message>>& results);
  Result<bool> DumpOnce(const MessageBuffer& request, std::string_view doing,
                        const std::function<Result<void>(const nlmsghdr&)>& each);
  Result<void> ReadMessages(std::chrono::milliseconds timeout, const Callback& each);

  std::unique_ptr<Transport> transport_;
  std::vector<std::byte> buffer_;  // one received datagram
  std::uint32_t next_seq_ = 1;
};

template <typename Parser>
auto Socket::Collect(const MessageBuffer& request, std::string_view doing, Parser parse)
    -> Result<std::vector<typename detail::Parsed<Parser>::type>> {
  std::vector<typename detail::Parsed<Parser>::type> values;
  auto result = Dump(
      request, doing, [&] { values.clear(); },
      [&](const nlmsghdr& message) -> Result<void> {
        auto value = parse(message);
        if (value) {
          values.push_back(detail::Parsed<Parser>::Take(std::move(*value)));
        } else if (value.error().code != EAFNOSUPPORT) {
          return tl::make_unexpected(std::move(value.error()));
        }
        return {};
      });
  if (!result) return tl::make_unexpected(std::move(result.error()));
  return values;
}

}  // namespace dpuflow::netlink
