// SPDX-License-Identifier: Apache-2.0
//
// The way values cross threads: a bounded first-in-first-out queue, moved in one at a time and out in batches.
//
// Two kinds of consumer. A thread of its own waits with PopBatch. The event loop must not wait: give the queue a
// Notifier, add the notifier's fd to the loop, and in its callback Consume() and then TryPopBatch until it returns
// nothing (or once with a limit: what remains notifies again).
//
// A full queue refuses (TryPush, counted in refused()) or makes the producer wait (Push). The loop uses TryPush only;
// what it cannot push it keeps, since a loop that waits for a thread that waits for the loop stands still.
//
// All functions may be called from any thread. The notifier, if any, must outlive the queue.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "agent/daemon/notifier.h"

namespace dpuflow {

// How full a queue is, for people.
struct QueueDepth {
  std::string name;
  std::size_t depth = 0;
  std::size_t peak = 0;  // the most that has ever stood in it
  std::size_t limit = 0;
  std::uint64_t overflows = 0;  // times that something found it full
};

template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity, const Notifier* notifier = nullptr)
      : capacity_(capacity), notifier_(notifier) {}
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  // False, and `value` untouched, when the queue is full or closed.
  [[nodiscard]] bool TryPush(T&& value) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_ || items_.size() >= capacity_) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        return false;
      }
      Append(std::move(value));
    }
    Wake();
    return true;
  }

  // Waits while the queue is full. False, and `value` untouched, when the queue is closed.
  [[nodiscard]] bool Push(T&& value) {
    {
      std::unique_lock lock(mutex_);
      not_full_.wait(lock, [this] { return closed_ || items_.size() < capacity_; });
      if (closed_) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        return false;
      }
      Append(std::move(value));
    }
    Wake();
    return true;
  }

  // At most `limit` values, oldest first; none when the queue is empty. If values remain, the notifier is woken again.
  [[nodiscard]] std::vector<T> TryPopBatch(std::size_t limit) {
    std::unique_lock lock(mutex_);
    return Take(lock, limit);
  }

  // Waits until there is a value, or the queue is closed, or `timeout` is over. Values that were pushed before Close
  // are still handed out, so an empty batch with closed() means the end.
  template <typename Rep, typename Period>
  [[nodiscard]] std::vector<T> PopBatch(std::size_t limit, std::chrono::duration<Rep, Period> timeout) {
    std::unique_lock lock(mutex_);
    not_empty_.wait_for(lock, timeout, [this] { return closed_ || !items_.empty(); });
    return Take(lock, limit);
  }

  // No more values come in; everyone who waits returns.
  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_empty_.notify_all();
    not_full_.notify_all();
    if (notifier_ != nullptr) notifier_->Notify();
  }

  [[nodiscard]] bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }
  // The most that has ever stood in it.
  [[nodiscard]] std::size_t peak() const {
    const std::lock_guard lock(mutex_);
    return peak_;
  }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  [[nodiscard]] QueueDepth Depth(std::string name) const {
    return {std::move(name), size(), peak(), capacity_, refused()};
  }

 private:
  void Append(T&& value) {
    items_.push_back(std::move(value));
    peak_ = std::max(peak_, items_.size());
  }

  void Wake() {
    not_empty_.notify_one();
    if (notifier_ != nullptr) notifier_->Notify();
  }

  std::vector<T> Take(std::unique_lock<std::mutex>& lock, std::size_t limit) {
    const auto count = std::min(limit, items_.size());
    const auto end = items_.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<T> batch(std::make_move_iterator(items_.begin()), std::make_move_iterator(end));
    items_.erase(items_.begin(), end);
    const bool more = !items_.empty();
    lock.unlock();
    if (count > 0) not_full_.notify_all();
    if (more && notifier_ != nullptr) notifier_->Notify();
    return batch;
  }

  const std::size_t capacity_;
  const Notifier* const notifier_;
  mutable std::mutex mutex_;
  std::condition_variable not_empty_;
  std::condition_variable not_full_;
  std::deque<T> items_;
  std::size_t peak_ = 0;
  bool closed_ = false;
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace dpuflow
