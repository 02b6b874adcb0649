// SPDX-License-Identifier: Apache-2.0
#include "agent/api/message.h"

#include <cerrno>
#include <utility>

namespace dpuflow::api {
namespace {

// Where a NUL is cut off, the rest of the buffer moves only when this much of it is behind.
constexpr std::size_t kCompactAfter = std::size_t{64} * 1024;

tl::unexpected<Error> Bad(std::string what) { return MakeError(EBADMSG, "understand a message", std::move(what)); }

Result<Json> ParseObject(std::string_view message) {
  Json json = Json::parse(message, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return Bad("expected a JSON object, found something that is not JSON");
  if (!json.is_object()) {
    return Bad(fmt::format("expected a JSON object, found a JSON {}", json.type_name()));
  }
  return json;
}

// The member's value where it is there and no null, `fallback` where it is not.
Result<bool> TakeBool(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return false;
  if (!found->is_boolean()) return Bad(fmt::format("expected \"{}\" to be true or false", name));
  return found->get<bool>();
}

Result<std::string> TakeString(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || found->is_null()) return std::string();
  if (!found->is_string()) return Bad(fmt::format("expected \"{}\" to be a string", name));
  return found->get<std::string>();
}

Result<Json> TakeParameters(Json& json) {
  const auto found = json.find("parameters");
  if (found == json.end() || found->is_null()) return Json::object();
  if (!found->is_object()) return Bad("expected \"parameters\" to be an object");
  return std::move(*found);
}

}  // namespace

Result<Request> ParseRequest(std::string_view message) {
  Result<Json> json = ParseObject(message);
  if (!json) return tl::make_unexpected(std::move(json.error()));
  Result<std::string> method = TakeString(*json, "method");
  if (!method) return tl::make_unexpected(std::move(method.error()));
  if (method->empty()) return Bad("expected a \"method\", found none");
  const Result<bool> more = TakeBool(*json, "more");
  if (!more) return tl::make_unexpected(more.error());
  const Result<bool> oneway = TakeBool(*json, "oneway");
  if (!oneway) return tl::make_unexpected(oneway.error());
  const Result<bool> upgrade = TakeBool(*json, "upgrade");
  if (!upgrade) return tl::make_unexpected(upgrade.error());
  if (*upgrade) return Bad("\"upgrade\" is not offered here");
  if (*more && *oneway) return Bad("expected \"more\" or \"oneway\", found both");
  Result<Json> parameters = TakeParameters(*json);
  if (!parameters) return tl::make_unexpected(std::move(parameters.error()));
  return Request{std::move(*method), std::move(*parameters), *more, *oneway};
}

Result<Reply> ParseReply(std::string_view message) {
  Result<Json> json = ParseObject(message);
  if (!json) return tl::make_unexpected(std::move(json.error()));
  Result<std::string> error = TakeString(*json, "error");
  if (!error) return tl::make_unexpected(std::move(error.error()));
  const Result<bool> continues = TakeBool(*json, "continues");
  if (!continues) return tl::make_unexpected(continues.error());
  Result<Json> parameters = TakeParameters(*json);
  if (!parameters) return tl::make_unexpected(std::move(parameters.error()));
  return Reply{std::move(*parameters), *continues, std::move(*error)};
}

std::string Dump(const Json& value, int indent) {
  return value.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

std::string Serialize(const Request& request) {
  Json json = {{"method", request.method}};
  if (!request.parameters.empty()) json["parameters"] = request.parameters;
  if (request.more) json["more"] = true;
  if (request.oneway) json["oneway"] = true;
  return Dump(json) + '\0';
}

std::string Serialize(const Reply& reply) {
  Json json = Json::object();
  if (!reply.error.empty()) json["error"] = reply.error;
  json["parameters"] = reply.parameters;
  if (reply.continues) json["continues"] = true;
  return Dump(json) + '\0';
}

Result<std::optional<std::string>> Framer::Next() {
  const std::size_t end = buffer_.find('\0', searched_);
  const std::size_t length = (end == std::string::npos ? buffer_.size() : end) - begin_;
  if (length > max_message_) {
    return MakeError(EMSGSIZE, "read a message", fmt::format("expected at most {} bytes, found more", max_message_));
  }
  if (end == std::string::npos) {
    searched_ = buffer_.size();
    return std::nullopt;
  }
  std::string message = buffer_.substr(begin_, length);
  begin_ = searched_ = end + 1;
  if (begin_ == buffer_.size() || begin_ > kCompactAfter) {
    buffer_.erase(0, begin_);
    begin_ = searched_ = 0;
  }
  return message;
}

}  // namespace dpuflow::api
