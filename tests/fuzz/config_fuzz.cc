// SPDX-License-Identifier: Apache-2.0
//
// A configuration file. One that is accepted is written out, every setting of it, and read again as the same
// configuration; one that is not has its problems named.
#include "agent/daemon/config.h"

#include <fmt/format.h>

#include "agent/daemon/duration.h"
#include "agent/daemon/settings.h"
#include "fuzz.h"

namespace dpuflow {
namespace {

using fuzz::Require;

// A TOML string, every byte that means something in one escaped.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x20 && byte != 0x7f && c != '"' && c != '\\';
    quoted += plain ? std::string(1, c) : fmt::format("\\u{:04x}", byte);
  }
  return quoted + '"';
}

// A setting's value in `config` as TOML.
struct Written {
  const Config& config;

  std::string operator()(const TextKind& kind) const { return Quoted(config.*kind.member); }
  std::string operator()(const DurationKind& kind) const { return Quoted(FormatDuration(config.*kind.member)); }
  std::string operator()(const CountKind& kind) const { return fmt::format("{}", config.*kind.member); }
  std::string operator()(const FlagKind& kind) const { return fmt::format("{}", config.*kind.member); }
  std::string operator()(const ChoiceKind& kind) const {
    for (std::size_t i = 0; i < kind.names.size(); ++i) {
      Config chosen = config;
      kind.set(chosen, i);
      if (chosen == config) return Quoted(kind.names[i]);
    }
    return "none of them";
  }
};

void CheckAccepted(const Config& config) {
  std::string text;
  for (const Setting& setting : Settings()) {
    text += fmt::format("{} = {}\n", FullName(setting), std::visit(Written{config}, setting.kind));
  }
  Require(ParseConfig(text, "again") == config, "a configuration is read as it is written");
  Require(config.poll_period <= config.idle_time, "counters are read within the idle time");
  Require(config.socket.find('\0') == std::string::npos, "a path is what the kernel will read of it");
}

void Check(std::string_view text) {
  const ConfigResult config = ParseConfig(text, "file");
  if (config) return CheckAccepted(*config);
  Require(!config.error().empty(), "a refusal has a problem");
  for (const ConfigProblem& problem : config.error()) {
    Require(problem.where.starts_with("file:") && !problem.what.empty(), "a problem has its place and its words");
  }
}

}  // namespace
}  // namespace dpuflow

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dpuflow::Check(dpuflow::fuzz::Text(data, size));
  return 0;
}
