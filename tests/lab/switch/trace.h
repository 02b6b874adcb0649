/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events, for those who want times: /sys/kernel/tracing/events/labnic. A destination is shown as IPv6, one
 * of IPv4 as ::ffff:a.b.c.d; none is ::.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM labnic

#if !defined(LABNIC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LABNIC_TRACE_H

#include <linux/tracepoint.h>

#include "labnic.h"

void labnic_trace_destination(u8 to[16], const struct labnic_key *key);

/* A packet comes up, because nothing in this chain has matched it. */
TRACE_EVENT(labnic_miss,
	TP_PROTO(const struct labnic_port *port, const struct labnic_key *key, u32 chain),
	TP_ARGS(port, key, chain),
	TP_STRUCT__entry(
		__field(u16, port)
		__field(u32, chain)
		__array(u8, destination, 16)
	),
	TP_fast_assign(
		__entry->port = port->index;
		__entry->chain = chain;
		labnic_trace_destination(__entry->destination, key);
	),
	TP_printk("port=%u chain=%u to=%pI6c", __entry->port, __entry->chain, __entry->destination)
);

/* A rule is in, or out again. "quiet" is how long ago it was hit last, in milliseconds; -1: never. */
DECLARE_EVENT_CLASS(labnic_rule,
	TP_PROTO(const struct labnic_rule *rule),
	TP_ARGS(rule),
	TP_STRUCT__entry(
		__field(u16, port)
		__field(u32, chain)
		__field(u32, prio)
		__field(int, quiet)
		__array(u8, destination, 16)
	),
	TP_fast_assign(
		unsigned long last_hit = READ_ONCE(rule->last_hit);

		__entry->port = rule->port->index;
		__entry->chain = rule->chain;
		__entry->prio = rule->prio;
		__entry->quiet = last_hit ? jiffies_to_msecs(jiffies - last_hit) : -1;
		labnic_trace_destination(__entry->destination, &rule->key);
	),
	TP_printk("port=%u chain=%u prio=%u quiet=%d to=%pI6c", __entry->port, __entry->chain, __entry->prio,
		  __entry->quiet, __entry->destination)
);

DEFINE_EVENT(labnic_rule, labnic_insert, TP_PROTO(const struct labnic_rule *rule), TP_ARGS(rule));
DEFINE_EVENT(labnic_rule, labnic_remove, TP_PROTO(const struct labnic_rule *rule), TP_ARGS(rule));

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
