// SPDX-License-Identifier: Apache-2.0
//
// cls_bpf: the classifier's filter on kernels without tcx (before 6.6). `tc filter add ... bpf da`.
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>

#include "netlink/filter_codec.h"
#include "netlink/tc.h"

namespace dpuflow::netlink {
namespace {

constexpr std::size_t kMaxName = 255;  // CLS_BPF_NAME_LEN less the terminating zero

Result<void> AppendBpfFilter(MessageBuffer& buffer, std::uint16_t flags, std::uint32_t seq, const BpfFilter& filter) {
  if (auto checked = CheckId(filter.id); !checked) return checked;
  if (filter.program < 0 || filter.name.size() > kMaxName) {
    return MakeError(EINVAL, "express a bpf filter", "no program, or a name of more than 255 bytes");
  }
  BeginFilter(buffer, RTM_NEWTFILTER, flags, seq, filter.id, "bpf");
  const Nest options(buffer, TCA_OPTIONS);
  buffer.PutU32(TCA_BPF_FD, static_cast<std::uint32_t>(filter.program));
  buffer.PutString(TCA_BPF_NAME, filter.name);
  buffer.PutU32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  if (filter.classid != 0) buffer.PutU32(TCA_BPF_CLASSID, filter.classid);
  return {};
}

}  // namespace

Result<void> AppendBpfFilterAdd(MessageBuffer& buffer, std::uint32_t seq, const BpfFilter& filter) {
  return AppendBpfFilter(buffer, NLM_F_CREATE | NLM_F_EXCL, seq, filter);
}

Result<void> AppendBpfFilterReplace(MessageBuffer& buffer, std::uint32_t seq, const BpfFilter& filter) {
  return AppendBpfFilter(buffer, NLM_F_CREATE, seq, filter);
}

Result<void> AppendBpfFilterDelete(MessageBuffer& buffer, std::uint32_t seq, const FilterId& id) {
  return CheckId(id).map([&] { BeginFilter(buffer, RTM_DELTFILTER, 0, seq, id, "bpf"); });
}

Result<std::optional<InstalledBpfFilter>> ParseBpfFilter(const nlmsghdr& message) {
  MessageReader reader(message);
  const auto envelope = ReadEnvelope(message, reader);
  if (!envelope) return tl::make_unexpected(envelope.error());
  InstalledBpfFilter filter;
  filter.id = envelope->id;
  const bool is_one = envelope->kind == "bpf" && envelope->options && envelope->id.handle != 0;
  if (is_one) {
    AttributeReader options = *envelope->options;
    while (options.Next()) {
      switch (options.type()) {
        case TCA_BPF_NAME:
          filter.name = options.String();
          break;
        case TCA_BPF_ID:
          filter.program_id = options.U32();
          break;
        case TCA_BPF_TAG:
          filter.tag = options.Value<std::array<std::uint8_t, 8>>();
          break;
        case TCA_BPF_FLAGS:
          filter.direct_action = (options.U32() & TCA_BPF_FLAG_ACT_DIRECT) != 0;
          break;
        default:
          break;
      }
    }
  }
  if (!reader.ok()) return reader.Malformed("a bpf filter");
  if (!is_one) return std::nullopt;
  return filter;
}

}  // namespace dpuflow::netlink
