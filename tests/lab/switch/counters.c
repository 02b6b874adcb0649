// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters as software sees them. The datapath counts every packet; a work item samples all rules once
 * per period; FLOW_CLS_STATS reports what the last sample had beyond what was reported before. So a
 * reader is up to one period late, and "last used" is the time of the sample that saw a change, not of
 * the packet. A new rule was last used at its creation. All of this is mlx5's way.
 */
#include "labnic.h"

#define LABNIC_SAMPLE_BATCH 256	/* slots between two chances to schedule */

void labnic_counter_init(struct labnic_rule *rule)
{
	spin_lock_init(&rule->sample_lock);
	rule->lastused = jiffies;
}

static void labnic_sample_rule(struct labnic_rule *rule)
{
	u64 packets = atomic64_read(&rule->packets);

	spin_lock_bh(&rule->sample_lock);
	if (packets != rule->sampled_packets) {
		rule->sampled_packets = packets;
		rule->sampled_bytes = atomic64_read(&rule->bytes);
		rule->lastused = jiffies;
	}
	spin_unlock_bh(&rule->sample_lock);
}

/*
 * Tables come and go while this runs; holding the lock keeps them. It is let go between two tables, and
 * the walk then goes on with the next one in order.
 */
static void labnic_sample_tables(struct labnic *nic)
{
	u64 done = 0;	/* (chain << 32 | prio) + 1 of the table sampled last */
	bool found;

	do {
		struct labnic_table *table;
		u32 slot;

		found = false;
		mutex_lock(&nic->lock);
		list_for_each_entry(table, &nic->tables, list) {
			u64 id = ((u64)table->chain << 32 | table->prio) + 1;

			if (id <= done)
				continue;
			for_each_set_bit(slot, table->used, table->capacity) {
				labnic_sample_rule(rcu_dereference_protected(table->slots[slot], true));
				if (slot % LABNIC_SAMPLE_BATCH == 0)
					cond_resched();
			}
			done = id;
			found = true;
			break;
		}
		mutex_unlock(&nic->lock);
	} while (found);
}

void labnic_sample(struct work_struct *work)
{
	struct labnic *nic = container_of(to_delayed_work(work), struct labnic, sampler);

	labnic_sample_tables(nic);
	schedule_delayed_work(&nic->sampler, msecs_to_jiffies(max(1u, READ_ONCE(labnic_counter_period_ms))));
}

void labnic_counter_report(struct labnic_rule *rule, struct flow_cls_offload *flow)
{
	u64 packets, bytes;

	spin_lock_bh(&rule->sample_lock);
	packets = rule->sampled_packets - rule->reported_packets;
	bytes = rule->sampled_bytes - rule->reported_bytes;
	rule->reported_packets = rule->sampled_packets;
	rule->reported_bytes = rule->sampled_bytes;
	flow_stats_update(&flow->stats, bytes, packets, 0, rule->lastused, FLOW_ACTION_HW_STATS_DELAYED);
	spin_unlock_bh(&rule->sample_lock);
}
