// SPDX-License-Identifier: Apache-2.0
//
// The daemon's configuration: a TOML file, overlaid by flags. Every setting, with its unit, default, range and help, is
// one row of the table in settings.h; parsing, --help and the default file's test are driven by that table.
//
// Nothing here logs or throws. Everything that is wrong is collected and returned, not only the first, and each problem
// says where it is, what was expected there and what was found. Read once, on the main thread, before any other starts.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "agent/daemon/log.h"
#include "netlink/address.h"

namespace dpuflow {

inline constexpr std::string_view kDefaultConfigFile = "/etc/dpuflow/dpuflowd.toml";

// What becomes of a flow whose egress MTU is under what its ingress can send: hardware neither fragments nor answers.
enum class Oversize : std::uint8_t {
  kSoftware,  // the flow stays in software, where the kernel does both
  kTrust,     // the operator knows that no such packet is sent
};

using SourceLists = std::map<std::string, std::vector<IpPrefix>, std::less<>>;

// Plain values; what each means is in the settings table. The initial values here are placeholders for a
// value-initialized struct: DefaultConfig() is what the table says.
struct Config {
  // [agent]
  std::string socket;                          // the API's Unix socket
  std::chrono::milliseconds orphan_timeout{};  // for how long what is in hardware may stand without a daemon
  // [flows]
  std::chrono::milliseconds idle_time{};
  std::chrono::milliseconds poll_period{};
  std::uint32_t max_entries = 0;  // all tables of all ports together
  Oversize oversize = Oversize::kSoftware;
  bool respect_netfilter = true;  // flows that rules, policies or queues of the kernel's stack concern stay there
  bool keep_alive = true;         // neighbours that only hardware sends to are kept from expiring while it does
  // [switch]
  std::string devlink;            // "pci/0000:03:00.0"; empty: the only switch there is
  std::uint32_t ingress_mtu = 0;  // bytes; 0: the larger of the representor's and the uplink's MTU
  // [sources]
  SourceLists sources;  // what may enter at a port, by its name; a port without a list takes what the kernel takes
  // [classifier]
  bool classifier_forward = true;  // the classifier forwards data itself; false: it hands everything to the kernel
  // [programming]
  std::uint32_t programming_threads = 0;
  std::uint32_t programming_batch = 0;  // most operations in one message to the kernel
  // [audit]
  bool audit = true;                         // rounds of it; false: only when dpuflowctl verify asks
  std::chrono::milliseconds audit_period{};  // of one round
  std::uint32_t audit_cpu_percent = 0;       // of one processor
  // [log]
  log::Level log_level = log::Level::kInfo;

  bool operator==(const Config&) const = default;
};

// One thing that is wrong. ToString: "/etc/dpuflow/dpuflowd.toml:7: flows.idle-time: expected ..., found ...".
struct ConfigProblem {
  std::string where;  // "FILE:LINE", "FILE", or a flag ("--idle-time")
  std::string what;   // a sentence without a full stop

  bool operator==(const ConfigProblem&) const = default;
};
std::string ToString(const ConfigProblem& problem);

using ConfigResult = tl::expected<Config, std::vector<ConfigProblem>>;

// A flag given on the command line that stands for a setting: the setting's index in Settings() and the text given.
struct FlagValue {
  std::size_t setting = 0;
  std::string text;

  bool operator==(const FlagValue&) const = default;
};

// The table's defaults.
Config DefaultConfig();

// Pure. `text` is a TOML document, `file` its name for messages. Flags win over the file, and rules that concern two
// settings are checked on the outcome.
[[nodiscard]] ConfigResult ParseConfig(std::string_view text, std::string_view file,
                                       const std::vector<FlagValue>& flags = {});

// Reads `file` and parses it. A file that does not exist means defaults when `file_required` is false (the default
// path), and is a problem when it is true (a path that was named with --config). A file that exists but cannot be read
// is always a problem.
[[nodiscard]] ConfigResult LoadConfig(const std::string& file, bool file_required,
                                      const std::vector<FlagValue>& flags = {});

}  // namespace dpuflow
