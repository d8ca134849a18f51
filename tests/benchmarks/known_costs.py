"""Whether the interval that `harness locate` states holds the true N*, where the true N* is known by counting.

    python -m tests.benchmarks.known_costs --repetitions 40 --kept known_costs.jsonl --minutes 8

What is kept is not measured again, so that the same command goes on where its minutes ended.

Two functions run the same empty loop: one counts to N, the other to K times the number of levels that N has passed, so
that the second one's cost is a staircase. Both work out both counts before they choose, so nothing but the count
differs, and the curves cross exactly where N = K · levels(N). K is drawn anew in each repetition. Workers and clocks
are the real ones. What counts is the interval of the decision: below it one leads, above it the other.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    from collections.abc import Sequence

LOW, HIGH = 64, 16_384
STEPS = (256, 1_024, 4_096)  # the largest N of each level but the last
NEEDED_SHARE = 0.95
DEADLINE_SECONDS = 300  # of one repetition

_CONTENDERS = """
import bisect
import itertools

STEPS = {steps}
HEIGHT = {height}


def counts(n):
    return n, HEIGHT * (1 + bisect.bisect_left(STEPS, n))


def linear(n, batch):
    for _ in itertools.repeat(None, counts(n)[0]):
        pass


def staircase(n, batch):
    for _ in itertools.repeat(None, counts(n)[1]):
        pass
"""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One race and what it said."""

    height: int
    true: int  # the N at which both count equally far
    status: str
    heads: int | None = None
    low: int | None = None
    high: int | None = None
    samples: int = 0
    seconds: float = 0.0
    load: float = 0.0  # average of the last minute, when it ended
    asked: str = ""  # of the search, so that only trials of one question are counted together

    @property
    def holds(self) -> bool:
        """Whether the interval contains the true crossing."""
        return self.low is not None and self.high is not None and self.low <= self.true <= self.high


def crossings(height: int) -> list[int]:
    """Every N of the range after which the other one counts less far, worked out N by N."""
    level = 0
    leads = []
    for n in range(LOW, HIGH + 1):
        while level < len(STEPS) and n > STEPS[level]:
            level += 1
        leads.append(n > height * (1 + level))
    return [LOW + place for place in range(len(leads) - 1) if leads[place] != leads[place + 1]]


def draw(generator: random.Random) -> tuple[int, int]:
    """A height whose staircase is crossed once, and where."""
    while True:
        height = round(math.exp(generator.uniform(math.log(150), math.log(3_000))))
        found = crossings(height)
        if len(found) == 1 and found[0] not in STEPS:
            return height, found[0]


def kept(file: Path | None, asked: str, drawn: Sequence[tuple[int, int]]) -> list[Trial]:
    """The trials of an earlier start of the same command."""
    if file is None or not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    found = [Trial(**json.loads(line)) for line in lines][: len(drawn)]
    if any(each.asked != asked or each.height != height for each, (height, _) in zip(found, drawn, strict=False)):
        sys.exit(f"{file} holds trials that were asked otherwise: name another file")
    return found


def options(asked: argparse.Namespace) -> list[str]:
    """What every `harness locate` is given beside its functions and its seed."""
    found = ["--range", f"{LOW}:{HIGH}", "--launches", str(asked.launches)]
    found += ["--precision", str(asked.precision), "--budget", str(asked.budget)]
    return found if asked.untold else [*found, "--steps", ",".join(map(str, STEPS))]


def trial(number: int, height: int, true: int, given: Sequence[str]) -> Trial:
    """One `harness locate` in a folder of its own."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "counted.py").write_text(_CONTENDERS.format(steps=STEPS, height=height), encoding="utf-8")
        command = [sys.executable, "-m", "harness", "locate", "counted:linear", "counted:staircase"]
        command += [*given, "--seed", str(number), "--output", "out"]
        began = time.monotonic()
        try:
            done = subprocess.run(
                command, cwd=place, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
            )
            failed = done.stderr.strip()[-200:]
        except subprocess.TimeoutExpired:
            failed = f"no answer within {DEADLINE_SECONDS} s"
        seconds = time.monotonic() - began
        about: dict[str, Any] = {"height": height, "true": true, "seconds": seconds, "asked": " ".join(given)}
        stored = Path(place) / "out" / "crossovers.json"
        if not stored.exists():
            return Trial(**about, status=f"failed: {failed}")
        located = json.loads(stored.read_text(encoding="utf-8"))["located"]
    if not located:
        return Trial(**about, status="no answer")
    location = located[0]["location"]
    first = location["crossings"][0] if location["status"] in ("crossing", "several") else {}
    decision = location["decision"] or {}
    return Trial(
        **about, status=location["status"], heads=first.get("heads"),
        low=decision.get("below", first.get("low")), high=decision.get("above", first.get("high")),
        samples=location["samples"], load=os.getloadavg()[0],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=40)
    parser.add_argument("--launches", type=int, default=8)
    parser.add_argument("--precision", type=float, default=0.1)
    parser.add_argument("--budget", type=int, default=2_400, help="timed samples of one repetition at the most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--untold", action="store_true", help="do not tell the search where the staircase rises")
    parser.add_argument(
        "--kept", type=Path, help="JSON lines, one for each repetition: those in it are not measured again"
    )
    parser.add_argument("--minutes", type=float, default=math.inf, help="after which no other repetition begins")
    asked = parser.parse_args()
    began = time.monotonic()
    generator = random.Random(asked.seed)
    drawn = [draw(generator) for _ in range(asked.repetitions)]
    given = options(asked)
    trials = kept(asked.kept, " ".join(given), drawn)
    for number, (height, true) in enumerate(drawn[len(trials) :], len(trials)):
        if time.monotonic() - began > 60 * asked.minutes:
            print(f"{len(trials)} of {asked.repetitions} repetitions; the same command goes on")
            return
        trials.append(last := trial(number, height, true, given))
        if asked.kept is not None:
            with asked.kept.open("a", encoding="utf-8") as file:
                print(json.dumps(asdict(last)), file=file)
        said = f"{last.heads} ({last.low} to {last.high})" if last.heads is not None else last.status
        verdict = "holds" if last.holds else "MISSES" if last.heads is not None else "-"
        print(f"{number + 1}: true {true}, said {said}: {verdict}, {last.seconds:.1f} s", flush=True)
    rows = [
        (each.height, each.true, each.status, each.heads, each.low, each.high, each.samples, each.seconds, each.holds)
        for each in trials
    ]
    headers = ("K", "true N*", "status", "N*", "low", "high", "samples", "seconds", "holds")
    print(tabulate(rows, headers=headers, floatfmt=".1f"))
    held = sum(each.holds for each in trials)
    answered = sum(each.heads is not None for each in trials)
    enough = held >= NEEDED_SHARE * len(trials)
    loads = sorted(each.load for each in trials)
    load = f"{loads[len(loads) // 2]:.1f} on {os.cpu_count()} cores (the median; the highest {loads[-1]:.1f})"
    print(f"{held} of {len(trials)} decision intervals hold the true N* ({answered} were stated); load average {load}")
    print("pass" if enough else f"MISS: at least {math.ceil(NEEDED_SHARE * len(trials))} must")
    sys.exit(not enough)


if __name__ == "__main__":
    main()
