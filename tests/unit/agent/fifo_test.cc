// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/fifo.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace dpuflow::flow {
namespace {

TEST(Fifo, GivesWhatItGotInThatOrder) {
  Fifo<int> fifo;
  std::deque<int> model;
  std::mt19937 random(7);
  int next = 0;
  for (int round = 0; round < 200; ++round) {
    for (std::size_t pushes = random() % 3000; pushes > 0; --pushes) {
      fifo.Push(next);
      model.push_back(next++);
    }
    for (std::size_t pops = random() % 3000; pops > 0 && !model.empty(); --pops) {
      ASSERT_FALSE(fifo.empty());
      ASSERT_EQ(fifo.Pop(), model.front());
      model.pop_front();
      ASSERT_EQ(fifo.size(), model.size());
    }
  }
}

TEST(Fifo, KeepsNothingOfWhatItGave) {
  Fifo<std::shared_ptr<int>> fifo;
  const auto value = std::make_shared<int>(1);
  for (int i = 0; i < 10; ++i) fifo.Push(value);
  while (!fifo.empty()) (void)fifo.Pop();
  EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace dpuflow::flow
