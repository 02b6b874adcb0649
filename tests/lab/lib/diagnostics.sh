# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What a scenario prints when it fails: all there is to know before the virtual machine ends.

# diagnose_error COMMAND: says where a command failed that nobody had foreseen.
diagnose_error() {
  local frame=1
  while [[ ${BASH_SOURCE[frame]-} == */lab/lib/* ]]; do
    frame=$((frame + 1))
  done
  printf "  FAILED  '%s', at %s:%s\n" "$1" "${BASH_SOURCE[frame]:-$0}" "${BASH_LINENO[frame - 1]}"
}

diagnose_exit() { # EXIT_CODE
  trap - ERR EXIT
  set +eu
  (($1 == 0)) || diagnose
  exit "$1"
}

# shellcheck disable=SC2154  # the variables are those of the other helpers
diagnose() {
  diagnose_section 'addresses' ip -brief address
  diagnose_section 'routes' ip route show table all
  diagnose_section 'neighbours' ip neighbour
  diagnose_namespaces
  diagnose_filters
  [[ ! -r $switch_debugfs/rules ]] || diagnose_section "the switch's rules" head -n 60 "$switch_debugfs/rules"
  [[ ! -r $switch_debugfs/totals ]] || diagnose_section "the switch's totals" cat "$switch_debugfs/totals"
  if agent_alive; then
    diagnose_section 'dpuflowctl status' timeout 5 "$DPUFLOWCTL" status
    diagnose_section 'dpuflowctl flow show' timeout 5 "$DPUFLOWCTL" -s flow show
    diagnose_section 'dpuflowctl stats' timeout 5 "$DPUFLOWCTL" stats
  fi
  [[ ! -e $agent_log ]] || diagnose_section 'dpuflowd' tail -n 60 "$agent_log"
  diagnose_files "$traffic_directory"/*.sent "$traffic_directory"/*.received "$traffic_directory"/*.errors
  diagnose_files /var/log/frr/*.log
  diagnose_section "the kernel's log since it booted" sh -c "dmesg | sed '1,/9p: Installing/d'"
}

diagnose_section() { # TITLE COMMAND...
  printf '\n---- %s\n' "$1"
  shift
  "$@" 2>&1 | tail -n 60
}

diagnose_files() {
  local file
  for file in "$@"; do
    [[ ! -s $file ]] || diagnose_section "$file" tail -n 40 "$file"
  done
}

diagnose_namespaces() {
  local path name
  for path in /run/netns/*; do
    [[ -e $path ]] || continue
    name=${path##*/}
    diagnose_section "namespace $name" in_ns "$name" ip -brief address
    in_ns "$name" ip route
    in_ns "$name" ip neighbour
  done
}

diagnose_filters() {
  local path
  for path in /sys/class/net/p0 /sys/class/net/pf0*; do
    [[ -e $path ]] || continue
    diagnose_section "filters of ${path##*/}" tc -s filter show dev "${path##*/}" ingress
  done
}
