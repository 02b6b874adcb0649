# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Numbered packets (tests/lab/traffic). A stream has a name; what was sent and received is kept as JSON under it.

traffic_directory=/run/lab/traffic
stream_limit_ms=7200000 # longer than any scenario

# receive_start NAME NAMESPACE OPTIONS...: `labtraffic receive` in the background; returns once it listens.
receive_start() {
  local name=$1 namespace=$2 base=$traffic_directory/$1
  shift 2
  mkdir -p "$traffic_directory"
  rm -f "$base".*
  in_ns "$namespace" "$LABTRAFFIC" receive --ready "$base.ready" "$@" >"$base.received" 2>"$base.errors" &
  printf '%d\n' $! >"$base.pid"
  wait_until "receiver $name listens" 20 receiver_listens_or_dead "$name"
  [[ -e $base.ready ]] || fail "receiver $name: $(<"$base.errors")"
}

receiver_listens_or_dead() { # NAME
  [[ -e $traffic_directory/$1.ready ]] || ! kill -0 "$(<"$traffic_directory/$1.pid")" 2>/dev/null
}

# receive_end NAME: waits until the receiver has its report; it ends by itself after the sender's end marker.
receive_end() {
  local base=$traffic_directory/$1
  wait "$(<"$base.pid")" || fail "receiver $1: $(<"$base.errors")"
}

# send_packets NAME NAMESPACE OPTIONS...: `labtraffic send`; returns when all is sent.
send_packets() {
  local name=$1 namespace=$2
  shift 2
  mkdir -p "$traffic_directory"
  in_ns "$namespace" "$LABTRAFFIC" send "$@" >"$traffic_directory/$name.sent"
}

# stream_start NAME FROM_NAMESPACE FROM_ADDRESS TO_NAMESPACE TO_ADDRESS [SEND_OPTIONS]...: as stream, but goes on until
# stream_stop, by default with 500 packets a second; what a scenario does in between takes as long as it takes. After the end
# the receiver listens until it is quiet for stream_idle_ms.
stream_start() {
  local name=$1 from=$2 from_address=$3 to=$4 to_address=$5
  shift 5
  (($#)) || set -- --rate 500
  receive_start "$name" "$to" --bind "$to_address:7000" --timeout "$stream_limit_ms" --idle "${stream_idle_ms:-500}"
  send_start "$name" "$from" --from "$from_address:7000" --to "$to_address:7000" "$@"
}

# flows_start NAME FROM_NAMESPACE FROM_ADDRESS TO_NAMESPACE FIRST_ADDRESS FLOWS [RATE]: as stream_start, to as many addresses,
# from that one on, all of which end in that namespace; 1,000 packets a second in all, or RATE. IPv6 has port 7006, so that both
# families can end in one namespace.
flows_start() {
  local port=7000 any=0.0.0.0
  [[ $5 != *:* ]] || port=7006 any='[::]'
  receive_start "$1" "$4" --bind "$any:$port" --timeout "$stream_limit_ms" --idle 500
  send_start "$1" "$2" --from "$(in_url "$3"):$port" --to "$(in_url "$5"):$port" --rate "${7-1000}" --flows "$6" --spread address
}

# send_start NAME NAMESPACE OPTIONS...: `labtraffic send` in the background, until stream_stop ends it.
send_start() {
  local name=$1 namespace=$2
  shift 2
  # Not by in_ns: the sender itself is to get the signal, not a shell around it.
  nsenter --net="/run/netns/$namespace" "$LABTRAFFIC" send --count 0 "$@" >"$traffic_directory/$name.sent" &
  printf '%d\n' $! >"$traffic_directory/$name.sender"
}

# stream_stop NAME: returns when both ends have their reports. Of a receiver that has not seen the end nobody knows what was lost.
stream_stop() {
  local sender
  sender=$(<"$traffic_directory/$1.sender")
  kill -TERM "$sender" || fail "stream $1 has ended by itself"
  wait "$sender"
  receive_end "$1"
  [[ $(received "$1" .ended) == true ]] || fail "receiver $1 has not seen the stream's end: $(received "$1" .stopped)"
}

# sent NAME JQ, received NAME JQ: a number of the stream's reports, such as .lost
sent() {
  gojq -r "$2" "$traffic_directory/$1.sent"
}

received() {
  gojq -r "$2" "$traffic_directory/$1.received"
}

# stream NAME FROM_NAMESPACE FROM_ADDRESS TO_NAMESPACE TO_ADDRESS SEND_OPTIONS...: UDP port 7000 to 7000, received by a
# socket; returns when both ends have their reports.
stream() {
  local name=$1 from=$2 from_address=$3 to=$4 to_address=$5
  shift 5
  receive_start "$name" "$to" --bind "$to_address:7000"
  send_packets "$name" "$from" --from "$from_address:7000" --to "$to_address:7000" "$@"
  receive_end "$name"
}

# send_frame NAMESPACE DEVICE FRAME_OPTIONS...: one frame made by `labtraffic frame`.
send_frame() {
  local namespace=$1 device=$2
  shift 2
  "$LABTRAFFIC" frame "$@" | in_ns "$namespace" "$LABTRAFFIC" raw --device "$device" >/dev/null
}
