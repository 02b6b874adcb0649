# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Waiting for something to be so, never for time to pass. The limits count only when a scenario fails, so they are
# generous: an emulated processor on a busy machine is slow.

now_ms() {
  local seconds=${EPOCHREALTIME%[.,]*} fraction=${EPOCHREALTIME#*[.,]}
  printf '%d\n' "$((seconds * 1000 + 10#$fraction / 1000))"
}

# Nothing is ever written to this pipe: to read from it is a pause that starts no process.
exec {silence}<> <(:)

pause() { # SECONDS
  read -rt "$1" -u "$silence" || true
}

# wait_until WHAT SECONDS COMMAND...: tries the command until it succeeds; fails the scenario after that many seconds,
# with what the command last printed.
wait_until() {
  local what=$1 limit=$2 end output
  shift 2
  end=$((SECONDS + limit))
  until output=$("$@" 2>&1); do
    ((SECONDS <= end)) || fail "$what: not within $limit s; '$*' printed: $output"
    pause 0.05
  done
}

# equals EXPECTED COMMAND...: whether the command prints exactly this; for wait_until.
equals() {
  local expected=$1 found
  shift
  found=$("$@") || return 1
  printf '%s\n' "$found"
  [[ $found == "$expected" ]]
}

# prints REGEX COMMAND...: whether something that the command prints matches; for wait_until.
prints() {
  local regex=$1 found
  shift
  found=$("$@") || return 1
  printf '%s\n' "$found"
  [[ $found =~ $regex ]]
}

# fails COMMAND...: for wait_until.
fails() {
  ! "$@"
}
