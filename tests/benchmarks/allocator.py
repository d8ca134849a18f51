"""Whether the time at one n depends on which n the process has visited before.

    python -m tests.benchmarks.allocator --repetitions 12

Six kernels that allocate are timed at one n by real workers, in turn: by a fresh one, by one that has visited a larger n, and by
one that has visited a smaller one. Each repetition starts three processes anew; the medians over repetitions have to agree.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from tabulate import tabulate

from harness.functions import allocator
from harness.functions.callee import named
from harness.functions.kernel import Kernel
from harness.measure.pool import WORKER, timing_cores
from harness.plan.specification import Specification
from harness.process.child import Child, environment
from harness.suite.schema import Measurement

ALLOWED = 0.03
BEFORE = {"fresh": (), "after a larger n": (10.0,), "after smaller and larger n": (0.01, 30.0, 0.1)}
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
    return Child(WORKER, settings, environment={**environment(1), **allocator.VARIABLES})


def ask(child: Child, what: str, n: int, **more: float) -> dict[str, float]:
    """One request about one n."""
    request = {"do": what, "place": str(n), "heads": n, "batch_size": 1, **more}
    answer: dict[str, float] = child.ask(request, stage="sample", deadline=60.0)
    return answer


def repetition(folder: Path, kernel: str, samples: int) -> dict[str, float]:
    """Seconds of a call by history, the histories in turn."""
    n = SIZES[kernel]
    children = {history: worker(folder, kernel) for history in BEFORE}
    try:
        for history, child in children.items():
            for factor in BEFORE[history]:
                ask(child, "ready", round(n * factor))
                ask(child, "sample", round(n * factor), untimed_seconds=0.002)
        for child in children.values():
            ask(child, "ready", n)
        seen: dict[str, list[float]] = {history: [] for history in children}
        for turn in range(samples):
            order = list(children) if turn % 2 else list(reversed(children))
            for history in order:
                seen[history].append(ask(children[history], "sample", n, untimed_seconds=0.002)["seconds"])
        return {history: statistics.median(some) for history, some in seen.items()}
    finally:
        for child in children.values():
            child.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=12)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--only", choices=SIZES, nargs="*", default=list(SIZES))
    asked = parser.parse_args()
    rows, worst = [], 0.0
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "kernels.py").write_text(_KERNELS, encoding="utf-8")
        for kernel in asked.only:
            found = [repetition(Path(place), kernel, asked.samples) for _ in range(asked.repetitions)]
            typical = statistics.median(each["fresh"] for each in found)
            others = [name for name in BEFORE if name != "fresh"]
            ratios = [statistics.median(each[name] / each["fresh"] for each in found) for name in others]
            worst = max(worst, *(abs(ratio - 1) for ratio in ratios))
            rows.append([kernel, SIZES[kernel], 1e6 * typical, *(f"{ratio - 1:+.1%}" for ratio in ratios)])
    print(
        tabulate(
            rows, headers=["kernel", "n", "fresh, µs", *(name for name in BEFORE if name != "fresh")], floatfmt=".1f"
        )
    )
    print(f"largest difference {worst:.1%}: {'pass' if worst <= ALLOWED else f'MISS: at most {ALLOWED:.0%}'}")
    sys.exit(worst > ALLOWED)


if __name__ == "__main__":
    main()
