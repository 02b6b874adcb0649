// SPDX-License-Identifier: Apache-2.0
//
// Netlink messages as bytes: a buffer that requests are written into, and readers for what the kernel says.
//
// A netlink message is a `struct nlmsghdr` (length, type, flags, sequence number, port), a fixed header of the family
// (`ifinfomsg`, `rtmsg`, `tcmsg`, ...) and attributes: `struct nlattr` (length, type) with a payload that may be
// attributes again ("nested"). Everything is aligned to 4 bytes and in host byte order, except where a protocol's own
// fields are carried. Several messages may follow one another in one datagram (netlink(7), libmnl).
//
// Writing: MessageBuffer holds one message or a batch. It grows as needed; what cannot be expressed
// (an attribute of more than 65,531 bytes) makes ok() false for good, and the socket refuses to
// send such a buffer.
//
// Reading: bytes are not trusted. Every read is checked against the length at hand. The first fault
// sticks: after it all reads give zero or nothing, and the parser asks once, at its end, whether
// the message was well formed. A parser thus needs no check per field and can never read beyond the
// message.
//
// No thread safety; a buffer belongs to whoever fills it.
#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "netlink/address.h"
#include "netlink/error.h"

namespace dpuflow::netlink {

// An append-only buffer of one or more requests. Attributes go to the message begun last.
class MessageBuffer {
 public:
  // Begins a message: type RTM_*, flags NLM_F_* (NLM_F_REQUEST is added), and the family's fixed
  // header. `seq` tells the answers apart: unique within the buffer, and not one that the socket
  // has used lately (take it from Socket::NextSeq()).
  template <typename Header>
  void Begin(std::uint16_t type, std::uint16_t flags, std::uint32_t seq, const Header& header) {
    static_assert(std::is_trivially_copyable_v<Header>);
    BeginBytes(type, flags, seq, std::as_bytes(std::span(&header, 1)));
  }

  void Put(std::uint16_t type, std::span<const std::byte> payload);
  void PutU8(std::uint16_t type, std::uint8_t value) { PutValue(type, value); }
  void PutU16(std::uint16_t type, std::uint16_t value) { PutValue(type, value); }
  void PutU32(std::uint16_t type, std::uint32_t value) { PutValue(type, value); }
  void PutBe16(std::uint16_t type, std::uint16_t host_order);  // sent in network byte order
  void PutBe32(std::uint16_t type, std::uint32_t host_order);
  void PutString(std::uint16_t type, std::string_view text);  // with its terminating zero
  void PutMac(std::uint16_t type, const MacAddress& mac) { PutValue(type, mac.bytes); }
  void PutIp(std::uint16_t type, const IpAddress& address) {  // 4 or 16 bytes
    Put(type, std::as_bytes(address.wire()));
  }
  template <typename T>
  void PutValue(std::uint16_t type, const T& value) {  // the bytes of a kernel struct
    static_assert(std::is_trivially_copyable_v<T>);
    Put(type, std::as_bytes(std::span(&value, 1)));
  }

  // Opens a nested attribute; every BeginNest needs its EndNest, inner ones first. Class Nest does
  // it by scope.
  [[nodiscard]] std::size_t BeginNest(std::uint16_t type);
  void EndNest(std::size_t nest);

  // ORs into, or clears from, the flags of message `index`.
  void SetFlags(std::size_t index, std::uint16_t flags);
  void ClearFlags(std::size_t index, std::uint16_t flags);
  // Takes message `index` and all after it out again: for an encoder that finds that it cannot go
  // on.
  void Truncate(std::size_t index);
  void Clear() { Truncate(0); }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool empty() const { return starts_.empty(); }
  [[nodiscard]] std::size_t count() const { return starts_.size(); }          // messages
  [[nodiscard]] std::span<const std::byte> bytes() const { return buffer_; }  // all of them
  // The bytes of messages [first, last).
  [[nodiscard]] std::span<const std::byte> bytes(std::size_t first, std::size_t last) const;
  [[nodiscard]] const nlmsghdr& header(std::size_t index) const;

 private:
  void BeginBytes(std::uint16_t type, std::uint16_t flags, std::uint32_t seq, std::span<const std::byte> header);
  [[nodiscard]] nlmsghdr* Current();
  [[nodiscard]] nlmsghdr* At(std::size_t index);
  bool Reserve(std::size_t payload);

  std::vector<std::byte> buffer_;
  std::vector<std::size_t> starts_;  // offset of each message
  bool ok_ = true;
};

// A nested attribute for as long as the scope lasts.
class Nest {
 public:
  Nest(MessageBuffer& buffer, std::uint16_t type) : buffer_(buffer), at_(buffer.BeginNest(type)) {}
  ~Nest() { buffer_.EndNest(at_); }
  Nest(const Nest&) = delete;
  Nest& operator=(const Nest&) = delete;

 private:
  MessageBuffer& buffer_;
  std::size_t at_;
};

// One message that owns its bytes: an answer kept beyond the receive call.
class Message {
 public:
  Message() = default;
  explicit Message(const nlmsghdr& header);  // copies header.nlmsg_len bytes

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] const nlmsghdr& header() const;  // only when not empty
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class MessageReader;

// A walk over attributes, one level. `while (reader.Next()) switch (reader.type()) { ... }`
class AttributeReader {
 public:
  // Goes to the next attribute; false at the end and at a fault.
  bool Next();

  [[nodiscard]] std::uint16_t type() const { return type_; }  // NLA_F_NESTED and its like masked off
  [[nodiscard]] std::span<const std::byte> payload() const { return payload_; }

  // Reads of the current attribute. Too short a payload is a fault; longer is not (newer kernels
  // append to structs).
  [[nodiscard]] std::uint8_t U8() { return Value<std::uint8_t>(); }
  [[nodiscard]] std::uint16_t U16() { return Value<std::uint16_t>(); }
  [[nodiscard]] std::uint32_t U32() { return Value<std::uint32_t>(); }
  [[nodiscard]] std::uint64_t U64() { return Value<std::uint64_t>(); }
  [[nodiscard]] std::uint16_t Be16();  // network to host byte order
  [[nodiscard]] std::uint32_t Be32();
  [[nodiscard]] std::string String();  // up to the first zero, which may be missing
  [[nodiscard]] MacAddress Mac() { return {Value<std::array<std::uint8_t, 6>>()}; }
  [[nodiscard]] IpAddress Ip();  // 4 or 16 bytes, anything else is a fault
  [[nodiscard]] AttributeReader Nested() const { return {payload_, fault_}; }
  // The attributes in the payload after its first `offset` bytes (RTA_MULTIPATH).
  [[nodiscard]] AttributeReader NestedAt(std::size_t offset);

  template <typename T>
  [[nodiscard]] T Value() {  // a kernel struct at the payload's beginning
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (payload_.size() < sizeof(T)) {
      *fault_ = true;
    } else {
      std::memcpy(&value, payload_.data(), sizeof(T));
    }
    return value;
  }

 private:
  friend class MessageReader;
  AttributeReader(std::span<const std::byte> rest, bool* fault) : rest_(rest), fault_(fault) {}

  std::span<const std::byte> rest_;     // not yet walked
  std::span<const std::byte> payload_;  // of the current attribute
  std::uint16_t type_ = 0;
  bool* fault_;  // of the MessageReader, which outlives this
};

// A received message. Holds the fault that all its AttributeReaders share; must outlive them.
class MessageReader {
 public:
  // `message.nlmsg_len` bytes from &message on must be readable, as ForEachMessage and Socket
  // guarantee.
  explicit MessageReader(const nlmsghdr& message);
  MessageReader(const MessageReader&) = delete;
  MessageReader& operator=(const MessageReader&) = delete;

  // The family's fixed header; zeros and a fault when the message is too short for it.
  template <typename H>
  [[nodiscard]] H Header() {
    static_assert(std::is_trivially_copyable_v<H>);
    H header{};
    if (payload_.size() < sizeof(H)) {
      fault_ = true;
    } else {
      std::memcpy(&header, payload_.data(), sizeof(H));
    }
    return header;
  }
  // The attributes behind a fixed header of `header_size` bytes.
  [[nodiscard]] AttributeReader Attributes(std::size_t header_size);
  // Attributes inside `bytes`, a part of this message that the caller has cut out itself.
  [[nodiscard]] AttributeReader AttributesIn(std::span<const std::byte> bytes) { return {bytes, &fault_}; }
  void Fail() { fault_ = true; }  // the caller found the content impossible

  [[nodiscard]] bool ok() const { return !fault_; }
  // Error{EBADMSG, "read <what>"}: for the end of a parser.
  [[nodiscard]] tl::unexpected<Error> Malformed(std::string_view what) const;

 private:
  std::span<const std::byte> payload_;  // behind the nlmsghdr
  bool fault_ = false;
};

// Calls `each` for every whole message of a datagram. EBADMSG when a length runs over the end or is
// below the header's; the messages before it have been given. `datagram` must be aligned to 4
// bytes.
Result<void> ForEachMessage(std::span<const std::byte> datagram, const std::function<void(const nlmsghdr&)>& each);

// NLMSG_ERROR: an acknowledgement (success), or the errno and the kernel's sentence
// (NLMSGERR_ATTR_MSG). `doing` becomes Error::doing. Also reads the code and text that NLMSG_DONE
// carries. EBADMSG for a message of another type.
Result<void> ParseAck(const nlmsghdr& message, std::string_view doing);

}  // namespace dpuflow::netlink
