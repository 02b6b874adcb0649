// SPDX-License-Identifier: Apache-2.0
//
// The values that flow in and out of the pipeline. Misses, answers, outcomes and samples go in; questions and
// operations come out. They are plain, own what they hold, and cross threads by move.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/flow/reason.h"
#include "agent/flow/rule.h"
#include "netlink/error.h"

namespace dpuflow::flow {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC; the pipeline never reads it, time comes in
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

// Names a flow as long as it lives. It is also part of the handle of the flow's filter: 31 bits, never 0.
using FlowId = std::uint32_t;

// Work is numbered by when its cause came in, so that one can wait for all that had come by a certain time (ledger.h).
using Epoch = std::uint64_t;

// The packets of one port with one VLAN id, or with none.
struct LaneId {
  std::uint32_t port = 0;
  std::uint16_t vlan = kUntagged;

  auto operator<=>(const LaneId&) const = default;
};

// A data packet that no hardware entry matched, as the classifier saw it.
struct Miss {
  std::uint32_t port = 0;
  std::uint16_t vlan = kUntagged;
  std::uint8_t vlan_priority = 0;  // PCP; 0 without a tag
  std::uint16_t ethertype = kEthertypeIpv4;
  MacAddress source_mac;
  MacAddress destination_mac;
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;      // of IPv4; the first next header of IPv6
  std::uint16_t source_port = 0;  // TCP and UDP; both zero in a fragment
  std::uint16_t destination_port = 0;
  std::uint8_t tos = 0;  // or traffic class

  [[nodiscard]] LaneId lane() const { return {port, vlan}; }
  bool operator==(const Miss&) const = default;
};

// How a missed packet was met.
struct Sighting {
  TimePoint time;
  bool forwarded = false;  // by the classifier, past the kernel's stack
};

// When what a packet sets in motion passed each stage, for those who measure. Unset: no packet was the cause, or the stage is
// still to come.
struct Course {
  TimePoint missed{};   // by hardware, says the classifier
  TimePoint read{};     // by the loop
  TimePoint issued{};   // the operation
  TimePoint begun{};    // by a programmer
  TimePoint granted{};  // by the kernel, or refused

  bool operator==(const Course&) const = default;
};

// Asked of the kernel: where would this packet go?
struct Question {
  FlowId flow = 0;
  Miss miss;
  bool fresh = false;  // a packet asks; otherwise a change, on behalf of a packet seen earlier
  Epoch epoch = 0;     // of the work that this is part of
  Course course{};

  bool operator==(const Question&) const = default;
};

struct NeighKey {
  std::uint32_t ifindex = 0;
  IpAddress address;

  auto operator<=>(const NeighKey&) const = default;
};

// A station of a bridge, which is a MAC address in a VLAN (0: the bridge does not look at VLANs).
struct StationKey {
  std::uint32_t bridge = 0;  // ifindex
  std::uint16_t vlan = 0;
  MacAddress mac;

  auto operator<=>(const StationKey&) const = default;
};

// What an answer rests on: when one of these changes, the question is asked again.
struct Dependencies {
  std::optional<IpPrefix> route;           // the prefix that matched (shown to people; events go by destination)
  std::uint32_t table = 0;                 // its routing table
  std::vector<std::uint32_t> nexthop_ids;  // the route's nexthop object, and the members of a group
  std::vector<std::uint32_t> links;        // every link that its paths use
  std::vector<NeighKey> neighs;            // every neighbour that its paths use
  std::optional<NeighKey> next_hop{};      // of these, the one that packets of this flow go to
  std::vector<StationKey> stations{};      // of bridges: those that the packet comes from and goes to
  std::optional<StationKey> sender{};      // of these, the one that every packet of this flow comes from

  bool operator==(const Dependencies&) const = default;
};

// What the kernel thinks of a source at a port. Unknown: it could not be asked, or the destination stood in the way.
enum class SourceVerdict : std::uint8_t { kUnknown, kValid, kInvalid };

// The kernel's answer.
struct Answer {
  enum class Verdict : std::uint8_t {
    kForward,   // by `adjacency`, and hardware may do it
    kWait,      // it would be forwarded, but a neighbour is not resolved yet
    kSoftware,  // leave it to the kernel, for `reason`
  };
  Question question;
  Verdict verdict = Verdict::kSoftware;
  SourceVerdict source = SourceVerdict::kUnknown;
  // What the choice of the path looks at: the key carries just these, so that no packet for which the kernel would choose
  // otherwise can match it.
  Fields fields = 0;
  bool uniform =
      true;  // the same for every packet to this destination; else others may need fields that this one does not
  bool bridged = false;  // by its destination MAC, and not routed
  Adjacency adjacency;   // of a bridged packet without MACs, which stay as they are
  Reason reason;         // why it waits or stays in software
  Dependencies dependencies;
  // Of a packet that enters by a bridge: whose sender it is, and why no entry may say that it is there.
  std::optional<StationKey> sender{};
  Reason sender_reason{};

  bool operator==(const Answer&) const = default;
};

// To be done to the hardware. The operations of one flow are executed one at a time: the next is not issued before
// the outcome of the one before is in.
struct Operation {
  enum class Kind : std::uint8_t { kAdd, kReplace, kRemove };
  Kind kind = Kind::kAdd;
  FlowId flow = 0;
  Rule rule;                 // kRemove: the rule that stands
  std::uint8_t section = 0;  // of a table that has some (sections.h)
  Epoch epoch = 0;
  Course course{};

  bool operator==(const Operation&) const = default;
};

// What became of an operation. Without an error, an add or replace was acknowledged and read back as in hardware.
struct Outcome {
  Operation::Kind kind = Operation::Kind::kAdd;
  FlowId flow = 0;
  std::optional<Error> error;
  Course course{};

  bool operator==(const Outcome&) const = default;
};

// One flow's counters as read from the driver: totals since its filter was made.
struct Sample {
  FlowId flow = 0;
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  bool in_hw = false;

  bool operator==(const Sample&) const = default;
};

// A station whose frames hardware has seen, by a sweep that began at `seen`.
struct StationUse {
  StationKey station;
  TimePoint seen;

  bool operator==(const StationUse&) const = default;
};

// A change among the kernel's tables, as far as flows care.
struct RouteChanged {  // added, replaced or removed
  IpPrefix destination;
};
struct NexthopChanged {
  std::uint32_t id = 0;
};
struct NeighChanged {  // its MAC or its validity
  NeighKey key;
};
struct StationChanged {  // came, moved or went
  StationKey key;
};
struct LinkChanged {  // up, down, MTU, MAC, master
  std::uint32_t ifindex = 0;
};
struct EverythingChanged {};  // rules, lost notifications: ask about all

using Change = std::variant<RouteChanged, NexthopChanged, NeighChanged, StationChanged, LinkChanged, EverythingChanged>;

}  // namespace dpuflow::flow
