// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Many FIB lookups in one run. Never attached: PathLookup runs it on a dummy packet, whose network namespace is that of
 * the calling thread.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "shared.h"

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct dpuflow_batch);
} lookups SEC(".maps");

SEC("tc")
int dpuflow_resolve(struct __sk_buff* skb) {
  __u32 zero = 0;
  __u32 wanted = skb->cb[0];
  struct dpuflow_batch* batch = bpf_map_lookup_elem(&lookups, &zero);
  __u32 i;

  if (!batch) return TC_ACT_UNSPEC;
#pragma clang loop unroll(disable)
  for (i = 0; i < DPUFLOW_BATCH; i++) {
    struct dpuflow_lookup* lookup = &batch->slots[i];

    if (i >= wanted) break;
    lookup->result = bpf_fib_lookup(skb, &lookup->params, sizeof(lookup->params), 0);
  }
  return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
