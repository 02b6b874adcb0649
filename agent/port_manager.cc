// SPDX-License-Identifier: Apache-2.0
#include "agent/port_manager.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "agent/earlier_packets.h"
#include "agent/offload/flower_mapping.h"

namespace dpuflow {
namespace {

// A port that the backend refused is tried again after this: not every obstacle announces its end.
constexpr std::chrono::seconds kRetry{10};
// Ports are looked through when one has changed, and after this: what was put off may be due.
constexpr std::chrono::seconds kLookAgain{1};

kernel::PortKind KindOf(const PortSlot& slot) { return {slot.info.devlink.handle, slot.info.role}; }

}  // namespace

void PortManager::Changed() {
  decisions_.reset();
  look_ = true;
}

void PortManager::Prepare(PortSlot& slot) {
  slot.state = PortSlot::State::kPreparing;
  Changed();
  backend_.Prepare(slot.info.link.ifindex, slot.info.link.name, PeerOf(slot));
}

// Another port of its eswitch, to which this one can route: its uplink rather than any other. 0: there is none.
std::uint32_t PortManager::PeerOf(const PortSlot& slot) const {
  std::uint32_t peer = 0;
  for (const auto& [ifindex, other] : slots_) {
    if (&other == &slot || !other.info.refusal.empty() || other.state == PortSlot::State::kReleasing) continue;
    if (other.info.devlink.handle != slot.info.devlink.handle) continue;
    if (other.info.role != kernel::PortRole::kUplink) {
      peer = ifindex;
    } else if (slot.info.role != kernel::PortRole::kUplink) {
      return ifindex;
    }
  }
  return peer;
}

// Out of service: the flows are forgotten at once; what is in hardware goes when nothing is under way any more.
void PortManager::Leave(std::uint32_t ifindex, PortSlot& slot) {
  const auto before = std::exchange(slot.state, PortSlot::State::kReleasing);
  Changed();
  standing_.erase(ifindex);
  if (before == PortSlot::State::kReady) {
    listener_.PortLeft(slot);
    pipeline_.RemovePort(ifindex);
  }
  leaving_.emplace(ifindex, Leaving{});
}

bool PortManager::Update(std::map<std::uint32_t, kernel::SwitchPort> found, kernel::Topology topology,
                         flow::TimePoint now) {
  if (closing_) return false;
  const kernel::Topology before = std::exchange(topology_, std::move(topology));
  Changed();
  bool uplink_changed = false;        // its MTU is part of what every other port may send
  std::vector<PortSlot*> to_prepare;  // when all ports are known: each is tried with another one
  for (auto& [ifindex, slot] : slots_) {
    if (found.contains(ifindex)) continue;
    uplink_changed |= slot.info.role == kernel::PortRole::kUplink;
    slot.info.refusal.clear();  // nothing to come back to
    slot.again = false;
    if (slot.state != PortSlot::State::kReleasing) Leave(ifindex, slot);
  }
  for (auto& [ifindex, port] : found) {
    const auto known = slots_.find(ifindex);
    uplink_changed |= port.role == kernel::PortRole::kUplink &&
                      (known == slots_.end() || known->second.info.link.mtu != port.link.mtu);
    if (known == slots_.end()) {
      PortSlot& slot = slots_[ifindex];
      slot.info = std::move(port);
      slot.offload = offload_;
      slot.refusal = slot.info.refusal;
      slot.hint = slot.info.hint;
      if (slot.refusal.empty()) {
        to_prepare.push_back(&slot);
      } else {
        Leave(ifindex, slot);  // an earlier run may have left something on it
      }
      continue;
    }
    PortSlot& slot = known->second;
    const bool was_refused_for_what_it_is = !slot.info.refusal.empty();
    const bool changed = !(slot.info == port);
    const bool lanes_changed = before.OnPort(ifindex) != topology_.OnPort(ifindex);
    slot.info = std::move(port);
    if (slot.state == PortSlot::State::kReady && !slot.info.refusal.empty()) {
      Leave(ifindex, slot);
    } else if (slot.state == PortSlot::State::kReady && (changed || lanes_changed)) {
      TellPipeline(slot, now);
      if (lanes_changed) pipeline_.OnChange(flow::LinkChanged{ifindex}, now);
    } else if (slot.state == PortSlot::State::kRefused && changed) {
      if (slot.info.refusal.empty()) {
        if (was_refused_for_what_it_is || slot.retry_at > now) to_prepare.push_back(&slot);
      } else {
        slot.refusal = slot.info.refusal;
        slot.hint = slot.info.hint;
      }
    }
  }
  for (PortSlot* slot : to_prepare) Prepare(*slot);
  if (uplink_changed) pipeline_.OnChange(flow::EverythingChanged{}, now);
  return !(before == topology_);
}

void PortManager::OnPrepared(offload::PortPrepared report, flow::TimePoint now) {
  const auto found = slots_.find(report.port);
  if (found == slots_.end() || found->second.state != PortSlot::State::kPreparing) return;
  PortSlot& slot = found->second;
  if (report.refusal.empty() && slot.info.refusal.empty()) {
    if (report.standing.empty()) return TakePart(slot, report.form, now);
    standing_.insert_or_assign(report.port, std::move(report));  // until Advance
    return;
  }
  if (report.refusal.empty()) {  // taken by somebody else while it was prepared
    Leave(report.port, slot);
    return;
  }
  const bool news = slot.refusal != report.refusal;
  Changed();
  slot.state = PortSlot::State::kRefused;
  slot.refusal = report.refusal;
  slot.hint = report.hint;
  slot.retry_at = now + kRetry;
  if (news) listener_.PortRefused(slot);
}

void PortManager::TakePart(PortSlot& slot, flow::Form form, flow::TimePoint now) {
  Changed();
  slot.state = PortSlot::State::kReady;
  slot.form = form;
  slot.refusal.clear();
  slot.hint.clear();
  TellPipeline(slot, now);
  listener_.PortReady(slot.info.link.ifindex);
}

bool PortManager::IsAwaited(const std::pair<const std::uint32_t, PortSlot>& entry) const {
  return entry.second.state == PortSlot::State::kPreparing && !standing_.contains(entry.first);
}

void PortManager::NoteReached(const flow::Rule& standing) {
  const auto* routed = std::get_if<flow::RouteTo>(&standing.action);
  const auto* bridged = std::get_if<flow::BridgeTo>(&standing.action);
  if (routed == nullptr && bridged == nullptr) return;
  const auto from = slots_.find(standing.match.port);
  const auto to = slots_.find(routed != nullptr ? routed->adjacency.egress : bridged->egress);
  if (from != slots_.end() && to != slots_.end()) reach_.OnStanding(KindOf(from->second), KindOf(to->second));
}

void PortManager::TakeOver(flow::TimePoint now) {
  if (standing_.empty() || std::ranges::any_of(slots_, [this](const auto& entry) { return IsAwaited(entry); })) return;
  std::vector<offload::Expected> entries;
  for (const auto& [port, report] : standing_)
    entries.insert(entries.end(), report.standing.begin(), report.standing.end());
  for (const offload::Expected& entry : entries) NoteReached(entry.rule);
  const EarlierPackets packets(entries, topology_, listener_.Neighbours());
  for (const auto& [port, report] : std::exchange(standing_, {})) {
    const auto found = slots_.find(port);
    if (found == slots_.end() || found->second.state != PortSlot::State::kPreparing) continue;
    for (const offload::Expected& entry : report.standing) {
      const auto packet = packets.For(entry.rule.match);
      if (packet && pipeline_.Adopt(entry.flow, entry.rule, entry.section, *packet, now)) continue;
      backend_.RemoveStray(offload::ToFilter(entry.rule, entry.flow, entry.section).id);
    }
    TakePart(found->second, report.form, now);
  }
}

void PortManager::OnReleased(const offload::PortReleased& report, flow::TimePoint now) {
  leaving_.erase(report.port);
  Changed();
  pipeline_.PortReleased(report.port);
  const auto found = slots_.find(report.port);
  if (found == slots_.end() || found->second.state != PortSlot::State::kReleasing) return;
  PortSlot& slot = found->second;
  if (std::exchange(slot.again, false) && slot.info.refusal.empty() && !closing_) return Prepare(slot);
  if (!report.clean && !closing_) {
    leaving_.insert_or_assign(report.port, Leaving{.not_before = now + kRetry});
    return;
  }
  if (slot.info.refusal.empty()) {  // gone, or we are closing; if it is there again, Update finds it anew
    slots_.erase(found);
    return;
  }
  slot.state = PortSlot::State::kRefused;
  slot.refusal = slot.info.refusal;
  slot.hint = slot.info.hint;
  listener_.PortRefused(slot);
}

void PortManager::TryReach(flow::TimePoint now) {
  std::map<std::uint32_t, kernel::PortKind> ready;
  for (const auto& [ifindex, slot] : slots_) {
    if (slot.state == PortSlot::State::kReady) ready.emplace(ifindex, KindOf(slot));
  }
  for (const kernel::Reach::Trial& trial : reach_.TakeTrials(ready, now)) backend_.TryRoute(trial.from, trial.to);
}

void PortManager::OnRouteTried(const offload::RouteTried& report, flow::TimePoint now) {
  Changed();
  const bool tells = report.taken || offload::IsVerdict(report.taken.error());
  const auto verdict = tells ? std::optional(report.taken) : std::nullopt;
  if (reach_.OnTried({report.port, report.peer}, verdict, now)) pipeline_.OnChange(flow::EverythingChanged{}, now);
}

void PortManager::OnFootingLost(std::uint32_t ifindex) {
  const auto found = slots_.find(ifindex);
  if (found == slots_.end() || found->second.state != PortSlot::State::kReady) return;
  found->second.again = true;
  Leave(ifindex, found->second);
}

void PortManager::Advance(flow::TimePoint now) {
  for (auto& [ifindex, leaving] : leaving_) {
    if (leaving.requested || pipeline_.InFlight(ifindex) > 0 || (now < leaving.not_before && !closing_)) continue;
    leaving.requested = true;
    backend_.Release(ifindex);
  }
  if (closing_) return;
  TakeOver(now);
  // This runs with each turn of the loop, and ports may be hundreds.
  if (!std::exchange(look_, false) && now - looked_ < kLookAgain) return;
  looked_ = now;
  TryReach(now);
  for (auto& [ifindex, slot] : slots_) {
    if (slot.state != PortSlot::State::kRefused || !slot.info.refusal.empty() || now < slot.retry_at) continue;
    slot.retry_at = now + kRetry;
    Prepare(slot);
  }
}

const std::vector<IpPrefix>* PortManager::SourcesOf(const PortSlot& slot) const {
  const auto found = sources_.find(slot.info.link.name);
  return found == sources_.end() ? nullptr : &found->second;
}

bool PortManager::KernelChecksSources(const kernel::LaneView& view) const {
  if (!view.interface) return false;
  const auto sysctls = sysctls_.interfaces.find(view.interface->name);
  return sysctls == sysctls_.interfaces.end() || sysctls->second.rp_filter != 0;  // unknown: be strict
}

flow::Lane PortManager::LaneOf(const PortSlot& slot, const kernel::LaneView& view) const {
  flow::Lane lane;
  lane.vlan = view.id.vlan;
  lane.bridged = view.domain.has_value();
  lane.lists_sources = SourcesOf(slot) != nullptr;
  if (!view.interface) return lane;
  lane.routed = true;
  lane.router_mac = view.interface->address;
  lane.checks_sources = KernelChecksSources(view);
  lane.martians = listener_.MartiansOf(view.interface->ifindex);
  return lane;
}

void PortManager::TellPipeline(const PortSlot& slot, flow::TimePoint now) {
  flow::Port port;
  port.ifindex = slot.info.link.ifindex;
  port.form = slot.form;
  port.ipv6 = sysctls_.ipv6_forwarding;
  port.offload = slot.offload;
  for (const kernel::LaneView& lane : topology_.OnPort(port.ifindex)) port.lanes.push_back(LaneOf(slot, lane));
  pipeline_.SetPort(port, now);
}

void PortManager::OnMartians(flow::TimePoint now) {
  for (const auto& [ifindex, slot] : slots_) {
    if (slot.state == PortSlot::State::kReady) TellPipeline(slot, now);
  }
}

Result<void> PortManager::SetOffload(std::uint32_t ifindex, bool on, flow::TimePoint now) {
  const auto found = slots_.find(ifindex);
  if (found == slots_.end()) return MakeError(ENODEV, fmt::format("switch offload at ifindex {}", ifindex));
  PortSlot& slot = found->second;
  if (slot.offload == on) return {};
  slot.offload = on;
  Changed();
  if (slot.state != PortSlot::State::kReady) return {};
  TellPipeline(slot, now);
  listener_.PortSwitched(slot);
  return {};
}

void PortManager::SetOffloadOfAll(bool on, flow::TimePoint now) {
  offload_ = on;
  for (const auto& [ifindex, slot] : slots_) (void)SetOffload(ifindex, on, now);
}

void PortManager::OnSysctls(const kernel::Sysctls& sysctls, flow::TimePoint now) {
  if (sysctls == sysctls_) return;
  const bool concerns_flows = kernel::Differ(sysctls_, sysctls);
  sysctls_ = sysctls;
  Changed();
  OnMartians(now);
  if (concerns_flows) pipeline_.OnChange(flow::EverythingChanged{}, now);
}

void PortManager::ReleaseAll(flow::TimePoint now) {
  closing_ = true;
  Changed();
  for (auto it = slots_.begin(); it != slots_.end();) {
    if (it->second.state == PortSlot::State::kRefused) {
      it = slots_.erase(it);
      continue;
    }
    it->second.info.refusal.clear();  // nothing to come back to
    if (it->second.state != PortSlot::State::kReleasing) Leave(it->first, it->second);
    ++it;
  }
  Advance(now);
}

bool PortManager::settled() const {
  return !reach_.busy() && std::ranges::none_of(slots_, [](const auto& entry) {
    return entry.second.state == PortSlot::State::kPreparing || entry.second.state == PortSlot::State::kReleasing;
  });
}

std::set<std::string> PortManager::Names() const {
  std::set<std::string> names;
  for (const auto& [ifindex, slot] : slots_) names.insert(slot.info.link.name);
  for (const auto& [ifindex, interface] : topology_.interfaces()) names.insert(interface.name);
  return names;
}

const kernel::DecisionPorts& PortManager::ForDecisions() const {
  if (decisions_) return *decisions_;
  std::uint32_t uplink_mtu = 0;
  for (const auto& [ifindex, slot] : slots_) {
    if (slot.info.role == kernel::PortRole::kUplink) uplink_mtu = std::max(uplink_mtu, slot.info.link.mtu);
  }
  kernel::DecisionPorts& ports = decisions_.emplace();
  for (const auto& [ifindex, slot] : slots_) {
    const std::uint32_t largest = ingress_mtu_ != 0 ? ingress_mtu_ : std::max(uplink_mtu, slot.info.link.mtu);
    kernel::DecisionPort& port = ports[ifindex];
    port.name = slot.info.link.name;
    port.kind = KindOf(slot);
    port.sources = SourcesOf(slot);
    for (const kernel::LaneView& lane : topology_.OnPort(ifindex)) {
      if (port.sources != nullptr && KernelChecksSources(lane)) port.checked.push_back(lane.id.vlan);
    }
    port.ready = slot.state == PortSlot::State::kReady;
    port.offload = slot.offload;
    port.largest_packet = largest;
    port.mtu = slot.info.link.mtu;
  }
  return ports;
}

}  // namespace dpuflow
