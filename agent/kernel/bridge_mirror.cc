// SPDX-License-Identifier: Apache-2.0
#include "agent/kernel/bridge_mirror.h"

namespace dpuflow::kernel {
namespace {

std::uint32_t KeyOf(const netlink::BridgePort& port) { return port.ifindex; }
flow::StationKey KeyOf(const netlink::FdbEntry& entry) { return {entry.bridge, entry.vlan, entry.mac}; }

flow::Change ChangeOf(std::uint32_t ifindex) { return flow::LinkChanged{ifindex}; }
flow::Change ChangeOf(const flow::StationKey& station) { return flow::StationChanged{station}; }

template <typename Key, typename Value>
Changes ApplyTo(std::map<Key, Value>& table, const netlink::Event<Value>& event) {
  const Key key = KeyOf(event.value);
  const auto known = table.find(key);
  if (event.removed) {
    if (known == table.end()) return {};
    table.erase(known);
    return {ChangeOf(key)};
  }
  if (known != table.end() && known->second == event.value) return {};
  table.insert_or_assign(key, event.value);
  return {ChangeOf(key)};
}

template <typename Key, typename Value>
Changes ResetTo(std::map<Key, Value>& table, const std::vector<Value>& all) {
  Changes changes;
  std::map<Key, Value> old;
  old.swap(table);
  for (const Value& value : all) {
    const auto known = old.find(KeyOf(value));
    if (known == old.end() || !(known->second == value)) changes.push_back(ChangeOf(KeyOf(value)));
    table.insert_or_assign(KeyOf(value), value);
  }
  for (const auto& [key, value] : old) {
    if (!table.contains(key)) changes.push_back(ChangeOf(key));
  }
  return changes;
}

}  // namespace

// A port that leaves one bridge for another may be told of in either order: what goes is the membership that is known.
Changes BridgeMirror::Apply(const netlink::Event<netlink::BridgePort>& event) {
  const netlink::BridgePort* known = Port(event.value.ifindex);
  if (event.removed && known != nullptr && known->bridge != event.value.bridge) return {};
  return ApplyTo(ports_, event);
}

// The same for a station that moves.
Changes BridgeMirror::Apply(const netlink::Event<netlink::FdbEntry>& event, flow::TimePoint now) {
  const flow::StationKey key = KeyOf(event.value);
  const netlink::FdbEntry* known = Find(key);
  if (event.removed && known != nullptr && known->ifindex != event.value.ifindex) return {};
  if (event.removed) {
    changed_.erase(key);
  } else {
    changed_[key] = now;
  }
  return ApplyTo(stations_, event);
}

Changes BridgeMirror::Reset(const std::vector<netlink::BridgePort>& all) { return ResetTo(ports_, all); }
Changes BridgeMirror::Reset(const std::vector<netlink::FdbEntry>& all, flow::TimePoint now) {
  changed_.clear();
  for (const netlink::FdbEntry& entry : all) changed_[KeyOf(entry)] = now;
  return ResetTo(stations_, all);
}

Changes BridgeMirror::Reset(const std::vector<netlink::VlanHalt>& all) {
  std::set<std::pair<std::uint32_t, std::uint16_t>> now;
  for (const netlink::VlanHalt& halt : all) {
    for (unsigned vlan = halt.first; vlan <= halt.last; ++vlan)
      now.emplace(halt.ifindex, static_cast<std::uint16_t>(vlan));
  }
  std::set<std::uint32_t> ports;
  const auto note = [&](const auto& these, const auto& those) {
    for (const auto& each : these) {
      if (!those.contains(each)) ports.insert(each.first);
    }
  };
  note(now, halted_);
  note(halted_, now);
  halted_ = std::move(now);
  Changes changes;
  for (const std::uint32_t port : ports) changes.push_back(flow::LinkChanged{port});
  return changes;
}

Changes BridgeMirror::Forget(std::uint32_t ifindex) {
  Changes changes;
  const netlink::BridgePort* itself = Port(ifindex);
  if (itself != nullptr && itself->bridge == ifindex) ports_.erase(ifindex);
  std::erase_if(halted_, [&](const auto& halt) { return halt.first == ifindex; });
  for (auto it = stations_.begin(); it != stations_.end();) {
    if (it->first.bridge != ifindex) {
      ++it;
      continue;
    }
    changes.push_back(flow::StationChanged{it->first});
    changed_.erase(it->first);
    it = stations_.erase(it);
  }
  return changes;
}

const netlink::BridgePort* BridgeMirror::Port(std::uint32_t ifindex) const {
  const auto found = ports_.find(ifindex);
  return found == ports_.end() ? nullptr : &found->second;
}

const netlink::FdbEntry* BridgeMirror::Refreshable(const flow::StationKey& station, flow::TimePoint seen) const {
  const netlink::FdbEntry* entry = Find(station);
  if (entry == nullptr || !entry->learned || changed_.at(station) >= seen) return nullptr;
  return entry;
}

const netlink::FdbEntry* BridgeMirror::Find(const flow::StationKey& station) const {
  const auto found = stations_.find(station);
  return found == stations_.end() ? nullptr : &found->second;
}

}  // namespace dpuflow::kernel
