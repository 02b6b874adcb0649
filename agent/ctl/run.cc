// SPDX-License-Identifier: Apache-2.0
#include "agent/ctl/run.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "agent/api/client.h"
#include "agent/api/idl.h"
#include "agent/api/interfaces.h"
#include "agent/ctl/gc.h"
#include "agent/ctl/json_field.h"
#include "agent/ctl/show.h"

namespace dpuflow::ctl {
namespace {

using api::Json;

constexpr const char* kInterface = "io.dpuflow.Agent.";
constexpr int kIndent = 4;  // of --pretty, as `ip -j -p`
// A sync that runs out of time is told by the daemon, this much after its own limit at the latest.
constexpr std::chrono::milliseconds kGrace{2000};

// Standard output, with the first error kept.
class Printer {
 public:
  explicit Printer(std::FILE* file) : file_(file) {}
  bool Print(const std::string& text) {
    if (error_ == 0 && std::fwrite(text.data(), 1, text.size(), file_) != text.size()) error_ = errno;
    return error_ == 0;
  }
  bool Flush() {
    if (error_ == 0 && std::fflush(file_) != 0) error_ = errno;
    return error_ == 0;
  }
  [[nodiscard]] int error() const { return error_; }

 private:
  std::FILE* file_;
  int error_ = 0;
};

// A JSON array, element by element, with the text that Dump makes of the whole.
class ArrayPrinter {
 public:
  ArrayPrinter(Printer& printer, bool pretty) : printer_(printer), pretty_(pretty) {}
  bool Add(const Json& element) {
    std::string text = api::Dump(element, pretty_ ? kIndent : -1);
    if (pretty_) {
      const std::string margin(kIndent, ' ');
      for (std::size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 1 + margin.size()) {
        text.insert(at + 1, margin);
      }
      text.insert(0, "\n" + margin);
    }
    text.insert(0, first_ ? "[" : ",");
    first_ = false;
    return printer_.Print(text);
  }
  void Finish() { printer_.Print(first_ ? "[]\n" : pretty_ ? "\n]\n" : "]\n"); }

 private:
  Printer& printer_;
  bool pretty_;
  bool first_ = true;
};

// Holds replies against the interface definition. A daemon that leaves out what every reply has is of another version, or
// no dpuflowd at all: what it says must not be shown as if it were an answer.
class ReplyCheck {
 public:
  // What is wrong with the reply, as one line.
  std::optional<std::string> operator()(const std::string& method, const Json& reply) const {
    if (!interface_) return ToString(interface_.error());
    const auto found = interface_->methods.find(method);
    if (found == interface_->methods.end()) return "the interface has no " + method;
    const auto path = api::Mismatch(*interface_, found->second.output, reply, api::UnknownFields::kIgnored);
    if (!path) return std::nullopt;
    return fmt::format(
        "dpuflowd answers {} in an unexpected way: {} is missing or not as defined; is it of another version?", method,
        path->empty() ? "the reply" : *path);
  }

 private:
  Result<api::IdlInterface> interface_ = api::ParseInterface(api::kAgentInterface);
};

class Runner {
 public:
  Runner(const Invocation& invocation, bool colors, std::FILE* out, std::FILE* err)
      : invocation_(invocation), style_{invocation.statistics, invocation.details, colors}, printer_(out), err_(err) {}

  int Run() {
    int code = invocation_.command == Command::kGc ? Gc() : Connect();
    printer_.Flush();
    if (printer_.error() == EPIPE) return kExitError;
    if (printer_.error() != 0) code = Fail(std::string("cannot write: ") + std::strerror(printer_.error()));
    return code;
  }

 private:
  int Connect() {
    auto client = api::Client::Connect(invocation_.socket_path, invocation_.timeout + kGrace);
    return client ? Ask(*client) : NotConnected(client.error());
  }

  int Gc() {
    const auto report = CollectGarbage(invocation_.now);
    if (!report) return Fail(ToString(report.error()) + (IsRefused(report.error()) ? "; try as root" : ""));
    const bool clean = Field(*report, "failures").empty();
    const bool nothing = clean && Field(*report, "devices").empty();
    if (!(invocation_.quiet && nothing)) Show(*report, ShowGarbage(*report));
    return clean ? kExitOk : kExitError;
  }

  static bool IsRefused(const Error& error) { return error.code == EACCES || error.code == EPERM; }

  int Fail(const std::string& what) {
    printer_.Flush();  // what came before the error stands before it
    std::fputs(("dpuflowctl: " + what + "\n").c_str(), err_);
    return kExitError;
  }

  int NotConnected(const Error& error) {
    if (invocation_.command == Command::kVersion) {
      PrintVersion({});
      return kExitOk;
    }
    if (error.code == ENOENT || error.code == ECONNREFUSED) {
      Fail("dpuflowd is not running: nobody listens on " + invocation_.socket_path +
           " (to start it: systemctl start dpuflowd)");
      return kExitNotRunning;
    }
    return Fail(ToString(error) + (IsRefused(error) ? "; try as root" : ""));
  }

  int Ask(api::Client& client) {
    switch (invocation_.command) {
      case Command::kStatus:
        return Call(client, "GetStatus", [this](const Json& reply) { Show(reply, ShowStatus(reply, style_)); });
      case Command::kPortShow:
        return Call(client, "ListPorts", [this](const Json& reply) {
          const Json& ports = Field(reply, "ports");
          Show(ports, ShowPorts(ports, style_));
        });
      case Command::kFlowShow:
        return ShowFlows(client);
      case Command::kFlowGet:
        return Call(client, "GetFlow", [this](const Json& reply) { ShowOneFlow(Field(reply, "flow")); });
      case Command::kFlowFlush:
        return Call(client, "FlushFlows", [this](const Json& reply) {
          Show(reply, "removed " + Plural(Number(reply, "count"), "flow") + "\n");
        });
      case Command::kExplain:
        return Call(client, "Explain",
                    [this](const Json& reply) { Show(reply, ShowExplanation(invocation_.parameters, reply)); });
      case Command::kOffload:
        return Call(client, "SetOffload",
                    [this](const Json& reply) { Show(reply, ShowOffload(invocation_.parameters, reply)); });
      case Command::kSync:
        return Call(client, "Sync", [this](const Json& reply) { Show(reply, ShowSync(reply)); });
      case Command::kVerify:
        return Verify(client);
      case Command::kStats:
        return Stats(client);
      case Command::kVersion:
        return AskVersion(client);
      case Command::kGc:
        break;  // asks nobody
    }
    return kExitError;
  }

  template <typename Print>
  int Call(api::Client& client, const char* method, Print print) {
    const auto reply = client.Call(std::string(kInterface) + method, invocation_.parameters);
    if (!reply) return Fail(ToString(reply.error()));
    if (!reply->error.empty()) return Fail(ShowError(*reply));
    if (const auto wrong = check_(method, reply->parameters)) return Fail(*wrong);
    print(reply->parameters);
    return kExitOk;
  }

  int Stats(api::Client& client) {
    using Clock = std::chrono::steady_clock;
    const bool twice = invocation_.interval.count() > 0;
    Json before;
    const auto began = Clock::now();
    if (twice) {
      const int code = Call(client, "GetStats", [&](const Json& reply) { before = Field(reply, "counters"); });
      if (code != kExitOk) return code;
      std::this_thread::sleep_until(began + invocation_.interval);
    }
    return Call(client, "GetStats", [&](const Json& reply) {
      const Json& counters = Field(reply, "counters");
      const std::chrono::duration<double> apart = Clock::now() - began;
      if (twice) return Show(WithRates(before, counters, apart), ShowRates(before, counters, apart, style_));
      Show(counters, ShowStats(counters, style_));
    });
  }

  int Verify(api::Client& client) {
    bool clean = false;
    const int code = Call(client, "Verify", [&](const Json& reply) {
      Show(reply, ShowVerify(reply));
      clean = Field(reply, "differences").empty() && !Has(reply, "incomplete");
    });
    return code == kExitOk && !clean ? kExitError : code;
  }

  // Of a daemon of any version: nothing but the version is expected in the reply.
  int AskVersion(api::Client& client) {
    const auto reply = client.Call(std::string(kInterface) + "GetStatus", invocation_.parameters);
    if (!reply) return Fail(ToString(reply.error()));
    if (!reply->error.empty()) return Fail(ShowError(*reply));
    if (!Field(reply->parameters, "version").is_string()) return Fail("dpuflowd does not say which version it is");
    PrintVersion(Text(reply->parameters, "version"));
    return kExitOk;
  }

  int ShowFlows(api::Client& client) {
    FlowList list(style_);
    ArrayPrinter array(printer_, invocation_.pretty);
    std::optional<std::string> wrong;
    const auto end =
        client.Stream(std::string(kInterface) + "ListFlows", invocation_.parameters, [&](const Json& reply) {
          wrong = check_("ListFlows", reply);
          if (wrong) return false;
          const Json& flow = Field(reply, "flow");
          if (flow.is_null()) return true;
          return invocation_.json ? array.Add(flow) : printer_.Print(list.Add(flow));
        });
    if (printer_.error() != 0) return kExitError;
    if (!invocation_.json) printer_.Print(list.Finish());
    if (wrong) return Fail(*wrong);
    if (!end) return Fail(ToString(end.error()));
    if (!end->error.empty()) return Fail(ShowError(*end));
    if (invocation_.json) array.Finish();
    return kExitOk;
  }

  void ShowOneFlow(const Json& flow) {
    Style all = style_;
    all.details = all.statistics = true;
    FlowList list(all);
    std::string text = list.Add(flow);
    Show(flow, text + list.Finish());
  }

  void PrintVersion(const std::string& daemon) {
    Json versions = {{"dpuflowctl", DPUFLOW_VERSION}};
    if (!daemon.empty()) versions["dpuflowd"] = daemon;
    Show(versions, std::string("dpuflowctl " DPUFLOW_VERSION "\n") +
                       (daemon.empty() ? "dpuflowd is not running\n" : "dpuflowd " + daemon + "\n"));
  }

  void Show(const Json& json, const std::string& text) {
    printer_.Print(invocation_.json ? api::Dump(json, invocation_.pretty ? kIndent : -1) + "\n" : text);
  }

  const Invocation& invocation_;
  const Style style_;
  const ReplyCheck check_;
  Printer printer_;
  std::FILE* err_;
};

}  // namespace

int Run(const Invocation& invocation, bool colors, std::FILE* out, std::FILE* err) {
  return Runner(invocation, colors, out, err).Run();
}

}  // namespace dpuflow::ctl
