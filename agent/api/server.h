// SPDX-License-Identifier: Apache-2.0
//
// A Varlink service on a Unix stream socket, on the daemon's own event loop. Nothing blocks:
// sockets are nonblocking, and one turn of the loop reads at most one chunk from a client and
// generates at most Limits::output_room for it, so that a long list does not hold up the daemon's
// work.
//
// Who may talk to it is decided by the mode of the socket; handlers can look at Call::peer() for
// more.
#pragma once

#include <sys/stat.h>
#include <systemd/sd-event.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/api/service.h"
#include "agent/api/session.h"
#include "netlink/error.h"

namespace dpuflow::api {

struct ServerOptions {
  std::string socket_path = kDefaultSocketPath;  // its directory is made (0755) where it does not exist
  mode_t mode = 0660;
  std::size_t max_clients = 64;  // one more is answered TooManyClients and closed
  Limits limits;
  // Of the server's event sources: larger comes later (sd_event_source_set_priority), and not at all while others go on and on.
  std::int64_t priority = SD_EVENT_PRIORITY_NORMAL;
};

struct ServerCounters {
  std::uint64_t accepted = 0;
  std::uint64_t refused_full = 0;     // more than max_clients
  std::uint64_t accept_failures = 0;  // no file descriptor left, and the like

  bool operator==(const ServerCounters&) const = default;
};

class Server {
 public:
  // Both outlive the server. `loop` is not run here.
  Server(const Service& service, sd_event* loop, ServerOptions options = {});
  // As Stop.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Makes the socket and serves it. A socket file that nobody answers is replaced; EADDRINUSE where
  // somebody does; EEXIST where the path is something else than a socket; ENAMETOOLONG for more
  // than 107 bytes.
  [[nodiscard]] Result<void> Listen();
  // Serves one connected stream socket, and closes it in the end; also on error.
  [[nodiscard]] Result<void> Adopt(int fd);
  // Sends what can be sent at once, closes everything, and removes the socket file if it still is
  // the one made here.
  void Stop();

  [[nodiscard]] std::size_t clients() const;
  [[nodiscard]] const ServerCounters& counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dpuflow::api
