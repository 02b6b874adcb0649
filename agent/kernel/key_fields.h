// SPDX-License-Identifier: Apache-2.0
//
// What of a packet the kernel's choice of a path looks at, beside its destination: by policy rules, and on a multipath
// route by the hash policy. An entry's key carries just these fields. Pure.
//
// Sources: fib_rule_match (net/core/fib_rules.c), fib_multipath_hash (net/ipv4/route.c), rt6_multipath_hash
// (net/ipv6/route.c), each without a packet, as bpf_fib_lookup calls them; ip-sysctl.rst for the policies' numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/flow/rule.h"
#include "netlink/values.h"

namespace dpuflow::kernel {

// sysctl net.ipv4.fib_multipath_hash_policy and _fields, or net.ipv6's.
struct HashPolicy {
  int policy = 0;                 // 0 L3, 1 L4, 2 L3 or inner L3, 3 custom
  std::uint32_t fields = 0x0007;  // with 3: FIB_MULTIPATH_HASH_FIELD_*

  bool operator==(const HashPolicy&) const = default;
};

// The fields by which a multipath route of this family chooses.
[[nodiscard]] flow::Fields MultipathFields(const HashPolicy& policy, Family family);

// Those that one rule looks at.
[[nodiscard]] flow::Fields FieldsOf(const netlink::Rule& rule);

struct RuleFields {
  flow::Fields fields = 0;
  bool obscure = false;  // a rule may look at something that no key can hold

  bool operator==(const RuleFields&) const = default;
};

// The fields that the rules look at for packets to `destination` that enter by an interface of one of these names (the L3
// interface, and its VRF). Packets of the hardware carry no mark, and what is forwarded has no output interface yet.
[[nodiscard]] RuleFields FieldsOfRules(std::span<const netlink::Rule> rules, const IpAddress& destination,
                                       std::span<const std::string> ingress);

// The kernel can be asked about a packet of this IP protocol with its ports (RTM_GETROUTE: TCP, UDP, ICMP, ICMPv6).
[[nodiscard]] bool CanBeAsked(std::uint8_t protocol);

}  // namespace dpuflow::kernel
