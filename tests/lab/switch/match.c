// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a flower filter matches: read from tc's form into our key and mask, refusing what mlx5 refuses,
 * with its errno and its text, in the order in which mlx5 looks.
 *
 * A filter whose ethertype is not VLAN matches untagged packets only. A VLAN filter that names the
 * inner ethertype matches packets with exactly one tag.
 */
#include "labnic.h"

#define LABNIC_KEY(id) BIT_ULL(FLOW_DISSECTOR_KEY_##id)

static const u64 labnic_known_keys =
	LABNIC_KEY(META) | LABNIC_KEY(CONTROL) | LABNIC_KEY(BASIC) | LABNIC_KEY(ETH_ADDRS) |
	LABNIC_KEY(VLAN) | LABNIC_KEY(CVLAN) | LABNIC_KEY(IPV4_ADDRS) | LABNIC_KEY(IPV6_ADDRS) |
	LABNIC_KEY(PORTS) | LABNIC_KEY(TCP) | LABNIC_KEY(IP) | LABNIC_KEY(ICMP) | LABNIC_KEY(MPLS);

static int labnic_match_meta(struct labnic_port *port, const struct flow_rule *rule,
			     struct netlink_ext_ack *extack)
{
	struct net_device *rep = rcu_dereference_raw(port->rep);	/* bound to a block: it stays */
	struct flow_match_meta match;

	if (!flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_META))
		return 0;
	flow_rule_match_meta(rule, &match);
	if (!match.mask->ingress_ifindex)
		return 0;
	if (match.mask->ingress_ifindex != 0xffffffff) {
		labnic_refuse(extack, "Unsupported ingress ifindex mask");
		return -EOPNOTSUPP;
	}
	if (!rep || match.key->ingress_ifindex != rep->ifindex) {
		labnic_refuse(extack, "Can't match on the ingress filter port");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void labnic_set_tag(const struct flow_match_vlan *match, struct labnic_tag *key,
			   struct labnic_tag *mask)
{
	key->tpid = match->key->vlan_tpid;
	mask->tpid = htons(0xffff);
	key->vid = htons(match->key->vlan_id);
	mask->vid = htons(match->mask->vlan_id);
	key->pcp = match->key->vlan_priority;
	mask->pcp = match->mask->vlan_priority;
}

static void labnic_match_l2(const struct flow_rule *rule, struct labnic_rule *out)
{
	struct labnic_key *key = &out->key;
	struct labnic_key *mask = &out->mask;
	bool vlan = flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_VLAN);
	bool cvlan = flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_CVLAN);
	struct flow_match_eth_addrs eth;
	struct flow_match_basic basic;
	struct flow_match_vlan tag;

	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_BASIC)) {
		flow_rule_match_basic(rule, &basic);
		key->ethertype = basic.key->n_proto;
		mask->ethertype = basic.mask->n_proto;
		key->ip_proto = basic.key->ip_proto;
		mask->ip_proto = basic.mask->ip_proto;
	}
	if (vlan) {
		flow_rule_match_vlan(rule, &tag);
		labnic_set_tag(&tag, &key->tag[0], &mask->tag[0]);
		if (tag.mask->vlan_eth_type && !cvlan)
			mask->tag[1].tpid = htons(0xffff);
	} else if (mask->ethertype) {
		mask->tag[0].tpid = htons(0xffff);
	}
	if (cvlan) {
		flow_rule_match_cvlan(rule, &tag);
		labnic_set_tag(&tag, &key->tag[1], &mask->tag[1]);
	}
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_ETH_ADDRS)) {
		flow_rule_match_eth_addrs(rule, &eth);
		ether_addr_copy(key->dmac, eth.key->dst);
		ether_addr_copy(mask->dmac, eth.mask->dst);
		ether_addr_copy(key->smac, eth.key->src);
		ether_addr_copy(mask->smac, eth.mask->src);
	}
}

static int labnic_match_l3(const struct flow_rule *rule, struct labnic_rule *out,
			   struct netlink_ext_ack *extack)
{
	struct labnic_key *key = &out->key;
	struct labnic_key *mask = &out->mask;
	struct flow_match_control control;
	struct flow_match_ipv4_addrs v4;
	struct flow_match_ipv6_addrs v6;
	struct flow_match_ip ip;
	u16 addr_type = 0;

	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_CONTROL)) {
		flow_rule_match_control(rule, &control);
		addr_type = control.key->addr_type;
		if (control.mask->flags & FLOW_DIS_FIRST_FRAG) {
			labnic_refuse(extack, "Match on frag first/later is not supported");
			return -EOPNOTSUPP;
		}
		if (control.mask->flags & FLOW_DIS_IS_FRAGMENT) {
			key->frag = !!(control.key->flags & FLOW_DIS_IS_FRAGMENT);
			mask->frag = 1;
		}
	}
	if (addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS) {
		flow_rule_match_ipv4_addrs(rule, &v4);
		key->saddr4 = v4.key->src;
		mask->saddr4 = v4.mask->src;
		key->daddr4 = v4.key->dst;
		mask->daddr4 = v4.mask->dst;
	} else if (addr_type == FLOW_DISSECTOR_KEY_IPV6_ADDRS) {
		flow_rule_match_ipv6_addrs(rule, &v6);
		key->saddr = v6.key->src;
		mask->saddr = v6.mask->src;
		key->daddr = v6.key->dst;
		mask->daddr = v6.mask->dst;
	}
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_IP)) {
		flow_rule_match_ip(rule, &ip);
		key->tos = ip.key->tos;
		mask->tos = ip.mask->tos;
		key->ttl = ip.key->ttl;
		mask->ttl = ip.mask->ttl;
	}
	return 0;
}

static int labnic_match_l4(const struct flow_rule *rule, struct labnic_rule *out,
			   struct netlink_ext_ack *extack)
{
	struct labnic_key *key = &out->key;
	struct labnic_key *mask = &out->mask;
	struct flow_match_ports ports;
	struct flow_match_icmp icmp;
	struct flow_match_tcp tcp;

	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_PORTS)) {
		if (key->ip_proto != IPPROTO_TCP && key->ip_proto != IPPROTO_UDP) {
			labnic_refuse(extack, "Only UDP and TCP transports are supported for L4 matching");
			return -EINVAL;
		}
		flow_rule_match_ports(rule, &ports);
		key->sport = ports.key->src;
		mask->sport = ports.mask->src;
		key->dport = ports.key->dst;
		mask->dport = ports.mask->dst;
	}
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_TCP)) {
		flow_rule_match_tcp(rule, &tcp);
		key->tcp_flags = tcp.key->flags;
		mask->tcp_flags = tcp.mask->flags;
	}
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_ICMP)) {
		if (key->ip_proto != IPPROTO_ICMP && key->ip_proto != IPPROTO_ICMPV6) {
			labnic_refuse(extack, "Code and type matching only with ICMP and ICMPv6");
			return -EINVAL;
		}
		flow_rule_match_icmp(rule, &icmp);
		key->icmp_type = icmp.key->type;
		mask->icmp_type = icmp.mask->type;
		key->icmp_code = icmp.key->code;
		mask->icmp_code = icmp.mask->code;
	}
	if (flow_rule_match_key(rule, FLOW_DISSECTOR_KEY_MPLS)) {
		labnic_refuse(extack, "Matching on MPLS is supported only for MPLS over UDP");
		return -EOPNOTSUPP;
	}
	return 0;
}

/* Fills key and mask of out, the key masked. */
int labnic_parse_match(struct labnic_port *port, struct flow_cls_offload *flow, struct labnic_rule *out)
{
	const struct flow_rule *rule = flow_cls_offload_flow_rule(flow);
	struct netlink_ext_ack *extack = flow->common.extack;
	const u64 *mask = (const u64 *)&out->mask;
	u64 *key = (u64 *)&out->key;
	int err, i;

	if (rule->match.dissector->used_keys & ~labnic_known_keys) {
		labnic_refuse(extack, "Unsupported key");
		return -EOPNOTSUPP;
	}
	err = labnic_match_meta(port, rule, extack);
	if (err)
		return err;
	labnic_match_l2(rule, out);
	err = labnic_match_l3(rule, out, extack);
	if (!err)
		err = labnic_match_l4(rule, out, extack);
	for (i = 0; i < sizeof(out->key) / sizeof(u64); i++)
		key[i] &= mask[i];
	return err;
}
