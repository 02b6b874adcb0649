// SPDX-License-Identifier: GPL-2.0-only
/*
 * What devlink shows of a switch: an instance, its eswitch mode, and a port per representor with the
 * flavour and numbers that a BlueField's ECPF gives them: the host is controller 1, and external. The
 * parameter esw_multiport, one for the whole card, is mlx5's. A reload takes all ports away and makes
 * them anew.
 */
#include "labnic.h"

static int labnic_mode_get(struct devlink *devlink, u16 *mode)
{
	struct labnic *nic = devlink_priv(devlink);

	*mode = nic->legacy ? DEVLINK_ESWITCH_MODE_LEGACY : DEVLINK_ESWITCH_MODE_SWITCHDEV;
	return 0;
}

/*
 * The switch id that devlink gives to whoever asks the netdev. A port that is no switch port has none,
 * which is how legacy mode hides it while the port stays.
 */
static void labnic_devlink_show_switch(struct labnic_port *port)
{
	port->devlink_port.switch_port = !port->nic->legacy;
}

/*
 * In legacy mode the reps stay but have no switch id and take no rules. Everybody who watches links
 * is told, as when mlx5 takes its representors away.
 */
static int labnic_mode_set(struct devlink *devlink, u16 mode, struct netlink_ext_ack *extack)
{
	struct labnic *nic = devlink_priv(devlink);
	bool legacy = mode == DEVLINK_ESWITCH_MODE_LEGACY;
	int i;

	if (mode != DEVLINK_ESWITCH_MODE_LEGACY && mode != DEVLINK_ESWITCH_MODE_SWITCHDEV)
		return -EINVAL;
	if (legacy == nic->legacy)
		return 0;
	mutex_lock(&nic->lock);
	if (nic->rules) {
		mutex_unlock(&nic->lock);
		labnic_refuse(extack, "Can't change mode, E-Switch is busy");
		return -EBUSY;
	}
	nic->legacy = legacy;
	mutex_unlock(&nic->lock);

	rtnl_lock();
	for (i = 0; i < LABNIC_MAX_PORTS; i++) {
		struct net_device *rep = rtnl_dereference(nic->ports[i]->rep);

		if (!rep)
			continue;
		labnic_devlink_show_switch(nic->ports[i]);
		netdev_features_change(rep);	/* also told of a netdev that is down */
	}
	rtnl_unlock();
	return 0;
}

static int labnic_info_get(struct devlink *devlink, struct devlink_info_req *req,
			   struct netlink_ext_ack *extack)
{
	return labnic_info_driver(req);
}

/*
 * `devlink dev reload`, which mlx5 refuses in multiport mode. All ports go, with their netdevs and rules.
 * The mode of the eswitch stays.
 */
static int labnic_reload_down(struct devlink *devlink, bool netns_change, enum devlink_reload_action action,
			      enum devlink_reload_limit limit, struct netlink_ext_ack *extack)
{
	struct labnic *nic = devlink_priv(devlink);
	int i;

	if (labnic_multiport) {
		labnic_refuse(extack, "reload is unsupported in Lag mode");
		return -EOPNOTSUPP;
	}
	if (netns_change) {
		NL_SET_ERR_MSG(extack, "labnic: stays in the first network namespace");
		return -EOPNOTSUPP;
	}
	for (i = LABNIC_MAX_PORTS - 1; i >= 0; i--) {
		if (!labnic_port_present(nic->ports[i]))
			continue;
		labnic_port_del(nic->ports[i]);
		__set_bit(i, nic->away);
	}
	return 0;
}

/* The ports that went come anew. Those that did not, for want of memory, come with the next reload. */
static int labnic_reload_up(struct devlink *devlink, enum devlink_reload_action action,
			    enum devlink_reload_limit limit, u32 *actions_performed,
			    struct netlink_ext_ack *extack)
{
	struct labnic *nic = devlink_priv(devlink);
	int err, i;

	*actions_performed = BIT(action);
	for_each_set_bit(i, nic->away, LABNIC_MAX_PORTS) {
		/* Somebody may have added it while it was away. */
		err = labnic_port_present(nic->ports[i]) ? 0 : labnic_port_add(nic->ports[i]);
		if (err)
			return err;
		__clear_bit(i, nic->away);
	}
	return 0;
}

static const struct devlink_ops labnic_devlink_ops = {
	.eswitch_mode_get = labnic_mode_get,
	.eswitch_mode_set = labnic_mode_set,
	.info_get = labnic_info_get,
	.reload_actions = BIT(DEVLINK_RELOAD_ACTION_DRIVER_REINIT),
	.reload_down = labnic_reload_down,
	.reload_up = labnic_reload_up,
};

/* ---- esw_multiport ---- */

bool labnic_multiport;

static int labnic_multiport_get(struct devlink *devlink, u32 id, struct devlink_param_gset_ctx *ctx)
{
	ctx->val.vbool = labnic_multiport;
	return 0;
}

/* Counts for rules that come; those that are in stay. */
static int labnic_multiport_set_to(bool on, struct netlink_ext_ack *extack)
{
	if (labnic_uplinks < 2) {
		labnic_refuse(extack, "Failed to set multiport eswitch");
		return -EOPNOTSUPP;
	}
	WRITE_ONCE(labnic_multiport, on);
	return 0;
}

LABNIC_PARAM_SET(labnic_multiport_set, labnic_multiport_set_to)

static const struct devlink_param labnic_params[] = {
	DEVLINK_PARAM_DRIVER(DEVLINK_PARAM_GENERIC_ID_MAX + 1, "esw_multiport", DEVLINK_PARAM_TYPE_BOOL,
			     BIT(DEVLINK_PARAM_CMODE_RUNTIME), labnic_multiport_get, labnic_multiport_set,
			     NULL),
};

/* Shows the instance to users. */
int labnic_devlink_register(struct labnic *nic)
{
	int err = devlink_params_register(nic->devlink, labnic_params, ARRAY_SIZE(labnic_params));

	if (err)
		return err;
	labnic_allow_reload(nic->devlink);
	devlink_register(nic->devlink);
	return 0;
}

void labnic_devlink_unregister(struct labnic *nic)
{
	devlink_unregister(nic->devlink);
	devlink_params_unregister(nic->devlink, labnic_params, ARRAY_SIZE(labnic_params));
}

struct labnic *labnic_devlink_create(struct device *parent)
{
	struct devlink *devlink = devlink_alloc(&labnic_devlink_ops, sizeof(struct labnic), parent);
	struct labnic *nic;

	if (!devlink)
		return ERR_PTR(-ENOMEM);
	nic = devlink_priv(devlink);
	nic->devlink = devlink;
	return nic;
}

int labnic_devlink_port_add(struct labnic_port *port)
{
	struct devlink_port *dp = &port->devlink_port;
	struct devlink_port_attrs attrs = {
		.flavour = DEVLINK_PORT_FLAVOUR_PHYSICAL,
		.phys.port_number = port->nic->pf,
		.switch_id = port->nic->switch_id,
	};

	memset(dp, 0, sizeof(*dp));
	dp->attrs.switch_id = port->nic->switch_id;
	if (port->index == LABNIC_UPLINK)
		devlink_port_attrs_set(dp, &attrs);
	else if (port->index == LABNIC_PF)
		devlink_port_attrs_pci_pf_set(dp, 1, port->nic->pf, true);
	else
		devlink_port_attrs_pci_vf_set(dp, 1, port->nic->pf, port->index - LABNIC_VF0, true);
	labnic_devlink_show_switch(port);
	return devl_port_register(port->nic->devlink, dp, port->index);
}

void labnic_devlink_port_del(struct labnic_port *port)
{
	devl_port_unregister(&port->devlink_port);
}
