// SPDX-License-Identifier: Apache-2.0
//
// What happens when hardware is full, or flows.max-entries is reached: the least used entries make room.
//
// A packet that finds no room is noted, and its flow stays in software. Once a tick, as many entries leave as have found none: of
// the same table, those whose counters have stood still, the longest first. Where all counters move, those that move least, but
// only for flows that have been sending for a while: packets to many destinations, each of which comes once, push out nothing
// that is in use. Who has come in stays for a time, and who has made room stays out for as long, so that two flows that want the
// same place do not take it from each other all the time.
#include <algorithm>
#include <cerrno>

#include "agent/flow/pipeline.h"

namespace dpuflow::flow {
namespace {

constexpr std::size_t kShare = 64;  // of a table's entries, one of so many leaves per tick at most
constexpr Duration kPersistent = std::chrono::seconds(2);  // a flow that still sends after this is in use

bool LessUsed(const Flow& one, const Flow& other) {
  return one.packets_per_second != other.packets_per_second ? one.packets_per_second < other.packets_per_second
                                                            : one.active < other.active;
}

}  // namespace

void Pipeline::NoteFull(const Flow& flow, TimePoint now) {
  Pressure& pressure = pressure_[flow.table()];
  ++pressure.found_none;
  if (flow.table() == Table::kGuard || now - flow.created >= kPersistent) ++pressure.persistent;
}

// Entries that may leave for others, the least used first; those whose counters move come last.
std::vector<FlowId> Pipeline::LeastUsed(std::optional<Table> table, TimePoint now, std::size_t& quiet) const {
  std::vector<const Flow*> still;
  std::vector<const Flow*> moving;
  for (const auto& [id, flow] : table_.all()) {
    if (flow.table() == Table::kGuard || (table && flow.table() != *table)) continue;
    if (!IsStanding(flow) || now - flow.programmed < limits_.room_stay) continue;
    (flow.sampled - flow.active >= limits_.room_quiet ? still : moving).push_back(&flow);
  }
  std::ranges::sort(still, {}, [](const Flow* flow) { return flow->active; });
  std::ranges::sort(moving, [](const Flow* one, const Flow* other) { return LessUsed(*one, *other); });
  quiet = still.size();
  std::vector<FlowId> ids;
  for (const auto* flows : {&still, &moving}) {
    for (const Flow* flow : *flows) ids.push_back(flow->id);
  }
  return ids;
}

void Pipeline::MakeRoom(TimePoint now) {
  for (const auto& [table, pressure] : std::exchange(pressure_, {})) {
    std::size_t quiet = 0;
    std::vector<FlowId> candidates = LeastUsed(table, now, quiet);
    // Guards make no room for each other; and what is full may be what all tables share.
    if (candidates.empty()) candidates = LeastUsed(std::nullopt, now, quiet);
    const std::size_t most = std::max<std::size_t>(1, candidates.size() / kShare);
    const std::size_t leave =
        std::min({most, candidates.size(), std::max(std::min(pressure.found_none, quiet), pressure.persistent)});
    for (std::size_t i = 0; i < leave; ++i) {
      Flow& flow = *table_.Find(candidates[i]);
      ++counters_.evicted;
      Explain(flow, {Why::kNoRoom, "its table is full, and others are used more"});
      flow.retry_after = now + limits_.room_stay;
      Unwant(flow);
    }
  }
}

// An entry of this table is gone: the next in line that still sends may try with its next packet.
void Pipeline::OnRoom(Table table, TimePoint now) {
  std::deque<FlowId>& line = lines_[table];
  while (!line.empty()) {
    Flow* flow = table_.Find(line.front());
    line.pop_front();
    if (flow == nullptr || flow->wanted || flow->retry_after <= now || now - flow->active > kPersistent) continue;
    flow->retry_after = now;
    return;
  }
}

// Hardware has no room for it. It stands in line with the others that have found none.
void Pipeline::StandInLine(const Flow& flow, TimePoint now) {
  NoteFull(flow, now);
  std::deque<FlowId>& line = lines_[flow.table()];
  if (line.size() < limits_.max_entries) line.push_back(flow.id);
}

}  // namespace dpuflow::flow
