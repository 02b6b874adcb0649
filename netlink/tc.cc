// SPDX-License-Identifier: Apache-2.0
#include "netlink/tc.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include "netlink/filter_codec.h"
#include "netlink/rtnl_internal.h"

namespace dpuflow::netlink {
namespace {

constexpr std::size_t kMaxActions = TCA_ACT_MAX_PRIO;
constexpr std::size_t kUsualActions = 4;  // rewrite, pop, push, redirect

// What the kernel adds to the flags that we send.
constexpr std::uint32_t kKnownFlags = TCA_CLS_FLAGS_SKIP_SW | TCA_CLS_FLAGS_IN_HW | TCA_CLS_FLAGS_NOT_IN_HW;

tcmsg Header(std::uint32_t ifindex, std::uint32_t parent) {
  tcmsg header{};
  header.tcm_ifindex = static_cast<int>(ifindex);
  header.tcm_parent = parent;
  return header;
}

Result<void> CheckFilter(const Filter& filter) {
  if (filter.actions.empty() || filter.actions.size() > kMaxActions) {
    return MakeError(EINVAL, "express a flower filter", "it needs between 1 and 32 actions");
  }
  for (const Action& action : filter.actions) {
    const auto* pedit = std::get_if<PeditAction>(&action);
    if (pedit != nullptr && *pedit == PeditAction{}) {
      return MakeError(EINVAL, "express a flower filter", "a pedit action rewrites nothing");
    }
    const auto* jump = std::get_if<GotoAction>(&action);
    if (jump != nullptr && jump->chain > TC_ACT_EXT_VAL_MASK) {
      return MakeError(EINVAL, "express a flower filter", "a chain to go to has at most 28 bits");
    }
  }
  return CheckId(filter.id).and_then([&] { return CheckKey(filter.id, filter.key); });
}

Result<void> AppendFilter(MessageBuffer& buffer, std::uint16_t flags, std::uint32_t seq, const Filter& filter) {
  if (auto checked = CheckFilter(filter); !checked) return checked;
  BeginFilter(buffer, RTM_NEWTFILTER, flags, seq, filter.id, "flower");
  const Nest options(buffer, TCA_OPTIONS);
  PutKey(buffer, filter.id, filter.key);
  PutActions(buffer, filter.actions, filter.cookie);
  buffer.PutU32(TCA_FLOWER_FLAGS, filter.skip_sw ? TCA_CLS_FLAGS_SKIP_SW : 0);
  return {};
}

// Actions in the order of the filter; a cookie only where we put it, on the last.
void TakeActions(AttributeReader actions, InstalledFilter& installed) {
  std::optional<Cookie> cookie;
  installed.filter.actions.clear();
  installed.filter.actions.reserve(kUsualActions);
  while (actions.Next()) {
    if (cookie) installed.complete = false;
    const InstalledAction action = ReadAction(actions.Nested());
    if (action.action) {
      installed.filter.actions.push_back(*action.action);
    } else {
      installed.complete = false;
    }
    if (action.counters != FilterCounters{}) installed.counters = action.counters;
    cookie = action.cookie;
  }
  if (cookie) installed.filter.cookie = *cookie;
}

void ReadFlowerOptions(AttributeReader options, InstalledFilter& installed) {
  KeyReader keys;
  std::uint32_t flags = 0;
  while (options.Next()) {
    switch (options.type()) {
      case TCA_FLOWER_ACT:
        TakeActions(options.Nested(), installed);
        break;
      case TCA_FLOWER_FLAGS:
        flags = options.U32();
        break;
      case TCA_FLOWER_IN_HW_COUNT:
        break;
      default:
        if (!keys.Read(options)) installed.complete = false;
    }
  }
  installed.filter.skip_sw = (flags & TCA_CLS_FLAGS_SKIP_SW) != 0;
  installed.in_hw = (flags & TCA_CLS_FLAGS_IN_HW) != 0;
  if ((flags & ~kKnownFlags) != 0) installed.complete = false;
  if (!keys.Finish(installed.filter.id, installed.filter.key)) installed.complete = false;
  if (!CheckFilter(installed.filter)) installed.complete = false;
}

void ReadTerseOptions(AttributeReader options, TerseFilter& terse) {
  while (options.Next()) {
    if (options.type() == TCA_FLOWER_FLAGS) {
      terse.in_hw = (options.U32() & TCA_CLS_FLAGS_IN_HW) != 0;
    }
    if (options.type() == TCA_FLOWER_ACT) ReadTerseActions(options.Nested(), terse);
  }
}

Result<void> Read(Socket& socket, const FilterDump& which, const std::function<void()>& again,
                  const std::function<Result<void>(const nlmsghdr&)>& each) {
  MessageBuffer request;
  AppendFilterDump(request, socket.NextSeq(), which);
  return socket.Dump(request, fmt::format("list filters of interface {}", which.ifindex), again, each);
}

}  // namespace

Result<void> CheckId(const FilterId& id) {
  if (id.handle == 0 || id.prio == 0 || id.ethertype == 0) {
    return MakeError(EINVAL, "name a filter", "handle, prio and ethertype must not be 0");
  }
  return {};
}

void BeginFilter(MessageBuffer& buffer, std::uint16_t type, std::uint16_t flags, std::uint32_t seq, const FilterId& id,
                 std::string_view kind) {
  tcmsg header = Header(id.ifindex, id.parent);
  header.tcm_handle = id.handle;
  header.tcm_info = TC_H_MAKE(std::uint32_t{id.prio} << 16, std::uint32_t{htons(id.ethertype)});
  buffer.Begin(type, flags, seq, header);
  buffer.PutU32(TCA_CHAIN, id.chain);
  buffer.PutString(TCA_KIND, kind);
}

Result<FilterEnvelope> ReadEnvelope(const nlmsghdr& message, MessageReader& reader) {
  if (auto removed = IsRemoval(message, RTM_NEWTFILTER, "a filter"); !removed) {
    return tl::make_unexpected(removed.error());
  }
  const auto header = reader.Header<tcmsg>();
  FilterEnvelope envelope;
  envelope.id.ifindex = static_cast<std::uint32_t>(header.tcm_ifindex);
  envelope.id.parent = header.tcm_parent;
  envelope.id.handle = header.tcm_handle;
  envelope.id.prio = static_cast<std::uint16_t>(header.tcm_info >> 16);
  envelope.id.ethertype = ntohs(static_cast<std::uint16_t>(header.tcm_info));
  AttributeReader attributes = reader.Attributes(sizeof header);
  while (attributes.Next()) {
    if (attributes.type() == TCA_KIND) envelope.kind = attributes.String();
    if (attributes.type() == TCA_CHAIN) envelope.id.chain = attributes.U32();
    if (attributes.type() == TCA_OPTIONS) envelope.options = attributes.Nested();
  }
  return envelope;
}

Result<void> AppendFilterAdd(MessageBuffer& buffer, std::uint32_t seq, const Filter& filter, std::uint16_t flags) {
  const unsigned all = NLM_F_CREATE | NLM_F_EXCL | flags;
  return AppendFilter(buffer, static_cast<std::uint16_t>(all), seq, filter);
}

Result<void> AppendFilterReplace(MessageBuffer& buffer, std::uint32_t seq, const Filter& filter, std::uint16_t flags) {
  return AppendFilter(buffer, static_cast<std::uint16_t>(NLM_F_CREATE | flags), seq, filter);
}

Result<void> AppendFilterDelete(MessageBuffer& buffer, std::uint32_t seq, const FilterId& id) {
  return CheckId(id).map([&] { BeginFilter(buffer, RTM_DELTFILTER, 0, seq, id, "flower"); });
}

Result<void> AppendFilterGet(MessageBuffer& buffer, std::uint32_t seq, const FilterId& id) {
  return CheckId(id).map([&] { BeginFilter(buffer, RTM_GETTFILTER, 0, seq, id, "flower"); });
}

void AppendFilterDump(MessageBuffer& buffer, std::uint32_t seq, const FilterDump& which) {
  tcmsg header = Header(which.ifindex, which.parent);
  header.tcm_info = htons(which.ethertype);  // tcf_chain_dump(): a prio or protocol of 0 passes all
  buffer.Begin(RTM_GETTFILTER, NLM_F_DUMP, seq, header);
  if (which.chain) buffer.PutU32(TCA_CHAIN, *which.chain);
  if (which.terse) {
    buffer.PutValue(TCA_DUMP_FLAGS, nla_bitfield32{.value = TCA_DUMP_FLAGS_TERSE, .selector = TCA_DUMP_FLAGS_TERSE});
  }
}

bool IsFilterHeader(const nlmsghdr& message) {
  MessageReader reader(message);
  if (!IsRemoval(message, RTM_NEWTFILTER, "a filter")) return false;
  return reader.Header<tcmsg>().tcm_handle == 0 && reader.ok();
}

Result<InstalledFilter> ParseFilter(const nlmsghdr& message) {
  MessageReader reader(message);
  const auto envelope = ReadEnvelope(message, reader);
  if (!envelope) return tl::make_unexpected(envelope.error());
  InstalledFilter installed;
  installed.filter.id = envelope->id;
  installed.filter.skip_sw = false;
  if (envelope->kind == "flower" && envelope->options) {
    ReadFlowerOptions(*envelope->options, installed);
  } else {
    installed.complete = false;
  }
  if (!reader.ok()) return reader.Malformed("a filter");
  return installed;
}

Result<TerseFilter> ParseTerse(const nlmsghdr& message) {
  MessageReader reader(message);
  const auto envelope = ReadEnvelope(message, reader);
  if (!envelope) return tl::make_unexpected(envelope.error());
  TerseFilter terse;
  terse.id = envelope->id;
  terse.flower = envelope->kind == "flower";
  if (terse.flower && envelope->options) ReadTerseOptions(*envelope->options, terse);
  if (!reader.ok()) return reader.Malformed("a filter");
  return terse;
}

Result<void> ReadFilters(Socket& socket, const FilterDump& which, const std::function<void()>& again,
                         const std::function<void(InstalledFilter)>& each) {
  return Read(socket, which, again, [&](const nlmsghdr& message) -> Result<void> {
    if (IsFilterHeader(message)) return {};
    return ParseFilter(message).map(each);
  });
}

Result<std::vector<TerseFilter>> ListTerse(Socket& socket, const FilterDump& which) {
  std::vector<TerseFilter> filters;
  auto read = ReadTerse(
      socket, which, [&] { filters.clear(); }, [&](const TerseFilter& filter) { filters.push_back(filter); });
  if (!read) return tl::make_unexpected(std::move(read.error()));
  return filters;
}

Result<void> ReadTerse(Socket& socket, const FilterDump& which, const std::function<void()>& again,
                       const std::function<void(const TerseFilter&)>& each) {
  return Read(socket, which, again, [&](const nlmsghdr& message) -> Result<void> {
    const auto terse = ParseTerse(message);
    if (!terse) return tl::make_unexpected(terse.error());
    if (terse->id.handle != 0) each(*terse);
    return {};
  });
}

Result<std::vector<InstalledBpfFilter>> ListBpfFilters(Socket& socket, const FilterDump& which) {
  std::vector<InstalledBpfFilter> filters;
  auto read = Read(
      socket, which, [&] { filters.clear(); },
      [&](const nlmsghdr& message) -> Result<void> {
        auto filter = ParseBpfFilter(message);
        if (!filter) return tl::make_unexpected(filter.error());
        if (*filter) filters.push_back(std::move(**filter));
        return {};
      });
  if (!read) return tl::make_unexpected(std::move(read.error()));
  return filters;
}

}  // namespace dpuflow::netlink
