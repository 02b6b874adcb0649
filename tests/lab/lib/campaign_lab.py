# SPDX-License-Identifier: Apache-2.0
"""The fault campaign's network, made by tests/scenarios/60-fault-campaign: its three streams, what the kernel says of each flow,
where its packets come out, and what nobody but its owner may touch.

    pod0 --- pf0vf0   DPU   p0 === tor ------ ext        out4, out6: from pod0 to addresses at ext
    pod1 --- pf0vf1                second --- ext        in4: from ext to addresses at pod1
"""

import collections
import contextlib
import ipaddress
import json
import os
import select
import socket
import subprocess
import time

from daemon import Failure, until
from differential_network import in_namespace, mac_of, mac_text
from files import read, write

TOR, SECOND = "192.0.2.2", "192.0.2.3"
TOR6, SECOND6 = "2001:db8:ff::2", "2001:db8:ff::3"
NET, NET6, POD_NET = "203.0.113.0/24", "2001:db8:100::/64", "10.9.1.0/24"
POD1, GATEWAY1 = "10.1.1.2", "10.1.1.1"
FOREIGN = os.environ["LAB_FOREIGN"]  # a filter, as tc takes it, that stands at these ports
FOREIGN_PREF = FOREIGN.split()[FOREIGN.split().index("pref") + 1]
OWNED = os.environ["LAB_FOREIGN_PORTS"].split()
RATE = 5  # packets a second of each flow: 1,000 of all
PROBE_PORT = 7001  # what is sent there is dropped at the end, without a word
PROBES = 2  # of each flow
QUIET = 3.0  # seconds after which what has not come will not
DWELL = 50  # packets that a fault lasts, at least, of each direction
SWITCH = "/sys/kernel/debug/labnic/"
PARAMETERS = "/sys/module/labnic/parameters/"


class Stream:
    """Flows of numbered packets from one address to as many addresses as there are flows."""

    def __init__(self, name, namespace, source, first, flows, port, receiver, udp):
        self.name, self.namespace, self.source, self.flows, self.udp = name, namespace, source, flows, udp
        self.port = port  # the representor where they enter
        self.receiver = receiver
        start = ipaddress.ip_address(first)
        self.destinations = [str(start + number) for number in range(flows)]

    def url(self, address, port):
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def sending(self, port, *options):
        return ["nsenter", f"--net=/run/netns/{self.namespace}", os.environ["LABTRAFFIC"], "send",
                "--from", self.url(self.source, port), "--to", self.url(self.destinations[0], port),
                "--flows", str(self.flows), "--spread", "address", *options]  # fmt: skip

    def receiving(self, ready):
        anywhere = "::" if ":" in self.source else "0.0.0.0"
        return ["nsenter", f"--net=/run/netns/{self.receiver}", os.environ["LABTRAFFIC"], "receive",
                "--bind", self.url(anywhere, self.udp), "--timeout", "900000", "--idle", "300", "--ready", ready]  # fmt: skip


# Their destinations are addresses of one stream alone.
STREAMS = (
    Stream("out4", "pod0", "10.1.0.2", "203.0.113.1", 80, "pf0vf0", "ext", 7004),
    Stream("out6", "pod0", "2001:db8:e0::2", "2001:db8:100::1", 80, "pf0vf0", "ext", 7006),
    Stream("in4", "ext", "198.51.100.2", "10.9.1.1", 40, "p0", "pod1", 7005),
)


PORT_TO = {destination: stream.port for stream in STREAMS for destination in stream.destinations}  # where packets to it enter


class Report:
    """What became of a stream's packets."""

    def __init__(self, stream, sent, received):
        self.sent = sent["sent"] + sent["refused"]
        self.lost, self.duplicated = received["lost"], received["duplicated"]
        self.rows = self.most_rows(received["gaps"], stream.flows)

    @staticmethod
    def most_rows(gaps, flows):
        """How often the flow that was interrupted most often was. Numbers go round the flows."""
        last, rows = {}, collections.Counter()
        for first, end in gaps:
            for number in range(first, end + 1):
                flow = number % flows
                if last.get(flow) != number - flows:
                    rows[flow] += 1
                last[flow] = number
        return max(rows.values(), default=0)


class Lab:
    def __init__(self, daemon):
        self.daemon = daemon  # None: the kernel alone
        self.receivers, self.senders = {}, {}  # by stream
        self.macs = {}
        for namespace, device, address in (("tor", "wire0", TOR), ("tor", "second0", SECOND)):
            self.macs[address] = in_namespace(namespace, lambda device=device: mac_of(device))
        self.foreign_before = self.foreign()

    # ---- what changes it

    def command(self, *words, namespace=None, text=None, check=True):
        enter = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
        done = subprocess.run([*enter, *words], input=text, text=True, capture_output=True, check=False)
        if check and done.returncode != 0:
            raise Failure(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}; {text or ''}")
        return done.stdout

    def ip(self, *lines, namespace=None):
        return self.command("ip", "-batch", "-", namespace=namespace, text="".join(line + "\n" for line in lines))

    def tc(self, line, check=True):
        return self.command("tc", *line.split(), check=check)

    def ctl(self, *words):
        return self.command(os.environ["DPUFLOWCTL"], *words)

    def switch(self, knob, value):
        write(SWITCH + knob, value)

    def parameter(self, name, value):
        write(PARAMETERS + name, value)

    def route(self, net, by, command="replace"):
        self.ip(f"route {command} {net} via {by}")

    def plug(self, pod):
        """A pod's port is new, and gets what it had; first its clsact, which would stop packets later."""
        far, near, gateway = f"vf{pod}", f"pf0vf{pod}", f"10.1.{pod}.1"
        self.tc(f"qdisc add dev {near} clsact", check=False)  # the agent may have been faster
        self.ip(f"link set dev {far} netns pod{pod}", f"link set dev {near} up", f"address add {gateway}/24 dev {near}")
        self.ip(f"link set dev {far} up", f"address add 10.1.{pod}.2/24 dev {far}", f"route add default via {gateway}",
                namespace=f"pod{pod}")  # fmt: skip

    def lead_to_pod1(self):
        until("carrier of pf0vf1", lambda: read("/sys/class/net/pf0vf1/carrier") == "1\n")
        self.route(POD_NET, POD1)

    # ---- the agent

    def sync(self):
        if self.daemon:
            self.daemon.api.sync()

    def audited(self):
        """Returns when a round of the audit that begins now, or later, has ended."""
        now = time.monotonic()
        until("a round of the audit", lambda: (self.daemon.api.last_round() or 0) > now)

    def counter(self, name):
        return sum(counter["value"] for counter in self.daemon.api.call("GetStats")["counters"] if counter["name"] == name)

    def differences(self):
        report = self.daemon.api.call("Verify")
        if "incomplete" in report:
            raise Failure(f"verify: {report['incomplete']}")
        return report["differences"]

    # ---- traffic

    def start_streams(self):
        for stream in STREAMS:
            ready = f"/run/lab/{stream.name}.ready"
            with contextlib.suppress(FileNotFoundError):
                os.unlink(ready)
            receiver = subprocess.Popen(stream.receiving(ready), stdout=subprocess.PIPE, text=True)
            until(f"the receiver of {stream.name}", lambda ready=ready: os.path.exists(ready))
            self.receivers[stream] = receiver
        for stream in STREAMS:
            sending = stream.sending(stream.udp, "--count", "0", "--rate", str(RATE * stream.flows))
            self.senders[stream] = subprocess.Popen(sending, stdout=subprocess.PIPE, text=True)
        self.dwell()

    def stop_streams(self):
        for sender in self.senders.values():
            sender.terminate()
        return {stream.name: Report(stream, reported(self.senders[stream]), reported(self.receivers[stream]))
                for stream in STREAMS}  # fmt: skip

    def dwell(self):
        """Until so many packets have entered at each of the ports."""
        before = self.sent()
        until("packets are sent", lambda: all(self.sent()[port] >= was + DWELL for port, was in before.items()))

    # ---- what is seen

    def sent(self):
        """Packets that have entered, by port."""
        return self.counted("sent")

    def counted(self, what):
        """By port where streams enter."""
        ports = json.loads(read(SWITCH + "totals"))["ports"]
        return {stream.port: ports[stream.port][what] for stream in STREAMS}

    def entries(self):
        """The routing entries of the streams' flows."""
        rules = map(json.loads, read(SWITCH + "rules").splitlines())
        return [rule for rule in rules if rule["chain"] == 2 and PORT_TO.get(leads_to(rule)) == rule["port"]]

    def all_in_hardware(self):
        return len(self.entries()) == len(PORT_TO)

    def none_misses(self):
        """For a while."""
        before = self.counted("missed")
        self.dwell()
        return self.counted("missed") == before

    def kernel_macs(self):
        """The MAC that the kernel sends the packets of each flow to, by destination."""
        lines = [f"route get {destination} from {stream.source} iif {stream.port}"
                 for stream in STREAMS for destination in stream.destinations]  # fmt: skip
        known = json.loads(self.command("ip", "-j", "neigh"))
        neighbours = {(neighbour["dst"], neighbour["dev"]): neighbour.get("lladdr") for neighbour in known}
        found = dict.fromkeys(PORT_TO)
        shown = self.command("ip", "-force", "-batch", "-", text="\n".join(lines), check=False)  # some may be unreachable
        for line in shown.splitlines():
            words = line.split()
            if "via" in words:
                found[words[0]] = neighbours.get((words[words.index("via") + 1], words[words.index("dev") + 1]))
        return found

    def disagreements(self):
        """Entries that send elsewhere than the kernel."""
        said = self.kernel_macs()
        return [f"{leads_to(rule)} to {sends_to(rule)}, the kernel: {said[leads_to(rule)]}"
                for rule in self.entries() if sends_to(rule) != said[leads_to(rule)]]  # fmt: skip

    def probe(self):
        """Some packets of each flow, and the MACs with which they come out: by destination, each with how many did."""
        sockets = [in_namespace(namespace, lambda device=device: listen(device))
                   for namespace, device in (("tor", "wire0"), ("pod1", "vf1"))]  # fmt: skip
        try:
            for stream in STREAMS:
                self.command(*stream.sending(PROBE_PORT, "--count", str(PROBES * stream.flows), "--rate", "1000", "--no-end"))
            return self.arrivals(sockets)
        finally:
            for each in sockets:
                each.close()

    def arrivals(self, sockets):
        seen = {destination: collections.Counter() for destination in PORT_TO}
        missing = PROBES * len(PORT_TO)
        while missing > 0 and (ready := select.select(sockets, [], [], QUIET)[0]):
            for each in ready:
                frame, (_, _, kind, _, _) = each.recvfrom(2048)
                destination = probed(frame)
                if kind != socket.PACKET_OUTGOING and destination in seen:
                    seen[destination][mac_text(frame[:6])] += 1
                    missing -= 1
        return seen

    def misdelivered(self):
        """What comes out elsewhere than the kernel says, or not at all, or twice; empty when all is right."""
        said, seen = self.kernel_macs(), self.probe()
        return [f"{destination} to {dict(macs)}, the kernel: {said[destination]}"
                for destination, macs in seen.items() if macs != {said[destination]: PROBES}]  # fmt: skip

    def foreign(self):
        """What belongs to others: filters and qdiscs beside ours, and all of the kernel's tables."""
        shown = []
        for port in OWNED:
            shown += self.tc(f"filter show dev {port} ingress pref {FOREIGN_PREF}").splitlines()
            shown += self.tc(f"qdisc show dev {port}").splitlines()
        for table in ("-4 route show table all", "-6 route show table all", "rule", "nexthop", "neigh show nud permanent"):
            shown += sorted(self.command("ip", *table.split()).splitlines())
        return shown


def reported(process):
    """What labtraffic prints at its end."""
    return json.loads(process.communicate(timeout=60)[0])


def leads_to(rule):
    """Of a routing entry: the destination."""
    return rule["match"]["dst_ip"]["value"]


def sends_to(rule):
    """The MAC."""
    return next((action["value"] for action in rule["actions"] if action.get("field") == "dst_mac"), None)


def listen(device):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    packets.bind((device, 3))
    return packets


def probed(frame):
    """The destination of a probe, None of anything else."""
    if frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP:
        address, port = frame[30:34], frame[36:38]
    elif frame[12:14] == b"\x86\xdd" and frame[20] == socket.IPPROTO_UDP:
        address, port = frame[38:54], frame[56:58]
    else:
        return None
    return str(ipaddress.ip_address(address)) if int.from_bytes(port, "big") == PROBE_PORT else None
