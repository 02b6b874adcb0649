// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/command_line.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "agent/daemon/settings.h"
#include "tests/unit/daemon/temporary_directory.h"

namespace dpuflow {
namespace {

Result<Options> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "dpuflowd");
  return ParseCommandLine(static_cast<int>(words.size()), words.data());
}

std::string Refusal(std::vector<const char*> words) {
  const auto options = Parse(std::move(words));
  if (options) return "taken";
  EXPECT_EQ(options.error().code, EINVAL);
  return options.error().extack;
}

TEST(CommandLine, WithoutFlagsTheDefaultFileIsReadAndTheDaemonRuns) {
  const auto options = Parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->action, Options::Action::kRun);
  EXPECT_EQ(options->config_file, kDefaultConfigFile);
  EXPECT_FALSE(options->config_file_given);
  EXPECT_TRUE(options->flags.empty());
}

TEST(CommandLine, FlagsBecomeSettings) {
  const auto options = Parse({"-c", "/x.toml", "--check", "--idle-time", "9s", "--log-level=debug"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->action, Options::Action::kCheck);
  EXPECT_EQ(options->config_file, "/x.toml");
  EXPECT_TRUE(options->config_file_given);
  ASSERT_EQ(options->flags.size(), 2u);
  EXPECT_EQ(FullName(Settings()[options->flags[0].setting]), "flows.idle-time");
  EXPECT_EQ(options->flags[0].text, "9s");
  EXPECT_EQ(FullName(Settings()[options->flags[1].setting]), "log.level");
}

TEST(CommandLine, ASwitchIsLookedFor) { EXPECT_EQ(Parse({"--find-switch"})->action, Options::Action::kFindSwitch); }

TEST(CommandLine, TheLastOfAFlagGivenTwiceWins) {
  const auto options = Parse({"--idle-time", "9s", "--idle-time", "10s"});
  ASSERT_TRUE(options) << options.error().extack;
  ASSERT_EQ(options->flags.size(), 1u);
  EXPECT_EQ(options->flags[0].text, "10s");
}

TEST(CommandLine, HelpShowsEveryFlagWithItsSettingAndDefault) {
  const auto options = Parse({"--help"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->action, Options::Action::kPrint);
  for (const Setting& setting : Settings()) {
    if (setting.flag.empty()) continue;
    EXPECT_NE(options->text.find(fmt::format("    {} ", setting.flag)), std::string::npos) << setting.flag;
    EXPECT_NE(options->text.find(fmt::format("{}: {}", FullName(setting), Expected(setting))), std::string::npos);
  }
}

TEST(CommandLine, VersionIsOneLine) {
  for (const char* flag : {"-V", "--version"}) {
    const auto options = Parse({flag});
    ASSERT_TRUE(options);
    EXPECT_EQ(options->action, Options::Action::kPrint);
    EXPECT_EQ(options->text, "dpuflowd " DPUFLOW_VERSION "\n");
  }
}

TEST(CommandLine, WhatIsUnknownIsRefusedWithASuggestion) {
  EXPECT_EQ(Refusal({"--idle-tme", "9s"}), "\"--idle-tme\" is not an option of dpuflowd; did you mean --idle-time?");
  EXPECT_EQ(Refusal({"--idletime=9s"}), "\"--idletime=9s\" is not an option of dpuflowd; did you mean --idle-time?");
  EXPECT_EQ(Refusal({"start"}), "\"start\" is not an option of dpuflowd; dpuflowd --help lists them");
}

TEST(CommandLine, AMissingValueIsRefused) {
  EXPECT_EQ(Refusal({"--idle-time"}), "--idle-time: 1 required TEXT missing");
}

TEST(CommandLine, WrongFlagsAndAWrongFileAreShownTogether) {
  const TemporaryDirectory directory;
  const std::string file = directory.Write("c.toml", "[flows]\nidle-time = 5\n");
  const auto options = Parse({"--config", file.c_str(), "--max-entries", "many"});
  ASSERT_TRUE(options);
  const auto config = LoadConfig(*options);
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 2u);
  EXPECT_EQ(config.error()[0].where, file + ":2");
  EXPECT_EQ(ToString(config.error()[1]), "--max-entries: expected a whole number from 1 to 16777216, found \"many\"");
}

TEST(CommandLine, AFlagWinsOverTheFile) {
  const TemporaryDirectory directory;
  const std::string file = directory.Write("c.toml", "[flows]\nidle-time = \"5s\"\nmax-entries = 9\n");
  const auto options = Parse({"--config", file.c_str(), "--idle-time", "7s"});
  ASSERT_TRUE(options);
  const auto config = LoadConfig(*options);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->idle_time, std::chrono::seconds(7));
  EXPECT_EQ(config->max_entries, 9u);
}

}  // namespace
}  // namespace dpuflow
