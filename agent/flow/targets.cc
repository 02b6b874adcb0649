// SPDX-License-Identifier: Apache-2.0
#include "agent/flow/targets.h"

#include <netinet/in.h>

namespace dpuflow::flow {

Match KeyOf(const Miss& miss, Fields fields) {
  Match match;
  match.table = Table::kL3;
  match.port = miss.port;
  match.vlan = miss.vlan;
  match.ethertype = miss.ethertype;
  match.destination = IpPrefix::Host(miss.destination);
  if ((fields & kFieldSource) != 0) match.source = IpPrefix::Host(miss.source);
  if ((fields & kFieldTos) != 0) match.tos = miss.tos;
  if ((fields & kFieldVlanPriority) != 0 && miss.vlan != kUntagged) match.vlan_priority = miss.vlan_priority;
  if ((fields & (kFieldProtocol | kFieldPorts)) != 0) match.protocol = miss.protocol;
  if ((fields & kFieldPorts) == 0 || (miss.protocol != IPPROTO_TCP && miss.protocol != IPPROTO_UDP)) return match;
  if (miss.source_port == 0 && miss.destination_port == 0) {
    match.portless = true;
    return match;
  }
  if ((fields & kFieldSourcePort) != 0) match.source_port = miss.source_port;
  if ((fields & kFieldDestinationPort) != 0) match.destination_port = miss.destination_port;
  return match;
}

Match TargetOf(const Match& match) {
  Match target;
  target.table = match.table;
  target.port = match.port;
  target.vlan = match.vlan;
  target.ethertype = match.ethertype;
  target.destination = match.destination;
  return target;
}

std::optional<Fields> Targets::FieldsAt(const Match& match) const {
  const auto found = targets_.find(TargetOf(match));
  if (found != targets_.end()) return found->second.fields;
  return Wide(match) != nullptr ? std::optional(Fields{0}) : std::nullopt;
}

void Targets::SetFields(const Match& match, Fields fields) {
  if (FieldsAt(match) != fields) Open(match).fields = fields;
}

Target& Targets::Open(const Match& match) {
  const auto [target, is_new] = targets_.try_emplace(TargetOf(match));
  const Flow* wide = is_new ? Wide(match) : nullptr;
  if (wide != nullptr) target->second.flows.insert(wide->id);
  return target->second;
}

void Targets::Add(const Flow& flow) {
  const Match match = flow.match();
  const Fields fields = FieldsOf(match);
  if (fields == 0 && match.table == Table::kL3 && !targets_.contains(TargetOf(match))) return;
  const bool first = !FieldsAt(match);
  Target& target = Open(match);
  if (first) target.fields = fields;
  target.flows.insert(flow.id);
}

std::vector<FlowId> Targets::Remove(const Flow& flow) {
  const auto found = targets_.find(TargetOf(flow.match()));
  if (found == targets_.end()) return {};
  Target& target = found->second;
  target.flows.erase(flow.id);
  const bool was_last = target.outdated.erase(flow.id) > 0 && target.outdated.empty();
  std::vector<FlowId> freed;
  if (was_last) freed.assign(target.flows.begin(), target.flows.end());
  const Flow* wide = Wide(flow.match());
  const bool nothing_special = target.fields == 0 && target.flows.size() == 1 && target.outdated.empty() &&
                               wide != nullptr && target.flows.contains(wide->id);
  if (target.flows.empty() || nothing_special) targets_.erase(found);
  return freed;
}

bool Targets::Blocks(const Flow& flow) const {
  if (targets_.empty() || !flow.is_routed()) return false;
  const auto target = targets_.find(TargetOf(flow.match()));
  return target != targets_.end() && !target->second.outdated.empty() && !target->second.outdated.contains(flow.id);
}

}  // namespace dpuflow::flow
