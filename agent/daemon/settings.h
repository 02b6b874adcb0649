// SPDX-License-Identifier: Apache-2.0
//
// Every setting of the daemon, with its unit, default, range and help, in one table. The parser, the flags, --help and
// the tests of the default file and of dpuflowd.toml(5) all read it; a new setting is a member of Config and a row
// here.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/daemon/config.h"

namespace dpuflow {

// The kinds of value, each with where it goes and what it accepts.
struct TextKind {
  std::string Config::*member;
  std::string_view fallback;  // the default
  std::string_view expected;  // "an absolute path"
  bool (*accepts)(std::string_view);
};
struct DurationKind {
  std::chrono::milliseconds Config::*member;
  std::chrono::milliseconds fallback;
  std::chrono::milliseconds least;
  std::chrono::milliseconds most;
  std::string_view why_least;  // the reason for the lower limit; may be empty
};
struct CountKind {
  std::uint32_t Config::*member;
  std::uint32_t fallback;
  std::uint32_t least;
  std::uint32_t most;
  bool zero_too;  // 0 is accepted although it is under `least`: it means "choose for me"
};
struct FlagKind {
  bool Config::*member;
  bool fallback;
};
struct ChoiceKind {
  std::vector<std::string_view> names;
  std::string_view fallback;
  void (*set)(Config& config, std::size_t index);  // index into names
};

struct Setting {
  std::string_view table;  // "flows"
  std::string_view key;    // "idle-time"
  std::string_view flag;   // "--idle-time"; empty when there is none
  std::string_view help;   // one sentence
  std::variant<TextKind, DurationKind, CountKind, FlagKind, ChoiceKind> kind;
};

// All of them, by table, in the order of the default file.
[[nodiscard]] std::span<const Setting> Settings();

// "flows.idle-time"
std::string FullName(const Setting& setting);

// The default as TOML has it: "\"30s\"", "65536", "true".
std::string DefaultText(const Setting& setting);

// What is accepted, in words: "a duration from 3s to 24h, such as \"30s\" (drivers sample counters once a second)".
std::string Expected(const Setting& setting);

// A value as it was found, before anyone knows whether it fits.
struct FoundOther {
  std::string_view type;  // "an array", "a table", "a date"
};
using FoundValue = std::variant<std::string, std::int64_t, bool, FoundOther>;

// Puts the value where the setting wants it. If it does not fit, the config stays as it was, and the answer says what
// was expected and what was found.
[[nodiscard]] std::optional<std::string> Assign(const Setting& setting, const FoundValue& value, Config& config);

// A flag's text as the value that the setting's kind wants, where the text can be read as that.
FoundValue ValueFromText(const Setting& setting, const std::string& text);

}  // namespace dpuflow
