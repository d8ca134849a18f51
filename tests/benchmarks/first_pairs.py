"""Whether the visits of a run begin as they go on: its first pairs against the others, race by race.

    python -m tests.benchmarks.first_pairs RUN...

Leaves with 1 where the median over the visits of a race is off by more than 0.01 (of the log-ratio) or the mean by more
than 0.02, and with 2 where a run has no visits of two.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.analysis.first_pairs import MOST_MEAN, MOST_MEDIAN, first_pairs
from harness.errors import HarnessError
from harness.records.reader import read
from harness.suite.schema import Suite

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a row for each race; see above for the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="+", type=Path, help="folders that `harness run` has written")
    asked = parser.parse_args(arguments)
    worst = 0
    for folder in asked.run:
        try:
            evidence = read(folder)
        except HarnessError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        found = first_pairs(Suite.model_validate(evidence.run.suite), evidence.measurements)
        if not found:
            print(f"error: {folder} has no visit of two contenders with three pairs", file=sys.stderr)
            return 2
        rows = [
            (
                each.name,
                each.visits,
                f"{each.median:+.4f} ± {each.error:.4f}",
                f"{each.mean:+.4f}",
                _word(each.is_unbiased),
            )
            for each in found
        ]
        print(f"{folder}: {evidence.run.machine.get('processor', 'unknown processor')}")
        headers = ("race", "visits", "first pair minus the rest, median", "mean", "alike")
        print(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))
        off = sum(not each.is_unbiased for each in found)
        print(f"\n{off} of {len(found)} off by more than {MOST_MEDIAN} (median) or {MOST_MEAN} (mean)\n")
        worst = max(worst, int(off > 0))
    return worst


def _word(alike: bool) -> str:
    return "yes" if alike else "NO"


if __name__ == "__main__":
    sys.exit(main())
