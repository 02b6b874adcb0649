// SPDX-License-Identifier: Apache-2.0
#include "agent/daemon/duration.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstdint>

namespace dpuflow {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t milliseconds;
};
// Largest first: FormatDuration takes the first that divides.
constexpr std::array kUnits = {Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000}, Unit{"ms", 1}};
constexpr std::int64_t kMost = std::int64_t{366} * 24 * 3'600'000;

}  // namespace

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  const std::string_view suffix = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const Unit& unit : kUnits) {
    if (suffix != unit.name) continue;
    if (number > static_cast<std::uint64_t>(kMost / unit.milliseconds)) return std::nullopt;
    return std::chrono::milliseconds(static_cast<std::int64_t>(number) * unit.milliseconds);
  }
  return std::nullopt;
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  const std::int64_t count = duration.count();
  if (count == 0) return "0s";
  for (const Unit& unit : kUnits) {
    if (count % unit.milliseconds == 0) return fmt::format("{}{}", count / unit.milliseconds, unit.name);
  }
  return fmt::format("{}ms", count);
}

}  // namespace dpuflow
