// SPDX-License-Identifier: Apache-2.0
//
// What is still to be done, by the epoch of its cause. Whoever wants to know when everything that has happened so far has
// had its effect takes a mark and waits until the ledger is closed through it; what comes in later does not count, so
// a steady stream of new work cannot make the wait endless.
#pragma once

#include <cstddef>
#include <map>

#include "agent/flow/events.h"

namespace dpuflow::flow {

class Ledger {
 public:
  // The epoch of what comes in now; never 0.
  [[nodiscard]] Epoch now() const { return now_; }
  // Ends this epoch and returns it.
  Epoch Mark() { return now_++; }

  void Open(Epoch epoch) { ++open_[epoch]; }
  void Close(Epoch epoch) {
    const auto found = open_.find(epoch);
    if (found != open_.end() && --found->second == 0) open_.erase(found);
  }

  [[nodiscard]] bool empty() const { return open_.empty(); }
  [[nodiscard]] bool ClosedThrough(Epoch epoch) const { return open_.empty() || open_.begin()->first > epoch; }

 private:
  Epoch now_ = 1;
  std::map<Epoch, std::size_t> open_;  // few at a time: an epoch ends only when somebody waits
};

}  // namespace dpuflow::flow
