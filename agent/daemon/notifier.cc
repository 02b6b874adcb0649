// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/notifier.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace dpuflow {

Result<Notifier> Notifier::Create() {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return ErrnoError("make an eventfd");
  return Notifier(fd);
}

Notifier::~Notifier() {
  if (fd_ >= 0) close(fd_);
}

Notifier& Notifier::operator=(Notifier&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

void Notifier::Notify() const {
  const std::uint64_t one = 1;
  // The only other failure is EAGAIN at 2^64 - 2 pending notifications, and then one is pending.
  while (write(fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
}

void Notifier::Consume() const {
  std::uint64_t pending = 0;
  while (read(fd_, &pending, sizeof pending) < 0 && errno == EINTR) {
  }
}

}  // namespace dpuflow
