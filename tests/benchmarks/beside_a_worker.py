"""An A/A test of a machine with and without a Dask worker on it.

    python -m tests.benchmarks.beside_a_worker --rounds 8

A small suite of functions is run by `harness run` alone and by a worker of a fleet, in turns whose order is drawn. The
ratio of a cell's seconds, with a worker to without, is taken between neighbours; leaves with 1 where the median of all
ratios differs from 1 by more than 0.5 %. The scheduler has to be on this machine, too, so that this is an upper bound.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from harness.analysis.summary import summarise
from harness.records.reader import read
from tests.fleet.fleet import Fleet, written

MOST = 0.005
HOW = {"launches": 3, "rounds": 12, "min_sample_seconds": 0.005, "latency_calls": 50, "self_check": False}


def seconds(folder: Path) -> dict[tuple[str, int], float]:
    """Of a call, by contender and n."""
    cells = summarise(read(folder)).cells
    return {(each.contender, each.heads): each.call.value for each in cells if each.call is not None}


def ran(suite: Path, out: Path, *more: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-P", "-m", "harness", "run", str(suite), "--output", str(out), *more]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **environment})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    generator, logs = random.Random(asked.seed), list[float]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        suite = written(folder / "suite", measurement=HOW, races=[])
        for number in range(asked.rounds):
            found = {}
            for beside in generator.sample([False, True], 2):
                out = folder / f"{number}-{beside}"
                if beside:
                    with Fleet(folder) as fleet:
                        fleet.start_worker("a")
                        ran(suite, out, "--on", fleet.address, environment={})
                else:
                    (folder / "a").mkdir(exist_ok=True)
                    ran(suite, out, environment=Fleet.environment_in(folder, "a"))
                found[beside] = seconds(out / "a" if beside else out)
            logs += [float(np.log(found[True][each] / found[False][each])) for each in found[False]]
            print(f"round {number + 1}: ratio so far {np.exp(statistics.median(logs)):.4f}", flush=True)
    generated = np.random.default_rng(asked.seed)
    medians = [np.median(generated.choice(logs, len(logs))) for _ in range(2000)]
    low, high = np.exp(np.quantile(medians, [0.025, 0.975]))
    ratio = float(np.exp(statistics.median(logs)))
    print(
        f"{len(logs)} ratios of {asked.rounds} rounds: median {ratio:.4f} (95 %: {low:.4f} to {high:.4f}); at most 1 ± {MOST}"
    )
    sys.exit(0 if abs(ratio - 1) <= MOST else 1)


if __name__ == "__main__":
    main()
