// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet's way through the switch: chain 0, its tables by rising prio, the first entry that matches;
 * goto leads to another chain with the packet as it is then. What has missed in chain 0 is looked for among
 * flowtables' rules. At the end of a chain the packet missed: it comes up the representor of its port, with the
 * edits made so far and, where the kernel has a place for it (NET_TC_SKB_EXT), with the chain's number, so that tc
 * goes on in that chain.
 *
 * Every packet is counted once in exactly one of forwarded, missed, trapped, accepted, drops.
 */
#include "trace.h"

enum labnic_next { LABNIC_CONTINUE, LABNIC_DONE, LABNIC_JUMP };

static void labnic_drop(struct labnic_port *port, struct sk_buff *skb, enum labnic_drop reason)
{
	atomic64_inc(&port->totals.drops[reason]);
	kfree_skb(skb);
}

/* Up the representor of the port that the packet came from. */
static void labnic_up(struct labnic_port *port, struct sk_buff *skb, atomic64_t *counter)
{
	struct net_device *rep = rcu_dereference(port->rep);
	enum labnic_drop reason = LABNIC_DROP_NO_PORT;

	if (READ_ONCE(labnic_rss))
		labnic_set_hash(skb);
	if (rep && labnic_end_receive(rep, skb, &reason))
		atomic64_inc(counter);
	else
		labnic_drop(port, skb, reason);
}

/* What matched nothing in this chain. In chain 0 there is nothing to say: that is where tc begins anyway. */
static void labnic_miss(struct labnic_port *port, struct sk_buff *skb, const struct labnic_key *key, u32 chain)
{
	trace_labnic_miss(port, key, chain);
	if (chain && labnic_note_chain(skb, chain))
		labnic_drop(port, skb, LABNIC_DROP_NO_MEMORY);
	else
		labnic_up(port, skb, &port->totals.missed);
}

/* Out of another port's far side. Takes the skb if it returns true. */
static bool labnic_out(struct labnic_port *to, struct sk_buff *skb, enum labnic_drop *reason)
{
	struct net_device *far = rcu_dereference(to->far);

	*reason = LABNIC_DROP_NO_PORT;
	if (!far || !labnic_end_receive(far, skb, reason))
		return false;
	atomic64_inc(&to->totals.received);
	return true;
}

static void labnic_redirect(struct labnic_port *port, struct labnic_port *to, struct sk_buff *skb)
{
	enum labnic_drop reason;

	if (labnic_out(to, skb, &reason))
		atomic64_inc(&port->totals.forwarded);
	else
		labnic_drop(port, skb, reason);
}

static void labnic_mirror(struct labnic_port *port, struct labnic_port *to, const struct sk_buff *skb)
{
	struct sk_buff *copy = skb_copy(skb, GFP_ATOMIC);
	enum labnic_drop reason;

	if (copy && labnic_out(to, copy, &reason))
		atomic64_inc(&port->totals.mirrored);
	else
		kfree_skb(copy);
}

/* One action. After LABNIC_DONE the skb is gone. */
static enum labnic_next labnic_act(struct labnic_port *port, struct sk_buff *skb, struct labnic_packet *packet,
				   const struct labnic_action *action, bool last, u32 *chain)
{
	struct labnic_port_totals *totals = &port->totals;

	switch (action->op) {
	case LABNIC_EDIT:
		labnic_edit(skb, packet, action);
		break;
	case LABNIC_VLAN_PUSH:
		if (labnic_vlan_push(skb, action)) {
			labnic_drop(port, skb, LABNIC_DROP_NO_MEMORY);
			return LABNIC_DONE;
		}
		labnic_parse(skb, packet);
		break;
	case LABNIC_VLAN_POP:
		labnic_vlan_pop(skb);
		labnic_parse(skb, packet);
		break;
	case LABNIC_VLAN_MANGLE:
		labnic_vlan_mangle(skb, action);
		break;
	case LABNIC_CSUM:	/* checksums are right already */
		break;
	case LABNIC_MIRROR:
		/* Where nothing comes after it, a mirror is a redirect, as in mlx5. */
		if (last) {
			labnic_redirect(port, action->port, skb);
			return LABNIC_DONE;
		}
		labnic_mirror(port, action->port, skb);
		break;
	case LABNIC_REDIRECT:
		labnic_redirect(port, action->port, skb);
		return LABNIC_DONE;
	case LABNIC_GOTO:
		*chain = action->chain;
		return LABNIC_JUMP;
	case LABNIC_DROP:
		labnic_drop(port, skb, LABNIC_DROP_RULE);
		return LABNIC_DONE;
	case LABNIC_TRAP:
		labnic_up(port, skb, &totals->trapped);
		return LABNIC_DONE;
	case LABNIC_ACCEPT:
		labnic_up(port, skb, &totals->accepted);
		return LABNIC_DONE;
	}
	return LABNIC_CONTINUE;
}

static enum labnic_next labnic_apply(struct labnic_port *port, struct sk_buff *skb,
				     struct labnic_packet *packet, struct labnic_rule *rule, u32 *chain)
{
	struct labnic_totals *totals = &port->nic->totals;
	u32 at = min_t(u32, rule->chain, LABNIC_MAX_CHAIN_TOTALS - 1);
	enum labnic_next next = LABNIC_CONTINUE;
	int i;

	atomic64_inc(&rule->packets);
	atomic64_add(skb->len, &rule->bytes);
	WRITE_ONCE(rule->last_hit, jiffies);
	atomic64_inc(&totals->hits[at]);
	atomic64_add(skb->len, &totals->hit_bytes[at]);
	for (i = 0; i < rule->actions_len && next == LABNIC_CONTINUE; i++)
		next = labnic_act(port, skb, packet, &rule->actions[i], i + 1 == rule->actions_len, chain);
	return next;
}

static struct labnic_rule *labnic_find(struct labnic_port *port, const struct labnic_key *key, u32 chain)
{
	struct labnic_table *table;
	struct labnic_rule *rule;

	list_for_each_entry_rcu(table, &port->nic->tables, list) {
		if (table->chain != chain)
			continue;
		rule = labnic_table_lookup(table, port, key);
		if (rule)
			return rule;
	}
	return NULL;
}

/* Takes the skb: a whole frame that the port's far side sent. Under RCU. */
void labnic_datapath(struct labnic_port *port, struct sk_buff *skb)
{
	struct labnic_packet packet;
	u32 chain = 0;
	int hops;

	for (hops = 0; hops < LABNIC_MAX_HOPS; hops++) {
		struct labnic_rule *rule;

		labnic_parse(skb, &packet);
		rule = labnic_find(port, &packet.key, chain);
		if (!rule && !chain)
			rule = labnic_find(port, &packet.key, LABNIC_FT_CHAIN);
		if (!rule) {
			labnic_miss(port, skb, &packet.key, chain);
			return;
		}
		if (labnic_apply(port, skb, &packet, rule, &chain) != LABNIC_JUMP)
			return;
	}
	labnic_drop(port, skb, LABNIC_DROP_LOOP);
}
