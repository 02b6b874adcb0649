// SPDX-License-Identifier: Apache-2.0
//
// The packet that `explain` asks about, in the words of `ip route get`, as people type it and as the API takes it. Values are
// checked here, so that a wrong one is answered with what was expected.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/api/message.h"

namespace dpuflow::ctl {

// Puts "DST from SRC iif PORT ..." into the parameters of an API call. DST comes first, pairs of name and value follow in any
// order. Returns what is wrong, if anything.
[[nodiscard]] std::optional<std::string> AddPacket(api::Json& parameters, const std::vector<std::string>& words);

}  // namespace dpuflow::ctl
