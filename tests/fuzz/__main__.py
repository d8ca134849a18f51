"""`python -m tests.fuzz`: hostile suites, databases, arrays and run folders, each in a process with limits."""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.campaign import TARGETS, run


def main() -> int:
    """Runs, prints what was found and how it can be repeated; 1 where anything was."""
    asked = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    asked.add_argument("--inputs", type=int, default=20_000, help="how many, over all kinds")
    asked.add_argument("--seed", type=int, default=0, help="the same seed makes the same inputs")
    asked.add_argument("--first", type=int, default=0, help="number of the first input, to go on or to repeat one")
    asked.add_argument("--only", choices=sorted(TARGETS), help="one kind of input")
    asked.add_argument("--seconds", type=float, default=float("inf"), help="stop after these")
    given = asked.parse_args()
    began = time.monotonic()
    found = run(
        given.inputs,
        seed=given.seed,
        first=given.first,
        only=given.only,
        keep_on=lambda: time.monotonic() - began < given.seconds,
    )
    print(found.render())
    return 1 if found.findings else 0


if __name__ == "__main__":
    sys.exit(main())
