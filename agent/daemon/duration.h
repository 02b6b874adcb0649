// SPDX-License-Identifier: Apache-2.0
//
// Durations as people write them: "500ms", "30s", "5m", "1h". One number, one unit, no space; whole numbers only.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace dpuflow {

// Nothing when the text is not a duration, or is longer than a year.
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);

// In the largest unit that needs no fraction: 90 s is "90s", 120 s is "2m".
std::string FormatDuration(std::chrono::milliseconds duration);

}  // namespace dpuflow
