# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What scenarios share in which a port goes, or is taken by somebody else, while it forwards in hardware. Pod 0 sits behind that
# port, and gets packets from the top of rack and sends others to pod 2. Pod 1 has nothing to do with it: it sends 1,000 packets
# a second of 200 flows to ext, and is to lose none of them.
#
#   taken_port_network
#   traffic_start && all_in_hardware
#   ... pf0vf0 goes and comes ...
#   all_in_hardware && in_order && traffic_stop 1

# shellcheck source=common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"

FLOWS=200
pod=$(pod_address 0)
third=$(pod_address 2)
POD_ALSO=10.1.0.3 # sends, where the first address receives

# taken_port_network: the network, and the agent. The DPU knows the router's MAC, and the pod whose packets count its own
# router's: nobody asks in between. And nobody takes a qdisc away from under those packets (see 48).
taken_port_network() {
  local port
  static_topology 3
  in_ns pod0 ip address add "$POD_ALSO/24" dev vf0
  in_ns ext ip route add local "$EXT_PREFIX" dev lo
  ip route add "$EXT_PREFIX" via "$TOR_UPLINK"
  macs_known
  for port in p0 pf0vf1 pf0vf2; do tc qdisc add dev "$port" clsact; done
  agent_start --idle-time 10m
}
macs_known() {
  in_ns pod1 ip neigh replace "$(pod_gateway 1)" lladdr "$(mac_of dpu pf0vf1)" dev vf1 nud permanent
  pings dpu "$TOR_UPLINK" >/dev/null
}

traffic_start() {
  flows_start other pod1 "$(pod_address 1)" ext 203.0.113.1 "$FLOWS"
  stream_start to tor "$TOR_UPLINK" pod0 "$pod" --rate 100
  stream_start from pod0 "$POD_ALSO" pod2 "$third" --rate 100
}

other_in_hardware() {
  (($(entries "$L3" 'select(.port == "pf0vf1")' 'select(.match.dst_ip.value | startswith("203."))') == FLOWS))
}
pod_in_hardware() {
  offloaded "$pod" p0 && offloaded "$third" pf0vf0
}
all_in_hardware() {
  wait_until 'all flows of the other pod are in hardware' 90 other_in_hardware
  wait_until 'the flows to and from the pod are in hardware' 90 pod_in_hardware
  hardware_carries pf0vf0
  hardware_carries pf0vf1
  hardware_carries p0
}

# entries_of_the_pod: at its port, and those that lead there, or led to a port that is gone.
entries_of_the_pod() {
  entries 'select(.port == "pf0vf0" or any(.actions[]; .to == "pf0vf0" or .to == ""))'
}

# port_field PORT FIELD: what the agent says of it; nothing where it is no port.
port_field() {
  ctl -j port show | gojq -r ".[] | select(.name == \"$1\") | .$2 // empty"
}
ready_ports() {
  ctl -j port show | gojq -r '[.[] | select(.state == "ready") | .name] | sort | join(" ")'
}

in_order() {
  agent_sync
  expect_match 'verify' 'no difference' "$(ctl verify)"
  expect_success 'the agent runs' agent_alive
}

# traffic_stop ROWS [ROWS OF THE OTHER POD]: nothing came twice, and no more rows of packets are lost; none of the other pod's.
traffic_stop() {
  local name most
  for name in other to from; do
    stream_stop "$name"
    note "$name: $(sent "$name" .sent) packets, $(received "$name" .lost) lost"
    expect_eq "$name: duplicated" 0 "$(received "$name" .duplicated)"
    [[ $name == other ]] && most=${2-0} || most=$1
    expect_le "$name: rows of lost packets" "$most" "$(received "$name" '.gaps | length')"
  done
}
