"""Whether two runs of one suite in a row state intervals that overlap, race by race.

    python -m tests.benchmarks.repeat RUN1 RUN2

Leaves with 1 where the two state crossings of one race and batch size that do not overlap, and with 2 where they have
nothing in common.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from tabulate import tabulate

from harness.errors import HarnessError
from harness.records.crossovers import load
from harness.records.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.crossovers import SearchRecord
    from harness.search.result import Crossing

STATED = ("crossing", "several")


@dataclass(frozen=True, kw_only=True)
class Repeated:
    """One change of the lead as both runs tell it."""

    race: str
    batch_size: int
    first: str
    second: str
    overlap: bool | None  # None where at least one of them states none

    @property
    def verdict(self) -> str:
        """In a word."""
        return {True: "yes", False: "NO", None: "not stated twice"}[self.overlap]


def repeated(first: Sequence[SearchRecord], second: Sequence[SearchRecord]) -> Iterator[Repeated]:
    """Every race and batch size that both have searched, crossing by crossing."""
    others = {(each.leg.race, each.leg.batch_size): each for each in second}
    for each in first:
        other = others.get((each.leg.race, each.leg.batch_size))
        if other is not None:
            yield from _compared(each, other)


def _compared(one: SearchRecord, other: SearchRecord) -> Iterator[Repeated]:
    leg = one.leg
    ours, theirs = one.location.crossings, other.location.crossings
    if {one.location.status, other.location.status} - set(STATED):
        yield from _partly(one, other)
        return
    for mine, another in zip_longest(ours, theirs):
        yield Repeated(
            race=leg.race,
            batch_size=leg.batch_size,
            first=_interval(mine) if mine else "none",
            second=_interval(another) if another else "none",
            overlap=bool(mine and another and _overlap(mine, another)),
        )


def _partly(one: SearchRecord, other: SearchRecord) -> Iterator[Repeated]:
    """Where an answer is open, it may tell some crossings all the same, and the others not.

    A wide interval of one run may hold two crossings that the other run tells apart.
    """
    leg, ours, theirs = one.leg, one.location.crossings, other.location.crossings
    pairs: list[tuple[Crossing | None, Crossing | None]] = [
        (mine, next((each for each in theirs if _overlap(mine, each)), None)) for mine in ours
    ]
    pairs += [
        (next((mine for mine in ours if _overlap(mine, each)), None), each)
        for each in theirs
        if not any(each is another for _, another in pairs)
    ]
    for mine, another in pairs or [(None, None)]:
        yield Repeated(
            race=leg.race,
            batch_size=leg.batch_size,
            first=_interval(mine) if mine else _status(one),
            second=_interval(another) if another else _status(other),
            overlap=_verdict(mine, another, one, other),
        )


def _verdict(mine: Crossing | None, another: Crossing | None, one: SearchRecord, other: SearchRecord) -> bool | None:
    """A crossing that one of the two lacks contradicts it only where that one says where all of its crossings are."""
    if mine and another:
        return True
    lacking = other if mine else one
    return False if (mine or another) and lacking.location.status in STATED else None


def _overlap(one: Crossing, other: Crossing) -> bool:
    return one.direction == other.direction and max(one.low, other.low) <= min(one.high, other.high)


def _interval(crossing: Crossing) -> str:
    return f"{crossing.heads:,} ({crossing.low:,} to {crossing.high:,})"


def _status(each: SearchRecord) -> str:
    bracket = each.location.bracket
    return each.location.status + (f", between {bracket[0]:,} and {bracket[1]:,}" if bracket else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the pairs of intervals; see above for the exit code."""
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
    stated = [each for each in rows if each.overlap is not None]
    print(f"\n{sum(bool(each.overlap) for each in stated)} of {len(stated)} stated crossings overlap")
    return 0 if all(each.overlap for each in stated) else 1


if __name__ == "__main__":
    sys.exit(main())
