// SPDX-License-Identifier: Apache-2.0
//
// Asks the daemon and prints what it says.
#pragma once

#include <cstdio>

#include "agent/ctl/command_line.h"

namespace dpuflow::ctl {

// Text or JSON to `out`, one line on errors to `err`. Returns the exit code. `colors`: whether `out` is a terminal that
// wants them. A reader of `out` that goes away ends the work without a word.
int Run(const Invocation& invocation, bool colors, std::FILE* out, std::FILE* err);

}  // namespace dpuflow::ctl
