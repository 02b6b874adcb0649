// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/reach.h"

#include <chrono>

namespace dpuflow::kernel {
namespace {

constexpr std::chrono::seconds kRepeat{1};  // of a trial that said nothing

// The driver's, where it says any.
std::string WordsOf(const Error& error) { return error.extack.empty() ? ErrnoName(error.code) : error.extack; }

}  // namespace

std::vector<Reach::Trial> Reach::TakeTrials(const std::map<std::uint32_t, PortKind>& ready, flow::TimePoint now) {
  std::vector<Trial> trials;
  for (const auto& [from, from_kind] : ready) {
    for (const auto& [to, to_kind] : ready) {
      if (from_kind.eswitch == to_kind.eswitch) continue;
      const Kinds kinds{from_kind, to_kind};
      Pair& pair = pairs_[kinds];
      if (!pair.due || pair.under_way || now < pair.not_before) continue;
      pair.due = false;
      pair.under_way = true;
      under_way_.insert_or_assign({from, to}, kinds);
      trials.push_back({from, to});
    }
  }
  return trials;
}

bool Reach::OnTried(const Trial& trial, const std::optional<Result<void>>& verdict, flow::TimePoint now) {
  const auto found = under_way_.find(trial);
  if (found == under_way_.end()) return false;
  Pair& pair = pairs_[found->second];
  pair.under_way = false;
  under_way_.erase(found);
  if (!verdict) {
    pair.due = true;
    pair.not_before = now + kRepeat;
    return false;
  }
  const bool changed = pair.reached != verdict->has_value();
  pair.reached = verdict->has_value();
  pair.refusal = *verdict ? std::string() : WordsOf(verdict->error());
  return changed;
}

void Reach::OnStanding(const PortKind& from, const PortKind& to) {
  if (from.eswitch == to.eswitch) return;
  std::optional<bool>& reached = pairs_[{from, to}].reached;
  if (!reached) reached = true;
}

void Reach::TryAgain() {
  for (auto& [kinds, pair] : pairs_) pair.due = true;
}

std::optional<flow::Reason> Reach::Obstacle(const PortKind& from, const PortKind& to, const std::string& name) const {
  if (from.eswitch == to.eswitch) return std::nullopt;
  const std::string sentence =
      fmt::format("it leaves by {}, a port of the other eswitch {}", name, ToString(to.eswitch));
  const auto pair = pairs_.find({from, to});
  if (pair == pairs_.end() || !pair->second.reached) {
    return flow::Reason{flow::Why::kOtherEswitch, sentence + "; whether hardware sends there is being tried"};
  }
  if (*pair->second.reached) return std::nullopt;
  return flow::Reason{flow::Why::kOtherEswitch, fmt::format("{} ({})", sentence, pair->second.refusal)};
}

}  // namespace dpuflow::kernel
