// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/key_fields.h"

#include <netinet/in.h>

#include <algorithm>

namespace dpuflow::kernel {
namespace {

using flow::Fields;

// FIB_MULTIPATH_HASH_FIELD_* (include/net/ip_fib.h). Those of inner headers need a packet, and are not looked at here.
constexpr std::uint32_t kHashSource = 1 << 0;
constexpr std::uint32_t kHashProtocol = 1 << 2;
constexpr std::uint32_t kHashSourcePort = 1 << 4;
constexpr std::uint32_t kHashDestinationPort = 1 << 5;

Fields CustomFields(std::uint32_t hashed) {
  Fields fields = 0;
  if ((hashed & kHashSource) != 0) fields |= flow::kFieldSource;
  if ((hashed & kHashProtocol) != 0) fields |= flow::kFieldProtocol;
  if ((hashed & kHashSourcePort) != 0) fields |= flow::kFieldProtocol | flow::kFieldSourcePort;
  if ((hashed & kHashDestinationPort) != 0) fields |= flow::kFieldProtocol | flow::kFieldDestinationPort;
  return fields;
}

// A packet of the hardware to `destination` that entered there can reach the rest of the rule.
bool Concerns(const netlink::Rule& rule, const IpAddress& destination, std::span<const std::string> ingress) {
  if (rule.family != destination.family()) return false;
  if (rule.inverted) return true;
  if (!rule.iif.empty() && std::ranges::find(ingress, rule.iif) == ingress.end()) return false;
  if (!rule.oif.empty()) return false;
  if (!rule.destination.address.is_none() && !rule.destination.Contains(destination)) return false;
  return (rule.mark & rule.mark_mask) == 0;
}

}  // namespace

Fields MultipathFields(const HashPolicy& policy, Family family) {
  switch (policy.policy) {
    case 1:
      return flow::kFieldSource | flow::kFieldProtocol | flow::kFieldPorts;
    case 3:
      return CustomFields(policy.fields);
    default:  // IPv6 hashes the next header as well
      return family == Family::kIpv6 ? flow::kFieldSource | flow::kFieldProtocol : flow::kFieldSource;
  }
}

Fields FieldsOf(const netlink::Rule& rule) {
  Fields fields = 0;
  if (!rule.source.address.is_none()) fields |= flow::kFieldSource;
  if (rule.tos != 0) fields |= flow::kFieldTos;
  if (rule.ip_protocol != 0) fields |= flow::kFieldProtocol;
  if (rule.looks_at_source_port) fields |= flow::kFieldProtocol | flow::kFieldSourcePort;
  if (rule.looks_at_destination_port) fields |= flow::kFieldProtocol | flow::kFieldDestinationPort;
  return fields;
}

RuleFields FieldsOfRules(std::span<const netlink::Rule> rules, const IpAddress& destination,
                         std::span<const std::string> ingress) {
  RuleFields sum;
  for (const netlink::Rule& rule : rules) {
    if (!Concerns(rule, destination, ingress)) continue;
    sum.fields |= FieldsOf(rule);
    sum.obscure |= rule.obscure;
  }
  return sum;
}

bool CanBeAsked(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

}  // namespace dpuflow::kernel
