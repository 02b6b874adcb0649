// SPDX-License-Identifier: Apache-2.0
//
// The match of a flower filter: TCA_FLOWER_KEY_* (include/uapi/linux/pkt_cls.h, net/sched/cls_flower.c).
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <netinet/in.h>

#include "netlink/filter_codec.h"

namespace dpuflow::netlink {
namespace {

constexpr std::uint16_t kMaxVlanId = 4095;
constexpr std::uint8_t kMaxVlanPriority = 7;

// The ethertype behind the VLAN tag, if the filter looks for one.
std::uint16_t L3Type(const FilterId& id, const FlowerKey& key) {
  return id.ethertype == ETH_P_8021Q ? key.vlan_ethertype.value_or(0) : id.ethertype;
}

Family FamilyOf(std::uint16_t ethertype) {
  if (ethertype == ETH_P_IP) return Family::kIpv4;
  return ethertype == ETH_P_IPV6 ? Family::kIpv6 : Family::kNone;
}

bool FitsFamily(const std::optional<Masked<IpAddress>>& field, Family family) {
  return !field || (field->value.family() == family && field->mask.family() == family);
}

tl::unexpected<Error> Invalid(const char* why) { return MakeError(EINVAL, "express a flower filter", why); }

template <typename T>
void PutMasked(MessageBuffer& buffer, std::uint16_t type, std::uint16_t mask_type, const T& value, const T& mask) {
  buffer.PutValue(type, value);
  buffer.PutValue(mask_type, mask);
}

void PutMac(MessageBuffer& buffer, std::uint16_t type, std::uint16_t mask_type,
            const std::optional<Masked<MacAddress>>& field) {
  if (field) PutMasked(buffer, type, mask_type, field->value.bytes, field->mask.bytes);
}

// `v4` and `v6` are the value's attribute types; the mask's are the next.
void PutIp(MessageBuffer& buffer, std::uint16_t v4, std::uint16_t v6, const std::optional<Masked<IpAddress>>& field) {
  if (!field) return;
  const std::uint16_t type = field->value.is_v4() ? v4 : v6;
  buffer.PutIp(type, field->value);
  buffer.PutIp(static_cast<std::uint16_t>(type + 1), field->mask);
}

void PutPorts(MessageBuffer& buffer, const FlowerKey& key) {
  const bool tcp = key.ip_proto == IPPROTO_TCP;
  if (key.src_port) {
    buffer.PutBe16(tcp ? TCA_FLOWER_KEY_TCP_SRC : TCA_FLOWER_KEY_UDP_SRC, *key.src_port);
    buffer.PutBe16(tcp ? TCA_FLOWER_KEY_TCP_SRC_MASK : TCA_FLOWER_KEY_UDP_SRC_MASK, 0xffff);
  }
  if (key.dst_port) {
    buffer.PutBe16(tcp ? TCA_FLOWER_KEY_TCP_DST : TCA_FLOWER_KEY_UDP_DST, *key.dst_port);
    buffer.PutBe16(tcp ? TCA_FLOWER_KEY_TCP_DST_MASK : TCA_FLOWER_KEY_UDP_DST_MASK, 0xffff);
  }
}

std::uint8_t AllOnes(std::uint8_t) { return 0xff; }
MacAddress AllOnes(const MacAddress&) { return Exact(MacAddress{}).mask; }
IpAddress AllOnes(const IpAddress& like) { return Exact(like).mask; }

// A value without a mask is exact; the mask's attribute comes after it, if at all.
template <typename T>
void TakeValue(std::optional<Masked<T>>& field, const T& value) {
  field = Masked<T>{value, AllOnes(value)};
}

template <typename T>
void TakeMask(std::optional<Masked<T>>& field, const T& mask) {
  if (!field) field.emplace();
  field->mask = mask;
}

}  // namespace

Result<void> CheckKey(const FilterId& id, const FlowerKey& key) {
  const bool tagged = id.ethertype == ETH_P_8021Q;
  if (!tagged && (key.vlan_id || key.vlan_priority || key.vlan_ethertype))
    return Invalid("a VLAN key needs protocol 802.1Q");
  if (key.vlan_id && *key.vlan_id > kMaxVlanId) return Invalid("a VLAN id is at most 4095");
  if (key.vlan_priority && *key.vlan_priority > kMaxVlanPriority) return Invalid("a VLAN priority is at most 7");
  const Family family = FamilyOf(L3Type(id, key));
  if (!FitsFamily(key.ip_src, family) || !FitsFamily(key.ip_dst, family)) {
    return Invalid("an address is of another family than the ethertype");
  }
  if (family == Family::kNone && (key.ip_proto || key.ip_ttl || key.ip_tos || key.fragment)) {
    return Invalid("an IP key needs an IP ethertype");
  }
  const std::uint8_t protocol = key.ip_proto.value_or(0);
  const bool has_ports = protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
  if (!has_ports && (key.src_port || key.dst_port)) return Invalid("a port needs TCP or UDP");
  return {};
}

void PutKey(MessageBuffer& buffer, const FilterId& id, const FlowerKey& key) {
  buffer.PutBe16(TCA_FLOWER_KEY_ETH_TYPE, id.ethertype);
  if (key.vlan_id) buffer.PutU16(TCA_FLOWER_KEY_VLAN_ID, *key.vlan_id);
  if (key.vlan_priority) buffer.PutU8(TCA_FLOWER_KEY_VLAN_PRIO, *key.vlan_priority);
  if (key.vlan_ethertype) buffer.PutBe16(TCA_FLOWER_KEY_VLAN_ETH_TYPE, *key.vlan_ethertype);
  PutMac(buffer, TCA_FLOWER_KEY_ETH_DST, TCA_FLOWER_KEY_ETH_DST_MASK, key.eth_dst);
  PutMac(buffer, TCA_FLOWER_KEY_ETH_SRC, TCA_FLOWER_KEY_ETH_SRC_MASK, key.eth_src);
  PutIp(buffer, TCA_FLOWER_KEY_IPV4_SRC, TCA_FLOWER_KEY_IPV6_SRC, key.ip_src);
  PutIp(buffer, TCA_FLOWER_KEY_IPV4_DST, TCA_FLOWER_KEY_IPV6_DST, key.ip_dst);
  if (key.ip_proto) buffer.PutU8(TCA_FLOWER_KEY_IP_PROTO, *key.ip_proto);
  if (key.ip_ttl) {
    PutMasked(buffer, TCA_FLOWER_KEY_IP_TTL, TCA_FLOWER_KEY_IP_TTL_MASK, key.ip_ttl->value, key.ip_ttl->mask);
  }
  if (key.ip_tos) {
    PutMasked(buffer, TCA_FLOWER_KEY_IP_TOS, TCA_FLOWER_KEY_IP_TOS_MASK, key.ip_tos->value, key.ip_tos->mask);
  }
  PutPorts(buffer, key);
  if (key.fragment) {
    buffer.PutBe32(TCA_FLOWER_KEY_FLAGS, *key.fragment ? TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT : 0);
    buffer.PutBe32(TCA_FLOWER_KEY_FLAGS_MASK, TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT);
  }
}

bool KeyReader::Read(AttributeReader& attribute) {
  switch (attribute.type()) {
    case TCA_FLOWER_KEY_ETH_TYPE:
      ethertype_ = attribute.Be16();
      return true;
    case TCA_FLOWER_KEY_VLAN_ID:
      key_.vlan_id = attribute.U16();
      return true;
    case TCA_FLOWER_KEY_VLAN_PRIO:
      key_.vlan_priority = attribute.U8();
      return true;
    case TCA_FLOWER_KEY_VLAN_ETH_TYPE:
      key_.vlan_ethertype = attribute.Be16();
      return true;
    case TCA_FLOWER_KEY_IP_PROTO:
      key_.ip_proto = attribute.U8();
      return true;
    case TCA_FLOWER_KEY_FLAGS:
      flags_ = attribute.Be32();
      return true;
    case TCA_FLOWER_KEY_FLAGS_MASK:
      flags_mask_ = attribute.Be32();
      return true;
    default:
      return ReadMasked(attribute) || ReadPort(attribute);
  }
}

bool KeyReader::ReadMasked(AttributeReader& attribute) {
  switch (attribute.type()) {
    case TCA_FLOWER_KEY_ETH_DST:
      TakeValue(key_.eth_dst, attribute.Mac());
      return true;
    case TCA_FLOWER_KEY_ETH_DST_MASK:
      TakeMask(key_.eth_dst, attribute.Mac());
      return true;
    case TCA_FLOWER_KEY_ETH_SRC:
      TakeValue(key_.eth_src, attribute.Mac());
      return true;
    case TCA_FLOWER_KEY_ETH_SRC_MASK:
      TakeMask(key_.eth_src, attribute.Mac());
      return true;
    case TCA_FLOWER_KEY_IPV4_SRC:
    case TCA_FLOWER_KEY_IPV6_SRC:
      TakeValue(key_.ip_src, attribute.Ip());
      return true;
    case TCA_FLOWER_KEY_IPV4_SRC_MASK:
    case TCA_FLOWER_KEY_IPV6_SRC_MASK:
      TakeMask(key_.ip_src, attribute.Ip());
      return true;
    case TCA_FLOWER_KEY_IPV4_DST:
    case TCA_FLOWER_KEY_IPV6_DST:
      TakeValue(key_.ip_dst, attribute.Ip());
      return true;
    case TCA_FLOWER_KEY_IPV4_DST_MASK:
    case TCA_FLOWER_KEY_IPV6_DST_MASK:
      TakeMask(key_.ip_dst, attribute.Ip());
      return true;
    case TCA_FLOWER_KEY_IP_TTL:
      TakeValue(key_.ip_ttl, attribute.U8());
      return true;
    case TCA_FLOWER_KEY_IP_TTL_MASK:
      TakeMask(key_.ip_ttl, attribute.U8());
      return true;
    case TCA_FLOWER_KEY_IP_TOS:
      TakeValue(key_.ip_tos, attribute.U8());
      return true;
    case TCA_FLOWER_KEY_IP_TOS_MASK:
      TakeMask(key_.ip_tos, attribute.U8());
      return true;
    default:
      return false;
  }
}

bool KeyReader::ReadPort(AttributeReader& attribute) {
  switch (attribute.type()) {
    case TCA_FLOWER_KEY_TCP_SRC:
    case TCA_FLOWER_KEY_UDP_SRC:
      key_.src_port = attribute.Be16();
      return true;
    case TCA_FLOWER_KEY_TCP_DST:
    case TCA_FLOWER_KEY_UDP_DST:
      key_.dst_port = attribute.Be16();
      return true;
    case TCA_FLOWER_KEY_TCP_SRC_MASK:
    case TCA_FLOWER_KEY_UDP_SRC_MASK:
    case TCA_FLOWER_KEY_TCP_DST_MASK:
    case TCA_FLOWER_KEY_UDP_DST_MASK:
      exact_ports_ = exact_ports_ && attribute.Be16() == 0xffff;
      return true;
    default:
      return false;
  }
}

bool KeyReader::Finish(const FilterId& id, FlowerKey& key) const {
  key = key_;
  bool whole = exact_ports_;
  if (flags_mask_) {
    key.fragment = (flags_ & TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT) != 0;
    whole = whole && *flags_mask_ == TCA_FLOWER_KEY_FLAGS_IS_FRAGMENT;
  }
  // Of a tagged filter the kernel shows the inner ethertype here, where there is one.
  whole = whole && (ethertype_ == id.ethertype || ethertype_ == L3Type(id, key));
  return whole && CheckKey(id, key).has_value();
}

}  // namespace dpuflow::netlink
