"""Whether two runs of one suite in a row have decision intervals that overlap, race by race.

    python -m tests.benchmarks.repeat RUN1 RUN2

Leaves with 1 where the two contradict each other about a race at a batch size, and with 2 where they have nothing in
common. A decision interval holds all changes of the lead: which of those inside of it a run tells apart is a detail.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.errors import HarnessError
from harness.records.crossovers import load
from harness.records.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.crossovers import SearchRecord
    from harness.search.result import Location


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """One race and batch size as both runs answer it."""

    race: str
    batch_size: int
    first: str
    second: str
    overlap: bool | None  # None where one of them is unresolved

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "yes", False: "NO", None: "not answered twice"}[self.overlap]


def repeated(first: Sequence[SearchRecord], second: Sequence[SearchRecord]) -> Iterator[Repeated]:
    """Every race and batch size that both have searched."""
    others = {(each.case.race, each.case.batch_size): each for each in second}
    for each in first:
        other = others.get((each.case.race, each.case.batch_size))
        if other is not None:
            yield Repeated(
                race=each.case.race,
                batch_size=each.case.batch_size,
                first=_told(each.location),
                second=_told(other.location),
                overlap=_overlap(each.location, other.location),
            )


def _overlap(one: Location, other: Location) -> bool | None:
    """Whether there is a place at which both let the lead change, from the same rival to the same; or neither does."""
    if "unresolved" in (one.status, other.status):
        return None
    mine, another = one.decision, other.decision
    if mine is None or another is None:
        return one.status == other.status
    if (mine.before, mine.after) != (another.before, another.after):
        return False
    return max(mine.below, another.below) <= min(mine.above, another.above)


def _told(location: Location) -> str:
    if location.decision is None:
        return location.status
    found = f"{location.decision.below:,} to {location.decision.above:,}"
    return f"{found} ({len(location.crossings)} crossings)" if len(location.crossings) > 1 else found


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the decision intervals; see above for the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs=2, type=Path, help="folders that `harness run` has written")
    asked = parser.parse_args(arguments)
    try:
        first, second = (load(read(folder).located) for folder in asked.run)
    except HarnessError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = list(repeated(first, second))
    if not rows:
        print("error: the two runs have searched no race at one batch size in common", file=sys.stderr)
        return 2
    table = [(each.race, each.batch_size, each.first, each.second, each.verdict) for each in rows]
    headers = ("race", "batch", str(asked.run[0]), str(asked.run[1]), "overlap")
    print(tabulate(table, headers=headers, tablefmt="simple", disable_numparse=True))
    answered = [each for each in rows if each.overlap is not None]
    print(f"\n{sum(bool(each.overlap) for each in answered)} of {len(answered)} races agree")
    return 0 if all(each.overlap for each in answered) else 1


if __name__ == "__main__":
    sys.exit(main())
