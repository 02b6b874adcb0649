# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# dpuflowd as the service that packages install, in a machine that systemd has booted ("# run: systemd").

# service_install: programs, units, user and configuration directory, as installing a package puts them.
# shellcheck disable=SC2154 # of lab.sh
service_install() {
  local unit
  for unit in dpuflowd.service dpuflow-gc.service; do
    cp "$LAB_BUILD/packaging/$unit" /run/systemd/system/
  done
  cp "$lab_repository/packaging/systemd/dpuflow-gc.timer" /run/systemd/system/
  install -D "$DPUFLOWD" "$(program_of dpuflowd.service)"
  install -D "$DPUFLOWCTL" "$(program_of dpuflow-gc.service)"
  systemd-sysusers "$lab_repository/packaging/systemd/dpuflow.sysusers"
  mkdir -p /etc/dpuflow
  systemctl daemon-reload
}

program_of() { # UNIT
  sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "/run/systemd/system/$1"
}

# service_setting UNIT NAME [LINE...]: a drop-in of that name, with these lines of [Service]; without lines it goes.
service_setting() {
  local directory=/run/systemd/system/$1.d name=$2
  shift 2
  mkdir -p "$directory"
  if (($#)); then printf '%s\n' '[Service]' "$@" >"$directory/$name.conf"; else rm "$directory/$name.conf"; fi
  systemctl daemon-reload
}

service_property() { # NAME [UNIT]
  systemctl show --value -p "$1" "${2-dpuflowd}"
}

# service_again PID: for wait_until: another process than that one is the daemon, and ready.
service_again() {
  [[ $(service_property MainPID) != "$1" && $(service_property ActiveState) == active ]]
}
