// SPDX-License-Identifier: GPL-2.0-only
/*
 * The door to tc: blocks are bound to representors, ingress only, and filters come in through a
 * callback that runs without rtnl, many at a time. Insertions of one direction (from the uplink, from
 * the other ports) take their time one after the other, as mlx5's rule steering does.
 *
 * Failures to order come first, so that they hit rules that would be fine.
 */
#include <linux/delay.h>

#include "labnic.h"

static LIST_HEAD(labnic_block_cbs);	/* under rtnl, by the core */
static LIST_HEAD(labnic_ft_cbs);	/* likewise, of netfilter's flowtables */

static int labnic_inject(struct labnic *nic, struct netlink_ext_ack *extack)
{
	unsigned int every = READ_ONCE(labnic_fail_every);
	unsigned int after = READ_ONCE(labnic_fail_after);
	int paused = READ_ONCE(labnic_pause_errno);

	if (paused) {
		NL_SET_ERR_MSG(extack, "labnic: programming is paused (pause_errno)");
		return -abs(paused);
	}
	if (every && (unsigned int)atomic_inc_return(&nic->attempts) % every == 0) {
		NL_SET_ERR_MSG(extack, "labnic: injected failure (fail_every)");
		return -abs(READ_ONCE(labnic_fail_errno));
	}
	if (after && READ_ONCE(nic->rules) >= after) {
		NL_SET_ERR_MSG(extack, "labnic: injected failure (fail_after)");
		return -abs(READ_ONCE(labnic_fail_errno));
	}
	return 0;
}

static int labnic_check_knobs(const struct labnic_rule *rule, struct netlink_ext_ack *extack)
{
	int i;

	for (i = 0; labnic_refuse_key[0] && i < labnic_key_fields_len; i++) {
		if (labnic_key_uses(rule, &labnic_key_fields[i]) &&
		    sysfs_streq(labnic_key_fields[i].name, labnic_refuse_key)) {
			NL_SET_ERR_MSG(extack, "labnic: refused key (refuse_key)");
			return -EOPNOTSUPP;
		}
	}
	for (i = 0; labnic_refuse_action[0] && i < rule->actions_len; i++) {
		if (sysfs_streq(labnic_op_name(rule->actions[i].op), labnic_refuse_action)) {
			NL_SET_ERR_MSG(extack, "labnic: refused action (refuse_action)");
			return -EOPNOTSUPP;
		}
	}
	return rule->forwards && READ_ONCE(labnic_exact_only) ? labnic_check_exact(rule, extack) : 0;
}

static int labnic_check_range(const struct labnic_rule *rule, struct netlink_ext_ack *extack)
{
	bool any = READ_ONCE(labnic_ignore_flow_level);

	if (rule->chain == LABNIC_FT_CHAIN)
		return 0;
	if (rule->chain && (!READ_ONCE(labnic_chains) || (!any && rule->chain > LABNIC_MAX_CHAIN))) {
		labnic_refuse(extack, "Requested chain is out of supported range");
		return -EOPNOTSUPP;
	}
	if (!any && rule->prio > LABNIC_MAX_PRIO) {
		labnic_refuse(extack, "Requested priority is out of supported range");
		return -EOPNOTSUPP;
	}
	return 0;
}

/* The rule that tc describes, in a piece of memory of the right size, or an error. */
static struct labnic_rule *labnic_rule_read(struct labnic_port *port, struct flow_cls_offload *flow)
{
	struct labnic_rule *scratch, *rule;
	int err;

	scratch = kzalloc(struct_size(scratch, actions, LABNIC_MAX_ACTIONS), GFP_KERNEL);
	if (!scratch)
		return ERR_PTR(-ENOMEM);
	scratch->port = port;
	scratch->cookie = flow->cookie;
	scratch->chain = flow->common.chain_index;
	scratch->prio = flow->common.prio;
	scratch->protocol = flow->common.protocol;
	err = labnic_parse_match(port, flow, scratch);
	if (!err)
		err = labnic_parse_actions(port, flow, scratch);
	if (!err)
		err = labnic_check_range(scratch, flow->common.extack);
	if (!err)
		err = labnic_check_knobs(scratch, flow->common.extack);
	if (err) {
		kfree(scratch);
		return ERR_PTR(err);
	}
	rule = kmemdup(scratch, struct_size(scratch, actions, scratch->actions_len), GFP_KERNEL);
	kfree(scratch);
	if (!rule)
		return ERR_PTR(-ENOMEM);
	labnic_counter_init(rule);
	return rule;
}

/* Puts the rule into its table. Frees it on error. */
static int labnic_rule_insert(struct labnic_port *port, struct labnic_rule *rule,
			      struct netlink_ext_ack *extack)
{
	struct mutex *domain = &port->nic->domain[port->index == LABNIC_UPLINK ? LABNIC_RX : LABNIC_TX];
	unsigned int latency = READ_ONCE(labnic_insert_latency_us);
	struct labnic *nic = port->nic;
	int err;

	mutex_lock(domain);
	if (latency)
		fsleep(latency);
	mutex_lock(&nic->lock);
	if (nic->legacy) {
		labnic_refuse(extack, "E-Switch is in legacy mode, can't offload");
		err = -EOPNOTSUPP;
	} else {
		err = rhashtable_lookup_insert_fast(&port->rules, &rule->by_cookie, labnic_by_cookie);
	}
	if (!err) {
		err = labnic_table_insert(nic, rule);
		if (err)
			rhashtable_remove_fast(&port->rules, &rule->by_cookie, labnic_by_cookie);
	}
	mutex_unlock(&nic->lock);
	mutex_unlock(domain);
	if (err)
		kfree_rcu(rule, rcu);	/* a reader of the index may have seen it */
	return err;
}

static int labnic_replace(struct labnic_port *port, struct net_device *dev, struct flow_cls_offload *flow)
{
	struct netlink_ext_ack *extack = flow->common.extack;
	struct labnic_rule *rule;
	int err;

	if (!tc_can_offload_extack(dev, extack))
		return -EOPNOTSUPP;
	err = labnic_inject(port->nic, extack);
	if (err)
		return err;
	rule = labnic_rule_read(port, flow);
	if (IS_ERR(rule))
		return PTR_ERR(rule);
	return labnic_rule_insert(port, rule, extack);
}

static int labnic_destroy(struct labnic_port *port, struct flow_cls_offload *flow)
{
	struct labnic *nic = port->nic;
	struct labnic_rule *rule;

	mutex_lock(&nic->lock);
	rule = rhashtable_lookup_fast(&port->rules, &flow->cookie, labnic_by_cookie);
	if (rule) {
		rhashtable_remove_fast(&port->rules, &rule->by_cookie, labnic_by_cookie);
		labnic_table_remove(nic, rule);
	}
	mutex_unlock(&nic->lock);
	return rule ? 0 : -EINVAL;
}

/* Loses the port's rules of a chain, without a word to tc: what tc deletes later is not there any more. */
void labnic_forget(struct labnic_port *port, u32 chain)
{
	struct labnic *nic = port->nic;
	struct labnic_table *table, *next;
	u32 slot, left;

	mutex_lock(&nic->lock);
	list_for_each_entry_safe(table, next, &nic->tables, list) {
		if (table->chain != chain)
			continue;
		/* The last entry takes the table with it. */
		left = table->entries;
		for (slot = 0; left; slot++) {
			struct labnic_rule *rule = rcu_dereference_protected(table->slots[slot], true);

			if (!rule)
				continue;
			left--;
			if (rule->port != port)
				continue;
			rhashtable_remove_fast(&port->rules, &rule->by_cookie, labnic_by_cookie);
			labnic_table_remove(nic, rule);
		}
	}
	mutex_unlock(&nic->lock);
}

static int labnic_stats(struct labnic_port *port, struct flow_cls_offload *flow)
{
	struct labnic_rule *rule;

	rcu_read_lock();
	rule = rhashtable_lookup(&port->rules, &flow->cookie, labnic_by_cookie);
	if (rule)
		labnic_counter_report(rule, flow);
	rcu_read_unlock();
	return rule ? 0 : -EINVAL;
}

static int labnic_block_cb(enum tc_setup_type type, void *data, void *priv)
{
	struct flow_cls_offload *flow = data;
	struct labnic_end *end = priv;
	struct labnic *nic = end->port->nic;
	int inserting, err;

	if (type != TC_SETUP_CLSFLOWER)
		return -EOPNOTSUPP;
	switch (flow->command) {
	case FLOW_CLS_REPLACE:
		inserting = min(atomic_inc_return(&nic->inserting), LABNIC_MAX_CONCURRENCY);
		atomic64_inc(&nic->totals.concurrency[inserting - 1]);
		err = labnic_replace(end->port, end->dev, flow);
		atomic_dec(&nic->inserting);
		if (err)
			atomic64_inc(&nic->totals.refusals);
		return err;
	case FLOW_CLS_DESTROY:
		return labnic_destroy(end->port, flow);
	case FLOW_CLS_STATS:
		return labnic_stats(end->port, flow);
	default:
		return -EOPNOTSUPP;
	}
}

/* A connection's rule of a flowtable, in a chain of its own. There is no priority 0 in the tables. */
static int labnic_ft_cb(enum tc_setup_type type, void *data, void *priv)
{
	struct flow_cls_offload *given = data;
	struct flow_cls_offload flow = *given;
	int err;

	if (type != TC_SETUP_CLSFLOWER || flow.common.chain_index)
		return -EOPNOTSUPP;
	flow.common.chain_index = LABNIC_FT_CHAIN;
	flow.common.prio++;
	err = labnic_block_cb(type, &flow, priv);
	given->stats = flow.stats;
	return err;
}

/* The core does not take back the rules of a flowtable that goes. */
static int labnic_setup_ft(struct labnic_end *end, struct flow_block_offload *block)
{
	if (end->port->index == LABNIC_UPLINK)	/* as mlx5 */
		return -EOPNOTSUPP;
	if (block->command == FLOW_BLOCK_UNBIND)
		labnic_forget(end->port, LABNIC_FT_CHAIN);
	return flow_block_cb_setup_simple(block, &labnic_ft_cbs, labnic_ft_cb, end, end, true);
}

int labnic_setup_tc(struct net_device *dev, enum tc_setup_type type, void *data)
{
	struct labnic_end *end = netdev_priv(dev);
	struct flow_block_offload *block = data;

	if (type != TC_SETUP_BLOCK && type != TC_SETUP_FT)
		return -EOPNOTSUPP;
	block->unlocked_driver_cb = true;
	if (type == TC_SETUP_FT)
		return labnic_setup_ft(end, block);
	return flow_block_cb_setup_simple(block, &labnic_block_cbs, labnic_block_cb, end, end, true);
}
