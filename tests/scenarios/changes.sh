# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What scenarios about changes share. A pod sends to one address of each family, 1,000 packets a second, and while it does
# something changes; once with offload on, once with offload off. Hardware must do no worse than the kernel alone:
#
#   changes_network
#   change 'a route is replaced' 'ip46 route replace net second' second 'ip46 route replace net tor' tor
#   interruption 1 'a route is withdrawn' 'ip46 route del net' nowhere 'ip46 route add net tor' tor
#   compare_changes
#
# A change is a list of steps: a command, and the place where the packets then come out. There are three ways to ext:
#
#   place     what stands there
#   tor       the top of rack, where all begins and ends
#   second    another router on the same wire
#   host      a router behind the host's function: another port of the switch
#   nowhere   nothing: the packets are refused or dropped
#   either    tor or second, as the hash of a multipath route has it
#
# Where the families differ it is IPV4/IPV6, such as nowhere/tor. With offload on, packets go through hardware after each
# step, unless it says PLACE=software; PLACE=anyhow does not ask.

export LAB_NO_IPV6=0
# shellcheck source=common.sh
source "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/common.sh"

RATE=1000   # packets a second, of each family
SHOWN_BY=50 # packets that show where a stream comes out

POD4=$(pod_address 0)
POD6=2001:db8:e0::2
POD_GATEWAY6=2001:db8:e0::1
EXT6=2001:db8:100::1
export POD_GATEWAY6

# What ip46 says for a word, for IPv4 and for IPv6: prefixes around ext, the ways, the routers, nexthop objects.
declare -A words4=(
  [net]=$EXT_PREFIX [one]=$EXT_ADDRESS/32 [wide]=203.0.0.0/16 [pod]=$POD4/32 [own]=$DPU_UPLINK/$UPLINK_LENGTH
  [tor]="via $TOR_UPLINK dev p0" [second]="via $SECOND_ROUTER dev p0" [host]="via $HOST_ADDRESS dev pf0hpf"
  [tor_router]=$TOR_UPLINK [second_router]=$SECOND_ROUTER [host_router]=$HOST_ADDRESS
  [hop1]=41 [hop2]=42 [hop1/hop2]=41/42 [group_of]=49
)
declare -A words6=(
  [net]=2001:db8:100::/64 [one]=$EXT6/128 [wide]=2001:db8::/32 [pod]=$POD6/128 [own]=2001:db8:ff::1/64
  [tor]='via 2001:db8:ff::2 dev p0' [second]='via 2001:db8:ff::3 dev p0' [host]='via 2001:db8:fe::2 dev pf0hpf'
  [tor_router]=2001:db8:ff::2 [second_router]=2001:db8:ff::3 [host_router]=2001:db8:fe::2
  [hop1]=61 [hop2]=62 [hop1/hop2]=61/62 [group_of]=69
)

# ip46 WORDS...: ip for IPv4, then for IPv6, with the words above in their places.
ip46() {
  local word four=() six=() meant
  for word; do
    read -ra meant <<<"${words4[$word]-$word}"
    four+=("${meant[@]}")
    read -ra meant <<<"${words6[$word]-$word}"
    six+=("${meant[@]}")
  done
  ip "${four[@]}"
  ip -6 "${six[@]}"
}

# Without duplicate address detection, which takes a second per address.
address6() { # NAMESPACE ADDRESS DEVICE
  in_ns "$1" ip -6 address add "$2" dev "$3" nodad
}

# changes_network: the network of one pod, both families, with the three ways to ext; the way by the top
# of rack in the DPU's tables, as `net`; the agent.
changes_network() {
  # A link that goes down keeps its IPv6 addresses, as it keeps those of IPv4.
  sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.keep_addr_on_down=1
  network 1
  sysctl -qw net.ipv6.conf.all.forwarding=1
  address6 dpu 2001:db8:ff::1/64 p0
  address6 dpu "$POD_GATEWAY6/64" pf0vf0
  address6 pod0 "$POD6/64" vf0
  in_ns pod0 ip -6 route add default via "$POD_GATEWAY6"

  tor_leads_to_ext6
  tor_knows_the_way

  namespace_add second
  in_ns tor ip link add link wire0 name second0 netns second type macvlan mode bridge
  in_ns second ip link set dev second0 up
  in_ns second ip address add "$SECOND_ROUTER/$UPLINK_LENGTH" dev second0
  address6 second 2001:db8:ff::3/64 second0
  way_to_ext second

  host_add
  address6 dpu 2001:db8:fe::1/64 pf0hpf
  address6 host 2001:db8:fe::2/64 host0
  way_to_ext host

  count_place tor
  count_place second
  count_place host
  ip46 route add net tor
  agent_start --idle-time 10m
  meet tor_router
  meet second_router
  meet host_router
}

# tor_leads_to_ext6: as the network's tor_add has it lead there by IPv4.
tor_leads_to_ext6() {
  in_ns tor sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.all.keep_addr_on_down=1
  address6 tor 2001:db8:ff::2/64 wire0
  address6 tor 2001:db8:200::1/64 ext0
  address6 ext 2001:db8:200::2/64 eth0
  address6 ext "$EXT6/128" lo
  in_ns ext ip -6 route add default via 2001:db8:200::1
  in_ns tor ip -6 route add "$EXT6" via 2001:db8:200::2
}

# tor_knows_the_way: to the pod. It never asks for the DPU's MAC: its questions would tell the DPU its own.
tor_knows_the_way() {
  local address
  for address in "$DPU_UPLINK" 2001:db8:ff::1; do
    in_ns tor ip neigh replace "$address" dev wire0 lladdr "$(mac_of dpu p0)" nud permanent
  done
  in_ns tor ip route replace 10.1.0.0/16 via "$DPU_UPLINK"
  in_ns tor ip -6 route replace 2001:db8:e0::/64 via 2001:db8:ff::1
}

# way_to_ext NAMESPACE: it routes to ext, over a link of its own.
way_to_ext() {
  in_ns "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  in_ns "$1" ip link add name ext0 type veth peer name "$1" netns ext
  in_ns "$1" ip link set dev ext0 up
  in_ns ext ip link set dev "$1" up
  in_ns "$1" ip route add "$EXT_ADDRESS" dev ext0
  in_ns "$1" ip -6 route add "$EXT6" dev ext0
  in_ns "$1" ip neigh add "$EXT_ADDRESS" dev ext0 lladdr "$(mac_of ext "$1")"
  in_ns "$1" ip -6 neigh add "$EXT6" dev ext0 lladdr "$(mac_of ext "$1")"
}

# meet ROUTER: the kernel knows its MACs before they are needed; packets that wait for one may be too many.
meet() {
  local address
  for address in "${words4[$1]}" "${words6[$1]}"; do
    wait_until "$address answers" 20 pings dpu "$address"
  done
}

# ---- where packets come out ------------------------------------------------------------------------------------------

declare -A places=() # of each, the directory of its namespace's counters
# Packets by place and family ("tor6"), when they were last read. Not every network has a second router.
declare -A came=([second4]=0 [second6]=0)
in_hardware=()       # by family: whether its entry was in hardware, when that was last read

# count_place NAMESPACE: the packets that it forwards are counted. The kernel's own counters are read without starting a
# process, which takes long under the streams' load.
count_place() {
  nsenter --net="/run/netns/$1" sleep infinity &
  places[$1]=/proc/$!/net
  wait_until "a process in $1" 20 test "/proc/$!/ns/net" -ef "/run/netns/$1"
}

# count_came: reads all counters. `nowhere` has all that the pod has sent, shared out to the families.
# shellcheck disable=SC2154 # of tests/lab/lib/switch.sh
count_came() {
  local place lines values
  for place in "${!places[@]}"; do
    # A whole file at once: line by line, it would change in between.
    mapfile -t lines <"${places[$place]}/snmp"
    # The second line has the values of IPv4: "Ip:", forwarding, TTL, received, two errors, forwarded.
    read -ra values <<<"${lines[1]}"
    came[${place}4]=${values[6]}
    mapfile -t lines <"${places[$place]}/snmp6"
    [[ "${lines[*]}" =~ Ip6OutForwDatagrams[[:space:]]+([0-9]+) ]]
    came[${place}6]=${BASH_REMATCH[1]}
  done
  mapfile -t lines <"$switch_debugfs/totals"
  [[ "${lines[*]}" =~ '"pf0vf0":{"ifindex":'[0-9]+',"sent":'([0-9]+) ]]
  came[either4]=$((came[tor4] + came[second4])) came[nowhere4]=$((BASH_REMATCH[1] / 2))
  came[either6]=$((came[tor6] + came[second6])) came[nowhere6]=${came[nowhere4]}
}

# read_entries: which families the pod's port has the routing entry to ext of, into the array in_hardware.
read_entries() {
  local rules rule
  in_hardware=([4]='' [6]='')
  mapfile -t rules <"$switch_debugfs/rules"
  for rule in "${rules[@]}"; do
    case $rule in
      '{"port":"pf0vf0"'*'"chain":2,'*'"dst_ip":{"value":"'"$EXT_ADDRESS"'"'*) in_hardware[4]=yes ;;
      '{"port":"pf0vf0"'*'"chain":2,'*'"dst_ip":{"value":"'"$EXT6"'"'*) in_hardware[6]=yes ;;
    esac
  done
}

# wait_here WHAT COMMAND...: as wait_until, for a command that reads into variables.
wait_here() {
  local what=$1 end=$((SECONDS + 30))
  shift
  until "$@"; do
    ((SECONDS <= end)) || fail "$what: not within 30 s"
    pause 0.02
  done
}

# ---- one change ------------------------------------------------------------------------------------------------------

changes=()             # names
declare -A steps=()    # of each: command, place, command, place, one a line
declare -A may_lose=() # of some: how often packets are lost by the kernel, too
declare -A counted=()  # "NAME MODE FAMILY WHAT": a number
reports=/run/lab/changes
stream_options=() # of labtraffic send
after_each=(true) # a command, when the streams of a change have ended
export stream_idle_ms=100

# change NAME COMMAND PLACE [COMMAND PLACE]...: there is a way at each moment.
change() {
  local name=$1
  shift
  changes+=("$name")
  steps[$name]=$(printf '%s\n' "$@")
}

# interruption TIMES NAME COMMAND PLACE [COMMAND PLACE]...: so many times there is none for a while, with offload on as with
# offload off. How many packets are lost then says how fast the machine is, which proves nothing; but all that are lost at one
# time are lost in a row, so there are no more rows than times. TIMES may be `told`: the sender is told of each by ICMP.
interruption() {
  may_lose[$2]=$1
  change "${@:2}"
}

# make NAME MODE: the change, under both streams.
# shellcheck disable=SC2154 # of tests/lab/lib/traffic.sh
make() {
  local name=$1 mode=$2 command place words family
  streams_start
  arrive "$name" "$mode" tor
  while read -r command && read -r place; do
    read -ra words <<<"$command"
    "${words[@]}"
    agent_sync
    arrive "$name" "$mode" "${place%=*}"
    [[ $mode == off ]] || hardware_as_expected "$name" "$place"
  done <<<"${steps[$name]}"
  streams_stop
  mkdir -p "$reports"
  for family in 4 6; do
    count "$name" "$mode" "$family" sent "$(sent "$family" '.sent + .refused')"
    count "$name" "$mode" "$family" refused "$(sent "$family" .refused)"
    count "$name" "$mode" "$family" lost "$(received "$family" .lost)"
    count "$name" "$mode" "$family" duplicated "$(received "$family" .duplicated)"
    count "$name" "$mode" "$family" told "$(sent "$family" '[.icmp_errors[].count] | add // 0')"
    count "$name" "$mode" "$family" rows "$(received "$family" '.gaps | length')"
    cp "$traffic_directory/$family.sent" "$reports/$name.$mode.$family"
  done
  "${after_each[@]}"
  note "$name"
}

# streams_start, streams_stop: as for one stream, of both at once.
streams_start() {
  stream_start 4 pod0 "$POD4" ext "$EXT_ADDRESS" --rate "$RATE" "${stream_options[@]}"
  stream_start 6 pod0 "[$POD6]" ext "[$EXT6]" --rate "$RATE" "${stream_options[@]}"
}
streams_stop() {
  local family
  for family in 4 6; do
    kill -TERM "$(<"$traffic_directory/$family.sender")" || fail "the stream of IPv$family has ended by itself"
  done
  for family in 4 6; do
    wait "$(<"$traffic_directory/$family.sender")"
    receive_end "$family"
  done
}

count() { # NAME MODE FAMILY WHAT NUMBER
  local key="$1 $2 $3 $4"
  counted[$key]=$((${counted[$key]-0} + $5))
}

# arrive NAME MODE PLACE: returns when packets come out at the place. Those that have come out elsewhere since the call are
# counted as misdelivered.
arrive() {
  local name=$1 mode=$2 at4=${3%/*}4 at6=${3#*/}6 place family right wrong
  local -A before=()
  count_came
  for place in "${!came[@]}"; do before[$place]=${came[$place]}; done
  wait_here "offload $mode, $name: packets come out at $3" shown
  for family in 4 6; do
    wrong=0 right=$at4
    [[ $family == 4 ]] || right=$at6
    for place in tor second host; do wrong=$((wrong + came[$place$family] - before[$place$family])); done
    [[ $right == nowhere* ]] || wrong=$((wrong - came[$right] + before[$right]))
    count "$name" "$mode" "$family" misdelivered "$wrong"
  done
}
shown() {
  count_came
  [[ $((came[$at4] - before[$at4])) -ge $SHOWN_BY && $((came[$at6] - before[$at6])) -ge $SHOWN_BY ]]
}

# hardware_as_expected NAME PLACE: the entries are in hardware, or must not be.
hardware_as_expected() {
  local at4=${2%/*} at6=${2#*/}
  if [[ $2 == *=software ]]; then
    read_entries
    expect_eq "$1, entries" '' "${in_hardware[4]}${in_hardware[6]}"
  elif [[ $2 != *=anyhow ]]; then
    wait_here "$1: entries are in hardware" all_in_hardware
  fi
}
all_in_hardware() {
  read_entries
  [[ ($at4 == nowhere || ${in_hardware[4]}) && ($at6 == nowhere || ${in_hardware[6]}) ]]
}

# ---- all of them -----------------------------------------------------------------------------------------------------

# compare_changes: each with offload on, then each with offload off; then the two are compared.
compare_changes() {
  local name
  step 'With offload on'
  offload pod0 "$EXT_ADDRESS"
  offload pod0 "$EXT6"
  for name in "${changes[@]}"; do make "$name" on; done
  step 'With offload off'
  ctl offload off >/dev/null
  agent_sync
  for name in "${changes[@]}"; do make "$name" off; done
  expect_eq 'entries in hardware' 0 "$(entries .)"
  for name in "${changes[@]}"; do
    step "On and off: $name"
    compare "$name" 4
    compare "$name" 6
  done
}

compare() { # NAME FAMILY
  local mode key rows lost
  for mode in on off; do
    key="$1 $mode $2"
    lost="${counted[$key lost]} of ${counted[$key sent]} lost"
    rows=${may_lose[$1]-0}
    if [[ $rows == told ]]; then
      expect_ge "IPv$2 $mode: $lost, packets of which the sender is told" 1 "${counted[$key told]}"
      # What the sender's own kernel refuses, because of an error that has just come, was never on its way.
      expect_eq "IPv$2 $mode: lost without a word" 0 \
        $((${counted[$key lost]} - ${counted[$key refused]} - ${counted[$key told]}))
    else
      expect_le "IPv$2 $mode: $lost, rows of them" "$rows" "${counted[$key rows]}"
    fi
    expect_eq "IPv$2 $mode: duplicated" 0 "${counted[$key duplicated]}"
    expect_eq "IPv$2 $mode: misdelivered" 0 "${counted[$key misdelivered]}"
  done
}
