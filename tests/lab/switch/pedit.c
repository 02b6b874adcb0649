// SPDX-License-Identifier: GPL-2.0-only
/*
 * pedit. tc speaks of 32-bit words of a header with a mask; hardware edits fields. Words are collected
 * into an image of each header and read back field by field, with mlx5's rules: no bit twice, no field
 * both set and added to, nothing outside the known fields, and one modify-header action per 32 bits,
 * except where the filter matches on the value that would be set.
 */
#include <linux/bitops.h>

#include "labnic.h"

#define LABNIC_HTYPES (FLOW_ACT_MANGLE_HDR_TYPE_UDP + 1)
#define LABNIC_IMAGE 48	/* bytes of the longest header, rounded up: IPv6 */

enum { LABNIC_SET, LABNIC_ADD, LABNIC_CMDS };

struct labnic_image {
	u8 mask[LABNIC_HTYPES][LABNIC_IMAGE];
	u8 val[LABNIC_HTYPES][LABNIC_IMAGE];
};

struct labnic_pedit {
	struct labnic_image run[LABNIC_CMDS];	/* since the last flush */
	u8 all[LABNIC_CMDS][LABNIC_HTYPES][LABNIC_IMAGE];	/* masks of the whole rule */
	unsigned int hw_actions;
	bool pending;
};

#define LABNIC_EDITABLE(label, htype, at, size, member, ...) \
	{ label, FLOW_ACT_MANGLE_HDR_TYPE_##htype, at, size, offsetof(struct labnic_key, member), \
	  { __VA_ARGS__ } }

const struct labnic_field labnic_fields[LABNIC_FIELDS] = {
	[LABNIC_F_DMAC] = LABNIC_EDITABLE("dst_mac", ETH, 0, 6, dmac),
	[LABNIC_F_SMAC] = LABNIC_EDITABLE("src_mac", ETH, 6, 6, smac),
	[LABNIC_F_ETHERTYPE] = LABNIC_EDITABLE("eth_type", ETH, 12, 2, ethertype),
	[LABNIC_F_IP4_TOS] = LABNIC_EDITABLE("ip_tos", IP4, 1, 1, tos, 0xfc),
	[LABNIC_F_IP4_TTL] = LABNIC_EDITABLE("ip_ttl", IP4, 8, 1, ttl),
	[LABNIC_F_IP4_SADDR] = LABNIC_EDITABLE("src_ip", IP4, 12, 4, saddr4),
	[LABNIC_F_IP4_DADDR] = LABNIC_EDITABLE("dst_ip", IP4, 16, 4, daddr4),
	[LABNIC_F_IP6_CLASS] = LABNIC_EDITABLE("ip6_dscp", IP6, 0, 2, pad, 0x0f, 0xc0),
	[LABNIC_F_IP6_HLIM] = LABNIC_EDITABLE("ip_ttl", IP6, 7, 1, ttl),
	[LABNIC_F_IP6_SADDR] = LABNIC_EDITABLE("src_ip", IP6, 8, 16, saddr),
	[LABNIC_F_IP6_DADDR] = LABNIC_EDITABLE("dst_ip", IP6, 24, 16, daddr),
	[LABNIC_F_TCP_SPORT] = LABNIC_EDITABLE("src_port", TCP, 0, 2, sport),
	[LABNIC_F_TCP_DPORT] = LABNIC_EDITABLE("dst_port", TCP, 2, 2, dport),
	[LABNIC_F_TCP_FLAGS] = LABNIC_EDITABLE("tcp_flags", TCP, 13, 1, tcp_flags),
	[LABNIC_F_UDP_SPORT] = LABNIC_EDITABLE("src_port", UDP, 0, 2, sport),
	[LABNIC_F_UDP_DPORT] = LABNIC_EDITABLE("dst_port", UDP, 2, 2, dport),
};

/* Bytes of each header that a pedit can reach. */
static const u8 labnic_header_len[LABNIC_HTYPES] = {
	[FLOW_ACT_MANGLE_HDR_TYPE_ETH] = 16, [FLOW_ACT_MANGLE_HDR_TYPE_IP4] = 20,
	[FLOW_ACT_MANGLE_HDR_TYPE_IP6] = 40, [FLOW_ACT_MANGLE_HDR_TYPE_TCP] = 20,
	[FLOW_ACT_MANGLE_HDR_TYPE_UDP] = 8,
};

struct labnic_pedit *labnic_pedit_alloc(void)
{
	return kzalloc(sizeof(struct labnic_pedit), GFP_KERNEL);
}

/* Takes in one word. */
int labnic_pedit_word(struct labnic_pedit *pedit, const struct flow_action_entry *entry,
		      struct netlink_ext_ack *extack)
{
	int cmd = entry->id == FLOW_ACTION_MANGLE ? LABNIC_SET : LABNIC_ADD;
	u8 htype = entry->mangle.htype;
	u32 offset = entry->mangle.offset;
	u32 mask = ~entry->mangle.mask;	/* tc: a set bit stays */
	const u8 *mask_bytes = (const u8 *)&mask;
	const u8 *val_bytes = (const u8 *)&entry->mangle.val;
	int i;

	if (htype == FLOW_ACT_MANGLE_UNSPEC) {
		labnic_refuse(extack, "legacy pedit isn't offloaded");
		return -EOPNOTSUPP;
	}
	if (htype >= LABNIC_HTYPES || offset + sizeof(mask) > labnic_header_len[htype]) {
		labnic_refuse(extack, "attempt to offload an unsupported field");
		return -EOPNOTSUPP;
	}
	for (i = 0; i < sizeof(mask); i++) {
		if (pedit->all[cmd][htype][offset + i] & mask_bytes[i]) {
			labnic_refuse(extack,
				      "curr_pmask and new mask same. Acting twice on same location");
			return -EOPNOTSUPP;
		}
		pedit->all[cmd][htype][offset + i] |= mask_bytes[i];
		pedit->run[cmd].mask[htype][offset + i] |= mask_bytes[i];
		pedit->run[cmd].val[htype][offset + i] |= val_bytes[i] & mask_bytes[i];
	}
	pedit->pending = true;
	return 0;
}

/* The bits of the field that the image edits. */
static bool labnic_field_mask(const struct labnic_field *field, const u8 *image, u8 *mask)
{
	bool any = false;
	int i;

	memset(mask, 0, 16);
	for (i = 0; i < field->len; i++) {
		u8 full = field->full[0] ? field->full[i] : 0xff;

		mask[i] = image[field->offset + i] & full;
		any |= mask[i];
	}
	return any;
}

/*
 * Counts the modify-header actions of one edit. Returns false when none is needed, because the filter
 * matches on just that value, or nothing is added.
 */
static bool labnic_field_cost(struct labnic_pedit *pedit, const struct labnic_rule *rule,
			      const struct labnic_field *field, const struct labnic_action *edit,
			      bool *fragmented)
{
	const u8 *key = (const u8 *)&rule->key + field->in_key;
	const u8 *key_mask = (const u8 *)&rule->mask + field->in_key;
	bool needed = false;
	int at, i;

	for (at = 0; at < field->len; at += 4) {
		bool same = !edit->edit.add;
		u32 bits = 0, val = 0;

		for (i = at; i < at + 4 && i < field->len; i++) {
			u8 mask = edit->edit.mask[i];

			bits = bits << 8 | mask;
			val = val << 8 | edit->edit.val[i];
			if ((key_mask[i] & mask) != mask || (key[i] & mask) != edit->edit.val[i])
				same = false;
		}
		if (!bits || same || (edit->edit.add && !val))
			continue;
		if ((bits >> __ffs(bits)) & ((bits >> __ffs(bits)) + 1))
			*fragmented = true;
		pedit->hw_actions++;
		needed = true;
	}
	return needed;
}

static int labnic_flush_field(struct labnic_pedit *pedit, struct labnic_rule *rule, u8 id,
			      struct netlink_ext_ack *extack)
{
	const struct labnic_field *field = &labnic_fields[id];
	struct labnic_action *action = &rule->actions[rule->actions_len];
	bool fragmented = false;
	u8 mask[16];
	int cmd, i;

	if (labnic_field_mask(field, pedit->all[LABNIC_SET][field->htype], mask) &&
	    labnic_field_mask(field, pedit->all[LABNIC_ADD][field->htype], mask)) {
		labnic_refuse(extack, "can't set and add to the same HW field");
		return -EOPNOTSUPP;
	}
	for (cmd = 0; cmd < LABNIC_CMDS; cmd++) {
		struct labnic_image *run = &pedit->run[cmd];

		if (!labnic_field_mask(field, run->mask[field->htype], mask))
			continue;
		memset(action, 0, sizeof(*action));
		action->op = LABNIC_EDIT;
		action->edit.field = id;
		action->edit.add = cmd == LABNIC_ADD;
		memcpy(action->edit.mask, mask, sizeof(mask));
		for (i = 0; i < field->len; i++) {
			action->edit.val[i] = run->val[field->htype][field->offset + i] & mask[i];
			run->mask[field->htype][field->offset + i] &= ~mask[i];
		}
		if (!labnic_field_cost(pedit, rule, field, action, &fragmented))
			continue;
		if (fragmented) {
			labnic_refuse(extack, "rewrite of few sub-fields isn't supported");
			return -EOPNOTSUPP;
		}
		if (pedit->hw_actions > READ_ONCE(labnic_max_modify_actions)) {
			labnic_refuse(extack, "too many pedit actions, can't offload");
			return -ENOSPC;
		}
		if (++rule->actions_len == LABNIC_MAX_ACTIONS)
			return -ENOSPC;
		action++;
	}
	return 0;
}

/* Writes what was taken in since the last time into the rule's actions, field by field. */
int labnic_pedit_flush(struct labnic_pedit *pedit, struct labnic_rule *rule,
		       struct netlink_ext_ack *extack)
{
	int err, id;

	if (!pedit->pending)
		return 0;
	for (id = 0; id < LABNIC_FIELDS; id++) {
		err = labnic_flush_field(pedit, rule, id, extack);
		if (err)
			return err;
	}
	if (memchr_inv(pedit->run[LABNIC_SET].mask, 0, sizeof(pedit->run[LABNIC_SET].mask)) ||
	    memchr_inv(pedit->run[LABNIC_ADD].mask, 0, sizeof(pedit->run[LABNIC_ADD].mask))) {
		labnic_refuse(extack, "attempt to offload an unsupported field");
		return -EOPNOTSUPP;
	}
	memset(pedit->run, 0, sizeof(pedit->run));
	pedit->pending = false;
	return 0;
}
