// SPDX-License-Identifier: Apache-2.0
#include "agent/classifier_feed.h"

#include <utility>

namespace dpuflow {
namespace {

bool TakesPart(const PortSlot& slot) { return slot.state == PortSlot::State::kReady && slot.offload; }

// Takes out of `told` what is not wanted, then adds or changes what differs. What fails stays as it was told.
template <typename Map, typename Set, typename Remove>
void Align(Map& told, const Map& wanted, const Set& set, const Remove& remove, std::vector<Error>& errors) {
  for (auto it = told.begin(); it != told.end();) {
    const auto current = it++;
    if (wanted.contains(current->first)) continue;
    if (auto removed = remove(current->first); !removed) {
      errors.push_back(removed.error());
    } else {
      told.erase(current);
    }
  }
  for (const auto& [key, value] : wanted) {
    const auto known = told.find(key);
    if (known != told.end() && known->second == value) continue;
    if (auto added = set(key, value); !added) {
      errors.push_back(added.error());
    } else {
      told.insert_or_assign(key, value);
    }
  }
}

}  // namespace

ClassifierView ViewOf(const PortManager& ports, const kernel::ForwardPath& forward_path, bool respect_netfilter) {
  ClassifierView view;
  for (const auto& [ifindex, slot] : ports.slots()) {
    if (!TakesPart(slot)) continue;
    const auto needs_stack = [&](std::uint32_t device, const std::string& name) {
      return respect_netfilter && forward_path.WhyStack(device, name).has_value();
    };
    const bool port_needs_stack = needs_stack(ifindex, slot.info.link.name);
    for (const kernel::LaneView& lane : ports.topology().OnPort(ifindex)) {
      if (lane.leads_nowhere()) continue;
      IngressEntry& ingress = view.ingresses[{ifindex, lane.id.vlan}];
      ingress.stack_only = port_needs_stack;
      // What enters by a bridge is the stack's, because the bridge learns from it.
      ingress.bridged = lane.domain.has_value();
      if (ingress.bridged) ingress.stack_only = true;
      if (!lane.interface) continue;
      const kernel::L3Interface& interface = *lane.interface;
      ingress.stack_only |= needs_stack(interface.ifindex, interface.name);
      ingress.l3_ifindex = interface.ifindex;
      ingress.mac = interface.address;
      if (!interface.lane) continue;  // a bridge: which port is its to know
      EgressEntry& egress = view.egresses[interface.ifindex];
      egress.port = ifindex;
      egress.stack_only = ingress.stack_only || interface.maps_egress_priority;
    }
  }
  return view;
}

ClassifierSettings SettingsOf(const ClassifierSettings& before, const kernel::DecisionContext& context,
                              bool ipv6_forwarding, bool respect_netfilter) {
  flow::Fields fields = 0;
  for (const netlink::Rule& rule : context.tables.rules.all()) fields |= kernel::FieldsOf(rule);
  for (const auto& [policy, family] : {std::pair(context.hash_v4, Family::kIpv4), {context.hash_v6, Family::kIpv6}}) {
    // The protocol alone, by which IPv6 always hashes, is not worth an event per connection.
    const flow::Fields hashed = kernel::MultipathFields(policy, family);
    if ((hashed & flow::kFieldPorts) != 0) fields |= hashed;
  }
  ClassifierSettings settings = before;
  settings.ipv6_forwarding = ipv6_forwarding;
  settings.by_ports = (fields & (flow::kFieldProtocol | flow::kFieldPorts)) != 0;
  settings.by_tos = (fields & flow::kFieldTos) != 0 || context.tables.special_routes.any_with_tos();
  const auto stack_only = [&](Family family) {
    return context.tables.special_routes.any_with_mtu(family) ||
           (respect_netfilter && context.tables.forward_path.WhyStack(family).has_value());
  };
  settings.stack_only_v4 = stack_only(Family::kIpv4);
  settings.stack_only_v6 = stack_only(Family::kIpv6);
  return settings;
}

std::vector<Error> ClassifierFeed::Tell(const ClassifierView& wanted) {
  std::vector<Error> errors;
  Align(
      told_.ingresses, wanted.ingresses,
      [&](const Lane& lane, const IngressEntry& entry) { return classifier_.SetIngress(lane, entry); },
      [&](const Lane& lane) { return classifier_.RemoveIngress(lane); }, errors);
  Align(
      told_.egresses, wanted.egresses,
      [&](std::uint32_t ifindex, const EgressEntry& entry) { return classifier_.SetEgress(ifindex, entry); },
      [&](std::uint32_t ifindex) { return classifier_.RemoveEgress(ifindex); }, errors);
  return errors;
}

Result<void> ClassifierFeed::Tell(const ClassifierSettings& wanted) {
  return wanted == classifier_.settings() ? Result<void>() : classifier_.Set(wanted);
}

}  // namespace dpuflow
