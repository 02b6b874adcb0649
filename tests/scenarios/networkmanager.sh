# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian's NetworkManager beside the agent, without udev: a /sys that cannot be written tells it not to wait for that.

# networkmanager_start DEVICE: it may manage this one, and nothing else.
networkmanager_start() {
  mkdir -p /run/dbus /run/NetworkManager /etc/NetworkManager/system-connections
  cat >/etc/NetworkManager/NetworkManager.conf <<CONFIG
[main]
plugins=keyfile
auth-polkit=false
no-auto-default=*
dns=none
[keyfile]
unmanaged-devices=except:interface-name:$1
CONFIG
  dbus-daemon --system --fork --nopidfile
  unshare --mount sh -c 'mount -o bind,remount,ro /sys && exec NetworkManager --no-daemon' &>/run/NetworkManager/log &
  networkmanager_pid=$!
  wait_until 'NetworkManager runs' 60 nmcli -t general status
}

networkmanager_stop() {
  kill "$networkmanager_pid"
  wait "$networkmanager_pid" || true
}
