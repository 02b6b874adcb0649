# SPDX-License-Identifier: Apache-2.0
"""The differential test, in the lab: random changes of the kernel's tables, and after each of them the same packets with
offload on and with offload off. What becomes of them must be the same. Which network it is depends on the seed, too:
differential_world.py.

    differential.py --seed N --changes N [--only I,J,...]

Runs on the DPU of tests/scenarios/70-differential, which has made the network and started the agent. The list of changes
follows from the seed alone; --only makes just some of them, by number, for a list that was shrunk. A change that the
kernel refuses is no change, with offload on as with offload off.

After each change the agent comes into step (sync), and verify must find nothing; explain says where each packet that
hardware may forward comes out, and to which MAC, and so it does. Every flow is probed twice with offload
on, so that it is in hardware the second time unless it stays in software, then with offload off, in the same kernel with
the same neighbours: where the packet comes out, with which headers and tag, or which ICMP error comes back. Packets go to
the router's MAC, or, under a bridge, to that of another pod.
"""

import argparse
import ctypes
import itertools
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

from differential_world import World

PREFIXES = [f"198.18.{i}.0/24" for i in range(4)]
PREFIXES_V6 = [f"2001:db8:{i}00::/64" for i in range(1, 4)]
ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 1 << 4
REDIRECTS = {1: 5, 58: 137}  # by protocol; hardware sends none (dpuflowd(8))
MAGIC = b"dpuflow-differential"
QUIET = 0.25  # seconds without an arrival after which a batch is over
LONG = 3.0  # the same where the outcome differs: a slow machine is not a difference
AGENT_TIMEOUT = 60  # seconds that the agent may take for an answer


def in_namespace(name, make):
    """What make() returns, run in a network namespace."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY)
    other = os.open(f"/run/netns/{name}", os.O_RDONLY)
    enter(other)
    try:
        return make()
    finally:
        enter(own)
        os.close(own)
        os.close(other)


def enter(namespace):
    libc = ctypes.CDLL(None, use_errno=True)  # Python has setns from 3.12 on
    if libc.setns(namespace, 0) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Agent:
    """dpuflowd's API."""

    def __init__(self, path="/run/dpuflow/dpuflowd.sock"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(AGENT_TIMEOUT)

    def call(self, method, **parameters):
        request = json.dumps({"method": f"io.dpuflow.Agent.{method}", "parameters": parameters})
        self.socket.sendall(request.encode() + b"\0")
        answer = b""
        while not answer.endswith(b"\0"):
            part = self.socket.recv(1 << 20)
            if not part:
                raise RuntimeError("the agent has closed the connection")
            answer += part
        reply = json.loads(answer[:-1])
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error']} {reply.get('parameters')}")
        return reply["parameters"]

    def sync(self):
        return self.call("Sync", timeout_ms=30000)["took_ms"]

    def foretells(self, flow):
        """Where explain has a flow come out: (place, MAC), or None where it stays in software or waits, or where more than
        routing has a say. No place: behind a bridge."""
        if flow.station.subnet is not None or flow.vlan == 0:
            return None
        vlan = {} if flow.vlan is None else {"vlan": flow.vlan}
        told = self.call("Explain", destination=flow.destination, source=flow.source, port=f"pf0vf{flow.pod}", protocol=17,
                         source_port=flow.ports[0], destination_port=flow.ports[1], tos=flow.tos, **vlan)  # fmt: skip
        if told["decision"] != "forward":
            return None
        port = told["neighbour"]["port"].split(".")[0]
        place = "" if port == "br0" else "tor" if port == "p0" else "pod" + port.removeprefix("pf0vf")
        return place, told["neighbour"]["mac"]


# ---- packets --------------------------------------------------------------------------------------------------------


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


class Flow:
    """A packet that a pod sends again and again."""

    def __init__(self, number, station, destination, ports, tos, peer=None, tag=None):
        self.number = number
        self.station = station
        self.pod = station.pod
        self.destination = destination
        self.v6 = ":" in destination
        self.source = station.v6 if self.v6 else station.v4
        self.ports = ports
        self.tos = tos
        self.peer = peer  # the pod to whose MAC it goes; None: to the router
        self.vlan, self.priority = (station.vlan, 0) if tag is None else tag

    def __str__(self):
        tag = "" if self.vlan is None else f" in VLAN {self.vlan}, priority {self.priority}"
        peer = "" if self.peer is None else f" to the MAC of pod{self.peer}"
        return (
            f"pod{self.pod}{tag}{peer} {self.source} -> {self.destination} udp {self.ports[0]}:{self.ports[1]} tos {self.tos}"
        )

    def frame(self, source_mac, router_mac, batch):
        packet = self.packet(batch)
        tag = b"" if self.vlan is None else struct.pack("!HH", 0x8100, self.priority << 13 | self.vlan)
        return router_mac + source_mac + tag + (b"\x86\xdd" if self.v6 else b"\x08\x00") + packet

    def packet(self, batch):
        payload = MAGIC + struct.pack("!IH", batch, self.number)
        udp = struct.pack("!HHHH", *self.ports, 8 + len(payload), 0) + payload
        if self.v6:
            addresses = socket.inet_pton(socket.AF_INET6, self.source) + socket.inet_pton(
                socket.AF_INET6, self.destination
            )
            padded = addresses + struct.pack("!II", len(udp), 17) + udp + b"\0" * (len(udp) % 2)
            udp = udp[:6] + struct.pack("!H", checksum(padded) or 0xFFFF) + udp[8:]
            header = struct.pack("!IHBB", 6 << 28 | self.tos << 20, len(udp), 17, 64) + addresses
            return header + udp
        addresses = socket.inet_aton(self.source) + socket.inet_aton(self.destination)
        header = struct.pack("!BBHHHBBH", 0x45, self.tos, 20 + len(udp), 1, 0, 64, 17, 0) + addresses
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        return header + udp


def mac_of(device):
    """As text, of a device of the namespace that this runs in."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
        packets.bind((device, 0))
        return mac_text(packets.getsockname()[4])


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def mac_text(data):
    return ":".join(f"{byte:02x}" for byte in data)


def tag_of(messages):
    """The VLAN tag that the kernel has taken off a received frame, as text."""
    for _, _, data in messages:
        status, _, _, _, _, tag, _ = struct.unpack_from("=IIIHHHH", data)
        if status & TP_STATUS_VLAN_VALID:
            return f"VLAN {tag & 0xFFF} priority {tag >> 13} "
    return ""


def describe(frame, tag):
    """(batch, flow number, what it shows) of one of our packets, or of an ICMP error about one; else None."""
    at = frame.find(MAGIC)
    if at < 0 or len(frame) < at + len(MAGIC) + 6:
        return None
    batch, number = struct.unpack_from("!IH", frame, at + len(MAGIC))
    if frame[12:14] == b"\x08\x00":
        source = socket.inet_ntoa(frame[26:30])
        if frame[23] == 1:
            return None if frame[34] == REDIRECTS[1] else (batch, number, f"{tag}ICMP {frame[34]}/{frame[35]} from {source}")
        seen = f"ttl {frame[22]} tos {frame[15]} {source} -> {socket.inet_ntoa(frame[30:34])}"
    elif frame[12:14] == b"\x86\xdd":
        source = socket.inet_ntop(socket.AF_INET6, frame[22:38])
        if frame[20] == 58:
            return None if frame[54] == REDIRECTS[58] else (batch, number, f"{tag}ICMPv6 {frame[54]}/{frame[55]} from {source}")
        seen = f"hop limit {frame[21]} {source} -> {socket.inet_ntop(socket.AF_INET6, frame[38:54])}"
    else:
        seen = f"ethertype {frame[12:14].hex()}"
    return batch, number, f"{mac_text(frame[6:12])} > {mac_text(frame[0:6])} {tag}{seen}"


class Network:
    """Sockets at every far side of the switch: they send as pods, and see what comes out."""

    def __init__(self, pods):
        self.sockets = {}
        for name, device in [("tor", "wire0")] + [(f"pod{i}", f"vf{i}") for i in range(pods)]:
            self.sockets[name] = in_namespace(name, lambda device=device: self.open(device))
        self.batch = 0

    @staticmethod
    def open(device):
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        packets.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        packets.bind((device, ETH_P_ALL))
        packets.setblocking(False)
        return packets

    def mac(self, pod):
        return self.sockets[f"pod{pod}"].getsockname()[4]

    def next_mac(self, flow):
        """Of whom a flow is sent to; where the router's device is gone, of the port that it was on."""
        if flow.peer is not None:
            return self.mac(flow.peer)
        device = flow.station.router
        if not os.path.exists(f"/sys/class/net/{device}"):
            device = device.split(".")[0]
        return mac_bytes(mac_of(device))

    def speak(self, pod, at, vlan):
        """A pod's MAC says something at another one's port."""
        tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
        self.sockets[f"pod{at}"].send(b"\xff" * 6 + self.mac(pod) + tag + b"\x88\xb5" + bytes(46))

    def probe(self, flows, quiet=QUIET):
        """What becomes of one packet of each flow: by its number, everything that was seen of it, sorted."""
        self.batch += 1
        outcomes = {flow.number: [] for flow in flows}
        for flow in flows:
            out = self.sockets[f"pod{flow.pod}"]
            out.send(flow.frame(self.mac(flow.pod), self.next_mac(flow), self.batch))
        end = time.monotonic() + quiet
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select(list(self.sockets.values()), [], [], left)
            for name, packets in self.sockets.items():
                if packets in ready and self.drain(name, packets, outcomes):
                    end = time.monotonic() + quiet
        return {number: sorted(seen) for number, seen in outcomes.items()}

    def drain(self, name, packets, outcomes):
        news = False
        while True:
            try:
                frame, messages, _, address = packets.recvmsg(65535, 64)
            except BlockingIOError:
                return news
            seen = describe(frame, tag_of(messages)) if address[2] != socket.PACKET_OUTGOING else None
            if seen and seen[0] == self.batch and seen[1] in outcomes:
                outcomes[seen[1]].append(f"at {name}: {seen[2]}")
                news = True


# ---- changes --------------------------------------------------------------------------------------------------------


class Changes:
    """Changes drawn from a seed: a description, and the commands that make it."""

    def __init__(self, rng, world):
        self.rng = rng
        self.world = world
        self.kinds = [
            (8, self.route), (4, self.specific_route), (2, self.default_route), (4, self.route_deleted),
            (4, self.nexthop), (4, self.neighbour), (2, self.link_flap), (2, self.link_mtu), (2, self.link_mac),
            (2, self.address), (5, self.rule), (3, self.rule_deleted), (3, self.hash_policy), (2, self.rp_filter),
            (2, self.forwarding), (3, self.vrf), (2, self.netfilter), (1, self.offload_port),
        ]  # fmt: skip
        if world.vlans:
            self.kinds += [(8, self.vlan_device), (2, self.vlan_priorities)]
        if world.members:
            self.kinds += [(8, self.bridge_port), (4, self.bridge_member), (4, self.station_entry), (5, self.speech),
                           (2, self.bridge)]  # fmt: skip
        if world.is_aware:
            self.kinds += [(8, self.bridge_vlan), (2, self.bridge_filtering)]

    def draw(self):
        kind = self.rng.choices([kind for _, kind in self.kinds], [weight for weight, _ in self.kinds])[0]
        commands = kind()
        return "; ".join(" ".join(command) for command in commands), commands

    def family(self):
        v6 = self.rng.random() < 0.35
        return v6, ["ip", "-6"] if v6 else ["ip"], self.routers(v6), PREFIXES_V6 if v6 else PREFIXES

    def routers(self, v6):
        return self.world.routers_v6 if v6 else self.world.routers

    def via(self, router):
        return ["via", router, "dev", self.world.uplink(router)]

    def table(self):
        return self.rng.choice([[], [], [], ["table", "100"], ["table", "10"]])

    def paths(self, routers):
        draw = self.rng.random()
        first, second = self.rng.sample(list(routers), 2)
        if draw < 0.5:
            return self.via(first)
        if draw < 0.65:
            return ["nhid", self.rng.choice(["20", "30"] if "." in first else ["40"])]
        weights = [str(self.rng.randint(1, 4)) for _ in range(2)]
        return ["nexthop", *self.via(first), "weight", weights[0], "nexthop", *self.via(second), "weight", weights[1]]

    def route(self):
        _, ip, routers, prefixes = self.family()
        prefix = self.rng.choice(prefixes)
        kind = self.rng.random()
        if kind < 0.15:
            return [ip + ["route", "replace", self.rng.choice(["unreachable", "prohibit", "blackhole"]), prefix]]
        return [ip + ["route", "replace", prefix] + self.table() + self.paths(routers)]

    def specific_route(self):
        v6, ip, routers, prefixes = self.family()
        base = self.rng.choice(prefixes)
        prefix = base.replace("::/64", "::7/128") if v6 else base.replace(".0/24", ".7/32")
        verb = self.rng.choice(["replace", "replace", "del"])
        return [ip + ["route", verb, prefix] + ([] if verb == "del" else self.paths(routers))]

    def default_route(self):
        _, ip, routers, _ = self.family()
        if self.rng.random() < 0.4:
            return [ip + ["route", "del", "default"]]
        return [ip + ["route", "replace", "default", *self.via(self.rng.choice(list(routers)))]]

    def route_deleted(self):
        _, ip, _, prefixes = self.family()
        return [ip + ["route", "del", self.rng.choice(prefixes)] + self.table()]

    def nexthop(self):
        router = self.rng.choice(list(self.world.routers))
        router_v6 = self.rng.choice(list(self.world.routers_v6))
        group = self.rng.choice(["11", "12", "11/12", "11,3/12,1", "11,1/12,3"])
        return [self.rng.choice([
            ["ip", "nexthop", "replace", "id", "11", *self.via(router)],
            ["ip", "nexthop", "replace", "id", "20", "group", group],
            ["ip", "nexthop", "replace", "id", "30", *self.via(router)],
            ["ip", "-6", "nexthop", "replace", "id", "40", *self.via(router_v6)],
        ])]  # fmt: skip

    def neighbour(self):
        _, _, routers, _ = self.family()
        router, device = self.rng.choice(list(routers.items()))
        uplink = self.world.uplink(router)
        pod = self.rng.choice([station for station in self.world.stations if station.subnet is None])
        return [self.rng.choice([
            ["ip", "neigh", "del", router, "dev", uplink],
            ["ip", "neigh", "replace", router, "dev", uplink, "lladdr", f"@{device}", "nud", "reachable"],
            ["ip", "neigh", "replace", router, "dev", uplink, "lladdr", "@wire0", "nud", "permanent"],
            ["ip", "neigh", "del", pod.v4, "dev", pod.router],
        ])]  # fmt: skip

    def device(self, others):
        """One of these in a plain world, else also a VLAN device or the bridge."""
        return self.rng.choice(others if self.world.is_plain() else list(dict.fromkeys(others + self.world.devices)))

    def link_flap(self):
        device = self.rng.choice(self.world.ports)
        down, up = (["ip", "link", "set", "dev", device, state] for state in ("down", "up"))
        return [down, up] + self.world.again(device)

    def link_mtu(self):
        device = self.rng.choice(["p0", self.rng.choice(self.world.ports)])
        return [["ip", "link", "set", "dev", device, "mtu", self.rng.choice(["1500", "1500", "1400", "1280"])]]

    def link_mac(self):
        device = self.device(self.world.ports)
        made = ["ip", "link", "set", "dev", device, "address", f"02:00:00:00:{self.rng.randrange(256):02x}:01"]
        return [made] + self.world.again(device)

    def address(self):
        address = self.rng.choice(["198.18.0.7/32", "198.18.1.9/32", "2001:db8:100::7/128"])
        return [["ip", "address", self.rng.choice(["add", "del"]), address, "dev", "lo"]]

    def rule(self):
        station = self.rng.choice(self.world.stations)
        selector = self.rng.choice([
            ["from", station.v4], ["iif", station.router], ["to", "198.18.1.0/24"],
            ["ipproto", "udp", "dport", "7001"], ["ipproto", "tcp"], ["tos", "0x10"], ["fwmark", "7"],
        ])  # fmt: skip
        action = self.rng.choice([["table", "100"], ["table", "100"], ["unreachable"], ["blackhole"]])
        return [["ip", "rule", "add", "pref", str(self.rng.randint(100, 104))] + selector + action]

    def rule_deleted(self):
        return [["ip", "rule", "del", "pref", str(self.rng.randint(100, 104))]]

    def sysctl(self, name, value):
        return [["sysctl", "-qw", f"net.{name}={value}"]]

    def hash_policy(self):
        return self.sysctl(f"{self.rng.choice(['ipv4', 'ipv6'])}.fib_multipath_hash_policy", self.rng.choice([0, 1]))

    def rp_filter(self):
        device = self.rng.choice(["p0", self.rng.choice(self.world.devices)]).replace(".", "/")
        return self.sysctl(f"ipv4.conf.{device}.rp_filter", self.rng.choice([0, 0, 1, 2]))

    def forwarding(self):
        device = self.rng.choice(self.world.devices).replace(".", "/")
        return self.sysctl(f"ipv4.conf.{device}.forwarding", self.rng.choice([1, 1, 0]))

    def vrf(self):
        device = self.rng.choice(self.world.devices)
        enslaved = ["ip", "link", "set", "dev", device] + self.rng.choice([["master", "red"], ["nomaster"]])
        return [enslaved] + self.world.again(device)

    def netfilter(self):
        if self.rng.random() < 0.6:
            return [["nft", "delete", "table", "inet", "test"]]
        return [["nft", "add", "table", "inet", "test"],
                ["nft", "add chain inet test forward { type filter hook forward priority 0; }"],
                ["nft", "add", "rule", "inet", "test", "forward", "udp", "dport", "7001", "counter", "drop"]]  # fmt: skip

    def offload_port(self):
        return [["dpuflowctl", "offload", self.rng.choice(["on", "on", "off"]), "dev", self.rng.choice(self.world.ports)]]

    # ---- of VLAN devices ----

    def vlan_device(self):
        name, device = self.rng.choice(list(self.world.vlans.items()))
        link = ["ip", "link", "set", "dev", name]
        kind = self.rng.choice(["down", "flap", "flap", "del", "id", "id", "id"])
        if kind == "down":
            return [link + ["down"]]
        if kind == "flap":
            return [link + ["down"], link + ["up"]] + self.world.again(name)
        gone = [["ip", "link", "del", "dev", name]]
        if kind == "del":
            return gone
        made = device.made(name, self.rng.choice(device.ids)) + self.world.members.get(name, [])
        return gone + made + self.world.again(name)

    def vlan_priorities(self):
        name = self.rng.choice(list(self.world.vlans))
        return [["ip", "link", "set", "dev", name, "type", "vlan", "egress-qos-map", self.rng.choice(["0:0", "0:0", "0:3"])]]

    # ---- of the bridge ----

    def member(self):
        return self.rng.choice(list(self.world.members))

    def bridge_port(self):
        words = self.rng.choice([
            ["isolated", "on"], ["isolated", "on"], ["isolated", "off"], ["isolated", "off"],
            ["learning", "off"], ["learning", "on"], ["learning", "on"], ["locked", "on"], ["locked", "off"], ["locked", "off"],
            ["state", "0"], ["state", "3"], ["state", "3"], ["flood", "off"], ["flood", "on"], ["hairpin", "on"],
            ["hairpin", "off"],
        ])  # fmt: skip
        return [["bridge", "link", "set", "dev", self.member(), *words]]

    def bridge_member(self):
        port = self.member()
        out = [["ip", "link", "set", "dev", port, "nomaster"]] if self.rng.random() < 0.6 else []
        return out + (self.world.members[port] if self.rng.random() < 0.7 or not out else [])

    def station_entry(self):
        station = self.rng.choice([station for station in self.world.stations if station.subnet is not None])
        vlan = ["vlan", "10" if station.subnet == 5 else "20"] if self.world.is_aware else []
        kind = self.rng.random()
        if kind < 0.15:
            return [["ip", "link", "set", "dev", "br0", "type", "bridge", "fdb_flush"]]
        own = next(port for port in self.world.members if port.startswith(f"pf0vf{station.pod}"))
        if kind < 0.7:
            return [["bridge", "fdb", "del", f"@pod{station.pod}", "dev", own, "master", *vlan]]
        port = self.rng.choice([own, self.member()])
        return [["bridge", "fdb", "replace", f"@pod{station.pod}", "dev", port, "master", "static", *vlan]]

    def speech(self):
        pod, at = self.rng.sample([1, 2, 3], 2)
        vlan = self.rng.choice([station.vlan for station in self.world.stations if station.pod == at])
        return [["speak", f"pod{pod}", "at", f"pod{at}", "vlan", "-" if vlan is None else str(vlan)]]

    def bridge(self):
        link = ["ip", "link", "set", "dev", "br0"]
        if self.rng.random() < 0.5:
            return [link + ["address", f"02:00:00:00:{self.rng.randrange(256):02x}:02"]] + self.world.again("br0")
        return [link + ["down"], link + ["up"]] + self.world.again("br0")

    def bridge_vlan(self):
        vlan = self.rng.choice(["10", "20"])
        port = self.member()
        if self.rng.random() < 0.12:
            return [["bridge", "vlan", self.rng.choice(["add", "add", "del"]), "dev", "br0", "vid", vlan, "self"]]
        if self.rng.random() < 0.25:
            return [["bridge", "vlan", "del", "dev", port, "vid", vlan]]
        if self.rng.random() < 0.4:
            return self.world.members[port][1:]
        flags = self.rng.choice([["pvid", "untagged"], ["pvid", "untagged"], ["pvid"], ["untagged"], []])
        return [["bridge", "vlan", "add", "dev", port, "vid", vlan, *flags]]

    def bridge_filtering(self):
        return [["ip", "link", "set", "dev", "br0", "type", "bridge", "vlan_filtering", self.rng.choice(["0", "1", "1"])]]


def draw_ports(rng):
    return rng.randint(10000, 60000), rng.choice([7000, 7001])


def draw_flows(rng, world):
    flows = []
    destinations = [f"198.18.{i}.{last}" for i in range(4) for last in (7, 9)]
    destinations += [f"2001:db8:{i}00::{last}" for i in range(1, 4) for last in (7, 9)]
    destinations += [station.v4 for station in world.stations] + [station.v6 for station in world.stations]
    destinations += ["203.0.113.1", "192.0.2.2"]
    for station in world.stations:
        for destination in rng.sample(destinations, 7 if world.is_plain() else 4):
            flow = Flow(len(flows), station, destination, draw_ports(rng), rng.choice([0, 0, 0, 0x10]))
            if flow.destination != flow.source:
                flows.append(flow)
    return flows + draw_tagged_and_bridged(rng, world, len(flows))


def draw_tagged_and_bridged(rng, world, number):
    """Tags with priorities, and frames from pod to pod under the bridge; each flow once in a while to the wrong VLAN."""
    drawn = []
    for station in world.stations:
        if station.vlan is not None:
            drawn.append((station, f"198.18.{rng.randrange(4)}.7", None, (rng.choice([station.vlan, 0]), rng.randint(1, 7))))
        for peer in world.stations:
            if None in (station.subnet, peer.subnet) or station.pod == peer.pod:
                continue
            if station.subnet == peer.subnet:
                tag = None if station.vlan is None else (station.vlan, rng.choice([0, 0, 5]))
                drawn.append((station, rng.choice([peer.v4, peer.v4, peer.v6]), peer.pod, tag))
            elif rng.random() < 0.3:
                drawn.append((station, peer.v4, peer.pod, None))
    return [Flow(number + index, station, destination, draw_ports(rng), 0, peer, tag)
            for index, (station, destination, peer, tag) in enumerate(drawn)]  # fmt: skip


# ---- the test -------------------------------------------------------------------------------------------------------


class Failure(Exception):
    pass


class Test:
    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.agent = Agent()
        self.world = World(seed)
        self.network = Network(self.world.pods)
        self.flows = draw_flows(self.rng, self.world)
        self.slowest_sync = 0
        self.in_hardware = 0
        self.macs = in_namespace("tor", lambda: {name: mac_of(name) for name in self.world.routers.values()})
        self.macs |= {f"pod{pod}": mac_text(self.network.mac(pod)) for pod in range(self.world.pods)}
        self.lay_out()

    def sync(self):
        self.slowest_sync = max(self.slowest_sync, self.agent.sync())

    def words(self, command):
        return [self.macs[word[1:]] if word.startswith("@") else word for word in command]

    def lay_out(self):
        """The world, with one process for all commands of one tool in one namespace that follow each other."""

        def tool(words):
            return words[: next(index for index, word in enumerate(words) if word in ("ip", "bridge", "sysctl")) + 1]

        for prefix, group in itertools.groupby(map(self.words, self.world.setup), tool):
            lines = [[word for word in words[len(prefix):] if word not in ("-6", "-qw")] for words in group]
            options = ["-qw", *itertools.chain(*lines)] if prefix == ["sysctl"] else ["-batch", "-"]
            script = "".join(" ".join(line) + "\n" for line in lines)
            subprocess.run(prefix + options, input=script, text=True, stdout=subprocess.DEVNULL, check=True)

    def make(self, commands):
        for command in commands:
            if command[0] == "speak":
                pod, at, vlan = command[1], command[3], command[5]
                self.network.speak(int(pod[3:]), int(at[3:]), None if vlan == "-" else int(vlan))
                continue
            words = self.words(command)
            if words[0] == "dpuflowctl":
                words[0] = os.environ["DPUFLOWCTL"]
            subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    def verify(self):
        report = self.agent.call("Verify")
        if report["differences"] or "incomplete" in report:
            raise Failure("verify finds:\n" + json.dumps(report, indent=2))

    def compare(self):
        self.sync()
        self.verify()
        first = self.network.probe(self.flows)
        self.sync()
        foretold = {flow.number: self.agent.foretells(flow) for flow in self.flows}
        second = self.network.probe(self.flows)
        self.in_hardware += self.offloaded()
        for flow in self.flows:
            if not self.came_true(foretold[flow.number], second[flow.number]):
                raise Failure(f"{flow}\n  explain: {foretold[flow.number]}\n  offload on: {second[flow.number]}")
        self.switch_off()
        off = self.network.probe(self.flows)
        suspects = [f for f in self.flows if not first[f.number] == second[f.number] == off[f.number]]
        self.settle(suspects)
        self.restore()

    @staticmethod
    def came_true(foretold, outcome):
        if foretold is None:
            return True
        place, mac = foretold
        return len(outcome) == 1 and outcome[0].startswith(f"at {place}") and f" > {mac} " in outcome[0]

    def settle(self, suspects):
        """Flows whose outcomes differed are probed again, and if they still differ, once more with time: a bridge learns from
        what it sees, and a slow machine is not a difference."""
        for quiet in (QUIET, LONG):
            difference = self.difference(suspects, quiet) if suspects else ""
            if not difference:
                return
        raise Failure(difference)

    def difference(self, suspects, quiet):
        """Of one of these flows, probed once with offload off and twice with it on."""
        self.switch_off()
        off = self.network.probe(suspects, quiet)
        self.restore()
        for attempt in ("in software", "in hardware, or refused"):
            on = self.network.probe(suspects, quiet)
            self.sync()
            for flow in suspects:
                if on[flow.number] != off[flow.number]:
                    return (
                        f"{flow}\n  offload on, {attempt}:\n    " + ("\n    ".join(on[flow.number]) or "nothing")
                        + "\n  offload off:\n    " + ("\n    ".join(off[flow.number]) or "nothing")
                    )  # fmt: skip
        return ""

    def switch_off(self):
        self.agent.call("SetOffload", on=False)
        self.sync()

    def restore(self):
        self.agent.call("SetOffload", on=True)
        self.sync()
        self.network.probe(self.flows)
        self.sync()

    def offloaded(self):
        with open("/sys/kernel/debug/labnic/rules", encoding="ascii") as rules:
            return sum(1 for line in rules if '"chain":2' in line)

    def run(self, count, only):
        changes = Changes(self.rng, self.world)
        listed = [changes.draw() for _ in range(count)]
        self.compare()
        made = []
        for number, (description, commands) in enumerate(listed):
            if only is not None and number not in only:
                continue
            print(f"    {number:3} {description}", flush=True)
            made.append(number)
            try:
                self.make(commands)
                self.compare()
            except Failure as failure:
                print(f"  FAILED after the changes {','.join(map(str, made))}\n{failure}", flush=True)
                return 1
        return 0


def main():
    parser = argparse.ArgumentParser(description="Random changes, with offload on and off.")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--changes", type=int, default=25)
    parser.add_argument("--only", type=lambda text: {int(word) for word in text.split(",")})
    options = parser.parse_args()
    test = Test(options.seed)
    code = test.run(options.changes, options.only)
    if code == 0:
        print(
            f"  ok      seed {options.seed}: {options.changes} changes, {len(test.flows)} flows; on average "
            f"{test.in_hardware / (options.changes + 1):.0f} routing entries in hardware; the slowest sync took "
            f"{test.slowest_sync} ms"
        )
    return code


if __name__ == "__main__":
    sys.exit(main())
