// SPDX-License-Identifier: Apache-2.0
//
// A stream of Varlink messages: cut at its NULs whatever the pieces in which it comes, and each message read as a
// request and as a reply, written and read again.
#include "agent/api/message.h"

#include <algorithm>
#include <vector>

#include "fuzz.h"

namespace dpuflow::api {
namespace {

using fuzz::Require;

constexpr std::size_t kMaxMessage = 2048;  // bytes

struct Messages {
  std::vector<std::string> whole;
  bool too_long = false;

  bool operator==(const Messages&) const = default;
};

Messages Cut(std::string_view stream, std::size_t piece) {
  Framer framer(kMaxMessage);
  Messages messages;
  while (!stream.empty() && !messages.too_long) {
    framer.Append(stream.substr(0, piece));
    stream.remove_prefix(std::min(piece, stream.size()));
    Result<std::optional<std::string>> message = framer.Next();
    while (message && *message) {
      messages.whole.push_back(std::move(**message));
      message = framer.Next();
    }
    messages.too_long = !message;
    Require(message || !framer.Next(), "a message that is too long stays so");
  }
  return messages;
}

template <typename T>
void CheckRoundTrip(const T& value, Result<T> (*parse)(std::string_view)) {
  const std::string bytes = Serialize(value);
  Require(bytes.find('\0') == bytes.size() - 1, "a message has one NUL, at its end");
  const Result<T> again = parse(std::string_view(bytes).substr(0, bytes.size() - 1));
  Require(again && *again == value, "a message is read as it is written");
}

void CheckMessage(std::string_view message) {
  const Result<Request> request = ParseRequest(message);
  const Result<Reply> reply = ParseReply(message);
  Require(request || !request.error().extack.empty(), "a refusal says what was expected");
  Require(reply || !request, "what is good as a request has parameters that are good in a reply");
  // Writing goes as deep into the stack as the message is nested, and happens only to what the product itself has made.
  constexpr auto kDeep = 200;
  if (std::count_if(message.begin(), message.end(), [](char c) { return c == '[' || c == '{'; }) > kDeep) return;
  if (request) CheckRoundTrip(*request, ParseRequest);
  if (reply) CheckRoundTrip(*reply, ParseReply);
}

void Check(std::string_view stream) {
  const Messages messages = Cut(stream, stream.size());
  Require(Cut(stream, 1) == messages && Cut(stream, 7) == messages, "pieces make no difference");
  for (const std::string& message : messages.whole) {
    Require(message.size() <= kMaxMessage && message.find('\0') == std::string::npos, "a message has its limits");
    CheckMessage(message);
  }
}

}  // namespace
}  // namespace dpuflow::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dpuflow::api::Check(dpuflow::fuzz::Text(data, size));
  return 0;
}
