// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/labnic, and labnic1 for the second: what the switch really holds and did, for tests to compare with what
 * software believes. README.md gives the format.
 *
 * rules is walked slot by slot, so what it shows is where entries are, not where they were put. The
 * cursor survives between two reads while rules come and go: nobody is shown twice, and who stays is
 * shown.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "labnic.h"

struct labnic_cursor {
	struct labnic *nic;
	u32 chain;
	u32 prio;
	u32 slot;
};

/* The first entry at or after the cursor, which then points at it. Under RCU. */
static struct labnic_rule *labnic_cursor_get(struct labnic_cursor *cursor)
{
	struct labnic_table *table;

	list_for_each_entry_rcu(table, &cursor->nic->tables, list) {
		if (table->chain < cursor->chain ||
		    (table->chain == cursor->chain && table->prio < cursor->prio))
			continue;
		if (table->chain != cursor->chain || table->prio != cursor->prio)
			cursor->slot = 0;
		cursor->chain = table->chain;
		cursor->prio = table->prio;
		for (; cursor->slot < table->capacity; cursor->slot++) {
			struct labnic_rule *rule = rcu_dereference(table->slots[cursor->slot]);

			if (rule)
				return rule;
		}
	}
	return NULL;
}

static void *labnic_rules_start(struct seq_file *seq, loff_t *pos)
{
	struct labnic_cursor *cursor = seq->private;

	rcu_read_lock();
	if (!*pos)
		cursor->chain = cursor->prio = cursor->slot = 0;
	return labnic_cursor_get(cursor);
}

static void *labnic_rules_next(struct seq_file *seq, void *rule, loff_t *pos)
{
	struct labnic_cursor *cursor = seq->private;

	cursor->slot++;
	++*pos;
	return labnic_cursor_get(cursor);
}

static void labnic_rules_stop(struct seq_file *seq, void *rule)
{
	rcu_read_unlock();
}

static int labnic_rules_show(struct seq_file *seq, void *rule)
{
	struct labnic_cursor *cursor = seq->private;

	labnic_show_rule(seq, rule, cursor->slot);
	return 0;
}

static const struct seq_operations labnic_rules_ops = {
	.start = labnic_rules_start,
	.next = labnic_rules_next,
	.stop = labnic_rules_stop,
	.show = labnic_rules_show,
};

static int labnic_rules_open(struct inode *inode, struct file *file)
{
	struct labnic_cursor *cursor =
		__seq_open_private(file, &labnic_rules_ops, sizeof(struct labnic_cursor));

	if (!cursor)
		return -ENOMEM;
	cursor->nic = inode->i_private;
	return 0;
}

static const struct file_operations labnic_rules_fops = {
	.owner = THIS_MODULE,
	.open = labnic_rules_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release_private,
};

static int labnic_totals_show(struct seq_file *seq, void *unused)
{
	labnic_show_totals(seq, seq->private);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(labnic_totals);

/* "uplink", "pf" or "vf N", as a port number. */
static int labnic_port_number(const char *text)
{
	unsigned int vf;

	if (sysfs_streq(text, "uplink"))
		return LABNIC_UPLINK;
	if (sysfs_streq(text, "pf"))
		return LABNIC_PF;
	if (sscanf(text, "vf %u", &vf) == 1 && vf < LABNIC_MAX_VFS)
		return LABNIC_VF0 + vf;
	return -EINVAL;
}

static ssize_t labnic_port_write(struct file *file, const char __user *data, size_t len, bool add)
{
	struct labnic *nic = file_inode(file)->i_private;
	struct labnic_port *port;
	char text[16] = "";
	int number, err = 0;

	if (len >= sizeof(text) || copy_from_user(text, data, len))
		return -EINVAL;
	number = labnic_port_number(text);
	if (number < 0)
		return number;
	port = nic->ports[number];
	devl_lock(nic->devlink);
	if (add)
		err = labnic_port_present(port) ? -EEXIST : labnic_port_add(port);
	else if (labnic_port_present(port))
		labnic_port_del(port);
	else
		err = -ENOENT;
	devl_unlock(nic->devlink);
	return err ? err : len;
}

static ssize_t labnic_port_add_write(struct file *file, const char __user *data, size_t len, loff_t *pos)
{
	return labnic_port_write(file, data, len, true);
}

static ssize_t labnic_port_del_write(struct file *file, const char __user *data, size_t len, loff_t *pos)
{
	return labnic_port_write(file, data, len, false);
}

static const struct file_operations labnic_port_add_fops = {
	.owner = THIS_MODULE, .open = simple_open, .write = labnic_port_add_write,
};

static const struct file_operations labnic_port_del_fops = {
	.owner = THIS_MODULE, .open = simple_open, .write = labnic_port_del_write,
};

/* "2 vf 0": what chain 2 holds of this port's rules is lost, as by a fault. Nobody is told. */
static ssize_t labnic_forget_write(struct file *file, const char __user *data, size_t len, loff_t *pos)
{
	struct labnic *nic = file_inode(file)->i_private;
	char text[16] = "";
	unsigned int chain;
	int at = 0, number;

	if (len >= sizeof(text) || copy_from_user(text, data, len))
		return -EINVAL;
	if (sscanf(text, "%u %n", &chain, &at) != 1 || !at)
		return -EINVAL;
	number = labnic_port_number(text + at);
	if (number < 0)
		return number;
	labnic_forget(nic->ports[number], chain);
	return len;
}

static const struct file_operations labnic_forget_fops = {
	.owner = THIS_MODULE, .open = simple_open, .write = labnic_forget_write,
};

static void labnic_zero(atomic64_t *from, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(*from); i++)
		atomic64_set(&from[i], 0);
}

/* Both structs of totals are made of atomic64_t only. */
static ssize_t labnic_reset_write(struct file *file, const char __user *data, size_t len, loff_t *pos)
{
	struct labnic *nic = file_inode(file)->i_private;
	int i;

	labnic_zero((atomic64_t *)&nic->totals, sizeof(nic->totals));
	for (i = 0; i < LABNIC_MAX_PORTS; i++)
		labnic_zero((atomic64_t *)&nic->ports[i]->totals, sizeof(nic->ports[i]->totals));
	return len;
}

static const struct file_operations labnic_reset_fops = {
	.owner = THIS_MODULE, .open = simple_open, .write = labnic_reset_write,
};

/* So many milliseconds long rtnl is held, as by a driver that waits for its firmware. */
static ssize_t labnic_hold_rtnl_write(struct file *file, const char __user *data, size_t len, loff_t *pos)
{
	unsigned int ms;
	int err = kstrtouint_from_user(data, len, 10, &ms);

	if (err)
		return err;
	rtnl_lock();
	msleep(ms);
	rtnl_unlock();
	return len;
}

static const struct file_operations labnic_hold_rtnl_fops = {
	.owner = THIS_MODULE, .open = simple_open, .write = labnic_hold_rtnl_write,
};

void labnic_debugfs_create(struct labnic *nic)
{
	nic->debugfs = debugfs_create_dir(nic->pf ? "labnic1" : "labnic", NULL);
	debugfs_create_file("rules", 0400, nic->debugfs, nic, &labnic_rules_fops);
	debugfs_create_file("totals", 0400, nic->debugfs, nic, &labnic_totals_fops);
	debugfs_create_u32("entries", 0400, nic->debugfs, &nic->rules);
	debugfs_create_file("port_add", 0200, nic->debugfs, nic, &labnic_port_add_fops);
	debugfs_create_file("port_del", 0200, nic->debugfs, nic, &labnic_port_del_fops);
	debugfs_create_file("forget", 0200, nic->debugfs, nic, &labnic_forget_fops);
	debugfs_create_file("hold_rtnl", 0200, nic->debugfs, nic, &labnic_hold_rtnl_fops);
	debugfs_create_file("reset", 0200, nic->debugfs, nic, &labnic_reset_fops);
}

void labnic_debugfs_remove(struct labnic *nic)
{
	debugfs_remove_recursive(nic->debugfs);
}
