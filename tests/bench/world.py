# SPDX-License-Identifier: Apache-2.0
"""What benchmarks share: the network that `guest` has made, packets into it, what the switch says of when it did what, and what
processors spent.

    pod0 --- vf0 | pf0vf0   DPU   p0 | wire0 --- tor       all destinations end at tor, or at the second router on the wire
"""

import contextlib
import ipaddress
import json
import os
import subprocess
import time

from daemon import until
from differential_network import mac_of
from files import read, write

POD, PORT, UPLINK = "10.1.0.2", "pf0vf0", "p0"
TOR, SECOND = "192.0.2.2", "192.0.2.3"
NET, FIRST = "10.128.0.0/9", int(ipaddress.ip_address("10.128.0.1"))
SWITCH = "/sys/kernel/debug/labnic/"
TRACING = "/sys/kernel/tracing/"
MANY = 256  # VFs, where there are many
QUIET = 1.0  # seconds without an event after which there will be none


def destination(flow):
    return str(ipaddress.ip_address(FIRST + flow))


def command(*words, namespace=None, text=None, check=True):
    enter = ["nsenter", f"--net=/run/netns/{namespace}"] if namespace else []
    done = subprocess.run([*enter, *words], input=text, text=True, capture_output=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)[:200]}: {done.stderr.strip()[:500] or done.returncode}")
    return done.stdout


def route(gateway):
    command("ip", "route", "replace", NET, "via", gateway)


# ---- packets


def sending(flows, *options, to=0, spread="address", port=7000):
    """The command that sends a packet to each of so many destinations in turn, or to as many ports of one."""
    return ["nsenter", "--net=/run/netns/pod0", os.environ["LABTRAFFIC"], "send", "--from", f"{POD}:{port}",
            "--to", f"{destination(to)}:7000", "--flows", str(flows), "--spread", spread, "--no-end", *options]  # fmt: skip


def send(flows, rate=0):
    """One packet to each; as fast as it goes, or so many a second."""
    command(*sending(flows, "--count", str(flows), *(["--rate", str(rate)] if rate else [])))


def send_from_all(flows):
    """One packet to each, an equal part of them from each of many VFs."""
    each = flows // MANY
    for vf in range(MANY):
        first, last = vf * each, flows if vf == MANY - 1 else (vf + 1) * each
        command("nsenter", f"--net=/run/netns/pod{min(vf, 1)}", os.environ["LABTRAFFIC"], "send", "--from", f"10.1.{vf}.2:7000",
                "--to", f"{destination(first)}:7000", "--flows", str(last - first), "--count", str(last - first),
                "--spread", "address", "--no-end")  # fmt: skip


def pktgen(packets):
    """The kernel's own generator sends that many as fast as it goes; the seconds that it took."""
    command("modprobe", "pktgen")
    for name, lines in (("kpktgend_0", ["rem_device_all", "add_device vf0"]),
                        ("vf0", [f"count {packets}", "pkt_size 64", "delay 0", f"dst {destination(0)}", f"src_min {POD}",
                                 f"src_max {POD}", f"dst_mac {mac_of(PORT)}", "udp_dst_min 7000", "udp_dst_max 7000"]),
                        ("pgctrl", ["start"])):  # fmt: skip
        for line in lines:
            command("sh", "-c", f"echo '{line}' >/proc/net/pktgen/{name}", namespace="pod0")
    result = command("cat", "/proc/net/pktgen/vf0", namespace="pod0")
    return int(result.partition("Result: OK: ")[2].partition("(")[0]) / 1e6


# ---- the switch


def rules():
    """How many there are in all tables."""
    return int(read(SWITCH + "entries"))


def totals():
    return json.loads(read(SWITCH + "totals"))


@contextlib.contextmanager
def counter_period(milliseconds):
    """Between two samples of the counters."""
    knob = "/sys/module/labnic/parameters/counter_period_ms"
    usual = read(knob).strip()
    write(knob, milliseconds)
    try:
        yield
    finally:
        write(knob, usual)


class Trace:
    """The switch's events between start() and stop(); times as of time.monotonic()."""

    def __init__(self, *events):
        self.events = events

    def start(self):
        write(TRACING + "tracing_on", 0)
        write(TRACING + "trace_clock", "mono")
        write(TRACING + "buffer_size_kb", 16384)
        write(TRACING + "trace", "")
        for event in ("miss", "insert", "remove"):
            write(TRACING + f"events/labnic/labnic_{event}/enable", int(event in self.events))
        write(TRACING + "tracing_on", 1)
        return self

    def stop(self):
        """Lists of (time, event, fields)."""
        write(TRACING + "tracing_on", 0)
        return list(self.parsed(read(TRACING + "trace")))

    @staticmethod
    def parsed(text):
        for line in text.splitlines():
            before, found, after = line.partition(": labnic_")
            if found:
                event, _, rest = after.partition(": ")
                yield float(before.rsplit(None, 1)[1]), event, dict(field.split("=", 1) for field in rest.split())


def flow_of(fields):
    """None: it is about another destination, or none."""
    if not fields["to"].startswith("::ffff:10."):
        return None
    a, b, c, d = map(int, fields["to"][7:].split("."))
    return (a << 24 | b << 16 | c << 8 | d) - FIRST


def flows_of(events, event):
    """The times of such events, by flow."""
    times = {}
    for when, what, fields in events:
        if what == event and (flow := flow_of(fields)) is not None:
            times.setdefault(flow, []).append(when)
    return times


def when_quiet(value, quiet=QUIET, limit=600):
    """Returns when the value has not changed for that long."""
    seen = [value(), time.monotonic()]

    def is_quiet():
        now = value()
        if now != seen[0]:
            seen[:] = [now, time.monotonic()]
        return time.monotonic() - seen[1] > quiet

    until("it is quiet", is_quiet, limit)


# ---- what it costs


def spent(*words):
    """The seconds that a command takes, and those that it has a processor for."""
    before, began = os.times(), time.monotonic()
    command(*words)
    after, took = os.times(), time.monotonic() - began
    return took, after.children_user + after.children_system - before.children_user - before.children_system


def cpu_of(pid):
    """Seconds that all threads of a process have run."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(read(f"/proc/{pid}/task/{task}/schedstat").split()[0])
    return total / 1e9


def cpu_of_workers():
    """Likewise the kernel's worker threads."""
    total = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if read(f"/proc/{pid}/comm").startswith("kworker"):
                total += int(read(f"/proc/{pid}/schedstat").split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total / 1e9


def cpu_of_all():
    """Seconds that processors have not been idle."""
    user, nice, system, _idle, _wait, *others = map(int, read("/proc/stat").split("\n", 1)[0].split()[1:9])
    return (user + nice + system + sum(others)) / os.sysconf("SC_CLK_TCK")


def resident(pid):
    """Bytes."""
    line = next(line for line in read(f"/proc/{pid}/status").splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def kernel_memory():
    """Bytes that the kernel has allocated in small pieces."""
    fields = dict(line.split(":", 1) for line in read("/proc/meminfo").splitlines())
    return sum(int(fields[name].split()[0]) for name in ("SUnreclaim", "Percpu")) * 1024
