// SPDX-License-Identifier: Apache-2.0
#include "agent/keep_alive.h"

#include <chrono>
#include <utility>

#include "agent/daemon/log.h"

namespace dpuflow {
namespace {

constexpr int kTimesPerAge = 4;  // of a station

}  // namespace

KeepAlive::KeepAlive(metrics::Registry& registry)
    : neighs_told_(registry.AddAtomicCounter("dpuflow_neighbours_refreshed_total",
                                             "Times that the kernel was told that a stale neighbour is in use.")),
      stations_told_(registry.AddAtomicCounter(
          "dpuflow_stations_refreshed_total", "Times that a bridge was told that hardware has frames from a station.")),
      failures_(registry.AddAtomicCounter("dpuflow_neighbour_refresh_failures_total",
                                          "Times that the kernel could not be told so.")) {}

Result<std::unique_ptr<KeepAlive>> KeepAlive::Start(bool enabled, metrics::Registry& registry) {
  std::unique_ptr<KeepAlive> keep_alive(new KeepAlive(registry));
  if (!enabled) return keep_alive;
  auto refresher = kernel::NeighRefresher::Start([&self = *keep_alive](const kernel::Refreshed& refreshed) {
    self.neighs_told_.Add(refreshed.neighs);
    self.stations_told_.Add(refreshed.stations);
    self.failures_.Add(refreshed.failures.size());
    for (const Error& error : refreshed.failures) {
      log::Limited("neighbours", log::Level::kWarning, {{"ERRNO", error.code}}, "{}", error);
    }
  });
  if (!refresher) return tl::make_unexpected(refresher.error());
  keep_alive->refresher_ = std::move(*refresher);
  return keep_alive;
}

void KeepAlive::TellNeighs(const std::set<flow::NeighKey>& used, const kernel::Tables& tables) {
  if (!refresher_) return;
  for (const flow::NeighKey& neigh : used) {
    if (!tables.neighs.CanBeRefreshed(neigh) || !neighs_.insert(neigh).second) continue;
    if (!refresher_->TrySubmit(neigh)) failures_.Add();
  }
}

void KeepAlive::TellStations(const std::vector<flow::StationUse>& used, const kernel::Tables& tables,
                             flow::TimePoint now) {
  if (!refresher_) return;
  for (const flow::StationUse& use : used) {
    const netlink::Link* bridge = tables.links.Find(use.station.bridge);
    const netlink::FdbEntry* entry = tables.bridges.Refreshable(use.station, use.seen);
    if (entry == nullptr || bridge == nullptr || !bridge->bridge) continue;
    const std::chrono::milliseconds age = std::chrono::milliseconds(10) * bridge->bridge->ageing_time;
    const auto told = stations_.find(use.station);
    if (told != stations_.end() && now - told->second < age / kTimesPerAge) continue;
    if (!refresher_->TrySubmit(*entry)) {
      failures_.Add();
      continue;
    }
    stations_[use.station] = now;
  }
}

void KeepAlive::OnPoll(const kernel::Tables& tables) {
  neighs_.clear();
  std::erase_if(stations_, [&](const auto& told) { return tables.bridges.Find(told.first) == nullptr; });
}

}  // namespace dpuflow
