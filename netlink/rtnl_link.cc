// SPDX-License-Identifier: Apache-2.0
//
// Links, addresses and neighbours: what the kernel's devices are and who is behind them.
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <cstddef>

#include "netlink/rtnl.h"
#include "netlink/rtnl_internal.h"

namespace dpuflow::netlink {
namespace {

std::string Hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

// Hardware addresses of tunnels and InfiniBand have other lengths: not a MAC, not a fault.
MacAddress MacIfOne(AttributeReader& attribute) {
  return attribute.payload().size() == sizeof(MacAddress::bytes) ? attribute.Mac() : MacAddress{};
}

VlanInfo ReadVlanInfo(AttributeReader data) {
  VlanInfo vlan;
  while (data.Next()) {
    if (data.type() == IFLA_VLAN_ID) vlan.id = data.U16();
    if (data.type() == IFLA_VLAN_PROTOCOL) vlan.protocol = data.Be16();
    if (data.type() == IFLA_VLAN_EGRESS_QOS) vlan.maps_egress_priority = true;
  }
  return vlan;
}

BridgeInfo ReadBridgeInfo(AttributeReader data) {
  BridgeInfo bridge;
  while (data.Next()) {
    if (data.type() == IFLA_BR_VLAN_FILTERING) bridge.filters_vlans = data.U8() != 0;
    if (data.type() == IFLA_BR_AGEING_TIME) bridge.ageing_time = data.U32();
    if (data.type() == IFLA_BR_VLAN_PROTOCOL) bridge.protocol = data.Be16();
  }
  return bridge;
}

bool TapsLower(AttributeReader macvlan) {
  std::uint32_t mode = 0;
  while (macvlan.Next()) {
    if (macvlan.type() == IFLA_MACVLAN_MODE) mode = macvlan.U32();
  }
  return mode == MACVLAN_MODE_PASSTHRU || mode == MACVLAN_MODE_SOURCE;
}

// The kind comes before the data, which it gives their meaning (rtnl_link_info_fill).
void ReadLinkInfo(AttributeReader info, Link& link) {
  while (info.Next()) {
    if (info.type() == IFLA_INFO_KIND) link.kind = info.String();
    const bool is_macvlan = link.kind == "macvlan" || link.kind == "macvtap";
    if (info.type() == IFLA_INFO_SLAVE_KIND) link.slave_kind = info.String();
    if (info.type() == IFLA_INFO_DATA && link.kind == "vlan") link.vlan = ReadVlanInfo(info.Nested());
    if (info.type() == IFLA_INFO_DATA && link.kind == "bridge") link.bridge = ReadBridgeInfo(info.Nested());
    if (info.type() == IFLA_INFO_DATA && is_macvlan) link.taps_lower = TapsLower(info.Nested());
  }
  if (link.kind == "ipvlan" || link.kind == "ipvtap") link.taps_lower = true;
}

void ReadLinkAttributes(AttributeReader attributes, Link& link) {
  bool lower_elsewhere = false;  // IFLA_LINK is then an ifindex of another network namespace
  while (attributes.Next()) {
    switch (attributes.type()) {
      case IFLA_IFNAME:
        link.name = attributes.String();
        break;
      case IFLA_MTU:
        link.mtu = attributes.U32();
        break;
      case IFLA_ADDRESS:
        link.address = MacIfOne(attributes);
        break;
      case IFLA_MASTER:
        link.master = attributes.U32();
        break;
      case IFLA_LINK:
        link.lower = attributes.U32();
        break;
      case IFLA_LINK_NETNSID:
        lower_elsewhere = true;
        break;
      case IFLA_LINKINFO:
        ReadLinkInfo(attributes.Nested(), link);
        break;
      case IFLA_PHYS_SWITCH_ID:
        link.switch_id = Hex(attributes.payload());
        break;
      case IFLA_PHYS_PORT_NAME:
        link.phys_port_name = attributes.String();
        break;
      default:
        break;
    }
  }
  if (lower_elsewhere) link.lower = 0;
}

// One neighbour, by its key. Neither NLM_F_CREATE nor NLM_F_REPLACE: nothing is made or overwritten.
void BeginNeigh(MessageBuffer& buffer, std::uint16_t type, std::uint32_t seq, std::uint32_t ifindex,
                const IpAddress& address, std::uint8_t flags) {
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(address.family());
  header.ndm_ifindex = static_cast<int>(ifindex);
  header.ndm_flags = flags;
  buffer.Begin(type, 0, seq, header);
  buffer.PutIp(NDA_DST, address);
}

}  // namespace

void AppendLinkDump(MessageBuffer& buffer, std::uint32_t seq) {
  buffer.Begin(RTM_GETLINK, NLM_F_DUMP, seq, ifinfomsg{});
  buffer.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

void AppendLinkQuery(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifindex);
  buffer.Begin(RTM_GETLINK, 0, seq, header);
  buffer.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
}

Result<Event<Link>> ParseLink(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWLINK, "a link");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  const auto header = reader.Header<ifinfomsg>();
  if (header.ifi_family != AF_UNSPEC) return OtherFamily("a link", header.ifi_family);
  Link link;
  link.ifindex = static_cast<std::uint32_t>(header.ifi_index);
  link.flags = header.ifi_flags;
  link.arphrd = header.ifi_type;
  ReadLinkAttributes(reader.Attributes(sizeof header), link);
  if (!reader.ok() || header.ifi_index <= 0) return reader.Malformed("a link");
  return Event<Link>{std::move(link), *removed};
}

void AppendAddressDump(MessageBuffer& buffer, std::uint32_t seq, Family family) {
  ifaddrmsg header{};
  header.ifa_family = static_cast<std::uint8_t>(family);
  buffer.Begin(RTM_GETADDR, NLM_F_DUMP, seq, header);
}

Result<Event<Address>> ParseAddress(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWADDR, "an address");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  const auto header = reader.Header<ifaddrmsg>();
  if (reader.ok() && !IsIp(header.ifa_family)) return OtherFamily("an address", header.ifa_family);
  Address address{.ifindex = header.ifa_index,
                  .local = {},
                  .prefix_length = header.ifa_prefixlen,
                  .scope = header.ifa_scope,
                  .flags = header.ifa_flags};
  IpAddress peer;  // IFA_ADDRESS is the peer's where there is an IFA_LOCAL, else our own
  AttributeReader attributes = reader.Attributes(sizeof header);
  while (attributes.Next()) {
    if (attributes.type() == IFA_LOCAL) address.local = attributes.Ip();
    if (attributes.type() == IFA_ADDRESS) peer = attributes.Ip();
    if (attributes.type() == IFA_FLAGS) address.flags = attributes.U32();
  }
  if (address.local.is_none()) address.local = peer;
  if (!reader.ok() || address.local.is_none() || address.prefix_length > address.local.bits()) {
    return reader.Malformed("an address");
  }
  return Event<Address>{address, *removed};
}

void AppendNeighDump(MessageBuffer& buffer, std::uint32_t seq, Family family) {
  ndmsg header{};
  header.ndm_family = static_cast<std::uint8_t>(family);
  buffer.Begin(RTM_GETNEIGH, NLM_F_DUMP, seq, header);
}

void AppendNeighQuery(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, const IpAddress& address) {
  BeginNeigh(buffer, RTM_GETNEIGH, seq, ifindex, address, 0);
}

void AppendNeighUse(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, const IpAddress& address) {
  BeginNeigh(buffer, RTM_NEWNEIGH, seq, ifindex, address, NTF_USE);
}

Result<Event<Neigh>> ParseNeigh(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWNEIGH, "a neighbour");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  const auto header = reader.Header<ndmsg>();
  if (reader.ok() && !IsIp(header.ndm_family)) return OtherFamily("a neighbour", header.ndm_family);
  Neigh neigh;
  neigh.ifindex = static_cast<std::uint32_t>(header.ndm_ifindex);
  neigh.state = header.ndm_state;
  neigh.flags = header.ndm_flags;
  AttributeReader attributes = reader.Attributes(sizeof header);
  while (attributes.Next()) {
    if (attributes.type() == NDA_DST) neigh.address = attributes.Ip();
    if (attributes.type() == NDA_LLADDR) neigh.lladdr = MacIfOne(attributes);
    if (attributes.type() == NDA_FLAGS_EXT) neigh.flags_ext = attributes.U32();
  }
  if (!reader.ok() || neigh.address.is_none()) return reader.Malformed("a neighbour");
  return Event<Neigh>{neigh, *removed};
}

}  // namespace dpuflow::netlink
