// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing a packet. As on a NIC, checksums are right afterwards: the IPv4 header's is computed anew
 * (so a wrong one becomes right), that of TCP, UDP and ICMPv6 follows the change.
 */
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>
#include <net/ip.h>

#include "labnic.h"

/* The checksum that covers ports and addresses, or NULL where there is none. */
static __sum16 *labnic_l4_checksum(struct sk_buff *skb, const struct labnic_packet *packet)
{
	u8 *l4 = skb->data + packet->l4;

	if (!packet->l4)
		return NULL;
	switch (packet->l4_proto) {
	case IPPROTO_TCP:
		return &((struct tcphdr *)l4)->check;
	case IPPROTO_UDP:
		return ((struct udphdr *)l4)->check ? &((struct udphdr *)l4)->check : NULL;
	case IPPROTO_ICMPV6:
		return &((struct icmp6hdr *)l4)->icmp6_cksum;
	default:
		return NULL;
	}
}

/* The header that the field is in, or NULL if the packet has none. */
static u8 *labnic_header(struct sk_buff *skb, const struct labnic_packet *packet,
			 const struct labnic_field *field)
{
	const struct labnic_key *key = &packet->key;

	switch (field->htype) {
	case FLOW_ACT_MANGLE_HDR_TYPE_ETH:
		return skb->data;
	case FLOW_ACT_MANGLE_HDR_TYPE_IP4:
		return packet->l3 && key->ethertype == htons(ETH_P_IP) ? skb->data + packet->l3 : NULL;
	case FLOW_ACT_MANGLE_HDR_TYPE_IP6:
		return packet->l3 && key->ethertype == htons(ETH_P_IPV6) ? skb->data + packet->l3 : NULL;
	case FLOW_ACT_MANGLE_HDR_TYPE_TCP:
		return packet->l4 && packet->l4_proto == IPPROTO_TCP ? skb->data + packet->l4 : NULL;
	default:
		return packet->l4 && packet->l4_proto == IPPROTO_UDP ? skb->data + packet->l4 : NULL;
	}
}

/* Numbers are in network order: carries go towards the first byte, and stay inside the field. */
static void labnic_change(u8 *at, const struct labnic_field *field, const struct labnic_action *action)
{
	unsigned int carry = 0;
	int i;

	for (i = field->len - 1; i >= 0; i--) {
		u8 mask = action->edit.mask[i];
		unsigned int val = action->edit.val[i];

		if (action->edit.add) {
			val += at[i] + carry;
			carry = val >> 8;
		}
		at[i] = (at[i] & ~mask) | (val & mask);
	}
}

static bool labnic_in_l4_checksum(u8 field)
{
	switch (field) {
	case LABNIC_F_IP4_SADDR:
	case LABNIC_F_IP4_DADDR:
	case LABNIC_F_IP6_SADDR:
	case LABNIC_F_IP6_DADDR:
	case LABNIC_F_TCP_SPORT:
	case LABNIC_F_TCP_DPORT:
	case LABNIC_F_TCP_FLAGS:
	case LABNIC_F_UDP_SPORT:
	case LABNIC_F_UDP_DPORT:
		return true;
	default:
		return false;
	}
}

void labnic_edit(struct sk_buff *skb, const struct labnic_packet *packet, const struct labnic_action *action)
{
	const struct labnic_field *field = &labnic_fields[action->edit.field];
	__sum16 *checksum = labnic_l4_checksum(skb, packet);
	u8 *header = labnic_header(skb, packet, field);
	unsigned int from = field->offset & ~1u;
	unsigned int len = ((field->offset + field->len + 1) & ~1u) - from;
	__wsum before, after;

	if (!header)
		return;
	before = csum_partial(header + from, len, 0);
	labnic_change(header + field->offset, field, action);
	after = csum_partial(header + from, len, 0);
	if (field->htype == FLOW_ACT_MANGLE_HDR_TYPE_IP4)
		ip_send_check((struct iphdr *)header);
	if (!checksum || !labnic_in_l4_checksum(action->edit.field))
		return;
	csum_replace_by_diff(checksum, csum_sub(after, before));
	if (!*checksum && packet->l4_proto == IPPROTO_UDP)
		*checksum = CSUM_MANGLED_0;
}

/* -ENOMEM: no room in front for one more tag. */
int labnic_vlan_push(struct sk_buff *skb, const struct labnic_action *action)
{
	struct vlan_ethhdr *eth;

	if (skb_headroom(skb) < VLAN_HLEN)
		return -ENOMEM;
	eth = skb_push(skb, VLAN_HLEN);
	memmove(eth, (u8 *)eth + VLAN_HLEN, 2 * ETH_ALEN);
	eth->h_vlan_proto = action->vlan.proto;
	eth->h_vlan_TCI = htons(action->vlan.vid | action->vlan.pcp << VLAN_PRIO_SHIFT);
	return 0;
}

void labnic_vlan_pop(struct sk_buff *skb)
{
	struct vlan_ethhdr *eth = (struct vlan_ethhdr *)skb->data;

	if (skb->len < VLAN_ETH_HLEN || !eth_type_vlan(eth->h_vlan_proto))
		return;
	memmove((u8 *)eth + VLAN_HLEN, eth, 2 * ETH_ALEN);
	skb_pull(skb, VLAN_HLEN);
}

void labnic_vlan_mangle(struct sk_buff *skb, const struct labnic_action *action)
{
	struct vlan_ethhdr *eth = (struct vlan_ethhdr *)skb->data;
	u16 tci;

	if (skb->len < VLAN_ETH_HLEN || !eth_type_vlan(eth->h_vlan_proto))
		return;
	tci = ntohs(eth->h_vlan_TCI) & ~VLAN_VID_MASK;
	eth->h_vlan_TCI = htons(tci | action->vlan.vid);
}
