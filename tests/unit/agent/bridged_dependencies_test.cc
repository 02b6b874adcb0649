// SPDX-License-Identifier: Apache-2.0
//
// The property of dependencies_test.cc where bridges decide: whatever happens at a bridge, its ports, VLAN devices and stations,
// a full walk over all flows finds none whose answer has become another one and that is left clean. Events go the way that the
// agent gives them: the mirrors, the topology, the ports, the pipeline.
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_bridge.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/kernel/bridging.h"
#include "agent/port_manager.h"
#include "tests/unit/agent/full_walk.h"

namespace dpuflow {
namespace {

using flow::FlowId;
using netlink::Event;

constexpr std::uint32_t kUplink = 2, kFirstPod = 7, kLastPod = 10, kBridge = 50, kVlanDevice = 70;
constexpr std::uint32_t kVlanParent = kLastPod;  // of the VLAN device
constexpr int kStations = 8;

MacAddress Station(std::uint32_t number) { return {{0x0a, 0, 0, 0, 0, static_cast<std::uint8_t>(number)}}; }

// Hardware that takes everything at once.
class Hardware final : public offload::Backend {
 public:
  void Submit(std::vector<flow::Operation>& operations) override { operations.clear(); }
  void Prepare(std::uint32_t port, const std::string& /*name*/, std::uint32_t /*peer*/) override {
    prepared.push_back(port);
  }
  void TryRoute(std::uint32_t /*port*/, std::uint32_t /*peer*/) override {}
  void Release(std::uint32_t /*port*/) override {}
  void Sweep(std::uint32_t /*port*/, flow::PacketKinds /*kinds*/) override {}
  void Audit(std::uint64_t /*token*/, std::uint32_t /*port*/, std::vector<offload::Expected> /*expected*/) override {}
  void RemoveStray(const netlink::FilterId& /*stray*/) override {}

  std::vector<std::uint32_t> prepared;
};

class NobodyListens final : public PortListener {
 public:
  [[nodiscard]] std::vector<IpPrefix> MartiansOf(std::uint32_t /*ifindex*/) const override { return {}; }
  [[nodiscard]] const kernel::NeighMirror& Neighbours() const override { return neighs_; }
  void PortReady(std::uint32_t /*ifindex*/) override {}
  void PortLeft(const PortSlot& /*slot*/) override {}
  void PortRefused(const PortSlot& /*slot*/) override {}
  void PortSwitched(const PortSlot& /*slot*/) override {}

 private:
  kernel::NeighMirror neighs_;
};

class Walk {
 public:
  explicit Walk(unsigned seed) : dice_(seed) {
    for (const std::uint32_t ifindex : Ports()) {
      netlink::Link link;
      link.ifindex = ifindex;
      link.name = "port" + std::to_string(ifindex);
      link.flags = IFF_UP;
      link.mtu = 1500;
      link.address = {{0x02, 0, 0, 0, 0, static_cast<std::uint8_t>(ifindex)}};
      Tell(Event<netlink::Link>{link});
    }
    netlink::Link bridge;
    bridge.ifindex = kBridge;
    bridge.name = "br0";
    bridge.flags = IFF_UP;
    bridge.mtu = 1500;
    bridge.address = {{0x02, 0, 0, 0, 0, kBridge}};
    bridge.bridge.emplace();
    bridge.bridge->protocol = 0x8100;
    bridge.bridge->filters_vlans = seed % 2 == 0;
    Tell(Event<netlink::Link>{bridge});
    for (std::uint32_t pod = kFirstPod; pod <= kLastPod; ++pod) Join(pod);
    AddVlanDevice(5);
    for (std::uint32_t station = 0; station < kStations; ++station) Learn(station);
  }

  void Step() {
    for (int i = 0; i < 4; ++i) SendPacket();
    Settle();
    const auto before = WhatIsAnswered();
    happened_.clear();
    Happen();
    const auto after = WhatIsAnswered();
    for (const auto& [id, answer] : after) {
      const flow::Flow& flow = *pipeline_.flows().Find(id);
      const bool clean = !flow.dirty && !flow.leaving && !flow.doubtful;
      if (clean) ++spared_;
      const auto known = before.find(id);
      if (known == before.end() || known->second == answer) continue;
      ++found_;
      ASSERT_FALSE(clean) << "flow " << id << ": was '" << known->second << "', is '" << answer << "' after "
                          << happened_;
    }
    Settle();
  }

  [[nodiscard]] std::size_t found() const { return found_; }    // flows whose answer had changed
  [[nodiscard]] std::size_t spared() const { return spared_; }  // flows that were left alone

 private:
  static std::vector<std::uint32_t> Ports() {
    std::vector<std::uint32_t> ports = {kUplink};
    for (std::uint32_t pod = kFirstPod; pod <= kLastPod; ++pod) ports.push_back(pod);
    return ports;
  }
  [[nodiscard]] bool is_aware() const { return tables_.links.Find(kBridge)->bridge->filters_vlans; }
  std::uint16_t AnyVlan() { return is_aware() ? (dice_.Chance(2) ? 10 : 20) : 0; }
  std::uint32_t AnyMember() {
    return dice_.Chance(5) ? kVlanDevice : kFirstPod + dice_.Below(kLastPod - kFirstPod + 1);
  }

  // ---- the agent's part ----

  void Tell(kernel::KernelEvent event) {
    const kernel::News news = tables_.Apply(std::move(event), now_);
    for (const flow::Change& change : news.changes) pipeline_.OnChange(change, now_);
    if (news.forward_path) pipeline_.OnChange(flow::EverythingChanged{}, now_);
    if (!news.ports) return;
    std::map<std::uint32_t, kernel::SwitchPort> found;
    for (const std::uint32_t ifindex : Ports()) {
      const netlink::Link* link = tables_.links.Find(ifindex);
      if (link == nullptr) continue;
      found[ifindex].link = *link;
      found[ifindex].role = ifindex == kUplink ? kernel::PortRole::kUplink : kernel::PortRole::kVf;
    }
    manager_.Update(std::move(found), kernel::Topology(Ports(), tables_.links, tables_.bridges), now_);
    for (const std::uint32_t port : std::exchange(hardware_.prepared, {}))
      manager_.OnPrepared({port, {}, {}, {}}, now_);
  }
  flow::Answer AnswerTo(const flow::Question& question) {
    const kernel::DecisionPorts& ports = manager_.ForDecisions();
    const kernel::DecisionContext context{ports, manager_.topology(), manager_.reach(), tables_, {}, {}};
    if (kernel::IsBridged(question.miss, manager_.topology())) return DecideBridged(question, nullptr, context, {});
    flow::Answer answer;
    answer.question = question;
    answer.reason = {flow::Why::kNoPort, "it is not bridged"};
    return answer;
  }
  void SendPacket() {
    flow::Miss miss;
    miss.port = kFirstPod + dice_.Below(kLastPod - kFirstPod + 1);
    constexpr std::uint16_t kTags[] = {flow::kUntagged, flow::kUntagged, 5, 10, 20};
    miss.vlan = kTags[dice_.Below(5)];
    miss.source_mac = Station(dice_.Below(kStations));
    miss.destination_mac = Station(dice_.Below(kStations));
    miss.source = IpAddress::V4(10, 0, 0, 1);
    miss.destination = IpAddress::V4(10, 0, 0, 2);
    pipeline_.OnMiss(miss, now_);
  }
  void Settle() {
    for (int turn = 0; turn < 100 && !pipeline_.settled(); ++turn) {
      for (const flow::Question& question : pipeline_.TakeQuestions(1000, now_))
        pipeline_.OnAnswer(AnswerTo(question), now_);
      for (const flow::Operation& operation : pipeline_.TakeOperations(1000, now_)) {
        pipeline_.OnOutcome({operation.kind, operation.flow, std::nullopt, operation.course}, now_);
      }
    }
    (void)pipeline_.TakeSourceUpdates();
    now_ += std::chrono::seconds(1);
  }
  // Of each flow that rests on an answer: what of the answer decides about its entry.
  std::map<FlowId, std::string> WhatIsAnswered() {
    std::map<FlowId, std::string> answers;
    for (const auto& [id, flow] : pipeline_.flows().all()) {
      if (!flow.answered || flow.leaving || flow.table() == flow::Table::kGuard) continue;
      const flow::Answer answer = AnswerTo({id, flow.packet});
      const bool forward = answer.verdict == flow::Answer::Verdict::kForward;
      std::string sender = answer.sender_reason.empty() ? "sender known" : "sender unknown";
      if (!answer.bridged) sender = "not bridged";
      if (flow.table() == flow::Table::kL2Source) {
        answers[id] = sender;
      } else if (!forward) {
        answers[id] = ToString(answer.reason.why);
      } else {
        answers[id] = fmt::format("{} {}", answer.adjacency.egress, answer.adjacency.vlan);
      }
    }
    return answers;
  }

  // ---- the kernel's part ----

  void Join(std::uint32_t ifindex) {
    netlink::Link link = *tables_.links.Find(ifindex);
    link.master = kBridge;
    Tell(Event<netlink::Link>{link});
    netlink::BridgePort port;
    port.ifindex = ifindex;
    port.bridge = kBridge;
    port.state = BR_STATE_FORWARDING;
    port.vlans = {{10, true, true}, {20, false, false}};
    Tell(Event<netlink::BridgePort>{port});
  }
  void Leave(std::uint32_t ifindex) {
    const netlink::BridgePort* port = tables_.bridges.Port(ifindex);
    if (port == nullptr) return;
    Tell(Event<netlink::BridgePort>{*port, true});
    netlink::Link link = *tables_.links.Find(ifindex);
    link.master = 0;
    Tell(Event<netlink::Link>{link});
  }
  void AddVlanDevice(std::uint16_t id) {
    netlink::Link link;
    link.ifindex = kVlanDevice;
    link.name = "vlan";
    link.flags = IFF_UP;
    link.mtu = 1500;
    link.lower = kVlanParent;
    link.kind = "vlan";
    link.vlan = {.id = id, .protocol = 0x8100, .maps_egress_priority = false};
    Tell(Event<netlink::Link>{link});
    Join(kVlanDevice);
  }
  void Learn(std::uint32_t station) {
    netlink::FdbEntry entry{AnyMember(), kBridge, Station(station), AnyVlan()};
    entry.learned = true;
    entry.locked = dice_.Chance(8);
    entry.local = dice_.Chance(20);
    if (tables_.links.Find(entry.ifindex) != nullptr) Tell(Event<netlink::FdbEntry>{entry});
  }
  void Happen() {
    switch (dice_.Below(9)) {
      case 0:
      case 1:
        happened_ = "a station is heard";
        return Learn(dice_.Below(kStations));
      case 2:
        happened_ = "a station is forgotten";
        return Forget();
      case 3:
        happened_ = "a port of the bridge has other flags";
        return ChangePort();
      case 4:
        happened_ = "a port has other VLANs";
        return ChangeVlans();
      case 5:
        happened_ = "a port leaves the bridge, or joins it";
        return ChangeMembership();
      case 6:
        happened_ = "a link changes";
        return ChangeLink();
      case 7:
        happened_ = "the VLAN device goes, or comes with another id";
        return ChangeVlanDevice();
      default:
        happened_ = "a VLAN halts at a port, or a queue shapes";
        return ChangeQuietly();
    }
  }
  void Forget() {
    const flow::StationKey station{kBridge, AnyVlan(), Station(dice_.Below(kStations))};
    if (const netlink::FdbEntry* entry = tables_.bridges.Find(station)) Tell(Event<netlink::FdbEntry>{*entry, true});
  }
  void ChangePort() {
    const netlink::BridgePort* known = tables_.bridges.Port(AnyMember());
    if (known == nullptr) return;
    netlink::BridgePort port = *known;
    bool* const flags[] = {&port.isolated, &port.learning, &port.locked};
    if (const std::uint32_t chosen = dice_.Below(4); chosen < 3) {
      *flags[chosen] = !*flags[chosen];
    } else {
      port.state = port.state == BR_STATE_FORWARDING ? BR_STATE_BLOCKING : BR_STATE_FORWARDING;
    }
    Tell(Event<netlink::BridgePort>{port});
  }
  void ChangeVlans() {
    const netlink::BridgePort* known = tables_.bridges.Port(AnyMember());
    if (known == nullptr) return;
    netlink::BridgePort port = *known;
    port.vlans.clear();
    const std::uint32_t pvid = dice_.Chance(3) ? 20 : 10;
    for (const std::uint16_t id : {std::uint16_t{10}, std::uint16_t{20}}) {
      if (!dice_.Chance(4)) port.vlans.push_back({id, id == pvid, dice_.Chance(2)});
    }
    Tell(Event<netlink::BridgePort>{port});
  }
  void ChangeMembership() {
    const std::uint32_t member = AnyMember();
    if (tables_.links.Find(member) == nullptr) return;
    tables_.bridges.Port(member) == nullptr ? Join(member) : Leave(member);
  }
  void ChangeLink() {
    netlink::Link link =
        *tables_.links.Find(dice_.Chance(3) ? kBridge : kFirstPod + dice_.Below(kLastPod - kFirstPod + 1));
    if (link.bridge && dice_.Chance(2)) {
      link.bridge->filters_vlans = !link.bridge->filters_vlans;
    } else if (dice_.Chance(2)) {
      link.flags ^= IFF_UP;
    } else {
      link.mtu = link.mtu == 1500 ? 1400 : 1500;
    }
    Tell(Event<netlink::Link>{link});
  }
  void ChangeVlanDevice() {
    const netlink::Link* known = tables_.links.Find(kVlanDevice);
    if (known == nullptr) return AddVlanDevice(dice_.Chance(2) ? 5 : 10);
    netlink::Link link = *known;
    if (dice_.Chance(2)) {
      link.mtu = link.mtu == 1500 ? 1400 : 1500;
      return Tell(Event<netlink::Link>{link});
    }
    Leave(kVlanDevice);
    Tell(Event<netlink::Link>{*tables_.links.Find(kVlanDevice), true});
  }
  void ChangeQuietly() {
    if (dice_.Chance(2)) {
      kernel::VlanHalts halts;
      if (dice_.Chance(2)) halts.push_back({AnyMember(), 10, 10});
      return Tell(std::move(halts));
    }
    kernel::QuietTables quiet;
    if (dice_.Chance(2)) quiet.qdiscs.push_back({.ifindex = AnyMember(), .kind = "tbf"});
    Tell(std::move(quiet));
  }

  Dice dice_;
  kernel::Tables tables_;
  Hardware hardware_;
  NobodyListens listener_;
  flow::Pipeline pipeline_{flow::Limits{}};
  PortManager manager_{hardware_, pipeline_, listener_};
  flow::TimePoint now_ = flow::TimePoint{} + std::chrono::hours(1);
  std::string happened_;
  std::size_t found_ = 0, spared_ = 0;
};

TEST(BridgedDependencies, NoEventLeavesAFlowCleanWhoseAnswerItChanged) {
  WalkThroughWorlds(200, [](unsigned seed) { return std::make_unique<Walk>(seed); });
}

}  // namespace
}  // namespace dpuflow
