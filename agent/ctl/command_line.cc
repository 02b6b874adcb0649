// SPDX-License-Identifier: Apache-2.0
#include "agent/ctl/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "agent/ctl/filter.h"
#include "agent/ctl/packet.h"

namespace dpuflow::ctl {
namespace {

constexpr std::int64_t kMaxTimeoutMs = 600000;  // what Sync takes

std::optional<std::chrono::milliseconds> ParseTime(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number > 0)) return std::nullopt;
  static const std::map<std::string, double, std::less<>> kUnits = {
      {"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"min", 60000}};
  const auto unit = kUnits.find(std::string_view(end, text.data() + text.size()));
  if (unit == kUnits.end() || number * unit->second > static_cast<double>(kMaxTimeoutMs)) return std::nullopt;
  return std::chrono::milliseconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(number * unit->second)));
}

std::optional<std::int64_t> ParseId(const std::string& text) {
  std::int64_t id = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id);
  if (error != std::errc() || stop != end || id <= 0) return std::nullopt;
  return id;
}

// The next word that is neither an option nor the value of one, from `at` on.
std::size_t NextWord(const std::vector<std::string>& arguments, std::size_t at) {
  const auto takes_value = [](const std::string& argument) {
    if (argument == "--socket") return true;
    return std::ranges::any_of(FilterWords(), [&](const FilterWord& word) { return argument == "--" + word.name; });
  };
  while (at < arguments.size() && arguments[at].starts_with("-")) at += takes_value(arguments[at]) ? 2 : 1;
  return std::min(at, arguments.size());
}

// `flow dst 10.0.0.0/8` is `flow show dst 10.0.0.0/8`, as with ip(8). The parser would take `port` of `flow port p0` for
// a command, so the verb is put there before it looks.
void AddVerb(std::vector<std::string>& arguments) {
  const std::size_t object = NextWord(arguments, 0);
  if (object == arguments.size() || arguments[object] != "flow") return;
  const std::size_t word = NextWord(arguments, object + 1);
  if (word == arguments.size() || !IsFilterWord(arguments[word])) return;
  arguments.insert(arguments.begin() + static_cast<std::ptrdiff_t>(object) + 1, "show");
}

// The command tree. Options of a subcommand land in the members below; Result makes an Invocation of them.
class CommandLine {
 public:
  explicit CommandLine(const std::string& default_socket) {
    if (!default_socket.empty()) socket_path_ = default_socket;
    AddGlobals();
    On(Add(app_, "status", "The agent at a glance"), Command::kStatus);
    CLI::App* port = Add(app_, "port", "Ports of the switch");
    port->require_subcommand(0, 1);
    On(Show(Add(*port, "show", "List the ports, and why one is refused")), Command::kPortShow);
    On(port, Command::kPortShow);
    AddFlow();
    AddExplain();
    AddOffload();
    CLI::App* sync = Add(app_, "sync", "Wait until everything so far has reached the hardware");
    sync->add_option("--timeout", timeout_, "Give up after this long: 5, 5s, 500ms, 2m (default 10s)")
        ->type_name("TIME");
    On(sync, Command::kSync);
    CLI::App* verify = Add(app_, "verify", "Compare everything in hardware with the kernel, now");
    verify->add_option("--timeout", verify_timeout_, "Give up after this long (default 60s)")->type_name("TIME");
    On(verify, Command::kVerify);
    CLI::App* stats = Add(app_, "stats", "Every counter that is not 0 (-d: all, and what they mean)");
    stats->add_option("-i,--interval", interval_, "Read twice, so far apart, and show how fast they move")
        ->type_name("TIME");
    On(stats, Command::kStats);
    AddGc();
    On(Add(app_, "version", "Versions of dpuflowctl and of the daemon"), Command::kVersion);
  }

  std::variant<Invocation, Goodbye> Run(std::vector<std::string> arguments) {
    // `ip route help` is what fingers type.
    if (!arguments.empty() && arguments.back() == "help") arguments.back() = "--help";
    AddVerb(arguments);
    std::reverse(arguments.begin(), arguments.end());  // CLI11 wants them so
    try {
      app_.parse(std::move(arguments));
    } catch (const CLI::CallForHelp&) {
      return Goodbye{kExitOk, app_.help()};
    } catch (const CLI::CallForVersion& version) {
      return Goodbye{kExitOk, std::string(version.what()) + "\n"};
    } catch (const CLI::ExtrasError&) {
      return Unexpected();
    } catch (const CLI::Error& error) {
      return Usage(error.what());
    }
    return Finish();
  }

 private:
  CLI::App* Add(CLI::App& parent, const std::string& name, const std::string& description) {
    CLI::App* command = parent.add_subcommand(name, description);
    command->fallthrough();  // -j may stand anywhere
    return command;
  }
  static CLI::App* Show(CLI::App* command) { return command->alias("list")->alias("ls"); }
  void On(CLI::App* command, Command kind) { commands_.push_back({command, kind}); }

  void AddGlobals() {
    app_.set_version_flag("-V,--version", "dpuflowctl " DPUFLOW_VERSION);
    app_.add_flag("-j,--json", json_, "JSON, with the field names of the API");
    app_.add_flag("-p,--pretty", pretty_, "JSON, indented");
    app_.add_flag("-s,--statistics", statistics_, "Counters of each entry");
    app_.add_flag("-d,--details", details_, "All there is, on further lines");
    app_.add_option("--socket", socket_path_,
                    "Socket of dpuflowd (default: DPUFLOW_SOCKET, or " + std::string(api::kDefaultSocketPath) + ")")
        ->type_name("PATH");
    app_.require_subcommand(0, 1);
  }

  void AddFlow() {
    CLI::App* flow = Add(app_, "flow", "Flows, in hardware and in software");
    flow->require_subcommand(0, 1);
    CLI::App* show = Show(Add(*flow, "show", "List the flows that match all filters"));
    CLI::App* get = Add(*flow, "get", "One flow, with everything about it");
    get->add_option("ID", id_, "Its id, as show prints it")->type_name("")->required();
    CLI::App* flush = Add(*flow, "flush", "Remove the flows that match from hardware; without filters: all");
    for (CLI::App* command : {flow, show, flush}) {
      for (const FilterWord& word : FilterWords()) {
        CLI::Option* option = command->add_option("--" + word.name, options_[word.name], word.help);
        option->type_name(word.value);
        filter_options_.emplace_back(word.name, option);
      }
    }
    for (CLI::App* command : {show, flush}) {
      command->add_option("FILTER", words_, "The same as words: table l3 port pf0vf3 dst 10.0.0.0/8")->type_name("");
    }
    On(show, Command::kFlowShow);
    On(get, Command::kFlowGet);
    On(flush, Command::kFlowFlush);
    On(flow, Command::kFlowShow);
  }

  // `explain 192.0.2.1 from 10.0.0.1 iif pf0vf3`, as `ip route get` has it.
  void AddExplain() {
    CLI::App* explain = Add(app_, "explain", "What becomes of a packet, and why");
    explain
        ->add_option("PACKET", packet_,
                     "DST from SRC iif PORT [ipproto P] [sport N] [dport N] [tos T] [mark M] [vlan V] [src_mac MAC] "
                     "[dst_mac MAC]")
        ->type_name("");
    On(explain, Command::kExplain);
  }

  // `offload off dev pf0vf3`, as `ip` has it.
  void AddOffload() {
    CLI::App* offload = Add(app_, "offload", "Switch offload on or off, at one port or at all");
    offload->add_option("SWITCH", switch_, "on or off")->type_name("")->required();
    offload->add_option("PORT", switched_port_, "dev PORT; without it: all ports")->type_name("")->expected(0, 2);
    On(offload, Command::kOffload);
  }

  void AddGc() {
    CLI::App* gc = Add(app_, "gc", "Remove what a dpuflowd that has ended has left in the kernel");
    gc->add_flag("--now", now_, "At once: do not wait for a daemon to take it over");
    gc->add_flag("-q,--quiet", quiet_, "Say nothing where nothing is removed");
    On(gc, Command::kGc);
  }

  // What is wrong with the words, or nothing and the parameters of the call.
  std::optional<std::string> FinishOffload(api::Json& parameters) const {
    if (switch_ != "on" && switch_ != "off") return "offload: expected on or off, found " + switch_;
    parameters["on"] = switch_ == "on";
    if (switched_port_.empty()) return std::nullopt;
    if (switched_port_.front() != "dev") return "offload: expected dev, found " + switched_port_.front();
    if (switched_port_.size() != 2 || switched_port_.back().empty()) {
      return "offload: expected the name of a port after dev";
    }
    parameters["port"] = switched_port_.back();
    return std::nullopt;
  }

  // A word or an option that is not known where it stands.
  Goodbye Unexpected() {
    CLI::App* innermost = &app_;
    std::string where = "dpuflowctl";
    while (!innermost->get_subcommands().empty()) {
      innermost = innermost->get_subcommands().front();
      where += " " + innermost->get_name();
    }
    std::string expected;
    for (const CLI::App* command : innermost->get_subcommands([](const CLI::App*) { return true; })) {
      expected += (expected.empty() ? "" : ", ") + command->get_name();
    }
    if (expected.empty()) expected = "nothing more";
    if (innermost->get_name() == "flow") expected += " or a filter";
    const std::vector<std::string> found = app_.remaining(true);
    return Usage(where + ": expected " + expected + ", found " + (found.empty() ? "something else" : found.front()));
  }

  static Goodbye Usage(const std::string& what) {
    return {kExitUsage, "dpuflowctl: " + what + "\nTry: dpuflowctl help\n"};
  }

  std::variant<Invocation, Goodbye> Finish() {
    // Verbs stand before their object in the list, so that the first one that was typed is the right one.
    const auto found =
        std::find_if(commands_.begin(), commands_.end(), [](const auto& entry) { return entry.first->parsed(); });
    if (found == commands_.end()) return Goodbye{kExitUsage, app_.help()};
    Invocation invocation;
    invocation.command = found->second;
    invocation.socket_path = socket_path_;
    invocation.now = now_;
    invocation.quiet = quiet_;
    invocation.json = json_ || pretty_;
    invocation.pretty = pretty_;
    invocation.statistics = statistics_;
    invocation.details = details_;
    if (invocation.command == Command::kFlowGet) {
      const auto id = ParseId(id_);
      if (!id) return Usage("ID: expected the number of a flow, found " + id_);
      invocation.parameters["id"] = *id;
    }
    if (invocation.command == Command::kExplain) {
      if (const auto wrong = AddPacket(invocation.parameters, packet_)) return Usage(*wrong);
    }
    if (invocation.command == Command::kOffload) {
      if (const auto wrong = FinishOffload(invocation.parameters)) return Usage(*wrong);
    }
    if (invocation.command == Command::kSync) {
      const auto timeout = ParseTime(timeout_);
      if (!timeout) return Usage("--timeout: expected 1ms to 600s, found " + timeout_);
      invocation.timeout = *timeout;
      invocation.parameters["timeout_ms"] = timeout->count();
    }
    if (invocation.command == Command::kVerify) {
      const auto timeout = ParseTime(verify_timeout_);
      if (!timeout) return Usage("--timeout: expected 1ms to 600s, found " + verify_timeout_);
      invocation.timeout = *timeout;
    }
    if (!interval_.empty()) {
      const auto interval = ParseTime(interval_);
      if (!interval) return Usage("--interval: expected 1ms to 600s, found " + interval_);
      invocation.interval = *interval;
    }
    if (auto wrong = AddFilters(invocation.parameters, GivenFilters(), words_)) return Usage(*wrong);
    return invocation;
  }

  // The options that were typed, be it with an empty value: `--port ""` must not mean every port.
  std::map<std::string, std::string> GivenFilters() const {
    std::map<std::string, std::string> given;
    for (const auto& [name, option] : filter_options_) {
      if (option->count() > 0) given[name] = options_.at(name);
    }
    return given;
  }

  CLI::App app_{"Look at dpuflowd: the flows that it has in hardware, its ports, and how it is.", "dpuflowctl"};
  std::vector<std::pair<CLI::App*, Command>> commands_;
  std::map<std::string, std::string> options_;  // values of filters, by name
  std::vector<std::string> packet_;
  std::string switch_;
  std::vector<std::string> switched_port_;
  std::vector<std::pair<std::string, CLI::Option*>> filter_options_;
  std::vector<std::string> words_;
  std::string socket_path_ = api::kDefaultSocketPath;
  bool now_ = false;
  bool quiet_ = false;
  std::string timeout_ = "10s";
  std::string verify_timeout_ = "60s";
  std::string interval_;
  std::string id_;
  bool json_ = false;
  bool pretty_ = false;
  bool statistics_ = false;
  bool details_ = false;
};

}  // namespace

std::variant<Invocation, Goodbye> ParseCommandLine(std::vector<std::string> arguments,
                                                   const std::string& default_socket) {
  return CommandLine(default_socket).Run(std::move(arguments));
}

}  // namespace dpuflow::ctl
