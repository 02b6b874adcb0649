# SPDX-License-Identifier: Apache-2.0
"""Runs what `run` asks for, in the virtual machine that `guest` has prepared, and writes each result to a file as it comes."""

import argparse
import json
import os
import sys
import time

import contenders
import world
from daemon import Failure
from measures import MEASURES


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", help="a JSON object for each repetition, one a line")
    parser.add_argument("--repetitions", type=int, required=True)
    parser.add_argument("--only", type=lambda text: text.split(","), required=True)
    parser.add_argument("--without", type=lambda text: text.split(","), default=[], help="contenders that do not take part")
    parser.add_argument("--most", type=int, default=1 << 30, help="no more flows than this")
    options = parser.parse_args()
    if unknown := set(options.without) - set(contenders.CONTENDERS):
        parser.error(f"nobody is called {', '.join(sorted(unknown))}; expected {', '.join(contenders.CONTENDERS)}")
    contenders.learn()
    todo = [(MEASURES[name], size, repetition, contender) for name in options.only
            for size in MEASURES[name].sizes if size <= options.most or MEASURES[name].of not in ("flows", "routes")
            for repetition in range(options.repetitions) for contender in MEASURES[name].contenders
            if contender not in options.without]  # fmt: skip
    with open(options.output, "w", encoding="utf-8") as output:
        for number, (measure, size, repetition, name) in enumerate(todo, 1):
            print(f"[{number}/{len(todo)}] {measure.name} {size} {name} ({repetition + 1})", file=sys.stderr, flush=True)
            began = time.monotonic()
            result = {"measure": measure.name, "of": measure.of, "size": size, "contender": name, "repetition": repetition}
            contender = contenders.CONTENDERS[name]()
            contender.start(measure.flows or size, measure.idle_time)
            try:
                result["values"] = measure.run(contender, size)
            except (RuntimeError, Failure) as error:
                result["error"] = str(error)
            contender.stop()
            world.when_quiet(world.rules)
            result["took"] = time.monotonic() - began
            output.write(json.dumps(result) + "\n")
            output.flush()
            os.sync()


if __name__ == "__main__":
    main()
