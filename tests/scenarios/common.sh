# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What scenarios say often: what hardware holds and has counted, by the switch's own word (debugfs), and what the
# classifier has, by the agent's.

# shellcheck source=../lab/lib/lab.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lab/lib/lab.sh"

# The tables, as the switch shows them: gojq filters over its rules.
GUARDS='select(.chain == 0 and (.prio < 5 or (.prio >= 9 and .prio <= 11)))'
L2_SOURCE='select(.chain == 0 and ((.prio >= 5 and .prio <= 8) or .prio >= 12))'
L2_DESTINATION='select(.chain == 1)'
L3='select(.chain == 2)'
FORWARDS='select(.chain > 0 or (.prio >= 5 and .prio <= 8) or .prio >= 12)'
# labtraffic says three times that a stream has ended.
END_MARKERS=3
export L2_SOURCE L2_DESTINATION L3 GUARDS FORWARDS END_MARKERS

# entries [JQ FILTER]...: how many rules the filters select, one after the other.
entries() {
  local filter=.
  while (($#)); do filter+=" | $1" && shift; done
  switch_rules "$filter" | wc -l
}

# places: what hardware holds and where, without what it has counted.
places() {
  switch_rules '{port, chain, prio, match, actions}' | sort
}

# shapes_that_share_a_priority: how many priorities of a chain hold entries that forward of more than one shape.
# shellcheck disable=SC2154 # of tests/lab/lib/switch.sh
shapes_that_share_a_priority() {
  gojq -s "[.[] | $FORWARDS | {chain, prio, shape: (.match | map_values(.mask) | tojson)}] | unique |
    group_by([.chain, .prio]) | map(select(length > 1)) | length" "$switch_debugfs/rules"
}

# l3_to ADDRESS [PORT]: the routing entry for an address.
l3_to() {
  switch_rules "$L3 | select(.match.dst_ip.value == \"$1\") | select(.port == \"${2:-pf0vf0}\")"
}

# hardware_packets PORT: packets that entered there and left the switch by its rules, never seen by the DPU's CPU.
hardware_packets() {
  switch_total ".ports.\"$1\".forwarded"
}

# software_packets PORT: packets that entered there and came up the representor.
software_packets() {
  switch_total ".ports.\"$1\" | .missed + .trapped"
}

# ttl_trapped PORT: IPv4 packets whose TTL ends here, that the guards of the port sent up. Nothing else is counted, as the
# port's own trapped packets would (ARP, ND, reports of multicast listeners).
ttl_trapped() {
  switch_rules "$GUARDS | select(.port == \"$1\" and .match.ip_ttl and .match.eth_type.value == \"0x800\") | .packets" |
    gojq -s 'add'
}

# hardware_carries PORT, software_carries PORT: returns when it has forwarded some more packets that entered there.
hardware_carries() {
  local before
  before=$(hardware_packets "$1")
  # shellcheck disable=SC2317 # wait_until calls it
  more_in_hardware() { (($(hardware_packets "$1") >= before + 20)); }
  wait_until "hardware forwards packets from $1" 30 more_in_hardware "$1"
}

software_carries() {
  local before
  before=$(software_packets "$1")
  # shellcheck disable=SC2317 # wait_until calls it
  more_in_software() { (($(software_packets "$1") >= before + 20)); }
  wait_until "packets from $1 come up to software" 30 more_in_software "$1"
}

# stream_carried NAME PORT FROM_NAMESPACE FROM_ADDRESS TO_NAMESPACE TO_ADDRESS [COUNT]: a stream that enters at that port, begins
# in software and goes on in hardware, with half of its packets at least.
stream_carried() {
  local name=$1 port=$2 count=${7:-1000} hardware
  hardware=$(hardware_packets "$port")
  stream "$name" "$3" "$(in_url "$4")" "$5" "$(in_url "$6")" --count "$count" --rate 500
  agent_sync
  expect_eq "$name: lost, duplicated" '0 0' "$(received "$name" '"\(.lost) \(.duplicated)"')"
  expect_ge "$name: packets in hardware" $((count / 2)) $(($(hardware_packets "$port") - hardware))
}

# classifier_at PORT: the filters of the classifier, or where the kernel has tcx, which iproute2 does not know, its program.
classifier_at() {
  if has_tcx; then bpftool prog show name dpuflow_class; else tc filter show dev "$1" ingress; fi
}

has_tcx() {
  grep -qw tcx_link_attach /proc/kallsyms
}

# stat NAME [LABEL VALUE]...: a counter of the agent's, summed over the labels that are not given; 0 when it is not there.
stat() {
  local name=$1 filter='.'
  shift
  while (($#)); do
    filter+=" | select(.labels.\"$1\" == \"$2\")"
    shift 2
  done
  ctl -j stats | gojq "[.. | objects | select(.name? == \"$name\") | $filter | .value] | add // 0"
}

# flow_state ADDRESS [PORT]: where the agent says that the flow to an address stands.
flow_state() {
  ctl -j flow show --table l3 | gojq -r ".[] | select(.match.destination == \"$1\" and .port == \"${2:-pf0vf0}\") | .state"
}

# offloaded ADDRESS [PORT]: for wait_until.
offloaded() {
  [[ -n $(l3_to "$@") ]]
}

not_offloaded() {
  [[ -z $(l3_to "$@") ]]
}

# offload NAMESPACE ADDRESS [PORT]: sends until the flow there is in hardware, then waits until all is settled. The reply
# direction is offloaded as well.
offload() {
  local namespace=$1 address=$2 port=${3:-pf0vf0}
  # shellcheck disable=SC2317 # wait_until calls it
  offload_step() { pings "$namespace" "$address" && agent_sync && offloaded "$address" "$port"; }
  wait_until "flow to $address in hardware" 30 offload_step
}

# entry_mac ADDRESS [PORT]: the MAC that the routing entry for an address sends to; nothing without an entry.
entry_mac() {
  l3_to "$@" | gojq -r '.actions[] | select(.field == "dst_mac") | .value'
}

# kernel_mac ADDRESS [PORT] [SOURCE]: the MAC of the router that the kernel itself would send a pod's packet for an address
# to; nothing where it would send it nowhere.
kernel_mac() {
  local router
  router=$(ip -j route get "$1" from "${3:-$(pod_address 0)}" iif "${2:-pf0vf0}" 2>/dev/null | gojq -r '.[0].gateway') ||
    return 0
  ip -j neigh show "$router" dev p0 | gojq -r '.[0].lladdr'
}

# count_arrivals DEVICE...: from now on arrivals counts there, at the top of rack.
count_arrivals() {
  local device
  for device in "$@"; do
    in_ns tor tc qdisc add dev "$device" clsact
    in_ns tor tc filter add dev "$device" ingress protocol ip flower skip_hw dst_mac "$(mac_of tor "$device")" \
      ip_proto udp dst_port 7000 action ok
  done
}

# arrivals DEVICE: the streams' packets that a router of the top of rack has received with its own MAC.
arrivals() {
  in_ns tor tc -s -j filter show dev "$1" ingress | gojq '[.[].options?.actions[]?.stats.packets] | add // 0'
}

# agent_rss_kib: the agent's resident memory.
# shellcheck disable=SC2154 # of tests/lab/lib/agent.sh
agent_rss_kib() {
  awk '/^VmRSS:/ { print $2 }' "/proc/$agent_pid/status"
}
