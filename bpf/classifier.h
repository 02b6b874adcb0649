// SPDX-License-Identifier: Apache-2.0
//
// The classifier as the agent sees it: a program that is loaded once and attached to the ingress of each port, and the
// maps through which the two talk. `bpf/README.md` tells what the program does with a packet.
//
// Loading does not attach: program_fd() goes into a tcx link (bpf/tcx.h) or a cls_bpf filter (netlink/tc.h, BpfFilter).
// The program answers TC_ACT_UNSPEC for what it leaves to the kernel, so filters behind it still see the packet. It does
// nothing with a lane before SetIngress(), and dies with its last attachment, not with this object. A tcx link dies with the
// agent; filters do not: with them, an agent that crashes leaves it forwarding between the ports and from the sources
// that were set.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "bpf/path_lookup.h"
#include "bpf/shared.h"
#include "netlink/address.h"
#include "netlink/error.h"

namespace dpuflow {

using Verdict = dpuflow_verdict;         // DPUFLOW_VERDICT_FORWARDED, ...
using VerdictKind = dpuflow_kind;        // DPUFLOW_KIND_CONTROL, ...
using ProtocolClass = dpuflow_protocol;  // DPUFLOW_PROTOCOL_BGP, ...

std::string_view ToString(Verdict verdict);         // "no_neigh": the words of metrics and the command line
std::string_view ToString(VerdictKind kind);        // "forwarded", "control", "stack"
std::string_view ToString(ProtocolClass protocol);  // "bgp"
VerdictKind KindOf(Verdict verdict);

// The packets of one port with one VLAN id, or with none: how the switch tells apart what routing calls interfaces.
struct Lane {
  std::uint32_t port = 0;  // ifindex
  std::uint16_t vlan = DPUFLOW_UNTAGGED;

  auto operator<=>(const Lane&) const = default;
};

// Where routing sees the packets of a lane enter.
struct IngressEntry {
  std::uint32_t l3_ifindex = 0;  // the port itself, its VLAN device, or its bridge; 0: routing does not see them
  MacAddress mac{};              // of that interface: frames to it, or to the port's own, are to be routed
  std::uint32_t eswitch = 0;     // ports with equal numbers reach each other in hardware
  bool stack_only = false;       // what enters here is left to the kernel, and reported all the same
  bool bridged = false;          // so is what is for another MAC, because a bridge passes it on

  bool operator==(const IngressEntry&) const = default;
};

// Which port packets leave by that routing sends to an interface.
struct EgressEntry {
  std::uint32_t port = 0;  // ifindex
  std::uint32_t eswitch = 0;
  bool stack_only = false;  // what would leave here is left to the kernel, and reported all the same

  bool operator==(const EgressEntry&) const = default;
};

// A data packet for which hardware had no entry. One per flow (port, VLAN, ethertype, both MACs, both addresses, and what
// the settings add) and report window, however many packets come.
struct MissEvent {
  std::chrono::nanoseconds time{};  // CLOCK_MONOTONIC, as std::chrono::steady_clock
  Verdict verdict = DPUFLOW_VERDICT_FORWARDED;
  std::uint32_t port = 0;  // ifindex
  std::uint16_t vlan = DPUFLOW_UNTAGGED;
  std::uint8_t vlan_priority = 0;  // PCP
  std::uint16_t ethertype = 0;     // behind the tag
  MacAddress source_mac{};
  MacAddress destination_mac{};
  IpAddress source{};
  IpAddress destination{};
  std::uint8_t protocol = 0;
  std::uint16_t source_port = 0;  // TCP and UDP; zero in a fragment
  std::uint16_t destination_port = 0;
  std::uint8_t tos = 0;
  std::uint32_t length = 0;  // bytes of L3; of a GRO aggregate, those of one full segment

  bool operator==(const MissEvent&) const = default;
};

struct ClassifierCounter {
  Verdict verdict = DPUFLOW_VERDICT_FORWARDED;
  ProtocolClass protocol = DPUFLOW_PROTOCOL_OTHER;
  std::uint64_t packets = 0;  // as on the wire: a GRO aggregate counts its segments
  std::uint64_t bytes = 0;    // of L2

  bool operator==(const ClassifierCounter&) const = default;
};

struct ReportCounters {
  std::uint64_t sent = 0;        // events in the ring since the program was loaded
  std::uint64_t suppressed = 0;  // packets of flows that were reported within the window
  std::uint64_t ring_full = 0;   // events lost; the flow's next packet tries again

  bool operator==(const ReportCounters&) const = default;
};

struct ClassifierCounters {
  std::vector<ClassifierCounter> packets;  // those that are not zero, by verdict and protocol
  ReportCounters reports;
};

// What the classifier does, changed at any time.
struct ClassifierSettings {
  bool forward = true;  // off: data takes the kernel's path, counted as `forwarding_off`; flows are reported all
                        // the same
  bool report = true;   // off: no events
  bool ipv6_forwarding = true;  // sysctl net.ipv6.conf.all.forwarding, which the FIB lookup does not look at
  // Everything of this family is left to the kernel, and reported all the same.
  bool stack_only_v4 = false;
  bool stack_only_v6 = false;
  // Flows that are told apart, and reported each for itself, by more than MACs and addresses.
  bool by_ports = false;  // IP protocol and ports
  bool by_tos = false;    // TOS or traffic class

  bool operator==(const ClassifierSettings&) const = default;
};

struct ClassifierOptions {
  ClassifierSettings settings{};
  // For how long a flow that was reported is not reported again. Under a second, so that a flow that the agent missed
  // or forgot comes back within one.
  std::chrono::nanoseconds report_window = std::chrono::milliseconds(900);
  std::uint32_t ring_bytes = 1u << 20;      // 80 bytes per event; rounded up to a power of two
  std::uint32_t max_interfaces = 1u << 16;  // lanes, and as many interfaces; memory is used for those that are there
  std::uint32_t max_sources = 1u << 18;     // memory is used for those that are there
  std::uint32_t max_reported = 1u << 16;    // flows remembered; the least recently used goes first
};

// Move-only; owns programs and maps. One thread at a time, except that the const functions and those that change lanes,
// interfaces and sources may be called from any thread. Functions that return Result<void> fail with the errno of bpf(2).
class Classifier {
 public:
  using Options = ClassifierOptions;

  // Needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, and Linux 5.8 or later; no kernel BTF. The error names the capability
  // that is missing or carries what libbpf and the verifier said.
  static Result<Classifier> Load(const Options& options = {});
  Classifier(Classifier&&) noexcept;
  Classifier& operator=(Classifier&&) noexcept;
  ~Classifier();

  // BPF_PROG_TYPE_SCHED_CLS, named `dpuflow_class`, for direct-action. Valid as long as this object.
  [[nodiscard]] int program_fd() const;
  [[nodiscard]] std::uint32_t program_id() const;  // as `bpftool prog` shows it

  // Adds or changes. E2BIG: max_interfaces are there. Removing what is not there is no error.
  Result<void> SetIngress(const Lane& lane, const IngressEntry& entry);
  Result<void> RemoveIngress(const Lane& lane);
  Result<void> SetEgress(std::uint32_t l3_ifindex, const EgressEntry& entry);
  Result<void> RemoveEgress(std::uint32_t l3_ifindex);

  // Lets packets be forwarded that enter by this lane with this source. E2BIG: max_sources are there. Adding twice and
  // removing what is not there are no errors.
  Result<void> AddSource(const Lane& lane, const IpAddress& address);
  Result<void> RemoveSource(const Lane& lane, const IpAddress& address);

  Result<void> Set(const ClassifierSettings& settings);
  [[nodiscard]] const ClassifierSettings& settings() const;

  // Readable (epoll, level-triggered) while there are events. Valid as long as this object.
  [[nodiscard]] int ring_fd() const;
  // Takes at most `max` events out of the ring, oldest first, and never waits. Returns how many. `consume` must not
  // throw.
  std::size_t DrainMisses(const std::function<void(const MissEvent&)>& consume, std::size_t max);
  // Forgets which flows were reported: the next packet of each is reported at once.
  Result<void> ForgetReported();

  // Sums over all CPUs since the program was loaded. A few hundred system calls at most: for statistics, not per event.
  [[nodiscard]] Result<ClassifierCounters> ReadCounters() const;

  // As PathLookup::Ask().
  Result<void> ResolveBatch(std::span<const PathQuery> queries, std::span<PathAnswer> answers);

 private:
  struct State;
  explicit Classifier(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dpuflow
