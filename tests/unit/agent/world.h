// SPDX-License-Identifier: Apache-2.0
//
// A small world around a pipeline: a kernel that answers from a table, and hardware that takes entries, counts and can be
// told to refuse. Tests say what happens and look at what the hardware holds.
#pragma once

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "agent/flow/pipeline.h"

namespace dpuflow::flow {

class World {
 public:
  static constexpr std::uint32_t kUplink = 2;
  static constexpr std::uint32_t kPod = 7;
  static constexpr std::uint32_t kOtherPod = 8;
  static constexpr std::uint32_t kBridge = 50;
  inline static const MacAddress kUplinkMac{{0x02, 0, 0, 0, 0, 0x02}};
  inline static const MacAddress kPodRouterMac{{0x02, 0, 0, 0, 0, 0x07}};
  inline static const MacAddress kPodMac{{0x0a, 0, 0, 0, 0, 0x07}};
  inline static const MacAddress kPeerMac{{0x0b, 0, 0, 0, 0, 0x01}};
  inline static const IpAddress kPodAddress = IpAddress::V4(10, 0, 7, 2);
  inline static const NeighKey kRouter{kUplink, IpAddress::V4(10, 1, 0, 1)};
  inline static const IpAddress kServer = IpAddress::V4(192, 0, 2, 1);

  explicit World(Limits limits = {}, bool has_ports = true) : pipeline(limits) {
    if (has_ports) SetPorts();
  }
  void SetPorts() {
    SetPort(kPod, kPodRouterMac);
    SetPort(kUplink, kUplinkMac);
    Run();
  }

  void SetPort(
      std::uint32_t ifindex, const MacAddress& router_mac, const std::function<void(Port&)>& change = [](Port&) {}) {
    Port port;
    port.ifindex = ifindex;
    port.lanes.emplace_back().router_mac = router_mac;
    port.lanes[0].routed = true;
    port.lanes[0].martians = {{IpAddress::V4(127, 0, 0, 0), 8}};
    change(port);
    pipeline.SetPort(port, now);
  }
  // An address of the machine's own appears, to be guarded against on both ports.
  void AddMartian(const IpPrefix& martian) {
    SetPort(kPod, kPodRouterMac, [&](Port& port) { port.lanes[0].martians.push_back(martian); });
    SetPort(kUplink, kUplinkMac, [&](Port& port) { port.lanes[0].martians.push_back(martian); });
  }

  // The kernel forwards to `destination` by the uplink, to the neighbour with this MAC.
  void Route(const IpAddress& destination, const MacAddress& neighbour = kPeerMac) {
    Answer answer;
    answer.verdict = Answer::Verdict::kForward;
    answer.source = SourceVerdict::kValid;
    answer.adjacency = {kUplink, kUplinkMac, neighbour};
    answer.dependencies.route = IpPrefix::Canonical(destination, 24);
    answer.dependencies.table = 254;
    answer.dependencies.links = {kUplink};
    answer.dependencies.neighs = {kRouter};
    answer.dependencies.next_hop = kRouter;
    routes[destination] = answer;
  }
  void Unroute(const IpAddress& destination) { routes.erase(destination); }
  void WaitForNeighbour(const IpAddress& destination) {
    Route(destination);
    routes[destination].verdict = Answer::Verdict::kWait;
    routes[destination].reason = {Why::kNeighbour, "waits for the neighbour"};
  }

  [[nodiscard]] Miss MissTo(const IpAddress& destination, const IpAddress& source = kPodAddress) const {
    Miss miss;
    miss.port = kPod;
    miss.source_mac = kPodMac;
    miss.destination_mac = kPodRouterMac;
    miss.source = source;
    miss.destination = destination;
    miss.protocol = 17;
    miss.source_port = 40000;
    miss.destination_port = 7;
    if (destination.is_v6()) miss.ethertype = kEthertypeIpv6;
    return miss;
  }
  void Send(const IpAddress& destination) {
    pipeline.OnMiss(MissTo(destination), now);
    Run();
  }
  void Change(const flow::Change& change) {
    pipeline.OnChange(change, now);
    Run();
  }

  // Until nothing is left to do: questions are answered, operations executed.
  void Run() {
    for (int turn = 0; turn < 1000 && !pipeline.settled(); ++turn) {
      Ask();
      if (paused) return;
      Program();
    }
  }
  void Ask() {
    for (const Question& question : pipeline.TakeQuestions(64, now)) pipeline.OnAnswer(AnswerTo(question), now);
  }
  void Program() {
    for (const Operation& operation : pipeline.TakeOperations(64, now)) {
      log.push_back(operation);
      pipeline.OnOutcome(Execute(operation), now);
    }
  }

  [[nodiscard]] std::vector<Answer> AnswersTo(std::span<const Question> questions) const {
    std::vector<Answer> answers;
    for (const Question& question : questions) answers.push_back(AnswerTo(question));
    return answers;
  }

  // Lets time pass in steps of a second, with a sweep of every port and a tick at each.
  void Pass(Duration time) {
    for (const TimePoint end = now + time; now < end;) {
      now += std::chrono::seconds(1);
      Sweep();
      Tick();
      Run();
    }
  }
  void Tick() {
    while (!pipeline.OnTick(now, 2)) {  // as little at a time as if there were many
    }
  }
  void Sweep() {
    for (const std::uint32_t port : {kPod, kUplink, kOtherPod}) {
      flow::Sweep sweep{port, now};
      for (const auto& [id, entry] : hardware) {
        if (entry.rule.match.port == port) sweep.samples.push_back({id, entry.packets, entry.packets * 100, true});
      }
      pipeline.OnSweep(sweep, sweep.samples.size() + 1000);
    }
  }

  [[nodiscard]] std::size_t Entries(Table table) const {
    std::size_t count = 0;
    for (const auto& [id, entry] : hardware) count += entry.rule.match.table == table ? 1u : 0u;
    return count;
  }
  [[nodiscard]] std::size_t Guards(std::uint32_t port) const {
    return static_cast<std::size_t>(std::ranges::count_if(hardware, [&](const auto& entry) {
      return entry.second.rule.match.table == Table::kGuard && entry.second.rule.match.port == port;
    }));
  }
  // The L3 entry for a destination; null where there is none.
  [[nodiscard]] const Rule* Entry(const IpAddress& destination) const {
    for (const auto& [id, entry] : hardware) {
      if (entry.rule.match.destination == IpPrefix::Host(destination)) return &entry.rule;
    }
    return nullptr;
  }
  void Hit(Table table, std::uint64_t packets = 1) {
    for (auto& [id, entry] : hardware) {
      if (entry.rule.match.table == table) entry.packets += packets;
    }
  }

  struct Installed {
    Rule rule;
    std::uint64_t packets = 0;
  };

  TimePoint now = TimePoint{} + std::chrono::hours(1);
  Pipeline pipeline;
  std::map<IpAddress, Answer> routes;
  std::set<IpAddress> bad_sources;
  std::map<MacAddress, std::uint32_t> bridged_to;          // frames to these are bridged, to this port
  SourceVerdict bridged_source = SourceVerdict::kUnknown;  // of what is bridged
  std::set<MacAddress> stations;                           // of a bridge, at the pod's port; none: it is in no bridge
  std::map<FlowId, Installed> hardware;
  std::vector<Operation> log;
  std::optional<Error> refusal;          // of every add and replace, while set
  std::optional<Error> removal_refusal;  // of every removal, while set
  std::optional<std::size_t> capacity;   // of the L3 table: an add beyond it finds no room
  bool paused = false;                   // nothing is programmed

 private:
  Answer AnswerTo(const Question& question) const {
    Answer answer;
    const auto route = routes.find(question.miss.destination);
    if (route != routes.end()) {
      answer = route->second;
    } else {
      answer.source = SourceVerdict::kValid;
      answer.reason = {Why::kUnreachable, "no route"};
    }
    if (const auto bridged = bridged_to.find(question.miss.destination_mac); bridged != bridged_to.end()) {
      answer = {};
      answer.bridged = true;
      answer.source = bridged_source;
      answer.verdict = Answer::Verdict::kForward;
      answer.adjacency.egress = bridged->second;
      answer.dependencies.stations = {{kBridge, 0, question.miss.destination_mac}};
    }
    if (question.miss.port == kPod && !stations.empty()) {
      answer.sender = StationKey{kBridge, 0, question.miss.source_mac};
      const bool here = stations.contains(question.miss.source_mac);
      if (!here) answer.sender_reason = {Why::kStation, "the bridge has not learned it"};
    }
    if (bad_sources.contains(question.miss.source)) {
      answer = {};
      answer.source = SourceVerdict::kInvalid;
      answer.reason = {Why::kMartian, "the source is not acceptable (martian)"};
    }
    answer.question = question;
    return answer;
  }

  Outcome Execute(const Operation& operation) {
    Outcome outcome{operation.kind, operation.flow, std::nullopt, operation.course};
    if (operation.kind == Operation::Kind::kRemove && removal_refusal) {
      outcome.error = removal_refusal;
    } else if (operation.kind == Operation::Kind::kRemove) {
      hardware.erase(operation.flow);  // one that is not there is gone
    } else if (refusal) {
      outcome.error = refusal;
    } else if (operation.kind == Operation::Kind::kAdd && operation.rule.match.table == Table::kL3 && capacity &&
               Entries(Table::kL3) >= *capacity) {
      outcome.error = Error{ENOSPC, "add a filter", "no slot is left"};
    } else {
      hardware[operation.flow] = {operation.rule, 0};
    }
    return outcome;
  }
};

}  // namespace dpuflow::flow
