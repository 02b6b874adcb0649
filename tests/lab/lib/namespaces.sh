# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Network namespaces by name. `dpu` is the one that the scenario itself runs in, the DPU's.

namespace_add() { # NAME
  ip netns add "$1"
  in_ns "$1" sysctl -qw net.ipv6.conf.default.disable_ipv6="${LAB_NO_IPV6:-1}"
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

mac_of() { # NAMESPACE DEVICE
  in_ns "$1" ip -j link show dev "$2" | gojq -r '.[0].address'
}

# pings NAMESPACE ADDRESS [OPTIONS]: whether one echo request is answered within a second.
pings() {
  local namespace=$1 address=$2
  shift 2
  in_ns "$namespace" ping -n -q -c 1 -W 1 "$@" "$address"
}
