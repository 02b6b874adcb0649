// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/removal.h"

#include <linux/pkt_sched.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "agent/flow/rule.h"
#include "agent/offload/flower_mapping.h"
#include "netlink/rtnl.h"
#include "netlink/tc.h"

namespace dpuflow::offload {
namespace {

using netlink::MessageBuffer;

constexpr std::uint32_t kMark = 0x647075;  // "dpu"
constexpr std::uint32_t kClsactEgress = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS);

netlink::FilterDump FiltersOf(std::uint32_t ifindex, std::uint32_t parent = netlink::kClsactIngress) {
  netlink::FilterDump dump;
  dump.ifindex = ifindex;
  dump.parent = parent;
  return dump;
}

Result<std::set<std::uint32_t>> ListChains(netlink::Socket& socket, std::uint32_t ifindex, std::uint32_t parent) {
  MessageBuffer request;
  netlink::AppendFilterChainDump(request, socket.NextSeq(), ifindex, parent);
  const auto chains = socket.Collect(request, "list chains", netlink::ParseFilterChain);
  if (!chains) return tl::make_unexpected(chains.error());
  return std::set<std::uint32_t>(chains->begin(), chains->end());
}

// Whether the clsact there has the mark.
Result<bool> IsOurClsact(netlink::Socket& socket, std::uint32_t ifindex) {
  const auto chains = ListChains(socket, ifindex, netlink::kClsactIngress);
  if (!chains) return tl::make_unexpected(chains.error());
  return chains->contains(kMark);
}

// The way into the tables goes first and the guards last: nothing is forwarded without them in between.
Result<std::vector<netlink::FilterId>> ListEntries(netlink::Socket& socket, std::uint32_t ifindex) {
  const auto filters = netlink::ListTerse(socket, FiltersOf(ifindex));
  if (!filters) return tl::make_unexpected(filters.error());
  std::vector<netlink::FilterId> ours;
  for (const flow::Table table : {flow::Table::kL2Source, flow::Table::kL2Destination, flow::Table::kL3,
                                  flow::Table::kFlat, flow::Table::kGuard}) {
    for (const netlink::TerseFilter& filter : *filters) {
      const auto owner = filter.cookie ? OwnerOf(*filter.cookie) : std::nullopt;
      if (owner && owner->table == table) ours.push_back(filter.id);
    }
  }
  return ours;
}

// Filters of others, or a chain that somebody has made for some.
Result<bool> HoldsForeignThings(netlink::Socket& socket, std::uint32_t ifindex) {
  for (const std::uint32_t parent : {netlink::kClsactIngress, kClsactEgress}) {
    const auto filters = netlink::ListTerse(socket, FiltersOf(ifindex, parent));
    if (!filters) return tl::make_unexpected(filters.error());
    if (!filters->empty()) return true;
    auto chains = ListChains(socket, ifindex, parent);
    if (!chains) return tl::make_unexpected(chains.error());
    if (parent == netlink::kClsactIngress) chains->erase(kMark);
    if (!chains->empty()) return true;
  }
  return false;
}

// Whether it was there to be removed.
Result<bool> RemoveClsact(netlink::Socket& socket, std::uint32_t ifindex) {
  const auto foreign = HoldsForeignThings(socket, ifindex);
  if (!foreign) return tl::make_unexpected(foreign.error());
  if (*foreign) return false;
  MessageBuffer request;
  netlink::AppendClsactDelete(request, socket.NextSeq(), ifindex);
  const auto deleted = socket.Transact(request, fmt::format("delete clsact at ifindex {}", ifindex));
  if (!deleted && !IsGone(deleted.error())) return tl::make_unexpected(deleted.error());
  return deleted.has_value();
}

}  // namespace

bool IsGone(const Error& error) { return error.code == ENOENT || error.code == ENODEV || error.code == EINVAL; }

Result<std::vector<netlink::FilterId>> ListClassifiers(netlink::Socket& socket, std::uint32_t ifindex) {
  const auto programs = netlink::ListBpfFilters(socket, FiltersOf(ifindex));
  if (!programs) return tl::make_unexpected(programs.error());
  std::vector<netlink::FilterId> filters;
  for (const netlink::InstalledBpfFilter& filter : *programs) {
    if (filter.name == kClassifierName) filters.push_back(filter.id);
  }
  return filters;
}

Result<void> RemoveFilters(netlink::Socket& socket, const std::vector<netlink::FilterId>& filters) {
  if (filters.empty()) return {};
  MessageBuffer requests;
  for (const netlink::FilterId& filter : filters) {
    const bool classifier = filter.ethertype == kEthertypeAll;
    const auto append = classifier ? netlink::AppendBpfFilterDelete : netlink::AppendFilterDelete;
    (void)append(requests, socket.NextSeq(), filter);
  }
  for (const netlink::BatchResult& result : socket.TransactBatch(requests, "remove our filters")) {
    if (!result.done() && !IsGone(result.error)) return tl::make_unexpected(result.error);
  }
  return {};
}

Result<void> AddClsact(netlink::Socket& socket, std::uint32_t ifindex) {
  MessageBuffer add;
  netlink::AppendClsactAdd(add, socket.NextSeq(), ifindex);
  if (auto added = socket.Transact(add, fmt::format("add clsact at ifindex {}", ifindex)); !added) return added;
  MessageBuffer mark;
  netlink::AppendFilterChainAdd(mark, socket.NextSeq(), ifindex, netlink::kClsactIngress, kMark);
  auto marked = socket.Transact(mark, fmt::format("mark the clsact at ifindex {} as ours", ifindex));
  if (!marked) (void)RemoveClsact(socket, ifindex);  // or it would stay for good
  return marked;
}

Result<Removed> RemoveOurs(netlink::Socket& socket, std::uint32_t ifindex) {
  Removed removed;
  const auto work = [&]() -> Result<void> {
    const auto entries = ListEntries(socket, ifindex);
    if (!entries) return tl::make_unexpected(entries.error());
    if (auto done = RemoveFilters(socket, *entries); !done) return done;
    const auto classifiers = ListClassifiers(socket, ifindex);
    if (!classifiers) return tl::make_unexpected(classifiers.error());
    if (auto done = RemoveFilters(socket, *classifiers); !done) return done;
    removed = {entries->size(), classifiers->size(), false};
    const auto ours = IsOurClsact(socket, ifindex);
    if (!ours) return tl::make_unexpected(ours.error());
    if (!*ours) return {};
    const auto clsact = RemoveClsact(socket, ifindex);
    if (!clsact) return tl::make_unexpected(clsact.error());
    removed.clsact = *clsact;
    return {};
  };
  if (auto done = work(); !done && !IsGone(done.error())) return tl::make_unexpected(done.error());
  return removed;
}

Result<std::vector<std::uint32_t>> ListDevices(netlink::Socket& socket) {
  MessageBuffer request;
  netlink::AppendQdiscDump(request, socket.NextSeq());
  const auto qdiscs = socket.Collect(request, "list qdiscs", netlink::ParseQdisc);
  if (!qdiscs) return tl::make_unexpected(qdiscs.error());
  std::vector<std::uint32_t> devices;
  for (const netlink::Qdisc& qdisc : *qdiscs) {
    // Of a shared block nothing is ours.
    if (qdisc.parent == TC_H_CLSACT && qdisc.ingress_block == 0) devices.push_back(qdisc.ifindex);
  }
  return devices;
}

}  // namespace dpuflow::offload
