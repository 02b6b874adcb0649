# SPDX-License-Identifier: Apache-2.0
"""The fault campaign, in the lab: random faults under constant traffic, and what each of them costs.

    campaign.py alone|offload --seed N --faults N [--only NAME,...] ALONE

    alone      there is no agent: what the kernel alone loses by each fault that happens to it is written to the file ALONE
    offload    there is one, started and killed by the campaign; packets are in hardware when a fault begins. Each fault loses
               no more than it does the kernel alone: a stream that it interrupts, once, and no other one. Nothing is duplicated.
               While it lasts, what is in hardware sends where the kernel does, unless nobody tells the agent, or there is none.
               Once it is over, verify finds nothing, at once where the kernel tells of such a fault, and after one round of the
               audit, or one verify, where it does not; all flows come back to hardware; then packets come out where the kernel
               says, and all that belongs to others is byte by byte as it was.

Which faults there are, and what they draw, follows from the seed (campaign_faults.py): each kind once, in random order, before
one comes again; in one case of three, another one happens at the same time. Numbers of lost packets say how fast the machine
is, and how long the campaign looked on; what proves something is how often a flow was interrupted, and that it was for no longer
than the fault lasted and the agent took to follow (sync).
"""

import argparse
import difflib
import json
import random
import signal
import statistics
import sys
import time

from campaign_faults import FAULTS
from campaign_lab import PORT_TO, PROBES, STREAMS, Lab
from daemon import Daemon, Failure, until


class Event:
    """A fault, or two at once."""

    def __init__(self, seed, number, faults):
        self.seed, self.number, self.faults = seed, number, faults
        self.name = " + ".join(fault.name for fault in faults)
        self.untold = any(fault.untold for fault in faults)
        self.restless = any(fault.restless for fault in faults)
        self.interrupts = {name for fault in faults for name in fault.interrupts}

    def random(self, word):
        return random.Random(f"{self.seed} {self.number} {word}")

    def stories(self, lab):
        return [fault.happen(lab, self.random(fault.name)) for fault in self.faults]

    def of_the_kernel(self):
        """As much of it as happens to the kernel alone; None if it is nothing."""
        faults = [fault for fault in self.faults if fault.alone]
        return Event(self.seed, self.number, faults) if faults else None


def drawn(seed, count, only):
    rng = random.Random(seed)
    kinds, order = [kind for kind in FAULTS if only is None or kind.name in only], []
    while len(order) < count:
        order += rng.sample(kinds, len(kinds))
    return [Event(seed, number, [fault, *another(rng, kinds, fault)]) for number, fault in enumerate(order[:count])]


def another(rng, kinds, first):
    """In one case of three, one that may happen at the same time."""
    others = [kind for kind in kinds if not kind.touches & first.touches]
    return [rng.choice(others)] if others and rng.random() < 1 / 3 else []


class Campaign:
    def __init__(self, lab, alone):
        self.lab = lab
        self.alone = alone  # what the kernel alone loses, by number of the fault (lost_of)
        self.clean_after = []  # seconds
        self.sent = self.lost = self.found = 0

    def settle(self):
        """Neighbours are found, and where there is an agent, flows come to hardware."""
        self.lab.start_streams()
        self.back_in_hardware()
        self.lab.stop_streams()

    def run(self, events):
        self.settle()
        for event in events:
            try:
                self.suffer(event)
            except Failure as failure:
                print(f"  FAILED  {event.number}, {event.name}: {failure}", flush=True)
                return 1
        self.tell(events)
        return 0

    def suffer(self, event):
        self.lab.start_streams()
        before = self.lab.sent()
        stories = event.stories(self.lab)
        for story in stories:
            next(story)
            self.lab.dwell()
        self.follow(event)
        for story in stories + stories:
            next(story, None)
        over = time.monotonic()
        self.lab.sync()
        after = self.lab.sent()
        meanwhile = {stream.name: after[stream.port] - before[stream.port] for stream in STREAMS}
        self.mend(event)
        clean = time.monotonic() - over
        self.back_in_hardware()
        back = time.monotonic() - over
        reports = self.lab.stop_streams()
        self.clean_after.append(clean)
        times = f"clean after {clean * 1000:5.0f} ms, in hardware after {back * 1000:5.0f}"
        self.judge(event, reports, meanwhile, times)

    def follow(self, event):
        """The kernel need not be followed by itself."""

    def tell(self, events):
        """Nothing more of it."""

    def mend(self, event):
        """Nothing to do for the kernel."""

    def back_in_hardware(self):
        """Nor this."""

    def judge(self, event, reports, meanwhile, times):
        self.alone[event.number] = self.lost_of(event, reports, meanwhile)
        print(f"    {event.number:3} lost {self.alone[event.number]:>12}: {event.name}", flush=True)
        self.interrupted_as_allowed(event, reports)
        self.delivered_and_untouched()

    @staticmethod
    def lost_of(event, reports, meanwhile):
        """As "37 of 52": of the packets that entered as long as the fault lasted, where it interrupts; or "0"."""
        lost = sum(report.lost for report in reports.values())
        return f"{lost} of {max(meanwhile[name] for name in event.interrupts)}" if event.interrupts else str(lost)

    def interrupted_as_allowed(self, event, reports):
        for name, report in reports.items():
            if report.rows > (name in event.interrupts):
                raise Failure(f"{name}: {report.lost} packets of {report.sent} lost, of one flow in {report.rows} rows")
            if report.duplicated:
                raise Failure(f"{name}: {report.duplicated} packets of {report.sent} duplicated")

    def delivered_and_untouched(self):
        if wrong := self.lab.misdelivered():
            raise Failure(f"{len(wrong)} flows misdelivered, such as {wrong[0]}")
        before, after = self.lab.foreign_before, self.lab.foreign()
        if changed := list(difflib.unified_diff(before, after, "before", "after", lineterm="", n=0)):
            raise Failure("what belongs to others has changed:\n" + "\n".join(changed))


class OffloadCampaign(Campaign):
    def follow(self, event):
        """Whatever is in hardware is as the kernel has it, while the fault lasts."""
        if event.restless:
            return
        wrong = []

        def agrees():
            self.lab.sync()
            wrong[:] = self.lab.disagreements()
            return not wrong

        try:
            until("hardware agrees with the kernel", agrees, 30)
        except Failure as failure:
            raise Failure(f"{failure}; {len(wrong)} entries do not, such as {wrong[:1]}") from None

    def mend(self, event):
        if event.untold:
            if event.random("mended").random() < 0.5:
                self.found += len(self.lab.differences())
            else:
                self.lab.audited()
            self.lab.sync()
        if differences := self.lab.differences():
            raise Failure(f"verify: {json.dumps(differences[:3], indent=2)}")

    def back_in_hardware(self):
        until("all flows are in hardware", self.lab.all_in_hardware)
        until("no packet misses", self.lab.none_misses)  # what leads to their entries may have been refused for longer
        self.lab.sync()

    def judge(self, event, reports, meanwhile, times):
        lost, alone = self.lost_of(event, reports, meanwhile), self.alone.get(str(event.number), "-")
        self.lost += sum(report.lost for report in reports.values())
        self.sent += sum(report.sent for report in reports.values())
        print(f"    {event.number:3} lost {lost:>12} (alone {alone:>12}), {times}: {event.name}", flush=True)
        self.interrupted_as_allowed(event, reports)
        for name, report in reports.items():
            if report.lost > meanwhile[name]:
                raise Failure(f"{name}: {report.lost} packets lost, of {meanwhile[name]} that entered while it lasted")
        before = self.forwarded()
        self.delivered_and_untouched()
        if self.forwarded() - before < PROBES * len(PORT_TO):
            raise Failure("packets do not all go through hardware")

    def tell(self, events):
        kinds = {fault.name for event in events for fault in event.faults}
        slowest, median = max(self.clean_after), statistics.median(self.clean_after)
        print(
            f"  ok      {len(events)} times, faults of {len(kinds)} kinds: {self.lost} packets of {self.sent} lost, where the "
            f"kernel alone loses some, none duplicated or misdelivered; {self.found} differences found by verify, which is clean "
            f"after {median:.1f} s (median), {slowest:.1f} s at most"
        )

    def forwarded(self):
        return sum(self.lab.counted("forwarded").values())


def main():
    parser = argparse.ArgumentParser(description="Random faults under traffic.")
    parser.add_argument("run", choices=("alone", "offload"))
    parser.add_argument("alone", metavar="ALONE")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--faults", type=int, required=True)
    parser.add_argument("--only", type=lambda text: set(text.split(",")))
    options = parser.parse_args()
    events = drawn(options.seed, options.faults, options.only)
    if options.run == "alone":
        campaign = Campaign(Lab(None), {})
        code = campaign.run([alone for event in events if (alone := event.of_the_kernel())])
        with open(options.alone, "w", encoding="utf-8") as file:
            json.dump(campaign.alone, file)
        return code
    with open(options.alone, encoding="utf-8") as file:
        alone = json.load(file)
    daemon = Daemon()
    lab = Lab(daemon)
    daemon.start()
    code = OffloadCampaign(lab, alone).run(events)
    if code == 0 and daemon.end(signal.SIGTERM) != 0:
        print("  FAILED  the agent does not end as it should")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
