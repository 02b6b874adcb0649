// SPDX-License-Identifier: Apache-2.0
//
// "did you mean": the candidate that is closest to what somebody typed.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace dpuflow {

// The candidate that the fewest insertions, deletions, replacements and swaps of neighbours lead to; the first of
// equals. Nothing when even that is more than a third of the longer word: a guess that far off does not help.
std::optional<std::string_view> Nearest(std::string_view typed, const std::vector<std::string_view>& candidates);

}  // namespace dpuflow
