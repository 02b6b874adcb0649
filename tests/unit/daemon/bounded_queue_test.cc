// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/bounded_queue.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <string>
#include <thread>

#include "agent/daemon/event_loop.h"

namespace dpuflow {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

bool Readable(const Notifier& notifier) {
  pollfd poll_fd = {.fd = notifier.fd(), .events = POLLIN, .revents = 0};
  return poll(&poll_fd, 1, 0) == 1;
}

TEST(BoundedQueue, HandsOutBatchesInOrder) {
  BoundedQueue<int> queue(4);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.TryPush(int{i}));
  EXPECT_EQ(queue.TryPopBatch(2), (std::vector{0, 1}));
  EXPECT_EQ(queue.TryPopBatch(2), (std::vector{2}));
  EXPECT_TRUE(queue.TryPopBatch(2).empty());
}

TEST(BoundedQueue, RefusesWhenFullAndLeavesTheValueAlone) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.TryPush(std::make_unique<int>(1)));
  auto value = std::make_unique<int>(2);
  EXPECT_FALSE(queue.TryPush(std::move(value)));
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(*value, 2);
  EXPECT_EQ(queue.refused(), 1u);
  EXPECT_EQ(queue.size(), 1u);
}

TEST(BoundedQueue, ClosedRefusesButHandsOutWhatIsThere) {
  BoundedQueue<int> queue(4);
  EXPECT_TRUE(queue.TryPush(1));
  queue.Close();
  EXPECT_FALSE(queue.TryPush(2));
  EXPECT_FALSE(queue.Push(3));
  EXPECT_EQ(queue.PopBatch(8, seconds(10)), (std::vector{1}));
  EXPECT_TRUE(queue.PopBatch(8, seconds(10)).empty()) << "and does not wait";
  EXPECT_TRUE(queue.closed());
}

TEST(BoundedQueue, PopBatchGivesUpAfterItsTimeout) {
  BoundedQueue<int> queue(1);
  EXPECT_TRUE(queue.PopBatch(1, milliseconds(1)).empty());
  EXPECT_FALSE(queue.closed());
}

TEST(BoundedQueue, NotifiesAgainForWhatALimitLeftBehind) {
  const auto notifier = Notifier::Create();
  ASSERT_TRUE(notifier);
  BoundedQueue<int> queue(4, &*notifier);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.TryPush(int{i}));
  EXPECT_TRUE(Readable(*notifier));
  notifier->Consume();
  EXPECT_FALSE(Readable(*notifier)) << "many notifications are one";
  EXPECT_EQ(queue.TryPopBatch(2).size(), 2u);
  EXPECT_TRUE(Readable(*notifier));
  notifier->Consume();
  EXPECT_EQ(queue.TryPopBatch(2).size(), 1u);
  EXPECT_FALSE(Readable(*notifier));
}

TEST(BoundedQueue, AFullQueueMakesPushWaitUntilThereIsRoom) {
  BoundedQueue<int> queue(1);
  EXPECT_TRUE(queue.TryPush(1));
  std::jthread producer([&] { EXPECT_TRUE(queue.Push(2)); });
  EXPECT_EQ(queue.PopBatch(1, seconds(10)), (std::vector{1}));
  EXPECT_EQ(queue.PopBatch(1, seconds(10)), (std::vector{2}));
}

TEST(BoundedQueue, CloseFreesAProducerThatWaits) {
  BoundedQueue<int> queue(1);
  EXPECT_TRUE(queue.TryPush(1));
  std::jthread producer([&] { EXPECT_FALSE(queue.Push(2)); });
  queue.Close();
}

TEST(BoundedQueue, LosesNothingBetweenManyProducersAndAThread) {
  constexpr int kProducers = 4;
  constexpr int kEach = 2000;
  BoundedQueue<std::pair<int, int>> queue(16);
  std::vector<int> next(kProducers, 0);
  {
    std::jthread consumer([&] {
      for (int left = kProducers * kEach; left > 0;) {
        const auto batch = queue.PopBatch(8, seconds(10));
        ASSERT_FALSE(batch.empty());
        for (const auto& [producer, number] : batch) EXPECT_EQ(next[static_cast<std::size_t>(producer)]++, number);
        left -= static_cast<int>(batch.size());
      }
    });
    std::vector<std::jthread> producers;
    producers.reserve(kProducers);
    for (int p = 0; p < kProducers; ++p) {
      producers.emplace_back([&queue, p] {
        for (int i = 0; i < kEach; ++i) EXPECT_TRUE(queue.Push({p, i}));
      });
    }
  }
  EXPECT_EQ(next, std::vector<int>(kProducers, kEach));
}

// The path of the daemon: a thread answers the loop, which wakes by the eventfd and drains with a limit.
TEST(BoundedQueue, WakesALoopUntilEverythingHasCome) {
  constexpr int kCount = 5000;
  auto loop = EventLoop::Create();
  ASSERT_TRUE(loop);
  const auto notifier = Notifier::Create();
  ASSERT_TRUE(notifier);
  BoundedQueue<std::string> queue(8, &*notifier);
  int seen = 0;
  auto source = (*loop)->AddIo(notifier->fd(), [&](std::uint32_t) {
    notifier->Consume();
    for (const std::string& text : queue.TryPopBatch(3)) EXPECT_EQ(text, std::to_string(seen++));
    if (seen == kCount) (*loop)->Quit(0);
  });
  ASSERT_TRUE(source);
  std::jthread producer([&] {
    for (int i = 0; i < kCount; ++i) EXPECT_TRUE(queue.Push(std::to_string(i)));
  });
  EXPECT_EQ((*loop)->Run(), 0);
  EXPECT_EQ(seen, kCount);
}

}  // namespace
}  // namespace dpuflow
