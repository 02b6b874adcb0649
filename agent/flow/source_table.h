// SPDX-License-Identifier: Apache-2.0
//
// The (lane, source address) pairs from which the kernel would accept packets. The classifier forwards only from
// these; an entry for a destination says nothing about who sent the packet.
//
// Pure; owned by the pipeline. Bounded: the oldest pair goes when the table is full, and is asked about again when it
// sends again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "agent/flow/events.h"
#include "netlink/address.h"

namespace dpuflow::flow {

struct SourceUpdate {
  LaneId lane;
  IpAddress address;
  bool allowed = false;

  bool operator==(const SourceUpdate&) const = default;
};

class SourceTable {
 public:
  explicit SourceTable(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] bool IsValid(const LaneId& lane, const IpAddress& address) const {
    return valid_.contains({address, lane});
  }
  void Allow(const LaneId& lane, const IpAddress& address);
  void Revoke(const LaneId& lane, const IpAddress& address);
  void RevokeIn(const IpPrefix& prefix);
  void RevokePort(std::uint32_t port);  // all of its lanes
  void RevokeAll();

  // What changed since the last call, oldest first: to be told to the classifier in this order.
  [[nodiscard]] std::vector<SourceUpdate> TakeUpdates();
  [[nodiscard]] std::size_t size() const { return valid_.size(); }

 private:
  using Pair = std::pair<IpAddress, LaneId>;
  void Remove(std::set<Pair>::iterator position);

  std::size_t capacity_;
  std::set<Pair> valid_;     // ordered by address: a prefix is a range
  std::deque<Pair> oldest_;  // in order of validation; may name pairs that are gone
  std::vector<SourceUpdate> updates_;
};

}  // namespace dpuflow::flow
