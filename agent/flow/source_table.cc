// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/source_table.h"

#include <utility>

namespace dpuflow::flow {

void SourceTable::Allow(const LaneId& lane, const IpAddress& address) {
  if (!valid_.insert({address, lane}).second) return;
  updates_.push_back({lane, address, true});
  oldest_.emplace_back(address, lane);
  while (valid_.size() > capacity_ || oldest_.size() > 2 * capacity_) {
    const auto position = valid_.find(oldest_.front());
    oldest_.pop_front();
    if (position != valid_.end()) Remove(position);
  }
}

void SourceTable::Remove(std::set<Pair>::iterator position) {
  updates_.push_back({position->second, position->first, false});
  valid_.erase(position);
}

void SourceTable::Revoke(const LaneId& lane, const IpAddress& address) {
  const auto position = valid_.find({address, lane});
  if (position != valid_.end()) Remove(position);
}

void SourceTable::RevokeIn(const IpPrefix& prefix) {
  const IpAddress last = prefix.Last();
  for (auto it = valid_.lower_bound({prefix.address, {}}); it != valid_.end() && it->first <= last;) Remove(it++);
}

void SourceTable::RevokePort(std::uint32_t port) {
  for (auto it = valid_.begin(); it != valid_.end();) {
    const auto current = it++;
    if (current->second.port == port) Remove(current);
  }
}

void SourceTable::RevokeAll() {
  for (auto it = valid_.begin(); it != valid_.end();) Remove(it++);
}

std::vector<SourceUpdate> SourceTable::TakeUpdates() { return std::exchange(updates_, {}); }

}  // namespace dpuflow::flow
