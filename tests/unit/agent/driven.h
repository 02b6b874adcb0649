// SPDX-License-Identifier: Apache-2.0
//
// A pipeline that is driven as fast as it goes: a kernel that routes everything, and hardware that takes everything.
#pragma once

#include <optional>
#include <utility>

#include "agent/flow/pipeline.h"

namespace dpuflow::driven {

inline constexpr std::uint32_t kUplink = 2, kPod = 7;
inline constexpr std::size_t kBatch = 256;  // as the agent's loop takes them
inline const MacAddress kRouterMac{{0x02, 0, 0, 0, 0, 0x07}}, kUplinkMac{{0x02, 0, 0, 0, 0, 0x02}};
inline const MacAddress kPodMac{{0x0a, 0, 0, 0, 0, 0x07}}, kNextHopMac{{0x0b, 0, 0, 0, 0, 0x01}};
inline const flow::NeighKey kNextHop{kUplink, IpAddress::V4(10, 1, 0, 1)};

inline IpAddress DestinationOf(std::size_t flow) {
  return IpAddress::V4(10, static_cast<std::uint8_t>(128 + (flow >> 16)), static_cast<std::uint8_t>(flow >> 8),
                       static_cast<std::uint8_t>(flow));
}

inline flow::Miss MissOf(std::size_t flow) {
  flow::Miss miss;
  miss.port = kPod;
  miss.source_mac = kPodMac;
  miss.destination_mac = kRouterMac;
  miss.source = IpAddress::V4(10, 1, 0, 2);
  miss.destination = DestinationOf(flow);
  miss.protocol = 17;
  miss.source_port = miss.destination_port = 7000;
  return miss;
}

inline flow::Answer AnswerTo(const flow::Question& question) {
  flow::Answer answer;
  answer.question = question;
  answer.verdict = flow::Answer::Verdict::kForward;
  answer.source = flow::SourceVerdict::kValid;
  answer.adjacency = {kUplink, kUplinkMac, kNextHopMac};
  answer.dependencies.route = IpPrefix{IpAddress::V4(10, 128, 0, 0), 9};
  answer.dependencies.table = 254;
  answer.dependencies.links = {kUplink};
  answer.dependencies.neighs = {kNextHop};
  answer.dependencies.next_hop = kNextHop;
  return answer;
}

// A pipeline with a pod's port and an uplink, whose kernel routes everything, and whose hardware takes everything.
class Driven {
 public:
  explicit Driven(std::size_t flows) : pipeline(LimitsFor(flows)) {
    for (const auto& [ifindex, mac] : {std::pair(kPod, kRouterMac), {kUplink, kUplinkMac}}) {
      flow::Port port;
      port.ifindex = ifindex;
      port.lanes.emplace_back().router_mac = mac;
      port.lanes[0].routed = true;
      pipeline.SetPort(port, now);
    }
    Work();
  }

  void Fill(std::size_t flows) {
    for (std::size_t flow = 0; flow < flows; ++flow) {
      pipeline.OnMiss(MissOf(flow), now);
      if (flow % kBatch == 0) Work();
    }
    Work();
  }

  void Work() {
    while (!pipeline.settled()) {
      for (const flow::Question& question : pipeline.TakeQuestions(kBatch, now)) {
        pipeline.OnAnswer(AnswerTo(question), now);
      }
      for (const flow::Operation& operation : pipeline.TakeOperations(kBatch, now)) {
        pipeline.OnOutcome({operation.kind, operation.flow, std::nullopt, operation.course}, now);
      }
    }
  }

  static flow::Limits LimitsFor(std::size_t flows) {
    flow::Limits limits;
    limits.max_entries = 2 * flows + 1000;
    return limits;
  }

  flow::TimePoint now = flow::TimePoint{} + std::chrono::hours(1);
  flow::Pipeline pipeline;
};

}  // namespace dpuflow::driven
