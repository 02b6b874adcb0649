// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>
#include <system_error>
#include <utility>

#include "tests/lab/traffic/payload.h"

namespace labtraffic {

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&&) = delete;
  ~Fd() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

// Returns the result of a system call, or throws what it failed with.
template <typename Result>
Result Check(Result result, const std::string& what) {
  if (result < 0) {
    throw std::system_error(errno, std::generic_category(), what);
  }
  return result;
}

// An absolute schedule: lateness of one step does not add to the next, and what is late is made up for at once.
class Schedule {
 public:
  explicit Schedule(double rate) : rate_(rate), begin_ns_(MonotonicNs()) {}

  // Returns when the time of step `index` has come; immediately for rate 0.
  void WaitFor(std::uint64_t index) {
    if (rate_ <= 0) {
      return;
    }
    const auto due = begin_ns_ + static_cast<std::uint64_t>(static_cast<double>(index) * 1e9 / rate_);
    const timespec at = {static_cast<time_t>(due / 1'000'000'000), static_cast<long>(due % 1'000'000'000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
    }
    const std::uint64_t now = MonotonicNs();
    late_max_ns_ = now > due + late_max_ns_ ? now - due : late_max_ns_;
  }

  std::uint64_t elapsed_ns() const { return MonotonicNs() - begin_ns_; }
  std::uint64_t late_max_ns() const { return late_max_ns_; }

 private:
  double rate_;
  std::uint64_t begin_ns_;
  std::uint64_t late_max_ns_ = 0;
};

// The calling thread stays on the processor that it runs on. What it sends waits for its receiver in a queue per processor,
// and a sender that the scheduler moves to another one overtakes its own packets.
inline void StayOnThisProcessor() {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(Check(sched_getcpu(), "sched_getcpu"), &here);
  Check(sched_setaffinity(0, sizeof(here), &here), "sched_setaffinity");
}

}  // namespace labtraffic
