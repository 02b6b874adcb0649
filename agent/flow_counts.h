// SPDX-License-Identifier: Apache-2.0
//
// How many flows there are, by what people want to know of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "agent/flow/flow.h"

namespace dpuflow {

struct FlowCounts {
  using ByTable = std::array<std::uint64_t, flow::kTables>;

  void Add(const flow::Flow& flow) {
    ++all;
    const auto table = static_cast<std::size_t>(flow.table());
    ++states[table][static_cast<std::size_t>(flow.state())];
    if (flow.installed) ++entries[flow.port()][table];
  }
  // In hardware, of all ports.
  [[nodiscard]] ByTable Entries() const {
    ByTable sums{};
    for (const auto& [port, tables] : entries) {
      for (std::size_t i = 0; i < tables.size(); ++i) sums[i] += tables[i];
    }
    return sums;
  }

  std::uint64_t all = 0;
  std::array<std::array<std::uint64_t, flow::kStates>, flow::kTables> states{};
  std::unordered_map<std::uint32_t, ByTable> entries{};  // in hardware, by port
};

}  // namespace dpuflow
