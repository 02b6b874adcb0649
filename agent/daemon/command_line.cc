// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/command_line.h"

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <string_view>

#include "agent/daemon/nearest.h"
#include "agent/daemon/settings.h"

namespace dpuflow {
namespace {

struct OwnFlag {
  std::string_view names;  // as CLI11 takes them
  std::string_view shown;  // as --help shows them
  std::string_view help;
};
constexpr OwnFlag kConfig = {"-c,--config", "-c, --config FILE", "Read FILE instead of the default."};
constexpr OwnFlag kCheck = {"--check", "    --check", "Check the configuration, say what is wrong with it, and exit."};
constexpr OwnFlag kFindSwitch = {"--find-switch", "    --find-switch",
                                 "Say which switch there is to serve, and exit; with 1 if there is none."};
constexpr OwnFlag kVersion = {"-V,--version", "-V, --version", "Show the version and exit."};
constexpr OwnFlag kHelp = {"-h,--help", "-h, --help", "Show this and exit."};

std::string_view ValueName(const Setting& setting) {
  constexpr std::array<std::string_view, std::variant_size_v<decltype(Setting::kind)>> kNames = {
      "TEXT", "DURATION", "NUMBER", "BOOL", "WORD"};
  return kNames[setting.kind.index()];
}

std::string HelpText() {
  std::string text =
      "Usage: dpuflowd [OPTION]...\n"
      "Programs a DPU's hardware with the flows that the kernel's routes forward; see dpuflowd(8).\n"
      "\n";
  const auto row = [&](std::string_view shown, std::string_view help) {
    text += fmt::format("  {}\n        {}\n", shown, help);
  };
  for (const OwnFlag& flag : {kConfig, kCheck, kFindSwitch, kVersion, kHelp}) row(flag.shown, flag.help);
  text += fmt::format("\nFlags that win over the settings of {}:\n", kDefaultConfigFile);
  for (const Setting& setting : Settings()) {
    if (setting.flag.empty()) continue;
    row(fmt::format("    {} {}", setting.flag, ValueName(setting)),
        fmt::format("{}\n        {}: {}, default {}", setting.help, FullName(setting), Expected(setting),
                    DefaultText(setting)));
  }
  return text;
}

std::string Unexpected(const std::string& word) {
  std::string sentence = fmt::format("\"{}\" is not an option of dpuflowd", word);
  std::vector<std::string_view> known = {"--config", "--check", "--find-switch", "--version", "--help"};
  for (const Setting& setting : Settings()) {
    if (!setting.flag.empty()) known.push_back(setting.flag);
  }
  const auto name = std::string_view(word).substr(0, word.find('='));
  if (const auto nearest = Nearest(name, known)) {
    return fmt::format("{}; did you mean {}?", sentence, *nearest);
  }
  return sentence + "; dpuflowd --help lists them";
}

// May throw what CLI11 throws.
Result<Options> Parse(int argc, const char* const* argv) {
  Options options;
  CLI::App app;
  app.set_help_flag();  // ours is in the same form as the settings' help
  app.allow_extras();   // so that Unexpected can suggest
  auto* config = app.add_option(std::string(kConfig.names), options.config_file);
  config->take_last();
  bool check = false;
  bool find_switch = false;
  bool version = false;
  bool help = false;
  app.add_flag(std::string(kCheck.names), check);
  app.add_flag(std::string(kFindSwitch.names), find_switch);
  app.add_flag(std::string(kVersion.names), version);
  app.add_flag(std::string(kHelp.names), help);

  const auto settings = Settings();
  std::vector<std::string> texts(settings.size());
  std::vector<CLI::Option*> given(settings.size());
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (settings[i].flag.empty()) continue;
    given[i] = app.add_option(std::string(settings[i].flag), texts[i])->take_last();
  }

  app.parse(argc, argv);
  if (const auto extras = app.remaining(); !extras.empty()) {
    return MakeError(EINVAL, "understand the command line", Unexpected(extras.front()));
  }
  options.config_file_given = config->count() > 0;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    if (given[i] != nullptr && given[i]->count() > 0) options.flags.push_back({i, texts[i]});
  }
  if (find_switch) options.action = Options::Action::kFindSwitch;
  if (check) options.action = Options::Action::kCheck;
  if (help || version) {
    options.action = Options::Action::kPrint;
    options.text = help ? HelpText() : "dpuflowd " DPUFLOW_VERSION "\n";
  }
  return options;
}

}  // namespace

Result<Options> ParseCommandLine(int argc, const char* const* argv) {
  try {
    return Parse(argc, argv);
  } catch (const CLI::Error& error) {
    return MakeError(EINVAL, "understand the command line", error.what());
  }
}

ConfigResult LoadConfig(const Options& options) {
  return LoadConfig(options.config_file, options.config_file_given, options.flags);
}

}  // namespace dpuflow
