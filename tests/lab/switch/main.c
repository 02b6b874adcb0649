// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's knobs, and the one NIC: made at load, taken apart at unload.
 *
 * Knobs marked "run time" may be written in /sys/module/labnic/parameters at any moment and count from
 * the next insertion on. README.md explains them.
 */
#include <linux/module.h>

#include "labnic.h"

unsigned int labnic_num_vfs = 4;
module_param_named(num_vfs, labnic_num_vfs, uint, 0444);
MODULE_PARM_DESC(num_vfs, "VFs at load (default 4)");

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
 * A bus of our own gives the device a handle like a PCI function's, "labnic/0000:03:00.0": tools that
 * take handles apart meet the colons that they meet in the field.
 */
static struct bus_type labnic_bus = { .name = "labnic" };
static struct labnic *labnic_nic;

static void labnic_device_release(struct device *dev)
{
	kfree(dev);
}

static struct device *labnic_device_create(void)
{
	struct device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	int err;

	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->bus = &labnic_bus;
	dev->release = labnic_device_release;
	device_initialize(dev);
	err = dev_set_name(dev, "0000:03:00.0");
	if (!err)
		err = device_add(dev);
	if (err) {
		put_device(dev);
		return ERR_PTR(err);
	}
	return dev;
}

static void labnic_destroy(struct labnic *nic)
{
	struct devlink *devlink = nic->devlink;
	int i;

	labnic_debugfs_remove(nic);
	devlink_unregister(devlink);
	devl_lock(devlink);
	for (i = LABNIC_MAX_PORTS - 1; i >= 0; i--)
		if (nic->ports[i] && labnic_port_present(nic->ports[i]))
			labnic_port_del(nic->ports[i]);
	devl_unlock(devlink);
	cancel_delayed_work_sync(&nic->sampler);
	for (i = 0; i < LABNIC_MAX_PORTS; i++)
		if (nic->ports[i])
			labnic_port_free(nic->ports[i]);
	devlink_free(devlink);
}

static int labnic_create(struct device *parent)
{
	struct labnic *nic = labnic_devlink_create(parent);
	int err = 0;
	int i;

	if (IS_ERR(nic))
		return PTR_ERR(nic);
	labnic_nic = nic;
	nic->parent = parent;
	for (i = 0; i < LABNIC_DOMAINS; i++)
		mutex_init(&nic->domain[i]);
	mutex_init(&nic->lock);
	INIT_LIST_HEAD(&nic->tables);
	INIT_DELAYED_WORK(&nic->sampler, labnic_sample);
	nic->switch_id.id_len = 8;
	memcpy(nic->switch_id.id, "\x02\x4c\x41\x42\x4e\x49\x43\x00", 8);

	devl_lock(nic->devlink);
	for (i = 0; i < LABNIC_MAX_PORTS && !err; i++) {
		nic->ports[i] = labnic_port_alloc(nic, i);
		if (!nic->ports[i])
			err = -ENOMEM;
		else if (i < LABNIC_VF0 + labnic_num_vfs)
			err = labnic_port_add(nic->ports[i]);
	}
	devl_unlock(nic->devlink);
	devlink_register(nic->devlink);
	labnic_debugfs_create(nic);
	if (err) {
		labnic_destroy(nic);
		return err;
	}
	schedule_delayed_work(&nic->sampler, msecs_to_jiffies(labnic_counter_period_ms));
	return 0;
}

static int __init labnic_init(void)
{
	struct device *dev;
	int err;

	if (labnic_num_vfs > LABNIC_MAX_VFS) {
		pr_err("num_vfs is %u: expected at most %u\n", labnic_num_vfs, LABNIC_MAX_VFS);
		return -EINVAL;
	}
	err = bus_register(&labnic_bus);
	if (err)
		return err;
	dev = labnic_device_create();
	err = PTR_ERR_OR_ZERO(dev);
	if (!err) {
		err = labnic_create(dev);
		if (err)
			device_unregister(dev);
	}
	if (err)
		bus_unregister(&labnic_bus);
	return err;
}

static void __exit labnic_exit(void)
{
	struct device *parent = labnic_nic->parent;

	labnic_destroy(labnic_nic);
	device_unregister(parent);
	bus_unregister(&labnic_bus);
	rcu_barrier();
}

module_init(labnic_init);
module_exit(labnic_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A NIC with an embedded switch, for tests");
