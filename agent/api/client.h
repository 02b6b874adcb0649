// SPDX-License-Identifier: Apache-2.0
//
// The other end of server.h: a blocking Varlink client with a time limit, for dpuflowctl and for
// tests. One call at a time, one thread.
//
// An error that the service answers is a Reply with `error` set; a Result without value means that
// there was no answer: errno tells why (ECONNRESET: the service closed, ETIMEDOUT, EBADMSG: not
// Varlink). After that the client is of no use any more.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "agent/api/message.h"
#include "netlink/error.h"

namespace dpuflow::api {

class Client {
 public:
  // ENOENT or ECONNREFUSED: nobody listens there. EACCES: not for this user. `timeout` is for each
  // reply, too.
  [[nodiscard]] static Result<Client> Connect(const std::string& socket_path, std::chrono::milliseconds timeout);
  // On a connected stream socket, which it closes in the end.
  Client(int fd, std::chrono::milliseconds timeout);
  Client(Client&& other) noexcept;
  Client& operator=(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  void set_timeout(std::chrono::milliseconds timeout) { timeout_ = timeout; }

  [[nodiscard]] Result<Reply> Call(const std::string& method, const Json& parameters = Json::object());
  // With `more`. `on_reply` is called for every successful reply, the last one included, and
  // returns whether to go on; where it does not, the connection is closed. Returns the last reply,
  // or the error that ended the stream.
  [[nodiscard]] Result<Reply> Stream(const std::string& method, const Json& parameters,
                                     const std::function<bool(const Json& parameters)>& on_reply);

 private:
  [[nodiscard]] Result<void> Send(const std::string& bytes);
  [[nodiscard]] Result<Reply> ReadReply();
  [[nodiscard]] Result<void> Wait(short events, std::chrono::steady_clock::time_point deadline) const;
  void Close();

  int fd_ = -1;
  std::chrono::milliseconds timeout_;
  Framer framer_;
};

}  // namespace dpuflow::api
