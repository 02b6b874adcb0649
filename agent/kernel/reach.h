// SPDX-License-Identifier: Apache-2.0
//
// Between which ports hardware can send, on a NIC of several eswitches (p0 and p1 of a BlueField).
//
// Within an eswitch it can. From one to another that depends on the NIC, on its mode (devlink's esw_multiport) and on what
// the two ports are (mlx5e_is_valid_eswitch_fwd_dev); no attribute tells, so it is tried: one entry from a port of each kind
// to a port of each kind in another eswitch. Until a trial has told, and where it says no, packets stay in software.
//
// Pure; lives on the loop.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/flow/events.h"
#include "agent/flow/reason.h"
#include "agent/kernel/switch_ports.h"
#include "netlink/error.h"

namespace dpuflow::kernel {

// Ports that are alike in what they reach.
struct PortKind {
  netlink::DevlinkHandle eswitch;
  PortRole role = PortRole::kVf;

  auto operator<=>(const PortKind&) const = default;
};

class Reach {
 public:
  // An entry to be tried: at port `from`, with a redirect to port `to`. Both are ifindexes.
  struct Trial {
    std::uint32_t from = 0;
    std::uint32_t to = 0;

    auto operator<=>(const Trial&) const = default;
  };
  // What is to be tried now, each with the first of its kind among `ready`: pairs of kinds that are not known yet, or no
  // longer.
  std::vector<Trial> TakeTrials(const std::map<std::uint32_t, PortKind>& ready, flow::TimePoint now);
  // A trial has ended. `verdict`: an error holds the driver's words; nothing when the trial says nothing (a port that went,
  // a full table), and is to be repeated. Returns whether what was known has changed.
  bool OnTried(const Trial& trial, const std::optional<Result<void>>& verdict, flow::TimePoint now);
  // An entry of an earlier run stands between ports of these kinds. That counts until a trial tells.
  void OnStanding(const PortKind& from, const PortKind& to);
  // The NIC may have another mode: everything is tried again. What is known counts until then.
  void TryAgain();

  [[nodiscard]] bool busy() const { return !under_way_.empty(); }  // with trials

  // Why hardware cannot send from the one to the other; nothing: it can. `name`: of the port `to`.
  [[nodiscard]] std::optional<flow::Reason> Obstacle(const PortKind& from, const PortKind& to,
                                                     const std::string& name) const;

 private:
  struct Pair {
    std::optional<bool> reached;  // nothing: not known yet
    std::string refusal;          // the driver's
    bool due = true;              // to be tried, or tried again
    bool under_way = false;
    flow::TimePoint not_before;
  };
  using Kinds = std::pair<PortKind, PortKind>;  // from, to
  std::map<Kinds, Pair> pairs_;
  std::map<Trial, Kinds> under_way_;  // their ports may be gone before they end
};

}  // namespace dpuflow::kernel
