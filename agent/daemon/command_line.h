// SPDX-License-Identifier: Apache-2.0
//
// dpuflowd's command line. Flags that stand for settings come from the settings table; their values are checked by
// ParseConfig together with the file's, so that one run shows everything that is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/daemon/config.h"
#include "netlink/error.h"

namespace dpuflow {

struct Options {
  enum class Action : std::uint8_t {
    kRun,
    kCheck,       // --check: load the configuration, say what is wrong with it, exit (0 good, 2 bad)
    kFindSwitch,  // --find-switch: say which switch would be served, exit (0 there is one, 1 there is none)
    kPrint,       // --help or --version: print `text` on stdout, exit 0
  };
  Action action = Action::kRun;
  std::string text;  // ends with a newline
  std::string config_file{kDefaultConfigFile};
  bool config_file_given = false;  // then its absence is an error
  std::vector<FlagValue> flags;    // one per flag; of a flag given twice, the last
};

// An unknown flag, a missing value or a stray word comes back as EINVAL with a sentence in `extack`. Does not print,
// exit or throw.
[[nodiscard]] Result<Options> ParseCommandLine(int argc, const char* const* argv);

// LoadConfig with what the command line said.
[[nodiscard]] ConfigResult LoadConfig(const Options& options);

// The exit status for a wrong command line or configuration, as dpuflowd(8) documents it.
inline constexpr int kExitUsage = 2;

}  // namespace dpuflow
