# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What a scenario sources, first thing after `set -euo pipefail`: all helpers, and the paths of what was built. A
# scenario that fails says where, then prints the state of everything (diagnostics.sh). It needs no clean-up of its own:
# the virtual machine ends with it.
#
#   ext ----- tor ===== wire0 | p0  DPU  pf0vfN | vfN  podN
# namespace   FRR             |     FRR         |      namespace
#                             |         pf0hpf  | host0 host
#                         the switch (labnic)

if [[ ! -r /run/lab/variables ]]; then
  echo "$0: changes network and kernel, so it runs in the lab only: tests/lab/run $0" >&2
  exit 2
fi

set -E
lab_directory=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
lab_repository=$(readlink -f "$lab_directory/../../..")
: "${LAB_BUILD:=$lab_repository/build/release}"
: "${LABTRAFFIC:=$LAB_BUILD/tests/lab/traffic/labtraffic}"
: "${DPUFLOWD:=$LAB_BUILD/agent/dpuflowd}"
: "${DPUFLOWCTL:=$LAB_BUILD/agent/ctl/dpuflowctl}"
export LABTRAFFIC DPUFLOWD DPUFLOWCTL

# shellcheck source=expect.sh
source "$lab_directory/expect.sh"
# shellcheck source=wait.sh
source "$lab_directory/wait.sh"
# shellcheck source=namespaces.sh
source "$lab_directory/namespaces.sh"
# shellcheck source=switch.sh
source "$lab_directory/switch.sh"
# shellcheck source=topology.sh
source "$lab_directory/topology.sh"
# shellcheck source=routers.sh
source "$lab_directory/routers.sh"
# shellcheck source=traffic.sh
source "$lab_directory/traffic.sh"
# shellcheck source=agent.sh
source "$lab_directory/agent.sh"
# shellcheck source=diagnostics.sh
source "$lab_directory/diagnostics.sh"

trap 'diagnose_exit $?' EXIT
trap 'diagnose_error "$BASH_COMMAND"' ERR
