// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a rule does with a packet: read from tc's form, refusing what mlx5 refuses, with its errno and
 * its text. Actions stay in tc's order and run in that order.
 *
 * Not offered by this NIC, as by an mlx5 without the capability: tunnels, connection tracking, police,
 * sample, MPLS, and Open vSwitch's internal ports.
 */
#include <linux/if_macvlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <uapi/linux/tc_act/tc_csum.h>

#include "labnic.h"

struct labnic_parse {
	struct labnic_port *port;
	struct labnic_rule *rule;
	struct labnic_pedit *pedit;
	struct netlink_ext_ack *extack;
	unsigned int entries;
	int outputs[LABNIC_MAX_OUTPUTS];	/* ifindexes */
	unsigned int outputs_len;
	unsigned int vlans;
	bool modifies;		/* a pedit or a vlan rewrite was seen */
	bool modifies_ip;	/* more of an IP header than TTL or hop limit */
	bool forward;
	bool drop;
};

static const char *const labnic_op_names[] = {
	[LABNIC_EDIT] = "pedit",
	[LABNIC_VLAN_PUSH] = "vlan_push",
	[LABNIC_VLAN_POP] = "vlan_pop",
	[LABNIC_VLAN_MANGLE] = "vlan_mangle",
	[LABNIC_CSUM] = "csum",
	[LABNIC_MIRROR] = "mirror",
	[LABNIC_REDIRECT] = "redirect",
	[LABNIC_GOTO] = "goto",
	[LABNIC_DROP] = "drop",
	[LABNIC_TRAP] = "trap",
	[LABNIC_ACCEPT] = "accept",
};

const char *labnic_op_name(enum labnic_op op)
{
	return labnic_op_names[op];
}

static struct labnic_action *labnic_push_action(struct labnic_parse *parse, enum labnic_op op)
{
	struct labnic_rule *rule = parse->rule;
	struct labnic_action *action;

	if (rule->actions_len + 1 >= LABNIC_MAX_ACTIONS)
		return NULL;
	action = &rule->actions[rule->actions_len++];
	memset(action, 0, sizeof(*action));
	action->op = op;
	return action;
}

/* ---- VLAN ---- */

static int labnic_vlan_rewrite(struct labnic_parse *parse, struct labnic_action *action, u16 vid, u8 pcp)
{
	const struct labnic_rule *rule = parse->rule;

	if (!rule->mask.tag[0].tpid || rule->key.tag[0].tpid != htons(ETH_P_8021Q)) {
		labnic_refuse(parse->extack, "VLAN rewrite action must have VLAN protocol match");
		return -EOPNOTSUPP;
	}
	if (pcp != (rule->key.tag[0].pcp & rule->mask.tag[0].pcp)) {
		labnic_refuse(parse->extack, "Changing VLAN prio is not supported");
		return -EOPNOTSUPP;
	}
	if (!action)
		return -ENOSPC;
	action->op = LABNIC_VLAN_MANGLE;
	action->vlan.vid = vid;
	parse->modifies = true;
	return 0;
}

static int labnic_parse_vlan(struct labnic_parse *parse, enum labnic_op op, __be16 proto, u16 vid, u8 pcp)
{
	struct labnic_rule *rule = parse->rule;
	struct labnic_action *last = rule->actions_len ? &rule->actions[rule->actions_len - 1] : NULL;
	struct labnic_action *action;

	if (op == LABNIC_VLAN_PUSH && last && last->op == LABNIC_VLAN_POP)
		return labnic_vlan_rewrite(parse, last, vid, pcp);
	if (parse->vlans >= 2) {
		labnic_refuse(parse->extack, "Total vlans used is greater than supported");
		return -EOPNOTSUPP;
	}
	action = labnic_push_action(parse, op);
	if (!action)
		return -ENOSPC;
	action->vlan.proto = proto ? proto : htons(ETH_P_8021Q);
	action->vlan.vid = vid;
	action->vlan.pcp = pcp;
	parse->vlans++;
	return 0;
}

/* ---- Outputs ---- */

static bool labnic_same_switch(struct labnic *nic, struct net_device *dev)
{
	struct netdev_phys_item_id id;

	return !dev_get_port_parent_id(dev, &id, true) && netdev_phys_item_id_same(&id, &nic->switch_id);
}

/*
 * Whether hardware reaches one port from another, as mlx5e_is_valid_eswitch_fwd_dev has it: within a
 * switch always; to the other switch of the card from VF to VF (merged_eswitch), and from anywhere in
 * multiport mode. From uplink to uplink never, but by hairpin to itself.
 */
static int labnic_check_reach(const struct labnic_port *from, const struct labnic_port *to,
			      struct netlink_ext_ack *extack)
{
	bool vfs = from->index >= LABNIC_VF0 && to->index >= LABNIC_VF0;

	if (from->nic != to->nic && !vfs && !READ_ONCE(labnic_multiport)) {
		labnic_refuse(extack, "devices are not on same switch HW, can't offload forwarding");
		return -EOPNOTSUPP;
	}
	if (from->index == LABNIC_UPLINK && to->index == LABNIC_UPLINK &&
	    (from != to || !READ_ONCE(labnic_hairpin))) {
		labnic_refuse(extack, "devices are both uplink, can't offload forwarding");
		return -EOPNOTSUPP;
	}
	if (from == to && to->index != LABNIC_UPLINK) {
		labnic_refuse(extack, "can't forward from a VF to itself");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int labnic_check_output(struct labnic_parse *parse, struct net_device *dev)
{
	unsigned int i;

	if (!dev)	/* the device is gone; tc replays such filters */
		return -EOPNOTSUPP;
	if (parse->outputs_len >= LABNIC_MAX_OUTPUTS) {
		labnic_refuse(parse->extack, "can't support more output ports, can't offload forwarding");
		return -EOPNOTSUPP;
	}
	if (!labnic_same_switch(parse->port->nic, dev)) {
		labnic_refuse(parse->extack, "devices are not on same switch HW, can't offload forwarding");
		return -EOPNOTSUPP;
	}
	for (i = 0; i < parse->outputs_len; i++) {
		if (parse->outputs[i] == dev->ifindex) {
			labnic_refuse(parse->extack, "can't duplicate output to same device");
			return -EOPNOTSUPP;
		}
	}
	parse->outputs[parse->outputs_len++] = dev->ifindex;
	return 0;
}

static int labnic_parse_output(struct labnic_parse *parse, enum labnic_op op, struct net_device *dev)
{
	struct labnic_port *to;
	struct labnic_action *action;
	int err = labnic_check_output(parse, dev);

	if (err)
		return err;
	if (netif_is_macvlan(dev))
		dev = macvlan_dev_real_dev(dev);
	while (is_vlan_dev(dev)) {
		err = labnic_parse_vlan(parse, LABNIC_VLAN_PUSH, vlan_dev_vlan_proto(dev),
					vlan_dev_vlan_id(dev), 0);
		if (err)
			return err;
		dev = vlan_dev_real_dev(dev);
	}
	to = labnic_port_of_rep(dev);
	if (!to) {
		labnic_refuse(parse->extack, "devices are not on same switch HW, can't offload forwarding");
		return -EOPNOTSUPP;
	}
	err = labnic_check_reach(parse->port, to, parse->extack);
	if (err)
		return err;
	action = labnic_push_action(parse, op);
	if (!action)
		return -ENOSPC;
	action->port = to;
	parse->forward = true;
	parse->rule->forwards = true;
	return 0;
}

static int labnic_parse_goto(struct labnic_parse *parse, u32 chain)
{
	struct labnic_action *action;
	bool any = READ_ONCE(labnic_ignore_flow_level);

	if (!any && chain <= parse->rule->chain) {
		labnic_refuse(parse->extack, "Goto lower numbered chain isn't supported");
		return -EOPNOTSUPP;
	}
	if (!READ_ONCE(labnic_chains) || (!any && chain > LABNIC_MAX_CHAIN)) {
		labnic_refuse(parse->extack, "Requested destination chain is out of supported range");
		return -EOPNOTSUPP;
	}
	action = labnic_push_action(parse, LABNIC_GOTO);
	if (!action)
		return -ENOSPC;
	action->chain = chain;
	parse->forward = true;
	parse->rule->forwards = true;
	return 0;
}

/* ---- The others ---- */

static int labnic_parse_csum(struct labnic_parse *parse, u32 flags)
{
	const u32 known = TCA_CSUM_UPDATE_FLAG_IPV4HDR | TCA_CSUM_UPDATE_FLAG_TCP | TCA_CSUM_UPDATE_FLAG_UDP;
	struct labnic_action *action;

	if (!parse->modifies) {
		labnic_refuse(parse->extack, "TC csum action is only offloaded with pedit");
		return -EOPNOTSUPP;
	}
	if (flags & ~known) {
		labnic_refuse(parse->extack, "can't offload TC csum action for some header/s");
		return -EOPNOTSUPP;
	}
	action = labnic_push_action(parse, LABNIC_CSUM);
	if (!action)
		return -ENOSPC;
	action->csum_flags = flags;
	return 0;
}

/* mlx5 looks at the words, not at the fields: what is beside TTL or hop limit, or in another word. */
static bool labnic_more_than_ttl(const struct flow_action_entry *entry)
{
	u32 mask = ~entry->mangle.mask;
	const u8 *bytes = (const u8 *)&mask;

	if (entry->mangle.htype == FLOW_ACT_MANGLE_HDR_TYPE_IP4)
		return entry->mangle.offset != offsetof(struct iphdr, ttl) || bytes[1] || bytes[2] || bytes[3];
	if (entry->mangle.htype == FLOW_ACT_MANGLE_HDR_TYPE_IP6)
		return entry->mangle.offset != offsetof(struct ipv6hdr, payload_len) ||
		       bytes[0] || bytes[1] || bytes[2];
	return false;
}

static int labnic_parse_entry(struct labnic_parse *parse, const struct flow_action_entry *entry)
{
	int err;

	if (entry->id == FLOW_ACTION_MANGLE || entry->id == FLOW_ACTION_ADD) {
		parse->modifies = true;
		parse->modifies_ip |= labnic_more_than_ttl(entry);
		return labnic_pedit_word(parse->pedit, entry, parse->extack);
	}
	err = labnic_pedit_flush(parse->pedit, parse->rule, parse->extack);
	if (err)
		return err;
	switch (entry->id) {
	case FLOW_ACTION_ACCEPT:
		parse->forward = true;
		return labnic_push_action(parse, LABNIC_ACCEPT) ? 0 : -ENOSPC;
	case FLOW_ACTION_DROP:
		parse->drop = true;
		return labnic_push_action(parse, LABNIC_DROP) ? 0 : -ENOSPC;
	case FLOW_ACTION_TRAP:
		if (parse->entries != 1) {
			labnic_refuse(parse->extack, "action trap is supported as a sole action only");
			return -EOPNOTSUPP;
		}
		parse->forward = true;
		return labnic_push_action(parse, LABNIC_TRAP) ? 0 : -ENOSPC;
	case FLOW_ACTION_GOTO:
		return labnic_parse_goto(parse, entry->chain_index);
	case FLOW_ACTION_REDIRECT:
		return labnic_parse_output(parse, LABNIC_REDIRECT, entry->dev);
	case FLOW_ACTION_MIRRED:
		return labnic_parse_output(parse, LABNIC_MIRROR, entry->dev);
	case FLOW_ACTION_VLAN_PUSH:
		return labnic_parse_vlan(parse, LABNIC_VLAN_PUSH, entry->vlan.proto, entry->vlan.vid,
					 entry->vlan.prio);
	case FLOW_ACTION_VLAN_POP:
		return labnic_parse_vlan(parse, LABNIC_VLAN_POP, 0, 0, 0);
	case FLOW_ACTION_VLAN_MANGLE:
		return labnic_vlan_rewrite(parse, labnic_push_action(parse, LABNIC_VLAN_MANGLE),
					   entry->vlan.vid, entry->vlan.prio);
	case FLOW_ACTION_CSUM:
		return labnic_parse_csum(parse, entry->csum_flags);
	default:
		labnic_refuse(parse->extack, "Not implemented offload action");
		return -EOPNOTSUPP;
	}
}

/* What mlx5 asks of the whole once all of it is read. */
static int labnic_check_verdict(struct labnic_parse *parse)
{
	const struct labnic_rule *rule = parse->rule;
	u8 ip_proto = rule->key.ip_proto;

	if (!parse->forward && !parse->drop) {
		labnic_refuse(parse->extack, "Rule must have at least one forward/drop action");
		return -EOPNOTSUPP;
	}
	if (parse->forward && parse->drop) {
		labnic_refuse(parse->extack, "Rule cannot support forward+drop action");
		return -EOPNOTSUPP;
	}
	if (parse->modifies && parse->drop) {
		labnic_refuse(parse->extack, "Drop with modify header action is not supported");
		return -EOPNOTSUPP;
	}
	if (parse->modifies_ip && ip_proto != IPPROTO_TCP && ip_proto != IPPROTO_UDP &&
	    ip_proto != IPPROTO_ICMP &&
	    (rule->key.ethertype == htons(ETH_P_IP) || rule->key.ethertype == htons(ETH_P_IPV6))) {
		labnic_refuse(parse->extack, "can't offload re-write of non TCP/UDP");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int labnic_check_stats(const struct flow_action *actions, struct netlink_ext_ack *extack)
{
	int i;

	for (i = 0; i < actions->num_entries; i++) {
		if (actions->entries[i].hw_stats != actions->entries[0].hw_stats ||
		    !(actions->entries[i].hw_stats & FLOW_ACTION_HW_STATS_DELAYED)) {
			labnic_refuse(extack, "Flow action HW stats type is not supported");
			return -EOPNOTSUPP;
		}
	}
	return 0;
}

/* Fills the actions of out, which has room for LABNIC_MAX_ACTIONS; its match is filled already. */
int labnic_parse_actions(struct labnic_port *port, struct flow_cls_offload *flow, struct labnic_rule *out)
{
	const struct flow_action *actions = &flow_cls_offload_flow_rule(flow)->action;
	struct labnic_parse parse = {
		.port = port,
		.rule = out,
		.extack = flow->common.extack,
		.entries = actions->num_entries,
	};
	int err, i;

	if (!actions->num_entries) {
		labnic_refuse(parse.extack, "Flow action doesn't have any entries");
		return -EINVAL;
	}
	err = labnic_check_stats(actions, parse.extack);
	if (err)
		return err;
	parse.pedit = labnic_pedit_alloc();
	if (!parse.pedit)
		return -ENOMEM;
	for (i = 0; i < actions->num_entries && !err; i++)
		err = labnic_parse_entry(&parse, &actions->entries[i]);
	if (!err)
		err = labnic_pedit_flush(parse.pedit, out, parse.extack);
	kfree(parse.pedit);
	return err ? err : labnic_check_verdict(&parse);
}
