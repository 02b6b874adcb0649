// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/event_loop.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "agent/daemon/notifier.h"

namespace dpuflow {
namespace {

// How much later than asked a timer may run, so that the kernel can let timers run together.
constexpr std::uint64_t kTimerAccuracyMicroseconds = 1000;

// Rounded up: a timer never runs before its time.
std::uint64_t Microseconds(EventLoop::TimePoint at) {
  return static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::microseconds>(at.time_since_epoch()).count());
}

}  // namespace

// sd-event keeps a bare pointer to this. The callback's turn holds a reference, so that a callback may destroy its own
// EventSource and still be there to return.
struct EventSource::State : std::enable_shared_from_this<EventSource::State> {
  using TimePoint = EventLoop::TimePoint;

  sd_event_source* source = nullptr;
  int enabled = SD_EVENT_ON;  // what Enable() sets
  EventLoop::IoCallback on_io;
  EventLoop::TimerCallback on_timer;
  EventLoop::SignalCallback on_signal;
  EventLoop::Callback on_defer;
  std::optional<Notifier> deferred;  // of a deferred source
  EventLoop::Duration period{};      // zero: once
  TimePoint planned;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { Remove(); }

  void Remove() { source = sd_event_source_disable_unref(source); }

  void ArmAt(TimePoint at) {
    planned = at;
    sd_event_source_set_time(source, Microseconds(at));
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
  }

  static std::shared_ptr<State> From(void* userdata) { return static_cast<State*>(userdata)->shared_from_this(); }

  // noexcept: sd-event's frames are C, and an exception must not pass through them.
  // NOLINTBEGIN(bugprone-exception-escape)
  static int OnIo(sd_event_source*, int, std::uint32_t revents, void* userdata) noexcept {
    From(userdata)->on_io(revents);
    return 0;
  }

  static int OnTimer(sd_event_source*, std::uint64_t, void* userdata) noexcept {
    const auto state = From(userdata);
    const TimePoint now = EventLoop::Clock::now();
    // Planned before the callback runs, so that the callback can plan otherwise.
    if (state->period > EventLoop::Duration::zero()) {
      const auto missed = (now - state->planned) / state->period;
      state->ArmAt(state->planned + (missed + 1) * state->period);
    }
    state->on_timer(now);
    return 0;
  }

  static int OnSignal(sd_event_source*, const signalfd_siginfo* info, void* userdata) noexcept {
    From(userdata)->on_signal(static_cast<int>(info->ssi_signo));
    return 0;
  }

  static int OnDefer(sd_event_source*, int, std::uint32_t, void* userdata) noexcept {
    const auto state = From(userdata);
    state->deferred->Consume();
    state->on_defer();
    return 0;
  }
  // NOLINTEND(bugprone-exception-escape)
};

EventSource::EventSource() = default;
EventSource::EventSource(std::shared_ptr<State> state) : state_(std::move(state)) {}
EventSource::~EventSource() { Reset(); }
EventSource::EventSource(EventSource&&) noexcept = default;

EventSource& EventSource::operator=(EventSource&& other) noexcept {
  if (this != &other) {
    Reset();
    state_ = std::move(other.state_);
  }
  return *this;
}

void EventSource::Reset() {
  // Removed now, not when the last reference goes: the callback that is running may hold one.
  if (state_) state_->Remove();
  state_.reset();
}

void EventSource::Disable() {
  if (!state_) return;
  if (state_->deferred) return state_->deferred->Consume();
  sd_event_source_set_enabled(state_->source, SD_EVENT_OFF);
}

void EventSource::Enable() {
  if (!state_) return;
  if (state_->deferred) return state_->deferred->Notify();
  sd_event_source_set_enabled(state_->source, state_->enabled);
}

void EventSource::ArmAt(std::chrono::steady_clock::time_point at) {
  if (state_) state_->ArmAt(at);
}

void EventSource::SetPriority(std::int64_t priority) {
  if (state_) sd_event_source_set_priority(state_->source, priority);
}

void EventSource::SetIoEvents(std::uint32_t events) {
  if (state_) sd_event_source_set_io_events(state_->source, events);
}

Result<std::unique_ptr<EventLoop>> EventLoop::Create() {
  sd_event* event = nullptr;
  if (const int r = sd_event_new(&event); r < 0) return MakeError(-r, "make an event loop");
  std::unique_ptr<EventLoop> loop(new EventLoop(event));
  auto posted = loop->AddDefer([raw = loop.get()] { raw->RunPosted(); });
  if (!posted) return tl::make_unexpected(std::move(posted.error()));
  loop->posted_source_ = std::move(*posted);
  return loop;
}

EventLoop::EventLoop(sd_event* event) : event_(event) {}

EventLoop::~EventLoop() {
  posted_source_.Reset();
  sd_event_unref(event_);
}

Result<EventSource> EventLoop::AddIo(int fd, std::uint32_t events, IoCallback callback) {
  auto state = std::make_shared<EventSource::State>();
  state->on_io = std::move(callback);
  const int r = sd_event_add_io(event_, &state->source, fd, events, &EventSource::State::OnIo, state.get());
  if (r < 0) return MakeError(-r, fmt::format("watch file descriptor {}", fd));
  return EventSource(std::move(state));
}

Result<EventSource> EventLoop::AddIo(int fd, IoCallback callback) { return AddIo(fd, EPOLLIN, std::move(callback)); }

Result<EventSource> EventLoop::AddTimer(Duration period, TimerCallback callback) {
  if (period <= Duration::zero()) return MakeError(EINVAL, "add a timer without a period");
  auto timer = AddTimerOnce(period, std::move(callback));
  if (timer) timer->state_->period = period;
  return timer;
}

Result<EventSource> EventLoop::AddTimerOnce(Duration delay, TimerCallback callback) {
  auto state = std::make_shared<EventSource::State>();
  state->enabled = SD_EVENT_ONESHOT;
  state->on_timer = std::move(callback);
  state->planned = Clock::now() + delay;
  const int r = sd_event_add_time(event_, &state->source, CLOCK_MONOTONIC, Microseconds(state->planned),
                                  kTimerAccuracyMicroseconds, &EventSource::State::OnTimer, state.get());
  if (r < 0) return MakeError(-r, "add a timer");
  return EventSource(std::move(state));
}

Result<EventSource> EventLoop::AddSignal(int signal, SignalCallback callback) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  if (const int code = pthread_sigmask(SIG_BLOCK, &set, nullptr); code != 0) {
    return MakeError(code, fmt::format("block signal {}", signal));
  }
  auto state = std::make_shared<EventSource::State>();
  state->on_signal = std::move(callback);
  const int r = sd_event_add_signal(event_, &state->source, signal, &EventSource::State::OnSignal, state.get());
  if (r < 0) return MakeError(-r, fmt::format("wait for signal {}", signal));
  return EventSource(std::move(state));
}

// With a descriptor, and not with sd_event_add_defer(3): one that is enabled again and again by itself is pending before
// anything else is looked at, and no descriptor and no timer has its turn until that ends.
Result<EventSource> EventLoop::AddDefer(Callback callback) {
  auto notifier = Notifier::Create();
  if (!notifier) return tl::make_unexpected(notifier.error());
  auto state = std::make_shared<EventSource::State>();
  state->on_defer = std::move(callback);
  state->deferred = std::move(*notifier);
  const int r = sd_event_add_io(event_, &state->source, state->deferred->fd(), EPOLLIN, &EventSource::State::OnDefer,
                                state.get());
  if (r < 0) return MakeError(-r, "add a deferred callback");
  return EventSource(std::move(state));
}

void EventLoop::Post(Callback callback) {
  posted_.push_back(std::move(callback));
  posted_source_.Enable();
}

void EventLoop::RunPosted() {
  // What these callbacks post runs at the next turn, so that a chain of posts cannot starve the rest.
  for (const Callback& callback : std::exchange(posted_, {})) callback();
}

Result<int> EventLoop::Run() {
  const int r = sd_event_loop(event_);
  if (r < 0) return MakeError(-r, "run the event loop");
  return r;
}

Result<bool> EventLoop::RunOnce(Duration timeout) {
  const auto wait = std::chrono::ceil<std::chrono::microseconds>(timeout).count();
  const int r = sd_event_run(event_, static_cast<std::uint64_t>(wait > 0 ? wait : 0));
  if (r < 0) return MakeError(-r, "run the event loop");
  return r > 0;
}

void EventLoop::Quit(int code) { sd_event_exit(event_, code); }

}  // namespace dpuflow
