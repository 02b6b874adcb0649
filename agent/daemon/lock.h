// SPDX-License-Identifier: Apache-2.0
//
// One daemon per host: flock(2) on a file that holds the owner's process id. The kernel drops the lock when the process
// ends, however it ends; the file stays, since removing it would let two processes lock two files of one name.
//
// What stays says something about the last daemon to whoever cleans up after it: the file's time, when it was last alive, and
// its second line, for how long after that its work may stand without it.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "netlink/error.h"

namespace dpuflow {

// At one place: two daemons must not miss each other, nor who cleans up after them a daemon.
inline constexpr const char* kInstanceLockPath = "/run/dpuflow/dpuflowd.lock";

class InstanceLock {
 public:
  // For the daemon. Makes the file's directory (0755) if its parent exists. EBUSY when another process holds the lock; `extack`
  // then says which. A symbolic link in the file's place is refused (ELOOP). Waits for whoever cleans up.
  [[nodiscard]] static Result<InstanceLock> Take(const std::string& path, std::chrono::milliseconds orphan_timeout);
  // For who cleans up: makes the directory and an empty file where there is none, so that no daemon starts meanwhile, and else
  // leaves the file as it is. EBUSY as above.
  [[nodiscard]] static Result<InstanceLock> TakeAfter(const std::string& path);

  // The daemon is alive.
  void Touch() const;
  // Of the last daemon: how long ago it was alive; and how long its work may stand, 0 where there has been none.
  struct Last {
    std::chrono::milliseconds ago{};
    std::chrono::milliseconds orphan_timeout{};
  };
  [[nodiscard]] Result<Last> ReadLast() const;

  ~InstanceLock();  // releases
  InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  InstanceLock& operator=(InstanceLock&& other) noexcept;

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace dpuflow
