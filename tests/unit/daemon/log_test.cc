// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/log.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "netlink/error.h"

namespace dpuflow::log {
namespace {

// The level is the process's; each test leaves it as it was.
class Log : public ::testing::Test {
 protected:
  void SetUp() override { SetLevel(Level::kInfo); }
  void TearDown() override { SetLevel(Level::kInfo); }
};

TEST_F(Log, LevelsHaveNames) {
  for (const Level level : {Level::kError, Level::kWarning, Level::kNotice, Level::kInfo, Level::kDebug}) {
    EXPECT_EQ(LevelFromName(Name(level)), level);
  }
  EXPECT_EQ(LevelFromName("verbose"), std::nullopt);
}

TEST_F(Log, ALineSaysWhoAndHowBad) {
  EXPECT_EQ(FormatLine(Level::kWarning, "port pf0vf3 is gone"), "dpuflowd: warning: port pf0vf3 is gone\n");
  EXPECT_EQ(FormatLine(Level::kInfo, ""), "dpuflowd: info: \n");
}

TEST_F(Log, ControlCharactersCannotForgeALine) {
  EXPECT_EQ(FormatLine(Level::kInfo, "a\ndpuflowd: error: b"), "dpuflowd: info: a\\ndpuflowd: error: b\n");
  EXPECT_EQ(FormatLine(Level::kInfo, "\x1b[2J\x7f"), "dpuflowd: info: \\x1b[2J\\x7f\n");
  EXPECT_EQ(FormatLine(Level::kInfo, "a\tb ü"), "dpuflowd: info: a\tb ü\n");
}

TEST_F(Log, JournalEntriesCarryTheFields) {
  EXPECT_EQ(JournalEntries(Level::kError, "no\nroom", {{"PORT", "pf0vf3"}, {"ERRNO", 28}}),
            (std::vector<std::string>{"PRIORITY=3", "MESSAGE=no\\nroom", "SYSLOG_IDENTIFIER=dpuflowd",
                                      "DPUFLOW_PORT=pf0vf3", "DPUFLOW_ERRNO=28"}));
}

TEST_F(Log, JournalStreamNamesDeviceAndInode) {
  EXPECT_TRUE(IsJournalStream("8:12345", 8, 12345));
  EXPECT_FALSE(IsJournalStream("8:12345", 8, 12346));
  EXPECT_FALSE(IsJournalStream("8:123456", 8, 12345));
  EXPECT_FALSE(IsJournalStream("", 8, 12345));
  EXPECT_FALSE(IsJournalStream(nullptr, 8, 12345));
}

TEST_F(Log, OnlyImportantEnoughMessagesAreWritten) {
  testing::internal::CaptureStderr();
  Info("seen {}", 1);
  Debug("not seen");
  SetLevel(Level::kDebug);
  Debug("seen {}", 2);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "dpuflowd: info: seen 1\ndpuflowd: debug: seen 2\n");
}

TEST_F(Log, FieldsMayPrecedeTheText) {
  const dpuflow::Error error{ENOSPC, "add filter", "table full"};
  testing::internal::CaptureStderr();
  Warning({{"PORT", "pf0vf3"}, {"ERRNO", error.code}}, "{}", error);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "dpuflowd: warning: cannot add filter: No space left on device (ENOSPC): table full\n");
}

TEST_F(Log, RepeatedMessagesAreSuppressedAndCounted) {
  testing::internal::CaptureStderr();
  for (int i = 0; i < 8; ++i) Limited("log-test", Level::kInfo, {}, "again {}", i);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "dpuflowd: info: again 0\ndpuflowd: info: again 1\ndpuflowd: info: again 2\n"
            "dpuflowd: info: again 3\ndpuflowd: info: again 4\n");
}

TEST_F(Log, LinesOfSeveralThreadsDoNotMix) {
  testing::internal::CaptureStderr();
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 50; ++i) Info({{"N", i}}, "0123456789");
      });
    }
  }
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += "dpuflowd: info: 0123456789\n";
  EXPECT_EQ(testing::internal::GetCapturedStderr(), expected);
}

}  // namespace
}  // namespace dpuflow::log
