# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# dpuflowd under test. Its log is /run/lab/dpuflowd.log.

agent_log=/run/lab/dpuflowd.log
agent_pid=''

# agent_start [FLAGS]...: returns when it has told that it is ready, as it would tell systemd. A configuration is given by
# flags, or by --config FILE.
agent_start() {
  mkdir -p /run/dpuflow
  rm -f /run/lab/notify /run/lab/notified
  socat -u UNIX-RECV:/run/lab/notify,mode=666 OPEN:/run/lab/notified,creat,append &
  agent_listener=$!
  wait_until 'the notification socket' 10 test -S /run/lab/notify
  NOTIFY_SOCKET=/run/lab/notify "$DPUFLOWD" "$@" >>"$agent_log" 2>&1 &
  agent_pid=$!
  wait_until 'dpuflowd is ready' 60 agent_ready_or_dead
  kill "$agent_listener"
  agent_alive || fail "dpuflowd ended: $(tail -n 5 "$agent_log")"
}

agent_alive() {
  [[ -n $agent_pid ]] && kill -0 "$agent_pid" 2>/dev/null
}

# Each message is a datagram, and none ends a line.
agent_ready_or_dead() {
  ! agent_alive || grep -qs 'READY=1' /run/lab/notified
}

# agent_stop: SIGTERM; returns when it has ended, which it must do with exit code 0.
agent_stop() {
  agent_ends_on TERM
}

# agent_leave: SIGUSR1; returns when it has ended, and has left everything to the next one.
agent_leave() {
  agent_ends_on USR1
}

agent_ends_on() { # SIGNAL
  local code=0
  kill "-$1" "$agent_pid"
  wait "$agent_pid" || code=$?
  agent_pid=''
  expect_eq "dpuflowd's exit code" 0 "$code"
}

# agent_kill: as a crash would end it.
agent_kill() {
  kill -KILL "$agent_pid"
  wait "$agent_pid" || true
  agent_pid=''
}

ctl() {
  "$DPUFLOWCTL" "$@"
}

# agent_sync: returns when everything that has happened so far has reached the hardware.
agent_sync() {
  ctl sync --timeout 30s >/dev/null
}
