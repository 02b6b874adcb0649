// SPDX-License-Identifier: Apache-2.0
//
// What dpuflowctl was asked to do, from its arguments. Words as in iproute2: `show`, `list` and `ls` are one, an object
// without a verb means show, and a filter may be a word ("table l3") or an option ("--table l3").
//
// Pure: no file, no socket, no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "agent/api/message.h"

namespace dpuflow::ctl {

enum class Command : std::uint8_t {
  kStatus,
  kPortShow,
  kFlowShow,
  kFlowGet,
  kFlowFlush,
  kExplain,
  kOffload,
  kSync,
  kVerify,
  kStats,
  kGc,
  kVersion,
};

struct Invocation {
  Command command = Command::kStatus;
  std::string socket_path = api::kDefaultSocketPath;
  bool json = false;
  bool pretty = false;
  bool statistics = false;
  bool details = false;
  bool now = false;  // of gc; likewise the next
  bool quiet = false;
  std::chrono::milliseconds interval{0};       // of stats: between two readings; 0: one is enough
  api::Json parameters = api::Json::object();  // of the API call: filters, the id of a flow, the time limit of a sync
  std::chrono::milliseconds timeout{
      10000};  // how long sync or verify may take; for other commands, how long to wait for a reply

  bool operator==(const Invocation&) const = default;
};

// Nothing to run: a text to print, and the exit code. Code 0 goes to standard output, others to standard error.
struct Goodbye {
  int code = 0;
  std::string text;

  bool operator==(const Goodbye&) const = default;
};

// Exit codes, as in dpuflowctl(8).
inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 1;       // the daemon refused or did not answer, verify found a difference, gc failed
inline constexpr int kExitUsage = 2;       // the command line is wrong
inline constexpr int kExitNotRunning = 3;  // nobody listens on the socket

// `arguments` without the program's name. `default_socket` is what DPUFLOW_SOCKET says, if anything.
std::variant<Invocation, Goodbye> ParseCommandLine(std::vector<std::string> arguments,
                                                   const std::string& default_socket = {});

}  // namespace dpuflow::ctl
