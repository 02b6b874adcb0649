# SPDX-License-Identifier: Apache-2.0
"""The fault campaign's faults: what may happen to the kernel's tables, to the ports, to the agent, to the driver, and by other
people's hands. Each begins, lasts while packets go on, and is undone after its `yield`; after a second one comes what must wait
until the other one at the same time is undone as well. What it draws follows from the seed, so it is the same one with and
without an agent."""

import errno
import json
import signal
import socket
import subprocess

from campaign_lab import (
    FOREIGN, GATEWAY1, NET, NET6, POD1, POD_NET, SECOND, SECOND6, STREAMS, TOR, TOR6, leads_to, sends_to,
)  # fmt: skip
from daemon import Failure, until
from files import read

FAULTS = []
FLOOD = 3000  # neighbours
WAYS = {NET: (TOR, SECOND), NET6: (TOR6, SECOND6)}
ERRORS = (errno.EIO, errno.EOPNOTSUPP, errno.EBUSY, errno.ENOMEM, errno.ENOSPC)


class Fault:
    def __init__(self, happen, touches, alone, interrupts, untold, restless):
        self.name = happen.__name__
        self.happen = happen
        self.touches = touches  # two that touch the same cannot happen at once
        self.alone = alone  # it happens to the kernel as well
        self.interrupts = interrupts  # the streams that the kernel alone may interrupt, once
        self.untold = untold  # nobody tells the agent of it, so that only its audit, or a packet, can find it
        self.restless = restless or untold  # as long as it lasts, hardware need not be as the kernel has it


def fault(*touches, alone=False, interrupts=(), untold=False, restless=False):
    def listed(happen):
        FAULTS.append(Fault(happen, set(touches), alone, interrupts, untold, restless))
        return happen

    return listed


# ---- the kernel's tables


@fault("routes", alone=True)
def a_route_moves(lab, rng):
    moved = rng.choice([[NET], [NET6], [NET, NET6]])
    for net in moved:
        lab.route(net, WAYS[net][1])
    yield
    for net in moved:
        lab.route(net, WAYS[net][0])


@fault("routes", alone=True)
def more_specific_routes_come_and_go(lab, rng):
    routes = [f"{rng.choice(STREAMS[0].destinations)}/32 via {SECOND}" for _ in range(10)]
    routes += [f"{rng.choice(STREAMS[1].destinations)}/128 via {SECOND6}" for _ in range(10)]
    routes = sorted(set(routes))
    lab.ip(*(f"route add {route}" for route in routes))
    yield
    lab.ip(*(f"route del {route}" for route in routes))


@fault("routes", alone=True)
def routes_flap(lab, rng):
    lines = [f"route replace {net} via {WAYS[net][way]}" for way in (1, 0) for net in WAYS]
    lab.ip(*(lines * rng.randint(50, 200)))
    yield


@fault("routes", alone=True)
def a_nexthop_object_moves(lab, _rng):
    lab.ip(f"nexthop add id 7 via {TOR} dev p0", f"route replace {NET} nhid 7", f"nexthop replace id 7 via {SECOND} dev p0")
    yield
    lab.ip(f"route replace {NET} via {TOR}", "nexthop del id 7")


@fault("neighbours", alone=True)
def a_router_changes_its_mac(lab, rng):
    router = rng.choice([TOR, TOR6])
    lab.ip(f"neigh replace {router} lladdr {lab.macs[SECOND]} dev p0 nud permanent")
    yield
    lab.ip(f"neigh replace {router} lladdr {lab.macs[TOR]} dev p0 nud permanent")


@fault("neighbours", "vf1", alone=True)
def a_neighbour_is_forgotten(lab, _rng):
    lab.ip(f"neigh del {POD1} dev pf0vf1")
    yield


@fault("rules", alone=True)
def rules_come_and_go(lab, rng):
    source = f"10.{rng.randint(50, 99)}.0.0/16"
    lab.ip(f"rule add from {source} table 100 pref 100", f"route add {NET} via {SECOND} table 100")
    yield
    lab.ip("rule del pref 100", "route flush table 100")


@fault("devices", alone=True)
def devices_come_and_go(lab, rng):
    vlan = rng.randint(2, 4000)
    lab.ip("link add spare0 type dummy", "link set spare0 up", "address add 10.99.0.1/24 dev spare0",
           f"link add link p0 name p0.{vlan} type vlan id {vlan}", f"link set p0.{vlan} up")  # fmt: skip
    yield
    lab.ip("link del spare0", f"link del p0.{vlan}")


@fault("vf1", alone=True)
def an_mtu_shrinks(lab, rng):
    port = rng.choice(["p0", "pf0vf0", "pf0vf1"])
    lab.ip(f"link set dev {port} mtu 1400")
    yield
    lab.ip(f"link set dev {port} mtu 1500")


@fault("sources", alone=True)
def sources_are_checked(lab, rng):
    mode = rng.choice([1, 2])
    lab.command("sysctl", "-qw", f"net.ipv4.conf.pf0vf0.rp_filter={mode}")
    yield
    lab.command("sysctl", "-qw", "net.ipv4.conf.pf0vf0.rp_filter=0")


@fault("neighbours", alone=True)
def a_flood_of_neighbours(lab, rng):
    flood(lab, rng)
    yield
    lab.ip("link del flood0")


@fault("routes", alone=True, interrupts=("out4",))
def a_route_refuses(lab, rng):
    lab.ip(f"route replace {rng.choice(['unreachable', 'blackhole', 'prohibit'])} {NET}")
    yield
    lab.route(NET, TOR)


@fault("routes", alone=True, interrupts=("out6",))
def a_route_is_withdrawn(lab, _rng):
    lab.ip(f"route del {NET6}")
    yield
    lab.route(NET6, TOR6, "add")


# ---- ports


@fault("vf2", alone=True)
def another_vf_is_made_anew(lab, _rng):
    lab.switch("port_del", "vf 2")
    yield
    lab.switch("port_add", "vf 2")
    lab.plug(2)


@fault("vf1", alone=True, interrupts=("in4",))
def a_vf_is_made_anew(lab, _rng):
    lab.switch("port_del", "vf 1")
    yield
    lab.switch("port_add", "vf 1")
    lab.plug(1)
    lab.lead_to_pod1()


@fault("vf1", alone=True, interrupts=("in4",))
def an_ifindex_is_used_again(lab, rng):
    index = read("/sys/class/net/pf0vf1/ifindex").strip()
    name = rng.choice(["pf0vf1", "spare0"])
    lab.switch("port_del", "vf 1")
    lab.ip(f"link add {name} index {index} type dummy", f"link set dev {name} up", f"address add {GATEWAY1}/24 dev {name}",
           f"route add {POD_NET} via {POD1}")  # fmt: skip
    yield
    found = lab.tc(f"qdisc show dev {name}") + lab.tc(f"filter show dev {name} ingress", check=False)
    if "clsact" in found or "filter" in found:
        raise Failure(f"a dummy with the ifindex of a port: {found}")
    lab.ip(f"link del {name}")
    lab.switch("port_add", "vf 1")
    lab.plug(1)
    lab.lead_to_pod1()


@fault("vf1", alone=True, interrupts=("in4",))
def a_port_goes_down(lab, _rng):
    lab.ip("link set dev pf0vf1 down")
    yield
    lab.ip("link set dev pf0vf1 up")
    lab.lead_to_pod1()


@fault("vf1", alone=True, interrupts=("in4",))
def a_vf_goes_down(lab, _rng):
    lab.ip("link set dev vf1 down", namespace="pod1")
    yield
    lab.ip("link set dev vf1 up", f"route add default via {GATEWAY1}", namespace="pod1")
    lab.lead_to_pod1()


# ---- the agent


@fault("agent", restless=True)
def the_agent_crashes(lab, rng):
    lab.daemon.end(rng.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT]))
    yield
    lab.daemon.start()


@fault("agent", restless=True)
def the_agent_leaves(lab, _rng):
    if (code := lab.daemon.end(signal.SIGUSR1)) != 0:
        raise Failure(f"the agent leaves with {code}")
    yield
    lab.daemon.start()


@fault("agent", "routes", restless=True)
def a_route_moves_while_no_agent_runs(lab, _rng):
    lab.daemon.end(signal.SIGKILL)
    lab.route(NET, SECOND)
    yield
    lab.daemon.start()
    lab.sync()
    if any(rule["port"] == "pf0vf0" and ":" not in leads_to(rule) and sends_to(rule) != lab.macs[SECOND]
           for rule in lab.entries()):  # fmt: skip
        raise Failure("an entry goes the old way")
    lab.route(NET, TOR)


@fault("agent", "driver", "routes", restless=True)
def the_agent_crashes_while_it_replaces(lab, _rng):
    lab.parameter("insert_latency_us", 10000)
    lab.route(NET, SECOND)
    until("some entries are replaced", lambda: any(sends_to(rule) == lab.macs[SECOND] for rule in lab.entries()))
    lab.daemon.end(signal.SIGKILL)
    lab.parameter("insert_latency_us", 0)
    yield
    lab.daemon.start()
    lab.route(NET, TOR)


@fault("agent", "routes")
def the_agent_stands_still(lab, _rng):
    with lab.daemon.standing_still():
        lab.route(NET, SECOND)
        lab.dwell()
    yield
    lab.route(NET, TOR)


@fault("agent", "neighbours", "routes")
def notifications_are_lost(lab, rng):
    before = lab.counter("dpuflow_netlink_overruns_total")
    with lab.daemon.standing_still():
        flood(lab, rng, times=10)
        lab.route(NET, SECOND)
        lab.ip("link del flood0")
    lab.sync()
    if lab.counter("dpuflow_netlink_overruns_total") == before:
        raise Failure("none was lost")
    yield
    lab.route(NET, TOR)


@fault("agent")
def a_second_agent_is_started(lab, _rng):
    second = lab.daemon.run(subprocess.DEVNULL)
    if second.wait(timeout=60) == 0:
        raise Failure("a second agent was content")
    yield


@fault("agent")
def somebody_collects_beside_it(lab, _rng):
    lab.ctl("gc", "--quiet")
    yield


@fault("agent")
def garbage_comes_to_the_socket(lab, rng):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/run/dpuflow/dpuflowd.sock")
        client.sendall(rng.randbytes(rng.randint(1, 3000)) + rng.choice([b"", b"\0"]))
        yield


@fault("agent")
def offload_is_switched_off(lab, rng):
    port = rng.choice([[], ["dev", "p0"], ["dev", "pf0vf0"]])
    lab.ctl("offload", "off", *port)
    yield
    lab.ctl("offload", "on", *port)


@fault("agent")
def flows_are_flushed(lab, _rng):
    lab.ctl("flow", "flush")
    yield


# ---- the driver


@fault("agent", "driver")
def insertions_fail(lab, rng):
    lab.parameter("fail_errno", rng.choice(ERRORS))
    lab.parameter("fail_every", rng.randint(2, 5))
    lab.ctl("flow", "flush")
    yield
    lab.parameter("fail_every", 0)


@fault("agent", "driver")
def no_insertion_is_possible(lab, rng):
    lab.parameter("pause_errno", rng.choice(ERRORS))
    lab.ctl("flow", "flush")
    yield
    lab.parameter("pause_errno", 0)


@fault("driver", "routes", restless=True)
def insertions_are_slow(lab, rng):
    lab.parameter("insert_latency_us", rng.choice([1000, 5000, 30000, 2000000]))
    lab.route(NET, SECOND)
    yield
    lab.parameter("insert_latency_us", 0)
    lab.route(NET, TOR)


@fault("agent", "driver")
def the_table_is_full(lab, rng):
    lab.ctl("flow", "flush")
    lab.parameter("max_counters", rng.randint(30, 150))
    yield
    lab.parameter("max_counters", 1000000)


@fault("driver", untold=True)
def the_driver_forgets(lab, rng):
    lost = rng.choice(["2 vf 0", "2 uplink", "1 vf 0", "0 vf 0"])
    lab.switch("forget", lost)
    yield
    yield  # until there is room
    if lost == "0 vf 0":  # and with it a filter of somebody else, who writes it again
        lab.tc(f"filter replace dev pf0vf0 ingress {FOREIGN}")


@fault("driver", "routes")
def the_driver_holds_rtnl(lab, rng):
    held = subprocess.Popen(["sh", "-c", f"echo {rng.randint(200, 1500)} > /sys/kernel/debug/labnic/hold_rtnl"])
    lab.route(NET, SECOND)
    yield
    held.wait()
    lab.route(NET, TOR)


# ---- other people's hands, which may come too late for what the agent takes out at the same time, or find no room (check=False)


@fault("hands", untold=True)
def entries_are_deleted(lab, rng):
    for entry in some(rng, filters(lab, "pf0vf0"), 10):
        lab.tc(f"filter del dev pf0vf0 ingress protocol {entry['protocol']} chain 2 pref {entry['pref']} "
               f"handle {entry['options']['handle']} flower", check=False)  # fmt: skip
    yield


@fault("hands", untold=True)
def a_priority_is_deleted(lab, rng):
    port = rng.choice(["p0", "pf0vf0"])
    for entry in some(rng, filters(lab, port), 1):
        lab.tc(f"filter del dev {port} ingress chain 2 pref {entry['pref']}", check=False)
    yield


@fault("hands", untold=True)
def a_chain_is_deleted(lab, rng):
    port = rng.choice(["p0", "pf0vf0"])
    lab.tc(f"chain del dev {port} ingress chain {rng.choice([1, 2])}", check=False)
    yield


@fault("hands", untold=True)
def a_qdisc_is_deleted(lab, _rng):
    lab.tc("qdisc del dev pf0vf0 clsact")
    yield
    yield  # until there is an agent, and room
    until("the agent makes another one", lambda: "clsact" in lab.tc("qdisc show dev pf0vf0"))
    lab.tc(f"filter add dev pf0vf0 ingress {FOREIGN}")


@fault("hands", untold=True)
def the_classifier_is_deleted(lab, rng):
    port = rng.choice(["p0", "pf0vf0"])
    shown = lab.tc(f"filter show dev {port} ingress").splitlines()
    preferences = {words[words.index("pref") + 1] for words in map(str.split, shown) if "bpf" in words and "pref" in words}
    for preference in sorted(preferences):  # none where it is attached by tcx, which tc does not see
        lab.tc(f"filter del dev {port} ingress pref {preference}")
    yield


@fault("hands", untold=True)
def an_entry_is_changed(lab, rng):
    for entry in some(rng, [entry for entry in filters(lab, "pf0vf0") if entry["protocol"] == "ip"], 1):
        options = entry["options"]
        cookie = next(action["cookie"] for action in options["actions"] if "cookie" in action)
        lab.tc(f"filter replace dev pf0vf0 ingress protocol ip chain 2 pref {entry['pref']} handle {options['handle']} "
               f"flower skip_sw dst_ip {options['keys']['dst_ip']} action pedit ex munge eth dst set {lab.macs[SECOND]} "
               f"munge eth src set {read('/sys/class/net/p0/address').strip()} munge ip ttl dec pipe action csum ip4h pipe "
               f"action mirred egress redirect dev p0 cookie {cookie}", check=False)  # fmt: skip
    yield


@fault("hands")
def a_foreign_filter_comes_and_goes(lab, rng):
    port = rng.choice(["p0", "pf0vf0"])
    lab.tc(f"filter add dev {port} ingress protocol ip pref 6 handle 0x9 flower skip_sw src_ip 10.8.0.9 action drop", check=False)
    yield
    lab.tc(f"filter del dev {port} ingress protocol ip pref 6 handle 0x9 flower", check=False)


# ---- what they share


def flood(lab, rng, times=1):
    """Neighbours of a device that is nobody's port, each of which changes so many times."""
    first = rng.randint(0, 100)
    lab.ip("link add flood0 type dummy", "link set flood0 up")
    for change in range(times):
        lab.ip(*(f"neigh replace 10.77.{first + number // 250}.{1 + number % 250} lladdr 02:00:00:00:00:{change:02x} "
                 "dev flood0 nud permanent" for number in range(FLOOD)))  # fmt: skip


def some(rng, items, count):
    """As many of them, or all if they are fewer."""
    return rng.sample(items, min(count, len(items)))


def filters(lab, port):
    """The routing entries of a port, as tc shows them."""
    shown = json.loads(lab.command("tc", "-j", "filter", "show", "dev", port, "ingress", "chain", "2"))
    return [entry for entry in shown if entry.get("kind") == "flower" and "handle" in entry.get("options", {})]
