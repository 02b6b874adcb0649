// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's knobs, and the card: one switch or two, made at load, taken apart at unload.
 *
 * Knobs marked "run time" may be written in /sys/module/labnic/parameters at any moment and count from
 * the next insertion on. README.md explains them.
 */
#include <linux/module.h>

#include "labnic.h"

unsigned int labnic_uplinks = 1;
module_param_named(uplinks, labnic_uplinks, uint, 0444);
MODULE_PARM_DESC(uplinks, "switches of the card, each with an uplink: 1 or 2 (default 1)");

unsigned int labnic_num_vfs = 4;
module_param_named(num_vfs, labnic_num_vfs, uint, 0444);
MODULE_PARM_DESC(num_vfs, "VFs at load (default 4)");

unsigned int labnic_num_vfs1 = 1;
module_param_named(num_vfs1, labnic_num_vfs1, uint, 0444);
MODULE_PARM_DESC(num_vfs1, "the same of the second switch (default 1)");

unsigned int labnic_capacity = 65536;
module_param_named(capacity, labnic_capacity, uint, 0644);
MODULE_PARM_DESC(capacity, "slots per (chain, prio) table; tables made later (default 65536)");

unsigned int labnic_max_counters;
module_param_named(max_counters, labnic_max_counters, uint, 0644);
MODULE_PARM_DESC(max_counters, "rules in all tables together, each takes a counter (default 0: no limit)");

unsigned int labnic_insert_latency_us;
module_param_named(insert_latency_us, labnic_insert_latency_us, uint, 0644);
MODULE_PARM_DESC(insert_latency_us, "time one insertion takes (default 0)");

unsigned int labnic_counter_period_ms = 1000;
module_param_named(counter_period_ms, labnic_counter_period_ms, uint, 0644);
MODULE_PARM_DESC(counter_period_ms, "time between two samples of the counters (default 1000)");

unsigned int labnic_ring = 4096;
module_param_named(ring, labnic_ring, uint, 0644);
MODULE_PARM_DESC(ring, "packets that a netdev's receive ring holds (default 4096)");

unsigned int labnic_max_modify_actions = 16;
module_param_named(max_modify_actions, labnic_max_modify_actions, uint, 0644);
MODULE_PARM_DESC(max_modify_actions, "32-bit header edits per rule (default 16)");

bool labnic_exact_only = true;
module_param_named(exact_only, labnic_exact_only, bool, 0644);
MODULE_PARM_DESC(exact_only, "refuse a partial mask on a rule that forwards (default Y)");

bool labnic_chains = true;
module_param_named(chains, labnic_chains, bool, 0644);
MODULE_PARM_DESC(chains, "chains and goto are offered (default Y)");

bool labnic_ignore_flow_level;
module_param_named(ignore_flow_level, labnic_ignore_flow_level, bool, 0644);
MODULE_PARM_DESC(ignore_flow_level, "any chain and prio, goto backwards (default N)");

bool labnic_hairpin;
module_param_named(hairpin, labnic_hairpin, bool, 0644);
MODULE_PARM_DESC(hairpin, "the uplink may forward to itself (default N)");

bool labnic_pack;
module_param_named(pack, labnic_pack, bool, 0644);
MODULE_PARM_DESC(pack, "a deletion moves the table's last entry into the gap, which counts as a move (default N)");

bool labnic_rss;
module_param_named(rss, labnic_rss, bool, 0644);
MODULE_PARM_DESC(rss, "packets on representors carry a hash of the NIC's, skb->l4_hash set (default N)");

int labnic_pause_errno;
module_param_named(pause_errno, labnic_pause_errno, int, 0644);
MODULE_PARM_DESC(pause_errno, "refuse every insertion with this errno, e.g. 95 or 28 (default 0: do not)");

int labnic_fail_errno = 5;
module_param_named(fail_errno, labnic_fail_errno, int, 0644);
MODULE_PARM_DESC(fail_errno, "errno of fail_every and fail_after (default 5, EIO)");

unsigned int labnic_fail_every;
module_param_named(fail_every, labnic_fail_every, uint, 0644);
MODULE_PARM_DESC(fail_every, "refuse each n-th insertion (default 0: none)");

unsigned int labnic_fail_after;
module_param_named(fail_after, labnic_fail_after, uint, 0644);
MODULE_PARM_DESC(fail_after, "refuse what comes while this many rules are in (default 0: never)");

char labnic_refuse_key[32];
module_param_string(refuse_key, labnic_refuse_key, sizeof(labnic_refuse_key), 0644);
MODULE_PARM_DESC(refuse_key, "refuse rules that match on this key, a name as in debugfs (default none)");

char labnic_refuse_action[32];
module_param_string(refuse_action, labnic_refuse_action, sizeof(labnic_refuse_action), 0644);
MODULE_PARM_DESC(refuse_action, "refuse rules with this action, a name as in debugfs (default none)");

/*
 * A bus of our own gives the devices handles like PCI functions', "labnic/0000:03:00.0": tools that
 * take handles apart meet the colons that they meet in the field.
 */
static struct bus_type labnic_bus = { .name = "labnic" };
static struct labnic *labnic_nics[LABNIC_MAX_UPLINKS];

static void labnic_device_release(struct device *dev)
{
	kfree(dev);
}

static struct device *labnic_device_create(unsigned int pf)
{
	struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->bus = &labnic_bus;
	dev->release = labnic_device_release;
	device_initialize(dev);
	err = dev_set_name(dev, "0000:03:00.%u", pf);
	if (!err)
		err = device_add(dev);
	if (err) {
		put_device(dev);
		return ERR_PTR(err);
	}
	return dev;
}

/* Takes the ports away, and their rules with them, which may lead to the other switch's ports. */
static void labnic_close(struct labnic *nic)
{
	int i;

	devl_lock(nic->devlink);
	for (i = LABNIC_MAX_PORTS - 1; i >= 0; i--)
		if (nic->ports[i] && labnic_port_present(nic->ports[i]))
			labnic_port_del(nic->ports[i]);
	devl_unlock(nic->devlink);
	cancel_delayed_work_sync(&nic->sampler);
}

static void labnic_free(struct labnic *nic)
{
	struct device *parent = nic->parent;
	int i;

	for (i = 0; i < LABNIC_MAX_PORTS; i++)
		if (nic->ports[i])
			labnic_port_free(nic->ports[i]);
	devlink_free(nic->devlink);
	device_unregister(parent);
}

static int labnic_open(struct labnic *nic)
{
	unsigned int vfs = nic->pf ? labnic_num_vfs1 : labnic_num_vfs;
	int err = 0;
	int i;

	devl_lock(nic->devlink);
	for (i = 0; i < LABNIC_MAX_PORTS && !err; i++) {
		nic->ports[i] = labnic_port_alloc(nic, i);
		if (!nic->ports[i])
			err = -ENOMEM;
		else if (i < LABNIC_VF0 + vfs)
			err = labnic_port_add(nic->ports[i]);
	}
	devl_unlock(nic->devlink);
	return err;
}

static struct labnic *labnic_create(unsigned int pf)
{
	struct device *parent = labnic_device_create(pf);
	struct labnic *nic;
	int i;

	if (IS_ERR(parent))
		return ERR_CAST(parent);
	nic = labnic_devlink_create(parent);
	if (IS_ERR(nic)) {
		device_unregister(parent);
		return nic;
	}
	nic->pf = pf;
	nic->parent = parent;
	for (i = 0; i < LABNIC_DOMAINS; i++)
		mutex_init(&nic->domain[i]);
	mutex_init(&nic->lock);
	INIT_LIST_HEAD(&nic->tables);
	INIT_DELAYED_WORK(&nic->sampler, labnic_sample);
	nic->switch_id.id_len = 8;
	memcpy(nic->switch_id.id, "\x02\x4c\x41\x42\x4e\x49\x43\x00", 8);
	return nic;
}

/* What was made of the card, the last first. */
static void labnic_destroy(void)
{
	int i;

	for (i = LABNIC_MAX_UPLINKS - 1; i >= 0; i--) {
		if (!labnic_nics[i])
			continue;
		labnic_debugfs_remove(labnic_nics[i]);
		labnic_devlink_unregister(labnic_nics[i]);
		labnic_close(labnic_nics[i]);
	}
	for (i = 0; i < LABNIC_MAX_UPLINKS; i++)
		if (labnic_nics[i])
			labnic_free(labnic_nics[i]);
}

static int labnic_start(unsigned int pf)
{
	struct labnic *nic = labnic_create(pf);
	int err;

	if (IS_ERR(nic))
		return PTR_ERR(nic);
	err = labnic_open(nic);
	if (!err)
		err = labnic_devlink_register(nic);
	if (err) {
		labnic_close(nic);
		labnic_free(nic);
		return err;
	}
	labnic_nics[pf] = nic;
	labnic_debugfs_create(nic);
	schedule_delayed_work(&nic->sampler, msecs_to_jiffies(labnic_counter_period_ms));
	return 0;
}

static int __init labnic_init(void)
{
	unsigned int i;
	int err;

	if (labnic_num_vfs > LABNIC_MAX_VFS || labnic_num_vfs1 > LABNIC_MAX_VFS) {
		pr_err("num_vfs is %u, num_vfs1 %u: expected at most %u\n", labnic_num_vfs, labnic_num_vfs1,
		       LABNIC_MAX_VFS);
		return -EINVAL;
	}
	if (!labnic_uplinks || labnic_uplinks > LABNIC_MAX_UPLINKS) {
		pr_err("uplinks is %u: expected 1 to %u\n", labnic_uplinks, LABNIC_MAX_UPLINKS);
		return -EINVAL;
	}
	err = bus_register(&labnic_bus);
	if (err)
		return err;
	for (i = 0; i < labnic_uplinks && !err; i++)
		err = labnic_start(i);
	if (err) {
		labnic_destroy();
		bus_unregister(&labnic_bus);
	}
	return err;
}

static void __exit labnic_exit(void)
{
	labnic_destroy();
	bus_unregister(&labnic_bus);
	rcu_barrier();
}

module_init(labnic_init);
module_exit(labnic_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A NIC with an embedded switch, for tests");
