// SPDX-License-Identifier: Apache-2.0
#include "netlink/netfilter.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace dpuflow::netlink {
namespace {

constexpr std::uint16_t ChainMessage(int message) {
  return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
}

// The kernel names a single device twice, alone and in the list.
void AddDevice(BaseChain& chain, std::string name) {
  if (std::ranges::find(chain.devices, name) == chain.devices.end()) chain.devices.push_back(std::move(name));
}

void ReadHook(AttributeReader hook, BaseChain& chain) {
  while (hook.Next()) {
    switch (hook.type()) {
      case NFTA_HOOK_HOOKNUM:
        chain.hook = hook.Be32();
        break;
      case NFTA_HOOK_DEV:
        AddDevice(chain, hook.String());
        break;
      case NFTA_HOOK_DEVS:
        for (AttributeReader device = hook.Nested(); device.Next();) {
          if (device.type() == NFTA_DEVICE_NAME) AddDevice(chain, device.String());
        }
        break;
      default:
        break;
    }
  }
}

}  // namespace

void AppendChainDump(MessageBuffer& buffer, std::uint32_t seq) {
  nfgenmsg header{};
  header.version = NFNETLINK_V0;
  buffer.Begin(ChainMessage(NFT_MSG_GETCHAIN), NLM_F_DUMP, seq, header);
}

Result<BaseChain> ParseChain(const nlmsghdr& message) {
  if (message.nlmsg_type != ChainMessage(NFT_MSG_NEWCHAIN)) {
    return MakeError(EINVAL, "read a chain", "a message of another type");
  }
  MessageReader reader(message);
  BaseChain chain;
  chain.family = reader.Header<nfgenmsg>().nfgen_family;
  bool hooked = false;
  AttributeReader attributes = reader.Attributes(sizeof(nfgenmsg));
  while (attributes.Next()) {
    switch (attributes.type()) {
      case NFTA_CHAIN_TABLE:
        chain.table = attributes.String();
        break;
      case NFTA_CHAIN_NAME:
        chain.name = attributes.String();
        break;
      case NFTA_CHAIN_HOOK:
        hooked = true;
        ReadHook(attributes.Nested(), chain);
        break;
      case NFTA_CHAIN_POLICY:
        chain.drops = attributes.Be32() == NF_DROP;
        break;
      case NFTA_CHAIN_USE:
        chain.rules = attributes.Be32();
        break;
      default:
        break;
    }
  }
  if (!reader.ok()) return reader.Malformed("a chain");
  if (!hooked) return MakeError(EAFNOSUPPORT, "read a chain", "it hangs at no hook");
  return chain;
}

void AppendPolicyDump(MessageBuffer& buffer, std::uint32_t seq) {
  buffer.Begin(XFRM_MSG_GETPOLICY, NLM_F_DUMP, seq, xfrm_userpolicy_id{});
}

Result<XfrmPolicy> ParsePolicy(const nlmsghdr& message) {
  if (message.nlmsg_type != XFRM_MSG_NEWPOLICY) {
    return MakeError(EINVAL, "read a policy", "a message of another type");
  }
  MessageReader reader(message);
  const auto info = reader.Header<xfrm_userpolicy_info>();
  if (!reader.ok()) return reader.Malformed("a policy");
  return XfrmPolicy{info.sel.family, info.dir};
}

}  // namespace dpuflow::netlink
