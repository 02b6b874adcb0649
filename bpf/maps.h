/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The classifier's maps, and what it does with those that need more than a lookup. Values are described in shared.h;
 * sizes of 1 (a page for the ring) are set by the loader.
 */
#ifndef DPUFLOW_BPF_MAPS_H
#define DPUFLOW_BPF_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "shared.h"

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, struct dpuflow_lane);
  __type(value, struct dpuflow_ingress);
} ingresses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dpuflow_egress);
} egresses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, struct dpuflow_source_key);
  __type(value, struct dpuflow_source);
} sources SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1);
  __type(key, struct dpuflow_flow_key);
  __type(value, __u64);
} reported SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
} misses SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DPUFLOW_VERDICT_COUNT* DPUFLOW_PROTOCOL_COUNT);
  __type(key, __u32);
  __type(value, struct dpuflow_counter);
} counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dpuflow_reports);
} reports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dpuflow_settings);
} settings SEC(".maps");

/* Where routing sees the packets of this lane enter, or nothing. */
static __always_inline struct dpuflow_ingress* ingress_of(__u32 ifindex, __u16 vlan) {
  struct dpuflow_lane lane = {.ifindex = ifindex, .vlan = vlan};
  struct dpuflow_ingress* ingress = bpf_map_lookup_elem(&ingresses, &lane);

  if (ingress || vlan == DPUFLOW_UNTAGGED) return ingress;
  lane.vlan = DPUFLOW_ANY_VLAN;
  return bpf_map_lookup_elem(&ingresses, &lane);
}

static __always_inline int source_is_known(const struct dpuflow_miss* packet) {
  struct dpuflow_source_key key = {
      .ifindex = packet->key.ifindex,
      .vlan = packet->key.vlan,
      .family = packet->family,
  };

  __builtin_memcpy(key.address, packet->key.saddr, sizeof(key.address));
  return bpf_map_lookup_elem(&sources, &key) != 0;
}

static __always_inline void count(__u32 verdict, __u32 protocol, __u32 packets, __u32 bytes) {
  __u32 index = verdict * DPUFLOW_PROTOCOL_COUNT + protocol;
  struct dpuflow_counter* counter = bpf_map_lookup_elem(&counters, &index);

  if (!counter) return;
  counter->packets += packets;
  counter->bytes += bytes;
}

/*
 * Tells the agent of a packet, unless its flow was told a moment ago. The time is noted only once the event has its
 * place in the ring: an event that is lost to a full ring is made again by the flow's next packet.
 */
static __always_inline void report(struct dpuflow_miss* packet, const struct dpuflow_settings* set) {
  __u32 zero = 0;
  struct dpuflow_reports* totals = bpf_map_lookup_elem(&reports, &zero);
  __u64 now = bpf_ktime_get_ns();
  struct dpuflow_miss* event;
  __u64* last;

  if (!totals) return;
  if (set->flags & DPUFLOW_SETTING_BY_PORTS) {
    packet->key.protocol = packet->protocol;
    packet->key.sport = packet->sport;
    packet->key.dport = packet->dport;
  }
  if (set->flags & DPUFLOW_SETTING_BY_TOS) packet->key.tos = packet->tos;
  last = bpf_map_lookup_elem(&reported, &packet->key);
  if (last && now - *last < set->report_window_ns) {
    totals->suppressed++;
    return;
  }
  event = bpf_ringbuf_reserve(&misses, sizeof(*event), 0);
  if (!event) {
    totals->ring_full++;
    return;
  }
  *event = *packet;
  event->ktime_ns = now;
  bpf_ringbuf_submit(event, 0);
  totals->sent++;
  bpf_map_update_elem(&reported, &packet->key, &now, BPF_ANY);
}

#endif
