// SPDX-License-Identifier: Apache-2.0
//
// A Varlink service without its socket: which interfaces there are, who answers which method, and
// one client's conversation as bytes in, bytes out. server.h puts it on a Unix socket; tests talk
// to a Session directly.
//
// A handler is called with parameters that fit the interface definition (types, names, required
// fields), and with the Call that it answers, now or later:
//
//   service.Register("io.dpuflow.Agent.GetFlow", [&](const Json& parameters, Call call) {
//     const Flow* flow = table.Find(parameters["id"].get<std::int64_t>());
//     if (flow == nullptr) return call.Error(kNoSuchFlow, {{"id", parameters["id"]}});
//     call.Reply({{"flow", ToJson(*flow)}});
//   });
//
// Optional parameters are there or absent, never null. All of this belongs to one thread, that of
// the event loop. Handlers and generators do not throw.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/api/idl.h"
#include "agent/api/message.h"

namespace dpuflow::api {

class Session;

// Who is at the other end, at the time of its connect (SO_PEERCRED).
struct PeerCredentials {
  pid_t pid = 0;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);

  bool operator==(const PeerCredentials&) const = default;
};

// Gives the parameters of one reply each time it is called, then nothing. It is called whenever the
// client has read enough of what came before: between two calls the loop turns, and the world may
// have changed. So a generator keeps a position that survives changes (the last id, not an
// iterator).
using Generator = std::function<std::optional<Json>()>;

// One call that waits for its answer. Move-only; may be kept and answered from a later turn of the
// loop, and may outlive the client, the session and the server: answering is then without effect. A
// call that is destroyed unanswered is answered NotReady. A call is answered once; what comes after
// that is without effect.
class Call {
 public:
  Call(Call&& other) noexcept;
  Call& operator=(Call&& other) noexcept;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();  // NOLINT(bugprone-exception-escape): see its definition

  // The answer. Each ends the call.
  void Reply(Json parameters = Json::object());
  void Error(std::string name, Json parameters = Json::object());
  void InvalidParameter(std::string_view parameter);
  // An answer in many replies, pulled as the client reads, so that a long list is never in memory.
  // ExpectedMore where the call did not say `more`. Nothing generated: one empty reply.
  void Stream(Generator generator);

  // One of several replies, pushed; the call goes on, and Reply or Error ends it. False: the client
  // has gone, did not ask for `more`, or reads so slowly that it has been dropped
  // (Limits::max_output).
  bool ReplyContinues(Json parameters);

  [[nodiscard]] const std::string& method() const { return method_; }
  [[nodiscard]] bool more() const { return more_; }
  [[nodiscard]] const PeerCredentials& peer() const { return peer_; }
  // Whether an answer can still have an effect: not answered yet, and the client is there.
  [[nodiscard]] bool is_open() const;

 private:
  friend class Session;
  Call(std::weak_ptr<Session> session, std::uint64_t serial, const Request& request, const PeerCredentials& peer);
  std::shared_ptr<Session> Take();  // ends the call; the session, if it still waits for it

  std::weak_ptr<Session> session_;
  std::uint64_t serial_ = 0;
  std::string method_;
  bool more_ = false;
  PeerCredentials peer_;
};

using Handler = std::function<void(const Json& parameters, Call call)>;

// What GetInfo says.
struct ServiceInfo {
  std::string vendor;
  std::string product;
  std::string version;
  std::string url;
};

// What a service did, since it was made.
struct ServiceCounters {
  std::uint64_t calls = 0;
  std::uint64_t error_replies = 0;  // of them answered with an error
  std::uint64_t bad_messages = 0;   // connections closed for what they sent
  std::uint64_t slow_readers = 0;   // connections closed for not reading pushed replies

  bool operator==(const ServiceCounters&) const = default;
};

// Interfaces and handlers. Complete before the first session begins; outlives all sessions.
// org.varlink.service and io.dpuflow.Agent are there from the start, the first one with its
// handlers.
class Service {
 public:
  explicit Service(ServiceInfo info);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // `description` in the interface definition language. EINVAL as ParseInterface, EEXIST for a name
  // that is there.
  [[nodiscard]] Result<void> AddInterface(std::string description);
  // The full name of a method. One handler per method, the last one wins.
  void Register(std::string method, Handler handler);
  // Methods that an interface defines and nobody handles, and the other way round: empty in a
  // finished service.
  [[nodiscard]] std::vector<std::string> Mismatched() const;

  // Answers the call: by its handler, or with a standard error.
  void Dispatch(const Request& request, Call call) const;

  [[nodiscard]] const ServiceCounters& counters() const { return counters_; }

 private:
  friend class Session;
  struct Interface {
    std::string description;
    IdlInterface idl;
  };
  void RegisterStandard();

  ServiceInfo info_;
  std::map<std::string, Interface, std::less<>> interfaces_;
  std::map<std::string, Handler, std::less<>> handlers_;
  mutable ServiceCounters counters_;
};

}  // namespace dpuflow::api
