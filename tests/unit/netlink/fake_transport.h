// SPDX-License-Identifier: Apache-2.0
//
// A kernel in memory, at the library's one door. `on_request` sees every message that is sent and queues answers; faults
// are queued like answers. What was sent is kept.
#pragma once

#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "netlink/message.h"
#include "netlink/transport.h"

namespace dpuflow::netlink {

class FakeTransport final : public Transport {
 public:
  std::function<void(const nlmsghdr&)> on_request = [](const nlmsghdr&) {};
  std::vector<std::vector<std::byte>> sent;
  int send_error = 0;
  std::size_t room_to_send = 1 << 20;
  std::size_t room_to_receive = 1 << 20;

  // One datagram with the messages of `buffer`.
  void Answer(const MessageBuffer& buffer) { queue_.push_back({{buffer.bytes().begin(), buffer.bytes().end()}, 0}); }
  void AnswerBytes(std::vector<std::byte> bytes) { queue_.push_back({std::move(bytes), 0}); }
  void Fail(int code) { queue_.push_back({{}, code}); }

  // NLMSG_ERROR as the kernel sends it with NETLINK_CAP_ACK and NETLINK_EXT_ACK.
  void Acknowledge(const nlmsghdr& request, int code = 0, std::string_view extack = {}) {
    MessageBuffer buffer;
    nlmsgerr error{};
    error.error = -code;
    error.msg = request;
    const unsigned flags = NLM_F_CAPPED | (extack.empty() ? 0U : unsigned{NLM_F_ACK_TLVS});
    buffer.Begin(NLMSG_ERROR, static_cast<std::uint16_t>(flags), request.nlmsg_seq, error);
    if (!extack.empty()) buffer.PutString(NLMSGERR_ATTR_MSG, extack);
    Answer(buffer);
  }

  Result<void> Send(std::span<const std::byte> datagram) override {
    if (send_error != 0) return MakeError(send_error, "send to netlink");
    if (datagram.size() > room_to_send) return MakeError(EMSGSIZE, "send to netlink");
    sent.emplace_back(datagram.begin(), datagram.end());
    return ForEachMessage(sent.back(), [&](const nlmsghdr& request) { on_request(request); });
  }

  Result<std::size_t> Receive(std::span<std::byte> into, std::chrono::milliseconds) override {
    if (queue_.empty()) return MakeError(EAGAIN, "receive from netlink");
    const Item item = std::move(queue_.front());
    queue_.pop_front();
    if (item.code != 0) return MakeError(item.code, "receive from netlink");
    std::copy(item.datagram.begin(), item.datagram.end(), into.begin());
    return item.datagram.size();
  }

  int fd() const override { return -1; }
  std::uint32_t port_id() const override { return 4711; }
  std::size_t send_limit() const override { return room_to_send; }
  std::size_t receive_limit() const override { return room_to_receive; }

 private:
  struct Item {
    std::vector<std::byte> datagram;
    int code;
  };
  std::deque<Item> queue_;
};

}  // namespace dpuflow::netlink
