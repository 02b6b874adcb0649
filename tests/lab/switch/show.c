// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules and totals as JSON, one object per line.
 */
#include "labnic.h"

static void labnic_show_bytes(struct seq_file *seq, const struct labnic_key_field *field, const u8 *at)
{
	if (field->family == AF_INET)
		seq_printf(seq, "\"%pI4\"", at);
	else if (field->family == AF_INET6)
		seq_printf(seq, "\"%pI6c\"", at);
	else if (field->len == ETH_ALEN)
		seq_printf(seq, "\"%pM\"", at);
	else if (strstr(field->name, "type") || strstr(field->name, "tpid") || strstr(field->name, "flags"))
		seq_printf(seq, "\"0x%x\"", field->len == 1 ? *at : get_unaligned_be16(at));
	else
		seq_printf(seq, "%u", field->len == 1 ? *at : get_unaligned_be16(at));
}

/* A mask of a number is shown in hex, that of an address as an address. */
static void labnic_show_mask(struct seq_file *seq, const struct labnic_key_field *field, const u8 *at)
{
	if (field->family || field->len == ETH_ALEN)
		labnic_show_bytes(seq, field, at);
	else
		seq_printf(seq, "\"0x%x\"", field->len == 1 ? *at : get_unaligned_be16(at));
}

static void labnic_show_match(struct seq_file *seq, const struct labnic_rule *rule)
{
	const char *comma = "";
	int i;

	seq_puts(seq, "\"match\":{");
	for (i = 0; i < labnic_key_fields_len; i++) {
		const struct labnic_key_field *field = &labnic_key_fields[i];

		if (!labnic_key_uses(rule, field))
			continue;
		seq_printf(seq, "%s\"%s\":{\"value\":", comma, field->name);
		labnic_show_bytes(seq, field, (const u8 *)&rule->key + field->offset);
		seq_puts(seq, ",\"mask\":");
		labnic_show_mask(seq, field, (const u8 *)&rule->mask + field->offset);
		seq_puts(seq, "}");
		comma = ",";
	}
	seq_puts(seq, "},");
}

static void labnic_show_edit(struct seq_file *seq, const struct labnic_action *action)
{
	const struct labnic_field *field = &labnic_fields[action->edit.field];

	seq_printf(seq, ",\"field\":\"%s\",\"cmd\":\"%s\",\"value\":", field->name,
		   action->edit.add ? "add" : "set");
	if (field->len == ETH_ALEN)
		seq_printf(seq, "\"%pM\"", action->edit.val);
	else if (field->len == 16)
		seq_printf(seq, "\"%pI6c\"", action->edit.val);
	else if (field->len == 4)
		seq_printf(seq, "\"%pI4\"", action->edit.val);
	else
		seq_printf(seq, "%u", field->len == 1 ? action->edit.val[0] :
							get_unaligned_be16(action->edit.val));
	seq_printf(seq, ",\"mask\":\"%*phN\"", field->len, action->edit.mask);
}

static void labnic_show_action(struct seq_file *seq, const struct labnic *nic,
			       const struct labnic_action *action)
{
	const struct net_device *rep;

	seq_printf(seq, "{\"action\":\"%s\"", labnic_op_name(action->op));
	switch (action->op) {
	case LABNIC_EDIT:
		labnic_show_edit(seq, action);
		break;
	case LABNIC_VLAN_PUSH:
		seq_printf(seq, ",\"tpid\":\"0x%x\",\"id\":%u,\"prio\":%u", ntohs(action->vlan.proto),
			   action->vlan.vid, action->vlan.pcp);
		break;
	case LABNIC_VLAN_MANGLE:
		seq_printf(seq, ",\"id\":%u", action->vlan.vid);
		break;
	case LABNIC_MIRROR:
	case LABNIC_REDIRECT:
		rep = rcu_dereference(action->port->rep);
		seq_printf(seq, ",\"to\":\"%s\",\"ifindex\":%d", rep ? rep->name : "", rep ? rep->ifindex : 0);
		break;
	case LABNIC_GOTO:
		seq_printf(seq, ",\"chain\":%u", action->chain);
		break;
	default:
		break;
	}
	seq_puts(seq, "}");
}

/* Under RCU. */
void labnic_show_rule(struct seq_file *seq, const struct labnic_rule *rule, u32 slot)
{
	const struct net_device *rep = rcu_dereference(rule->port->rep);
	unsigned long last_hit = READ_ONCE(rule->last_hit);
	int i;

	seq_printf(seq, "{\"port\":\"%s\",\"ifindex\":%d,\"chain\":%u,\"prio\":%u,\"protocol\":\"0x%04x\",",
		   rep ? rep->name : rule->port->name, rep ? rep->ifindex : 0, rule->chain, rule->prio,
		   ntohs(rule->protocol));
	seq_printf(seq, "\"slot\":%u,\"cookie\":\"%lx\",", slot, rule->cookie);
	labnic_show_match(seq, rule);
	seq_puts(seq, "\"actions\":[");
	for (i = 0; i < rule->actions_len; i++) {
		if (i)
			seq_puts(seq, ",");
		labnic_show_action(seq, rule->port->nic, &rule->actions[i]);
	}
	seq_printf(seq, "],\"packets\":%lld,\"bytes\":%lld,\"last_hit_ms\":", atomic64_read(&rule->packets),
		   atomic64_read(&rule->bytes));
	if (last_hit)
		seq_printf(seq, "%u}\n", jiffies_to_msecs(jiffies - last_hit));
	else
		seq_puts(seq, "null}\n");
}

/* ---- Totals ---- */

static void labnic_show_drops(struct seq_file *seq, const char *name, const atomic64_t *drops)
{
	int i;

	seq_printf(seq, ",\"%s\":{", name);
	for (i = 0; i < LABNIC_DROPS; i++)
		seq_printf(seq, "%s\"%s\":%lld", i ? "," : "", labnic_drop_names[i], atomic64_read(&drops[i]));
	seq_puts(seq, "}");
}

static void labnic_show_port(struct seq_file *seq, const struct labnic_port *port)
{
	const struct labnic_port_totals *totals = &port->totals;
	const struct net_device *rep = rcu_dereference(port->rep);
	s64 dropped = 0;
	int i;

	for (i = 0; i < LABNIC_DROPS; i++)
		dropped += atomic64_read(&totals->drops[i]);
	seq_printf(seq, "\"%s\":{\"ifindex\":%d,\"sent\":%lld,\"forwarded\":%lld,\"missed\":%lld,",
		   rep ? rep->name : port->name, rep ? rep->ifindex : 0, atomic64_read(&totals->sent),
		   atomic64_read(&totals->forwarded), atomic64_read(&totals->missed));
	seq_printf(seq, "\"trapped\":%lld,\"accepted\":%lld,\"dropped\":%lld,\"mirrored\":%lld,",
		   atomic64_read(&totals->trapped), atomic64_read(&totals->accepted), dropped,
		   atomic64_read(&totals->mirrored));
	seq_printf(seq, "\"received\":%lld,\"sw_sent\":%lld", atomic64_read(&totals->received),
		   atomic64_read(&totals->sw_sent));
	labnic_show_drops(seq, "drops", totals->drops);
	labnic_show_drops(seq, "sw_drops", totals->sw_drops);
	seq_puts(seq, "}");
}

static void labnic_show_tables(struct seq_file *seq, struct labnic *nic)
{
	struct labnic_table *table;
	const char *comma = "";

	seq_puts(seq, "\"tables\":[");
	list_for_each_entry_rcu(table, &nic->tables, list) {
		const struct labnic_shape *shape;
		unsigned int shapes = 0;

		labnic_table_check(nic, table);
		list_for_each_entry_rcu(shape, &table->shapes, list)
			shapes++;
		seq_printf(seq, "%s{\"chain\":%u,\"prio\":%u,\"entries\":%u,\"capacity\":%u,\"shapes\":%u}",
			   comma, table->chain, table->prio, READ_ONCE(table->entries), table->capacity, shapes);
		comma = ",";
	}
	seq_puts(seq, "],");
}

void labnic_show_totals(struct seq_file *seq, struct labnic *nic)
{
	const struct labnic_totals *totals = &nic->totals;
	const char *comma = "";
	int i;

	rcu_read_lock();
	seq_puts(seq, "{");
	labnic_show_tables(seq, nic);
	seq_printf(seq, "\"rules\":%u,\"insertions\":%lld,\"deletions\":%lld,\"refusals\":%lld,\"moves\":%lld,",
		   READ_ONCE(nic->rules), atomic64_read(&totals->insertions),
		   atomic64_read(&totals->deletions), atomic64_read(&totals->refusals),
		   atomic64_read(&totals->moves));
	seq_puts(seq, "\"concurrency\":[");
	for (i = 0; i < LABNIC_MAX_CONCURRENCY; i++)
		seq_printf(seq, "%s%lld", i ? "," : "", atomic64_read(&totals->concurrency[i]));
	seq_puts(seq, "],\"chains\":[");
	for (i = 0; i < LABNIC_MAX_CHAIN_TOTALS; i++)
		seq_printf(seq, "%s{\"chain\":%d,\"packets\":%lld,\"bytes\":%lld}", i ? "," : "", i,
			   atomic64_read(&totals->hits[i]), atomic64_read(&totals->hit_bytes[i]));
	seq_puts(seq, "],\"ports\":{");
	for (i = 0; i < LABNIC_MAX_PORTS; i++) {
		if (!rcu_access_pointer(nic->ports[i]->rep) && !atomic64_read(&nic->ports[i]->totals.sent))
			continue;
		seq_puts(seq, comma);
		labnic_show_port(seq, nic->ports[i]);
		comma = ",";
	}
	seq_puts(seq, "}}\n");
	rcu_read_unlock();
}
