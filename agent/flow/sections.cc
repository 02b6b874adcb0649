// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/sections.h"

#include <algorithm>

namespace dpuflow::flow {

Shape ShapeOf(const Match& match) {
  const bool tagged = match.vlan != kUntagged;
  const bool hidden = tagged && !IsRouted(match) && !match.source;
  const std::uint16_t ethertype = hidden ? std::uint16_t{0} : match.ethertype;
  return {ethertype, tagged, IsRouted(match), FieldsOf(match)};
}

bool HasSections(Table table) { return table == Table::kL3 || table == Table::kFlat; }

std::uint8_t Sections::Acquire(const Shape& shape) {
  auto use = std::ranges::find_if(uses_, [&](const Use& u) { return u.flows > 0 && u.shape == shape; });
  if (use == uses_.end()) use = std::ranges::find_if(uses_, [](const Use& u) { return u.flows == 0; });
  if (use == uses_.end()) return 0;
  use->shape = shape;
  ++use->flows;
  return static_cast<std::uint8_t>(use - uses_.begin() + 1);
}

bool Sections::Take(std::uint8_t section, const Shape& shape) {
  if (section == 0 || section > uses_.size()) return false;
  Use& use = uses_[section - 1u];
  if (use.flows > 0 && use.shape != shape) return false;
  use.shape = shape;
  ++use.flows;
  return true;
}

void Sections::Release(std::uint8_t section) {
  if (section != 0) --uses_[section - 1u].flows;
}

std::size_t Sections::in_use() const {
  return static_cast<std::size_t>(std::ranges::count_if(uses_, [](const Use& use) { return use.flows > 0; }));
}

}  // namespace dpuflow::flow
