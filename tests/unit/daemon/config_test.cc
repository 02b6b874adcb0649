// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/config.h"

#include <gtest/gtest.h>

#include "agent/daemon/settings.h"
#include "tests/unit/daemon/temporary_directory.h"

namespace dpuflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What is wrong with a document, as it would be shown.
std::vector<std::string> Problems(std::string_view text, const std::vector<FlagValue>& flags = {}) {
  std::vector<std::string> shown;
  const auto config = ParseConfig(text, "f.toml", flags);
  if (config) return shown;
  for (const ConfigProblem& problem : config.error()) shown.push_back(ToString(problem));
  return shown;
}

FlagValue Flag(std::string_view flag, std::string text) {
  for (std::size_t i = 0; i < Settings().size(); ++i) {
    if (Settings()[i].flag == flag) return {i, std::move(text)};
  }
  ADD_FAILURE() << "no such flag: " << flag;
  return {};
}

TEST(Config, AnEmptyDocumentMeansDefaults) {
  const auto config = ParseConfig("", "f.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(*config, DefaultConfig());
  EXPECT_EQ(config->socket, "/run/dpuflow/dpuflowd.sock");
  EXPECT_EQ(config->idle_time, seconds(30));
  EXPECT_EQ(config->poll_period, seconds(1));
  EXPECT_EQ(config->orphan_timeout, seconds(10));
  EXPECT_EQ(config->max_entries, 65536u);
  EXPECT_EQ(config->oversize, Oversize::kSoftware);
  EXPECT_TRUE(config->respect_netfilter);
  EXPECT_TRUE(config->keep_alive);
  EXPECT_EQ(config->devlink, "");
  EXPECT_EQ(config->ingress_mtu, 0u);
  EXPECT_TRUE(config->classifier_forward);
  EXPECT_EQ(config->programming_threads, 2u);
  EXPECT_EQ(config->programming_batch, 64u);
  EXPECT_EQ(config->log_level, log::Level::kInfo);
}

TEST(Config, EverySettingCanBeSet) {
  const auto config = ParseConfig(R"(
      [agent]
      socket = "/tmp/s"
      orphan-timeout = "20s"
      [flows]
      idle-time = "3s"
      poll-period = "500ms"
      max-entries = 1
      oversize = "trust"
      netfilter = "ignore"
      keep-alive = false
      [switch]
      devlink = "pci/0000:03:00.0"
      ingress-mtu = 9000
      [sources]
      pf0vf3 = ["10.1.3.2"]
      [classifier]
      forward = false
      [programming]
      threads = 8
      batch = 512
      [audit]
      enabled = false
      period = "10s"
      cpu-limit = 5
      [log]
      level = "debug")",
                                  "f.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(*config, (Config{.socket = "/tmp/s",
                             .orphan_timeout = seconds(20),
                             .idle_time = seconds(3),
                             .poll_period = milliseconds(500),
                             .max_entries = 1,
                             .oversize = Oversize::kTrust,
                             .respect_netfilter = false,
                             .keep_alive = false,
                             .devlink = "pci/0000:03:00.0",
                             .ingress_mtu = 9000,
                             .sources = {{"pf0vf3", {*IpPrefix::Parse("10.1.3.2")}}},
                             .classifier_forward = false,
                             .programming_threads = 8,
                             .programming_batch = 512,
                             .audit = false,
                             .audit_period = std::chrono::seconds(10),
                             .audit_cpu_percent = 5,
                             .log_level = log::Level::kDebug}));
}

TEST(Config, SourcesAreListedByPort) {
  const auto config = ParseConfig(R"(
      [sources]
      pf0vf3 = ["10.1.3.2", "2001:db8:3::/64"]
      pf0vf4 = [])",
                                  "f.toml");
  ASSERT_TRUE(config);
  EXPECT_EQ(
      config->sources,
      (SourceLists{{"pf0vf3", {*IpPrefix::Parse("10.1.3.2"), *IpPrefix::Parse("2001:db8:3::/64")}}, {"pf0vf4", {}}}));
}

TEST(Config, SourcesThatAreNoneSayWhatWasExpected) {
  const std::string expected =
      "expected a list of addresses and prefixes, such as [\"10.1.3.2\", \"2001:db8:3::/64\"], found ";
  EXPECT_EQ(Problems("[sources]\na = \"10.1.3.2\""),
            std::vector{"f.toml:2: sources.a: " + expected + "a value that is no list"});
  EXPECT_EQ(Problems("[sources]\na = [\"10.1.3.2\", \"10.1.3.2/24\"]\nb = [7]"),
            (std::vector{"f.toml:2: sources.a: " + expected + "\"10.1.3.2/24\" in it",
                         "f.toml:3: sources.b: " + expected + "something else in it"}));
  EXPECT_EQ(Problems("sources = 1"),
            std::vector<std::string>{"f.toml:1: sources: expected a table, [sources], found a value"});
}

TEST(Config, DottedKeysAndInlineTablesAreTheSame) {
  for (const char* text : {"flows.idle-time = \"5s\"", "flows = { idle-time = \"5s\" }"}) {
    const auto config = ParseConfig(text, "f.toml");
    ASSERT_TRUE(config) << text;
    EXPECT_EQ(config->idle_time, seconds(5));
  }
}

struct Bad {
  const char* text;
  const char* message;
};

const Bad kBad[] = {
    Bad{"[flows]\n\nidle-time = \"2s\"",
        "f.toml:3: flows.idle-time: expected a duration from 3s to 24h, such as \"30s\" (drivers sample counters "
        "once a second), found \"2s\""},
    Bad{"[flows]\nidle-time = 30",
        "f.toml:2: flows.idle-time: expected a duration from 3s to 24h, such as \"30s\" (drivers sample counters "
        "once a second), found 30"},
    Bad{"[flows]\npoll-period = \"often\"",
        "f.toml:2: flows.poll-period: expected a duration from 100ms to 1m, such as \"1s\", found \"often\""},
    Bad{"[flows]\nidle-tme = \"30s\"",
        "f.toml:2: unknown key \"idle-tme\" in [flows]: expected idle-time, poll-period, max-entries, oversize, "
        "netfilter, keep-alive; "
        "did you mean \"idle-time\"?"},
    Bad{"[flows]\ncolour = 1",
        "f.toml:2: unknown key \"colour\" in [flows]: expected idle-time, poll-period, max-entries, oversize, "
        "netfilter, keep-alive"},
    Bad{"[agent]\nidle-time = \"30s\"", "f.toml:2: \"idle-time\" belongs in [flows], found in [agent]"},
    Bad{"idle-time = \"30s\"", "f.toml:1: \"idle-time\" belongs in [flows]"},
    Bad{"\n[flow]\nidle-time = \"30s\"",
        "f.toml:2: unknown table [flow]: expected one of [agent], [flows], [switch], [classifier], [programming], "
        "[audit], [log], [sources]; did you mean \"flows\"?"},
    Bad{"flows = 3", "f.toml:1: flows: expected a table, [flows], found a value"},
    Bad{"[[flows]]\n", "f.toml:1: flows: expected a table, [flows], found a value"},
    Bad{"[flows]\nmax-entries = 0", "f.toml:2: flows.max-entries: expected a whole number from 1 to 16777216, found 0"},
    Bad{"[flows]\nmax-entries = -1",
        "f.toml:2: flows.max-entries: expected a whole number from 1 to 16777216, found -1"},
    Bad{"[flows]\nmax-entries = 4294967297",
        "f.toml:2: flows.max-entries: expected a whole number from 1 to 16777216, found 4294967297"},
    Bad{"[flows]\nmax-entries = 1.5",
        "f.toml:2: flows.max-entries: expected a whole number from 1 to 16777216, found a number with a fraction"},
    Bad{"[flows]\noversize = \"trusty\"",
        "f.toml:2: flows.oversize: expected one of \"software\", \"trust\", found \"trusty\"; did you mean "
        "\"trust\"?"},
    Bad{"[switch]\ningress-mtu = 67",
        "f.toml:2: switch.ingress-mtu: expected 0 or a whole number from 68 to 65535, found 67"},
    Bad{"[switch]\ndevlink = \"0000:03:00.0\"",
        "f.toml:2: switch.devlink: expected a devlink handle such as \"pci/0000:03:00.0\", or \"\", found "
        "\"0000:03:00.0\""},
    Bad{"[classifier]\nforward = \"yes\"", "f.toml:2: classifier.forward: expected true or false, found \"yes\""},
    Bad{"[programming]\nthreads = 9", "f.toml:2: programming.threads: expected a whole number from 1 to 8, found 9"},
    Bad{"[programming]\nbatch = [1]",
        "f.toml:2: programming.batch: expected a whole number from 1 to 512, found an array"},
    Bad{"[log]\nlevel = \"inof\"",
        "f.toml:2: log.level: expected one of \"error\", \"warning\", \"notice\", \"info\", \"debug\", found "
        "\"inof\"; did you mean \"info\"?"},
    Bad{"[log]\nlevel = 1979-05-27",
        "f.toml:2: log.level: expected one of \"error\", \"warning\", \"notice\", \"info\", \"debug\", found a "
        "date "
        "or time"},
    Bad{"[agent]\nsocket = \"dpuflowd.sock\"",
        "f.toml:2: agent.socket: expected an absolute path of at most 107 bytes, found \"dpuflowd.sock\""},
    Bad{"[agent]\n\nsocket = \"/run/dpuflow/dpuflowd.lock\"",
        "f.toml:3: agent.socket: expected another file than that of the lock, found \"/run/dpuflow/dpuflowd.lock\""},
    Bad{"[flows]\npoll-period = \"40s\"",
        "f.toml:2: flows.poll-period: expected at most flows.idle-time, which is \"30s\", found \"40s\""},
};

TEST(Config, WhatIsWrongSaysWhereAndWhatWasExpected) {
  for (const Bad& bad : kBad) EXPECT_EQ(Problems(bad.text), (std::vector<std::string>{bad.message})) << bad.text;
}

TEST(Config, WhatIsNotTomlIsOneProblemWithItsLine) {
  const auto problems = Problems("[flows]\nidle-time = \"30s\nmax-entries = 1\n");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(problems.front().starts_with("f.toml:2: not TOML: ")) << problems.front();
  EXPECT_EQ(problems.front().find('\n'), std::string::npos);
}

TEST(Config, AKeyGivenTwiceIsRefused) {
  const auto problems = Problems("[log]\nlevel = \"info\"\nlevel = \"debug\"\n");
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_TRUE(problems.front().starts_with("f.toml:3: not TOML: ")) << problems.front();
}

TEST(Config, AllProblemsAreShownInTheOrderOfTheFile) {
  const auto problems = Problems("[programming]\nthreads = 0\nbatch = 0\n[agnt]\n[flows]\nidle-time = \"1s\"\n",
                                 {Flag("--log-level", "loud")});
  ASSERT_EQ(problems.size(), 5u);
  EXPECT_TRUE(problems[0].starts_with("f.toml:2: programming.threads"));
  EXPECT_TRUE(problems[1].starts_with("f.toml:3: programming.batch"));
  EXPECT_TRUE(problems[2].starts_with("f.toml:4: unknown table [agnt]"));
  EXPECT_TRUE(problems[3].starts_with("f.toml:6: flows.idle-time"));
  EXPECT_TRUE(problems[4].starts_with("--log-level: expected one of"));
}

TEST(Config, ARuleBetweenTwoSettingsNamesTheFlagThatBreaksIt) {
  EXPECT_EQ(Problems("[flows]\npoll-period = \"20s\"", {Flag("--idle-time", "10s")}),
            (std::vector<std::string>{
                "f.toml:2: flows.poll-period: expected at most flows.idle-time, which is \"10s\", found \"20s\""}));
  EXPECT_EQ(Problems("", {Flag("--socket", "/run/dpuflow/dpuflowd.lock")}),
            (std::vector<std::string>{"--socket: agent.socket: expected another file than that of the lock, found "
                                      "\"/run/dpuflow/dpuflowd.lock\""}));
}

TEST(Config, AMissingDefaultFileMeansDefaults) {
  const TemporaryDirectory directory;
  const auto config = LoadConfig(directory.File("none.toml"), false);
  ASSERT_TRUE(config);
  EXPECT_EQ(*config, DefaultConfig());
}

TEST(Config, AMissingFileThatWasNamedIsAProblem) {
  const TemporaryDirectory directory;
  const auto config = LoadConfig(directory.File("none.toml"), true);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error(),
            (std::vector<ConfigProblem>{{directory.File("none.toml"), "cannot be read: No such file or directory"}}));
}

TEST(Config, WrongFlagsAreShownEvenIfTheFileIsMissing) {
  const TemporaryDirectory directory;
  const auto config = LoadConfig(directory.File("none.toml"), true, {Flag("--log-level", "loud")});
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 2u);
  EXPECT_EQ(config.error()[0].where, directory.File("none.toml"));
  EXPECT_EQ(config.error()[1].where, "--log-level");
}

TEST(Config, AFileThatCannotBeReadIsAProblemEvenByDefault) {
  const TemporaryDirectory directory;
  const auto config = LoadConfig(directory.File(""), false);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().front().what, "cannot be read: Is a directory");
}

}  // namespace
}  // namespace dpuflow
