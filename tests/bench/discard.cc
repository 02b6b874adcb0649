// SPDX-License-Identifier: Apache-2.0
//
// Reads from the kernel and throws away what it reads: what reading alone costs.
//
//   discard terse|full DEVICE      one dump of the filters at its ingress, of all protocols but the classifier's (IPv4)
//   discard routes                 notifications of IPv4 routes, until SIGTERM
//
// Prints how many messages there were.
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

volatile std::sig_atomic_t stopped = 0;

class Socket {
 public:
  explicit Socket(unsigned groups) : socket_(mnl_socket_open(NETLINK_ROUTE)) {
    if (socket_ == nullptr || mnl_socket_bind(socket_, groups, MNL_SOCKET_AUTOPID) < 0) Fail("netlink socket");
    const int bytes = 64 << 20;
    setsockopt(mnl_socket_get_fd(socket_), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
  }
  ~Socket() { mnl_socket_close(socket_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void Send(const nlmsghdr& message) {
    if (mnl_socket_sendto(socket_, &message, message.nlmsg_len) < 0) Fail("sendto");
  }

  // Counts messages until the dump ends, or the process is told to.
  std::size_t Discard() {
    std::size_t count = 0;
    while (stopped == 0) {
      ssize_t left = mnl_socket_recvfrom(socket_, buffer_.data(), buffer_.size());
      if (left < 0 && errno == EINTR) continue;
      if (left < 0) Fail("recvfrom");
      int rest = static_cast<int>(left);
      for (auto* header = reinterpret_cast<const nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(header, rest);
           header = mnl_nlmsg_next(header, &rest)) {
        if (header->nlmsg_type == NLMSG_DONE) return count;
        ++count;
      }
    }
    return count;
  }

 private:
  [[noreturn]] static void Fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

  mnl_socket* socket_;
  std::vector<char> buffer_ = std::vector<char>(32768);
};

std::size_t DiscardFilters(bool terse, const char* device) {
  std::array<char, 256> buffer{};
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = RTM_GETTFILTER;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  auto* message = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(header, sizeof(tcmsg)));
  message->tcm_ifindex = static_cast<int>(if_nametoindex(device));
  message->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
  message->tcm_info = htons(ETH_P_IP);
  if (terse) {
    const nla_bitfield32 flags{TCA_DUMP_FLAGS_TERSE, TCA_DUMP_FLAGS_TERSE};
    mnl_attr_put(header, TCA_DUMP_FLAGS, sizeof(flags), &flags);
  }
  Socket socket(0);
  socket.Send(*header);
  return socket.Discard();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  struct sigaction stop {};
  stop.sa_handler = [](int) { stopped = 1; };  // without SA_RESTART: the read returns
  sigaction(SIGTERM, &stop, nullptr);
  try {
    if (what == "routes" && argc == 2) {
      std::printf("%zu\n", Socket(RTMGRP_IPV4_ROUTE).Discard());
    } else if ((what == "terse" || what == "full") && argc == 3) {
      std::printf("%zu\n", DiscardFilters(what == "terse", argv[2]));
    } else {
      std::fputs("usage: discard terse|full DEVICE | discard routes\n", stderr);
      return 2;
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "discard: %s\n", error.what());
    return 1;
  }
  return 0;
}
