// SPDX-License-Identifier: Apache-2.0
//
// The one door between this library and the kernel: datagrams out, datagrams in. KernelTransport
// (transport.cc) is an AF_NETLINK socket; tests put a scripted one behind netlink::Socket and
// inject faults (overflow, silence, garbage).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "netlink/error.h"

namespace dpuflow::netlink {

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // Hands one datagram, one or many messages, to the kernel, which handles all of it before this
  // returns. Errors: EMSGSIZE above send_limit(), ENOBUFS and ENOMEM without kernel memory.
  virtual Result<void> Send(std::span<const std::byte> datagram) = 0;

  // Waits up to `timeout` (zero: not at all) for one datagram from the kernel; gives its length,
  // which is at most into.size(). Datagrams of other senders are dropped. Errors: EAGAIN nothing
  // came in time; ENOBUFS datagrams were lost (the next call goes on with what is left); EMSGSIZE
  // the datagram did not fit and is lost.
  virtual Result<std::size_t> Receive(std::span<std::byte> into, std::chrono::milliseconds timeout) = 0;

  [[nodiscard]] virtual int fd() const = 0;                     // to poll for reading; stays the transport's
  [[nodiscard]] virtual std::uint32_t port_id() const = 0;      // nlmsg_pid of answers to us, and of our own changes
  [[nodiscard]] virtual std::size_t send_limit() const = 0;     // bytes in one datagram
  [[nodiscard]] virtual std::size_t receive_limit() const = 0;  // bytes the receive queue holds (SO_RCVBUF)
};

struct SocketOptions {
  int protocol = 0;                  // NETLINK_ROUTE (0), NETLINK_NETFILTER, NETLINK_XFRM
  std::vector<unsigned> groups{};    // RTNLGRP_* (or the protocol's like) to join
  int receive_buffer = 1024 * 1024;  // bytes; the kernel doubles it. Above rmem_max only with CAP_NET_ADMIN
  int send_buffer = 1024 * 1024;     // bytes; likewise
  bool nonblocking = false;          // O_NONBLOCK on fd(); nothing here blocks in recvmsg either way
  bool strict_check = true;          // NETLINK_GET_STRICT_CHK: dump requests filter in the kernel
};

// An AF_NETLINK socket with NETLINK_EXT_ACK and NETLINK_CAP_ACK. EPROTONOSUPPORT: the kernel has no such protocol.
Result<std::unique_ptr<Transport>> OpenKernelTransport(const SocketOptions& options);

// What a Socket uses: OpenKernelTransport (open_transport.cc), unless the program brings another.
Result<std::unique_ptr<Transport>> OpenTransport(const SocketOptions& options);

}  // namespace dpuflow::netlink
