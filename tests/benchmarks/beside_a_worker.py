"""An A/A test of a machine with and without a Dask worker on it.

    python -m tests.benchmarks.beside_a_worker --runs 4

A small suite of functions runs through a fleet on this machine. Meanwhile its scheduler, worker and coordinator are stopped
and continued (SIGSTOP, SIGCONT) for a drawn fraction of a second each, so that every launch of every contender has samples
with a worker and samples without one, a moment apart. The ratio of their medians is taken within a launch; leaves with 1
where the median of all ratios differs from 1 by more than 0.5 %. Scheduler and coordinator are on this machine, too, so
that this is an upper bound.
"""

from __future__ import annotations

import argparse
import bisect
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.records.reader import read
from tests.fleet.fleet import Fleet, written

MOST = 0.005
MARGIN_SECONDS = 0.01  # a signal takes effect within this time
HOW = {"launches": 6, "rounds": 150, "min_sample_seconds": 0.005, "latency_calls": 0, "self_check": False}


def run_beside(fleet: Fleet, suite: Path, out: Path, drawn: random.Random) -> list[tuple[float, bool]]:
    """Runs the suite on the fleet; from when on the fleet's processes ran (True) or were stopped (False)."""
    command = [sys.executable, "-P", "-m", "harness", "run", str(suite), "--output", str(out), "--on", fleet.address]
    coordinator = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    processes = (fleet.workers["a"], fleet.scheduler, coordinator)
    changes = [(time.time(), True)]
    try:
        while coordinator.poll() is None:
            time.sleep(drawn.uniform(0.1, 0.4))
            running = not changes[-1][1]
            for each in processes:
                if each.poll() is None:
                    each.send_signal(signal.SIGCONT if running else signal.SIGSTOP)
            changes.append((time.time(), running))
    finally:
        for each in processes:
            if each.poll() is None:
                each.send_signal(signal.SIGCONT)
    if coordinator.wait():
        raise SystemExit(f"the run on the fleet left with {coordinator.returncode}")
    return changes


def ratios(folder: Path, changes: list[tuple[float, bool]]) -> list[float]:
    """The logarithms of a call's median seconds with a worker over those without, one for each contender, n and launch."""
    times = [each for each, _ in changes]
    found = []
    for each in read(folder).measurements:
        if each.sampled is None:
            continue
        by_state = {True: list[float](), False: list[float]()}
        for seconds, started in zip(each.sampled.seconds, each.sampled.started, strict=True):
            ended = started + seconds * each.sampled.inner_loops
            at = bisect.bisect(times, started - MARGIN_SECONDS)
            if at and at == bisect.bisect(times, ended):
                by_state[changes[at - 1][1]].append(seconds)
        if min(map(len, by_state.values())) >= 10:
            found.append(float(np.log(np.median(by_state[True]) / np.median(by_state[False]))))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    drawn, found = random.Random(asked.seed), list[float]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        suite = written(folder / "suite", measurement=HOW, races=[])
        with Fleet(folder) as fleet:
            fleet.start_worker("a")
            for number in range(asked.runs):
                out = folder / f"run-{number}"
                found += ratios(out / "a", run_beside(fleet, suite, out, drawn))
                print(
                    f"run {number + 1}: {len(found)} ratios so far, median {np.exp(np.median(found)):.4f}", flush=True
                )
    picked = np.random.default_rng(asked.seed).choice(found, (2000, len(found)))
    low, high = np.exp(np.quantile(np.median(picked, axis=1), [0.025, 0.975]))
    ratio = float(np.exp(np.median(found)))
    print(f"{len(found)} ratios: median {ratio:.4f} (95 %: {low:.4f} to {high:.4f}); at most 1 ± {MOST}")
    sys.exit(abs(ratio - 1) > MOST)


if __name__ == "__main__":
    main()
