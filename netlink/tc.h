// SPDX-License-Identifier: Apache-2.0
//
// tc filters to and from the values of flower.h. Pure functions over bytes; a Socket carries them.
//
//   tc filter add dev IFINDEX ingress chain C prio P protocol E handle H flower KEY... skip_sw
//   action ...
//
// What is sent (RTM_NEWTFILTER): `struct tcmsg` with interface, parent, handle and (prio << 16 |
// ethertype); TCA_CHAIN; TCA_KIND; TCA_OPTIONS with a value and a mask attribute per key and, under
// TCA_FLOWER_ACT, the actions in order. Each action gets TCA_ACT_FLAGS_NO_PERCPU_STATS (cheaper by
// a quarter); the last carries the owner's cookie.
//
// The kernel reads no NLM_F_REPLACE here: CREATE|EXCL adds, CREATE alone adds or replaces. A
// replacement with the same mask is make-before-break and starts its counters at 0; with another
// mask it is EINVAL. A key that the kernel does not know it ignores, and so installs a wider
// filter: the caller reads back what it made (InstalledFilter::complete and a comparison of
// `filter`).
//
// What rtnetlink answers to a wrong request is tabled in the tests (tests/lab); the frequent ones:
// EEXIST (that handle or key is there), ENOENT (nothing to delete), EOPNOTSUPP (no hardware, or
// refused by it), ENOSPC (hardware table full).
#pragma once

#include <linux/netlink.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netlink/error.h"
#include "netlink/flower.h"
#include "netlink/message.h"
#include "netlink/socket.h"

namespace dpuflow::netlink {

// Requests. `flags`: NLM_F_ECHO to get the installed filter back (BatchResult::echo). EINVAL for a
// filter that cannot be expressed, with nothing appended: handle, prio or ethertype 0 (the kernel
// would take these as "any" or "all"), an address of another family than the ethertype, ports
// without TCP or UDP, a VLAN id above 4095, a VLAN priority above 7, either without 802.1Q, a goto chain of more than 28 bits, no action.
Result<void> AppendFilterAdd(MessageBuffer& buffer, std::uint32_t seq, const Filter& filter, std::uint16_t flags = 0);
Result<void> AppendFilterReplace(MessageBuffer& buffer, std::uint32_t seq, const Filter& filter,
                                 std::uint16_t flags = 0);
Result<void> AppendFilterDelete(MessageBuffer& buffer, std::uint32_t seq, const FilterId& id);
// One filter in full, for Socket::Ask; the answer goes to ParseFilter. ENOENT when there is none.
Result<void> AppendFilterGet(MessageBuffer& buffer, std::uint32_t seq, const FilterId& id);

// tc filter show dev IFINDEX ingress [chain CHAIN]. Takes rtnl in the kernel, for each 32 KiB.
struct FilterDump {
  std::uint32_t ifindex = 0;
  std::uint32_t parent = kClsactIngress;
  std::optional<std::uint32_t> chain{};  // none: all chains
  // Identity, flags, cookies, counters; no key, no action parameters. Only flower has a terse form: a filter of another
  // kind among those that are asked for (cls_bpf, matchall) ends the dump with EMSGSIZE.
  bool terse = false;
  std::uint16_t ethertype = 0;  // host byte order; 0: any
};
void AppendFilterDump(MessageBuffer& buffer, std::uint32_t seq, const FilterDump& which);

// A dump, and a deletion of a whole prio or chain, has messages with handle 0 that stand for the
// (chain, prio) itself.
bool IsFilterHeader(const nlmsghdr& message);

// A flower filter from a full dump, an answer, an echo or a notification. `complete` is false when
// anything about it could not have been written by this codec, another kind of classifier included.
// EBADMSG, EINVAL as in rtnl.h.
Result<InstalledFilter> ParseFilter(const nlmsghdr& message);

// Any classifier's filter, from a terse or a full message; also one with handle 0.
Result<TerseFilter> ParseTerse(const nlmsghdr& message);

// Dumps without the headers. Not a snapshot: filters may come and go in between. One by one as they are read; `again`: the dump
// begins, maybe anew, and what was given before does not count.
Result<void> ReadFilters(Socket& socket, const FilterDump& which, const std::function<void()>& again,
                         const std::function<void(InstalledFilter)>& each);
Result<void> ReadTerse(Socket& socket, const FilterDump& which, const std::function<void()>& again,
                       const std::function<void(const TerseFilter&)>& each);          // from either form
Result<std::vector<TerseFilter>> ListTerse(Socket& socket, const FilterDump& which);  // likewise, at once

// A cls_bpf filter in direct-action mode: tc filter add ... protocol all bpf da object-pinned ...
struct BpfFilter {
  FilterId id{};              // ethertype ETH_P_ALL (3) as a rule
  int program = -1;           // file descriptor, BPF_PROG_TYPE_SCHED_CLS; borrowed
  std::string name{};         // shown by tc; how the agent knows its own again. Up to 255 bytes
  std::uint16_t classid = 0;  // what the program finds in skb->tc_classid
};

struct InstalledBpfFilter {
  FilterId id{};
  std::string name{};
  std::uint32_t program_id = 0;       // as in `bpftool prog show`
  std::array<std::uint8_t, 8> tag{};  // hash of the program's instructions
  bool direct_action = false;

  bool operator==(const InstalledBpfFilter&) const = default;
};

Result<void> AppendBpfFilterAdd(MessageBuffer& buffer, std::uint32_t seq, const BpfFilter& filter);
// Adds, or exchanges the program of the filter that is there: no packet passes unclassified in
// between.
Result<void> AppendBpfFilterReplace(MessageBuffer& buffer, std::uint32_t seq, const BpfFilter& filter);
Result<void> AppendBpfFilterDelete(MessageBuffer& buffer, std::uint32_t seq, const FilterId& id);
// Nothing when the message is about another kind of classifier, or a header.
Result<std::optional<InstalledBpfFilter>> ParseBpfFilter(const nlmsghdr& message);
Result<std::vector<InstalledBpfFilter>> ListBpfFilters(Socket& socket, const FilterDump& which);

}  // namespace dpuflow::netlink
