// SPDX-License-Identifier: Apache-2.0
//
// The pipeline: events in, operations out.
//
//   miss ----> question --(kernel)--> answer ----> wanted rule --+
//   change --> dirty flow -> question ...                        +--> operation --(hardware)--> outcome
//   sample --> idle flow ----------------------> nothing wanted -+
//
// Each flow carries what the hardware should hold (`wanted`) and what it does hold (`installed`). Every event changes
// one of the two; wherever they differ, one operation is issued, and the next only after its outcome. So nothing has to
// be undone, and the order of events does not matter.
//
// The first miss to a destination asks with nothing but the destination in its key. The answer says which fields the
// kernel's choice looks at, and the flow gets a key with these (targets.h).
//
// In six files: pipeline.cc has misses, answers and operations; pipeline_ports.cc ports and guards; pipeline_changes.cc
// what changes in the kernel dirty; pipeline_time.cc counters, aging and retries; pipeline_room.cc who makes room for whom;
// pipeline_audit.cc what an audit finds.
//
// Pure: no descriptor, clock, log or thread; time comes in as an argument. Used on one thread. Whoever drives it takes
// questions, sources and operations after each batch of events, asks the kernel, tells the classifier and the backend,
// and hands answers and outcomes back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/flow/events.h"
#include "agent/flow/fifo.h"
#include "agent/flow/flow_table.h"
#include "agent/flow/interned.h"
#include "agent/flow/ledger.h"
#include "agent/flow/moving_stations.h"
#include "agent/flow/port.h"
#include "agent/flow/source_table.h"
#include "agent/flow/sweep.h"
#include "agent/flow/targets.h"

namespace dpuflow::flow {

struct Limits {
  Duration idle_time = std::chrono::seconds(30);
  std::size_t max_entries = 65536;    // wanted entries over all ports, guards not counted
  std::size_t max_questions = 65536;  // waiting to be asked because of packets; more are dropped, and counted
  std::size_t max_sources = 65536;    // validated (lane, source) pairs
  Duration retry_min = std::chrono::seconds(1);  // after a first refusal; doubles
  Duration retry_max = std::chrono::seconds(60);
  Duration reask =
      std::chrono::seconds(5);  // a flow kept in software is asked about again after this, if it still sends
  Duration room_stay =
      std::chrono::seconds(10);  // an entry stays for this before it makes room, and out of it afterwards
  Duration room_quiet =
      std::chrono::seconds(3);  // one whose counter was seen standing still for this makes room for any other
  // A packet that comes up this long after all its entries were acknowledged is a surprise: two periods of a driver's counters.
  Duration surprise = std::chrono::seconds(2);
};

// Totals since the start. Everything that is left undone is counted here, by reason.
struct PipelineCounters {
  std::uint64_t misses = 0;
  std::map<std::uint32_t, std::uint64_t> misses_by_port;  // of the ports that take part
  std::uint64_t misses_unknown_port = 0;
  std::uint64_t misses_not_for_router = 0;
  std::uint64_t misses_not_supported = 0;  // no lane of the port's, or IPv6 while the machine does not forward it
  std::uint64_t misses_table_full = 0;     // more flows than twice max_entries
  std::uint64_t questions_dropped = 0;     // more than max_questions
  std::uint64_t questions = 0;
  std::size_t packets_peak = 0;  // the most packets that have ever waited to be asked about; likewise the next two
  std::size_t changed_peak = 0;  // flows that something has changed for
  std::size_t operations_peak = 0;
  std::uint64_t answers_forward = 0;
  std::uint64_t answers_wait = 0;
  std::uint64_t answers_software = 0;
  std::uint64_t sources_refused = 0;
  std::uint64_t dirtied = 0;
  std::uint64_t adds = 0;  // acknowledged
  std::uint64_t replaces = 0;
  std::uint64_t removes = 0;
  std::uint64_t expired = 0;
  std::uint64_t evicted = 0;                   // to make room for others
  std::uint64_t adopted = 0;                   // entries of an earlier run
  std::uint64_t vanished = 0;                  // entries that someone else took out of the hardware
  std::map<int, std::uint64_t> refusals;       // by errno
  std::array<std::uint64_t, kWhys> reasons{};  // times that a flow was kept or taken out of hardware, by Why
};

// A packet that hardware should have kept: what it needs has stood there for a while, by the driver's word.
struct Surprise {
  FlowId flow = 0;              // the packet's own
  std::vector<FlowId> entries;  // its entry, those that lead there, and the port's guards
  TimePoint seen;
};

class Pipeline {
 public:
  // `last_id`: flows are numbered from the one after it, so that they are not those of an earlier run.
  explicit Pipeline(const Limits& limits, FlowId last_id = 0)
      : limits_(limits), table_(last_id), sources_(limits.max_sources) {}

  // An entry of an earlier run that stands on a port, which has not been set yet: it goes on as a flow, and is asked about as
  // soon as the port is set, with a packet that it may have been made for. False: it is in the way of another one.
  [[nodiscard]] bool Adopt(FlowId id, const Rule& rule, std::uint8_t section, const Miss& packet, TimePoint now);
  // A port takes part from now on, or has changed. Its guards are wanted at once; nothing forwards before they stand.
  void SetPort(const Port& port, TimePoint now);
  // The port is gone, or taken from us: its flows are forgotten without operations. Operations under way for it may
  // still come back; `InFlight` says when all have.
  void RemovePort(std::uint32_t ifindex);
  // Nothing of ours is left there: what has waited for that (moving_stations.h) may go on.
  void PortReleased(std::uint32_t ifindex);

  // `sighting`: when the packet came up, and what became of it.
  void OnMiss(const Miss& miss, const Sighting& sighting, TimePoint now);
  void OnMiss(const Miss& miss, TimePoint now) { OnMiss(miss, {now}, now); }
  void OnChange(const Change& change, TimePoint now);
  void OnAnswer(const Answer& answer, TimePoint now);
  void OnOutcome(const Outcome& outcome, TimePoint now);

  // Judges at most so many flows of the port that was swept, and says how many; fewer: those were the last. One that was
  // programmed before the sweep and is not in it has vanished. Entries that stood still for the idle time are removed.
  std::size_t OnSweep(Sweep& sweep, std::size_t most);
  // The audit (pipeline_audit.cc). The flow, if its entry stands and can be compared: nothing is under way for it. Else null.
  [[nodiscard]] const Flow* FindStanding(FlowId id) const;
  // The question that the flow's entry answers; nothing where the kernel has no say in it (guards, L2 destinations).
  [[nodiscard]] std::optional<Question> AuditQuestion(FlowId id) const;
  // Whether the kernel's answer to it, if it were given now, would change the entry. False while one is on its way.
  [[nodiscard]] bool Disagrees(const Answer& answer) const;
  // The entry is not as installed, by what was read since `began`; it is written again, from nothing where `afresh`. False:
  // it has been written or removed since, and nothing is done.
  bool Rewrite(FlowId id, bool afresh, TimePoint began);
  // Something stands in the place of a flow that should have no entry: it is removed. False as above.
  bool Evict(FlowId id, TimePoint began);
  // The flow is asked about again.
  void AskAgain(FlowId id);
  // What an entry does where the kernel answers so.
  [[nodiscard]] static Action ActionOf(const Answer& answer);
  // The kernel has been asked on behalf of an audit.
  void NoteAudited(FlowId id);
  [[nodiscard]] std::vector<Surprise> TakeSurprises() { return std::exchange(surprises_, {}); }

  // Each second: forgets flows in software that no packet has asked for since the idle time, and tries again what was refused.
  // Looks at so many flows; true: all have been looked at.
  bool OnTick(TimePoint now, std::size_t most);

  // Removes the flows (guards excepted) that `selected` says; returns how many.
  std::size_t Flush(const std::function<bool(const Flow&)>& selected);

  [[nodiscard]] std::vector<Question> TakeQuestions(std::size_t most, TimePoint now);
  [[nodiscard]] std::vector<SourceUpdate> TakeSourceUpdates() { return sources_.TakeUpdates(); }
  [[nodiscard]] std::vector<Operation> TakeOperations(std::size_t most, TimePoint now);

  // The neighbours that packets went to without the kernel, since the last call: by hardware, as the counters of the sweeps
  // show, or by the classifier, as misses of flows without an entry do. A route with several paths: of those only that of a
  // path that was taken.
  [[nodiscard]] std::set<NeighKey> TakeUsedNeighs() { return std::exchange(used_neighs_, {}); }

  // Likewise the stations of bridges that hardware has had frames from.
  [[nodiscard]] std::vector<StationUse> TakeUsedStations() { return std::exchange(used_stations_, {}); }

  // The classifier could not be told that this source is valid.
  void SourceNotTaken(const LaneId& lane, const IpAddress& address) { sources_.Revoke(lane, address); }

  // Nothing to be asked, nothing to be issued, nothing under way.
  [[nodiscard]] bool settled() const { return ledger_.empty(); }
  // A mark, and whether everything that had come in before it has had its effect.
  [[nodiscard]] Epoch Mark() {
    const Epoch mark = ledger_.Mark();
    cause_ = ledger_.now();
    return mark;
  }
  [[nodiscard]] bool SettledThrough(Epoch mark) const { return ledger_.ClosedThrough(mark); }
  [[nodiscard]] std::size_t InFlight(std::uint32_t port) const;
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  [[nodiscard]] std::size_t packets_waiting() const { return questions_.size(); }
  [[nodiscard]] std::size_t changed_waiting() const { return dirty_.size(); }
  [[nodiscard]] std::size_t questions_waiting() const { return packets_waiting() + changed_waiting(); }
  [[nodiscard]] std::size_t operations_waiting() const { return changes_.size() + adds_.size(); }
  [[nodiscard]] const FlowTable& flows() const { return table_; }
  // The key of the flow that this answer is about.
  [[nodiscard]] Match KeyFor(const Answer& answer) const;
  [[nodiscard]] bool IsApproved(const LaneId& lane, const IpAddress& source) const {
    return sources_.IsValid(lane, source);
  }
  [[nodiscard]] bool full() const { return wanted_ >= limits_.max_entries; }  // no room for one more entry
  [[nodiscard]] const PipelineCounters& counters() const { return counters_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  struct PortState {
    Port port;
    std::size_t guards_missing = 0;  // guards wanted and not yet installed
    std::string guard_refusal;       // why a guard could not be installed: then nothing is offloaded here
    bool checks_sources = false;     // in one of its lanes at least
  };

  void Want(Flow& flow, const Action& action, TimePoint now);  // the hardware should hold an entry that does so
  void Unwant(Flow& flow);                                     // the hardware should hold nothing
  void StopWanting(Flow& flow);                                // ... and no operation is queued
  void NoteUnwanted(Flow& flow);
  void Leave(Flow& flow);           // ... and then the flow is forgotten
  void Settle(FlowId id);           // queue an operation if wanted and installed differ
  bool MustWait(const Flow& flow);  // its add, for entries that are on their way out
  void Queue(Flow& flow, Epoch epoch);
  struct Queued {  // a flow to be settled
    FlowId flow = 0;
    Epoch epoch = 0;
    Course course{};
  };
  std::optional<Operation> Issue(const Queued& queued, TimePoint now);
  void Forget(FlowId id);
  [[nodiscard]] bool HasRoom(const Match& match);
  Flow& Obtain(const Match& match, TimePoint now);
  void Ask(const Flow& flow, const Miss& miss, const Course& course);
  void TakeDirty(std::size_t most, std::vector<Question>& taken, TimePoint now);
  void NoteSource(const Answer& answer);
  void Apply(Flow& flow, const PortState& port, const Answer& answer, TimePoint now);
  [[nodiscard]] Form FormOf(std::uint32_t port) const;
  // Which fields a key needs for this answer, seeing those that others of its target need.
  [[nodiscard]] Fields FieldsFor(const Answer& answer) const;
  // The flow that an answer is about. Those of its target whose keys do not fit the answer's fields leave. Null: no room.
  Flow* Reshape(const Answer& answer, TimePoint now);
  // The flow of the bridged packets of an answer. Null: no room.
  Flow* ReshapeBridged(const Answer& answer, TimePoint now);
  // What leads a packet to its own entry (form.h). `sender` as in Answer: nothing where the packet is no bridge's.
  void EnsureWay(const Lane& lane, const Miss& miss, const std::optional<StationKey>& sender, TimePoint now);
  void SetSender(Flow& flow, const std::optional<StationKey>& sender);
  [[nodiscard]] bool LeadsOn(const Lane& lane, const Miss& miss) const;
  [[nodiscard]] Reason WhyNot(const Flow& flow, const PortState& state, const Answer& answer, TimePoint now) const;
  void Refused(Flow& flow, const Error& error, TimePoint now);
  void Explain(Flow& flow, const Reason& reason);  // why it is not in hardware; counted where it is news
  // pipeline_changes.cc
  void RevokeSources(const Change& change);
  void MarkDirty(Flow& flow);
  void MarkDirtyToAsk(Flow& flow);
  [[nodiscard]] static bool IsSenderInHardware(const Flow& flow);
  void EndDoubt(FlowId id);
  // pipeline_ports.cc
  void EnsureGuards(PortState& state, TimePoint now);
  void EnsureGuards(PortState& state, const Lane& lane, std::vector<FlowId>& standing, TimePoint now);
  void OnGuard(std::uint32_t ifindex);
  void CountGuards(PortState& state);
  // pipeline_time.cc
  [[nodiscard]] static bool IsToBeJudged(const Flow& flow, const Sweep& sweep);
  void Judge(Flow& flow, const Sample* sample, TimePoint now);
  void Tick(Flow& flow, TimePoint now);
  // pipeline_room.cc
  void NoteFull(const Flow& flow, TimePoint now);     // it has found no room
  void StandInLine(const Flow& flow, TimePoint now);  // likewise, by hardware's word
  void OnRoom(Table table, TimePoint now);
  void MakeRoom(TimePoint now);
  [[nodiscard]] std::vector<FlowId> LeastUsed(std::optional<Table> table, TimePoint now, std::size_t& quiet) const;
  // pipeline_audit.cc
  [[nodiscard]] static bool IsStanding(const Flow& flow);
  void NoteSurprise(Flow& flow, const Lane& lane, const Miss& miss, TimePoint seen);

  Limits limits_;
  Pool<Action> actions_;  // of the flows, as the next
  Pool<Reason> reasons_;
  FlowTable table_;
  SourceTable sources_;
  std::unordered_map<std::uint32_t, PortState> ports_;
  std::size_t checking_ = 0;  // ports that check sources
  Targets targets_{table_};
  MovingStations moving_;
  Ledger ledger_;
  Epoch cause_ = ledger_.now();  // of what is being worked on
  Course course_{};              // likewise, where it is a packet
  std::size_t wanted_ = 0;       // flows with a wanted rule, guards not counted
  // Flows of which nothing is wanted, for OnTick; some may have gone, or have something wanted by now.
  std::vector<FlowId> unwanted_;
  std::vector<FlowId> ticking_;  // of these, those that OnTick has still to look at
  Fifo<Question> questions_;
  Fifo<std::pair<FlowId, Epoch>> dirty_;
  Fifo<Queued> changes_;  // flows that have an entry
  Fifo<Queued> adds_;     // ... that have none
  std::unordered_map<FlowId, Operation> in_flight_;
  struct Pressure {
    std::size_t found_none = 0;  // packets of flows that found no room
    std::size_t persistent = 0;  // of those, of flows that have been sending for a while
  };
  std::map<Table, Pressure> pressure_;         // since the last tick
  std::map<Table, std::deque<FlowId>> lines_;  // flows that hardware had no room for, the first to be tried first
  std::set<NeighKey> used_neighs_;
  std::vector<StationUse> used_stations_;
  std::vector<Surprise> surprises_;
  PipelineCounters counters_;
};

}  // namespace dpuflow::flow
