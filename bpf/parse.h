/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From bytes to a struct dpuflow_miss, and the first sentence about the packet: control, unusual, or data that may be
 * looked up.
 *
 * A cursor walks through the headers; each step checks that the whole header is there before anyone reads it. Each
 * function returns the first objection it finds as a verdict; DPUFLOW_VERDICT_FORWARDED means that it found none.
 */
#ifndef DPUFLOW_BPF_PARSE_H
#define DPUFLOW_BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"

#define FAMILY_IPV4 2 /* AF_INET; <sys/socket.h> is not for this target */
#define FAMILY_IPV6 10
#define ETHERTYPE_SLOW 0x8809
#define PROTOCOL_ICMPV6 58
#define PROTOCOL_OSPF 89
#define FRAGMENT_MASK 0x3fff /* offset and "more fragments" */
#define VLAN_ID_MASK 0x0fff
#define VLAN_PRIORITY_SHIFT 13

/* As much of a packet as is ever read: the rest may lie outside the linear part. */
#define LONGEST_HEADERS (sizeof(struct ethhdr) + sizeof(struct ipv6hdr) + sizeof(struct tcphdr))

struct cursor {
  void* position;
  void* end;
};

#define ADVANCE(cursor, type) ((type*)advance((cursor), sizeof(type)))

static __always_inline void* advance(struct cursor* cursor, __u32 size) {
  void* start = cursor->position;

  if (start + size > cursor->end) return 0;
  cursor->position = start + size;
  return start;
}

/* Makes the headers linear where they are not, and starts at the MAC header. */
static __always_inline struct cursor start_of(struct __sk_buff* skb) {
  struct cursor cursor;
  __u32 wanted = skb->len < LONGEST_HEADERS ? skb->len : LONGEST_HEADERS;

  if (skb->data_end - skb->data < wanted) bpf_skb_pull_data(skb, wanted);
  cursor.position = (void*)(long)skb->data;
  cursor.end = (void*)(long)skb->data_end;
  return cursor;
}

static __always_inline int is_l2_control(const struct ethhdr* eth, __u16 ethertype) {
  if (eth->h_dest[0] == 0x01 && eth->h_dest[1] == 0x80 && eth->h_dest[2] == 0xc2) return 1;
  return ethertype == ETH_P_LLDP || ethertype == ETH_P_PAE || ethertype == ETHERTYPE_SLOW;
}

/* What control traffic is called; `base` is what it would count as between others. */
static __always_inline __u32 control_class(const struct dpuflow_miss* packet, __u32 base) {
  if (base == DPUFLOW_PROTOCOL_TCP && (packet->sport == 179 || packet->dport == 179)) return DPUFLOW_PROTOCOL_BGP;
  if (base == DPUFLOW_PROTOCOL_UDP && (packet->dport == 3784 || packet->dport == 3785 || packet->dport == 4784))
    return DPUFLOW_PROTOCOL_BFD;
  return packet->protocol == PROTOCOL_OSPF ? DPUFLOW_PROTOCOL_OSPF : base;
}

static __always_inline __u32 data_class(__u8 protocol) {
  switch (protocol) {
    case IPPROTO_TCP:
      return DPUFLOW_PROTOCOL_TCP;
    case IPPROTO_UDP:
      return DPUFLOW_PROTOCOL_UDP;
    case IPPROTO_ICMP:
    case PROTOCOL_ICMPV6:
      return DPUFLOW_PROTOCOL_ICMP;
    default:
      return DPUFLOW_PROTOCOL_OTHER;
  }
}

/*
 * The ports of TCP and UDP, and what a segment of an aggregate measures: its headers (`ip_header` bytes before this one)
 * and gso_size. In a fragment there are no ports: the kernel's routing does not look at them there either.
 */
static __always_inline __u32 parse_ports(struct cursor* cursor, struct dpuflow_miss* packet, __u32 ip_header,
                                         __u32 gso_size) {
  void* start = cursor->position;
  __be16* ports = advance(cursor, 2 * sizeof(*ports));
  struct tcphdr* tcp = start;
  __u32 header = sizeof(struct udphdr);

  if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) return DPUFLOW_VERDICT_FORWARDED;
  /* Beyond the length of IP there is padding. */
  if (!ports || packet->length < ip_header + 2 * sizeof(*ports)) return DPUFLOW_VERDICT_MALFORMED;
  packet->sport = bpf_ntohs(ports[0]);
  packet->dport = bpf_ntohs(ports[1]);
  if (!gso_size) return DPUFLOW_VERDICT_FORWARDED;
  if (packet->protocol == IPPROTO_TCP) {
    if ((void*)(tcp + 1) > cursor->end || tcp->doff < 5) return DPUFLOW_VERDICT_MALFORMED;
    header = tcp->doff * 4;
  }
  packet->length = ip_header + header + gso_size;
  return DPUFLOW_VERDICT_FORWARDED;
}

static __always_inline int checksum_is_right(const struct iphdr* ip) {
  const __u16* words = (const __u16*)ip;
  __u32 sum = 0;
  int i;

#pragma unroll
  for (i = 0; i < (int)(sizeof(*ip) / sizeof(*words)); i++) sum += words[i];
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

/* Where the destination address alone says enough. */
static __always_inline __u32 judge_destination(__be32 address) {
  __u32 first = bpf_ntohl(address) >> 24;

  if (first >= 224 && first <= 239) return DPUFLOW_VERDICT_MULTICAST;
  if (address == INADDR_BROADCAST) return DPUFLOW_VERDICT_MULTICAST;
  if (bpf_ntohl(address) >> 16 == 0xa9fe) return DPUFLOW_VERDICT_LINK_LOCAL;
  if (first == 0 || first == 127) return DPUFLOW_VERDICT_MARTIAN;
  return DPUFLOW_VERDICT_FORWARDED;
}

static __always_inline __u32 parse_ipv4(struct cursor* cursor, struct __sk_buff* skb, struct dpuflow_miss* packet,
                                        int is_group) {
  struct iphdr* ip = ADVANCE(cursor, struct iphdr);
  __u32 length, verdict;

  if (!ip || ip->version != 4 || ip->ihl < 5) return DPUFLOW_VERDICT_MALFORMED;
  length = bpf_ntohs(ip->tot_len);
  if (length < ip->ihl * 4u || length > skb->len - sizeof(struct ethhdr)) return DPUFLOW_VERDICT_MALFORMED;
  packet->family = FAMILY_IPV4;
  packet->key.saddr[0] = ip->saddr;
  packet->key.daddr[0] = ip->daddr;
  packet->protocol = ip->protocol;
  packet->tos = ip->tos;
  packet->length = length;
  verdict = judge_destination(ip->daddr);
  if (is_group && verdict == DPUFLOW_VERDICT_FORWARDED) verdict = DPUFLOW_VERDICT_MULTICAST;
  if (ip->ihl > 5) return verdict == DPUFLOW_VERDICT_FORWARDED ? DPUFLOW_VERDICT_OPTIONS : verdict;
  if (!checksum_is_right(ip)) return DPUFLOW_VERDICT_BAD_CHECKSUM;
  if (!(ip->frag_off & bpf_htons(FRAGMENT_MASK))) {
    __u32 objection = parse_ports(cursor, packet, sizeof(*ip), skb->gso_size);

    if (objection != DPUFLOW_VERDICT_FORWARDED) return objection;
  }
  return verdict;
}

/* Router and neighbour discovery (RFC 4861) ends at this machine, whatever its destination. */
static __always_inline int is_neighbour_discovery(const struct cursor* cursor) {
  const __u8* type = cursor->position;

  return (void*)(type + 1) <= cursor->end && *type >= 133 && *type <= 137;
}

static __always_inline __u32 judge_destination6(const struct in6_addr* address, int is_group) {
  const __be32* words = address->in6_u.u6_addr32;

  if (address->in6_u.u6_addr8[0] == 0xff || is_group) return DPUFLOW_VERDICT_MULTICAST;
  if ((words[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000)) return DPUFLOW_VERDICT_LINK_LOCAL;
  if (!words[0] && !words[1] && !words[2] && !(words[3] & bpf_htonl(~1u))) return DPUFLOW_VERDICT_MARTIAN;
  return DPUFLOW_VERDICT_FORWARDED;
}

/*
 * Of extension headers a router looks at hop-by-hop options alone (RFC 8200, 4), and the kernel's routing takes the first
 * next header for the protocol. A length of zero is a jumbogram or broken.
 */
static __always_inline __u32 parse_ipv6(struct cursor* cursor, struct __sk_buff* skb, struct dpuflow_miss* packet,
                                        int is_group) {
  struct ipv6hdr* ip = ADVANCE(cursor, struct ipv6hdr);
  __u32 length, objection, verdict;

  if (!ip || ip->version != 6) return DPUFLOW_VERDICT_MALFORMED;
  length = sizeof(*ip) + bpf_ntohs(ip->payload_len);
  if (length > skb->len - sizeof(struct ethhdr)) return DPUFLOW_VERDICT_MALFORMED;
  packet->family = FAMILY_IPV6;
  __builtin_memcpy(packet->key.saddr, &ip->saddr, sizeof(packet->key.saddr));
  __builtin_memcpy(packet->key.daddr, &ip->daddr, sizeof(packet->key.daddr));
  packet->protocol = ip->nexthdr;
  packet->tos = ip->priority << 4 | ip->flow_lbl[0] >> 4;
  packet->length = length;
  if (ip->nexthdr == PROTOCOL_ICMPV6 && is_neighbour_discovery(cursor)) return DPUFLOW_VERDICT_ND;
  verdict = judge_destination6(&ip->daddr, is_group);
  if (verdict != DPUFLOW_VERDICT_FORWARDED) return verdict;
  if (ip->nexthdr == IPPROTO_HOPOPTS) return DPUFLOW_VERDICT_OPTIONS;
  if (!ip->payload_len) return DPUFLOW_VERDICT_MALFORMED;
  objection = parse_ports(cursor, packet, sizeof(*ip), skb->gso_size);
  return objection != DPUFLOW_VERDICT_FORWARDED ? objection : verdict;
}

/*
 * The lane of a packet. The kernel has taken the tag out of the frame before this program sees it (__netif_receive_skb_core);
 * where the tag is another than 802.1Q's, or VLAN 0, which is a priority and no VLAN, there is no lane.
 */
static __always_inline int parse_lane(const struct __sk_buff* skb, struct dpuflow_flow_key* key) {
  __u32 tci = skb->vlan_tci;

  key->ifindex = skb->ifindex;
  key->vlan = DPUFLOW_UNTAGGED;
  if (!skb->vlan_present) return 1;
  key->vlan = tci & VLAN_ID_MASK;
  key->vlan_priority = tci >> VLAN_PRIORITY_SHIFT & 7;
  return key->vlan != 0 && skb->vlan_proto == bpf_htons(ETH_P_8021Q);
}

static __always_inline int same_mac(const __u8* a, const __u8* b) {
  const __u16* x = (const __u16*)a;
  const __u16* y = (const __u16*)b;

  return x[0] == y[0] && x[1] == y[1] && x[2] == y[2];
}

/* A frame to the port's MAC is for the VLAN device on it too (vlan_do_receive). */
static __always_inline int is_for_us(const struct __sk_buff* skb, const struct dpuflow_miss* packet,
                                     const struct dpuflow_ingress* ingress) {
  return skb->pkt_type == PACKET_HOST || same_mac(packet->key.dmac, ingress->mac);
}

/* Fills `packet`, but for its lane, time and verdict. */
static __always_inline __u32 parse(struct __sk_buff* skb, const struct dpuflow_ingress* ingress,
                                   struct dpuflow_miss* packet) {
  struct cursor cursor = start_of(skb);
  struct ethhdr* eth = ADVANCE(&cursor, struct ethhdr);
  int is_group;
  __u32 verdict;

  if (!eth) return DPUFLOW_VERDICT_MALFORMED;
  packet->key.ethertype = bpf_ntohs(eth->h_proto);
  __builtin_memcpy(packet->key.smac, eth->h_source, ETH_ALEN);
  __builtin_memcpy(packet->key.dmac, eth->h_dest, ETH_ALEN);
  is_group = eth->h_dest[0] & 1;
  if (is_l2_control(eth, packet->key.ethertype)) return DPUFLOW_VERDICT_L2_CONTROL;
  if (packet->key.ethertype == ETH_P_8021Q || packet->key.ethertype == ETH_P_8021AD) return DPUFLOW_VERDICT_VLAN;
  switch (packet->key.ethertype) {
    case ETH_P_ARP:
      return DPUFLOW_VERDICT_ARP;
    case ETH_P_IP:
      verdict = parse_ipv4(&cursor, skb, packet, is_group);
      break;
    case ETH_P_IPV6:
      verdict = parse_ipv6(&cursor, skb, packet, is_group);
      break;
    default:
      verdict = is_group ? DPUFLOW_VERDICT_MULTICAST : DPUFLOW_VERDICT_NOT_IP;
  }
  if (verdict == DPUFLOW_VERDICT_FORWARDED && !is_for_us(skb, packet, ingress))
    return ingress->flags & DPUFLOW_BRIDGED ? DPUFLOW_VERDICT_BRIDGED : DPUFLOW_VERDICT_OTHER_HOST;
  return verdict;
}

#endif
