// SPDX-License-Identifier: Apache-2.0
//
// Wakes a loop from another thread: an eventfd(2). Notifications collapse: a hundred before the loop looks wake it
// once.
#pragma once

#include <utility>

#include "netlink/error.h"

namespace dpuflow {

class Notifier {
 public:
  [[nodiscard]] static Result<Notifier> Create();
  ~Notifier();
  Notifier(Notifier&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Notifier& operator=(Notifier&& other) noexcept;

  // Any thread. Never blocks, never fails.
  void Notify() const;

  // The woken side: takes back what was notified. Call it before draining what the notification is about, so that
  // nothing that comes in between is missed.
  void Consume() const;

  // Readable while a notification is pending. Owned by this object.
  [[nodiscard]] int fd() const { return fd_; }

 private:
  explicit Notifier(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace dpuflow
