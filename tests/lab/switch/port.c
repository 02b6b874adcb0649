// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ports: the pair of netdevs, how packets reach them, and how they come and go.
 *
 * Receiving is as on a NIC: a bounded ring, one NAPI context per netdev, napi_gro_receive. So the
 * stack sees large packets where GRO makes them, and packets are lost where a ring overflows.
 *
 * Links: each side's carrier says whether the other side is up. A far side whose namespace dies comes
 * back into the first namespace, closed, as a physical function does; its rep then loses carrier.
 *
 * struct labnic_port lives as long as the module. Rules name a port by number, so that a rule whose
 * target was removed drops, and works again when the port is back, as with a real vport.
 */
#include <linux/ethtool.h>

#include "labnic.h"

const char *const labnic_drop_names[LABNIC_DROPS] = {
	[LABNIC_DROP_RULE] = "rule",
	[LABNIC_DROP_DOWN] = "down",
	[LABNIC_DROP_NO_PORT] = "no_port",
	[LABNIC_DROP_OVERSIZE] = "oversize",
	[LABNIC_DROP_QUEUE_FULL] = "queue_full",
	[LABNIC_DROP_RUNT] = "runt",
	[LABNIC_DROP_NO_MEMORY] = "no_memory",
	[LABNIC_DROP_LOOP] = "loop",
};

/* The other netdev of the port. Under rtnl, or RCU. */
static struct net_device *labnic_peer(const struct labnic_end *end)
{
	struct labnic_port *port = end->port;

	return end->dev->netdev_ops == &labnic_rep_ops ? rcu_dereference_rtnl(port->far) :
							 rcu_dereference_rtnl(port->rep);
}

/* ---- Receiving ---- */

/*
 * Puts a packet, starting at its Ethernet header, into the ring of dev. Takes the skb if it returns
 * true; otherwise *reason says why not, and the caller still owns it. Any context, under RCU.
 */
bool labnic_end_receive(struct net_device *dev, struct sk_buff *skb, enum labnic_drop *reason)
{
	struct labnic_end *end = netdev_priv(dev);

	if (!netif_running(dev) || !netif_carrier_ok(dev)) {
		*reason = LABNIC_DROP_DOWN;
		return false;
	}
	if (skb->len > READ_ONCE(dev->mtu) + ETH_HLEN + 2 * VLAN_HLEN) {
		*reason = LABNIC_DROP_OVERSIZE;
		return false;
	}
	if (skb_queue_len_lockless(&end->queue) >= READ_ONCE(labnic_ring)) {
		dev_core_stats_rx_dropped_inc(dev);
		*reason = LABNIC_DROP_QUEUE_FULL;
		return false;
	}
	skb_queue_tail(&end->queue, skb);
	napi_schedule(&end->napi);
	return true;
}

static int labnic_poll(struct napi_struct *napi, int budget)
{
	struct labnic_end *end = container_of(napi, struct labnic_end, napi);
	int done = 0;

	while (done < budget) {
		struct sk_buff *skb = skb_dequeue(&end->queue);

		if (!skb)
			break;
		dev_sw_netstats_rx_add(end->dev, skb->len);
		skb->protocol = eth_type_trans(skb, end->dev);
		napi_gro_receive(napi, skb);
		done++;
	}
	if (done < budget && napi_complete_done(napi, done) && !skb_queue_empty(&end->queue))
		napi_schedule(napi);
	return done;
}

/* ---- Sending ---- */

/*
 * What leaves the DMA engine: a new buffer with the frame's bytes, the tag inserted where the stack
 * left it in the skb, and room in front for the switch to push tags.
 */
static struct sk_buff *labnic_dma(const struct sk_buff *skb)
{
	unsigned int headroom = NET_SKB_PAD + NET_IP_ALIGN + 4 * VLAN_HLEN;
	bool tagged = skb_vlan_tag_present(skb);
	struct sk_buff *copy = netdev_alloc_skb(NULL, headroom + skb->len + VLAN_HLEN);
	unsigned int at = 0;

	if (!copy)
		return NULL;
	skb_reserve(copy, headroom);
	if (tagged) {
		struct vlan_ethhdr *eth = skb_put(copy, VLAN_ETH_HLEN);
		__be16 inner;

		skb_copy_bits(skb, 0, eth, 2 * ETH_ALEN);
		skb_copy_bits(skb, 2 * ETH_ALEN, &inner, sizeof(inner));
		eth->h_vlan_proto = skb->vlan_proto;
		eth->h_vlan_TCI = htons(skb_vlan_tag_get(skb));
		eth->h_vlan_encapsulated_proto = inner;
		at = ETH_HLEN;
	}
	skb_copy_bits(skb, at, skb_put(copy, skb->len - at), skb->len - at);
	return copy;
}

/*
 * Takes the frame off the stack's hands. Returns NULL, having counted why, when there is nothing to
 * send.
 */
static struct sk_buff *labnic_transmit(struct sk_buff *skb, struct net_device *dev, atomic64_t *drops)
{
	struct sk_buff *frame = NULL;

	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		atomic64_inc(&drops[LABNIC_DROP_NO_MEMORY]);
	else if (skb->len < ETH_HLEN)
		atomic64_inc(&drops[LABNIC_DROP_RUNT]);
	else if (!(frame = labnic_dma(skb)))
		atomic64_inc(&drops[LABNIC_DROP_NO_MEMORY]);
	if (frame)
		dev_sw_netstats_tx_add(dev, 1, frame->len);
	else
		dev_core_stats_tx_dropped_inc(dev);
	skb_tx_timestamp(skb);
	consume_skb(skb);
	return frame;
}

static netdev_tx_t labnic_far_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct labnic_end *end = netdev_priv(dev);
	struct labnic_port_totals *totals = &end->port->totals;
	struct sk_buff *frame;

	atomic64_inc(&totals->sent);
	frame = labnic_transmit(skb, dev, totals->drops);
	if (frame) {
		rcu_read_lock();
		labnic_datapath(end->port, frame);
		rcu_read_unlock();
	}
	return NETDEV_TX_OK;
}

static netdev_tx_t labnic_rep_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct labnic_end *end = netdev_priv(dev);
	struct labnic_port_totals *totals = &end->port->totals;
	enum labnic_drop reason = LABNIC_DROP_NO_PORT;
	struct sk_buff *frame;
	struct net_device *far;

	atomic64_inc(&totals->sw_sent);
	frame = labnic_transmit(skb, dev, totals->sw_drops);
	if (!frame)
		return NETDEV_TX_OK;
	rcu_read_lock();
	far = rcu_dereference(end->port->far);
	if (!far || !labnic_end_receive(far, frame, &reason)) {
		atomic64_inc(&totals->sw_drops[reason]);
		kfree_skb(frame);
	}
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

/* ---- Up and down ---- */

static int labnic_open(struct net_device *dev)
{
	struct labnic_end *end = netdev_priv(dev);
	struct net_device *peer = labnic_peer(end);

	napi_enable(&end->napi);
	/* Someone may have seen "running" and put a packet here before the poll could be scheduled. */
	local_bh_disable();
	napi_schedule(&end->napi);
	local_bh_enable();
	netif_start_queue(dev);
	if (peer)
		netif_carrier_on(peer);
	return 0;
}

static int labnic_stop(struct net_device *dev)
{
	struct labnic_end *end = netdev_priv(dev);
	struct net_device *peer = labnic_peer(end);

	if (peer)
		netif_carrier_off(peer);
	netif_stop_queue(dev);
	/* The core has cleared "running", but a sender that saw it set may still be at the ring. */
	synchronize_net();
	napi_disable(&end->napi);
	skb_queue_purge(&end->queue);
	return 0;
}

static int labnic_netdev_init(struct net_device *dev)
{
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	return dev->tstats ? 0 : -ENOMEM;
}

static void labnic_netdev_uninit(struct net_device *dev)
{
	free_percpu(dev->tstats);
	dev->tstats = NULL;
}

#ifdef LABNIC_NDO_GET_DEVLINK_PORT
static struct devlink_port *labnic_get_devlink_port(struct net_device *dev)
{
	return &((struct labnic_end *)netdev_priv(dev))->port->devlink_port;
}
#endif

/* As mlx5: rules in the hardware hold the feature on. */
static int labnic_set_features(struct net_device *dev, netdev_features_t features)
{
	struct labnic_port *port = ((struct labnic_end *)netdev_priv(dev))->port;

	if ((dev->features & ~features & NETIF_F_HW_TC) && atomic_read(&port->rules.nelems)) {
		netdev_err(dev, "Active offloaded tc filters, can't turn hw_tc_offload off\n");
		return -EINVAL;
	}
	return 0;
}

const struct net_device_ops labnic_rep_ops = {
	.ndo_init = labnic_netdev_init,
	.ndo_uninit = labnic_netdev_uninit,
	.ndo_open = labnic_open,
	.ndo_stop = labnic_stop,
	.ndo_start_xmit = labnic_rep_xmit,
	.ndo_get_stats64 = dev_get_tstats64,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_set_features = labnic_set_features,
	.ndo_setup_tc = labnic_setup_tc,
#ifdef LABNIC_NDO_GET_DEVLINK_PORT
	.ndo_get_devlink_port = labnic_get_devlink_port,
#endif
};

const struct net_device_ops labnic_far_ops = {
	.ndo_init = labnic_netdev_init,
	.ndo_uninit = labnic_netdev_uninit,
	.ndo_open = labnic_open,
	.ndo_stop = labnic_stop,
	.ndo_start_xmit = labnic_far_xmit,
	.ndo_get_stats64 = dev_get_tstats64,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

static void labnic_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "labnic", sizeof(info->driver));
	if (dev->dev.parent)
		strscpy(info->bus_info, dev_name(dev->dev.parent), sizeof(info->bus_info));
}

static const struct ethtool_ops labnic_ethtool_ops = {
	.get_drvinfo = labnic_get_drvinfo,
	.get_link = ethtool_op_get_link,
};

/* ---- Coming and going ---- */

static void labnic_names(const struct labnic *nic, u16 index, char *rep, char *far)
{
	unsigned int vf = index - LABNIC_VF0;

	if (index == LABNIC_UPLINK) {
		snprintf(rep, IFNAMSIZ, "p%u", nic->pf);
		snprintf(far, IFNAMSIZ, "wire%u", nic->pf);
	} else if (index == LABNIC_PF) {
		snprintf(rep, IFNAMSIZ, "pf%uhpf", nic->pf);
		snprintf(far, IFNAMSIZ, "host%u", nic->pf);
	} else {
		snprintf(rep, IFNAMSIZ, "pf%uvf%u", nic->pf, vf);
		snprintf(far, IFNAMSIZ, nic->pf ? "p1vf%u" : "vf%u", vf);
	}
}

struct labnic_port *labnic_port_alloc(struct labnic *nic, u16 index)
{
	struct labnic_port *port = kzalloc(sizeof(*port), GFP_KERNEL);
	char far[IFNAMSIZ];

	if (!port)
		return NULL;
	port->nic = nic;
	port->index = index;
	labnic_names(nic, index, port->name, far);
	if (rhashtable_init(&port->rules, &labnic_by_cookie)) {
		kfree(port);
		return NULL;
	}
	return port;
}

void labnic_port_free(struct labnic_port *port)
{
	rhashtable_destroy(&port->rules);
	kfree(port);
}

bool labnic_port_present(struct labnic_port *port)
{
	return rcu_access_pointer(port->rep);
}

/* The port whose representor dev is, or NULL. Under rtnl or RCU, or while dev cannot go away. */
struct labnic_port *labnic_port_of_rep(const struct net_device *dev)
{
	return dev->netdev_ops == &labnic_rep_ops ? ((struct labnic_end *)netdev_priv(dev))->port : NULL;
}

static struct net_device *labnic_end_alloc(struct labnic_port *port, const char *name, bool rep)
{
	struct net_device *dev = alloc_etherdev(sizeof(struct labnic_end));
	struct labnic_end *end;

	if (!dev)
		return NULL;
	end = netdev_priv(dev);
	end->dev = dev;
	end->port = port;
	skb_queue_head_init(&end->queue);
	strscpy(dev->name, name, IFNAMSIZ);
	dev->netdev_ops = rep ? &labnic_rep_ops : &labnic_far_ops;
	dev->ethtool_ops = &labnic_ethtool_ops;
	dev->max_mtu = LABNIC_MAX_MTU;
	dev->hw_features = NETIF_F_HW_VLAN_CTAG_TX;
	if (rep)
		dev->hw_features |= NETIF_F_HW_TC;
	dev->features = dev->hw_features;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	labnic_lockless_tx(dev);
	if (rep)
		labnic_netns_local(dev);
	SET_NETDEV_DEV(dev, port->nic->parent);
	/* Locally administered, and the same at each load: 02:4c:42:<0 far, 1 rep>:<pf>:<port>. */
	eth_hw_addr_set(dev, (u8[]){
		0x02, 0x4c, 0x42, rep | port->index >> 8 << 4, port->nic->pf, port->index & 0xff });
	netif_napi_add(dev, &end->napi, labnic_poll);
	netif_carrier_off(dev);
	return dev;
}

/* Registers both netdevs and the devlink port. Under the devlink instance lock. */
int labnic_port_add(struct labnic_port *port)
{
	char rep_name[IFNAMSIZ], far_name[IFNAMSIZ];
	struct net_device *rep, *far;
	int err;

	labnic_names(port->nic, port->index, rep_name, far_name);
	rep = labnic_end_alloc(port, rep_name, true);
	far = labnic_end_alloc(port, far_name, false);
	if (!rep || !far) {
		err = -ENOMEM;
		goto free;
	}
	err = labnic_devlink_port_add(port);
	if (err)
		goto free;
	labnic_link_devlink_port(rep, &port->devlink_port);
	rtnl_lock();
	err = register_netdevice(rep);
	if (!err) {
		err = register_netdevice(far);
		if (err)
			unregister_netdevice(rep);
	}
	if (!err) {
		rcu_assign_pointer(port->rep, rep);
		rcu_assign_pointer(port->far, far);
	}
	rtnl_unlock();
	if (err) {
		labnic_devlink_port_del(port);
		goto free;
	}
	labnic_devlink_port_eth(&port->devlink_port, rep);
	return 0;
free:
	if (rep)
		free_netdev(rep);
	if (far)
		free_netdev(far);
	return err;
}

/* Unregistering the rep makes tc take its filters, and so our rules, away. */
void labnic_port_del(struct labnic_port *port)
{
	struct net_device *rep = rcu_dereference_protected(port->rep, true);
	struct net_device *far = rcu_dereference_protected(port->far, true);
	LIST_HEAD(gone);

	labnic_devlink_port_clear(&port->devlink_port);
	rtnl_lock();
	RCU_INIT_POINTER(port->far, NULL);
	RCU_INIT_POINTER(port->rep, NULL);
	unregister_netdevice_queue(far, &gone);
	unregister_netdevice_queue(rep, &gone);
	unregister_netdevice_many(&gone);
	rtnl_unlock();
	WARN_ON_ONCE(atomic_read(&port->rules.nelems));
	labnic_devlink_port_del(port);
	free_netdev(far);
	free_netdev(rep);
}
