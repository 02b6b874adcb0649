# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Network namespaces by name. `dpu` is the one that the scenario itself runs in, the DPU's. On an emulated processor a
# network takes as long to make as it takes processes, so what comes together is one batch.

# namespace_add NAME: nobody there asks for an IPv6 router, who would be heard of when a scenario does not expect it.
namespace_add() {
  ip netns add "$1"
  in_ns "$1" sysctl -qw "net.ipv6.conf.default.disable_ipv6=${LAB_NO_IPV6:-1}" net.ipv6.conf.default.router_solicitations=0
  in_ns "$1" ip link set lo up
}

# in_ns NAME COMMAND...: unlike `ip netns exec` it leaves /sys alone, so debugfs stays visible.
in_ns() {
  local name=$1
  shift
  if [[ $name == dpu ]]; then
    "$@"
  else
    nsenter --net="/run/netns/$name" "$@"
  fi
}

# ip_batch NAME: commands of ip, without that word, one a line on the standard input.
ip_batch() {
  in_ns "$1" ip -batch -
}

mac_of() { # NAMESPACE DEVICE
  local mac
  read -r _ _ mac _ < <(in_ns "$1" ip -br link show dev "$2")
  printf '%s\n' "$mac"
}

# silence NAMESPACE DEVICE: nothing that its stack sends there leaves it, as ARP and neighbour discovery would at any time.
# silence_ends: it speaks again.
silence() {
  in_ns "$1" tc qdisc add dev "$2" clsact
  in_ns "$1" tc filter add dev "$2" egress matchall action drop
}

silence_ends() {
  in_ns "$1" tc qdisc del dev "$2" clsact
}

# pings NAMESPACE ADDRESS [OPTIONS]: whether one echo request is answered within a second.
pings() {
  local namespace=$1 address=$2
  shift 2
  in_ns "$namespace" ping -n -q -c 1 -W 1 "$@" "$address"
}
