// SPDX-License-Identifier: Apache-2.0
//
// Keeps neighbours and stations that only hardware, or the classifier, uses from expiring in the kernel, which sees no
// packet to or from them: it is told that they are in use, each no more often than that needs.
//
// Lives on the loop; the telling is done on a thread of its own (neigh_refresher.h).
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "agent/daemon/metrics.h"
#include "agent/kernel/neigh_refresher.h"
#include "agent/kernel/tables.h"

namespace dpuflow {

class KeepAlive {
 public:
  // Not `enabled`: it tells nobody, so that what is used by hardware alone expires. Errors: those of its socket.
  static Result<std::unique_ptr<KeepAlive>> Start(bool enabled, metrics::Registry& registry);

  // Of neighbours that are sent to. Ports are swept one by one, and a router is the next hop of flows of many ports: it is
  // told once for all of them, until the next poll.
  void TellNeighs(const std::set<flow::NeighKey>& used, const kernel::Tables& tables);
  // Of stations that hardware has frames from: a few times in the bridge's ageing time, which is long.
  void TellStations(const std::vector<flow::StationUse>& used, const kernel::Tables& tables, flow::TimePoint now);
  // The counters are about to be read once more.
  void OnPoll(const kernel::Tables& tables);

 private:
  explicit KeepAlive(metrics::Registry& registry);

  metrics::AtomicCounter& neighs_told_;
  metrics::AtomicCounter& stations_told_;
  metrics::AtomicCounter& failures_;
  std::set<flow::NeighKey> neighs_;                       // told since the last poll
  std::map<flow::StationKey, flow::TimePoint> stations_;  // when their bridges were last told
  std::unique_ptr<kernel::NeighRefresher> refresher_;     // last: its thread uses the counters
};

}  // namespace dpuflow
