// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>

#include "tests/unit/daemon/temporary_directory.h"

namespace dpuflow {
namespace {

constexpr std::chrono::seconds kTimeout{10};

std::string FirstLine(const std::string& file) {
  std::string line;
  std::getline(std::ifstream(file), line);
  return line;
}

TEST(InstanceLock, TheFileNamesItsHolder) {
  const TemporaryDirectory directory;
  const auto lock = InstanceLock::Take(directory.File("lock"), kTimeout);
  ASSERT_TRUE(lock) << ToString(lock.error());
  EXPECT_EQ(FirstLine(directory.File("lock")), std::to_string(getpid()));
}

// flock belongs to the open file, so a second open in one process contends as another process would.
TEST(InstanceLock, ASecondOneIsToldWhoHoldsIt) {
  const TemporaryDirectory directory;
  const auto first = InstanceLock::Take(directory.File("lock"), kTimeout);
  ASSERT_TRUE(first);
  const auto second = InstanceLock::Take(directory.File("lock"), kTimeout);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, EBUSY);
  EXPECT_EQ(second.error().doing, "lock " + directory.File("lock"));
  EXPECT_EQ(second.error().extack, fmt::format("process {} ({}) holds it; one dpuflowd runs at a time", getpid(),
                                               FirstLine("/proc/self/comm")));
  EXPECT_EQ(FirstLine(directory.File("lock")), std::to_string(getpid())) << "the loser wrote nothing";
}

TEST(InstanceLock, IsFreeAgainAfterItsHolder) {
  const TemporaryDirectory directory;
  {
    const auto first = InstanceLock::Take(directory.File("lock"), kTimeout);
    ASSERT_TRUE(first);
  }
  EXPECT_TRUE(InstanceLock::Take(directory.File("lock"), kTimeout));
}

TEST(InstanceLock, MovesWithItsObject) {
  const TemporaryDirectory directory;
  std::optional<InstanceLock> kept;
  {
    auto lock = InstanceLock::Take(directory.File("lock"), kTimeout);
    ASSERT_TRUE(lock);
    kept = std::move(*lock);
  }
  EXPECT_FALSE(InstanceLock::Take(directory.File("lock"), kTimeout));
}

TEST(InstanceLock, WhatACrashedDaemonLeftDoesNotStandInTheWay) {
  const TemporaryDirectory directory;
  directory.Write("lock", "4194304 and a long line of something else\n");
  ASSERT_TRUE(InstanceLock::Take(directory.File("lock"), kTimeout));
  EXPECT_EQ(FirstLine(directory.File("lock")), std::to_string(getpid()));
}

TEST(InstanceLock, MakesItsDirectoryButNotTheDirectorysParent) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(InstanceLock::Take(directory.File("run/lock"), kTimeout));
  const auto deep = InstanceLock::Take(directory.File("no/such/lock"), kTimeout);
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, ENOENT);
}

TEST(InstanceLock, ASymbolicLinkIsRefused) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink(directory.File("elsewhere"), directory.File("lock"));
  const auto lock = InstanceLock::Take(directory.File("lock"), kTimeout);
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, ELOOP);
  EXPECT_FALSE(std::filesystem::exists(directory.File("elsewhere")));
}

TEST(InstanceLock, WhoCleansUpIsToldOfTheLastDaemon) {
  const TemporaryDirectory directory;
  { ASSERT_TRUE(InstanceLock::Take(directory.File("lock"), std::chrono::milliseconds(2500))); }
  const auto after = InstanceLock::TakeAfter(directory.File("lock"));
  ASSERT_TRUE(after) << ToString(after.error());
  const auto last = after->ReadLast();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->orphan_timeout, std::chrono::milliseconds(2500));
  EXPECT_LT(last->ago, std::chrono::hours(1));
  std::filesystem::last_write_time(directory.File("lock"),
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  EXPECT_GE(after->ReadLast()->ago, std::chrono::hours(2));
  after->Touch();
  EXPECT_LT(after->ReadLast()->ago, std::chrono::hours(1));
  EXPECT_EQ(FirstLine(directory.File("lock")), std::to_string(getpid())) << "it wrote nothing";
}

TEST(InstanceLock, WhoCleansUpLeavesADaemonAlone) {
  const TemporaryDirectory directory;
  const auto daemon = InstanceLock::Take(directory.File("lock"), kTimeout);
  ASSERT_TRUE(daemon);
  const auto after = InstanceLock::TakeAfter(directory.File("lock"));
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().code, EBUSY);
}

TEST(InstanceLock, WhoCleansUpHoldsItWhereThereHasBeenNoDaemon) {
  const TemporaryDirectory directory;
  const auto after = InstanceLock::TakeAfter(directory.File("sub/lock"));
  ASSERT_TRUE(after) << ToString(after.error());
  EXPECT_EQ(after->ReadLast()->orphan_timeout.count(), 0);
  EXPECT_FALSE(InstanceLock::TakeAfter(directory.File("sub/lock")));
}

TEST(InstanceLock, ADaemonWaitsForWhoCleansUp) {
  const TemporaryDirectory directory;
  directory.Write("lock", "4194304\n10000\n");  // of a daemon that has ended
  auto after = InstanceLock::TakeAfter(directory.File("lock"));
  ASSERT_TRUE(after);
  std::promise<void> begun;
  auto daemon = std::async(std::launch::async, [&] {
    begun.set_value();
    return InstanceLock::Take(directory.File("lock"), kTimeout).has_value();
  });
  begun.get_future().wait();
  { const InstanceLock ends = std::move(*after); }
  EXPECT_TRUE(daemon.get());
}

TEST(InstanceLock, AFileOfAnOlderVersionHoldsNoTimeout) {
  const TemporaryDirectory directory;
  directory.Write("lock", "4194304\n");
  EXPECT_EQ(InstanceLock::TakeAfter(directory.File("lock"))->ReadLast()->orphan_timeout.count(), 0);
}

}  // namespace
}  // namespace dpuflow
