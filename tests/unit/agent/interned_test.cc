// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/interned.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace dpuflow::flow {
namespace {

TEST(Interned, EqualValuesAreOne) {
  Pool<std::string> pool;
  const auto one = pool.Get("same"), again = pool.Get("same"), other = pool.Get("other");
  EXPECT_EQ(one, again);
  EXPECT_EQ(&*one, &*again);
  EXPECT_FALSE(one == other);
  EXPECT_EQ(*other, "other");
  EXPECT_EQ(other->size(), 5u);
  EXPECT_EQ(pool.size(), 2u);
}

TEST(Interned, AValueGoesWithTheLastThatRefersToIt) {
  Pool<std::string> pool;
  Interned<std::string> kept;
  EXPECT_FALSE(kept);
  {
    const auto one = pool.Get("value");
    kept = one;
    EXPECT_EQ(kept, one);
  }
  EXPECT_EQ(pool.size(), 1u);
  Interned<std::string> moved = std::move(kept);
  EXPECT_TRUE(moved);
  kept = pool.Get("another");
  moved = kept;
  EXPECT_EQ(pool.size(), 1u) << "nobody refers to the first one any more";
  moved.reset();
  kept = {};
  EXPECT_EQ(pool.size(), 0u);
}

TEST(Interned, MayBeAssignedToItselfAndSorted) {
  Pool<std::string> pool;
  std::vector<Interned<std::string>> values = {pool.Get("b"), pool.Get("a"), pool.Get("b")};
  values[0] = values[0];
  values[2] = values[0];
  std::swap(values[0], values[1]);
  EXPECT_EQ(*values[0] + *values[1] + *values[2], "abb");
  values.clear();
  EXPECT_EQ(pool.size(), 0u);
}

}  // namespace
}  // namespace dpuflow::flow
