# SPDX-License-Identifier: Apache-2.0
"""The differential test, in the lab: random changes of the kernel's tables under traffic, and after each of them what becomes
of the same packets with offload and without. It must be the same.

    differential.py RUN --seed N --changes N [--only I,J,...] ANSWERS

RUN is one of these, each in a network made afresh by tests/scenarios/70-differential, which starts the agent as well:

    kernel    there is no agent: what becomes of each flow after each change is written to the file ANSWERS
    offload   there is one, without an audit: after each change it comes into step (sync), verify must find nothing, and each
              flow is probed twice, so that it is in hardware the second time unless it stays in software. Either time the
              packet fares as ANSWERS says: where it comes out, with which headers and tag, or which ICMP error comes back.
              What explain foretells comes true.
    lossy     there is one with an audit, which gets nine of ten notifications (tests/lab/lossy): after some changes, and at the
              end, it gets all again, and after one round of the audit everything is as above

Network and changes follow from the seed alone (differential_world.py, differential_changes.py); --only makes just some of the
changes, by number, for a list that was shrunk. A change that the kernel refuses is no change. All runs are on one booted
kernel, which chooses paths of multipath routes by a secret of its own: so a flow's path is the same one in all of them.

Compared are worlds that never had anything to do with each other. Switching offload off and on in one world would miss what
hardware does to the kernel's state: neighbours that expire, stations that a bridge forgets or learns elsewhere.
"""

import argparse
import itertools
import json
import os
import random
import subprocess
import sys
import time

from agent_api import Agent
from differential_changes import Changes, draw_flows
from differential_network import LONG, QUIET, Network, mac_text
from differential_world import World

ROUND_TIMEOUT = 120  # seconds that the agent may take for a round of its audit
PROBES = 6  # at most, until two in a row are alike
TRAFFIC = 3  # while a change is made, one flow in so many sends, others each time
CHECKED = 5  # a lossy run is looked at after so many changes
NOT_DELIVERED = ("local", "unreachable", "prohibit", "blackhole")  # verdicts: nobody gets it, but an error may come back
NOWHERE = ("nowhere", "")
DROPPING = os.environ.get("LAB_DROP_WHILE", "")  # while this file is there, notifications are lost


class Failure(Exception):
    pass


class Run:
    """A world, changed step by step under traffic."""

    def __init__(self, seed):
        rng = random.Random(seed)
        self.world = World(seed)
        self.network = Network(self.world)
        self.flows = draw_flows(rng, self.world)
        self.changes = Changes(rng, self.world)
        self.macs = {device: mac for mac, device in self.network.names.items()}
        self.macs |= {f"pod{pod}": mac_text(self.network.mac(f"pod{pod}")) for pod in range(self.world.pods)}
        self.lay_out()

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
        """A change, with packets of some flows before, between and after its parts."""
        self.network.send(self.flows[::TRAFFIC])
        for number, command in enumerate(commands, 1):
            if command[0] == "speak":
                pod, at, vlan = command[1], command[3], command[5]
                self.network.speak(pod, at, None if vlan == "-" else int(vlan))
            elif command[0] == "replug":
                self.replug(int(command[1]))
            elif command[0] == "dpuflowctl":
                self.switch_port(command)
            else:
                subprocess.run(self.words(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            self.network.send(self.flows[number % TRAFFIC :: TRAFFIC])

    def replug(self, pod):
        """A port of the switch goes, and comes back with its VF."""
        for knob in ("port_del", "port_add"):
            with open(f"/sys/kernel/debug/labnic/{knob}", "w", encoding="ascii") as switch:
                switch.write(f"vf {pod}\n")
        for command in self.world.plugged(pod):
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        self.network.listen(f"pod{pod}", f"vf{pod}")
        while open(f"/sys/class/net/pf0vf{pod}/carrier", encoding="ascii").read() != "1\n":
            time.sleep(0.01)

    def switch_port(self, command):
        """Offload at one port, where there is an agent."""

    def probe_until_settled(self):
        """What becomes of each flow once that is the same twice: a bridge learns from what it sees, a neighbour is found."""
        before = self.network.probe(self.flows)
        for _ in range(PROBES - 1):
            now = self.network.probe(self.flows)
            if now == before:
                return now
            before = now
        raise Failure("without an agent, packets fare otherwise each time")

    def run(self, count, only):
        listed = [self.changes.draw() for _ in range(count)]
        numbers = [number for number in range(count) if only is None or number in only]
        made = []
        try:
            self.check(0, len(numbers))
            for number in numbers:
                description, commands = listed[number]
                self.tell(number, description)
                made.append(number)
                self.make(commands)
                self.check(len(made), len(numbers))
        except Failure as failure:
            print(f"  FAILED after the changes {','.join(map(str, made)) or '(none)'}\n{failure}", flush=True)
            return 1
        self.end(len(numbers))
        return 0

    def tell(self, number, description):
        print(f"    {number:3} {description}", flush=True)


class KernelRun(Run):
    """Nobody but the kernel."""

    def __init__(self, seed, answers):
        super().__init__(seed)
        self.file = answers
        self.answers = []

    def tell(self, number, description):
        pass  # the run with offload says it

    def check(self, _step, _steps):
        self.answers.append(self.probe_until_settled())

    def end(self, _count):
        with open(self.file, "w", encoding="utf-8") as answers:
            json.dump(self.answers, answers)


class OffloadRun(Run):
    def __init__(self, seed, answers):
        super().__init__(seed)
        self.agent = Agent()
        self.slowest_sync = 0
        self.in_hardware = []
        with open(answers, encoding="utf-8") as file:
            self.answers = [{int(number): seen for number, seen in step.items()} for step in json.load(file)]

    def switch_port(self, command):
        subprocess.run([os.environ["DPUFLOWCTL"], *command[1:]], stdout=subprocess.DEVNULL, check=True)

    def sync(self):
        self.slowest_sync = max(self.slowest_sync, self.agent.sync())

    def verify(self):
        report = self.agent.call("Verify")
        if report["differences"] or "incomplete" in report:
            raise Failure("verify finds:\n" + json.dumps(report, indent=2))

    def check(self, step, _steps):
        self.compare(self.answers[step])

    def foretells(self, flow):
        """Where explain has a flow come out: (port, MAC), NOWHERE, or None where it leaves that to software."""
        if flow.vlan == 0:
            return None  # a priority without a VLAN is not in its words
        source_mac, mac = self.network.macs_of(flow)
        vlan = {} if flow.vlan is None else {"vlan": flow.vlan}
        told = self.agent.call("Explain", destination=flow.destination, source=flow.source, port=f"pf0vf{flow.pod}",
                               protocol=17, source_port=flow.ports[0], destination_port=flow.ports[1], tos=flow.tos,
                               src_mac=source_mac, dst_mac=mac, **vlan)  # fmt: skip
        if told["classification"]["verdict"] in NOT_DELIVERED:
            return NOWHERE
        if told["decision"] != "forward":
            return None
        station = told.get("station")
        if station is not None:
            return station["port"].split(".")[0], station["mac"]
        return told["neighbour"]["port"].split(".")[0], told["neighbour"]["mac"]

    def compare(self, answers):
        self.sync()
        self.verify()
        first = self.network.probe(self.flows)
        self.sync()
        foretold = {flow.number: self.foretells(flow) for flow in self.flows}
        second = self.network.probe(self.flows)
        self.in_hardware.append(self.offloaded())
        for flow in self.flows:
            if not self.came_true(foretold[flow.number], second[flow.number]):
                raise Failure(f"{flow}\n  explain: {foretold[flow.number]}\n  offload on: {second[flow.number]}")
        suspects = [f for f in self.flows if not first[f.number] == second[f.number] == answers[f.number]]
        self.settle(suspects, answers)

    def came_true(self, foretold, outcome):
        if foretold is None:
            return True
        if foretold == NOWHERE:
            return all("ICMP" in seen for seen in outcome)
        port, mac = foretold
        place, _ = self.world.far_sides.get(port, ("", ""))  # unknown behind a bridge
        mac = self.network.names.get(mac, mac)
        return len(outcome) == 1 and outcome[0].startswith(f"at {place}") and f" > {mac} " in outcome[0]

    def settle(self, suspects, answers):
        """Flows that fared otherwise are probed again, and if they still do, once more with time: a bridge learns from what it
        sees, and a slow machine is not a difference."""
        for quiet in (QUIET, LONG):
            difference = self.difference(suspects, answers, quiet) if suspects else ""
            if not difference:
                return
        raise Failure(difference)

    def difference(self, suspects, answers, quiet):
        """Of one of these flows, probed twice."""
        for attempt in ("at first", "in hardware, or refused"):
            on = self.network.probe(suspects, quiet)
            self.sync()
            for flow in suspects:
                with_offload, alone = on[flow.number], answers[flow.number]
                if with_offload != alone:
                    return "\n    ".join([f"{flow}\n  with offload, {attempt}:", *(with_offload or ["nothing"]),
                                          "and of the kernel alone:", *(alone or ["nothing"])])  # fmt: skip
        return ""

    def offloaded(self):
        with open("/sys/kernel/debug/labnic/rules", encoding="ascii") as rules:
            return sum(1 for line in rules if '"chain":2' in line)

    def end(self, count):
        entries = sum(self.in_hardware) / len(self.in_hardware)
        print(
            f"  ok      {count} changes, {len(self.flows)} flows; on average {entries:.0f} routing entries in hardware; "
            f"the slowest sync took {self.slowest_sync} ms"
        )


class LossyRun(OffloadRun):
    def check(self, step, steps):
        if step % CHECKED == 0 or step == steps:
            if step > 0:
                self.lose_nothing()
            self.compare(self.answers[step])
            if step < steps:  # the next world begins with all of them
                with open(DROPPING, "w", encoding="ascii"):
                    pass

    def lose_nothing(self):
        """Until a round of the audit has begun and ended. Packets go on."""
        if os.path.exists(DROPPING):
            os.unlink(DROPPING)
        self.sync()
        now = time.monotonic()
        while (began := self.agent.last_round()) is None or began < now:
            if time.monotonic() > now + ROUND_TIMEOUT:
                raise Failure("the audit does not come round")
            self.network.probe(self.flows)


def main():
    parser = argparse.ArgumentParser(description="Random changes, with offload and without.")
    parser.add_argument("run", choices=("kernel", "offload", "lossy"))
    parser.add_argument("answers", metavar="ANSWERS")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--changes", type=int, default=25)
    parser.add_argument("--only", type=lambda text: {int(word) for word in text.split(",")})
    options = parser.parse_args()
    kind = {"kernel": KernelRun, "offload": OffloadRun, "lossy": LossyRun}[options.run]
    return kind(options.seed, options.answers).run(options.changes, options.only)


if __name__ == "__main__":
    sys.exit(main())
