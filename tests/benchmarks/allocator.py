"""Whether the time at one n depends on which n the process has visited before.

    python -m tests.benchmarks.allocator --repetitions 12

Six kernels that allocate are timed at one n by real workers, in turn: by a fresh one, by another fresh one, by one that has
visited a larger n, and by one that has visited smaller and larger ones. Each repetition starts four processes anew. What is
printed is the median over repetitions of each time over that of the first fresh process, with the interval that holds the
true median in 19 of 20 cases or more; the second fresh process shows what the measure can tell. Medians have to be within 3 %.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

from harness.functions.callee import named
from harness.functions.kernel import Kernel
from harness.measure.pool import WORKER, timing_cores
from harness.plan.specification import Specification
from harness.process import allocator
from harness.process.child import Child, environment
from harness.suite.schema import Measurement

ALLOWED = 0.03
UNTIMED_SECONDS = 0.02  # of calls before each sample: back at speed after three others
BEFORE = {"fresh": (), "fresh again": (), "after a larger n": (10.0,), "after smaller and larger n": (0.01, 30.0, 0.1)}
SIZES = {
    "polynomial": 100_000,
    "concatenation": 200_000,
    "sort": 50_000,
    "joined": 100_000,
    "fft": 2**17,
    "stacked": 100_000,
}
_KERNELS = """
import numpy


def array(n, seed):
    return numpy.random.default_rng(seed).random(n)


def pair(n, seed):
    return list(range(n)), list(range(n))


def words(n, seed):
    return ["word"] * n


def polynomial(x):
    return 3 * x**2 + 2 * x + 1


def concatenation(a, b):
    return [*a, *b]


def sort(x):
    return numpy.sort(x)


def joined(some):
    return " ".join(some)


def fft(x):
    return numpy.fft.rfft(x)


def stacked(x):
    return numpy.concatenate([x, x, x])
"""
_SETUPS = {"concatenation": "pair", "joined": "words"}


def worker(folder: Path, kernel: str) -> Child:
    """A fresh process, as a launch starts it."""
    setup = named(f"kernels.py:{_SETUPS.get(kernel, 'array')}", folder)
    takes = "inputs" if kernel == "concatenation" else "input"
    function = Kernel(function=named(f"kernels.py:{kernel}", folder), setup=setup, takes=takes)
    how = Measurement(min_sample_seconds=0.005, max_warm_up_seconds=0.2)
    settings = {
        "specification": Specification(contender=kernel, function=function).to_json(),
        "measurement": how.model_dump(mode="json"),
        "core": timing_cores(1),
        "launch": 1,
        "memory_limit_bytes": None,
    }
    return Child(WORKER, settings, environment={**environment(1), **allocator.variables()})


def ask(child: Child, what: str, n: int, **more: float) -> dict[str, float]:
    """One request about one n."""
    request = {"do": what, "place": str(n), "heads": n, "batch_size": 1, **more}
    answer: dict[str, float] = child.ask(request, stage="sample", deadline=60.0)
    return answer


def repetition(folder: Path, kernel: str, samples: int, generator: random.Random) -> dict[str, float]:
    """Seconds of a call in the fresh process, and by history the median log-ratio to it over turns."""
    n = SIZES[kernel]
    children = {history: worker(folder, kernel) for history in BEFORE}
    try:
        for history, child in children.items():
            for factor in BEFORE[history]:
                ask(child, "ready", round(n * factor))
                ask(child, "sample", round(n * factor), untimed_seconds=UNTIMED_SECONDS)
        for child in children.values():
            ask(child, "ready", n)
        seen: dict[str, list[float]] = {history: [] for history in children}
        for _ in range(samples):
            for history in generator.sample(list(children), len(children)):  # nobody always follows the same one
                seen[history].append(ask(children[history], "sample", n, untimed_seconds=UNTIMED_SECONDS)["seconds"])
        fresh = seen.pop("fresh")
        found = {
            history: statistics.median(math.log(a / b) for a, b in zip(some, fresh, strict=True))
            for history, some in seen.items()
        }
        return {"fresh": statistics.median(fresh), **found}
    finally:
        for child in children.values():
            child.close()


def interval(values: list[float]) -> tuple[float, float]:
    """Of the median, by order: at least 95 %, or as much as there are values for."""
    ordered, count = sorted(values), len(values)
    tail, left_out = 0.5**count, 0
    while (tail := tail + math.comb(count, left_out + 1) * 0.5**count) <= 0.025:
        left_out += 1
    return ordered[left_out], ordered[-1 - left_out]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=12)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--only", choices=SIZES, nargs="*", default=list(SIZES))
    asked = parser.parse_args()
    rows, worst, generator = [], 0.0, random.Random(0)
    others = [name for name in BEFORE if name != "fresh"]
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "kernels.py").write_text(_KERNELS, encoding="utf-8")
        for kernel in asked.only:
            found = [repetition(Path(place), kernel, asked.samples, generator) for _ in range(asked.repetitions)]
            cells = []
            for name in others:
                ratios = [math.expm1(each[name]) for each in found]
                middle, (low, high) = statistics.median(ratios), interval(ratios)
                worst = max(worst, abs(middle) if BEFORE[name] else 0.0)
                cells.append(f"{middle:+.1%} ({low:+.1%} to {high:+.1%})")
            rows.append([kernel, SIZES[kernel], 1e6 * statistics.median(each["fresh"] for each in found), *cells])
    print(tabulate(rows, headers=["kernel", "n", "fresh, µs", *others], floatfmt=".1f"))
    print(f"largest difference {worst:.1%}: {'pass' if worst <= ALLOWED else f'MISS: at most {ALLOWED:.0%}'}")
    sys.exit(worst > ALLOWED)


if __name__ == "__main__":
    main()
