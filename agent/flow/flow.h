// SPDX-License-Identifier: Apache-2.0
//
// A flow: what the misses of one key became. One flow is at most one entry of the hardware.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "agent/flow/events.h"
#include "agent/flow/interned.h"
#include "agent/flow/mask.h"

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

// What the answers of flows rest on, and the port where they enter: the same for thousands of them. The table's (flow_table.h).
struct FlowGroup;

// There may be a hundred thousand, so what many have in common is kept once, and nothing twice: some 230 bytes.
struct Flow {
  FlowId id = 0;
  std::uint32_t place = 0;   // in its group; the table's
  Mask mask;                 // which fields of the packet are its key
  std::uint8_t section = 0;  // of its table, where keys of this shape stand (sections.h); 0: none was free

  bool queued : 1 = false;                   // stands among the operations to be issued
  bool doubtful : 1 = false;                 // a sweep did not see what is installed: it is written once more
  bool afresh : 1 = false;                   // and what stands there is removed first, since it cannot be replaced
  bool listed : 1 = false;                   // among those of which nothing is wanted (Pipeline::unwanted_)
  bool leaving : 1 = false;                  // to be forgotten as soon as the hardware holds nothing
  bool dirty : 1 = false;                    // stands among the flows to be asked about
  bool moved : 1 = false;                    // its sender has moved, says a change, and the kernel is still to be asked
  bool answered : 1 = false;                 // the kernel has been asked at least once
  bool waiting : 1 = false;                  // the answer was kWait
  bool unaudited : 1 = false;                // its counter has moved since an audit last asked the kernel about it
  std::optional<Operation::Kind> in_flight;  // the one operation under way
  std::optional<std::uint8_t> route_length;  // of the route that its packets take, if one is known
  std::uint8_t refusals = 0;                 // in a row: each doubles the wait

  Miss packet;  // the last one whose source was valid, or nothing but the key: with it the question is asked again
  Interned<Action> wanted;     // what the hardware should do; nothing: it should hold nothing
  Interned<Action> installed;  // what it does, and has acknowledged
  Interned<Reason> kept;       // why it waits, stays in software or was refused
  const FlowGroup* group = nullptr;
  Epoch held = 0;  // its add waits until other entries are gone (MustWait); since this epoch. 0: it does not

  TimePoint created;
  TimePoint asked;        // when the kernel was last asked
  TimePoint active;       // last sign of life: a miss, or a counter that moved
  TimePoint programmed;   // of the last acknowledged add or replace
  TimePoint touched;      // of the last outcome of any operation
  TimePoint retry_after;  // after a refusal: not tried again before
  TimePoint surprised;    // when a packet last came up that its entry should have kept in hardware
  TimePoint sampled;

  // Totals over the flow's life; `base_*` is what its present filter had counted at the last sample.
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t base_packets = 0;
  std::uint64_t base_bytes = 0;
  float packets_per_second = 0;  // between the last two samples
  float bytes_per_second = 0;

  [[nodiscard]] State state() const;
  [[nodiscard]] Table table() const { return mask.table; }
  [[nodiscard]] std::uint32_t port() const { return packet.port; }
  [[nodiscard]] std::uint16_t vlan() const { return packet.vlan; }
  [[nodiscard]] std::uint16_t ethertype() const { return packet.ethertype; }
  [[nodiscard]] Match match() const { return Masked(packet, mask); }
  [[nodiscard]] bool is_routed() const { return mask.Has(Mask::kDestination); }  // IsRouted(match())
  // Its key with that action.
  [[nodiscard]] Rule With(const Interned<Action>& action) const { return {match(), *action}; }
  // Without a reason: an empty one.
  [[nodiscard]] const Reason& reason() const;
  // What its answer rests on, its route apart. Valid until it is answered anew.
  [[nodiscard]] const Dependencies& dependencies() const;
  [[nodiscard]] std::optional<IpPrefix> route() const;
};

// "resolving", "waiting", ...: the words of the API and the command line.
std::string_view ToString(State state);
std::optional<State> ParseState(std::string_view text);

}  // namespace dpuflow::flow
