# SPDX-License-Identifier: Apache-2.0
"""The network of the differential test, as its seed chooses it: pods, VLAN devices, a bridge, and who sends from where.

    seed mod 6   0     1      2            3                      4                    5
                 -     VLANs  a bridge     a bridge, VLANs        a VLAN-aware bridge  a VLAN-aware bridge, VLANs

With seed // 6 odd the switch has a second uplink, on an eswitch of its own (p1), which leads to a second top of rack. A bridge
that does not look at VLANs takes this uplink as well.

Two to six pods are behind representors with addresses, or four to six where there is a bridge: it takes pods 1 to 3, with
the gateways on it. VLANs are devices at pod 0's port and at the uplink; with a bridge that does not look at VLANs, one is a
port of the bridge, too, and the bridge hands on the tags of another, which a device on it routes for. The far sides have
devices for all ids, and answer with all of their addresses at each.

    differential_world.py SEED      prints how many pods and uplinks that is
"""

import random
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Station:
    """Somebody who sends: a pod, with a tag or without."""

    pod: int
    vlan: int | None
    v4: str
    v6: str
    router: str  # the DPU's device that routes for it
    subnet: int | None = None  # of the bridge: who else can be reached without a router


@dataclass(frozen=True)
class Router:
    """Somebody whom packets are sent to by the uplink."""

    place: str  # the namespace that it is in
    device: str  # whose MAC it has
    uplink: str  # the DPU's device that leads there


@dataclass(frozen=True)
class VlanDevice:
    """One of the DPU's, which changes its id."""

    parent: str
    ids: tuple[int, ...]
    v4: str = ""
    v6: str = ""
    routes: tuple[str, ...] = ()  # that go when it goes: prefixes, and from where they lead

    def made(self, name, vlan):
        link = ["ip", "link", "add", "link", self.parent, "name", name, "type", "vlan", "id", str(vlan)]
        commands = [link, ["ip", "link", "set", "dev", name, "up"]]
        if self.v4:
            commands += [["ip", "address", "add", self.v4, "dev", name]]
            commands += [["ip", "-6", "address", "add", self.v6, "dev", name, "nodad"]]
        if self.routes:
            commands += [["ip", "route", "replace", self.routes[0], "via", self.routes[1], "dev", name]]
        return commands


def within(pod, *words):
    namespace = pod if isinstance(pod, str) else f"pod{pod}"
    return ["nsenter", f"--net=/run/netns/{namespace}", *words]


BRIDGED = (1, 2, 3)  # the pods that a bridge takes
UPLINKS = {"p0": ("tor", "wire0"), "p1": ("tor1", "wire1")}  # ports that lead outside: where their far sides are


class World:
    def __init__(self, seed):
        rng = random.Random(f"world of {seed}")
        self.has_vlans = seed % 2 == 1
        self.has_bridge = seed // 2 % 3 > 0
        self.is_aware = seed // 2 % 3 == 2
        self.pods = rng.randint(4, 6) if self.has_bridge else rng.randint(2, 6)
        self.uplinks = list(UPLINKS)[: 1 + seed // 6 % 2]
        self.ports = [f"pf0vf{pod}" for pod in range(self.pods)]  # of the switch, without uplinks
        self.devices = list(self.ports)  # with addresses
        self.far_sides = {uplink: UPLINKS[uplink] for uplink in self.uplinks}  # of ports: namespace and device
        self.far_sides |= {f"pf0vf{pod}": (f"pod{pod}", f"vf{pod}") for pod in range(self.pods)}
        wire, second = Router("tor", "wire0", "p0"), Router("tor", "second0", "p0")
        self.routers = {"192.0.2.2": wire, "192.0.2.3": second}
        self.routers_v6 = {"2001:db8:ff::2": wire, "2001:db8:ff::3": second}
        if "p1" in self.uplinks:
            self.routers["192.0.2.18"] = self.routers_v6["2001:db8:fd::2"] = Router("tor1", "wire1", "p1")
        self.stations = [self.plain_station(pod) for pod in range(self.pods)]
        self.vlans = {}  # name: VlanDevice
        self.members = {}  # port of the bridge: the commands that make it one
        self.permanent = {}  # device: neighbours
        self.setup = []
        self.talkers = []  # namespaces who say something before every batch, so that the bridge knows where they are
        if self.has_vlans:
            self.add_vlans()
        if self.has_bridge:
            self.add_bridge(rng)
        if self.has_bridge and not self.is_aware and "p1" in self.uplinks:
            self.add_bridged_uplink()

    @property
    def far_routers(self):
        """Devices of routers, by place."""
        devices = {}
        for router in self.routers.values():
            devices.setdefault(router.place, set()).add(router.device)
        return devices

    @staticmethod
    def plain_station(pod):
        return Station(pod, None, f"10.1.{pod}.2", f"2001:db8:e{pod}::2", f"pf0vf{pod}")

    def again(self, device):
        """What the kernel forgets of a device that goes down or changes its MAC, and of those on it."""
        commands = []
        for name in [device] + [vlan for vlan, made in self.vlans.items() if made.parent == device]:
            if name in self.vlans and self.vlans[name].v6:
                commands.append(["ip", "-6", "address", "replace", self.vlans[name].v6, "dev", name, "nodad"])
            elif name in self.devices and name.startswith("pf0vf"):
                commands.append(["ip", "-6", "address", "replace", f"2001:db8:e{name[-1]}::1/64", "dev", name, "nodad"])
            elif name == "br0" and name in self.devices:
                commands.append(["ip", "-6", "address", "replace", "2001:db8:50::1/64", "dev", name, "nodad"])
                if "p1" in self.members:
                    commands.append(["ip", "-6", "address", "replace", "2001:db8:fd::1/64", "dev", name, "nodad"])
            for neighbour, pod in self.permanent.get(name, []):
                commands.append(["ip", "neigh", "replace", neighbour, "dev", name, "lladdr", f"@pod{pod}", "nud", "permanent"])
        return commands

    @property
    def plain_pods(self):
        """Those whose representors have addresses and nothing else."""
        others = BRIDGED if self.has_bridge else ()
        return [pod for pod in range(1 if self.has_vlans else 0, self.pods) if pod not in others]

    @staticmethod
    def plugged(pod):
        """What a plain pod's port needs when it has come back, with its VF."""
        near, far = ["dev", f"pf0vf{pod}"], ["dev", f"vf{pod}"]
        return [["ip", "link", "set", *far, "netns", f"pod{pod}"],
                ["ip", "link", "set", *near, "up"],
                ["ip", "address", "add", f"10.1.{pod}.1/24", *near],
                ["ip", "-6", "address", "add", f"2001:db8:e{pod}::1/64", *near, "nodad"],
                within(pod, "ip", "link", "set", *far, "up"),
                within(pod, "ip", "address", "add", f"10.1.{pod}.2/24", *far),
                within(pod, "ip", "-6", "address", "add", f"2001:db8:e{pod}::2/64", *far, "nodad")]  # fmt: skip

    # ---- VLAN devices ----

    def far_vlans(self, namespace, device, vlans, addresses):
        """At the far side: a device for each VLAN, with all IPv6 addresses; the IPv4 ones are the lower device's."""
        for vlan in vlans:
            name = f"{device}.{vlan}"
            self.setup += [within(namespace, "ip", "link", "add", "link", device, "name", name, "type", "vlan", "id", str(vlan)),
                           within(namespace, "ip", "link", "set", "dev", name, "up")]  # fmt: skip
        for address in addresses:
            devices = [device] + ([f"{device}.{vlan}" for vlan in vlans] if ":" in address else [])
            for name in devices:
                self.setup.append(within(namespace, "ip", "address", "add", address, "dev", name,
                                         *(["nodad"] if ":" in address else [])))  # fmt: skip

    def add_vlans(self):
        self.vlans = {
            "pf0vf0.10": VlanDevice("pf0vf0", (10, 12), "10.11.0.1/24", "2001:db8:b0::1/64"),
            "pf0vf0.20": VlanDevice("pf0vf0", (20,), "10.12.0.1/24", "2001:db8:c0::1/64"),
            "p0.100": VlanDevice("p0", (100, 101), "192.0.3.1/24", "2001:db8:fe::1/64", ("198.18.2.0/24", "192.0.3.2")),
        }
        self.devices += ["pf0vf0.10", "pf0vf0.20"]
        self.routers["192.0.3.2"] = self.routers_v6["2001:db8:fe::2"] = Router("tor", "wire0", "p0.100")
        self.far_vlans("tor", "wire0", (100, 101), ["192.0.3.2/24", "2001:db8:fe::2/64"])
        self.far_vlans("pod0", "vf0", (10, 12, 20),
                       ["10.11.0.2/24", "2001:db8:b0::2/64", "10.12.0.2/24", "2001:db8:c0::2/64"])  # fmt: skip
        for name, device in self.vlans.items():
            self.setup += device.made(name, device.ids[0])
        self.stations += [
            Station(0, 10, "10.11.0.2", "2001:db8:b0::2", "pf0vf0.10"),
            Station(0, 12, "10.11.0.2", "2001:db8:b0::2", "pf0vf0.10"),
            Station(0, 20, "10.12.0.2", "2001:db8:c0::2", "pf0vf0.20"),
        ]

    # ---- the bridge ----

    def add_bridge(self, rng):
        for pod in BRIDGED:
            self.setup += [["ip", "address", "flush", "dev", f"pf0vf{pod}"]]
            self.devices.remove(f"pf0vf{pod}")
        self.stations = [station for station in self.stations if station.pod not in BRIDGED]
        filtering = ["vlan_filtering", "1", "vlan_default_pvid", "0"] if self.is_aware else []
        self.setup += [["ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", "ageing_time", "100000", *filtering],
                       ["ip", "link", "set", "dev", "br0", "up"]]  # fmt: skip
        if self.is_aware:
            self.add_aware(rng)
        else:
            self.add_simple()
        self.setup += [["sysctl", "-qw", f"net/ipv4/conf/{device}/send_redirects=0"] for device in ("all", *self.permanent)]
        for device in list(self.permanent):
            self.setup += self.again(device)

    def add_subnet(self, number, device, stations):
        """A subnet of the bridge: the DPU's device in it, and (pod, tag) of each station."""
        self.setup += [["ip", "address", "replace", f"10.{number}.0.1/24", "dev", device],
                       ["ip", "-6", "address", "replace", f"2001:db8:{number}0::1/64", "dev", device, "nodad"]]  # fmt: skip
        self.devices.append(device)
        self.permanent[device] = []
        for pod, tag in stations:
            v4, v6 = f"10.{number}.0.1{pod}", f"2001:db8:{number}0::1{pod}"
            self.stations.append(Station(pod, tag, v4, v6, device, number))
            self.permanent[device] += [(v4, pod), (v6, pod)]

    def add_simple(self):
        for pod in BRIDGED:
            member, tag = f"pf0vf{pod}", None
            if pod == 3 and self.has_vlans:
                member, tag = "pf0vf3.30", 30
                self.vlans[member] = VlanDevice("pf0vf3", (30,))
                self.setup += self.vlans[member].made(member, 30)
            self.members[member] = [["ip", "link", "set", "dev", member, "master", "br0"]]
            self.setup += self.members[member]
            self.far_vlans(pod, f"vf{pod}", [tag] if tag else [], [f"10.5.0.1{pod}/24", f"2001:db8:50::1{pod}/64"])
        self.add_subnet(5, "br0", [(1, None), (2, None), (3, 30 if self.has_vlans else None)])
        if self.has_vlans:
            self.add_tagged()

    def add_bridged_uplink(self):
        self.members["p1"] = [["ip", "link", "set", "dev", "p1", "master", "br0"]]
        self.setup += [["ip", "address", "flush", "dev", "p1"], *self.members["p1"],
                       ["ip", "address", "replace", "192.0.2.17/28", "dev", "br0"], *self.again("br0")]  # fmt: skip
        self.routers["192.0.2.18"] = self.routers_v6["2001:db8:fd::2"] = Router("tor1", "wire1", "br0")
        self.talkers.append("tor1")

    def add_tagged(self):
        """Subnet 7 is VLAN 40, whose tag the bridge hands on."""
        self.vlans["br0.40"] = VlanDevice("br0", (40,), "10.7.0.1/24", "2001:db8:70::1/64")
        self.setup += self.vlans["br0.40"].made("br0.40", 40)
        for pod in (1, 2):
            self.far_vlans(pod, f"vf{pod}", [40], [f"10.7.0.1{pod}/24", f"2001:db8:70::1{pod}/64"])
        self.add_subnet(7, "br0.40", [(1, 40), (2, 40)])

    def add_aware(self, rng):
        """Subnet 5 is VLAN 10, subnet 6 is VLAN 20."""
        untagged, tagged = {1: 10, 2: 20, 3: rng.choice([10, 20])}, {2: 10}
        tagged[3] = 30 - untagged[3]
        gateways = {10: rng.choice(["br0", "br0.10"]), 20: "br0.20"}
        for vlan, device in gateways.items():
            own = ["bridge", "vlan", "add", "dev", "br0", "vid", str(vlan), "self"]
            if device == "br0":
                self.setup += [own + ["pvid", "untagged"]]
            else:
                self.vlans[device] = VlanDevice("br0", (vlan,), f"10.{5 if vlan == 10 else 6}.0.1/24",
                                                f"2001:db8:{5 if vlan == 10 else 6}0::1/64")  # fmt: skip
                self.setup += [own] + self.vlans[device].made(device, vlan)
        for pod in BRIDGED:
            port = f"pf0vf{pod}"
            add = ["bridge", "vlan", "add", "dev", port, "vid"]
            join = [["ip", "link", "set", "dev", port, "master", "br0"], add + [str(untagged[pod]), "pvid", "untagged"]]
            if pod in tagged:
                join.append(add + [str(tagged[pod])])
            self.members[port] = join
            self.setup += join
            addresses = [f"10.{number}.0.1{pod}/24" for number in (5, 6)] + [f"2001:db8:{number}0::1{pod}/64" for number in (5, 6)]
            self.far_vlans(pod, f"vf{pod}", (10, 20), addresses)
        for number, vlan in ((5, 10), (6, 20)):
            stations = [(pod, None if untagged[pod] == vlan else vlan) for pod in BRIDGED
                        if vlan in (untagged[pod], tagged.get(pod))]  # fmt: skip
            self.add_subnet(number, gateways[vlan], stations)


if __name__ == "__main__":
    chosen = World(int(sys.argv[1]))
    print(chosen.pods, len(chosen.uplinks))
