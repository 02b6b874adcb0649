# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Addresses and ports of the lab's little network. Pod N is 10.1.N.2 behind its representor's 10.1.N.1. The uplink's
# network has room for further routers on the wire. `ext` is a host behind the top of rack; what is announced by BGP are
# addresses on its loopback.

DPU_UPLINK=192.0.2.1
TOR_UPLINK=192.0.2.2
UPLINK_LENGTH=28
SECOND_ROUTER=192.0.2.3
TOR_EXT=198.51.100.1
EXT=198.51.100.2
EXT_PREFIX=203.0.113.0/24
EXT_ADDRESS=203.0.113.1
HOST_GATEWAY=10.2.0.1
HOST_ADDRESS=10.2.0.2
export DPU_UPLINK TOR_UPLINK UPLINK_LENGTH SECOND_ROUTER TOR_EXT EXT EXT_PREFIX EXT_ADDRESS HOST_GATEWAY HOST_ADDRESS

# The same in IPv6, where a scenario has both (ipv6_beside).
DPU_UPLINK6=2001:db8:ff::1
TOR_UPLINK6=2001:db8:ff::2
SECOND_ROUTER6=2001:db8:ff::3
EXT_PREFIX6=2001:db8:100::/64
EXT_ADDRESS6=2001:db8:100::1
export DPU_UPLINK6 TOR_UPLINK6 SECOND_ROUTER6 EXT_PREFIX6 EXT_ADDRESS6

pod_address6() { # INDEX
  printf '2001:db8:e%d::2\n' "$1"
}

pod_gateway6() { # INDEX
  printf '2001:db8:e%d::1\n' "$1"
}

# in_url ADDRESS: as labtraffic wants it before a port.
in_url() {
  if [[ $1 == *:* ]]; then printf '[%s]\n' "$1"; else printf '%s\n' "$1"; fi
}

pod_address() { # INDEX
  printf '10.1.%d.2\n' "$1"
}

pod_gateway() { # INDEX
  printf '10.1.%d.1\n' "$1"
}

# dpu_router: the DPU forwards IPv4 between all its ports.
dpu_router() {
  sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
}

# pod_add INDEX: namespace podINDEX, with the VF in it and a default route to its representor.
pod_add() {
  local index=$1
  namespace_add "pod$index"
  port_up "pf0vf$index" "pod$index" "vf$index" "$(pod_gateway "$index")/24" "$(pod_address "$index")/24"
  in_ns "pod$index" ip route add default via "$(pod_gateway "$index")"
}

# host_add: namespace host, with the host's own physical function.
host_add() {
  namespace_add host
  port_up pf0hpf host host0 "$HOST_GATEWAY/24" "$HOST_ADDRESS/24"
  in_ns host ip route add default via "$HOST_GATEWAY"
}

# tor_add: the wire's end in namespace tor, which routes, and namespace ext behind it with EXT_ADDRESS.
tor_add() {
  namespace_add tor
  in_ns tor sysctl -qw net.ipv4.ip_forward=1
  port_up p0 tor wire0 "$DPU_UPLINK/$UPLINK_LENGTH" "$TOR_UPLINK/$UPLINK_LENGTH"
  namespace_add ext
  ip_batch tor <<TOR
link add name ext0 type veth peer name eth0 netns ext
link set dev ext0 up
address add $TOR_EXT/24 dev ext0
TOR
  ip_batch ext <<EXT
link set dev eth0 up
address add $EXT/24 dev eth0
route add default via $TOR_EXT
EXT
  ext_address_add "$EXT_ADDRESS" "$EXT_PREFIX"
}

# ext_address_add ADDRESS [PREFIX]: one more address of ext, and the top of rack's route to it.
ext_address_add() {
  in_ns ext ip address add "$1/32" dev lo
  in_ns tor ip route replace "${2:-$1/32}" via "$EXT"
}

# tor_neighbour_add NAME ADDRESS: another router on the wire, with a MAC of its own, that leads to ext as well.
tor_neighbour_add() {
  in_ns tor ip link add link wire0 name "$1" type macvlan mode bridge
  # Nor does the top of rack itself ever ask in the other one's name.
  in_ns tor sysctl -qw net.ipv4.conf.wire0.arp_ignore=1 "net.ipv4.conf.$1.arp_ignore=1" net.ipv4.conf.wire0.arp_announce=2
  in_ns tor ip address add "$2/32" dev "$1"
  in_ns tor ip link set dev "$1" up
}

# network PODS [PARAMETER=VALUE]...: the switch with that many VFs, and all of the above but the host. No router runs.
network() {
  local pods=$1 index
  shift
  dpu_router
  switch_load "num_vfs=$pods" "$@"
  tor_add
  for ((index = 0; index < pods; index++)); do
    pod_add "$index"
  done
}

# topology PODS [PARAMETER=VALUE]...: the network, and BGP up between DPU and top of rack. Nothing is announced by the top
# of rack yet.
topology() {
  network "$@"
  bgp_start
}

# static_topology PODS [PARAMETER=VALUE]...: the network for scenarios that set the DPU's routes by hand. The top of rack
# knows the way to the pods, and a second router stands beside it (SECOND_ROUTER, device second0).
static_topology() {
  network "$@"
  in_ns tor ip route add 10.1.0.0/16 via "$DPU_UPLINK"
  tor_neighbour_add second0 "$SECOND_ROUTER"
}

# ipv6_beside PODS: IPv6 beside all that static_topology makes, DPU_UPLINK6 to EXT_ADDRESS6; the DPU has routes to its ports
# alone. To be set before the network is made: LAB_NO_IPV6=0, and in the DPU's namespace net.ipv6.conf.default.accept_dad=0.
ipv6_beside() {
  local index
  sysctl -qw net.ipv6.conf.all.forwarding=1
  in_ns tor sysctl -qw net.ipv6.conf.all.forwarding=1
  {
    echo "address add $DPU_UPLINK6/64 dev p0 nodad"
    for ((index = 0; index < $1; index++)); do echo "address add $(pod_gateway6 "$index")/64 dev pf0vf$index nodad"; done
  } | ip_batch dpu
  for ((index = 0; index < $1; index++)); do
    ip_batch "pod$index" <<POD
address add $(pod_address6 "$index")/64 dev vf$index nodad
route add default via $(pod_gateway6 "$index")
POD
  done
  ip_batch tor <<TOR
address add $TOR_UPLINK6/64 dev wire0 nodad
address add $SECOND_ROUTER6/128 dev second0 nodad
route add 2001:db8:e0::/44 via $DPU_UPLINK6
address add 2001:db8:200::1/64 dev ext0 nodad
route add $EXT_PREFIX6 via 2001:db8:200::2
TOR
  ip_batch ext <<EXT
address add 2001:db8:200::2/64 dev eth0 nodad
address add $EXT_ADDRESS6/128 dev lo nodad
route add default via 2001:db8:200::1
EXT
}
