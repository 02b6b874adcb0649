// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/event_loop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/epoll.h>

#include <optional>
#include <string>
#include <thread>

#include "agent/daemon/notifier.h"

namespace dpuflow {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Loop : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = EventLoop::Create();
    ASSERT_TRUE(made);
    loop_ = std::move(*made);
  }
  // Turns until nothing is ready.
  void Settle() {
    while (loop_->RunOnce(milliseconds(0)).value_or(false)) {
    }
  }
  std::unique_ptr<EventLoop> loop_;
};

TEST_F(Loop, RunReturnsTheCodeOfQuit) {
  loop_->Post([&] { loop_->Quit(3); });
  EXPECT_EQ(loop_->Run(), 3);
}

TEST_F(Loop, IoRunsWhileTheDescriptorIsReadable) {
  const auto notifier = Notifier::Create();
  ASSERT_TRUE(notifier);
  int runs = 0;
  auto source = loop_->AddIo(notifier->fd(), [&](std::uint32_t revents) {
    EXPECT_EQ(revents, static_cast<std::uint32_t>(EPOLLIN));
    if (++runs == 2) notifier->Consume();
  });
  ASSERT_TRUE(source);
  Settle();
  EXPECT_EQ(runs, 0);
  notifier->Notify();
  Settle();
  EXPECT_EQ(runs, 2);
}

TEST_F(Loop, IoCanWaitForOtherEventsAndBeSuspended) {
  const auto notifier = Notifier::Create();
  ASSERT_TRUE(notifier);
  int runs = 0;
  EventSource source;
  auto made = loop_->AddIo(notifier->fd(), [&](std::uint32_t) {
    ++runs;
    source.Disable();
  });
  ASSERT_TRUE(made);
  source = std::move(*made);
  source.SetIoEvents(EPOLLOUT);
  Settle();
  EXPECT_EQ(runs, 1);
  source.Enable();
  Settle();
  EXPECT_EQ(runs, 2);
}

TEST_F(Loop, ABadDescriptorIsAnError) {
  const auto source = loop_->AddIo(-1, [](std::uint32_t) {});
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().doing, "watch file descriptor -1");
}

TEST_F(Loop, APeriodicTimerGoesOnAndNeverRunsEarly) {
  const auto begin = EventLoop::Clock::now();
  int runs = 0;
  auto timer = loop_->AddTimer(milliseconds(5), [&](EventLoop::TimePoint now) {
    ++runs;
    EXPECT_GE(now - begin, runs * milliseconds(5));
    if (runs == 3) loop_->Quit(0);
  });
  ASSERT_TRUE(timer);
  EXPECT_EQ(loop_->Run(), 0);
}

// The first turn is at one period or later and takes eleven; after it come one that is late, and two in their own time.
TEST_F(Loop, TurnsThatWereMissedAreSkipped) {
  constexpr milliseconds kPeriod(10);
  const auto begin = EventLoop::Clock::now();
  int runs = 0;
  auto timer = loop_->AddTimer(kPeriod, [&](EventLoop::TimePoint now) {
    ++runs;
    if (runs == 1) std::this_thread::sleep_for(11 * kPeriod);
    if (runs == 4) {
      EXPECT_GE(now - begin, 14 * kPeriod) << "a burst of the turns that were missed";
      loop_->Quit(0);
    }
  });
  ASSERT_TRUE(timer);
  EXPECT_EQ(loop_->Run(), 0);
}

TEST_F(Loop, ATimerWithoutAPeriodIsRefused) {
  const auto timer = loop_->AddTimer(milliseconds(0), [](EventLoop::TimePoint) {});
  ASSERT_FALSE(timer);
  EXPECT_EQ(timer.error().code, EINVAL);
}

TEST_F(Loop, ATimerOnceRunsOnceAndCanBeArmedAgain) {
  int runs = 0;
  auto timer = loop_->AddTimerOnce(microseconds(1), [&](EventLoop::TimePoint) { ++runs; });
  ASSERT_TRUE(timer);
  EXPECT_EQ(loop_->RunOnce(seconds(10)), true);
  EXPECT_EQ(loop_->RunOnce(milliseconds(5)), false);
  timer->ArmAt(EventLoop::Clock::now());
  EXPECT_EQ(loop_->RunOnce(seconds(10)), true);
  EXPECT_EQ(runs, 2);
}

TEST_F(Loop, ASignalArrivesInTheLoop) {
  int seen = 0;
  auto source = loop_->AddSignal(SIGUSR1, [&](int signal) {
    seen = signal;
    loop_->Quit(0);
  });
  ASSERT_TRUE(source);
  ASSERT_EQ(raise(SIGUSR1), 0);
  EXPECT_EQ(loop_->Run(), 0);
  EXPECT_EQ(seen, SIGUSR1);
}

TEST_F(Loop, ADeferredSourceRunsOnceHoweverOftenItWasEnabled) {
  int runs = 0;
  auto source = loop_->AddDefer([&] { ++runs; });
  ASSERT_TRUE(source);
  Settle();
  EXPECT_EQ(runs, 0);
  source->Enable();
  source->Enable();
  Settle();
  EXPECT_EQ(runs, 1);
  source->Enable();
  Settle();
  EXPECT_EQ(runs, 2);
}

TEST_F(Loop, PostsRunInOrderAndTheirOwnPostsAtTheNextTurn) {
  std::string order;
  loop_->Post([&] {
    order += 'a';
    loop_->Post([&] { order += 'c'; });
  });
  loop_->Post([&] { order += 'b'; });
  EXPECT_EQ(loop_->RunOnce(milliseconds(0)), true);
  EXPECT_EQ(order, "ab");
  EXPECT_EQ(loop_->RunOnce(milliseconds(0)), true);
  EXPECT_EQ(order, "abc");
}

TEST_F(Loop, LowerPriorityNumbersRunFirst) {
  std::string order;
  auto late = loop_->AddDefer([&] { order += "late "; });
  auto early = loop_->AddDefer([&] { order += "early "; });
  ASSERT_TRUE(late && early);
  late->SetPriority(10);
  early->SetPriority(-10);
  late->Enable();
  early->Enable();
  Settle();
  EXPECT_EQ(order, "early late ");
}

TEST_F(Loop, WorkThatGoesOnAndOnKeepsNobodyWaiting) {
  const auto notifier = Notifier::Create();
  ASSERT_TRUE(notifier);
  std::optional<EventSource> work;
  int turns = 0;
  work = *loop_->AddDefer([&] {
    ++turns;
    work->Enable();
  });
  int waited_by_io = -1;
  auto io = loop_->AddIo(notifier->fd(), [&](std::uint32_t) {
    notifier->Consume();
    waited_by_io = turns;
  });
  int waited_by_timer = -1;
  auto timer = loop_->AddTimerOnce(microseconds(1), [&](EventLoop::TimePoint) { waited_by_timer = turns; });
  ASSERT_TRUE(io && timer);
  work->Enable();
  notifier->Notify();
  std::this_thread::sleep_for(milliseconds(5));
  for (int turn = 0; turn < 50; ++turn) EXPECT_EQ(loop_->RunOnce(milliseconds(0)), true);
  EXPECT_GE(waited_by_io, 0);
  EXPECT_LE(waited_by_io, 3);
  EXPECT_GE(waited_by_timer, 0);
  EXPECT_LE(waited_by_timer, 3);
}

TEST_F(Loop, ACallbackMayDestroyItsOwnSource) {
  std::optional<EventSource> timer;
  std::string kept = "a capture that must outlive the source";
  auto made = loop_->AddTimer(microseconds(1), [&timer, kept](EventLoop::TimePoint) {
    timer.reset();
    EXPECT_EQ(kept.front(), 'a');
  });
  ASSERT_TRUE(made);
  timer = std::move(*made);
  EXPECT_EQ(loop_->RunOnce(seconds(10)), true);
  EXPECT_FALSE(timer.has_value());
  EXPECT_EQ(loop_->RunOnce(milliseconds(2)), false);
}

TEST_F(Loop, AnotherCallbacksSourceCanBeDestroyedBeforeItRuns) {
  int runs = 0;
  auto second = loop_->AddDefer([&] { ++runs; });
  ASSERT_TRUE(second);
  second->SetPriority(1);
  auto first = loop_->AddDefer([&] { second->Reset(); });
  ASSERT_TRUE(first);
  first->Enable();
  second->Enable();
  Settle();
  EXPECT_EQ(runs, 0);
  EXPECT_FALSE(*second);
}

TEST_F(Loop, ASourceMayOutliveItsLoop) {
  auto timer = loop_->AddTimer(seconds(1), [](EventLoop::TimePoint) {});
  ASSERT_TRUE(timer);
  loop_.reset();
  timer->Disable();
  timer->Reset();
}

TEST(EventSource, AnEmptyOneDoesNothing) {
  EventSource source;
  EXPECT_FALSE(source);
  source.Enable();
  source.Disable();
  source.ArmAt({});
  source.Reset();
}

}  // namespace
}  // namespace dpuflow
