"""What the harness's own sampling adds to a call of 10 µs, beside timeit and torch.utils.benchmark.

    python -m tests.benchmarks.overhead

One callable, one run: in every round each way of timing takes one sample of the same length, in an order drawn anew, so
that a machine that slows down slows all of them. The harness subtracts what an empty call costs; the other two do not,
which is part of the difference and is printed. timeit takes part twice: how far its two medians lie apart is what this
machine can tell now.

This is done in several fresh processes, and the verdict is the median over them. One process does not do: depending on
where its frames happen to lie in memory, the very same bytecode runs up to a sixth slower when it is called from one
place than from another (Mytkowicz, Diwan, Hauswirth and Sweeney, "Producing wrong data without doing anything obviously
wrong!", ASPLOS 2009), and that hits any of the ways.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import random
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from harness.measure import calibration
from harness.measure.clock import monotonic
from harness.plugin.interfaces import Compiled

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 0.02
WAYS = ("timeit", "torch")


class Work(Compiled):
    """A contender that counts, of about 10 µs; what it is given is how far."""

    def __call__(self, prepared: int) -> None:
        for _ in itertools.repeat(None, prepared):
            pass


def count_for(seconds: float) -> int:
    """How far `Work` counts in these seconds on this machine."""
    work, count = Work(), 1000
    inputs = calibration.Rotation([count])
    best = min(calibration.timed(work, inputs, 100, monotonic) for _ in range(50)) / 100
    return max(1, round(count * seconds / best))


def by_hand(call: Callable[[Any], Any], prepared: Any, loops: int) -> float:
    """Seconds per call as timeit's own loop takes them."""
    repeat = itertools.repeat(None, loops)
    started = time.perf_counter()
    for _ in repeat:
        call(prepared)
    return (time.perf_counter() - started) / loops


def race(
    rounds: int, seconds: float, sample: float, seed: int
) -> tuple[dict[str, list[float]], calibration.Calibration]:
    """One sample of each way in each round: seconds per call by way."""
    from torch.utils.benchmark import Timer

    work, prepared = Work(), count_for(seconds)
    inputs = calibration.Rotation([prepared])
    found = calibration.calibrate(work, inputs, monotonic, shortest=sample, longest_warm_up=1.0)
    loops = found.inner_loops
    timer = Timer("work(prepared)", globals={"work": work, "prepared": prepared})
    ways: dict[str, Callable[[], float]] = {
        "harness": lambda: calibration.sample(work, inputs, found, monotonic),
        "timeit": lambda: by_hand(work, prepared, loops),
        "again": lambda: by_hand(work, prepared, loops),
        "torch": lambda: timer.timeit(loops).median,
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    generator = random.Random(seed)
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        for name in generator.sample(sorted(ways), len(ways)):
            taken[name].append(ways[name]())
    gc.enable()
    return taken, found


def ratios(taken: dict[str, list[float]], empty: float) -> dict[str, float]:
    """What one process found, as ratios of medians."""
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    own = medians["harness"]
    return {
        **{name: medians[name] for name in ("harness", "timeit", "torch")},
        **{f"over {name}": own / medians[name] for name in WAYS},
        **{f"raw over {name}": (own + empty) / medians[name] for name in WAYS},
        "timeit over itself": medians["again"] / medians["timeit"],
        "empty": empty,
    }


def in_a_fresh_process(asked: argparse.Namespace, seed: int) -> dict[str, float]:
    """`ratios` of a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.overhead", "--alone", "--seed", str(seed)]
    command += ["--rounds", str(asked.rounds), "--microseconds", str(asked.microseconds), "--sample", str(asked.sample)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=100, help="in each process")
    parser.add_argument("--microseconds", type=float, default=10.0)
    parser.add_argument("--sample", type=float, default=0.01, metavar="SECONDS", help="of one sample")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="this is one of the processes")
    asked = parser.parse_args()
    if asked.alone:
        taken, calibrated = race(asked.rounds, asked.microseconds * 1e-6, asked.sample, asked.seed)
        print(json.dumps(ratios(taken, calibrated.overhead_seconds)))
        return
    found = [in_a_fresh_process(asked, asked.seed + number) for number in range(asked.processes)]

    def middle(name: str) -> float:
        return statistics.median(each[name] for each in found)

    print(f"{asked.processes} processes, {asked.rounds} rounds each, empty call {middle('empty') * 1e9:.1f} ns")
    print(f"harness   {middle('harness') * 1e6:8.3f} µs")
    missed = False
    for name in WAYS:
        shares = sorted(each[f"over {name}"] - 1 for each in found)
        share = statistics.median(shares)
        missed |= abs(share) >= LIMIT
        single = f"single processes {shares[0]:+.1%} to {shares[-1]:+.1%}"
        raw = middle(f"raw over {name}") - 1
        print(
            f"{name:9} {middle(name) * 1e6:8.3f} µs   harness / {name}: {share:+.2%} ({single}), "
            f"{raw:+.2%} before the empty call is subtracted"
        )
    apart = middle("timeit over itself") - 1
    print(f"timeit against itself: {apart:+.2%}" + (", too noisy for an answer" if abs(apart) > LIMIT / 2 else ""))
    print(f"{'MISS' if missed else 'pass'}: it is {'not ' * missed}within {LIMIT:.0%} of both")
    sys.exit(missed)


if __name__ == "__main__":
    main()
