// SPDX-License-Identifier: Apache-2.0
//
// One client's conversation, without its socket. Its owner moves bytes: what it reads goes into
// Receive, what output() shows is sent and consumed. Calls are answered one after the other, in
// their order; the next one begins when the one before has its last reply, and only while the
// output is short. So memory is bounded in both directions: a client that does not read is not read
// from, and a stream is not generated ahead of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/api/message.h"
#include "agent/api/service.h"

namespace dpuflow::api {

// Every limit of a conversation, in bytes.
struct Limits {
  std::size_t max_request = std::size_t{64} * 1024;  // of one message from the client
  // Nothing is generated, no call begun, while this much waits to be sent. It is what one turn of the loop makes at most: some
  // 35 flows of a list, which take a millisecond.
  std::size_t output_room = std::size_t{16} * 1024;
  std::size_t max_output =
      std::size_t{4} * 1024 * 1024;  // a client that leaves this much of pushed replies unread is dropped
};

// The call that a session is answering.
struct ActiveCall {
  std::uint64_t serial = 0;
  bool oneway = false;
  Generator generator;        // set: a stream
  std::optional<Json> ahead;  // generated, not sent: whether it is the last one shows the next one
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  static std::shared_ptr<Session> Create(const Service& service, const Limits& limits, const PeerCredentials& peer);

  // Called when an answer that came later (not from within one of the functions below) has put
  // something into output().
  void SetWakeup(std::function<void()> wakeup) { wakeup_ = std::move(wakeup); }

  // Bytes from the client. Owners call it only while wants_input().
  void Receive(std::string_view bytes);
  // The client will send no more. What it has asked is still answered.
  void ReceiveEnd();
  // The client is gone altogether. What it has asked is still done (it may have been oneway calls), answered into the
  // void. What Receive gets after this is done in the same way.
  void PeerGone();

  [[nodiscard]] bool wants_input() const;
  [[nodiscard]] std::string_view output() const { return std::string_view(output_).substr(sent_); }
  // `size` bytes of output() have been sent.
  void Consume(std::size_t size);
  // True with an empty output(): nothing more will come, the owner closes the connection.
  [[nodiscard]] bool is_finished() const;

 private:
  friend class Call;
  Session(const Service& service, const Limits& limits, const PeerCredentials& peer);
  void Pump();
  bool BeginNext();  // takes the next message; false if there is none
  void PullStream();
  void Refuse(const Error& error);
  void Send(const Reply& reply);
  [[nodiscard]] bool IsWaitingFor(std::uint64_t serial) const;
  void Finish(const Reply& reply);  // for Call: the last reply
  bool Continue(Json parameters);   // for Call: one of several
  void BeginStream(Generator generator);
  void AfterAnswer();

  const Service& service_;
  const Limits limits_;
  const PeerCredentials peer_;
  std::function<void()> wakeup_;
  Framer framer_;
  std::string output_;
  std::size_t sent_ = 0;
  std::optional<ActiveCall> active_;
  std::uint64_t last_serial_ = 0;
  bool pumping_ = false;
  bool input_ended_ = false;
  bool refused_ = false;  // bad message or slow reader: nothing is taken any more
  bool gone_ = false;
};

}  // namespace dpuflow::api
