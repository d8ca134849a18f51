"""What the harness's own sampling adds to a call of 10 µs, beside timeit and torch.utils.benchmark.

    python -m tests.benchmarks.overhead

One callable, one process, one run: in every round each way of timing takes one sample of the same length, in an order
drawn anew, so that a machine that slows down slows all of them. The harness subtracts what an empty call costs; the
other two do not, which is part of the difference and is printed. timeit takes part twice: how far its two medians lie
apart is what this machine can tell now. The verdict is the median over rounds of the ratio within a round: whatever
slows a round down slows both of its samples.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import random
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from harness.contracts import Compiled
from harness.measure import calibration
from harness.measure.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 0.02


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--microseconds", type=float, default=10.0)
    parser.add_argument("--sample", type=float, default=0.01, metavar="SECONDS", help="of one sample")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    taken, found = race(asked.rounds, asked.microseconds * 1e-6, asked.sample, asked.seed)
    medians = {name: statistics.median(seconds) for name, seconds in taken.items()}
    own = medians["harness"]
    print(
        f"{asked.rounds} rounds, {found.inner_loops} calls a sample, empty call {found.overhead_seconds * 1e9:.1f} ns"
    )
    print(f"harness   {own * 1e6:8.3f} µs")
    apart = abs(medians["again"] / medians["timeit"] - 1)
    missed = False
    for name in ("timeit", "torch"):
        paired = statistics.median(one / two for one, two in zip(taken["harness"], taken[name], strict=True))
        share = own / medians[name] - 1
        raw = (own + found.overhead_seconds) / medians[name] - 1
        missed |= max(abs(share), abs(paired - 1)) >= LIMIT
        print(
            f"{name:9} {medians[name] * 1e6:8.3f} µs   harness / {name}: {share:+.2%} of medians, "
            f"{paired - 1:+.2%} pair by pair, {raw:+.2%} before the empty call is subtracted"
        )
    print(f"timeit against itself: {apart:.2%} apart" + (", too noisy for an answer" if apart > LIMIT / 2 else ""))
    print(f"{'MISS' if missed else 'pass'}: it is {'not ' * missed}within {LIMIT:.0%} of both")
    sys.exit(missed)


if __name__ == "__main__":
    main()
