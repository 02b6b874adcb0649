/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the classifier and the agent share: the keys and values of the maps, the events in the ring, and the words for
 * what became of a packet. Plain C, included by both sides, which are always built together: the layout is no API.
 *
 * Numbers are in host byte order unless marked. Addresses are in network byte order and 16 bytes wide; an IPv4 address
 * is the first word, the others are zero. All bytes count in a key: every structure is free of implicit padding (checked
 * below), and whoever fills a key sets `reserved` to zero.
 */
#ifndef DPUFLOW_BPF_SHARED_H
#define DPUFLOW_BPF_SHARED_H

#include <linux/bpf.h>
#include <linux/types.h>

/* The VLAN id of a packet that has none, and, of a lane, every id of its port that has no lane of its own. */
#define DPUFLOW_UNTAGGED 0xffff
#define DPUFLOW_ANY_VLAN 0xfffe

/* The classid (TCA_BPF_CLASSID) of the classifier's filters in chains other than 0, by which it knows where it runs. */
#define DPUFLOW_LATER_CHAIN 0x6470

/* Which way a packet took. */
enum dpuflow_kind {
  DPUFLOW_KIND_FORWARDED, /* data, forwarded by the classifier */
  DPUFLOW_KIND_CONTROL,   /* for the DPU's own stack */
  DPUFLOW_KIND_STACK,     /* data, or anything unusual: left to the kernel, which forwards, answers or drops it */
};

/*
 * What became of a packet, and why: X(name, word, kind, reported). A verdict that is `reported` makes an event for the
 * agent, because the packet is data that hardware could forward now or after something that the agent waits for.
 */
#define DPUFLOW_VERDICTS(X)                                                                                  \
  X(FORWARDED, "forwarded", FORWARDED, 1)                                                                    \
  /* Control. */                                                                                             \
  X(L2_CONTROL, "l2_control", CONTROL, 0) /* 01:80:c2:.., LLDP, slow protocols, 802.1X */                    \
  X(ARP, "arp", CONTROL, 0)                                                                                  \
  X(ND, "nd", CONTROL, 0)                 /* IPv6 neighbour and router discovery */                          \
  X(MULTICAST, "multicast", CONTROL, 0)   /* MAC or address: multicast, limited broadcast */                 \
  X(LINK_LOCAL, "link_local", CONTROL, 0) /* destination in 169.254.0.0/16 or fe80::/10 */                   \
  X(LOCAL, "local", CONTROL, 0)           /* FIB: for the DPU, broadcast, or no route */                     \
  /* Not looked up. */                                                                                       \
  X(NOT_A_PORT, "not_a_port", STACK, 0) /* ingress is not among the enabled ports */                         \
  X(MALFORMED, "malformed", STACK, 0)   /* too short, or lengths that disagree */                            \
  X(VLAN, "vlan", STACK, 0)             /* tagged as no interface here is, or more than once */              \
  X(NOT_IP, "not_ip", STACK, 0)                                                                              \
  X(OTHER_HOST, "other_host", STACK, 0)     /* MAC of neither the port nor a group */                        \
  X(BAD_CHECKSUM, "bad_checksum", STACK, 0) /* of the IPv4 header */                                         \
  X(OPTIONS, "options", STACK, 0)           /* of IPv4, or hop-by-hop of IPv6 */                             \
  X(MARTIAN, "martian", STACK, 0)           /* destination in 0.0.0.0/8, 127.0.0.0/8 or ::/127 */            \
  /* Looked up: the kernel's answer is not "forward". */                                                     \
  X(TTL, "ttl", STACK, 0)                                 /* it expires here */                              \
  X(MARKED, "marked", STACK, 0)                           /* carries a packet mark, which routing may see */ \
  X(FORWARDING_DISABLED, "forwarding_disabled", STACK, 0) /* sysctl, at the ingress */                       \
  X(BLACKHOLE, "blackhole", STACK, 0)                                                                        \
  X(UNREACHABLE, "unreachable", STACK, 0)                                                                    \
  X(PROHIBIT, "prohibit", STACK, 0)                                                                          \
  X(LOOKUP_FAILED, "lookup_failed", STACK, 0)                                                                \
  /* To be forwarded, but not, or not yet, by the classifier. */                                             \
  X(TUNNEL, "tunnel", STACK, 1)     /* a lightweight tunnel */                                               \
  X(NO_NEIGH, "no_neigh", STACK, 1) /* the next hop's MAC is not known */                                    \
  X(TOO_BIG, "too_big", STACK, 1)   /* for the path's MTU */                                                 \
  X(EGRESS_NOT_A_PORT, "egress_not_a_port", STACK, 1)                                                        \
  X(OTHER_SWITCH, "other_switch", STACK, 1)     /* egress is a port of another eswitch */                    \
  X(SAME_PORT, "same_port", STACK, 1)           /* egress is ingress: the kernel redirects */                \
  X(SOURCE_UNKNOWN, "source_unknown", STACK, 1) /* not validated on this port */                             \
  X(AGGREGATE, "aggregate", STACK, 1)           /* GRO of other than TCP: size unknown */                    \
  X(BRIDGED, "bridged", STACK, 1)               /* the bridge learns from it, and passes it on */            \
  X(STACK_ONLY, "stack_only", STACK, 1)         /* rules, policies or queues that only the stack applies */  \
  X(FORWARDING_OFF, "forwarding_off", STACK, 1) /* the agent's setting */

enum dpuflow_verdict {
#define DPUFLOW_ENUMERATOR(name, word, kind, reported) DPUFLOW_VERDICT_##name,
  DPUFLOW_VERDICTS(DPUFLOW_ENUMERATOR)
#undef DPUFLOW_ENUMERATOR
      DPUFLOW_VERDICT_COUNT
};

/*
 * What kind of traffic: X(name, word). BGP, BFD and OSPF name control only: between others they are data, and count as
 * what carries them.
 */
#define DPUFLOW_PROTOCOLS(X)                             \
  X(OTHER, "other")                                      \
  X(BGP, "bgp")   /* TCP, port 179 on either side */     \
  X(BFD, "bfd")   /* UDP to 3784, 3785 (echo) or 4784 */ \
  X(OSPF, "ospf") /* IP protocol 89 */                   \
  X(ICMP, "icmp") /* and ICMPv6 */                       \
  X(TCP, "tcp")                                          \
  X(UDP, "udp")

enum dpuflow_protocol {
#define DPUFLOW_ENUMERATOR(name, word) DPUFLOW_PROTOCOL_##name,
  DPUFLOW_PROTOCOLS(DPUFLOW_ENUMERATOR)
#undef DPUFLOW_ENUMERATOR
      DPUFLOW_PROTOCOL_COUNT
};

/*
 * Routing knows interfaces, the switch knows lanes: the packets of a port with one VLAN tag, or with none. Two maps tell one
 * from the other; who is not in them neither enters nor leaves.
 */
#define DPUFLOW_STACK_ONLY (1u << 0) /* what enters or leaves here is the kernel's to forward */
#define DPUFLOW_BRIDGED (1u << 1)    /* of a lane: what is not for the interface is a bridge's to pass on */

/* Map `ingresses`: hash, this -> dpuflow_ingress. */
struct dpuflow_lane {
  __u32 ifindex; /* of the port */
  __u16 vlan;
  __u16 reserved;
};

struct dpuflow_ingress {
  __u32
      l3_ifindex; /* the interface that routing sees as ingress: the port itself, its VLAN device, its bridge; 0: none */
  __u32 eswitch;  /* ports with equal numbers reach each other */
  __u32 flags;
  __u8 mac[6]; /* of that interface: frames to it are to be routed, whatever the MAC of the port is */
  __u16 reserved;
};

/* Map `egresses`: hash, ifindex of the interface by which routing sends -> this. */
struct dpuflow_egress {
  __u32 port;
  __u32 eswitch;
  __u32 flags;
  __u32 reserved;
};

/* Map `sources`: hash, this -> dpuflow_source. Packets are forwarded from these only. */
struct dpuflow_source_key {
  __u32 ifindex; /* of the port */
  __u16 vlan;
  __u8 family; /* AF_INET, AF_INET6 */
  __u8 reserved;
  __u32 address[4];
};

struct dpuflow_source {
  __u32 reserved;
};

/*
 * Map `reported`: LRU hash, this -> CLOCK_MONOTONIC in ns of the last event (__u64). Ports, protocol and TOS are zero
 * unless the setting of their name tells flows apart by them.
 */
struct dpuflow_flow_key {
  __u32 ifindex;
  __u16 vlan;
  __u16 ethertype;
  __u8 smac[6];
  __u8 dmac[6];
  __u32 saddr[4];
  __u32 daddr[4];
  __u16 sport;
  __u16 dport;
  __u8 protocol;
  __u8 tos;
  __u8 vlan_priority; /* PCP; zero without a tag */
  __u8 reserved;
};

/* Map `misses`: ring buffer of these. */
struct dpuflow_miss {
  __u64 ktime_ns; /* CLOCK_MONOTONIC */
  struct dpuflow_flow_key key;
  __u32 length; /* bytes of L3; of an aggregate, those of one full segment */
  __u16 sport;  /* TCP and UDP; zero in a fragment */
  __u16 dport;
  __u8 family;
  __u8 protocol; /* of IPv4; the first next header of IPv6 */
  __u8 tos;      /* or traffic class */
  __u8 verdict;  /* enum dpuflow_verdict */
};

/* Map `counters`: per-CPU array at verdict * DPUFLOW_PROTOCOL_COUNT + protocol. */
struct dpuflow_counter {
  __u64 packets; /* as on the wire: an aggregate counts its segments */
  __u64 bytes;   /* of L2; the headers of an aggregate count once */
};

/* Map `reports`: per-CPU array with one of these. */
struct dpuflow_reports {
  __u64 sent;
  __u64 suppressed; /* the same flow was reported a moment ago */
  __u64 ring_full;  /* lost, and reported again by the flow's next packet */
};

/* Map `settings`: array with one of these. */
#define DPUFLOW_SETTING_FORWARD (1u << 0) /* else everything is left to the kernel */
#define DPUFLOW_SETTING_REPORT (1u << 1)  /* else no events are made */
/* Flows differ by IP protocol and ports; by TOS or traffic class. */
#define DPUFLOW_SETTING_BY_PORTS (1u << 2)
#define DPUFLOW_SETTING_BY_TOS (1u << 3)
/* Of this family, everything is the kernel's to forward. */
#define DPUFLOW_SETTING_STACK_ONLY_V4 (1u << 5)
#define DPUFLOW_SETTING_STACK_ONLY_V6 (1u << 6)
#define DPUFLOW_SETTING_IPV6 (1u << 4) /* net.ipv6.conf.all.forwarding, which bpf_fib_lookup does not look at */

struct dpuflow_settings {
  __u64 report_window_ns; /* a flow that was reported is not reported again for so long */
  __u32 flags;
  __u32 reserved;
};

/*
 * Map `lookups`: array with one dpuflow_batch, mapped into the agent. The agent writes the first `params` of as many
 * slots as it says in cb[0] of the run; the program replaces them by what the kernel answers (the unions of struct
 * bpf_fib_lookup say which field becomes what).
 */
#define DPUFLOW_BATCH 256

struct dpuflow_lookup {
  struct bpf_fib_lookup params;
  __s32 result; /* BPF_FIB_LKUP_RET_..., or a negative errno */
  __u32 reserved;
};

struct dpuflow_batch {
  struct dpuflow_lookup slots[DPUFLOW_BATCH];
};

#ifdef __cplusplus
#define DPUFLOW_CHECK_SIZE(type, size) static_assert(sizeof(struct type) == (size), "implicit padding in " #type)
#else
#define DPUFLOW_CHECK_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), "implicit padding in " #type)
#endif
DPUFLOW_CHECK_SIZE(dpuflow_lane, 8);
DPUFLOW_CHECK_SIZE(dpuflow_ingress, 20);
DPUFLOW_CHECK_SIZE(dpuflow_egress, 16);
DPUFLOW_CHECK_SIZE(dpuflow_source_key, 24);
DPUFLOW_CHECK_SIZE(dpuflow_flow_key, 60);
DPUFLOW_CHECK_SIZE(dpuflow_miss, 80);
DPUFLOW_CHECK_SIZE(dpuflow_settings, 16);
DPUFLOW_CHECK_SIZE(dpuflow_lookup, 72);
#undef DPUFLOW_CHECK_SIZE

#endif
