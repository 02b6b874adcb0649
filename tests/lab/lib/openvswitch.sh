# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian's Open vSwitch beside the agent.

# openvswitch_start [KEY=VALUE]...: with an empty bridge br0, and these of its other_config.
openvswitch_start() {
  local run=/run/openvswitch setting
  modprobe openvswitch
  ovsdb-tool create "$run/conf.db" /usr/share/openvswitch/vswitch.ovsschema
  ovsdb-server "$run/conf.db" "--remote=punix:$run/db.sock" "--pidfile=$run/ovsdb-server.pid" --detach --no-chdir \
    --log-file=/dev/null -vconsole:off
  ovs-vsctl --no-wait init
  for setting; do ovs-vsctl --no-wait set Open_vSwitch . "other_config:$setting"; done
  "$(command -v ovs-vswitchd || printf /usr/lib/openvswitch-switch/ovs-vswitchd)" "unix:$run/db.sock" \
    "--pidfile=$run/ovs-vswitchd.pid" --detach --no-chdir "--log-file=$run/vswitchd.log" -vconsole:off
  ovs-vsctl --timeout=30 add-br br0
}

# openvswitch_stop: nothing of it is left.
openvswitch_stop() {
  local run=/run/openvswitch name pid
  ovs-vsctl --timeout=600 del-br br0 # and all its entries
  for name in ovs-vswitchd ovsdb-server; do
    pid=$(<"$run/$name.pid")
    kill "$pid"
    wait_until "$name has ended" 30 fails kill -0 "$pid"
  done
  ovs-dpctl del-dp ovs-system 2>/dev/null || true # it may have gone with the last bridge
  rm "$run/conf.db"
}
