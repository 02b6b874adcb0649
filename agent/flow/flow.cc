// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/flow.h"

#include <array>

namespace dpuflow::flow {
namespace {

constexpr std::array<std::string_view, kStates> kStateNames = {"resolving",   "waiting",   "software",
                                                               "programming", "offloaded", "removing"};

}  // namespace

State Flow::state() const {
  if (in_flight) return *in_flight == Operation::Kind::kRemove ? State::kRemoving : State::kProgramming;
  if (held) return State::kProgramming;
  if (queued) return wanted ? State::kProgramming : State::kRemoving;
  if (installed) return State::kOffloaded;
  if (!answered) return State::kResolving;
  return waiting ? State::kWaiting : State::kSoftware;
}

std::string_view ToString(State state) { return kStateNames[static_cast<std::size_t>(state)]; }

std::optional<State> ParseState(std::string_view text) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (kStateNames[i] == text) return static_cast<State>(i);
  }
  return std::nullopt;
}

}  // namespace dpuflow::flow
