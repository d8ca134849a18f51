"""An A/A test of a machine with and without a Dask worker on it.

    python -m tests.benchmarks.beside_a_worker --rounds 8

A small suite of functions is run by `harness run` alone and by a worker of a fleet, in turns: half of the rounds begin with
one, half with the other, in an order that is drawn. Both have the same environment and cache. The ratio of a cell's
seconds, with a worker to without, is taken within a round; leaves with 1 where the median of all ratios differs from 1 by
more than 0.5 %. Scheduler and coordinator are on this machine, too, so that this is an upper bound.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.summary import summarise
from harness.records.reader import read
from tests.fleet.fleet import Fleet, written

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 0.005
HOW = {"launches": 6, "rounds": 8, "min_sample_seconds": 0.005, "latency_calls": 0, "self_check": False}


def seconds(folder: Path) -> dict[tuple[str, int], float]:
    """Of a call, by contender and n."""
    cells = summarise(read(folder)).cells
    return {(each.contender, each.heads): each.call.value for each in cells if each.call is not None}


def ran(suite: Path, out: Path, *more: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-P", "-m", "harness", "run", str(suite), "--output", str(out), *more]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment})


def ratio_of(rounds: Sequence[Sequence[float]]) -> float:
    """The median of all ratios, from their logarithms by round."""
    return float(np.exp(statistics.median(itertools.chain.from_iterable(rounds))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    first = [number % 2 == 0 for number in range(asked.rounds)]
    random.Random(asked.seed).shuffle(first)
    rounds = list[list[float]]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        suite = written(folder / "suite", measurement=HOW, races=[])
        for number, begins in enumerate(first):
            found = {}
            for beside in (begins, not begins):
                out = folder / f"{number}-{beside}"
                if beside:
                    with Fleet(folder) as fleet:
                        fleet.start_worker("a")
                        ran(suite, out, "--on", fleet.address, environment={})
                else:
                    (folder / "a").mkdir(exist_ok=True)
                    ran(suite, out, environment=Fleet.environment_in(folder, "a"))
                found[beside] = seconds(out / "a" if beside else out)
            rounds.append([float(np.log(found[True][each] / found[False][each])) for each in found[False]])
            how = "with, without" if begins else "without, with"
            now, so_far = ratio_of(rounds[-1:]), ratio_of(rounds)
            print(f"round {number + 1} ({how}): median ratio {now:.4f}, so far {so_far:.4f}", flush=True)
    generated = np.random.default_rng(asked.seed)
    picked = generated.integers(
        0, len(rounds), (2000, len(rounds))
    )  # whole rounds: their cells share what the machine did
    low, high = np.quantile([ratio_of([rounds[each] for each in row]) for row in picked], [0.025, 0.975])
    ratio, count = ratio_of(rounds), sum(map(len, rounds))
    print(
        f"{count} ratios of {asked.rounds} rounds: median {ratio:.4f} (95 %: {low:.4f} to {high:.4f}); at most 1 ± {MOST}"
    )
    sys.exit(0 if abs(ratio - 1) <= MOST else 1)


if __name__ == "__main__":
    main()
