# SPDX-License-Identifier: Apache-2.0
"""What is measured: functions that return the values of one repetition, by name. Times are seconds unless the name says else."""

import json
import os
import signal
import statistics
import subprocess
import time

import world
from daemon import until
from world import Trace, flows_of, send, when_quiet

MEASURES = {}
BATCH = 100_000  # lines for one `ip -batch`, which keeps 4 KB for each until it ends (iproute2 6.1)
BESIDE = 10_000  # flows that are active while routes come and go
PASSES = 10  # how often flows whose first packet nobody has acted upon get another one


class Measure:
    def __init__(self, run, of, sizes, contenders, idle_time, flows, vfs):
        self.name = run.__name__
        self.run = run
        self.of = of
        self.sizes = sizes  # numbers of what `of` says
        self.contenders = contenders
        self.idle_time = idle_time  # None: nothing is to become idle
        self.flows = flows  # how many a contender is to expect; None: the size
        self.vfs = vfs  # of the machine in which it is measured


def measure(sizes, contenders, idle_time=None, of="flows", flows=None, vfs=1):
    def listed(run):
        MEASURES[run.__name__] = Measure(run, of, sizes, contenders, idle_time, flows, vfs)
        return run

    return listed


def fill(flows, send=send):
    """Brings all flows into hardware; the number of passes that it took, and all that the switch inserted."""
    inserted = {}
    for passes in range(1, PASSES + 1):
        trace = Trace("insert").start()
        send(flows)
        when_quiet(lambda: world.totals()["insertions"])
        for flow, times in flows_of(trace.stop(), "insert").items():
            inserted.setdefault(flow, times[0])
        if len(inserted) >= flows:
            return passes, inserted
    raise RuntimeError(f"after {PASSES} packets each, {flows - len(inserted)} of {flows} flows are not in hardware")


@measure((10_000, 50_000), ("dpuflow", "Open vSwitch", "tc -batch"))
def insertion(contender, flows):
    """New destinations, one packet each."""
    if contender.name == "tc -batch":
        wall, cpu = contender.batch(flows, "add", world.TOR)
        return {"rate": flows / wall, "cpu_us": cpu / flows * 1e6}
    workers, cpu, before = world.cpu_of_workers(), world.cpu_of(contender.pid()), world.totals()["concurrency"]
    began = time.monotonic()
    passes, inserted = fill(flows)
    wall = max(inserted.values()) - began
    at_once = [now - then for now, then in zip(world.totals()["concurrency"], before)]
    return {"rate": flows / wall, "cpu_us": (world.cpu_of(contender.pid()) - cpu) / flows * 1e6,
            "workers_us": (world.cpu_of_workers() - workers) / flows * 1e6, "passes": passes,
            "concurrent": 100 * sum(at_once[1:]) / sum(at_once),
            "most_at_once": max(number for number, times in enumerate(at_once, 1) if times)}  # fmt: skip


def quantiles(values):
    ordered = sorted(values)
    if not ordered:
        raise RuntimeError("nothing has happened that could be measured")
    return {name: ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1e3
            for name, share in (("p50_ms", 0.5), ("p90_ms", 0.9), ("p99_ms", 0.99))}  # fmt: skip


def delays(contender, flows, rate):
    """From a flow's first packet, which misses, to its entry; and what of that our own stages take, by themselves."""
    ours = contender.name == "dpuflow"
    before = contender.stages() if ours else {}
    trace = Trace("miss", "insert").start()
    send(flows, rate)
    when_quiet(world.rules)
    events = trace.stop()
    missed, inserted = flows_of(events, "miss"), flows_of(events, "insert")
    found = [inserted[flow][0] - missed[flow][0] for flow in range(flows) if flow in inserted and flow in missed]
    stages = {}
    for stage, (milliseconds, count) in (contender.stages() if ours else {}).items():
        stages[f"{stage}_ms"] = (milliseconds - before[stage][0]) / max(1, count - before[stage][1])
    return quantiles(found) | stages | {"flows": len(found)}


@measure((500,), ("dpuflow", "Open vSwitch"))
def first_packet(contender, flows):
    """At a low rate."""
    return delays(contender, flows, 50)


@measure((2000,), ("dpuflow", "Open vSwitch"))
def first_packet_busy(contender, flows):
    """At half of the rate that the contender manages."""
    began = time.monotonic()
    _passes, inserted = fill(flows)
    rate = flows / (max(inserted.values()) - began)
    contender.forget()
    when_quiet(world.rules)
    return delays(contender, flows, rate / 2) | {"rate": rate / 2}


@measure((1, 1000, 10_000, 50_000), ("dpuflow", "Open vSwitch", "tc -batch"))
def convergence(contender, flows):
    """The next hop of all flows moves."""
    if contender.name == "tc -batch":
        contender.batch(flows, "add", world.TOR)
        return {"time": contender.batch(flows, "replace", world.SECOND)[0]}
    fill(flows)
    trace, before = Trace("insert").start(), world.totals()["insertions"]
    began = time.monotonic()
    contender.move(flows)
    until("all entries have changed", lambda: world.totals()["insertions"] >= before + flows, 600)
    when_quiet(lambda: world.totals()["insertions"])
    changed = flows_of(trace.stop(), "insert")
    if len(changed) < flows:
        raise RuntimeError(f"{flows - len(changed)} of {flows} entries have not changed")
    return {"time": max(times[-1] for times in changed.values()) - began}


# ---- what stands


class Traffic:
    """Each flow gets a packet now and then, so that none becomes idle: twice in the idle time."""

    def __init__(self, flows, idle_time):
        rate = max(1, 2 * flows / int(idle_time.removesuffix("s")))
        self.command = world.sending(flows, "--count", "0", "--rate", str(rate), port=7001)

    def __enter__(self):
        self.sender = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.sender.terminate()
        self.sender.wait()


WATCHED = 30  # seconds


@measure((10_000,), ("dpuflow", "Open vSwitch", "discarded dumps"), idle_time="30s")
def idle(contender, flows):
    """What keeping them costs, as a share of a processor, while they are all in use. The ceiling reads counters each 5 seconds."""
    return in_use(contender, flows, "30s")


@measure((100_000,), ("dpuflow", "Open vSwitch", "discarded dumps"), idle_time="120s")
def idle_many(contender, flows):
    """Likewise, for so many that one emulated processor cannot send to all of them within the usual idle time."""
    return in_use(contender, flows, "120s")


def in_use(contender, flows, idle_time):
    if contender.name == "discarded dumps":
        contender.batch(flows, "add", world.TOR)
        return {"cpu": statistics.median(discard("terse")[1] for _ in range(3)) / 5}
    with Traffic(flows, idle_time):
        until("all flows are in hardware", lambda: world.rules() >= flows, 600)
        workers, cpu = world.cpu_of_workers(), world.cpu_of(contender.pid())
        time.sleep(WATCHED)
        return {"cpu": (world.cpu_of(contender.pid()) - cpu) / WATCHED,
                "workers": (world.cpu_of_workers() - workers) / WATCHED}  # fmt: skip


def discard(how):
    """What one dump takes that nobody looks at."""
    return world.spent(os.environ["LAB_BUILD"] + "/tests/bench/discard", how, world.PORT)


AGED = 10  # seconds of idle time
AGEING = 1000  # flows


@measure((1000, 2000), ("dpuflow", "Open vSwitch"), idle_time=f"{AGED}s", of="ms between samples of the counters", flows=AGEING)
def aging(_contender, period):
    """How late an entry goes, and how many go too early: hit less long ago than the idle time and one period of the counters."""
    with world.counter_period(period):
        trace = Trace("insert", "remove").start()
        send(AGEING, 500)
        when_quiet(world.rules)
        send(AGEING, 500)  # these hit, long before the first are due
        when_quiet(lambda: world.totals()["deletions"], quiet=2 * AGED)
        events = trace.stop()
    came, late, wrong = flows_of(events, "insert"), [], 0
    for when, what, fields in events:
        if what != "remove" or (flow := world.flow_of(fields)) is None:
            continue
        quiet = float(fields["quiet"]) / 1000 if fields["quiet"] != "-1" else when - max(t for t in came[flow] if t < when)
        late.append(quiet - AGED)
        wrong += quiet < AGED - period / 1000
    return quantiles(late) | {"wrong": wrong, "removed": len(late)}


@measure((100_000,), ("dpuflow", "Open vSwitch"))
def memory(contender, flows):
    """Bytes for each flow that stay: a reading of all counters, or an audit, needs more for a moment."""
    before, kernel = world.resident(contender.pid()), world.kernel_memory()
    fill(flows)
    least = min(world.resident(contender.pid()) for _ in range(120) if not time.sleep(0.5))
    return {"process": (least - before) / flows,
            "kernel": (world.kernel_memory() - kernel) / flows}  # fmt: skip


@measure((50_000,), ("dpuflow", "discarded dumps"))
def restart(contender, flows):
    """From its start to its being ready, with all entries taken over; the ceiling reads as many in full."""
    if contender.name == "discarded dumps":
        contender.batch(flows, "add", world.TOR)
        return {"time": discard("full")[0]}
    fill(flows)
    before = world.totals()
    contender.daemon.end(signal.SIGUSR1)
    began = time.monotonic()
    contender.daemon.start()
    took = time.monotonic() - began
    contender.daemon.api.sync()
    after = world.totals()
    return {"time": took, "settled": time.monotonic() - began, "written": after["insertions"] - before["insertions"]}


@measure((10, 100, 1000), ("dpuflow", "Open vSwitch", "nft flowtable"), of="destinations")
def hardware_entries(contender, destinations):
    """Of 10,000 connections to so many destinations."""
    before = world.rules()
    each = 10_000 // destinations
    for _ in range(2):
        for flow in range(destinations):
            world.command(*world.sending(each, "--count", str(each), "--rate", "2000", to=flow, spread="port"))
        when_quiet(world.rules)
    return {"entries": world.rules() - before}


@measure((10_000, 1_000_000), ("dpuflow", "discarded notifications"), of="routes", flows=BESIDE)
def route_churn(contender, routes):
    """Routes that are added and deleted beside active flows."""
    return churn(contender, routes, BESIDE)


@measure((10_000, 1_000_000), ("dpuflow", "Open vSwitch", "discarded notifications"), of="routes", flows=1)
def route_churn_alone(contender, routes):
    """Likewise, without a flow."""
    return churn(contender, routes, 0)


def churn(contender, routes, flows):
    if flows and contender.name != "discarded notifications":
        fill(flows)
    lines = [f"172.{16 + number // 65536}.{number // 256 % 256}.{number % 256}/32 via {world.TOR}" for number in range(routes)]
    world.command("ip", "route", "flush", "root", "172.16.0.0/12", check=False)  # of a repetition that has failed
    cpu, resident = world.cpu_of(contender.pid()), world.resident(contender.pid())
    began = time.monotonic()
    for verb in ("add", "del"):
        for first in range(0, routes, BATCH):
            world.command("ip", "-batch", "-", text="".join(f"route {verb} {line}\n" for line in lines[first:first + BATCH]))
    contender.sync()
    took = time.monotonic() - began
    found = {"rate": 2 * routes / took, "cpu_us": (world.cpu_of(contender.pid()) - cpu) / (2 * routes) * 1e6,
             "growth": world.resident(contender.pid()) - resident}  # fmt: skip
    return found | (contender.faults() if contender.name == "dpuflow" else {})


@measure((100_000,), ("dpuflow",))
def loop(contender, flows):
    """How long a question that costs nothing itself waits while everything is listed, and while everything is verified."""
    fill(flows)
    ctl = os.environ["DPUFLOWCTL"]
    one = json.loads(world.command(ctl, "-j", "flow", "show", "dst", world.destination(0)))[0]["id"]
    found = {}
    for what, busy in (("listed", ["flow", "show", "-j"]), ("verified", ["verify"])):
        work = subprocess.Popen([ctl, *busy], stdout=subprocess.DEVNULL)
        waits = []
        while work.poll() is None:
            began = time.monotonic()
            contender.daemon.api.call("GetFlow", id=one)
            waits.append(time.monotonic() - began)
        found |= {f"{what}_{name}": value for name, value in quantiles(waits).items()}
        found[f"{what}_longest_ms"] = max(waits) * 1e3
    return found


@measure((100_000,), ("dpuflow",), vfs=world.MANY)
def size(contender, flows):
    """So many flows over all of so many ports: what starting takes, being there, and looking at everything."""
    contender.daemon.end(signal.SIGTERM)
    began = time.monotonic()
    contender.daemon.start()
    start = time.monotonic() - began
    when_quiet(world.rules)  # each port has its guards
    empty = at_rest(contender)
    fill(flows, world.send_from_all)
    full = at_rest(contender)
    began = time.monotonic()
    world.command(os.environ["DPUFLOWCTL"], "verify")
    audit = time.monotonic() - began
    contender.daemon.end(signal.SIGUSR1)
    began = time.monotonic()
    contender.daemon.start()
    return {"start": start, "empty": empty, "full": full, "audit": audit, "restart": time.monotonic() - began}


def at_rest(contender):
    """The share of a processor that it needs while nothing happens."""
    before = world.cpu_of(contender.pid())
    time.sleep(WATCHED)
    return (world.cpu_of(contender.pid()) - before) / WATCHED


@measure((200_000,), ("dpuflow", "Open vSwitch's module", "ip_forward"), of="packets", flows=1)
def software(contender, packets):
    """Packets of a flow that stays in software."""
    contender.keep_in_software()
    before, busy = world.totals()["ports"][world.UPLINK]["sw_sent"], world.cpu_of_all()
    took = world.pktgen(packets)
    sent = world.totals()["ports"][world.UPLINK]["sw_sent"] - before
    return {"rate": sent / took, "cpu_us": (world.cpu_of_all() - busy) / sent * 1e6, "lost": packets - sent}
