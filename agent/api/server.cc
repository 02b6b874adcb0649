// SPDX-License-Identifier: Apache-2.0
#include "agent/api/server.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <optional>
#include <unordered_map>
#include <utility>

#include "agent/api/socket_file.h"
#include "agent/daemon/fd.h"

namespace dpuflow::api {
namespace {

constexpr std::size_t kReadChunk = std::size_t{16} * 1024;  // bytes

struct SourceUnref {
  void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
};
using Source = std::unique_ptr<sd_event_source, SourceUnref>;

Fd OpenReserve() { return Fd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

PeerCredentials CredentialsOf(int fd) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return {credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace

class Server::Impl {
 public:
  Impl(const Service& service, sd_event* loop, ServerOptions options)
      : service_(service), loop_(sd_event_ref(loop)), options_(std::move(options)), reserve_(OpenReserve()) {}
  ~Impl() {
    Stop();
    sd_event_unref(loop_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Result<void> Listen();
  Result<void> Adopt(Fd fd);
  void Stop();

  [[nodiscard]] std::size_t clients() const { return clients_.size(); }
  [[nodiscard]] const ServerCounters& counters() const { return counters_; }

 private:
  // Declared in the order in which it is taken down: the source before the descriptor that it watches.
  struct Client {
    Impl* server = nullptr;
    Fd fd;
    std::shared_ptr<Session> session;
    Source source;
    std::uint32_t interest = 0;  // EPOLL* that the source waits for
  };

  static int OnAccept(sd_event_source* source, int fd, std::uint32_t events, void* self);
  static int OnClient(sd_event_source* source, int fd, std::uint32_t events, void* client);
  void Accept();
  void AcceptWithoutDescriptor();
  void RefuseFull(const Fd& fd);
  Result<Source> Watch(int fd, std::uint32_t events, sd_event_io_handler_t handler, void* context);
  static bool Read(Client& client);   // whether the client is still of use
  static bool Flush(Client& client);  // the same
  static void ReadRest(Client& client);
  static void UpdateInterest(Client& client);

  const Service& service_;
  sd_event* loop_;
  const ServerOptions options_;
  ServerCounters counters_;
  Fd reserve_;  // given up for a moment where there is no descriptor left, to turn a client away
  std::optional<SocketFile> listener_;
  Source accept_source_;
  std::unordered_map<int, std::unique_ptr<Client>> clients_;
};

Result<void> Server::Impl::Listen() {
  Result<SocketFile> made = SocketFile::Listen(options_.socket_path, options_.mode);
  if (!made) return tl::make_unexpected(std::move(made.error()));
  listener_.emplace(std::move(*made));
  Result<Source> source = Watch(listener_->fd(), EPOLLIN, OnAccept, this);
  if (!source) {
    listener_.reset();
    return tl::make_unexpected(std::move(source.error()));
  }
  accept_source_ = std::move(*source);
  return {};
}

Result<void> Server::Impl::Adopt(Fd fd) {
  const int number = fd.get();
  const int flags = fcntl(number, F_GETFL);
  if (flags < 0 || fcntl(number, F_SETFL, flags | O_NONBLOCK) != 0) return ErrnoError("serve a client");
  auto client = std::make_unique<Client>();
  client->server = this;
  client->session = Session::Create(service_, options_.limits, CredentialsOf(number));
  client->fd = std::move(fd);
  client->interest = EPOLLIN;
  Result<Source> source = Watch(number, EPOLLIN, OnClient, client.get());
  if (!source) return tl::make_unexpected(source.error());
  client->source = std::move(*source);
  client->session->SetWakeup([raw = client.get()] { UpdateInterest(*raw); });
  clients_[number] = std::move(client);
  return {};
}

void Server::Impl::Stop() {
  accept_source_.reset();
  for (auto& [fd, client] : clients_) {
    client->session->SetWakeup(nullptr);
    // Not through Consume, which would begin the next call: the daemon is on its way out.
    const std::string_view output = client->session->output();
    static_cast<void>(send(fd, output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  }
  clients_.clear();
  listener_.reset();
}

Result<Source> Server::Impl::Watch(int fd, std::uint32_t events, sd_event_io_handler_t handler, void* context) {
  sd_event_source* raw = nullptr;
  const int code = sd_event_add_io(loop_, &raw, fd, events, handler, context);
  if (code < 0) return MakeError(-code, "watch a socket of the API");
  Source source(raw);
  const int set = sd_event_source_set_priority(raw, options_.priority);
  if (set < 0) return MakeError(-set, "set the priority of a socket of the API");
  return source;
}

int Server::Impl::OnAccept(sd_event_source*, int, std::uint32_t, void* self) {
  static_cast<Impl*>(self)->Accept();
  return 0;
}

void Server::Impl::Accept() {
  Fd fd(accept4(listener_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (fd.get() < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    ++counters_.accept_failures;
    if (errno == EMFILE || errno == ENFILE) AcceptWithoutDescriptor();
    return;
  }
  if (clients_.size() >= options_.max_clients) return RefuseFull(fd);
  if (Adopt(std::move(fd))) {
    ++counters_.accepted;
  } else {
    ++counters_.accept_failures;
  }
}

// A connect that cannot be accepted would wake the loop for ever.
void Server::Impl::AcceptWithoutDescriptor() {
  reserve_.Reset();
  {
    const Fd fd(accept4(listener_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() >= 0) RefuseFull(fd);
  }
  reserve_ = OpenReserve();
}

void Server::Impl::RefuseFull(const Fd& fd) {
  ++counters_.refused_full;
  const std::string bytes = Serialize(Reply{{{"limit", options_.max_clients}}, false, kTooManyClients});
  // An empty send buffer takes these few bytes; where it does not, closing says the same.
  static_cast<void>(send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

int Server::Impl::OnClient(sd_event_source*, int fd, std::uint32_t events, void* context) {
  Client& client = *static_cast<Client*>(context);
  bool keep = true;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
    ReadRest(client);
    keep = false;
  } else if ((events & EPOLLIN) != 0) {
    keep = Read(client);
  }
  if (keep && !Flush(client)) {
    ReadRest(client);
    keep = false;
  }
  if (!keep || (client.session->is_finished() && client.session->output().empty())) {
    client.server->clients_.erase(fd);
    return 0;
  }
  UpdateInterest(client);
  return 0;
}

bool Server::Impl::Read(Client& client) {
  if (!client.session->wants_input()) return true;
  std::array<char, kReadChunk> chunk;
  const ssize_t size = recv(client.fd.get(), chunk.data(), chunk.size(), 0);
  if (size > 0) {
    client.session->Receive({chunk.data(), static_cast<std::size_t>(size)});
  } else if (size == 0) {
    client.session->ReceiveEnd();
  } else if (errno != EAGAIN && errno != EINTR) {
    client.session->PeerGone();
    return false;
  }
  return true;
}

// Nobody reads at the other end any more. What it sent before that is not lost.
void Server::Impl::ReadRest(Client& client) {
  client.session->PeerGone();
  std::array<char, kReadChunk> chunk;
  while (client.session->wants_input()) {
    const ssize_t size = recv(client.fd.get(), chunk.data(), chunk.size(), 0);
    if (size <= 0) return;
    client.session->Receive({chunk.data(), static_cast<std::size_t>(size)});
  }
}

bool Server::Impl::Flush(Client& client) {
  const std::string_view output = client.session->output();
  if (output.empty()) return true;
  const ssize_t size = send(client.fd.get(), output.data(), output.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  client.session->Consume(static_cast<std::size_t>(size));
  return true;
}

void Server::Impl::UpdateInterest(Client& client) {
  const bool done = client.session->is_finished();
  const bool sends = done || !client.session->output().empty();
  const std::uint32_t interest = (client.session->wants_input() ? EPOLLIN : 0U) | (sends ? EPOLLOUT : 0U);
  if (interest == client.interest) return;
  client.interest = interest;
  static_cast<void>(sd_event_source_set_io_events(client.source.get(), interest));
}

Server::Server(const Service& service, sd_event* loop, ServerOptions options)
    : impl_(std::make_unique<Impl>(service, loop, std::move(options))) {}
Server::~Server() = default;

Result<void> Server::Listen() { return impl_->Listen(); }
Result<void> Server::Adopt(int fd) { return impl_->Adopt(Fd(fd)); }
void Server::Stop() { impl_->Stop(); }
std::size_t Server::clients() const { return impl_->clients(); }
const ServerCounters& Server::counters() const { return impl_->counters(); }

}  // namespace dpuflow::api
