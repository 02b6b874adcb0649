/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * labnic: a NIC with an embedded switch, for tests.
 *
 * What it stands for. A DPU's NIC has ports that the DPU does not own: the wire, the host's PF,
 * the pods' VFs. For each of them the DPU's Linux has a netdev, its *representor* (rep). In this
 * module a port is a pair of netdevs: the rep, and the *far side*, which plays the wire's or the
 * pod's end and is meant to be moved into a network namespace.
 *
 *      wire0     host0     vf0     vf1        far sides: what a pod, or the wire, sees
 *        |         |        |       |
 *   .----+---------+--------+-------+----.
 *   |  tables: (chain, prio) -> entries  |    what tc flower skip_sw filters become
 *   '----+---------+--------+-------+----'
 *        |         |        |       |
 *       p0      pf0hpf   pf0vf0  pf0vf1       representors, in the DPU's own namespace
 *
 * A packet that a far side sends is looked up in the tables (datapath.c). What matches nothing, a
 * miss, comes up the rep. A packet that software sends on a rep leaves by the far side and is not
 * looked up. Packets are copied on the way, as by DMA: no skb metadata survives the wire.
 *
 * With uplinks=2 the card has two such switches, one for each of its PCI functions, with p0 and p1 as
 * their uplinks. Both have the same switch id; what may go from one to the other is in action.c.
 *
 * Locks, outermost first:
 *   devlink instance lock  ports come and go; the eswitch's mode
 *   rtnl                   netdevs are registered and unregistered
 *   domain mutex           insertions of one direction, one at a time (what mlx5's SMFS does)
 *   labnic.lock            tables, shapes, slots and the index of rules change
 *   RCU                    the datapath, the sampler and the dumps read all of these
 */
#ifndef LABNIC_H
#define LABNIC_H

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/netdevice.h>
#include <linux/rhashtable.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/devlink.h>
#include <net/flow_offload.h>
#include <net/pkt_cls.h>

#include "compat.h"

#define LABNIC_MAX_UPLINKS 2
#define LABNIC_MAX_VFS 256
#define LABNIC_MAX_PORTS (LABNIC_MAX_VFS + 2)	/* + uplink + the host's PF */
#define LABNIC_UPLINK 0		/* port numbers, also the devlink port index */
#define LABNIC_PF 1
#define LABNIC_VF0 2
#define LABNIC_MAX_MTU 9216
#define LABNIC_MAX_CHAIN 3	/* as mlx5 without ignore_flow_level */
#define LABNIC_MAX_PRIO 16
#define LABNIC_FT_CHAIN U32_MAX	/* flowtables' rules: looked at after chain 0 */
#define LABNIC_MAX_HOPS 64	/* gotos one packet may take before it counts as a loop */
#define LABNIC_MAX_OUTPUTS 32
#define LABNIC_MAX_ACTIONS 96	/* of one rule: 32 of tc, each pedit counts by field */

struct labnic;
struct labnic_port;
struct labnic_table;

/* ---- Keys: what the parser extracts, and what an entry compares (match.c, packet.c, show.c) ---- */

/*
 * One layout for key and mask. Absent headers are zero. Host order nowhere: addresses and ports stay
 * in network order; vlan tci fields are split so that each has its own mask.
 */
struct labnic_tag {
	__be16 tpid;		/* 0: no tag here */
	__be16 vid;		/* 12 bits */
	u8 pcp;			/* 3 bits */
	u8 pad[3];
};

struct labnic_key {
	u8 dmac[ETH_ALEN];
	u8 smac[ETH_ALEN];
	__be16 ethertype;	/* after the tags */
	u8 ip_proto;
	u8 frag;		/* 1: any fragment, the first one too */
	u8 tos;			/* IPv4 TOS, IPv6 traffic class */
	u8 ttl;			/* or hop limit */
	u8 icmp_type;
	u8 icmp_code;
	__be16 sport;
	__be16 dport;
	__be16 tcp_flags;
	__be16 pad;
	struct labnic_tag tag[2];	/* outer, inner */
	union {
		__be32 saddr4;
		struct in6_addr saddr;
	};
	union {
		__be32 daddr4;
		struct in6_addr daddr;
	};
} __aligned(8);

/* Where the headers of a parsed packet are, from skb->data; 0: not there. */
struct labnic_packet {
	struct labnic_key key;
	u16 l3;
	u16 l4;			/* unset in fragments */
	u8 l4_proto;
};

void labnic_parse(const struct sk_buff *skb, struct labnic_packet *packet);
void labnic_set_hash(struct sk_buff *skb);

/* One comparable part of a key: its name (as in "tc -j filter show"), place, and all of its bits. */
struct labnic_key_field {
	const char *name;
	const char *inexact;	/* the refusal of a partial mask */
	u8 offset;
	u8 len;
	u8 family;		/* AF_INET, AF_INET6: only in such keys; 0: any */
	u16 full;		/* bits, where they are not whole bytes */
};

extern const struct labnic_key_field labnic_key_fields[];
extern const unsigned int labnic_key_fields_len;

/* ---- Actions (action.c, pedit.c read them from tc; edit.c runs them; show.c prints them) ---- */

enum labnic_op {
	LABNIC_EDIT,
	LABNIC_VLAN_PUSH,
	LABNIC_VLAN_POP,
	LABNIC_VLAN_MANGLE,
	LABNIC_CSUM,
	LABNIC_MIRROR,
	LABNIC_REDIRECT,
	LABNIC_GOTO,
	LABNIC_DROP,
	LABNIC_TRAP,
	LABNIC_ACCEPT,
};

/* A header field that pedit may change; the order is that of labnic_fields[]. */
enum labnic_field_id {
	LABNIC_F_DMAC,
	LABNIC_F_SMAC,
	LABNIC_F_ETHERTYPE,
	LABNIC_F_IP4_TOS,
	LABNIC_F_IP4_TTL,
	LABNIC_F_IP4_SADDR,
	LABNIC_F_IP4_DADDR,
	LABNIC_F_IP6_CLASS,
	LABNIC_F_IP6_HLIM,
	LABNIC_F_IP6_SADDR,
	LABNIC_F_IP6_DADDR,
	LABNIC_F_TCP_SPORT,
	LABNIC_F_TCP_DPORT,
	LABNIC_F_TCP_FLAGS,
	LABNIC_F_UDP_SPORT,
	LABNIC_F_UDP_DPORT,
	LABNIC_FIELDS,
};

struct labnic_field {
	const char *name;
	u8 htype;		/* enum flow_action_mangle_base */
	u8 offset;		/* in that header */
	u8 len;
	u8 in_key;		/* the same bytes in struct labnic_key */
	u8 full[2];		/* the field's bits where it is not whole bytes */
};

extern const struct labnic_field labnic_fields[LABNIC_FIELDS];

struct labnic_action {
	enum labnic_op op;
	union {
		struct {
			u8 field;	/* enum labnic_field_id */
			bool add;	/* else set */
			u8 mask[16];	/* bits that change */
			u8 val[16];
		} edit;
		struct {
			__be16 proto;
			u16 vid;
			u8 pcp;
		} vlan;
		struct labnic_port *port;	/* outlives the rule; its netdevs may not */
		u32 chain;
		u32 csum_flags;
	};
};

/* ---- Rules and tables (table.c) ---- */

struct labnic_rule {
	unsigned long cookie;		/* tc's, unique within a port */
	struct rhash_head by_cookie;
	struct hlist_node in_bucket;
	struct labnic_table *table;
	struct labnic_shape *shape;
	struct labnic_port *port;	/* ingress; part of the key */
	u32 chain;
	u32 prio;
	u32 slot;			/* where it is; under labnic.lock */
	u32 seen;			/* where it was put, later where it was last seen */
	__be16 protocol;		/* of the filter */
	struct labnic_key key;		/* masked */
	struct labnic_key mask;
	/* Counted by the datapath, at every packet. */
	atomic64_t packets;
	atomic64_t bytes;
	unsigned long last_hit;		/* jiffies; 0: never */
	/* What software may know: sampled by counters.c. */
	spinlock_t sample_lock;
	u64 sampled_packets;
	u64 sampled_bytes;
	u64 reported_packets;
	u64 reported_bytes;
	unsigned long lastused;		/* jiffies of the sample that saw a change */
	struct rcu_head rcu;
	bool forwards;			/* goto, redirect or mirror */
	u8 actions_len;
	struct labnic_action actions[];
};

/* How a port finds its rules; a constant that every user sees, as the inlined lookups want. */
static const struct rhashtable_params labnic_by_cookie = {
	.key_len = sizeof_field(struct labnic_rule, cookie),
	.key_offset = offsetof(struct labnic_rule, cookie),
	.head_offset = offsetof(struct labnic_rule, by_cookie),
	.automatic_shrinking = true,
};

/* The entries of one mask. Shapes of a table are tried in the order of their creation. */
struct labnic_shape {
	struct list_head list;
	struct labnic_key mask;
	u32 rules;
	u32 seed;
	struct rcu_head rcu;
};

/*
 * A content-addressed table: an array of slots of fixed size, and an index by content. An entry goes
 * into any free slot and stays there until it is deleted (without the knob "pack"). slots[] is the truth:
 * whether entries move is told from it and from rule->seen, which whoever moves an entry leaves alone.
 */
struct labnic_table {
	struct list_head list;		/* sorted by (chain, prio) */
	struct list_head shapes;
	u32 chain;
	u32 prio;
	u32 capacity;
	u32 entries;
	u32 next_seed;
	u32 bucket_mask;
	struct hlist_head *buckets;
	unsigned long *used;		/* bitmap of slots */
	struct labnic_rule __rcu **slots;
	struct rcu_head rcu;
};

int labnic_table_insert(struct labnic *nic, struct labnic_rule *rule);
void labnic_table_remove(struct labnic *nic, struct labnic_rule *rule);
struct labnic_rule *labnic_table_lookup(struct labnic_table *table, const struct labnic_port *port,
					const struct labnic_key *key);
void labnic_table_check(struct labnic *nic, struct labnic_table *table);

/* ---- Ports (port.c) ---- */

enum labnic_drop {
	LABNIC_DROP_RULE,	/* action drop */
	LABNIC_DROP_DOWN,	/* the far side, or its rep, is not up */
	LABNIC_DROP_NO_PORT,	/* redirect to a port that was removed */
	LABNIC_DROP_OVERSIZE,	/* longer than the receiver's MTU */
	LABNIC_DROP_QUEUE_FULL,	/* the receiver's ring */
	LABNIC_DROP_RUNT,	/* no Ethernet header */
	LABNIC_DROP_NO_MEMORY,
	LABNIC_DROP_LOOP,	/* too many gotos */
	LABNIC_DROPS,
};

extern const char *const labnic_drop_names[LABNIC_DROPS];

/* Counted by the port that sent the packet. sent = forwarded + missed + trapped + accepted + drops. */
struct labnic_port_totals {
	atomic64_t sent;	/* by the far side */
	atomic64_t forwarded;	/* in hardware, by redirect */
	atomic64_t missed;
	atomic64_t trapped;
	atomic64_t accepted;
	atomic64_t mirrored;	/* copies; not part of the sum */
	atomic64_t received;	/* by the far side, from hardware */
	atomic64_t sw_sent;	/* by software on the rep */
	atomic64_t drops[LABNIC_DROPS];
	atomic64_t sw_drops[LABNIC_DROPS];	/* of what software sent on the rep */
};

/* One netdev of a port. */
struct labnic_end {
	struct net_device *dev;
	struct labnic_port *port;
	struct napi_struct napi;
	struct sk_buff_head queue;	/* the receive ring */
};

struct labnic_port {
	struct labnic *nic;
	u16 index;
	char name[IFNAMSIZ];		/* of the rep when it was made; for debugfs and totals */
	struct net_device __rcu *rep;	/* NULL: removed */
	struct net_device __rcu *far;
	struct devlink_port devlink_port;
	struct rhashtable rules;	/* by tc cookie */
	struct labnic_port_totals totals;
};

extern const struct net_device_ops labnic_rep_ops;
extern const struct net_device_ops labnic_far_ops;

struct labnic_port *labnic_port_alloc(struct labnic *nic, u16 index);
void labnic_port_free(struct labnic_port *port);
int labnic_port_add(struct labnic_port *port);
void labnic_port_del(struct labnic_port *port);
bool labnic_port_present(struct labnic_port *port);
struct labnic_port *labnic_port_of_rep(const struct net_device *dev);
bool labnic_end_receive(struct net_device *dev, struct sk_buff *skb, enum labnic_drop *reason);

/* ---- One switch, a PCI function of the card (main.c) ---- */

#define LABNIC_MAX_CONCURRENCY 8	/* insertions at a time that are told apart; the last takes the rest */
#define LABNIC_MAX_CHAIN_TOTALS 8	/* chains with totals of their own; the last takes the rest */

struct labnic_totals {
	atomic64_t insertions;
	atomic64_t deletions;
	atomic64_t refusals;
	atomic64_t moves;
	atomic64_t concurrency[LABNIC_MAX_CONCURRENCY];	/* insertions, by how many were under way as they began */
	atomic64_t hits[LABNIC_MAX_CHAIN_TOTALS];
	atomic64_t hit_bytes[LABNIC_MAX_CHAIN_TOTALS];
};

enum labnic_domain { LABNIC_RX, LABNIC_TX, LABNIC_DOMAINS };

struct labnic {
	u8 pf;				/* 0: p0 is its uplink, 1: p1 */
	struct devlink *devlink;
	struct device *parent;
	struct labnic_port *ports[LABNIC_MAX_PORTS];
	DECLARE_BITMAP(away, LABNIC_MAX_PORTS);	/* whom a reload brings back; devlink instance lock */
	bool legacy;			/* eswitch mode; devlink instance lock and READ_ONCE */
	struct netdev_phys_item_id switch_id;

	struct mutex domain[LABNIC_DOMAINS];
	struct mutex lock;
	struct list_head tables;	/* RCU */
	u32 rules;
	atomic_t attempts;		/* of insertion, for failure injection */
	atomic_t inserting;		/* insertions that are under way */
	struct delayed_work sampler;
	struct labnic_totals totals;
	struct dentry *debugfs;
};

/* Knobs; writable ones are read with READ_ONCE at each use. */
extern unsigned int labnic_uplinks;
extern unsigned int labnic_num_vfs;
extern unsigned int labnic_num_vfs1;
extern unsigned int labnic_capacity;
extern unsigned int labnic_max_counters;
extern unsigned int labnic_insert_latency_us;
extern unsigned int labnic_counter_period_ms;
extern unsigned int labnic_ring;
extern unsigned int labnic_max_modify_actions;
extern bool labnic_exact_only;
extern bool labnic_chains;
extern bool labnic_ignore_flow_level;
extern bool labnic_multiport;	/* devlink's esw_multiport, for both switches */
extern bool labnic_hairpin;
extern bool labnic_pack;
extern bool labnic_rss;
extern int labnic_pause_errno;
extern int labnic_fail_errno;
extern unsigned int labnic_fail_every;
extern unsigned int labnic_fail_after;
extern char labnic_refuse_key[32];
extern char labnic_refuse_action[32];

/* ---- The rest, one door each ---- */

struct labnic *labnic_devlink_create(struct device *parent);
int labnic_devlink_register(struct labnic *nic);
void labnic_devlink_unregister(struct labnic *nic);
int labnic_devlink_port_add(struct labnic_port *port);
void labnic_devlink_port_del(struct labnic_port *port);

int labnic_setup_tc(struct net_device *dev, enum tc_setup_type type, void *data);
void labnic_forget(struct labnic_port *port, u32 chain);

/* Texts begin as mlx5's do, so that what reads them cannot tell. */
#define labnic_refuse(extack, text) NL_SET_ERR_MSG(extack, "mlx5_core: " text)

int labnic_parse_match(struct labnic_port *port, struct flow_cls_offload *flow,
		       struct labnic_rule *rule);
bool labnic_key_uses(const struct labnic_rule *rule, const struct labnic_key_field *field);
int labnic_check_exact(const struct labnic_rule *rule, struct netlink_ext_ack *extack);
int labnic_parse_actions(struct labnic_port *port, struct flow_cls_offload *flow,
			 struct labnic_rule *rule);
const char *labnic_op_name(enum labnic_op op);

struct labnic_pedit;
struct labnic_pedit *labnic_pedit_alloc(void);
int labnic_pedit_word(struct labnic_pedit *pedit, const struct flow_action_entry *entry,
		      struct netlink_ext_ack *extack);
int labnic_pedit_flush(struct labnic_pedit *pedit, struct labnic_rule *rule,
		       struct netlink_ext_ack *extack);

void labnic_edit(struct sk_buff *skb, const struct labnic_packet *packet,
		 const struct labnic_action *action);
int labnic_vlan_push(struct sk_buff *skb, const struct labnic_action *action);
void labnic_vlan_pop(struct sk_buff *skb);
void labnic_vlan_mangle(struct sk_buff *skb, const struct labnic_action *action);

void labnic_datapath(struct labnic_port *port, struct sk_buff *skb);

void labnic_sample(struct work_struct *work);
void labnic_counter_init(struct labnic_rule *rule);
void labnic_counter_report(struct labnic_rule *rule, struct flow_cls_offload *flow);

void labnic_debugfs_create(struct labnic *nic);
void labnic_debugfs_remove(struct labnic *nic);
void labnic_show_rule(struct seq_file *seq, const struct labnic_rule *rule, u32 slot);
void labnic_show_totals(struct seq_file *seq, struct labnic *nic);

#endif
