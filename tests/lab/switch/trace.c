// SPDX-License-Identifier: GPL-2.0-only
/* The code that trace.h stands for. */
#include <net/ipv6.h>

#define CREATE_TRACE_POINTS
#include "trace.h"

void labnic_trace_destination(u8 to[16], const struct labnic_key *key)
{
	struct in6_addr address = key->daddr;

	if (key->ethertype == htons(ETH_P_IP))
		ipv6_addr_set_v4mapped(key->daddr4, &address);
	memcpy(to, &address, sizeof(address));
}
