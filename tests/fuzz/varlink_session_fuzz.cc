// SPDX-License-Identifier: Apache-2.0
//
// A whole conversation with the agent's interface: the input is what a client sends. Handlers of every manner answer:
// at once, later, in a stream, in pushed replies, with an error, not at all. What the client hears must not depend on
// the pieces in which bytes come and go, and must be what the interface definitions say.
#include "agent/api/session.h"

#include <algorithm>
#include <deque>

#include "agent/api/interfaces.h"
#include "fuzz.h"

namespace dpuflow::api {
namespace {

using fuzz::Require;

constexpr Limits kLimits{.max_request = 1024, .output_room = 256, .max_output = 2048};

class Agent {
 public:
  Agent() : service_({"Vendor", "Product", "1", "https://example.com"}) {
    On("GetStatus", [](const Json&, Call call) { call.Reply(); });
    On("ListPorts", [](const Json&, Call call) {
      for (int i = 0; i < 100; ++i) {
        if (!call.ReplyContinues({{"ports", Json::array({i})}})) break;
      }
      call.Reply({{"ports", Json::array()}});
    });
    On("ListFlows", [](const Json& parameters, Call call) {
      call.Stream([n = 0, parameters]() mutable -> std::optional<Json> {
        if (n++ == 5) return std::nullopt;
        return Json{{"flow", parameters}};
      });
    });
    On("GetFlow", [](const Json& parameters, Call call) {
      const auto id = parameters["id"].get<std::int64_t>();
      if (id != 7) return call.Error(kNoSuchFlow, {{"id", id}});
      call.Reply({{"flow", {{"id", id}}}});
    });
    On("FlushFlows", [](const Json&, Call) {});
    On("Sync", [this](const Json& parameters, Call call) {
      Require(parameters.value("timeout_ms", std::int64_t{1}) != 0 || parameters.size() == 1,
              "a parameter has its type");
      waiting_.push_back(std::move(call));
    });
  }

  // Answers the oldest call that waits; false if none does.
  bool Answer() {
    if (waiting_.empty()) return false;
    Call call = std::move(waiting_.front());
    waiting_.pop_front();
    call.Reply({{"took_ms", 1}});
    return true;
  }
  [[nodiscard]] const Service& service() const { return service_; }

 private:
  void On(const std::string& name, const Handler& handler) {
    service_.Register("io.dpuflow.Agent." + name, [handler](const Json& parameters, Call call) {
      for (const auto& item : parameters.items()) Require(!item.value().is_null(), "a parameter is there or absent");
      handler(parameters, std::move(call));
    });
  }

  Service service_;
  std::deque<Call> waiting_;
};

Agent& TheAgent() {
  static Agent agent;  // made once: it reads the definitions of both interfaces
  return agent;
}

// What a client did and heard.
struct Conversation {
  std::string heard;
  std::uint64_t calls = 0;
  bool dropped = false;  // for reading too slowly: by how much depends on the pieces

  bool operator==(const Conversation&) const = default;
};

// Bytes go in and out in pieces of one size; a client that is `greedy` reads before it writes.
Conversation Converse(std::string_view input, std::size_t piece, bool greedy) {
  Agent& agent = TheAgent();
  const ServiceCounters before = agent.service().counters();
  const auto session = Session::Create(agent.service(), kLimits, {});
  Conversation conversation;
  bool ended = false;
  while (!session->is_finished() || !session->output().empty()) {
    const std::string_view output = session->output().substr(0, piece);
    const bool can_write = session->wants_input() && !input.empty();
    if (!output.empty() && (greedy || !can_write)) {
      conversation.heard += output;
      session->Consume(output.size());
    } else if (can_write) {
      const std::string_view next = input.substr(0, piece);
      input.remove_prefix(next.size());
      session->Receive(next);
    } else if (!agent.Answer()) {
      Require(!ended, "a conversation that has ended is finished");
      session->ReceiveEnd();
      ended = true;
    }
  }
  const ServiceCounters& after = agent.service().counters();
  conversation.calls = after.calls - before.calls;
  conversation.dropped = after.slow_readers != before.slow_readers;
  return conversation;
}

// The client vanishes half-way: what it has asked is still done, and nothing is said.
std::uint64_t ConverseWithNobody(std::string_view input) {
  Agent& agent = TheAgent();
  const std::uint64_t before = agent.service().counters().calls;
  const auto session = Session::Create(agent.service(), kLimits, {});
  session->Receive(input.substr(0, input.size() / 2));
  session->PeerGone();
  session->Receive(input.substr(input.size() / 2));
  session->ReceiveEnd();
  while (agent.Answer()) {
  }
  Require(session->output().empty() && session->is_finished(), "nobody hears anything");
  return agent.service().counters().calls - before;
}

bool IsDefined(const std::string& error, const Json& parameters) {
  static const IdlInterface kDefinitions[] = {*ParseInterface(kAgentInterface), *ParseInterface(kServiceInterface)};
  return std::any_of(std::begin(kDefinitions), std::end(kDefinitions), [&](const IdlInterface& interface) {
    if (!error.starts_with(interface.name + ".")) return false;
    const auto found = interface.errors.find(error.substr(interface.name.size() + 1));
    return found != interface.errors.end() && !Mismatch(interface, found->second, parameters);
  });
}

void CheckHeard(std::string_view heard) {
  Framer framer(heard.size());
  framer.Append(heard);
  while (const auto message = *framer.Next()) {
    const Result<Reply> reply = ParseReply(*message);
    Require(reply.has_value(), "each reply is a message");
    Require(reply->error.empty() || IsDefined(reply->error, reply->parameters), "each error is as it is defined");
  }
  Require(framer.size() == 0, "the last reply is whole");
}

void Check(std::string_view input) {
  const Conversation whole = Converse(input, std::max<std::size_t>(1, input.size()), true);
  const Conversation bytes = Converse(input, 1, true);
  const Conversation slow = Converse(input, 100, false);
  const std::uint64_t calls = ConverseWithNobody(input);
  if (whole.dropped || bytes.dropped || slow.dropped) return;
  CheckHeard(whole.heard);
  Require(bytes == whole && slow == whole, "pieces make no difference");
  Require(calls == whole.calls, "what was asked is done, whoever is there");
}

}  // namespace
}  // namespace dpuflow::api

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dpuflow::api::Check(dpuflow::fuzz::Text(data, size));
  return 0;
}
