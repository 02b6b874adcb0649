// SPDX-License-Identifier: GPL-2.0-only
/*
 * Content-addressed tables. A (chain, prio) is one table for all ports, with the ingress port as part
 * of every key, as in mlx5.
 *
 * An entry goes into any free slot: the search begins at a place that depends on its content, so that
 * order of arrival and order of slots have nothing to do with each other. It then never moves, unless the
 * knob "pack" asks for a table that closes its gaps, as tables do that keep their entries in order.
 *
 * Lookup goes shape by shape, in the order of the shapes' creation: the packet's key is masked, hashed,
 * and looked for in one bucket. Two entries of the same content may be there at the same time (tc
 * replaces that way); the newer one is found.
 *
 * Writers hold labnic.lock. Readers are under RCU.
 */
#include <linux/jhash.h>
#include <linux/random.h>

#include "trace.h"

#define LABNIC_KEY_WORDS (sizeof(struct labnic_key) / sizeof(u64))

static u32 labnic_hash(const struct labnic_shape *shape, const struct labnic_port *port,
		       const struct labnic_key *masked)
{
	return jhash2((const u32 *)masked, sizeof(*masked) / sizeof(u32), shape->seed ^ port->index);
}

/* Allocates the table with its index, its map of slots and its slots in one piece. */
static struct labnic_table *labnic_table_alloc(u32 chain, u32 prio)
{
	u32 capacity = max(1u, READ_ONCE(labnic_capacity));
	u32 buckets = roundup_pow_of_two(max(16u, capacity / 4));
	size_t map = BITS_TO_LONGS(capacity) * sizeof(long);
	struct labnic_table *table;

	table = kvzalloc(sizeof(*table) + buckets * sizeof(*table->buckets) + map +
			 capacity * sizeof(*table->slots), GFP_KERNEL);
	if (!table)
		return NULL;
	INIT_LIST_HEAD(&table->shapes);
	table->chain = chain;
	table->prio = prio;
	table->capacity = capacity;
	table->bucket_mask = buckets - 1;
	table->buckets = (void *)(table + 1);
	table->used = (void *)(table->buckets + buckets);
	table->slots = (void *)table->used + map;
	table->next_seed = get_random_u32();
	return table;
}

/* The table of (chain, prio), made if it is not there. */
static struct labnic_table *labnic_table_get(struct labnic *nic, u32 chain, u32 prio)
{
	struct list_head *before = &nic->tables;
	struct labnic_table *table;

	list_for_each_entry(table, &nic->tables, list) {
		if (table->chain == chain && table->prio == prio)
			return table;
		if (table->chain > chain || (table->chain == chain && table->prio > prio))
			break;
		before = &table->list;
	}
	table = labnic_table_alloc(chain, prio);
	if (table)
		list_add_rcu(&table->list, before);
	return table;
}

static void labnic_table_put(struct labnic_table *table)
{
	if (table->entries)
		return;
	list_del_rcu(&table->list);
	kvfree_rcu(table, rcu);
}

static struct labnic_shape *labnic_shape_get(struct labnic_table *table, const struct labnic_key *mask)
{
	struct labnic_shape *shape;

	list_for_each_entry(shape, &table->shapes, list)
		if (!memcmp(&shape->mask, mask, sizeof(*mask)))
			return shape;
	shape = kzalloc(sizeof(*shape), GFP_KERNEL);
	if (!shape)
		return NULL;
	shape->mask = *mask;
	shape->seed = table->next_seed++ * 0x9e3779b9;
	list_add_tail_rcu(&shape->list, &table->shapes);
	return shape;
}

static void labnic_shape_put(struct labnic_shape *shape)
{
	if (shape->rules)
		return;
	list_del_rcu(&shape->list);
	kfree_rcu(shape, rcu);
}

/* Any free slot; the caller knows that there is one. */
static u32 labnic_free_slot(const struct labnic_table *table, u32 hash)
{
	u32 start = reciprocal_scale(hash, table->capacity);
	u32 slot = find_next_zero_bit(table->used, table->capacity, start);

	return slot < table->capacity ? slot : find_first_zero_bit(table->used, table->capacity);
}

/* -ENOSPC: the table is full, or the counters are used up. Under labnic.lock. */
int labnic_table_insert(struct labnic *nic, struct labnic_rule *rule)
{
	u32 max_counters = READ_ONCE(labnic_max_counters);
	struct labnic_table *table;
	struct labnic_shape *shape;
	u32 hash;

	if (max_counters && nic->rules >= max_counters)
		return -ENOSPC;
	table = labnic_table_get(nic, rule->chain, rule->prio);
	if (!table)
		return -ENOMEM;
	if (table->entries == table->capacity)
		return -ENOSPC;
	shape = labnic_shape_get(table, &rule->mask);
	if (!shape) {
		labnic_table_put(table);
		return -ENOMEM;
	}
	hash = labnic_hash(shape, rule->port, &rule->key);
	rule->table = table;
	rule->shape = shape;
	rule->slot = labnic_free_slot(table, hash);
	rule->seen = rule->slot;
	__set_bit(rule->slot, table->used);
	table->entries++;
	shape->rules++;
	nic->rules++;
	rcu_assign_pointer(table->slots[rule->slot], rule);
	hlist_add_head_rcu(&rule->in_bucket, &table->buckets[hash & table->bucket_mask]);
	atomic64_inc(&nic->totals.insertions);
	trace_labnic_insert(rule);
	return 0;
}

/* Counts a move if the entry is not where it was put, or has been seen since. */
static void labnic_rule_check(struct labnic *nic, struct labnic_rule *rule, u32 slot)
{
	u32 seen = READ_ONCE(rule->seen);

	/* Readers of debugfs look at the same time; one of them counts. */
	if (seen != slot && cmpxchg(&rule->seen, seen, slot) == seen)
		atomic64_inc(&nic->totals.moves);
}

/* The entry of the table's last slot goes into the gap. Lookups go by content and do not see it. */
static void labnic_table_pack(struct labnic_table *table, u32 gap)
{
	u32 last = find_last_bit(table->used, table->capacity);
	struct labnic_rule *rule;

	if (last == table->capacity || last < gap)
		return;
	rule = rcu_dereference_protected(table->slots[last], true);
	rule->slot = gap;
	RCU_INIT_POINTER(table->slots[last], NULL);
	rcu_assign_pointer(table->slots[gap], rule);
	__clear_bit(last, table->used);
	__set_bit(gap, table->used);
}

/* The slot is free from here on; the rule itself is freed a grace period later. Under labnic.lock. */
void labnic_table_remove(struct labnic *nic, struct labnic_rule *rule)
{
	struct labnic_table *table = rule->table;

	labnic_rule_check(nic, rule, rule->slot);
	hlist_del_rcu(&rule->in_bucket);
	RCU_INIT_POINTER(table->slots[rule->slot], NULL);
	__clear_bit(rule->slot, table->used);
	if (READ_ONCE(labnic_pack))
		labnic_table_pack(table, rule->slot);
	table->entries--;
	rule->shape->rules--;
	nic->rules--;
	labnic_shape_put(rule->shape);
	labnic_table_put(table);
	atomic64_inc(&nic->totals.deletions);
	trace_labnic_remove(rule);
	kfree_rcu(rule, rcu);
}

/* The entry that the key hits, or NULL. Under RCU. */
struct labnic_rule *labnic_table_lookup(struct labnic_table *table, const struct labnic_port *port,
					const struct labnic_key *key)
{
	struct labnic_shape *shape;

	list_for_each_entry_rcu(shape, &table->shapes, list) {
		const u64 *mask = (const u64 *)&shape->mask;
		const u64 *in = (const u64 *)key;
		struct labnic_key masked;
		struct labnic_rule *rule;
		u64 *out = (u64 *)&masked;
		u32 hash;
		int i;

		for (i = 0; i < LABNIC_KEY_WORDS; i++)
			out[i] = in[i] & mask[i];
		hash = labnic_hash(shape, port, &masked);
		hlist_for_each_entry_rcu(rule, &table->buckets[hash & table->bucket_mask], in_bucket)
			if (rule->shape == shape && rule->port == port &&
			    !memcmp(&rule->key, &masked, sizeof(masked)))
				return rule;
	}
	return NULL;
}

/* Looks where every entry really is, for totals.moves. Under RCU. */
void labnic_table_check(struct labnic *nic, struct labnic_table *table)
{
	u32 slot;

	for (slot = 0; slot < table->capacity; slot++) {
		struct labnic_rule *rule = rcu_dereference(table->slots[slot]);

		if (rule)
			labnic_rule_check(nic, rule, slot);
	}
}
