"""Print what moves when a number of the search moves: `python -m tests.simulation.sensitivity [--runs 60]`.

Each is made smaller and larger by a factor of 1.5, one at a time, in simulation.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

import harness.search
from tests.simulation.runs import PLACED, Case, Run, run_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FACTOR = 1.5
LAUNCHES = {"launch_effect": 0.03, "launch_heads_effect": 0.01}
CASES = {
    "A": Case("STEEP"),
    "C, launches differ": Case("SHALLOW", LAUNCHES),
    "three": Case("THREE"),
    "close": Case("CLOSE", LAUNCHES),
    "steps unknown": Case("STEEP", PLACED, steps=()),
}
NUMBERS = {  # those that decide how often an answer holds, or what it costs
    "sign_test": ("DECISIVE", "SUREST", "WINSORISED_COST", "FAR", "DISAGREEMENT"),
    "bracketing": ("FIRST_LOOK", "KNOWN_RATIO", "LIMIT_ERRORS", "FLANKED_PAIRS"),
    "confirmation": ("TIGHTER", "SLOPE_COST", "LEAST_PAIRS", "SIDE_ERRORS", "BETWEEN_COST", "WINDOW"),
    "local_model": ("CURVATURE_SPREAD", "PLACEMENT", "PULLED_COST", "BIWEIGHT"),
    "audit": ("JUMP_GAIN", "PRACTICAL_JUMP", "WEAK"),
    "adaptive": ("LAUNCHES_BEFORE_OVERRULING", "LAUNCHES_BESIDE_STEP", "LEAST_SHARE", "DOUBT"),
    "outcomes": ("MISFIT_LEVEL",),
    "decision": ("NEAR_LEAD",),
}


@contextmanager
def changed(module: str, name: str, factor: float) -> Iterator[float]:
    """One number multiplied, wherever it was imported."""
    home = importlib.import_module(f"harness.search.{module}")
    was = getattr(home, name)
    now = type(was)(max(1, round(was * factor))) if isinstance(was, int) else was * factor
    users = [each for key, each in sys.modules.items() if key.startswith("harness.search.") and hasattr(each, name)]
    users = [each for each in users if getattr(each, name) == was]
    for each in users:
        setattr(each, name, now)
    try:
        yield now
    finally:
        for each in users:
            setattr(each, name, was)


def figures(runs: Sequence[Run]) -> str:
    """How often the decision holds all crossings, how many are left open, and what it cost."""
    held = float(np.mean([run.held for run in runs]))
    opened = float(np.mean([run.status == "unresolved" for run in runs]))
    return f"{held:4.0%} {opened:3.0%} {np.median([run.samples for run in runs]):6,.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one line for each number and factor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--only", metavar="NAME")
    options = parser.parse_args(arguments)
    for each in pkgutil.iter_modules(harness.search.__path__, "harness.search."):
        importlib.import_module(each.name)
    print(f"{'held, unresolved, samples':38s} {'  '.join(f'{name:>18s}' for name in CASES)}")
    seeds = range(options.runs)
    print(f"{'as it is':38s} {'  '.join(f'{figures(run_many(case, seeds)):>18s}' for case in CASES.values())}")
    for module, names in NUMBERS.items():
        for name in names:
            if options.only and options.only != name:
                continue
            for factor in (1 / FACTOR, FACTOR):
                with changed(module, name, factor) as now:
                    found = "  ".join(f"{figures(run_many(case, seeds)):>18s}" for case in CASES.values())
                print(f"{module + '.' + name + f' = {now:.3g}':38s} {found}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
