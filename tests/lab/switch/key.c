// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a key is made of, by name; and what "exact" means: an entry that forwards has all bits of each
 * part that it compares.
 */
#include <linux/socket.h>

#include "labnic.h"

#define LABNIC_PART(part, member, size, af, bits) \
	{ part, "labnic: exact_only: partial mask of " part " on a rule that forwards", \
	  offsetof(struct labnic_key, member), size, af, bits }

const struct labnic_key_field labnic_key_fields[] = {
	LABNIC_PART("dst_mac", dmac, 6, 0, 0),
	LABNIC_PART("src_mac", smac, 6, 0, 0),
	LABNIC_PART("vlan_tpid", tag[0].tpid, 2, 0, 0),
	LABNIC_PART("vlan_id", tag[0].vid, 2, 0, 0x0fff),
	LABNIC_PART("vlan_prio", tag[0].pcp, 1, 0, 0x7),
	LABNIC_PART("cvlan_tpid", tag[1].tpid, 2, 0, 0),
	LABNIC_PART("cvlan_id", tag[1].vid, 2, 0, 0x0fff),
	LABNIC_PART("cvlan_prio", tag[1].pcp, 1, 0, 0x7),
	LABNIC_PART("eth_type", ethertype, 2, 0, 0),
	LABNIC_PART("ip_proto", ip_proto, 1, 0, 0),
	LABNIC_PART("ip_frag", frag, 1, 0, 0x1),
	LABNIC_PART("ip_tos", tos, 1, 0, 0),
	LABNIC_PART("ip_ttl", ttl, 1, 0, 0),
	LABNIC_PART("src_ip", saddr4, 4, AF_INET, 0),
	LABNIC_PART("src_ip", saddr, 16, AF_INET6, 0),
	LABNIC_PART("dst_ip", daddr4, 4, AF_INET, 0),
	LABNIC_PART("dst_ip", daddr, 16, AF_INET6, 0),
	LABNIC_PART("src_port", sport, 2, 0, 0),
	LABNIC_PART("dst_port", dport, 2, 0, 0),
	LABNIC_PART("tcp_flags", tcp_flags, 2, 0, 0x0fff),
	LABNIC_PART("icmp_type", icmp_type, 1, 0, 0),
	LABNIC_PART("icmp_code", icmp_code, 1, 0, 0),
};

const unsigned int labnic_key_fields_len = ARRAY_SIZE(labnic_key_fields);

/* Whether the rule compares any bit of the field. */
bool labnic_key_uses(const struct labnic_rule *rule, const struct labnic_key_field *field)
{
	int family = rule->key.ethertype == htons(ETH_P_IPV6) ? AF_INET6 : AF_INET;

	if (field->family && field->family != family)
		return false;
	return memchr_inv((const u8 *)&rule->mask + field->offset, 0, field->len);
}

static bool labnic_field_exact(const struct labnic_rule *rule, const struct labnic_key_field *field)
{
	const u8 *mask = (const u8 *)&rule->mask + field->offset;

	if (!field->full)
		return !memchr_inv(mask, 0xff, field->len);
	return (field->len == 1 ? *mask : get_unaligned_be16(mask)) == field->full;
}

int labnic_check_exact(const struct labnic_rule *rule, struct netlink_ext_ack *extack)
{
	int i;

	for (i = 0; i < labnic_key_fields_len; i++) {
		const struct labnic_key_field *field = &labnic_key_fields[i];

		if (labnic_key_uses(rule, field) && !labnic_field_exact(rule, field)) {
			if (extack)
				extack->_msg = field->inexact;
			return -EOPNOTSUPP;
		}
	}
	return 0;
}
