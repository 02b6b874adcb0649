// SPDX-License-Identifier: Apache-2.0
//
// A queue that is long for moments only. What it takes is in two large pieces, which go back when they have been emptied. The
// many small ones of a std::deque would lie between flows that came meanwhile, and stay: 30 bytes for each of 100,000 flows.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace dpuflow::flow {

template <typename T>
class Fifo {
 public:
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::size_t size() const { return out_.size() - taken_ + in_.size(); }

  void Push(T value) { in_.push_back(std::move(value)); }
  // The oldest; there must be one.
  T Pop() {
    if (taken_ == out_.size()) {
      out_.clear();
      taken_ = 0;
      std::swap(in_, out_);
    }
    T oldest = std::move(out_[taken_++]);
    if (taken_ == out_.size() && out_.capacity() > kKept) {
      std::vector<T>().swap(out_);  // an assignment of nothing would keep the room
      taken_ = 0;
    }
    return oldest;
  }

 private:
  static constexpr std::size_t kKept = 1024;  // values for which there is room when it is empty

  std::vector<T> out_;  // the oldest, from `taken_` on
  std::size_t taken_ = 0;
  std::vector<T> in_;
};

}  // namespace dpuflow::flow
