/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that the lab runs, 6.1, 6.12 and skb-ext. Nothing else may look at
 * LINUX_VERSION_CODE, or at the kernel's configuration.
 */
#ifndef LABNIC_COMPAT_H
#define LABNIC_COMPAT_H

#include <linux/netdevice.h>
#include <linux/version.h>
#include <net/devlink.h>
#include <net/pkt_cls.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
/* The netdev names its devlink port before it is registered; the type follows by itself. */
static inline void labnic_link_devlink_port(struct net_device *dev, struct devlink_port *dp)
{
	SET_NETDEV_DEVLINK_PORT(dev, dp);
}

static inline void labnic_devlink_port_eth(struct devlink_port *dp, struct net_device *dev)
{
}

static inline void labnic_devlink_port_clear(struct devlink_port *dp)
{
}
/* The core names the driver itself. */
static inline int labnic_info_driver(struct devlink_info_req *req)
{
	return 0;
}

static inline void labnic_allow_reload(struct devlink *devlink)
{
}
#else
#define LABNIC_NDO_GET_DEVLINK_PORT 1

static inline void labnic_link_devlink_port(struct net_device *dev, struct devlink_port *dp)
{
}

static inline void labnic_devlink_port_eth(struct devlink_port *dp, struct net_device *dev)
{
	devlink_port_type_eth_set(dp, dev);
}

static inline void labnic_devlink_port_clear(struct devlink_port *dp)
{
	devlink_port_type_clear(dp);
}

static inline int labnic_info_driver(struct devlink_info_req *req)
{
	return devlink_info_driver_name_put(req, "labnic");
}

/* Before the instance is registered. Later kernels need not be told that there is a reload. */
static inline void labnic_allow_reload(struct devlink *devlink)
{
	devlink_set_features(devlink, DEVLINK_F_RELOAD);
}
#endif

/* The function by which devlink sets a parameter, from one that takes what is needed. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define LABNIC_PARAM_SET(name, set_to)                                                                   \
	static int name(struct devlink *devlink, u32 id, struct devlink_param_gset_ctx *ctx,             \
			struct netlink_ext_ack *extack)                                                  \
	{                                                                                                \
		return set_to(ctx->val.vbool, extack);                                                   \
	}
#else
#define LABNIC_PARAM_SET(name, set_to)                                                                   \
	static int name(struct devlink *devlink, u32 id, struct devlink_param_gset_ctx *ctx)             \
	{                                                                                                \
		return set_to(ctx->val.vbool, NULL);                                                     \
	}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>

static inline void labnic_netns_local(struct net_device *dev)
{
	dev->netns_immutable = true;	/* the name since a stable update of 6.12; netns_local before */
}

static inline void labnic_lockless_tx(struct net_device *dev)
{
	dev->lltx = true;
}
#else
#include <asm/unaligned.h>

static inline void labnic_netns_local(struct net_device *dev)
{
	dev->features |= NETIF_F_NETNS_LOCAL;
}

static inline void labnic_lockless_tx(struct net_device *dev)
{
	dev->features |= NETIF_F_LLTX;
}
#endif

/* Says in the skb in which chain it missed, where a kernel can be told. -ENOMEM: not said. */
static inline int labnic_note_chain(struct sk_buff *skb, u32 chain)
{
#if IS_ENABLED(CONFIG_NET_TC_SKB_EXT)
	struct tc_skb_ext *ext = tc_skb_ext_alloc(skb);

	if (!ext)
		return -ENOMEM;
	ext->chain = chain;
#endif
	return 0;
}

#endif
