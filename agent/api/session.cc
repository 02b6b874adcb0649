// SPDX-License-Identifier: Apache-2.0
#include "agent/api/session.h"

#include <cerrno>
#include <utility>

namespace dpuflow::api {

// ---- Call

Call::Call(std::weak_ptr<Session> session, std::uint64_t serial, const Request& request, const PeerCredentials& peer)
    : session_(std::move(session)), serial_(serial), method_(request.method), more_(request.more), peer_(peer) {}

Call::Call(Call&& other) noexcept = default;

Call& Call::operator=(Call&& other) noexcept {
  if (this == &other) return *this;
  Call old(std::move(*this));  // answered here, as it would be in the destructor
  session_ = std::move(other.session_);
  serial_ = other.serial_;
  method_ = std::move(other.method_);
  more_ = other.more_;
  peer_ = other.peer_;
  return *this;
}

// NOLINTNEXTLINE(bugprone-exception-escape): handlers do not throw; without memory there is nothing to save
Call::~Call() {
  if (is_open()) Error(kNotReady, {{"reason", "the agent dropped the call"}});
}

bool Call::is_open() const {
  const std::shared_ptr<Session> session = session_.lock();
  return session != nullptr && session->IsWaitingFor(serial_);
}

std::shared_ptr<Session> Call::Take() {
  std::shared_ptr<Session> session = session_.lock();
  session_.reset();
  if (session != nullptr && !session->IsWaitingFor(serial_)) session.reset();
  return session;
}

void Call::Reply(Json parameters) {
  if (const auto session = Take()) session->Finish({std::move(parameters), false, {}});
}

void Call::Error(std::string name, Json parameters) {
  if (const auto session = Take()) {
    session->Finish({std::move(parameters), false, std::move(name)});
  }
}

void Call::InvalidParameter(std::string_view parameter) { Error(kInvalidParameter, {{"parameter", parameter}}); }

void Call::Stream(Generator generator) {
  if (!more_) return Error(kExpectedMore);
  if (const auto session = Take()) session->BeginStream(std::move(generator));
}

bool Call::ReplyContinues(Json parameters) {
  if (!more_ || !is_open()) return false;
  return session_.lock()->Continue(std::move(parameters));
}

// ---- Session

std::shared_ptr<Session> Session::Create(const Service& service, const Limits& limits, const PeerCredentials& peer) {
  return std::shared_ptr<Session>(new Session(service, limits, peer));
}

Session::Session(const Service& service, const Limits& limits, const PeerCredentials& peer)
    : service_(service), limits_(limits), peer_(peer), framer_(limits.max_request) {}

void Session::Receive(std::string_view bytes) {
  if (refused_ || input_ended_) return;
  framer_.Append(bytes);
  Pump();
}

void Session::ReceiveEnd() {
  input_ended_ = true;
  Pump();
}

void Session::PeerGone() {
  gone_ = true;
  active_.reset();
  output_.clear();
  sent_ = 0;
  Pump();
}

bool Session::wants_input() const { return !input_ended_ && !refused_ && framer_.size() <= limits_.max_request; }

void Session::Consume(std::size_t size) {
  sent_ += size;
  if (sent_ == output_.size() || sent_ > limits_.output_room) {
    output_.erase(0, sent_);
    sent_ = 0;
  }
  Pump();
}

bool Session::is_finished() const { return refused_ || (input_ended_ && !active_); }

// Goes on with what can be done now: the stream under way, then the calls that wait, while the output is short. When it
// returns, either a call waits for its answer, or the output is full, or there is no whole message left.
void Session::Pump() {
  if (pumping_) return;  // an answer from within a handler: the loop below is on the stack
  const std::shared_ptr<Session> alive = shared_from_this();
  pumping_ = true;
  while (!refused_ && output().size() < limits_.output_room) {
    if (active_ && active_->generator) {
      PullStream();
    } else if (active_ || !BeginNext()) {
      break;
    }
  }
  pumping_ = false;
}

bool Session::BeginNext() {
  Result<std::optional<std::string>> message = framer_.Next();
  if (!message) {
    Refuse(message.error());
    return false;
  }
  if (!*message) {
    // What somebody gets who forgets the NUL at the end.
    const bool cut = input_ended_ && framer_.size() > 0;
    if (cut) Refuse({EBADMSG, "read a message", "expected a NUL after the message, found the end"});
    return false;
  }
  const Result<Request> request = ParseRequest(**message);
  if (!request) {
    Refuse(request.error());
    return false;
  }
  active_.emplace();
  active_->serial = ++last_serial_;
  active_->oneway = request->oneway;
  service_.Dispatch(*request, Call(weak_from_this(), last_serial_, *request, peer_));
  if (gone_) active_.reset();  // nobody waits for an answer that comes later
  return true;
}

// One reply is held back until the next one shows whether it was the last.
void Session::PullStream() {
  const std::uint64_t serial = active_->serial;
  // Out of `active_` while it runs, which may end the call under it.
  Generator generator = std::move(active_->generator);
  std::optional<Json> next = generator();
  if (!IsWaitingFor(serial)) return;
  if (!next) {
    Reply last;
    if (active_->ahead) last.parameters = std::move(*active_->ahead);
    active_.reset();
    return Send(last);
  }
  if (active_->ahead) Send({std::move(*active_->ahead), true, {}});
  active_->ahead = std::move(next);
  active_->generator = std::move(generator);
}

void Session::Refuse(const Error& error) {
  ++service_.counters_.bad_messages;
  Send({{{"reason", error.extack}}, false, kBadMessage});
  refused_ = true;
}

void Session::Send(const Reply& reply) {
  if (gone_ || refused_) return;
  output_ += Serialize(reply);
}

bool Session::IsWaitingFor(std::uint64_t serial) const { return active_ && active_->serial == serial && !refused_; }

void Session::Finish(const Reply& reply) {
  const bool oneway = active_->oneway;
  active_.reset();
  if (!reply.error.empty()) ++service_.counters_.error_replies;
  if (!oneway) Send(reply);
  AfterAnswer();
}

bool Session::Continue(Json parameters) {
  Send({std::move(parameters), true, {}});
  if (output().size() > limits_.max_output) {
    ++service_.counters_.slow_readers;
    refused_ = true;
    output_.clear();
    sent_ = 0;
  }
  AfterAnswer();
  return !refused_;
}

void Session::BeginStream(Generator generator) {
  active_->generator = std::move(generator);
  AfterAnswer();
}

void Session::AfterAnswer() {
  if (pumping_) return;
  const std::shared_ptr<Session> alive = shared_from_this();
  Pump();
  if (wakeup_) wakeup_();
}

}  // namespace dpuflow::api
