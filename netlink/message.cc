// SPDX-License-Identifier: Apache-2.0
#include "netlink/message.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>

#include <algorithm>

#include <cerrno>
#include <limits>
#include <utility>

namespace dpuflow::netlink {
namespace {

constexpr std::size_t kMaxAttributeSize = std::numeric_limits<std::uint16_t>::max();  // nla_len

const nlmsghdr* AsHeader(const std::byte* bytes) {
  return static_cast<const nlmsghdr*>(static_cast<const void*>(bytes));
}

// Behind the errno of NLMSG_ERROR stands the request: its header alone when NLM_F_CAPPED says so, else all of it.
// Behind that, and behind the errno of NLMSG_DONE, stand the extended ack's attributes.
std::size_t ExtackOffset(const nlmsghdr& message, MessageReader& reader) {
  if (message.nlmsg_type == NLMSG_DONE) return sizeof(int);
  const auto error = reader.Header<nlmsgerr>();
  if ((message.nlmsg_flags & NLM_F_CAPPED) != 0) return sizeof(nlmsgerr);
  return sizeof(int) + NLMSG_ALIGN(std::size_t{error.msg.nlmsg_len});
}

std::string ReadExtack(const nlmsghdr& message, MessageReader& reader) {
  std::string text;
  if ((message.nlmsg_flags & NLM_F_ACK_TLVS) == 0) return text;
  AttributeReader attributes = reader.Attributes(ExtackOffset(message, reader));
  while (attributes.Next()) {
    if (attributes.type() == NLMSGERR_ATTR_MSG) text = attributes.String();
  }
  return text;
}

}  // namespace

void MessageBuffer::BeginBytes(std::uint16_t type, std::uint16_t flags, std::uint32_t seq,
                               std::span<const std::byte> header) {
  const std::size_t start = buffer_.size();  // aligned: every append is
  buffer_.resize(start + MNL_NLMSG_HDRLEN + MNL_ALIGN(header.size()));
  starts_.push_back(start);
  nlmsghdr* message = mnl_nlmsg_put_header(buffer_.data() + start);
  message->nlmsg_type = type;
  message->nlmsg_flags = static_cast<std::uint16_t>(flags | NLM_F_REQUEST);
  message->nlmsg_seq = seq;
  std::memcpy(mnl_nlmsg_put_extra_header(message, header.size()), header.data(), header.size());
}

nlmsghdr* MessageBuffer::At(std::size_t index) {
  return static_cast<nlmsghdr*>(static_cast<void*>(buffer_.data() + starts_[index]));
}

nlmsghdr* MessageBuffer::Current() { return At(starts_.size() - 1); }

// Room for one more attribute at the end of the current message.
bool MessageBuffer::Reserve(std::size_t payload) {
  if (starts_.empty() || payload + MNL_ATTR_HDRLEN > kMaxAttributeSize) {
    ok_ = false;
    return false;
  }
  buffer_.resize(buffer_.size() + MNL_ATTR_HDRLEN + MNL_ALIGN(payload));
  return true;
}

void MessageBuffer::Put(std::uint16_t type, std::span<const std::byte> payload) {
  if (!Reserve(payload.size())) return;
  mnl_attr_put(Current(), type, payload.size(), payload.data());
}

void MessageBuffer::PutBe16(std::uint16_t type, std::uint16_t host_order) { PutU16(type, htons(host_order)); }

void MessageBuffer::PutBe32(std::uint16_t type, std::uint32_t host_order) { PutU32(type, htonl(host_order)); }

void MessageBuffer::PutString(std::uint16_t type, std::string_view text) {
  Put(type, std::as_bytes(std::span(std::string(text).c_str(), text.size() + 1)));
}

std::size_t MessageBuffer::BeginNest(std::uint16_t type) {
  const std::size_t nest = buffer_.size();
  if (Reserve(0)) mnl_attr_nest_start(Current(), type);
  return nest;
}

void MessageBuffer::EndNest(std::size_t nest) {
  if (nest >= buffer_.size() || buffer_.size() - nest > kMaxAttributeSize) {
    ok_ = false;
    return;
  }
  mnl_attr_nest_end(Current(), static_cast<nlattr*>(static_cast<void*>(buffer_.data() + nest)));
}

void MessageBuffer::SetFlags(std::size_t index, std::uint16_t flags) { At(index)->nlmsg_flags |= flags; }

void MessageBuffer::ClearFlags(std::size_t index, std::uint16_t flags) {
  At(index)->nlmsg_flags &= static_cast<std::uint16_t>(~flags);
}

void MessageBuffer::Truncate(std::size_t index) {
  if (index >= starts_.size()) return;
  buffer_.resize(starts_[index]);
  starts_.resize(index);
  if (starts_.empty()) ok_ = true;
}

std::span<const std::byte> MessageBuffer::bytes(std::size_t first, std::size_t last) const {
  if (first >= last || last > starts_.size()) return {};
  const std::size_t end = last == starts_.size() ? buffer_.size() : starts_[last];
  return std::span(buffer_).subspan(starts_[first], end - starts_[first]);
}

const nlmsghdr& MessageBuffer::header(std::size_t index) const { return *AsHeader(buffer_.data() + starts_[index]); }

Message::Message(const nlmsghdr& header) {
  const auto* begin = static_cast<const std::byte*>(static_cast<const void*>(&header));
  bytes_.assign(begin, begin + header.nlmsg_len);
}

const nlmsghdr& Message::header() const { return *AsHeader(bytes_.data()); }

bool AttributeReader::Next() {
  if (*fault_ || rest_.empty()) return false;
  nlattr header{};
  if (rest_.size() >= sizeof header) std::memcpy(&header, rest_.data(), sizeof header);
  if (header.nla_len < sizeof header || header.nla_len > rest_.size()) {
    *fault_ = true;
    return false;
  }
  type_ = header.nla_type & NLA_TYPE_MASK;
  payload_ = rest_.subspan(sizeof header, header.nla_len - sizeof header);
  const std::size_t aligned = MNL_ALIGN(std::size_t{header.nla_len});
  rest_ = aligned < rest_.size() ? rest_.subspan(aligned) : std::span<const std::byte>{};
  return true;
}

std::uint16_t AttributeReader::Be16() { return ntohs(U16()); }

std::uint32_t AttributeReader::Be32() { return ntohl(U32()); }

std::string AttributeReader::String() {
  std::string text;
  for (const std::byte byte : payload_) {
    if (byte == std::byte{0}) break;
    text.push_back(std::to_integer<char>(byte));
  }
  return text;
}

IpAddress AttributeReader::Ip() {
  const auto address = IpAddress::FromBytes(payload_);
  if (!address) *fault_ = true;
  return address.value_or(IpAddress());
}

AttributeReader AttributeReader::NestedAt(std::size_t offset) {
  if (offset > payload_.size()) {
    *fault_ = true;
    return {{}, fault_};
  }
  return {payload_.subspan(offset), fault_};
}

MessageReader::MessageReader(const nlmsghdr& message) {
  if (message.nlmsg_len < MNL_NLMSG_HDRLEN) {
    fault_ = true;
    return;
  }
  const auto* begin = static_cast<const std::byte*>(static_cast<const void*>(&message));
  payload_ = {begin + MNL_NLMSG_HDRLEN, message.nlmsg_len - MNL_NLMSG_HDRLEN};
}

AttributeReader MessageReader::Attributes(std::size_t header_size) {
  const std::size_t offset = MNL_ALIGN(header_size);
  // A message may end with its fixed header, unpadded.
  if (header_size > payload_.size()) fault_ = true;
  if (offset >= payload_.size()) return {{}, &fault_};
  return {payload_.subspan(offset), &fault_};
}

tl::unexpected<Error> MessageReader::Malformed(std::string_view what) const {
  return MakeError(EBADMSG, fmt::format("read {}: malformed message", what));
}

Result<void> ForEachMessage(std::span<const std::byte> datagram, const std::function<void(const nlmsghdr&)>& each) {
  while (!datagram.empty()) {
    const nlmsghdr* message = AsHeader(datagram.data());
    if (datagram.size() < MNL_NLMSG_HDRLEN || message->nlmsg_len < MNL_NLMSG_HDRLEN ||
        message->nlmsg_len > datagram.size()) {
      return MakeError(EBADMSG, "read a netlink datagram: malformed message");
    }
    each(*message);
    const std::size_t aligned = MNL_ALIGN(std::size_t{message->nlmsg_len});
    datagram = datagram.subspan(std::min(aligned, datagram.size()));
  }
  return {};
}

Result<void> ParseAck(const nlmsghdr& message, std::string_view doing) {
  MessageReader reader(message);
  if (message.nlmsg_type != NLMSG_ERROR && message.nlmsg_type != NLMSG_DONE) reader.Fail();
  const int code = reader.Header<int>();
  std::string extack = ReadExtack(message, reader);
  if (!reader.ok() || code > 0 || code == std::numeric_limits<int>::min()) {
    return reader.Malformed("an acknowledgement");
  }
  if (code != 0) return MakeError(-code, std::string(doing), std::move(extack));
  return {};
}

}  // namespace dpuflow::netlink
