// SPDX-License-Identifier: Apache-2.0
#include "netlink/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace dpuflow {
namespace {

TEST(Error, ReadsAsASentence) {
  EXPECT_EQ(ToString(Error{ENOSPC, "add a filter", "mlx5_core: table full"}),
            "cannot add a filter: No space left on device (ENOSPC): mlx5_core: table full");
  EXPECT_EQ(ToString(Error{EPERM, "open", ""}), "cannot open: Operation not permitted (EPERM)");
  EXPECT_EQ(ToString(Error{0, "parse", "what"}), "cannot parse: what");
}

TEST(Error, AnUnknownErrnoIsShownByNumber) { EXPECT_EQ(ErrnoName(4000), "4000"); }

TEST(Error, TakesTheThreadsErrno) {
  errno = ENODEV;
  const auto error = ErrnoError("find a port");
  EXPECT_EQ(error.value(), (Error{ENODEV, "find a port", ""}));
}

}  // namespace
}  // namespace dpuflow
