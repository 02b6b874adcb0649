// SPDX-License-Identifier: Apache-2.0
#include "netlink/bridge.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "netlink/rtnl_internal.h"

namespace dpuflow::netlink {
namespace {

constexpr unsigned kLastVlan = 4094;

constexpr std::uint32_t kFlagExtLocked = 1u << 1;  // NTF_EXT_LOCKED of linux/neighbour.h since 6.2

void ReadPortAttributes(AttributeReader attributes, BridgePort& port) {
  while (attributes.Next()) {
    switch (attributes.type()) {
      case IFLA_BRPORT_STATE:
        port.state = attributes.U8();
        break;
      case IFLA_BRPORT_MODE:
        port.hairpin = attributes.U8() != 0;
        break;
      case IFLA_BRPORT_LEARNING:
        port.learning = attributes.U8() != 0;
        break;
      case IFLA_BRPORT_ISOLATED:
        port.isolated = attributes.U8() != 0;
        break;
      case IFLA_BRPORT_LOCKED:
        port.locked = attributes.U8() != 0;
        break;
      default:
        break;
    }
  }
}

// Notifications show VLANs that follow each other as a range: its first and its last (br_fill_ifvlaninfo_compressed).
void ReadVlans(AttributeReader attributes, BridgePort& port) {
  std::uint16_t first = 0;
  while (attributes.Next()) {
    if (attributes.type() != IFLA_BRIDGE_VLAN_INFO) continue;
    const auto info = attributes.Value<bridge_vlan_info>();
    if ((info.flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) != 0) {
      first = info.vid;
      continue;
    }
    if ((info.flags & BRIDGE_VLAN_INFO_RANGE_END) == 0) first = info.vid;
    for (unsigned vid = first; vid <= info.vid && vid <= kLastVlan; ++vid) {
      port.vlans.push_back({static_cast<std::uint16_t>(vid), (info.flags & BRIDGE_VLAN_INFO_PVID) != 0,
                            (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0});
    }
  }
}

}  // namespace

void AppendBridgePortDump(MessageBuffer& buffer, std::uint32_t seq) {
  ifinfomsg header{};
  header.ifi_family = AF_BRIDGE;
  buffer.Begin(RTM_GETLINK, NLM_F_DUMP, seq, header);
  buffer.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
}

Result<Event<BridgePort>> ParseBridgePort(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWLINK, "a bridge port");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  const auto header = reader.Header<ifinfomsg>();
  if (reader.ok() && header.ifi_family != AF_BRIDGE) return OtherFamily("a bridge port", header.ifi_family);
  BridgePort port;
  port.ifindex = static_cast<std::uint32_t>(header.ifi_index);
  AttributeReader attributes = reader.Attributes(sizeof header);
  while (attributes.Next()) {
    if (attributes.type() == IFLA_MASTER) port.bridge = attributes.U32();
    if (attributes.type() == IFLA_PROTINFO) ReadPortAttributes(attributes.Nested(), port);
    if (attributes.type() == IFLA_AF_SPEC) ReadVlans(attributes.Nested(), port);
  }
  if (!reader.ok() || header.ifi_index <= 0) return reader.Malformed("a bridge port");
  if (port.bridge == 0) return OtherFamily("a bridge port", header.ifi_family);
  return Event<BridgePort>{std::move(port), *removed};
}

void AppendVlanDump(MessageBuffer& buffer, std::uint32_t seq) {
  br_vlan_msg header{};
  header.family = AF_BRIDGE;
  buffer.Begin(RTM_GETVLAN, NLM_F_DUMP, seq, header);
}

Result<std::vector<VlanHalt>> ParseVlanHalts(const nlmsghdr& message) {
  if (message.nlmsg_type != RTM_NEWVLAN) return OtherFamily("VLANs of a bridge", AF_BRIDGE);
  MessageReader reader(message);
  const auto header = reader.Header<br_vlan_msg>();
  std::vector<VlanHalt> halts;
  AttributeReader entries = reader.Attributes(sizeof header);
  while (entries.Next()) {
    if (entries.type() != BRIDGE_VLANDB_ENTRY) continue;
    VlanHalt vlans{header.ifindex, 0, 0};
    std::uint8_t state = BR_STATE_FORWARDING;
    AttributeReader attributes = entries.Nested();
    while (attributes.Next()) {
      if (attributes.type() == BRIDGE_VLANDB_ENTRY_INFO) vlans.first = attributes.Value<bridge_vlan_info>().vid;
      if (attributes.type() == BRIDGE_VLANDB_ENTRY_RANGE) vlans.last = attributes.U16();
      if (attributes.type() == BRIDGE_VLANDB_ENTRY_STATE) state = attributes.U8();
    }
    vlans.last = std::max(vlans.first, vlans.last);
    if (state != BR_STATE_FORWARDING) halts.push_back(vlans);
  }
  if (!reader.ok()) return reader.Malformed("VLANs of a bridge");
  return halts;
}

void AppendFdbDump(MessageBuffer& buffer, std::uint32_t seq) {
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  buffer.Begin(RTM_GETNEIGH, NLM_F_DUMP, seq, header);
}

Result<Event<FdbEntry>> ParseFdbEntry(const nlmsghdr& message) {
  const auto removed = IsRemoval(message, RTM_NEWNEIGH, "a station");
  if (!removed) return tl::make_unexpected(removed.error());
  MessageReader reader(message);
  const auto header = reader.Header<ndmsg>();
  if (reader.ok() && header.ndm_family != AF_BRIDGE) return OtherFamily("a station", header.ndm_family);
  FdbEntry entry;
  entry.ifindex = static_cast<std::uint32_t>(header.ndm_ifindex);
  entry.local = (header.ndm_state & NUD_PERMANENT) != 0;
  const bool by_user = (header.ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0;
  entry.learned = !by_user && (header.ndm_flags & (NTF_EXT_LEARNED | NTF_STICKY)) == 0;
  bool has_mac = false;
  AttributeReader attributes = reader.Attributes(sizeof header);
  while (attributes.Next()) {
    if (attributes.type() == NDA_MASTER) entry.bridge = attributes.U32();
    if (attributes.type() == NDA_VLAN) entry.vlan = attributes.U16();
    if (attributes.type() == NDA_FLAGS_EXT) entry.locked = (attributes.U32() & kFlagExtLocked) != 0;
    if (attributes.type() == NDA_LLADDR && attributes.payload().size() == sizeof(MacAddress::bytes)) {
      entry.mac = attributes.Mac();
      has_mac = true;
    }
  }
  if (!reader.ok() || header.ndm_ifindex <= 0) return reader.Malformed("a station");
  if (entry.bridge == 0 || !has_mac || (header.ndm_flags & NTF_SELF) != 0) {
    return OtherFamily("a station", header.ndm_family);
  }
  if (entry.local) entry.ifindex = entry.bridge;
  return Event<FdbEntry>{entry, *removed};
}

void AppendFdbUse(MessageBuffer& buffer, std::uint32_t seq, std::uint32_t ifindex, const MacAddress& mac,
                  std::uint16_t vlan) {
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(ifindex);
  header.ndm_state = NUD_REACHABLE;
  header.ndm_flags = NTF_USE | NTF_MASTER;
  buffer.Begin(RTM_NEWNEIGH, 0, seq, header);
  buffer.PutMac(NDA_LLADDR, mac);
  if (vlan != 0) buffer.PutU16(NDA_VLAN, vlan);
}

}  // namespace dpuflow::netlink
