# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# FRRouting on the DPU and on the top of rack (path space `tor`, in namespace tor), speaking BGP with each other over the
# uplink's representor. The daemons are started directly; their logs are in /var/log/frr/NAME-{zebra,bgpd}.log.

BGP_DPU_AS=65001
BGP_TOR_AS=65000

frr_etc() { # NAME
  if [[ $1 == dpu ]]; then printf '/etc/frr\n'; else printf '/etc/frr/%s\n' "$1"; fi
}

# frr_start NAME: zebra and bgpd in the namespace of this name; bgpd's configuration is standard input.
frr_start() {
  local name=$1 etc space=() daemon
  etc=$(frr_etc "$name")
  [[ $name == dpu ]] || space=(-N "$name")
  mkdir -p "$etc" "/run/frr/$name"
  cat >"$etc/bgpd.conf"
  touch "$etc/zebra.conf" "$etc/vtysh.conf"
  chown -R frr:frr "$etc" /run/frr
  for daemon in zebra bgpd; do
    in_ns "$name" "/usr/lib/frr/$daemon" -d "${space[@]}" -f "$etc/$daemon.conf" -P 0 \
      --log "file:/var/log/frr/$name-$daemon.log" --log-level info 2>>"/var/log/frr/$name-$daemon.log"
  done
}

# frr_stop NAME DAEMON [SIGNAL]: returns when it has ended.
frr_stop() {
  local directory=/run/frr/$1 pid
  [[ $1 != dpu ]] || directory=/run/frr
  pid=$(<"$directory/$2.pid")
  kill "-${3:-TERM}" "$pid"
  wait_until "$2 of $1 ends" 20 fails test -e "/proc/$pid"
}

# vty NAME COMMAND...: vtysh's answer; several commands are typed one after the other.
vty() {
  local name=$1 space=() commands=() command
  shift
  [[ $name == dpu ]] || space=(-N "$name")
  for command in "$@"; do
    commands+=(-c "$command")
  done
  in_ns "$name" vtysh "${space[@]}" "${commands[@]}"
}

# The timers are as fast as they go: a scenario waits for each change.
bgp_config() { # AS ROUTER_ID NEIGHBOUR NEIGHBOUR_AS
  cat <<CONFIG
hostname $2
router bgp $1
 bgp router-id $2
 no bgp ebgp-requires-policy
 no bgp network import-check
 coalesce-time 0
 timers bgp 3 9
 neighbor $3 remote-as $4
 neighbor $3 timers connect 1
 neighbor $3 advertisement-interval 0
CONFIG
}

# bgp_start: both routers, until the session is up in the eyes of both and the pods' networks are known to the tor.
bgp_start() {
  {
    bgp_config "$BGP_DPU_AS" "$DPU_UPLINK" "$TOR_UPLINK" "$BGP_TOR_AS"
    printf ' address-family ipv4 unicast\n  redistribute connected\n'
  } | frr_start dpu
  bgp_config "$BGP_TOR_AS" "$TOR_UPLINK" "$DPU_UPLINK" "$BGP_DPU_AS" | frr_start tor
  # A route by BGP shows that the session is up; vtysh itself takes half a second to start.
  wait_until "the top of rack's route to the pods" 60 prints 'proto bgp' in_ns tor ip route show 10.1.0.0/24
  wait_until "BGP session of the top of rack" 60 equals Established bgp_state tor "$DPU_UPLINK"
  wait_until "BGP session of the DPU" 60 equals Established bgp_state dpu "$TOR_UPLINK"
}

bgp_state() { # NAME NEIGHBOUR
  vty "$1" "show bgp neighbors $2 json" | gojq -r --arg neighbour "$2" '.[$neighbour].bgpState'
}

# Which next hop the top of rack gives for a prefix that it announces.
declare -A tor_next_hops=()

# tor_announce PREFIX [NEXT_HOP]: by BGP; returns when the DPU's kernel has the route, by that next hop. Next hops other
# than the top of rack itself are set on the way out, for the prefixes in the list named after them.
tor_announce() {
  local prefix=$1 next_hop=${2:-$TOR_UPLINK} commands=('configure terminal')
  [[ -z ${tor_next_hops[$prefix]-} ]] || commands+=("no ip prefix-list via-${tor_next_hops[$prefix]} permit $prefix")
  commands+=("ip prefix-list via-$next_hop permit $prefix"
    "route-map to-dpu permit ${next_hop##*.}" "match ip address prefix-list via-$next_hop"
    "set ip next-hop $next_hop" exit
    "router bgp $BGP_TOR_AS" 'address-family ipv4 unicast' "neighbor $DPU_UPLINK route-map to-dpu out"
    "network $prefix" end "clear bgp $DPU_UPLINK soft out")
  tor_next_hops[$prefix]=$next_hop
  vty tor "${commands[@]}"
  wait_until "the DPU's route to $prefix" 30 prints "via $next_hop " ip route show "$prefix"
}

# tor_withdraw PREFIX: returns when the route has gone from the DPU's kernel.
tor_withdraw() {
  vty tor 'configure terminal' "router bgp $BGP_TOR_AS" 'address-family ipv4 unicast' "no network $1"
  wait_until "the DPU's route to $1 goes" 30 equals '' ip route show "$1"
}
