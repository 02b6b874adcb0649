// SPDX-License-Identifier: Apache-2.0
//
// The one loop that owns all state: sd-event(3) with RAII and std::function.
//
// Everything here belongs to the thread that runs the loop; other threads reach it only through a BoundedQueue and its
// Notifier (bounded_queue.h). A callback must not block, take rtnl, or throw (a throw ends the process). Callbacks run
// one at a time; those that are ready together run by priority, then round robin.
//
// An EventSource is the registration: destroying it removes the callback, also from inside that callback. It may
// outlive the EventLoop, and then does nothing.
#pragma once

#include <systemd/sd-event.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "netlink/error.h"

namespace dpuflow {

class EventSource {
 public:
  struct State;

  EventSource();  // empty: nothing is registered
  ~EventSource();
  EventSource(EventSource&&) noexcept;
  EventSource& operator=(EventSource&&) noexcept;

  explicit operator bool() const { return state_ != nullptr; }

  // Removes the registration; the object is empty afterwards.
  void Reset();

  // Suspends the callback; Enable resumes it. For a deferred source, Enable makes it run once, at the next turn.
  void Disable();
  void Enable();

  // Timers: run once at `at` (CLOCK_MONOTONIC), whatever was planned before; a periodic timer goes on from there.
  void ArmAt(std::chrono::steady_clock::time_point at);

  // Lower runs first; sources begin at 0.
  void SetPriority(std::int64_t priority);

  // I/O sources: the epoll events to wait for (EPOLLIN, EPOLLOUT).
  void SetIoEvents(std::uint32_t events);

 private:
  friend class EventLoop;
  explicit EventSource(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC, the clock of flow::TimePoint
  using TimePoint = Clock::time_point;
  using Duration = Clock::duration;

  using IoCallback = std::function<void(std::uint32_t revents)>;  // EPOLLIN, EPOLLERR, ...
  using TimerCallback = std::function<void(TimePoint now)>;
  using SignalCallback = std::function<void(int signal)>;
  using Callback = std::function<void()>;

  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> Create();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // `fd` stays the caller's and must stay open as long as the source. `events` are epoll's, level-triggered unless
  // EPOLLET is among them.
  [[nodiscard]] Result<EventSource> AddIo(int fd, std::uint32_t events, IoCallback callback);
  [[nodiscard]] Result<EventSource> AddIo(int fd, IoCallback callback);  // EPOLLIN

  // First after one period, then at every period of the first plan, without drift. Turns that were missed because the
  // loop was busy are skipped, not made up for.
  [[nodiscard]] Result<EventSource> AddTimer(Duration period, TimerCallback callback);

  // Once, after `delay`; ArmAt arms it again.
  [[nodiscard]] Result<EventSource> AddTimerOnce(Duration delay, TimerCallback callback);

  // Blocks the signal in the calling thread. Call it before any other thread is started, so that they inherit the mask
  // and the signal reaches nobody else.
  [[nodiscard]] Result<EventSource> AddSignal(int signal, SignalCallback callback);

  // Does not run until Enable() is called on it; then once at the next turn. Enabling it many times before that runs it
  // once: the way to collect work and do it in one batch.
  [[nodiscard]] Result<EventSource> AddDefer(Callback callback);

  // Runs once at the next turn of the loop, after the callback that is running now. Loop's thread only. Posts that are
  // pending when the loop is destroyed are dropped.
  void Post(Callback callback);

  // Runs until Quit. Returns Quit's code, or the error with which the loop itself failed.
  [[nodiscard]] Result<int> Run();

  // One turn: waits at most `timeout` for something to be ready, and runs the callbacks of one source. True if any ran.
  [[nodiscard]] Result<bool> RunOnce(Duration timeout);

  // Run returns after the callback that is running now; sources that are ready but have not run do not run.
  void Quit(int code);

  // For libraries that register themselves (the Varlink server). Borrowed.
  [[nodiscard]] sd_event* raw() const { return event_; }

 private:
  explicit EventLoop(sd_event* event);
  void RunPosted();

  sd_event* event_;
  EventSource posted_source_;
  std::vector<Callback> posted_;
};

}  // namespace dpuflow
