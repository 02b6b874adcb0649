// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/daemon/duration.h"
#include "agent/daemon/nearest.h"

namespace dpuflow {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""min;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;  // clang before 17 does not deduce aggregates

constexpr std::size_t kLongestSocketPath = 107;  // unix(7): sun_path, with its terminating zero

// A path with a NUL in it would be another one to the kernel.
bool IsPath(std::string_view text) {
  return text.size() > 1 && text.front() == '/' && text.back() != '/' && text.find('\0') == std::string_view::npos;
}
bool IsSocketPath(std::string_view text) { return IsPath(text) && text.size() <= kLongestSocketPath; }
bool IsDevlinkOrEmpty(std::string_view text) {
  const auto slash = text.find('/');
  return text.empty() ||
         (slash != 0 && slash < text.size() - 1 && text.find_first_of(" \t\n/", slash + 1) == std::string_view::npos);
}

constexpr std::array kLevels = {log::Level::kError, log::Level::kWarning, log::Level::kNotice, log::Level::kInfo,
                                log::Level::kDebug};

const std::vector<Setting>& Table() {
  static const std::vector<Setting> table = {
      {"agent", "socket", "--socket", "Unix socket of the API that dpuflowctl talks to.",
       TextKind{&Config::socket, "/run/dpuflow/dpuflowd.sock", "an absolute path of at most 107 bytes", &IsSocketPath}},
      {"agent", "orphan-timeout", "",
       "For how long entries may stand without a daemon, before dpuflowctl gc removes them.",
       DurationKind{&Config::orphan_timeout, 10s, 1s, 24h, ""}},

      {"flows", "idle-time", "--idle-time",
       "A flow whose hardware counter stands still for this long leaves the hardware.",
       DurationKind{&Config::idle_time, 30s, 3s, 24h, "drivers sample counters once a second"}},
      {"flows", "poll-period", "", "How often the hardware's counters are read.",
       DurationKind{&Config::poll_period, 1s, 100ms, 1min, ""}},
      {"flows", "max-entries", "--max-entries",
       "Most entries in hardware, all tables of all ports together; what is beyond stays in "
       "software.",
       CountKind{&Config::max_entries, 65536, 1, 16777216, false}},
      {"flows", "oversize", "",
       "A flow whose egress MTU is under its ingress MTU stays in software, or is trusted not to "
       "send what does not fit.",
       ChoiceKind{{"software", "trust"},
                  "software",
                  [](Config& config, std::size_t index) {
                    config.oversize = index == 0 ? Oversize::kSoftware : Oversize::kTrust;
                  }}},
      {"flows", "netfilter", "",
       "Flows that netfilter rules, XFRM policies or shaping queues concern stay in the kernel's "
       "stack, or these are passed by.",
       ChoiceKind{{"respect", "ignore"},
                  "respect",
                  [](Config& config, std::size_t index) { config.respect_netfilter = index == 0; }}},
      {"flows", "keep-alive", "--keep-alive",
       "The kernel is told of neighbours that hardware or the classifier sends to, and of nexthop buckets that "
       "hardware uses; false: those that nothing else uses expire, or move.",
       FlagKind{&Config::keep_alive, true}},

      {"switch", "devlink", "--devlink", "The switch to serve; empty: the only one there is.",
       TextKind{&Config::devlink, "", "a devlink handle such as \"pci/0000:03:00.0\", or \"\"", &IsDevlinkOrEmpty}},
      {"switch", "ingress-mtu", "",
       "Largest packet, in bytes, that a port may send; 0: the larger of representor and uplink "
       "MTU.",
       CountKind{&Config::ingress_mtu, 0, 68, 65535, true}},

      {"classifier", "forward", "", "The classifier forwards data itself; false: the kernel's stack forwards it.",
       FlagKind{&Config::classifier_forward, true}},

      {"programming", "threads", "", "Threads that program the hardware.",
       CountKind{&Config::programming_threads, 2, 1, 8, false}},
      {"programming", "batch", "", "Most operations in one message to the kernel.",
       CountKind{&Config::programming_batch, 64, 1, 512, false}},

      {"audit", "enabled", "--audit", "Everything in hardware is compared with the kernel, round after round.",
       FlagKind{&Config::audit, true}},
      {"audit", "period", "", "How long one round of the audit takes.",
       DurationKind{&Config::audit_period, 1min, 1s, 24h, ""}},
      {"audit", "cpu-limit", "", "Percent of one processor that the audit may take; rounds get longer instead.",
       CountKind{&Config::audit_cpu_percent, 2, 1, 100, false}},

      {"log", "level", "--log-level", "The least important messages that are logged.",
       ChoiceKind{{"error", "warning", "notice", "info", "debug"},
                  "info",
                  [](Config& config, std::size_t index) { config.log_level = kLevels[index]; }}},
  };
  return table;
}

std::string Quoted(std::string_view text) {
  constexpr std::size_t kShown = 80;
  return fmt::format("\"{}{}\"", text.substr(0, kShown), text.size() > kShown ? "..." : "");
}

std::string Shown(const FoundValue& value) {
  return std::visit(Overloaded{[](const std::string& text) { return Quoted(text); },
                               [](std::int64_t number) { return fmt::format("{}", number); },
                               [](bool flag) { return fmt::format("{}", flag); },
                               [](const FoundOther& other) { return std::string(other.type); }},
                    value);
}

// Puts the value in place if it fits the kind; says whether it did.
struct Fits {
  const FoundValue& value;
  Config& config;

  bool operator()(const TextKind& kind) const {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || !kind.accepts(*text)) return false;
    config.*kind.member = *text;
    return true;
  }
  bool operator()(const DurationKind& kind) const {
    const auto* text = std::get_if<std::string>(&value);
    const auto duration = text != nullptr ? ParseDuration(*text) : std::nullopt;
    if (!duration || *duration < kind.least || *duration > kind.most) return false;
    config.*kind.member = *duration;
    return true;
  }
  bool operator()(const CountKind& kind) const {
    const auto* number = std::get_if<std::int64_t>(&value);
    if (number == nullptr || *number > kind.most) return false;
    if (*number < kind.least && !(kind.zero_too && *number == 0)) return false;
    config.*kind.member = static_cast<std::uint32_t>(*number);
    return true;
  }
  bool operator()(const FlagKind& kind) const {
    const auto* flag = std::get_if<bool>(&value);
    if (flag == nullptr) return false;
    config.*kind.member = *flag;
    return true;
  }
  bool operator()(const ChoiceKind& kind) const {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return false;
    const auto it = std::find(kind.names.begin(), kind.names.end(), *text);
    if (it == kind.names.end()) return false;
    kind.set(config, static_cast<std::size_t>(it - kind.names.begin()));
    return true;
  }
};

std::string Suggestion(const Setting& setting, const FoundValue& value) {
  const auto* choice = std::get_if<ChoiceKind>(&setting.kind);
  const auto* text = std::get_if<std::string>(&value);
  if (choice == nullptr || text == nullptr) return {};
  const auto nearest = Nearest(*text, choice->names);
  return nearest ? fmt::format("; did you mean {}?", Quoted(*nearest)) : std::string();
}

}  // namespace

std::span<const Setting> Settings() { return Table(); }

std::string FullName(const Setting& setting) { return fmt::format("{}.{}", setting.table, setting.key); }

std::string DefaultText(const Setting& setting) {
  return std::visit(Overloaded{[](const TextKind& kind) { return Quoted(kind.fallback); },
                               [](const DurationKind& kind) { return Quoted(FormatDuration(kind.fallback)); },
                               [](const CountKind& kind) { return fmt::format("{}", kind.fallback); },
                               [](const FlagKind& kind) { return fmt::format("{}", kind.fallback); },
                               [](const ChoiceKind& kind) { return Quoted(kind.fallback); }},
                    setting.kind);
}

std::string Expected(const Setting& setting) {
  return std::visit(
      Overloaded{[](const TextKind& kind) { return std::string(kind.expected); },
                 [](const DurationKind& kind) {
                   return fmt::format("a duration from {} to {}, such as \"{}\"{}", FormatDuration(kind.least),
                                      FormatDuration(kind.most), FormatDuration(kind.fallback),
                                      kind.why_least.empty() ? "" : fmt::format(" ({})", kind.why_least));
                 },
                 [](const CountKind& kind) {
                   return fmt::format("{}a whole number from {} to {}", kind.zero_too ? "0 or " : "", kind.least,
                                      kind.most);
                 },
                 [](const FlagKind&) { return std::string("true or false"); },
                 [](const ChoiceKind& kind) { return fmt::format("one of \"{}\"", fmt::join(kind.names, "\", \"")); }},
      setting.kind);
}

std::optional<std::string> Assign(const Setting& setting, const FoundValue& value, Config& config) {
  if (std::visit(Fits{value, config}, setting.kind)) return std::nullopt;
  return fmt::format("expected {}, found {}{}", Expected(setting), Shown(value), Suggestion(setting, value));
}

FoundValue ValueFromText(const Setting& setting, const std::string& text) {
  if (std::holds_alternative<FlagKind>(setting.kind)) {
    if (text == "true") return true;
    if (text == "false") return false;
  }
  if (std::holds_alternative<CountKind>(setting.kind)) {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc{} && stopped == end) return number;
  }
  return text;
}

}  // namespace dpuflow
