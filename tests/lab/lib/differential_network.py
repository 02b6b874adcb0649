# SPDX-License-Identifier: Apache-2.0
"""Packets of the differential test: how they are sent, what is seen of them, and how that is told."""

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct
import time

ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA, TP_STATUS_VLAN_VALID = 263, 8, 1 << 4
REDIRECTS = {1: 5, 58: 137}  # by protocol; hardware sends none (dpuflowd(8))
MAGIC = b"dpuflow-differential"
QUIET = 0.3  # seconds without an arrival after which a batch is over
LONG = 3.0  # the same where the outcome differs: a slow machine is not a difference
NO_BATCH = 0  # of packets that nobody asks about


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
        self.peer = peer  # the namespace to whose MAC it goes; None: to the router
        self.packet = self.make_packet()
        self.vlan, self.priority = (station.vlan, 0) if tag is None else tag

    def __str__(self):
        tag = "" if self.vlan is None else f" in VLAN {self.vlan}, priority {self.priority}"
        peer = "" if self.peer is None else f" to the MAC of {self.peer}"
        return (
            f"pod{self.pod}{tag}{peer} {self.source} -> {self.destination} udp {self.ports[0]}:{self.ports[1]} tos {self.tos}"
        )

    def frame(self, source_mac, router_mac, batch):
        packet = self.packet + struct.pack("!II", batch, 0xFFFFFFFF - batch)  # together nothing to a checksum
        tag = b"" if self.vlan is None else struct.pack("!HH", 0x8100, self.priority << 13 | self.vlan)
        return router_mac + source_mac + tag + (b"\x86\xdd" if self.v6 else b"\x08\x00") + packet

    def make_packet(self):
        """All of it but the batch."""
        payload = MAGIC + struct.pack("!H", self.number) + b"\0\0\0\0\xff\xff\xff\xff"
        udp = struct.pack("!HHHH", *self.ports, 8 + len(payload), 0) + payload
        if self.v6:
            addresses = socket.inet_pton(socket.AF_INET6, self.source) + socket.inet_pton(
                socket.AF_INET6, self.destination
            )
            padded = addresses + struct.pack("!II", len(udp), 17) + udp + b"\0" * (len(udp) % 2)
            udp = udp[:6] + struct.pack("!H", checksum(padded) or 0xFFFF) + udp[8:]
            header = struct.pack("!IHBB", 6 << 28 | self.tos << 20, len(udp), 17, 64) + addresses
            return (header + udp)[:-8]
        addresses = socket.inet_aton(self.source) + socket.inet_aton(self.destination)
        header = struct.pack("!BBHHHBBH", 0x45, self.tos, 20 + len(udp), 1, 0, 64, 17, 0) + addresses
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        return (header + udp)[:-8]


@contextlib.contextmanager
def unless_down():
    """What is sent by a device that is down is not sent."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENETDOWN:
            raise


def mac_of(device):
    """As text, of a device of the namespace that this runs in."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
        packets.bind((device, 0))
        return mac_text(packets.getsockname()[4])


def own_mac(device):
    """As text, of a device of the DPU's; nothing where there is none."""
    try:
        with open(f"/sys/class/net/{device}/address", encoding="ascii") as address:
            return address.read().strip()
    except FileNotFoundError:
        return ""


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


def describe(frame, tag, names):
    """(batch, flow number, what it shows) of one of our packets, or of an ICMP error about one; else None."""
    at = frame.find(MAGIC)
    if at < 0 or len(frame) < at + len(MAGIC) + 6:
        return None
    number, batch = struct.unpack_from("!HI", frame, at + len(MAGIC))
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
    sender, receiver = (names.get(mac, mac) for mac in (mac_text(frame[6:12]), mac_text(frame[0:6])))
    return batch, number, f"{sender} > {receiver} {tag}{seen}"


class Network:
    """Sockets at every far side of the switch: they send as pods, and see what comes out."""

    def __init__(self, world):
        self.talkers = world.talkers
        self.sockets = {}
        for place in world.far_sides.values():
            self.listen(*place)
        self.names = {}  # of MACs that are others each time: what is seen is told with these
        for name, routers in world.far_routers.items():
            self.names |= in_namespace(name, lambda routers=routers: {mac_of(device): device for device in routers})
        self.router_macs = {}
        self.batch = NO_BATCH

    def listen(self, namespace, device):
        self.sockets[namespace] = in_namespace(namespace, lambda: self.open(device))

    @staticmethod
    def open(device):
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        packets.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        packets.bind((device, ETH_P_ALL))
        packets.setblocking(False)
        return packets

    def mac(self, namespace):
        return self.sockets[namespace].getsockname()[4]

    def next_mac(self, flow):
        """Of whom a flow is sent to."""
        return self.router_macs[flow.station.router] if flow.peer is None else self.mac(flow.peer)

    def macs_of(self, flow):
        """From whom and to whom, as text."""
        return mac_text(self.mac(f"pod{flow.pod}")), mac_text(self.next_mac(flow))

    def look_at_routers(self, flows):
        """A device that is gone keeps its last MAC."""
        for device in {flow.station.router for flow in flows}:
            mac = own_mac(device)
            if mac:
                self.router_macs[device] = mac_bytes(mac)

    def speak(self, namespace, at, vlan):
        """The MAC of one says something at the port of another."""
        tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
        self.sockets[at].send(b"\xff" * 6 + self.mac(namespace) + tag + b"\x88\xb5" + bytes(46))

    def send(self, flows, batch=NO_BATCH):
        """One packet of each flow; none of a pod whose device is down."""
        self.look_at_routers(flows)
        for talker in self.talkers:
            with unless_down():
                self.speak(talker, talker, None)
        for flow in flows:
            with unless_down():
                pod = f"pod{flow.pod}"
                self.sockets[pod].send(flow.frame(self.mac(pod), self.next_mac(flow), batch))

    def probe(self, flows, quiet=QUIET):
        """What becomes of one packet of each flow: by its number, everything that was seen of it, sorted."""
        self.batch += 1
        outcomes = {flow.number: [] for flow in flows}
        self.send(flows, self.batch)
        names = self.names | {own_mac("br0"): "br0"}
        end = time.monotonic() + quiet
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select(list(self.sockets.values()), [], [], left)
            for name, packets in self.sockets.items():
                if packets in ready and self.drain(name, packets, names, outcomes):
                    end = time.monotonic() + quiet
        return {number: sorted(seen) for number, seen in outcomes.items()}

    def drain(self, place, packets, names, outcomes):
        news = False
        while True:
            try:
                frame, messages, _, address = packets.recvmsg(65535, 64)
            except BlockingIOError:
                return news
            except OSError as error:  # the device has gone down: said once
                if error.errno != errno.ENETDOWN:
                    raise
                continue
            seen = describe(frame, tag_of(messages), names) if address[2] != socket.PACKET_OUTGOING else None
            if seen and seen[0] == self.batch and seen[1] in outcomes:
                outcomes[seen[1]].append(f"at {place}: {seen[2]}")
                news = True
