// SPDX-License-Identifier: Apache-2.0
#include "netlink/transport.h"

#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace dpuflow::netlink {
namespace {

// netlink_sendmsg() refuses more than the send buffer less this.
constexpr std::size_t kSendReserve = 32;

class KernelTransport final : public Transport {
 public:
  explicit KernelTransport(int fd) : fd_(fd) {}
  ~KernelTransport() override { close(fd_); }

  Result<void> Configure(const SocketOptions& options);

  Result<void> Send(std::span<const std::byte> datagram) override;
  Result<std::size_t> Receive(std::span<std::byte> into, std::chrono::milliseconds timeout) override;
  int fd() const override { return fd_; }
  std::uint32_t port_id() const override { return port_id_; }
  std::size_t send_limit() const override { return send_limit_; }
  std::size_t receive_limit() const override { return receive_limit_; }

 private:
  Result<void> Bind();
  Result<void> Wait(std::chrono::milliseconds timeout);
  void SetBuffer(int forced, int plain, int bytes);
  std::size_t BufferSize(int option) const;

  int fd_;
  std::uint32_t port_id_ = 0;
  std::size_t send_limit_ = 0;
  std::size_t receive_limit_ = 0;
};

// The generic form of every socket address.
sockaddr* Generic(sockaddr_nl* address) { return static_cast<sockaddr*>(static_cast<void*>(address)); }

Result<void> SetNetlinkOption(int fd, int option, int value, const char* doing) {
  if (setsockopt(fd, SOL_NETLINK, option, &value, sizeof value) < 0) return ErrnoError(doing);
  return {};
}

Result<void> KernelTransport::Configure(const SocketOptions& options) {
  SetBuffer(SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer);
  SetBuffer(SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer);
  receive_limit_ = BufferSize(SO_RCVBUF);
  const std::size_t send_buffer = BufferSize(SO_SNDBUF);
  send_limit_ = send_buffer > kSendReserve ? send_buffer - kSendReserve : 0;
  return SetNetlinkOption(fd_, NETLINK_EXT_ACK, 1, "set NETLINK_EXT_ACK")
      .and_then([&] { return SetNetlinkOption(fd_, NETLINK_CAP_ACK, 1, "set NETLINK_CAP_ACK"); })
      .and_then([&] {
        return SetNetlinkOption(fd_, NETLINK_GET_STRICT_CHK, options.strict_check ? 1 : 0,
                                "set NETLINK_GET_STRICT_CHK");
      })
      .and_then([&] { return Bind(); })
      .and_then([&]() -> Result<void> {
        for (const unsigned group : options.groups) {
          auto joined = SetNetlinkOption(fd_, NETLINK_ADD_MEMBERSHIP, static_cast<int>(group), "join a netlink group");
          if (!joined) return joined;
        }
        return {};
      });
}

Result<void> KernelTransport::Bind() {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd_, Generic(&address), sizeof address) < 0) return ErrnoError("bind a netlink socket");
  socklen_t length = sizeof address;
  if (getsockname(fd_, Generic(&address), &length) < 0) return ErrnoError("name a netlink socket");
  port_id_ = address.nl_pid;
  return {};
}

// Unforced, the kernel silently gives at most net.core.rmem_max or wmem_max; BufferSize() tells what it gave.
void KernelTransport::SetBuffer(int forced, int plain, int bytes) {
  if (setsockopt(fd_, SOL_SOCKET, forced, &bytes, sizeof bytes) == 0) return;
  setsockopt(fd_, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

std::size_t KernelTransport::BufferSize(int option) const {
  int bytes = 0;
  socklen_t length = sizeof bytes;
  if (getsockopt(fd_, SOL_SOCKET, option, &bytes, &length) < 0 || bytes < 0) return 0;
  return static_cast<std::size_t>(bytes);
}

Result<void> KernelTransport::Send(std::span<const std::byte> datagram) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  while (true) {
    const ssize_t sent = sendto(fd_, datagram.data(), datagram.size(), 0, Generic(&kernel), sizeof kernel);
    if (sent >= 0) return {};
    if (errno != EINTR) return ErrnoError("send to netlink");
  }
}

Result<void> KernelTransport::Wait(std::chrono::milliseconds timeout) {
  pollfd poll_fd{.fd = fd_, .events = POLLIN, .revents = 0};
  while (true) {
    const int ready = poll(&poll_fd, 1, static_cast<int>(timeout.count()));
    if (ready > 0) return {};
    if (ready == 0) return MakeError(EAGAIN, "receive from netlink");
    if (errno != EINTR) return ErrnoError("wait for netlink");
  }
}

Result<std::size_t> KernelTransport::Receive(std::span<std::byte> into, std::chrono::milliseconds timeout) {
  while (true) {
    sockaddr_nl sender{};
    iovec vector{.iov_base = into.data(), .iov_len = into.size()};
    msghdr header{};
    header.msg_name = &sender;
    header.msg_namelen = sizeof sender;
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    const ssize_t received = recvmsg(fd_, &header, MSG_DONTWAIT);
    if (received >= 0) {
      if (sender.nl_pid != 0) continue;  // another process: not the kernel
      if ((header.msg_flags & MSG_TRUNC) != 0) return MakeError(EMSGSIZE, "receive from netlink");
      return static_cast<std::size_t>(received);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN || timeout.count() == 0) return ErrnoError("receive from netlink");
    if (auto waited = Wait(timeout); !waited) return tl::make_unexpected(waited.error());
  }
}

}  // namespace

Result<std::unique_ptr<Transport>> OpenKernelTransport(const SocketOptions& options) {
  const int flags = SOCK_RAW | SOCK_CLOEXEC | (options.nonblocking ? SOCK_NONBLOCK : 0);
  const int fd = socket(AF_NETLINK, flags, options.protocol);
  if (fd < 0) return ErrnoError("open a netlink socket");
  auto transport = std::make_unique<KernelTransport>(fd);
  if (auto configured = transport->Configure(options); !configured) {
    return tl::make_unexpected(configured.error());
  }
  return transport;
}

}  // namespace dpuflow::netlink
