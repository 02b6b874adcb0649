# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The NIC and its embedded switch (tests/lab/switch), and what it says of itself.

switch_debugfs=/sys/kernel/debug/labnic
switch_parameters=/sys/module/labnic/parameters

# switch_load [PARAMETER=VALUE]...: the switch appears, its ports down. The classifiers and actions that it is programmed
# by are loaded as well.
switch_load() {
  modprobe -a sch_ingress cls_flower cls_bpf cls_matchall act_gact act_mirred act_pedit act_csum act_vlan act_skbedit
  sysctl -qw net.ipv6.conf.default.disable_ipv6="${LAB_NO_IPV6:-1}" net.ipv6.conf.all.disable_ipv6="${LAB_NO_IPV6:-1}"
  insmod "$LABNIC_KO" "$@"
}

switch_unload() {
  rmmod labnic
}

switch_set() { # PARAMETER VALUE
  printf '%s\n' "$2" >"$switch_parameters/$1"
}

# switch_rules [JQ FILTER]: its entries, one JSON object a line, those that the filter selects.
switch_rules() {
  gojq -c "${1:-.}" "$switch_debugfs/rules"
}

# switch_total JQ: one of its totals, such as .misses
switch_total() {
  gojq -r "$1" "$switch_debugfs/totals"
}

# switch_forget CHAIN PORT: loses what it holds of the port ("vf 0", "pf", "uplink") in that chain, and tells nobody.
switch_forget() {
  printf '%d %s\n' "$1" "$2" >"$switch_debugfs/forget"
}

# port_up REPRESENTOR NAMESPACE FAR_SIDE ADDRESS/LENGTH FAR_ADDRESS/LENGTH: moves a port's far side into its namespace; both
# come up, with these addresses.
port_up() {
  local representor=$1 namespace=$2 far=$3
  ip_batch dpu <<DPU
link set dev $far netns $namespace
link set dev $representor up
address add $4 dev $representor
DPU
  ip_batch "$namespace" <<FAR
link set dev $far up
address add $5 dev $far
FAR
  wait_until "carrier of $representor" 10 has_carrier "$representor"
}
has_carrier() {
  [[ $(<"/sys/class/net/$1/carrier") == 1 ]]
}
