// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The classifier: sees each packet that no hardware entry matched, at the ingress of the port's representor.
 *
 * It forwards data by the kernel's FIB and tells the agent of it, once per flow, so that hardware takes over. All else
 * goes up to the kernel's stack untouched: control, and whatever it does not fully understand. It never drops.
 *
 * UAPI structures only: no kernel BTF is needed.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "parse.h"
#include "shared.h"

static __always_inline __u32 verdict_of_lookup(long result) {
  switch (result) {
    case BPF_FIB_LKUP_RET_SUCCESS:
      return DPUFLOW_VERDICT_FORWARDED;
    case BPF_FIB_LKUP_RET_NOT_FWDED:
      return DPUFLOW_VERDICT_LOCAL;
    case BPF_FIB_LKUP_RET_BLACKHOLE:
      return DPUFLOW_VERDICT_BLACKHOLE;
    case BPF_FIB_LKUP_RET_UNREACHABLE:
      return DPUFLOW_VERDICT_UNREACHABLE;
    case BPF_FIB_LKUP_RET_PROHIBIT:
      return DPUFLOW_VERDICT_PROHIBIT;
    case BPF_FIB_LKUP_RET_FWD_DISABLED:
      return DPUFLOW_VERDICT_FORWARDING_DISABLED;
    case BPF_FIB_LKUP_RET_UNSUPP_LWT:
      return DPUFLOW_VERDICT_TUNNEL;
    case BPF_FIB_LKUP_RET_NO_NEIGH:
      return DPUFLOW_VERDICT_NO_NEIGH;
    case BPF_FIB_LKUP_RET_FRAG_NEEDED:
      return DPUFLOW_VERDICT_TOO_BIG;
    default:
      return DPUFLOW_VERDICT_LOOKUP_FAILED;
  }
}

/* The kernel's answer, with egress and MACs in `path` if it is to forward. PathLookup asks in the same way. */
static __always_inline __u32 look_up(struct __sk_buff* skb, const struct dpuflow_miss* packet, __u32 l3_ifindex,
                                     struct bpf_fib_lookup* path) {
  path->family = packet->family;
  path->l4_protocol = packet->protocol;
  path->sport = bpf_htons(packet->sport);
  path->dport = bpf_htons(packet->dport);
  path->tot_len = packet->length > 0xffff ? 0xffff : packet->length;
  path->ifindex = l3_ifindex;
  /* The traffic class, and no flow label: nobody could ask for the path of a label, nor match it in hardware. */
  if (packet->family == FAMILY_IPV6)
    path->flowinfo = bpf_htonl((__u32)packet->tos << 20);
  else
    path->tos = packet->tos;
  __builtin_memcpy(path->ipv6_src, packet->key.saddr, sizeof(path->ipv6_src));
  __builtin_memcpy(path->ipv6_dst, packet->key.daddr, sizeof(path->ipv6_dst));
  return verdict_of_lookup(bpf_fib_lookup(skb, path, sizeof(*path), 0));
}

/* The program runs with the MAC header in front, and parse() found an IP header behind it, of IPv4 without options. */
static __always_inline struct iphdr* ipv4_header(struct __sk_buff* skb) {
  struct iphdr* ip = (void*)(long)skb->data + sizeof(struct ethhdr);

  return (void*)(ip + 1) <= (void*)(long)skb->data_end ? ip : 0;
}

static __always_inline struct ipv6hdr* ipv6_header(struct __sk_buff* skb) {
  struct ipv6hdr* ip = (void*)(long)skb->data + sizeof(struct ethhdr);

  return (void*)(ip + 1) <= (void*)(long)skb->data_end ? ip : 0;
}

/* TTL or hop limit; 0, which is not forwarded, where the header cannot be read. */
static __always_inline __u8 hops_left(struct __sk_buff* skb, __u8 family) {
  struct ipv6hdr* ip6 = ipv6_header(skb);
  struct iphdr* ip = ipv4_header(skb);

  if (family == FAMILY_IPV6) return ip6 ? ip6->hop_limit : 0;
  return ip ? ip->ttl : 0;
}

/* Is this packet, which the kernel would forward by `path`, ours to forward? */
static __always_inline __u32 judge_path(struct __sk_buff* skb, const struct dpuflow_miss* packet,
                                        const struct dpuflow_ingress* ingress, const struct bpf_fib_lookup* path) {
  const struct dpuflow_egress* egress = bpf_map_lookup_elem(&egresses, &path->ifindex);

  if (!egress) return DPUFLOW_VERDICT_EGRESS_NOT_A_PORT;
  if (egress->eswitch != ingress->eswitch) return DPUFLOW_VERDICT_OTHER_SWITCH;
  if (egress->port == packet->key.ifindex) return DPUFLOW_VERDICT_SAME_PORT;
  if (!source_is_known(packet)) return DPUFLOW_VERDICT_SOURCE_UNKNOWN;
  /* In a tunnel's aggregate gso_size is about inner segments, and the skb does not tell. */
  if (skb->gso_size && packet->protocol != IPPROTO_TCP) return DPUFLOW_VERDICT_AGGREGATE;
  if ((ingress->flags | egress->flags) & DPUFLOW_STACK_ONLY) return DPUFLOW_VERDICT_STACK_ONLY;
  return DPUFLOW_VERDICT_FORWARDED;
}

static __always_inline __u32 judge(struct __sk_buff* skb, const struct dpuflow_miss* packet,
                                   const struct dpuflow_ingress* ingress, struct bpf_fib_lookup* path) {
  __u32 verdict = look_up(skb, packet, ingress->l3_ifindex, path);

  /* Local first: a BGP neighbour sends with a TTL of 1. */
  if (verdict == DPUFLOW_VERDICT_LOCAL) return verdict;
  if (hops_left(skb, packet->family) <= 1) return DPUFLOW_VERDICT_TTL;
  if (skb->mark) return DPUFLOW_VERDICT_MARKED;
  if (verdict != DPUFLOW_VERDICT_FORWARDED) return verdict;
  return judge_path(skb, packet, ingress, path);
}

/* The TTL with its checksum (RFC 1624: the sum moves by as much as the field). */
static __always_inline void decrement_ttl(struct iphdr* ip) {
  __u32 sum = ip->check + bpf_htons(0x0100);

  ip->check = sum + (sum >= 0xffff);
  ip->ttl--;
}

/* The tag lies beside the frame, so that this cannot fail; without one there is nothing to do. */
static __always_inline int drop_tag(struct __sk_buff* skb, const struct dpuflow_flow_key* key) {
  return key->vlan == DPUFLOW_UNTAGGED || !bpf_skb_vlan_pop(skb);
}

/* Both MACs, and the TTL or hop limit. */
static __always_inline int rewrite(struct __sk_buff* skb, __u8 family, const struct bpf_fib_lookup* path) {
  struct ethhdr* eth = (void*)(long)skb->data;
  struct ipv6hdr* ip6 = ipv6_header(skb);
  struct iphdr* ip = ipv4_header(skb);

  if (family == FAMILY_IPV6) {
    if (!ip6) return 0;
    ip6->hop_limit--;
  } else {
    if (!ip) return 0;
    decrement_ttl(ip);
  }
  __builtin_memcpy(eth->h_dest, path->dmac, ETH_ALEN);
  __builtin_memcpy(eth->h_source, path->smac, ETH_ALEN);
  return 1;
}

#define REPORTED_BIT(name, word, kind, reported) ((__u64)(reported) << DPUFLOW_VERDICT_##name) |
#define REPORTED_VERDICTS (DPUFLOW_VERDICTS(REPORTED_BIT) 0)

#define KIND_BIT(name, word, kind, reported) \
  ((__u64)(DPUFLOW_KIND_##kind == DPUFLOW_KIND_CONTROL) << DPUFLOW_VERDICT_##name) |
#define CONTROL_VERDICTS (DPUFLOW_VERDICTS(KIND_BIT) 0)

/* Verdicts of packets that the kernel would forward, by its lookup alone: those that are reported. */
static __always_inline int forwards_by_lookup(__u32 verdict) { return REPORTED_VERDICTS >> verdict & 1; }

static __always_inline __u32 stack_only_flag(__u8 family) {
  return family == FAMILY_IPV6 ? DPUFLOW_SETTING_STACK_ONLY_V6 : DPUFLOW_SETTING_STACK_ONLY_V4;
}

/*
 * To the stack: as if the classifier were not there, so that filters behind it see the packet. In a later chain that would be
 * the end of the search without an opinion, and of such a packet tc may note the chain once more (NET_TC_SKB_EXT, while
 * Open vSwitch shares its numbers): a device above the port, a VLAN for one, would look for that chain at its own ingress,
 * and drop the packet where it has filters and no such chain. "Pass" ends it here.
 */
static __always_inline int to_the_stack(struct __sk_buff* skb) {
  if (skb->tc_classid != DPUFLOW_LATER_CHAIN) return TC_ACT_UNSPEC;
  skb->tc_classid = 0; /* else it becomes the packet's tc_index */
  return TC_ACT_OK;
}

SEC("tc")
int dpuflow_class(struct __sk_buff* skb) {
  struct dpuflow_miss packet = {};
  struct bpf_fib_lookup path = {};
  __u32 zero = 0;
  struct dpuflow_settings* set = bpf_map_lookup_elem(&settings, &zero);
  __u32 verdict = DPUFLOW_VERDICT_NOT_A_PORT;
  __u32 protocol;
  struct dpuflow_ingress* ingress = 0;

  if (!set) return TC_ACT_UNSPEC; /* cannot be: the verifier wants to see it */
  if (parse_lane(skb, &packet.key)) ingress = ingress_of(packet.key.ifindex, packet.key.vlan);
  if (!ingress && packet.key.vlan != DPUFLOW_UNTAGGED) verdict = DPUFLOW_VERDICT_VLAN;
  if (ingress) {
    verdict = parse(skb, ingress, &packet);
    if (verdict == DPUFLOW_VERDICT_FORWARDED) {
      verdict = judge(skb, &packet, ingress, &path);
      if (packet.family == FAMILY_IPV6 && forwards_by_lookup(verdict) && !(set->flags & DPUFLOW_SETTING_IPV6))
        verdict = DPUFLOW_VERDICT_FORWARDING_DISABLED;
    }
  }
  if (verdict == DPUFLOW_VERDICT_FORWARDED && (set->flags & stack_only_flag(packet.family)))
    verdict = DPUFLOW_VERDICT_STACK_ONLY;
  if (verdict == DPUFLOW_VERDICT_FORWARDED && !(set->flags & DPUFLOW_SETTING_FORWARD))
    verdict = DPUFLOW_VERDICT_FORWARDING_OFF;

  packet.verdict = verdict;
  if ((set->flags & DPUFLOW_SETTING_REPORT) && forwards_by_lookup(verdict)) report(&packet, set);
  protocol = data_class(packet.protocol);
  if (CONTROL_VERDICTS >> verdict & 1) protocol = control_class(&packet, protocol);
  count(verdict, protocol, skb->gso_segs ? skb->gso_segs : 1, skb->len);

  /* The packet's own tag ends here; a VLAN device as egress puts its own on. */
  if (verdict == DPUFLOW_VERDICT_FORWARDED && drop_tag(skb, &packet.key) && rewrite(skb, packet.family, &path))
    return bpf_redirect(path.ifindex, 0);
  return to_the_stack(skb);
}

char _license[] SEC("license") = "Dual BSD/GPL";
