// SPDX-License-Identifier: Apache-2.0
//
// What the daemon needs of capabilities(7), checked before the first thing fails for want of them.
//
//   CAP_NET_ADMIN   qdiscs, filters, neighbours, devlink
//   CAP_BPF         maps, and loading the classifier
//   CAP_PERFMON     the verifier then takes the classifier's pointer arithmetic (the kernel's perfmon_capable())
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "netlink/error.h"

namespace dpuflow {

struct Capability {
  unsigned number = 0;    // bit, as in linux/capability.h
  std::string_view name;  // "CAP_BPF"
  std::string_view job;   // "to load the classifier"

  bool operator==(const Capability&) const = default;
};

// This thread's effective set, bit n for capability n (capget(2)). Any thread.
[[nodiscard]] Result<std::uint64_t> EffectiveCapabilities();

// Pure. CAP_SYS_ADMIN counts for CAP_BPF and CAP_PERFMON, as it does in the kernel.
[[nodiscard]] std::vector<Capability> MissingCapabilities(std::uint64_t effective);

// Pure. One sentence: what is missing, what for, and what to type. `program` is the path for setcap.
[[nodiscard]] std::string DescribeMissing(const std::vector<Capability>& missing, std::string_view program);

// EPERM, with that sentence in `extack`, when anything is missing.
[[nodiscard]] Result<void> CheckCapabilities();

}  // namespace dpuflow
