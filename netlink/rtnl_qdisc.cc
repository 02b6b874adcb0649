// SPDX-License-Identifier: Apache-2.0
//
// Qdiscs: clsact is where filters hang. `tc qdisc show`, `tc qdisc add dev DEV clsact`. And chains of their filters.
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <optional>

#include "netlink/rtnl.h"
#include "netlink/rtnl_internal.h"

namespace dpuflow::netlink {
namespace {

constexpr std::uint32_t kClsactHandle = TC_H_MAKE(TC_H_CLSACT, 0);

tcmsg PlaceOf(std::uint32_t ifindex, std::uint32_t parent) {
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(ifindex);
  header.tcm_parent = parent;
  return header;
}

void AppendClsact(MessageBuffer& buffer, std::uint16_t type, std::uint16_t flags, std::uint32_t seq,
                  std::uint32_t ifindex) {
  tcmsg header = PlaceOf(ifindex, TC_H_CLSACT);
  header.tcm_handle = kClsactHandle;
  buffer.Begin(type, flags, seq, header);
  buffer.PutString(TCA_KIND, "clsact");
}

}  // namespace

void AppendQdiscDump(MessageBuffer& buffer, std::uint32_t seq) { buffer.Begin(RTM_GETQDISC, NLM_F_DUMP, seq, tcmsg{}); }

Result<Event<Qdisc>> ParseQdisc(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWQDISC, "a qdisc");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  const auto header = reader.Header<tcmsg>();
  Qdisc qdisc;
  qdisc.ifindex = static_cast<std::uint32_t>(header.tcm_ifindex);
  qdisc.handle = header.tcm_handle;
  qdisc.parent = header.tcm_parent;
  AttributeReader attributes = reader.Attributes(sizeof header);
  while (attributes.Next()) {
    if (attributes.type() == TCA_KIND) qdisc.kind = attributes.String();
    if (attributes.type() == TCA_INGRESS_BLOCK) qdisc.ingress_block = attributes.U32();
  }
  if (!reader.ok()) return reader.Malformed("a qdisc");
  return Event<Qdisc>{std::move(qdisc), *removed};
}

void AppendClsactAdd(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex) {
  AppendClsact(buffer, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, seq, ifindex);
}

void AppendClsactDelete(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex) {
  AppendClsact(buffer, RTM_DELQDISC, 0, seq, ifindex);
}

void AppendFilterChainAdd(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, std::uint32_t parent,
                          std::uint32_t chain) {
  buffer.Begin(RTM_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, seq, PlaceOf(ifindex, parent));
  buffer.PutU32(TCA_CHAIN, chain);
}

void AppendFilterChainDump(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, std::uint32_t parent) {
  buffer.Begin(RTM_GETCHAIN, NLM_F_DUMP, seq, PlaceOf(ifindex, parent));
}

Result<std::uint32_t> ParseFilterChain(const nlmsghdr& message) {
  if (const auto removed = IsRemoval(message, RTM_NEWCHAIN, "a chain"); !removed) {
    return tl::make_unexpected(removed.error());
  }
  MessageReader reader(message);
  (void)reader.Header<tcmsg>();
  std::optional<std::uint32_t> chain;
  AttributeReader attributes = reader.Attributes(sizeof(tcmsg));
  while (attributes.Next()) {
    if (attributes.type() == TCA_CHAIN) chain = attributes.U32();
  }
  if (!reader.ok() || !chain) return reader.Malformed("a chain");
  return *chain;
}

}  // namespace dpuflow::netlink
