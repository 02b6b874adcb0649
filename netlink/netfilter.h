// SPDX-License-Identifier: Apache-2.0
//
// What stands in a forwarded packet's way beside routing: base chains of nf_tables (NETLINK_NETFILTER) and policies of XFRM
// (NETLINK_XFRM). Only as much as tells that something is there, not what it does.
//
// Parsers and encoders as in rtnl.h; each needs a socket of its protocol (SocketOptions::protocol).
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <string>
#include <vector>

#include "netlink/error.h"
#include "netlink/message.h"

namespace dpuflow::netlink {

// `nft list chains`: a base chain, which packets pass at a hook. iptables-nft makes such chains, too.
struct BaseChain {
  std::uint8_t family = 0;  // NFPROTO_INET, _IPV4, _IPV6, _NETDEV, _BRIDGE, _ARP
  std::string table{};
  std::string name{};
  std::uint32_t hook = 0;              // NF_INET_PRE_ROUTING, ...; of NFPROTO_NETDEV NF_NETDEV_INGRESS, ...
  std::vector<std::string> devices{};  // of NFPROTO_NETDEV
  bool drops = false;                  // its policy is drop
  std::uint32_t rules = 0;             // rules and references

  bool operator==(const BaseChain&) const = default;
};
void AppendChainDump(MessageBuffer& buffer, std::uint32_t seq);
// EAFNOSUPPORT: a chain that hangs at no hook, to be passed over.
Result<BaseChain> ParseChain(const nlmsghdr& message);

// `ip xfrm policy`: whom it concerns, and in which direction.
struct XfrmPolicy {
  std::uint16_t family = 0;    // AF_INET, AF_INET6; 0: both
  std::uint8_t direction = 0;  // XFRM_POLICY_IN, _OUT, _FWD

  bool operator==(const XfrmPolicy&) const = default;
};
void AppendPolicyDump(MessageBuffer& buffer, std::uint32_t seq);
Result<XfrmPolicy> ParsePolicy(const nlmsghdr& message);

}  // namespace dpuflow::netlink
