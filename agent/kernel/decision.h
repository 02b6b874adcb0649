// SPDX-License-Identifier: Apache-2.0
//
// From what the kernel said about a packet to an answer for its flow. Pure.
//
// Two questions are asked, because each is blind where the other sees (design, decision 1): bpf_fib_lookup gives the
// path, by the same call that the classifier forwards with; RTM_GETROUTE with RTM_F_FIB_MATCH says whether the source is
// acceptable and which route, next hops and metrics the path rests on. Only where both agree that the packet is
// forwarded to a port of this switch, by a single path, and that the largest packet its ingress can send fits, may
// hardware do it. Everything else stays in software, with the reason in words.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>

#include "agent/flow/events.h"
#include "bpf/path_lookup.h"
#include "netlink/error.h"
#include "netlink/values.h"

namespace dpuflow::kernel {

// A port of the switch as far as decisions go.
struct DecisionPort {
  std::string name;
  bool ready = false;                // prepared, with our classifier
  std::uint32_t largest_packet = 0;  // bytes of L3, that can enter there
};
using DecisionPorts = std::unordered_map<std::uint32_t, DecisionPort>;

struct DecisionSettings {
  bool trust_size = false;  // oversize = trust: packets that do not fit are not sent
};

[[nodiscard]] flow::Answer Decide(const flow::Question& question, const PathAnswer& path,
                                  const Result<netlink::Route>& route, const DecisionPorts& ports,
                                  const DecisionSettings& settings);

}  // namespace dpuflow::kernel
