// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/unit/daemon/temporary_directory.h"

namespace dpuflow {
namespace {

std::string FirstLine(const std::string& file) {
  std::string line;
  std::getline(std::ifstream(file), line);
  return line;
}

TEST(InstanceLock, TheFileNamesItsHolder) {
  const TemporaryDirectory directory;
  const auto lock = InstanceLock::Take(directory.File("lock"));
  ASSERT_TRUE(lock) << ToString(lock.error());
  EXPECT_EQ(FirstLine(directory.File("lock")), std::to_string(getpid()));
}

// flock belongs to the open file, so a second open in one process contends as another process would.
TEST(InstanceLock, ASecondOneIsToldWhoHoldsIt) {
  const TemporaryDirectory directory;
  const auto first = InstanceLock::Take(directory.File("lock"));
  ASSERT_TRUE(first);
  const auto second = InstanceLock::Take(directory.File("lock"));
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
    const auto first = InstanceLock::Take(directory.File("lock"));
    ASSERT_TRUE(first);
  }
  EXPECT_TRUE(InstanceLock::Take(directory.File("lock")));
}

TEST(InstanceLock, MovesWithItsObject) {
  const TemporaryDirectory directory;
  std::optional<InstanceLock> kept;
  {
    auto lock = InstanceLock::Take(directory.File("lock"));
    ASSERT_TRUE(lock);
    kept = std::move(*lock);
  }
  EXPECT_FALSE(InstanceLock::Take(directory.File("lock")));
}

TEST(InstanceLock, WhatACrashedDaemonLeftDoesNotStandInTheWay) {
  const TemporaryDirectory directory;
  directory.Write("lock", "4194304 and a long line of something else\n");
  ASSERT_TRUE(InstanceLock::Take(directory.File("lock")));
  EXPECT_EQ(FirstLine(directory.File("lock")), std::to_string(getpid()));
}

TEST(InstanceLock, MakesItsDirectoryButNotTheDirectorysParent) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(InstanceLock::Take(directory.File("run/lock")));
  const auto deep = InstanceLock::Take(directory.File("no/such/lock"));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().code, ENOENT);
}

TEST(InstanceLock, ASymbolicLinkIsRefused) {
  const TemporaryDirectory directory;
  std::filesystem::create_symlink(directory.File("elsewhere"), directory.File("lock"));
  const auto lock = InstanceLock::Take(directory.File("lock"));
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, ELOOP);
  EXPECT_FALSE(std::filesystem::exists(directory.File("elsewhere")));
}

}  // namespace
}  // namespace dpuflow
