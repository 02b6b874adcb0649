// SPDX-License-Identifier: Apache-2.0
//
// One daemon per host: flock(2) on a file that holds the owner's process id. The kernel drops the lock when the process
// ends, however it ends; the file stays, since removing it would let two processes lock two files of one name.
#pragma once

#include <string>
#include <utility>

#include "netlink/error.h"

namespace dpuflow {

class InstanceLock {
 public:
  // Makes the file's directory (0755) if its parent exists. EBUSY when another process holds the lock; `extack` then
  // says which. A symbolic link in the file's place is refused (ELOOP).
  [[nodiscard]] static Result<InstanceLock> Take(const std::string& path);

  ~InstanceLock();  // releases
  InstanceLock(InstanceLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  InstanceLock& operator=(InstanceLock&& other) noexcept;

 private:
  explicit InstanceLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace dpuflow
