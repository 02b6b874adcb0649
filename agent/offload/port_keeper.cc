// SPDX-License-Identifier: Apache-2.0
#include "agent/offload/port_keeper.h"

#include <linux/pkt_sched.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/daemon/kept_descriptors.h"
#include "agent/flow/form.h"
#include "agent/flow/sections.h"
#include "agent/offload/flower_mapping.h"
#include "agent/offload/removal.h"
#include "bpf/shared.h"
#include "netlink/rtnl.h"
#include "netlink/tc.h"

namespace dpuflow::offload {
namespace {

using netlink::MessageBuffer;

tl::unexpected<PortKeeper::Refusal> Refuse(std::string sentence, std::string hint) {
  return tl::make_unexpected(PortKeeper::Refusal{std::move(sentence), std::move(hint)});
}

netlink::FilterDump FullDump(std::uint32_t port) {
  netlink::FilterDump dump;
  dump.ifindex = port;
  return dump;
}

netlink::FilterId ClassifierPlace(std::uint32_t port, std::uint32_t chain) {
  return {port, netlink::kClsactIngress, chain, kClassifierPrio, kEthertypeAll, kClassifierHandle};
}

// A trial with a peer that failed so says nothing about this port: one of them is gone or is being released, or the table is
// full for now.
bool PeerMayBeAway(const Error& error) {
  return error.code == ENODEV || error.code == ENOSPC || error.code == ENOMEM || FootingIsGone(error);
}

bool IsOffloadOff(const Error& error) { return error.extack.find("TC offload is disabled") != std::string::npos; }

// A link's name among the descriptors that are kept.
std::string LinkName(std::uint32_t port) { return fmt::format("tcx-{}", port); }

// What a refused trial filter says about the port. `what` is its shape, in words.
tl::unexpected<PortKeeper::Refusal> ExplainProbe(const Error& error, const std::string& name, std::string_view what) {
  if (IsOffloadOff(error)) {
    return Refuse("hardware offload of tc is off", fmt::format("ethtool -K {} hw-tc-offload on", name));
  }
  if (error.code == ENOENT) {
    return Refuse(fmt::format("this kernel lacks the flower classifier or an action of it ({})", ToString(error)),
                  "modprobe -a cls_flower act_mirred act_pedit act_gact");
  }
  return Refuse(fmt::format("the driver refuses {} ({})", what, ToString(error)), "dmesg | tail");
}

// Trial rules match nothing that is sent: a locally administered MAC address that nobody has, a reserved IP address.
constexpr MacAddress kTrialMac{{0x02, 'd', 'p', 'u', 'f', 0}};

flow::Rule TrialJump(std::uint32_t port, flow::Table from, flow::Table to) {
  flow::Rule rule;
  rule.match.table = from;
  rule.match.port = port;
  rule.match.source_mac = rule.match.destination_mac = kTrialMac;
  rule.action = flow::GotoTable{to};
  return rule;
}

flow::Rule TrialRoute(std::uint32_t port, flow::Form form, const flow::Action& action) {
  flow::Rule rule;
  rule.match.table = form == flow::Form::kFlat ? flow::Table::kFlat : flow::Table::kL3;
  rule.match.port = port;
  rule.match.source_mac = rule.match.destination_mac = kTrialMac;
  rule.match.destination = IpPrefix::Host(IpAddress::V4(240, 0, 0, 1));
  rule.action = action;
  return rule;
}

// The form that entries stand in; nothing where only guards do, which both have.
std::optional<flow::Form> FormOf(const std::vector<Expected>& standing) {
  for (const Expected& entry : standing) {
    if (entry.rule.match.table == flow::Table::kFlat) return flow::Form::kFlat;
    if (entry.rule.match.table != flow::Table::kGuard) return flow::Form::kChained;
  }
  return std::nullopt;
}

// A driver that cannot do a thing says so by this errno; others are a matter of the moment (ENOSPC) or of the kernel (ENOENT).
bool IsNotOffered(const Error& error) { return error.code == EOPNOTSUPP && !IsOffloadOff(error); }

}  // namespace

Result<PortKeeper> PortKeeper::Open(int program) {
  netlink::SocketOptions options;
  options.receive_buffer = 4 << 20;
  auto socket = netlink::Socket::Open(options);
  if (!socket) return tl::make_unexpected(socket.error());
  PortKeeper keeper(std::move(*socket), program);
  keeper.TakeKeptLinks();
  return keeper;
}

void PortKeeper::TakeKeptLinks() {
  for (const KeptDescriptor& kept : TakeKeptDescriptors()) {
    auto link = bpf::TcxLink::Adopt(kept.descriptor);
    const std::uint32_t port = link ? link->ifindex() : 0;
    if (port != 0 && kept.name == LinkName(port)) {
      links_.insert_or_assign(port, std::move(*link));
    } else {
      ForgetDescriptor(kept.name);  // of a device that is gone
    }
  }
}

tl::expected<void, PortKeeper::Refusal> PortKeeper::EnsureFooting(std::uint32_t port, const std::string& name) {
  MessageBuffer request;
  netlink::AppendQdiscDump(request, socket_.NextSeq());
  const auto qdiscs = socket_.Collect(request, "list qdiscs", netlink::ParseQdisc);
  if (!qdiscs) return Refuse(ToString(qdiscs.error()), "tc qdisc show dev " + name);
  for (const netlink::Qdisc& qdisc : *qdiscs) {
    if (qdisc.ifindex != port || qdisc.parent != TC_H_CLSACT) continue;
    if (qdisc.ingress_block != 0) {
      return Refuse(fmt::format("its ingress uses the shared block {}", qdisc.ingress_block),
                    fmt::format("tc qdisc del dev {} {}", name, qdisc.kind));
    }
    return {};
  }
  if (auto added = AddClsact(socket_, port); !added) {
    return Refuse(ToString(added.error()), fmt::format("tc qdisc add dev {} clsact", name));
  }
  return {};
}

tl::expected<PortKeeper::Prepared, PortKeeper::Refusal> PortKeeper::Prepare(std::uint32_t port, const std::string& name,
                                                                            std::uint32_t peer) {
  if (auto footing = EnsureFooting(port, name); !footing) return tl::make_unexpected(footing.error());
  const auto give_up = [&](Refusal refusal) {
    (void)Release(port);
    return tl::make_unexpected(std::move(refusal));
  };
  auto standing = TakeOver(port);
  if (!standing) return give_up({ToString(standing.error()), fmt::format("tc filter show dev {} ingress", name)});
  auto form = FormOf(*standing);
  if (!form) {
    const auto tried = Probe(port, name, peer);
    if (!tried) return give_up(tried.error());
    form = *tried;
  }
  if (auto attached = AttachClassifier(port, *form); !attached) {
    return give_up({ToString(attached.error()), fmt::format("tc filter show dev {} ingress", name)});
  }
  return Prepared{*form, std::move(*standing)};
}

Result<std::vector<Expected>> PortKeeper::TakeOver(std::uint32_t port) {
  std::vector<Expected> standing;
  std::vector<netlink::FilterId> others;
  const auto again = [&] {
    standing.clear();
    others.clear();
  };
  const auto each = [&](const netlink::InstalledFilter& filter) {
    if (!OwnerOf(filter.filter.cookie)) return;
    if (auto entry = Recognize(filter)) {
      standing.push_back(std::move(*entry));
    } else {
      others.push_back(filter.filter.id);
    }
  };
  const auto read = netlink::ReadFilters(socket_, FullDump(port), again, each);
  if (!read) return tl::make_unexpected(read.error());
  // Both forms at once are of two runs, or of none: nothing says which to go on in.
  const auto form = FormOf(standing);
  std::erase_if(standing, [&](const Expected& entry) {
    const bool stays = !form || flow::StandsIn(entry.rule.match.table, *form);
    if (!stays) others.push_back(ToFilter(entry.rule, entry.flow, entry.section).id);
    return !stays;
  });
  if (auto removed = RemoveFilters(socket_, others); !removed) return tl::make_unexpected(removed.error());
  return standing;
}

tl::expected<flow::Form, PortKeeper::Refusal> PortKeeper::Probe(std::uint32_t port, const std::string& name,
                                                                std::uint32_t peer) {
  flow::Form form = flow::Form::kChained;
  if (auto tried = TryJumps(port, name); !tried) {
    if (!IsNotOffered(tried.error())) return ExplainProbe(tried.error(), name, "exact-match filters with chains");
    form = flow::Form::kFlat;
    if (auto flat = Try(TrialRoute(port, form, flow::Trap{}), name); !flat) {
      return ExplainProbe(flat.error(), name, "exact-match filters, with chains and without");
    }
  }
  if (peer == 0) return form;
  const flow::RouteTo route{{peer, kTrialMac, kTrialMac}};
  if (auto tried = Try(TrialRoute(port, form, route), name); !tried && !PeerMayBeAway(tried.error())) {
    return ExplainProbe(tried.error(), name, "filters that rewrite a packet and redirect it");
  }
  return form;
}

// Both: a driver without chains may let one jump pass.
Result<void> PortKeeper::TryJumps(std::uint32_t port, const std::string& name) {
  auto tried = Try(TrialJump(port, flow::Table::kL2Source, flow::Table::kL2Destination), name);
  return tried ? Try(TrialJump(port, flow::Table::kL2Destination, flow::Table::kL3), name) : tried;
}

Result<void> PortKeeper::TryRoute(std::uint32_t port, flow::Form form, std::uint32_t peer) {
  return Try(TrialRoute(port, form, flow::RouteTo{{peer, kTrialMac, kTrialMac}}), fmt::format("ifindex {}", port));
}

Result<void> PortKeeper::Try(const flow::Rule& rule, const std::string& name) {
  // In the last of a small table's sections: what it takes there it takes in the others.
  const std::uint8_t section = rule.match.table == flow::Table::kFlat ? flow::kFlatSections : 1;
  const netlink::Filter filter = ToFilter(rule, 0, section);
  MessageBuffer add;
  if (auto appended = netlink::AppendFilterAdd(add, socket_.NextSeq(), filter); !appended) return appended;
  if (auto added = socket_.Transact(add, "offload a trial filter on " + name); !added) return added;
  MessageBuffer remove;
  (void)netlink::AppendFilterDelete(remove, socket_.NextSeq(), filter.id);
  return socket_.Transact(remove, "remove the trial filter from " + name);
}

Result<void> PortKeeper::AttachClassifier(std::uint32_t port, flow::Form form) {
  // A link of an earlier run that holds goes on with this program.
  if (const auto kept = links_.find(port); kept != links_.end()) {
    if (kept->second.attached() && kept->second.Update(program_)) return {};
    Detach(port);
  }
  auto link = bpf::TcxLink::Attach(program_, port);
  if (link) {
    KeepDescriptor(LinkName(port), link->fd());
    links_.insert_or_assign(port, std::move(*link));
    return {};
  }
  return link.error().code == EOPNOTSUPP ? AttachByFilters(port, form) : tl::make_unexpected(link.error());
}

void PortKeeper::Detach(std::uint32_t port) {
  if (links_.erase(port) > 0) ForgetDescriptor(LinkName(port));
}

Result<void> PortKeeper::AttachByFilters(std::uint32_t port, flow::Form form) {
  const auto filters = ListClassifiers(socket_, port);
  if (!filters) return tl::make_unexpected(filters.error());
  std::set<std::uint32_t> standing;  // chains
  std::vector<netlink::FilterId> others;
  for (const netlink::FilterId& filter : *filters) {
    if (filter == ClassifierPlace(port, filter.chain) && filter.chain < ChainsOf(form)) {
      standing.insert(filter.chain);
    } else {
      others.push_back(filter);
    }
  }
  for (std::uint32_t chain = 0; chain < ChainsOf(form); ++chain) {
    if (auto attached = AttachByFilter(port, chain, standing.contains(chain)); !attached) return attached;
  }
  return RemoveFilters(socket_, others);
}

Result<void> PortKeeper::AttachByFilter(std::uint32_t port, std::uint32_t chain, bool in_place) {
  netlink::BpfFilter filter;
  filter.id = ClassifierPlace(port, chain);
  filter.program = program_;
  filter.name = kClassifierName;
  filter.classid = chain == 0 ? 0 : DPUFLOW_LATER_CHAIN;
  MessageBuffer request;
  const auto append = in_place ? netlink::AppendBpfFilterReplace : netlink::AppendBpfFilterAdd;
  if (auto appended = append(request, socket_.NextSeq(), filter); !appended) return appended;
  return socket_.Transact(request, fmt::format("attach the classifier at ifindex {} chain {}", port, chain));
}

Result<std::set<std::uint32_t>> PortKeeper::ClassifierChains(std::uint32_t port, flow::Form form) {
  std::set<std::uint32_t> chains;
  if (const auto link = links_.find(port); link != links_.end()) {
    if (!link->second.attached()) return chains;
    for (std::uint32_t chain = 0; chain < ChainsOf(form); ++chain) chains.insert(chain);
    return chains;
  }
  const auto filters = ListClassifiers(socket_, port);
  if (!filters) return tl::make_unexpected(filters.error());
  for (const netlink::FilterId& filter : *filters) chains.insert(filter.chain);
  return chains;
}

Result<std::vector<Difference>> PortKeeper::Audit(std::uint32_t port, flow::Form form, std::vector<Expected> expected) {
  Comparison comparison(std::move(expected));
  const auto read = netlink::ReadFilters(
      socket_, FullDump(port), [&] { comparison.Begin(); },
      [&](netlink::InstalledFilter filter) { comparison.Add(std::move(filter)); });
  if (!read) return tl::make_unexpected(read.error());
  const auto chains = ClassifierChains(port, form);
  if (!chains) return tl::make_unexpected(chains.error());
  std::vector<Difference> differences = comparison.Finish();
  std::erase_if(differences, [this](const Difference& difference) { return IsThereAfterAll(difference); });
  for (std::uint32_t chain = 0; chain < ChainsOf(form); ++chain) {
    if (chains->contains(chain)) continue;
    const bool by_tcx = links_.contains(port);  // for all chains at once
    auto attached = by_tcx ? AttachClassifier(port, form) : AttachByFilter(port, chain, false);
    if (!attached) return tl::make_unexpected(attached.error());
    Difference difference;
    difference.flaw = Flaw::kClassifier;
    difference.expected.emplace().id = ClassifierPlace(port, chain);
    differences.push_back(std::move(difference));
    if (by_tcx) break;
  }
  return differences;
}

// A dump that others' changes shift passes filters over.
bool PortKeeper::IsThereAfterAll(const Difference& difference) {
  if (difference.flaw != Flaw::kMissing) return false;
  MessageBuffer request;
  if (!netlink::AppendFilterGet(request, socket_.NextSeq(), difference.expected->id)) return false;
  const auto answer = socket_.Ask(request, "look for an entry again");
  if (!answer) return false;
  const auto found = netlink::ParseFilter(answer->header());
  return found && !FlawOf(*difference.expected, *found);
}

Result<void> PortKeeper::RemoveStray(const netlink::FilterId& id) {
  MessageBuffer request;
  if (auto appended = netlink::AppendFilterDelete(request, socket_.NextSeq(), id); !appended) return appended;
  auto deleted = socket_.Transact(
      request, fmt::format("remove a stray filter at ifindex {} chain {} prio {}", id.ifindex, id.chain, id.prio));
  return !deleted && IsGone(deleted.error()) ? Result<void>{} : deleted;
}

Result<void> PortKeeper::Release(std::uint32_t port) {
  Detach(port);
  const auto removed = RemoveOurs(socket_, port);
  return removed ? Result<void>{} : tl::make_unexpected(removed.error());
}

Result<flow::Sweep> PortKeeper::ReadCounters(std::uint32_t port, flow::PacketKinds kinds) {
  flow::Sweep sweep{port, flow::Clock::now(), kinds};
  // By ethertype, which leaves out the classifier: it has no terse form.
  for (const flow::PacketKind kind : {flow::PacketKind::kIpv4, flow::PacketKind::kIpv6, flow::PacketKind::kTagged}) {
    if (!Contains(kinds, kind)) continue;
    netlink::FilterDump dump = FullDump(port);
    dump.terse = true;
    dump.ethertype = EthertypeOf(kind);
    const std::size_t before = sweep.samples.size();
    const auto again = [&] { sweep.samples.resize(before); };
    const auto each = [&](const netlink::TerseFilter& filter) {
      const auto owner = filter.cookie ? OwnerOf(*filter.cookie) : std::nullopt;
      if (!owner) return;
      sweep.samples.push_back({owner->flow, filter.counters.packets, filter.counters.bytes, filter.in_hw});
    };
    auto read = netlink::ReadTerse(socket_, dump, again, each);
    if (!read && read.error().code == EMSGSIZE) {  // a foreign filter without a terse form stands among ours
      dump.terse = false;
      read = netlink::ReadTerse(socket_, dump, again, each);
    }
    if (!read) return tl::make_unexpected(read.error());
  }
  return sweep;
}

}  // namespace dpuflow::offload
