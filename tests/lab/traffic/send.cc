// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <ctime>  // linux/errqueue.h names timespec without it

#include <linux/errqueue.h>
#include <sys/socket.h>

#include <csignal>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/lab/traffic/address.h"
#include "tests/lab/traffic/commands.h"
#include "tests/lab/traffic/system.h"

namespace labtraffic {
namespace {

class Sender {
 public:
  explicit Sender(const SendOptions& options)
      : options_(options),
        to_(Endpoint::Parse(options.to)),
        fd_(Check(socket(to_.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket")) {
    SetOption(SOL_SOCKET, SO_SNDBUF, 4 << 20);
    SetOption(level(), to_.family() == AF_INET ? static_cast<int>(IP_RECVERR) : static_cast<int>(IPV6_RECVERR), 1);
    if (options.ttl != 0) {
      SetOption(level(), to_.family() == AF_INET ? static_cast<int>(IP_TTL) : static_cast<int>(IPV6_UNICAST_HOPS),
                options.ttl);
    }
    if (!options.from.empty()) {
      const Endpoint from = Endpoint::Parse(options.from);
      Check(bind(fd_.get(), from.get(), from.size()), "bind to " + options.from);
    }
  }

  void SendData(std::uint64_t index) {
    Payload payload;
    payload.flow = static_cast<std::uint32_t>(index % options_.flows);
    payload.sequence = options_.start + index;
    payload.sent_ns = MonotonicNs();
    Transmit(payload, options_.size);
  }

  // Three times over, since one may be lost; the receiver counts none of them.
  void SendEnd(std::uint64_t count) {
    Payload payload;
    payload.kind = Payload::Kind::kEnd;
    payload.sequence = options_.start;
    payload.count = count;
    for (int i = 0; i < 3; ++i) {
      Transmit(payload, Payload::kSize);
    }
  }

  // Counts the ICMP errors that data packets have caused so far; each error quotes its packet.
  void DrainErrors() {
    char data[1024];
    char control[512];
    iovec vector = {data, sizeof(data)};
    msghdr message = {};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    for (;;) {
      const ssize_t size = recvmsg(fd_.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT);
      if (size < 0) {
        return;
      }
      const auto quoted = Payload::Decode({data, static_cast<std::size_t>(size)});
      const bool end = quoted && quoted->kind == Payload::Kind::kEnd;
      for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr && !end; part = CMSG_NXTHDR(&message, part)) {
        CountError(*part);
      }
      message.msg_controllen = sizeof(control);
    }
  }

  nlohmann::json Report() const {
    nlohmann::json errors = nlohmann::json::array();
    for (const auto& [error, count] : errors_) {
      errors.push_back(error);
      errors.back()["count"] = count;
    }
    return {{"sent", sent_}, {"refused", refused_}, {"first_sequence", options_.start}, {"icmp_errors", errors}};
  }

 private:
  int level() const { return to_.family() == AF_INET ? static_cast<int>(IPPROTO_IP) : static_cast<int>(IPPROTO_IPV6); }

  void SetOption(int level, int name, int value) {
    Check(setsockopt(fd_.get(), level, name, &value, sizeof(value)), "setsockopt");
  }

  Endpoint Destination(std::uint32_t flow) const {
    return options_.spread == "address" ? to_.Advanced(flow, 0) : to_.Advanced(0, static_cast<std::uint16_t>(flow));
  }

  // A pending ICMP error makes one sendto fail without sending, so that one is repeated once.
  void Transmit(const Payload& payload, std::size_t size) {
    const std::string bytes = payload.Encode(size);
    const Endpoint to = Destination(payload.flow);
    const bool data = payload.kind == Payload::Kind::kData;
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (sendto(fd_.get(), bytes.data(), bytes.size(), 0, to.get(), to.size()) >= 0) {
        sent_ += data ? 1 : 0;
        return;
      }
      DrainErrors();
    }
    refused_ += data ? 1 : 0;
  }

  void CountError(const cmsghdr& part) {
    if (part.cmsg_level != level()) {
      return;
    }
    const auto* error = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(&part));
    if (error->ee_origin != SO_EE_ORIGIN_ICMP && error->ee_origin != SO_EE_ORIGIN_ICMP6) {
      return;
    }
    const sockaddr* offender = SO_EE_OFFENDER(error);
    const bool named = offender->sa_family == AF_INET || offender->sa_family == AF_INET6;
    ++errors_[{
        {"type", error->ee_type}, {"code", error->ee_code}, {"from", named ? Endpoint::From(offender).address() : ""}}];
  }

  const SendOptions& options_;
  Endpoint to_;
  Fd fd_;
  std::uint64_t sent_ = 0;
  std::uint64_t refused_ = 0;
  std::map<nlohmann::json, std::uint64_t> errors_;
};

volatile std::sig_atomic_t stopped = 0;

}  // namespace

int Send(const SendOptions& options) {
  StayOnThisProcessor();
  Sender sender(options);
  std::signal(SIGTERM, [](int) { stopped = 1; });
  Schedule schedule(options.rate);
  std::uint64_t index = 0;
  for (; stopped == 0 && (options.count == 0 || index < options.count); ++index) {
    schedule.WaitFor(index);
    sender.SendData(index);
  }
  const std::uint64_t elapsed = schedule.elapsed_ns();
  if (options.end) {
    sender.SendEnd(index);
  }
  sender.DrainErrors();
  nlohmann::json report = sender.Report();
  report["duration_ms"] = elapsed / 1'000'000;
  report["late_max_us"] = schedule.late_max_ns() / 1000;
  std::puts(report.dump(2).c_str());
  return 0;
}

}  // namespace labtraffic
