// SPDX-License-Identifier: Apache-2.0
//
// Varlink on the wire (https://varlink.org): both directions of a Unix stream socket carry JSON
// objects, each ended by one NUL byte. A client sends calls, the service answers them one after the
// other, in their order:
//
//   -> {"method": "io.dpuflow.Agent.GetFlow", "parameters": {"id": 7}}
//   <- {"parameters": {"flow": {...}}}                                    or
//   <- {"error": "io.dpuflow.Agent.NoSuchFlow", "parameters": {"id": 7}}
//
// With "more" in the call there may be several replies; all but the last one say "continues". A
// call that says "oneway" gets no reply, nor an error.
//
// Pure: bytes in, values out. Nothing here throws.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "netlink/error.h"

namespace dpuflow::api {

// Objects keep their fields in the order in which they were put in, so that people read `id` first.
using Json = nlohmann::ordered_json;

struct Request {
  std::string method;  // full name: "io.dpuflow.Agent.GetStatus"
  Json parameters = Json::object();
  bool more = false;
  bool oneway = false;

  bool operator==(const Request&) const = default;
};

struct Reply {
  Json parameters = Json::object();
  bool continues = false;
  std::string error;  // full name: "io.dpuflow.Agent.NoSuchFlow"; empty on success

  bool operator==(const Reply&) const = default;
};

// A message without its NUL, or EBADMSG and what was expected and found. Unknown members are
// ignored, as the protocol wants; "upgrade" is refused.
[[nodiscard]] Result<Request> ParseRequest(std::string_view message);
[[nodiscard]] Result<Reply> ParseReply(std::string_view message);

// The bytes to send, NUL included. Bytes that are no UTF-8 become U+FFFD.
std::string Serialize(const Request& request);
std::string Serialize(const Reply& reply);
// JSON text of a value; indent < 0: one line.
std::string Dump(const Json& value, int indent = -1);

// Cuts a stream of bytes into messages.
class Framer {
 public:
  // A message longer than `max_message` bytes is an error that stays.
  explicit Framer(std::size_t max_message) : max_message_(max_message) {}

  void Append(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole message without its NUL; nothing while none is complete, EMSGSIZE where one is
  // too long.
  [[nodiscard]] Result<std::optional<std::string>> Next();
  // Bytes that wait: whole messages and the begin of one.
  [[nodiscard]] std::size_t size() const { return buffer_.size() - begin_; }

 private:
  std::size_t max_message_;
  std::string buffer_;
  std::size_t begin_ = 0;     // of what has not been returned yet
  std::size_t searched_ = 0;  // no NUL before it; so a message in many pieces is searched once
};

// Errors of org.varlink.service, and of io.dpuflow.Agent where the protocol itself has none.
inline constexpr const char* kInterfaceNotFound = "org.varlink.service.InterfaceNotFound";
inline constexpr const char* kMethodNotFound = "org.varlink.service.MethodNotFound";
inline constexpr const char* kMethodNotImplemented = "org.varlink.service.MethodNotImplemented";
inline constexpr const char* kInvalidParameter = "org.varlink.service.InvalidParameter";
inline constexpr const char* kPermissionDenied = "org.varlink.service.PermissionDenied";
inline constexpr const char* kExpectedMore = "org.varlink.service.ExpectedMore";
inline constexpr const char* kNoSuchFlow = "io.dpuflow.Agent.NoSuchFlow";
inline constexpr const char* kNoSuchPort = "io.dpuflow.Agent.NoSuchPort";
inline constexpr const char* kSyncTimeout = "io.dpuflow.Agent.SyncTimeout";
inline constexpr const char* kNotReady = "io.dpuflow.Agent.NotReady";
inline constexpr const char* kBadMessage = "io.dpuflow.Agent.BadMessage";
inline constexpr const char* kTooManyClients = "io.dpuflow.Agent.TooManyClients";

// Where dpuflowd listens, unless told otherwise.
inline constexpr const char* kDefaultSocketPath = "/run/dpuflow/dpuflowd.sock";

}  // namespace dpuflow::api
