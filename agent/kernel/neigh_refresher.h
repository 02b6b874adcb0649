// SPDX-License-Identifier: Apache-2.0
//
// Tells the kernel of uses that it does not see: of neighbours that hardware sends packets to, and of stations of bridges
// that it has frames from.
//
// A neighbour that no packet of the kernel's own goes to turns STALE when its reachable time is over. Nobody asks then
// whether it is still there, and in the end it is collected (neigh_periodic_work). Being told of a use, the kernel does what
// it does for a packet: it probes the neighbour by its own timers, and finds it REACHABLE or FAILED.
//
// The message takes rtnl, which a driver may hold for seconds, so there is a thread for it. By the time that it is sent, the
// neighbour may be another than the one the loop knew, and to some the message does harm (AppendNeighUse): it is looked
// at once more right before. A station is not: whoever submits it knows that it was learned, and where it was when it sent.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <variant>
#include <vector>

#include "agent/daemon/bounded_queue.h"
#include "agent/flow/events.h"
#include "netlink/bridge.h"
#include "netlink/error.h"
#include "netlink/socket.h"

namespace dpuflow::kernel {

struct Refreshed {
  std::size_t neighs = 0;       // that the kernel was told about
  std::size_t stations = 0;     // likewise
  std::vector<Error> failures;  // of what is there and needs it: one for each

  bool operator==(const Refreshed&) const = default;
};

// Tells the kernel, on `socket`, that these are in use. One that is gone, or is not STALE any more, is passed over.
Refreshed Refresh(netlink::Socket& socket, std::span<const flow::NeighKey> neighs);
// Tells the bridges that these have sent. One whose port has gone is passed over.
Refreshed RefreshStations(netlink::Socket& socket, std::span<const netlink::FdbEntry> stations);

class NeighRefresher {
 public:
  using Sink = std::function<void(const Refreshed&)>;  // on the refresher's thread, when there is something to say

  static Result<std::unique_ptr<NeighRefresher>> Start(Sink sink);
  ~NeighRefresher();  // what stands in the queue is still told
  NeighRefresher(const NeighRefresher&) = delete;
  NeighRefresher& operator=(const NeighRefresher&) = delete;

  // False when there is no room: it is still in use at the next poll.
  [[nodiscard]] bool TrySubmit(flow::NeighKey neigh) { return uses_.TryPush(std::move(neigh)); }
  [[nodiscard]] bool TrySubmit(const netlink::FdbEntry& station) { return uses_.TryPush(station); }

 private:
  NeighRefresher(netlink::Socket socket, Sink sink);
  void Run();

  netlink::Socket socket_;
  BoundedQueue<std::variant<flow::NeighKey, netlink::FdbEntry>> uses_;
  Sink sink_;
  std::thread thread_;
};

}  // namespace dpuflow::kernel
