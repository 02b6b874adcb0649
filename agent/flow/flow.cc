// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow.h"

#include <array>

#include "agent/flow/flow_table.h"

namespace dpuflow::flow {
namespace {

constexpr std::array<std::string_view, kStates> kStateNames = {"resolving",   "waiting",   "software",
                                                               "programming", "offloaded", "removing"};

}  // namespace

State Flow::state() const {
  if (in_flight) return *in_flight == Operation::Kind::kRemove ? State::kRemoving : State::kProgramming;
  if (held != 0) return State::kProgramming;
  if (queued) return wanted ? State::kProgramming : State::kRemoving;
  if (installed) return State::kOffloaded;
  if (!answered) return State::kResolving;
  return waiting ? State::kWaiting : State::kSoftware;
}

const Reason& Flow::reason() const {
  static const Reason kNone;
  return kept ? *kept : kNone;
}

const Dependencies& Flow::dependencies() const { return group->dependencies; }

std::optional<IpPrefix> Flow::route() const {
  return route_length ? std::optional(IpPrefix::Canonical(packet.destination, *route_length)) : std::nullopt;
}

std::string_view ToString(State state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::optional<State> ParseState(std::string_view text) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (kStateNames[i] == text) return static_cast<State>(i);
  }
  return std::nullopt;
}

}  // namespace dpuflow::flow
