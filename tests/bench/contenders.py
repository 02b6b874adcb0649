# SPDX-License-Identifier: Apache-2.0
"""Who is measured. Each one, once started, brings the destinations of `world` into hardware, by itself when their packets come
(all but tc), and sends them to the top of rack."""

import os
import signal
import subprocess
import time

import world
from daemon import CONFIG, Daemon, until
from differential_network import in_namespace, mac_of
from files import read, write

NONE_IDLE = "30m"  # an idle time that no measurement reaches


class Dpuflow:
    """The agent with its defaults: entries are read back, the audit is on."""

    name = "dpuflow"

    def __init__(self):
        self.daemon = Daemon()

    def start(self, flows, idle_time):
        world.route(world.TOR)
        write(CONFIG, f'[flows]\nidle-time = "{idle_time or NONE_IDLE}"\nmax-entries = {2 * flows + 1000}')
        self.daemon.start()

    def stop(self):
        self.daemon.end(signal.SIGTERM)

    def pid(self):
        return self.daemon.process.pid

    def sync(self):
        self.daemon.api.sync()

    def faults(self):
        """Entries that are not what they should be, and how often notifications were lost."""
        differences = self.daemon.api.call("Verify")["differences"]
        counters = self.daemon.api.call("GetStats")["counters"]
        lost = sum(one["value"] for one in counters if one["name"] == "dpuflow_netlink_overruns_total")
        return {"stale": len(differences), "overruns": lost}

    def stages(self):
        """Of a new flow's way into hardware: milliseconds spent in each stage until now, and how many flows there were."""
        counters = self.daemon.api.call("GetStats")["counters"]

        def parts(part, divisor):
            name = f"dpuflow_flow_microseconds_{part}"
            return {one["labels"]["stage"]: one["value"] / divisor for one in counters if one["name"] == name}

        counts = parts("count", 1)
        return {stage: (milliseconds, counts[stage]) for stage, milliseconds in parts("sum", 1000).items()}

    @staticmethod
    def move(_flows):
        """A route says where packets go."""
        world.route(world.SECOND)

    @staticmethod
    def forget():
        world.command(os.environ["DPUFLOWCTL"], "flow", "flush")

    @staticmethod
    def keep_in_software():
        world.command(os.environ["DPUFLOWCTL"], "offload", "off")


class OpenVswitch:
    """ovs-vswitchd with an OpenFlow rule for each destination, so that its entries are exact as well."""

    name = "Open vSwitch"
    settings = ("hw-offload=true", "tc-policy=skip_sw")

    def __init__(self):
        self.script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "openvswitch")

    def start(self, flows, idle_time):
        milliseconds = int(idle_time.removesuffix("s")) * 1000 if idle_time else 1_800_000
        world.command(self.script, "start", *self.settings, f"max-idle={milliseconds}", "flow-limit=200000")
        for port in (world.UPLINK, world.PORT):
            world.command("ovs-vsctl", "--timeout=30", "add-port", "br0", port)
        world.command("ovs-ofctl", "del-flows", "br0")
        self.program("add-flows", flows, world.TOR)

    @staticmethod
    def program(how, flows, gateway):
        actions = (f"mod_dl_src:{mac_of(world.UPLINK)},mod_dl_dst:{MACS[gateway]},dec_ttl,output:{world.UPLINK}")
        rules = "".join(f"ip,nw_dst={world.destination(flow)},actions={actions}\n" for flow in range(flows))
        world.command("ovs-ofctl", how, "br0", "-", text=rules)

    def stop(self):
        world.command(self.script, "stop")
        for port in (world.UPLINK, world.PORT):  # it leaves the qdiscs that it has made for hardware
            world.command("tc", "qdisc", "del", "dev", port, "ingress", check=False)

    def pid(self):
        return int(read("/run/openvswitch/ovs-vswitchd.pid"))

    def sync(self):
        """It has seen everything once it does no more than it always does: a twentieth of a processor."""
        def is_busy():
            before = world.cpu_of(self.pid())
            time.sleep(1)
            return world.cpu_of(self.pid()) - before > 0.05

        until("Open vSwitch is at rest", lambda: not is_busy(), 600)

    def move(self, flows):
        self.program("mod-flows", flows, world.SECOND)

    @staticmethod
    def forget():
        world.command("ovs-appctl", "revalidator/purge")


class OpenVswitchDatapath(OpenVswitch):
    """Without hardware: its kernel module forwards."""

    name = "Open vSwitch's module"
    settings = ("hw-offload=false",)

    def keep_in_software(self):
        pass


class Tc:
    """`tc -batch` with the entries that dpuflow makes: what the kernel and the driver cost, and the ceiling of all others."""

    name = "tc -batch"

    def start(self, _flows, _idle_time):
        world.command("tc", "qdisc", "add", "dev", world.PORT, "clsact")

    def stop(self):
        world.command("tc", "qdisc", "del", "dev", world.PORT, "clsact")

    def lines(self, flows, verb, gateway):
        edit = (f"action pedit ex munge eth dst set {MACS[gateway]} munge eth src set {mac_of(world.UPLINK)} "
                "munge ip ttl dec pipe no_percpu")  # fmt: skip
        for flow in range(flows):
            yield (f"filter {verb} dev {world.PORT} ingress protocol ip chain 2 pref 1 handle {flow + 1} flower skip_sw "
                   f"dst_ip {world.destination(flow)} {edit} action mirred egress redirect dev {world.UPLINK} no_percpu\n")  # fmt: skip

    def batch(self, flows, verb, gateway):
        """The seconds that it takes, and those that a processor spends."""
        path = "/run/lab/batch"
        with open(path, "w", encoding="ascii") as file:
            file.writelines(self.lines(flows, verb, gateway))
        return world.spent("tc", "-batch", path)


class DiscardedDumps(Tc):
    """The same entries, and somebody who reads them and throws away what he reads."""

    name = "discarded dumps"


class Flowtable:
    """nft's flowtable: a connection is offloaded by its second packet."""

    name = "nft flowtable"

    def start(self, _flows, _idle_time):
        world.route(world.TOR)
        world.command("nft", "-f", "-", text=f"""table inet bench {{
            flowtable f {{ hook ingress priority 0; devices = {{ {world.PORT} }}; flags offload; }}
            chain forward {{ type filter hook forward priority 0; ip protocol udp flow add @f; }}
        }}""")

    def stop(self):
        world.command("nft", "delete", "table", "inet", "bench")


class Forwarding:
    """The kernel's own."""

    name = "ip_forward"

    def start(self, _flows, _idle_time):
        world.route(world.TOR)

    def stop(self):
        pass

    def keep_in_software(self):
        pass


class DiscardedNotifications:
    """Somebody who reads them and does nothing else."""

    name = "discarded notifications"

    def start(self, _flows, _idle_time):
        self.process = subprocess.Popen([os.environ["LAB_BUILD"] + "/tests/bench/discard", "routes"], stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def pid(self):
        return self.process.pid

    def sync(self):
        """Its queue is empty once it sleeps."""
        world.when_quiet(lambda: world.cpu_of(self.pid()), quiet=0.2)


MACS = {}


def learn():
    for gateway, device in ((world.TOR, "wire0"), (world.SECOND, "second0")):
        MACS[gateway] = in_namespace("tor", lambda device=device: mac_of(device))


CONTENDERS = {contender.name: contender for contender in
              (Dpuflow, OpenVswitch, OpenVswitchDatapath, Tc, Flowtable, Forwarding, DiscardedDumps, DiscardedNotifications)}  # fmt: skip
