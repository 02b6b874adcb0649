# SPDX-License-Identifier: Apache-2.0
"""What the differential test draws from its seed: flows, and changes of all the kinds that the kernel knows."""

import itertools

from differential_network import Flow
from differential_world import BRIDGED, within

PREFIXES = [f"198.18.{i}.0/24" for i in range(4)]
PREFIXES_V6 = [f"2001:db8:{i}00::/64" for i in range(1, 4)]


class Changes:
    """Changes drawn from a seed: a description, and the commands that make it."""

    def __init__(self, rng, world):
        self.rng = rng
        self.world = world
        self.kinds = [
            (8, self.route), (4, self.specific_route), (2, self.default_route), (4, self.route_deleted),
            (4, self.nexthop), (4, self.neighbour), (2, self.link_flap), (2, self.link_mtu), (2, self.link_mac),
            (1, self.link_name), (2, self.carrier), (2, self.address), (1, self.port_address), (5, self.rule),
            (3, self.rule_deleted), (3, self.hash_policy), (2, self.rp_filter), (2, self.forwarding), (3, self.vrf),
            (2, self.uplink_vrf),
            (2, self.netfilter), (1, self.offload_port),
        ]  # fmt: skip
        if world.plain_pods:
            self.kinds += [(2, self.port_returns)]
        if len(world.uplinks) > 1:
            self.kinds += [(5, self.multiport)]
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

    def via(self, address):
        router = self.world.routers.get(address) or self.world.routers_v6[address]
        return ["via", address, "dev", router.uplink]

    def table(self):
        return self.rng.choice([[], [], [], ["table", "100"], ["table", "10"]])

    def paths(self, routers):
        draw = self.rng.random()
        first, second = self.rng.sample(list(routers), 2)
        if draw < 0.5:
            return self.via(first)
        if draw < 0.65:
            return ["nhid", self.rng.choice(["20", "30", "50"] if "." in first else ["40", "60"])]
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
        group_v6 = group.replace("11", "41").replace("12", "42")
        return [self.rng.choice([
            ["ip", "nexthop", "replace", "id", "11", *self.via(router)],
            ["ip", "nexthop", "replace", "id", "20", "group", group],
            ["ip", "nexthop", "replace", "id", "30", *self.via(router)],
            ["ip", "-6", "nexthop", "replace", "id", "40", *self.via(router_v6)],
            ["ip", "-6", "nexthop", "replace", "id", "41", *self.via(router_v6)],
            ["ip", "nexthop", "replace", "id", "50", "group", group, "type", "resilient"],
            ["ip", "nexthop", "replace", "id", "60", "group", group_v6, "type", "resilient"],
        ])]  # fmt: skip

    def neighbour(self):
        _, _, routers, _ = self.family()
        address, router = self.rng.choice(list(routers.items()))
        to = [address, "dev", router.uplink]
        pod = self.rng.choice([station for station in self.world.stations if station.subnet is None])
        return [self.rng.choice([
            ["ip", "neigh", "del", *to],
            ["ip", "neigh", "replace", *to, "lladdr", f"@{router.device}", "nud", "reachable"],
            ["ip", "neigh", "replace", *to, "lladdr", "@wire0", "nud", "permanent"],
            ["ip", "neigh", "del", pod.v4, "dev", pod.router],
        ])]  # fmt: skip

    def device(self):
        """A port of the switch, a VLAN device or the bridge."""
        return self.rng.choice(list(dict.fromkeys(self.world.ports + self.world.devices)))

    def link_flap(self):
        device = self.rng.choice(self.world.ports)
        down, up = (["ip", "link", "set", "dev", device, state] for state in ("down", "up"))
        return [down, up] + self.world.again(device)

    def link_name(self):
        """A device has another name for a while."""
        device = self.device()
        renamed = []
        for old, new in ((device, "other"), ("other", device)):
            link = ["ip", "link", "set", "dev"]
            renamed += [[*link, old, "down"], [*link, old, "name", new], [*link, new, "up"]]
        return renamed + self.world.again(device)

    def carrier(self):
        if self.rng.random() < 0.2:
            device = self.rng.choice(self.world.uplinks)
            states = ["down", "up"]
        else:
            device = self.rng.choice(self.world.ports)
            states = self.rng.choice([["down"], ["down", "up"], ["up"], ["up"]])
        place, far = self.world.far_sides[device]
        return [within(place, "ip", "link", "set", "dev", far, state) for state in states]

    def link_mtu(self):
        device = self.rng.choice([self.rng.choice(self.world.uplinks), self.rng.choice(self.world.ports)])
        return [["ip", "link", "set", "dev", device, "mtu", self.rng.choice(["1500", "1500", "1400", "1280"])]]

    def link_mac(self):
        device = self.device()
        made = ["ip", "link", "set", "dev", device, "address", f"02:00:00:00:{self.rng.randrange(256):02x}:01"]
        return [made] + self.world.again(device)

    def address(self):
        address = self.rng.choice(["198.18.0.7/32", "198.18.1.9/32", "2001:db8:100::7/128"])
        return [["ip", "address", self.rng.choice(["add", "del"]), address, "dev", "lo"]]

    def port_address(self):
        """A pod loses its gateway, or has it again."""
        station = self.rng.choice([s for s in self.world.stations if s.vlan is None and s.subnet is None])
        gateway = ["ip", "address", "replace", station.v4[:-1] + "1/24", "dev", station.router]
        gone = ["ip", "address", "del", *gateway[3:]]
        return self.rng.choice([[gone], [gone, gateway], [gateway], [gateway]])

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
        device = self.rng.choice([self.rng.choice(self.world.uplinks), self.rng.choice(self.world.devices)]).replace(".", "/")
        return self.sysctl(f"ipv4.conf.{device}.rp_filter", self.rng.choice([0, 0, 1, 2]))

    def forwarding(self):
        device = self.rng.choice(self.world.devices).replace(".", "/")
        return self.sysctl(f"ipv4.conf.{device}.forwarding", self.rng.choice([1, 1, 0]))

    def vrf(self):
        device = self.rng.choice(self.world.devices)
        enslaved = ["ip", "link", "set", "dev", device] + self.rng.choice([["master", "red"], ["nomaster"]])
        return [enslaved] + self.world.again(device)

    def uplink_vrf(self):
        """The uplink goes into a VRF, or comes out. Routes and nexthops by it go without a word, and are made again."""
        enslaved = ["ip", "link", "set", "dev", "p0"] + self.rng.choice([["master", "red"], ["nomaster"], ["nomaster"]])
        address = ["ip", "-6", "address", "replace", "2001:db8:ff::1/64", "dev", "p0", "nodad"]
        hops = {"11": "192.0.2.2", "12": "192.0.2.3", "30": "192.0.2.3",
                "40": "2001:db8:ff::3", "41": "2001:db8:ff::2", "42": "2001:db8:ff::3"}  # fmt: skip
        groups = {"20": "11/12", "50": "11/12", "60": "41/42"}
        made = [["ip", "nexthop", "replace", "id", name, *self.via(router)] for name, router in hops.items()]
        for name, members in groups.items():
            resilient = [] if name == "20" else ["type", "resilient", "buckets", "16", "idle_timer", "0"]
            made.append(["ip", "nexthop", "replace", "id", name, "group", members, *resilient])
        for prefix, way in ((PREFIXES[0], self.via("192.0.2.2")), (PREFIXES[1], ["nhid", "20"]),
                            (PREFIXES_V6[0], self.via("2001:db8:ff::2"))):  # fmt: skip
            made.append(["ip", "route", "replace", prefix, *way])
        return [enslaved, address] + self.world.again("p0") + made

    def netfilter(self):
        if self.rng.random() < 0.6:
            return [["nft", "delete", "table", "inet", "test"]]
        return [["nft", "add", "table", "inet", "test"],
                ["nft", "add chain inet test forward { type filter hook forward priority 0; }"],
                ["nft", "add", "rule", "inet", "test", "forward", "udp", "dport", "7001", "counter", "drop"]]  # fmt: skip

    def offload_port(self):
        return [["dpuflowctl", "offload", self.rng.choice(["on", "on", "off"]), "dev", self.rng.choice(self.world.ports)]]

    def port_returns(self):
        """A port of the switch goes, with its VF, and comes back."""
        return [["replug", str(self.rng.choice(self.world.plain_pods))]]

    def multiport(self):
        """Whether hardware sends from one eswitch to the other."""
        return [["devlink", "dev", "param", "set", "labnic/0000:03:00.0", "name", "esw_multiport",
                 "value", self.rng.choice(["true", "true", "false"]), "cmode", "runtime"]]  # fmt: skip

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
        pod, at = self.rng.sample(BRIDGED, 2)
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
    """From every pod to every other, and from everybody to some destinations."""
    flows = []
    destinations = [f"198.18.{i}.{last}" for i in range(4) for last in (7, 9)]
    destinations += [f"2001:db8:{i}00::{last}" for i in range(1, 4) for last in (7, 9)]
    destinations += [station.v4 for station in world.stations] + [station.v6 for station in world.stations]
    destinations += ["203.0.113.1", "192.0.2.2"]
    for pod, other in itertools.permutations(range(world.pods), 2):
        station, peer = (rng.choice([station for station in world.stations if station.pod == at]) for at in (pod, other))
        flows.append(Flow(len(flows), station, rng.choice([peer.v4, peer.v6]), draw_ports(rng), 0))
    for station in world.stations:
        for destination in rng.sample(destinations, 4):
            flow = Flow(len(flows), station, destination, draw_ports(rng), rng.choice([0, 0, 0, 0x10]))
            if flow.destination != flow.source:
                flows.append(flow)
    return flows + draw_tagged_and_bridged(rng, world, len(flows))


def draw_tagged_and_bridged(rng, world, number):
    """Tags with priorities, and frames from pod to pod, and to an uplink, under the bridge; some to the wrong VLAN."""
    drawn = []
    for station, place in itertools.product(world.stations, world.talkers):
        if station.subnet is not None:
            destination = rng.choice(["198.18.0.7", "198.18.1.7", "2001:db8:100::7"])
            drawn.append((station, destination, place, None if station.vlan is None else (station.vlan, 0)))
    for station in world.stations:
        if station.vlan is not None:
            drawn.append((station, f"198.18.{rng.randrange(4)}.7", None, (rng.choice([station.vlan, 0]), rng.randint(1, 7))))
        for peer in world.stations:
            if None in (station.subnet, peer.subnet) or station.pod == peer.pod:
                continue
            if station.subnet == peer.subnet:
                tag = None if station.vlan is None else (station.vlan, rng.choice([0, 0, 5]))
                drawn.append((station, rng.choice([peer.v4, peer.v4, peer.v6]), f"pod{peer.pod}", tag))
            elif rng.random() < 0.3:
                drawn.append((station, peer.v4, f"pod{peer.pod}", None))
    return [Flow(number + index, station, destination, draw_ports(rng), 0, peer, tag)
            for index, (station, destination, peer, tag) in enumerate(drawn)]  # fmt: skip
