// SPDX-License-Identifier: Apache-2.0
//
// A datagram as it comes out of recvmsg: cut into messages, by lengths that may lie, each of them read as an
// acknowledgement.
#include <cerrno>

#include "fuzz.h"
#include "netlink/message.h"
#include "netlink_input.h"

namespace dpuflow::netlink {
namespace {

using fuzz::Require;

void CheckAck(const nlmsghdr& message) {
  const auto ack = ParseAck(message, "fuzz");
  const bool is_one = message.nlmsg_type == NLMSG_ERROR || message.nlmsg_type == NLMSG_DONE;
  Require(is_one || (!ack && ack.error().code == EBADMSG), "only an acknowledgement is read as one");
  Require(ack || ack.error().code > 0, "an errno is positive");
}

void Cut(std::span<const std::byte> datagram) {
  std::size_t total = 0;
  const auto cut = ForEachMessage(datagram, [&](const nlmsghdr& message) {
    Require(message.nlmsg_len >= sizeof(nlmsghdr), "a message has a header");
    total += message.nlmsg_len;
    CheckAck(message);
    Require(Message(message).bytes().size() == message.nlmsg_len, "a message can be kept");
  });
  Require(total <= datagram.size(), "messages lie within the datagram");
  Require(cut || cut.error().code == EBADMSG, "a datagram is malformed or it is not");
}

}  // namespace
}  // namespace dpuflow::netlink

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dpuflow::netlink::Cut(dpuflow::fuzz::Bytes(data, size));
  return 0;
}
