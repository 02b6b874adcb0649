# SPDX-License-Identifier: Apache-2.0
"""table.py FILE: prints the table of the samples that `run` has written: medians, and from the smallest to the largest."""

import collections
import json
import statistics
import sys

STAGES = ("report", "resolve", "queue", "program", "acknowledge")  # dpuflowctl(8), stats

# What a row shows: the measure, one of its values, the unit, and what is to be reached beside whom.
ROWS = [
    ("insertion", "rate", "new flows/s", [("tc -batch", ">=", 0.9), ("Open vSwitch", ">=", 4)]),
    ("insertion", "cpu_us", "us of a processor for each flow", [("Open vSwitch", "<=", 1 / 6)]),
    ("insertion", "workers_us", "us of the kernel's workers for each flow", []),
    ("insertion", "passes", "packets to each until all were in hardware", []),
    ("insertion", "concurrent", "% of the driver's insertions that began while others were under way", []),
    ("insertion", "most_at_once", "of them at a time, at most", []),
    ("first_packet", "p50_ms", "ms from miss to entry, p50", [("Open vSwitch", "<=", 0.4)]),
    ("first_packet", "p90_ms", "ms, p90", []),
    ("first_packet", "p99_ms", "ms, p99", [("Open vSwitch", "<=", 0.3)]),
    *[("first_packet", f"{stage}_ms", f"ms of that on average: {stage}", []) for stage in STAGES],
    ("first_packet_busy", "p50_ms", "ms from miss to entry, p50", [("Open vSwitch", "<=", 0.4)]),
    ("first_packet_busy", "p90_ms", "ms, p90", []),
    ("first_packet_busy", "p99_ms", "ms, p99", [("Open vSwitch", "<=", 0.3)]),
    *[row for idle in ("idle", "idle_many") for row in (
        (idle, "cpu", "processors", [("Open vSwitch", "<=", 0.1), ("discarded dumps", "<=", 1.3)]),
        (idle, "workers", "processors, the kernel's workers", []),
    )],
    ("aging", "p50_ms", "ms late, p50", []),
    ("aging", "p99_ms", "ms late, p99", []),
    ("aging", "wrong", "removed too early", []),
    ("convergence", "time", "s until the last entry is right", [("tc -batch", "<=", 1.2)]),
    *[row for churn in ("route_churn", "route_churn_alone") for row in (
        (churn, "rate", "events/s", []),
        (churn, "cpu_us", "us of a processor for each event", [("discarded notifications", "<=", 2)]),
        (churn, "growth", "bytes that it has grown", []),
        (churn, "stale", "entries that are wrong afterwards", []),
        (churn, "overruns", "times that notifications were lost", []),
    )],
    ("memory", "process", "bytes of the process for each flow (to reach: 400)", []),
    ("memory", "kernel", "bytes of the kernel for each flow", []),
    ("hardware_entries", "entries", "entries for 10,000 connections", []),
    ("software", "rate", "packets/s", [("ip_forward", ">=", 1), ("Open vSwitch's module", ">=", 1)]),
    ("software", "cpu_us", "us of all processors for each packet", [("ip_forward", "<=", 1), ("Open vSwitch's module", "<=", 1)]),
    ("software", "lost", "packets lost", []),
    ("loop", "listed_p99_ms", "ms for a question while all flows are listed, p99", []),
    ("loop", "listed_longest_ms", "ms, the longest", []),
    ("loop", "verified_p99_ms", "ms for a question while all are verified, p99", []),
    ("loop", "verified_longest_ms", "ms, the longest", []),
    ("restart", "time", "s until it is ready", [("discarded dumps", "<=", 1.5)]),
    ("restart", "settled", "s until all entries have been asked about", []),
    ("restart", "written", "entries written again", []),
    ("size", "start", "s until it is ready, without an entry", []),
    ("size", "empty", "processors while nothing happens, without an entry", []),
    ("size", "full", "processors while nothing happens, with all entries", []),
    ("size", "audit", "s to verify everything", []),
    ("size", "restart", "s until it is ready, with all entries", []),
]
OURS = "dpuflow"


def shown(number):
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def spread(values):
    middle = statistics.median(values)
    text = shown(middle)
    return text if len(values) == 1 else f"{text} ({shown(min(values))} to {shown(max(values))})"


def verdict(ours, theirs, comparison, goal):
    ratio = statistics.median(ours) / statistics.median(theirs)
    reached = ratio >= goal if comparison == ">=" else ratio <= goal
    return f"{shown(ratio)} x ({comparison} {shown(goal)}: {'reached' if reached else 'NOT REACHED'})"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        head, *samples = map(json.loads, file)
    values = collections.defaultdict(list)
    for sample in samples:
        for name, value in sample.get("values", {}).items():
            values[sample["measure"], sample["size"], sample["contender"], name].append(value)
        if "error" in sample:
            print(f"{sample['measure']} {sample['size']} {sample['contender']}: {sample['error']}")
    print(f"Linux {head['kernel']}, commit {head['commit']}")
    for measure, name, unit, goals in ROWS:
        for size, of in sorted({(sample["size"], sample["of"]) for sample in samples if sample["measure"] == measure}):
            found = {who: numbers for (what, count, who, key), numbers in values.items()
                     if (what, count, key) == (measure, size, name)}  # fmt: skip
            if not found:
                continue
            print(f"\n{measure.replace('_', ' ')}, {size:,} {of}, {unit}")
            for who, numbers in found.items():
                goal = next((goal for goal in goals if goal[0] == who), None)
                beside = verdict(found[OURS], numbers, *goal[1:]) if goal and OURS in found else ""
                print(f"  {who:<23} {spread(numbers):<36} {beside}".rstrip())


if __name__ == "__main__":
    main()
