// SPDX-License-Identifier: Apache-2.0
#include "agent/api/client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace dpuflow::api {
namespace {

// Of one reply, in bytes. GetStats with its help texts, the largest one, has some tens of kilobytes.
constexpr std::size_t kMaxReply = std::size_t{16} * 1024 * 1024;
constexpr std::size_t kReadChunk = std::size_t{64} * 1024;

timeval ToTimeval(std::chrono::milliseconds time) {
  timeval result{};
  result.tv_sec = time.count() / 1000;
  result.tv_usec = (time.count() % 1000) * 1000;
  return result;
}

}  // namespace

Result<Client> Client::Connect(const std::string& socket_path, std::chrono::milliseconds timeout) {
  const std::string doing = "connect to " + socket_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path) {
    return MakeError(ENAMETOOLONG, doing);
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());

  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoError("make a socket");
  Client client(fd, timeout);
  // A connect to a Unix socket waits only for room in the backlog, and no longer than this.
  const timeval limit = ToTimeval(timeout);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EAGAIN) return MakeError(ETIMEDOUT, doing);
    return ErrnoError(doing);
  }
  return client;
}

Client::Client(int fd, std::chrono::milliseconds timeout) : fd_(fd), timeout_(timeout), framer_(kMaxReply) {}

Client::Client(Client&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), timeout_(other.timeout_), framer_(std::move(other.framer_)) {}

Client& Client::operator=(Client&& other) noexcept {
  if (this == &other) return *this;
  Close();
  fd_ = std::exchange(other.fd_, -1);
  timeout_ = other.timeout_;
  framer_ = std::move(other.framer_);
  return *this;
}

Client::~Client() { Close(); }

void Client::Close() {
  if (fd_ >= 0) close(std::exchange(fd_, -1));
}

Result<Reply> Client::Call(const std::string& method, const Json& parameters) {
  if (auto sent = Send(Serialize(Request{method, parameters})); !sent) {
    return tl::make_unexpected(sent.error());
  }
  Result<Reply> reply = ReadReply();
  if (reply && reply->continues) {
    Close();
    return MakeError(EBADMSG, "call " + method, "expected one reply, found several");
  }
  return reply;
}

Result<Reply> Client::Stream(const std::string& method, const Json& parameters,
                             const std::function<bool(const Json& parameters)>& on_reply) {
  Request request{method, parameters};
  request.more = true;
  if (auto sent = Send(Serialize(request)); !sent) return tl::make_unexpected(sent.error());
  while (true) {
    Result<Reply> reply = ReadReply();
    if (!reply || !reply->error.empty()) return reply;
    const bool go_on = on_reply(reply->parameters);
    if (!reply->continues) return reply;
    if (!go_on) {
      Close();  // the rest of the stream would be taken for the answer of the next call
      return reply;
    }
  }
}

Result<void> Client::Send(const std::string& bytes) {
  if (fd_ < 0) return MakeError(ENOTCONN, "send a call");
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t size = send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size >= 0) {
      sent += static_cast<std::size_t>(size);
    } else if (errno == EPIPE) {
      return {};  // the service has closed; it may have said why, and ReadReply finds it
    } else if (errno == EAGAIN) {
      if (auto ready = Wait(POLLOUT, deadline); !ready) return ready;
    } else if (errno != EINTR) {
      return ErrnoError("send a call");
    }
  }
  return {};
}

Result<Reply> Client::ReadReply() {
  const std::string doing = "read a reply";
  const auto deadline = std::chrono::steady_clock::now() + timeout_;
  while (true) {
    Result<std::optional<std::string>> message = framer_.Next();
    if (!message) return tl::make_unexpected(message.error());
    if (*message) return ParseReply(**message);
    if (fd_ < 0) return MakeError(ENOTCONN, doing);
    std::array<char, kReadChunk> chunk;
    const ssize_t size = recv(fd_, chunk.data(), chunk.size(), MSG_DONTWAIT);
    if (size > 0) {
      framer_.Append({chunk.data(), static_cast<std::size_t>(size)});
    } else if (size == 0) {
      return MakeError(ECONNRESET, doing, "the service closed the connection");
    } else if (errno == EAGAIN) {
      if (auto ready = Wait(POLLIN, deadline); !ready) return tl::make_unexpected(ready.error());
    } else if (errno != EINTR) {
      return ErrnoError(doing);
    }
  }
}

Result<void> Client::Wait(short events, std::chrono::steady_clock::time_point deadline) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd watched{fd_, events, 0};
    const auto limit = std::clamp<std::int64_t>(left.count(), 0, INT_MAX);
    const int ready = poll(&watched, 1, static_cast<int>(limit));
    if (ready > 0) return {};
    if (ready == 0) {
      return MakeError(ETIMEDOUT, "wait for the service", fmt::format("no answer within {} ms", timeout_.count()));
    }
    if (errno != EINTR) return ErrnoError("wait for the service");
  }
}

}  // namespace dpuflow::api
