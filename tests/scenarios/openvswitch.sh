# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian's Open vSwitch beside the agent.

# openvswitch_start: with an empty bridge br0.
openvswitch_start() {
  local run=/run/openvswitch
  modprobe openvswitch
  ovsdb-tool create "$run/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  ovsdb-server "$run/conf.db" "--remote=punix:$run/db.sock" "--pidfile=$run/ovsdb-server.pid" --detach --no-chdir \
    --log-file=/dev/null -vconsole:off
  ovs-vsctl --no-wait init
  "$(command -v ovs-vswitchd || printf /usr/lib/openvswitch-switch/ovs-vswitchd)" "unix:$run/db.sock" \
    "--pidfile=$run/ovs-vswitchd.pid" --detach --no-chdir "--log-file=$run/vswitchd.log" -vconsole:off
  ovs-vsctl --timeout=30 add-br br0
}
