// SPDX-License-Identifier: Apache-2.0
//
// Taking out of tc what an agent has put on a device, and nothing else: for the agent itself, and for `dpuflowctl gc` after
// one that has ended. All of it takes rtnl. A device, qdisc or filter that is not there any more is as good as removed.
//
// What is ours: flower filters that carry our cookie, cls_bpf filters of our name, and a clsact that has our mark, a chain
// without filters whose number nobody would use. The mark goes with the qdisc, and tells that nobody else has asked for that
// qdisc. Nothing else tells it, least of all what this process remembers of the ifindex: another qdisc may stand there by now, on
// another device even.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "netlink/flower.h"
#include "netlink/socket.h"

namespace dpuflow::offload {

inline constexpr std::string_view kClassifierName = "dpuflow";  // of its cls_bpf filters

// What was on a device.
struct Removed {
  std::size_t entries = 0;
  std::size_t classifiers = 0;  // filters of it, not a tcx link
  bool clsact = false;

  [[nodiscard]] bool nothing() const { return entries == 0 && classifiers == 0 && !clsact; }
  bool operator==(const Removed&) const = default;
};

[[nodiscard]] bool IsGone(const Error& error);

// Filters of the classifier, wherever they stand.
Result<std::vector<netlink::FilterId>> ListClassifiers(netlink::Socket& socket, std::uint32_t ifindex);
Result<void> RemoveFilters(netlink::Socket& socket, const std::vector<netlink::FilterId>& filters);

// `tc qdisc add dev IFINDEX clsact`, with the mark. While such a qdisc comes or goes, Linux stops the queues of the device's
// egress for an instant, too, and drops what leaves then (qdisc_graft in net/sched/sch_api.c).
Result<void> AddClsact(netlink::Socket& socket, std::uint32_t ifindex);

// Everything of ours on the device; a clsact of ours stays where something foreign is on it.
Result<Removed> RemoveOurs(netlink::Socket& socket, std::uint32_t ifindex);

// Devices with a qdisc that filters can hang on.
Result<std::vector<std::uint32_t>> ListDevices(netlink::Socket& socket);

}  // namespace dpuflow::offload
