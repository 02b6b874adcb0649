// SPDX-License-Identifier: Apache-2.0
//
// A flow: what the misses of one key became. One flow is at most one entry of the hardware.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "agent/flow/events.h"

namespace dpuflow::flow {

enum class State : std::uint8_t {
  kResolving,    // the kernel has not been asked yet
  kWaiting,      // for a neighbour
  kSoftware,     // stays in software, for `reason`
  kProgramming,  // an add or replace is on its way
  kOffloaded,    // in_hw and acknowledged
  kRemoving,     // a removal is on its way
};
inline constexpr std::size_t kStates = static_cast<std::size_t>(State::kRemoving) + 1;

struct Flow {
  FlowId id = 0;
  Match match;
  std::uint8_t section = 0;  // of its table, where keys of this shape stand (sections.h); 0: none was free

  std::optional<Rule> wanted;                // what the hardware should hold; nothing: it should hold nothing
  std::optional<Rule> installed;             // what it holds and has acknowledged
  std::optional<Operation::Kind> in_flight;  // the one operation under way
  bool queued = false;                       // stands among the operations to be issued
  std::optional<Epoch> held;                 // its add waits until other entries are gone (MustWait); since this epoch
  bool doubtful = false;                     // a sweep did not see what is installed: it is written once more
  bool afresh = false;                       // and what stands there is removed first, since it cannot be replaced
  bool listed = false;                       // among those of which nothing is wanted (Pipeline::unwanted_)
  bool leaving = false;                      // to be forgotten as soon as the hardware holds nothing
  bool dirty = false;                        // stands among the flows to be asked about
  bool moved = false;                        // its sender has moved, says a change, and the kernel is still to be asked
  bool answered = false;                     // the kernel has been asked at least once
  bool waiting = false;                      // the answer was kWait
  Reason reason;                             // why it waits, stays in software or was refused
  Dependencies dependencies;
  Miss miss;  // the last one whose source was valid: with it the question is asked again

  TimePoint created;
  TimePoint asked;        // when the kernel was last asked
  TimePoint active;       // last sign of life: a miss, or a counter that moved
  TimePoint programmed;   // of the last acknowledged add or replace
  TimePoint touched;      // of the last outcome of any operation
  TimePoint retry_after;  // after a refusal: not tried again before
  TimePoint surprised;    // when a packet last came up that its entry should have kept in hardware

  // Totals over the flow's life; `base` is what its present filter had counted at the last sample.
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  Sample base;
  std::uint64_t audited_packets = 0;  // what `packets` was when an audit last asked the kernel about the flow
  TimePoint sampled;
  double packets_per_second = 0;  // between the last two samples
  double bytes_per_second = 0;
  unsigned refusals = 0;  // in a row: each doubles the wait

  [[nodiscard]] State state() const;
};

// "resolving", "waiting", ...: the words of the API and the command line.
std::string_view ToString(State state);
std::optional<State> ParseState(std::string_view text);

}  // namespace dpuflow::flow
