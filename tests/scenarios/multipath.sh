# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What scenarios of multipath routes share: two routers on the wire (static_topology), many connections of pod0 to one
# address, and which path each of them takes: by the kernel's word, by its entry, and by the frames on the wire.

# shellcheck source=common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"

# connections FROM TO FIRST COUNT: frames from pod0 over UDP to port 7000, one per source port; without a UDP checksum.
connections() {
  local at=34 template
  [[ $1 != *:* ]] || at=54
  if [[ $1 == *:* ]]; then set -- "[$1]" "[$2]" "$3" "$4"; fi
  template=$("$LABTRAFFIC" frame --from-mac "$(mac_of pod0 vf0)" --to-mac "$(mac_of dpu pf0vf0)" --from "$1:1" --to "$2:7000")
  awk -v frame="$template" -v first="$3" -v count="$4" -v at="$((2 * at))" 'BEGIN {
    for (port = first; port < first + count; port++)
      print substr(frame, 1, at) sprintf("%04x", port) substr(frame, at + 5, 8) "0000" substr(frame, at + 17)
  }'
}

send_connections() {
  connections "$@" | in_ns pod0 "$LABTRAFFIC" raw --device vf0 --rate 2000 >/dev/null
}

# offload_connections FROM TO FIRST COUNT: sends until each has its entry; the ring of misses may have no room for some.
offload_connections() {
  # shellcheck disable=SC2317 # wait_until calls it
  offload_connections_step() { send_connections "$@" && agent_sync && equals "$4" count_entries_to "$2"; }
  wait_until "$4 flows in hardware" 60 offload_connections_step "$@"
}

# entries_to PREFIX: the routing entries for addresses that begin so, one a line, as routing-entries.py says.
entries_to() { "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/routing-entries.py" "$1" <"$switch_debugfs/rules"; }
count_entries_to() { entries_to "$1" | wc -l; }

# Of the entries on the standard input: how many send to each MAC ("MAC=COUNT"), and the fields of their keys.
mac_counts() { awk '{ print $4 }' | sort | uniq -c | awk '{ print $2 "=" $1 }'; }
key_fields() { cut -d' ' -f6- | sort -u; }

# The path of each connection, as "PORT MAC", one a line, sorted.
#
# entry_paths ADDRESS: of those that have an entry.
entry_paths() {
  entries_to "$1" | awk '$3 != "-" { print $3, $4 }' | sort
}
# kernel_paths FROM TO FIRST COUNT: by lookups without a packet.
kernel_paths() {
  local port
  ip -j neigh show | gojq -r '.[] | select(.lladdr) | "\(.dst) \(.lladdr)"' >/run/lab/routers
  for ((port = $3; port < $3 + $4; port++)); do
    printf 'route get %s from %s iif pf0vf0 ipproto udp sport %d dport 7000\n' "$2" "$1" "$port"
  done | ip -batch - | grep -o ' via [^ ]*' | awk -v first="$3" '
    BEGIN { while (getline <"/run/lab/routers") mac[$1] = $2 }
    { print first++, mac[$2] }' | sort
}
# wire_paths FILE FROM TO FIRST COUNT: sends one packet of each, and writes down which router each of them went to.
wire_paths() {
  local tcpdump file=$1
  shift
  # Not by in_ns: tcpdump itself is to get the signal.
  nsenter --net=/run/netns/tor tcpdump -Z root -i wire0 -Q in -e -nn -l udp dst port 7000 >/run/lab/wire 2>/run/lab/wire.errors &
  tcpdump=$!
  wait_until 'tcpdump listens' 20 grep -q 'listening on' /run/lab/wire.errors
  send_connections "$@"
  wait_until "$4 packets on the wire" 20 equals "$4" eval 'wc -l </run/lab/wire'
  kill "$tcpdump"
  wait "$tcpdump" || true
  sed -nE 's/.* > ([0-9a-f:]{17}), .*[.]([0-9]+) > .*[.]7000: .*/\2 \1/p' /run/lab/wire | sort >"$file"
}

# expect_spread NAME TOTAL FOUND WEIGHT ALL_WEIGHTS: how many went by a path is within four standard deviations of its weight.
expect_spread() {
  awk -v n="$2" -v found="$3" -v weight="$4" -v all="$5" 'BEGIN {
    p = weight / all; mean = n * p; deviation = 4 * sqrt(n * p * (1 - p)); exit !(found > mean - deviation && found < mean + deviation)
  }' || fail "$1: $3 of $2 by a path of weight $4 of $5"
  expect_ok "$1: $3 of $2 by the path of weight $4 of $5"
}
