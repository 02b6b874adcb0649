// SPDX-License-Identifier: GPL-2.0-only
/*
 * The switch's parser: a frame's headers into a key. Up to two tags, IPv4 or IPv6 with its extension
 * headers, TCP, UDP, ICMP. In a fragment, the first one too, nothing after the IP header is looked at,
 * which is also what the kernel's own flower does.
 */
#include <linux/icmp.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jhash.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/dsfield.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "labnic.h"

static const void *labnic_at(const struct sk_buff *skb, unsigned int offset, unsigned int len)
{
	return offset + len <= skb->len ? skb->data + offset : NULL;
}

static void labnic_parse_l4(const struct sk_buff *skb, unsigned int at, struct labnic_packet *packet)
{
	struct labnic_key *key = &packet->key;
	const struct icmphdr *icmp;
	const struct tcphdr *tcp;
	const struct udphdr *udp;

	if (key->frag)
		return;
	switch (key->ip_proto) {
	case IPPROTO_TCP:
		tcp = labnic_at(skb, at, sizeof(*tcp));
		if (!tcp)
			return;
		key->sport = tcp->source;
		key->dport = tcp->dest;
		key->tcp_flags = *(const __be16 *)&tcp_flag_word(tcp) & htons(0x0fff);
		break;
	case IPPROTO_UDP:
		udp = labnic_at(skb, at, sizeof(*udp));
		if (!udp)
			return;
		key->sport = udp->source;
		key->dport = udp->dest;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		icmp = labnic_at(skb, at, 8);
		if (!icmp)
			return;
		key->icmp_type = icmp->type;
		key->icmp_code = icmp->code;
		break;
	default:
		return;
	}
	packet->l4 = at;
	packet->l4_proto = key->ip_proto;
}

static void labnic_parse_ipv4(const struct sk_buff *skb, unsigned int at, struct labnic_packet *packet)
{
	const struct iphdr *ip = labnic_at(skb, at, sizeof(*ip));
	struct labnic_key *key = &packet->key;

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return;
	packet->l3 = at;
	key->ip_proto = ip->protocol;
	key->tos = ip->tos;
	key->ttl = ip->ttl;
	key->saddr4 = ip->saddr;
	key->daddr4 = ip->daddr;
	key->frag = ip_is_fragment(ip);
	labnic_parse_l4(skb, at + ip->ihl * 4, packet);
}

static void labnic_parse_ipv6(const struct sk_buff *skb, unsigned int at, struct labnic_packet *packet)
{
	const struct ipv6hdr *ip = labnic_at(skb, at, sizeof(*ip));
	struct labnic_key *key = &packet->key;
	const struct frag_hdr *frag;
	const struct ipv6_opt_hdr *opt;
	u8 next;

	if (!ip || ip->version != 6)
		return;
	packet->l3 = at;
	key->tos = ipv6_get_dsfield(ip);
	key->ttl = ip->hop_limit;
	key->saddr = ip->saddr;
	key->daddr = ip->daddr;
	next = ip->nexthdr;
	at += sizeof(*ip);
	for (;;) {
		if (next == NEXTHDR_HOP || next == NEXTHDR_ROUTING || next == NEXTHDR_DEST) {
			opt = labnic_at(skb, at, sizeof(*opt));
			if (!opt)
				return;
			next = opt->nexthdr;
			at += ipv6_optlen(opt);
		} else if (next == NEXTHDR_FRAGMENT) {
			frag = labnic_at(skb, at, sizeof(*frag));
			if (!frag)
				return;
			key->frag = 1;
			key->ip_proto = frag->nexthdr;
			return;
		} else {
			break;
		}
	}
	key->ip_proto = next;
	labnic_parse_l4(skb, at, packet);
}

/* Parses a linear frame that begins at skb->data. */
void labnic_parse(const struct sk_buff *skb, struct labnic_packet *packet)
{
	const struct ethhdr *eth = (const struct ethhdr *)skb->data;
	struct labnic_key *key = &packet->key;
	unsigned int at = ETH_HLEN;
	const struct vlan_hdr *vlan;
	__be16 ethertype;
	int i;

	memset(packet, 0, sizeof(*packet));
	ether_addr_copy(key->dmac, eth->h_dest);
	ether_addr_copy(key->smac, eth->h_source);
	ethertype = eth->h_proto;
	for (i = 0; i < 2 && eth_type_vlan(ethertype); i++) {
		vlan = labnic_at(skb, at, sizeof(*vlan));
		if (!vlan)
			return;
		key->tag[i].tpid = ethertype;
		key->tag[i].vid = vlan->h_vlan_TCI & htons(VLAN_VID_MASK);
		key->tag[i].pcp = ntohs(vlan->h_vlan_TCI) >> VLAN_PRIO_SHIFT;
		ethertype = vlan->h_vlan_encapsulated_proto;
		at += VLAN_HLEN;
	}
	key->ethertype = ethertype;
	if (ethertype == htons(ETH_P_IP))
		labnic_parse_ipv4(skb, at, packet);
	else if (ethertype == htons(ETH_P_IPV6))
		labnic_parse_ipv6(skb, at, packet);
}

/*
 * What receive side scaling leaves in the skb: a hash of the packet's own fields, of level L4 where ports
 * are among them. Wherever the kernel wants a hash over connections it takes one of that level as it is.
 */
void labnic_set_hash(struct sk_buff *skb)
{
	struct labnic_packet packet;
	const struct labnic_key *key = &packet.key;
	u32 ports;

	labnic_parse(skb, &packet);
	if (!packet.l3)
		return;
	ports = (u32)ntohs(key->sport) << 16 | ntohs(key->dport);	/* 0 without any, and in fragments */
	skb_set_hash(skb, jhash(&key->saddr, sizeof(key->saddr) + sizeof(key->daddr), ports),
		     ports ? PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L3);
}
