// SPDX-License-Identifier: Apache-2.0
//
// Why a flow is not in hardware: a word for counters and programs, a sentence for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace dpuflow::flow {

enum class Why : std::uint8_t {
  kNone,
  // What the kernel says of the destination.
  kLocal,        // this machine itself, not unicast, or without a route
  kUnreachable,  // no route
  kBlackhole,
  kProhibit,
  kForwardingOff,
  kTunnel,
  kLookupFailed,
  kNeighbour,  // waits for one
  // What it says of the source.
  kReversePath,
  kMartian,
  kSourceScope,
  kSourceList,  // the configuration has a list for the port, and the source is not in it
  // What it would do, and hardware cannot or must not.
  kRule,      // a policy rule looks at what no entry can match
  kProtocol,  // the path depends on what the kernel cannot be asked about
  kPortless,  // ... on ports, and the packet shows none
  kRouteType,
  kEncapsulation,
  kSamePort,
  kNoPort,  // it leaves by what is no port of the switch
  kPortNotReady,
  kOtherEswitch,  // it leaves by a port of another eswitch, which the NIC does not reach
  kOversize,
  kNetfilter,
  kXfrm,
  kQueue,
  kStation,       // a bridge does not know yet where a MAC is
  kIsolated,      // a bridge lets its ports not talk to each other
  kVlanPriority,  // a tag has one that hardware would not treat as the kernel does
  kSecondTag,     // a tag would stand behind another
  // The agent's own.
  kOffloadOff,
  kGuards,
  kShapes,
  kLimit,
  kNoRoom,   // its entry made room for others
  kRefused,  // by kernel or driver
};
inline constexpr std::size_t kWhys = static_cast<std::size_t>(Why::kRefused) + 1;

std::string_view ToString(Why why);  // "unreachable", "reverse_path", ...: the words of the API and the counters

struct Reason {
  Why why = Why::kNone;
  std::string text{};  // a sentence without a full stop; with kernel's and driver's own words

  [[nodiscard]] bool empty() const { return why == Why::kNone; }
  bool operator==(const Reason&) const = default;
};

}  // namespace dpuflow::flow

template <>
struct std::hash<dpuflow::flow::Reason> {
  std::size_t operator()(const dpuflow::flow::Reason& reason) const {
    return std::hash<std::string>()(reason.text) ^ static_cast<std::size_t>(reason.why);
  }
};
