"""Records put in order: which of them count, samples by launch, and contenders of one visit matched into pairs."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from harness.search.result import Pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.records.measurement import Measurement

CellKey = tuple[str, int, int]  # contender, heads, batch size


def by_cell(records: Iterable[Measurement]) -> dict[CellKey, list[Measurement]]:
    """The records of the table and the searches by cell, in the order in which they were written."""
    cells: dict[CellKey, list[Measurement]] = defaultdict(list)
    for record in records:
        if record.purpose in ("table", "search"):
            cells[record.cell].append(record)
    return dict(cells)


def timed_records(records: Sequence[Measurement]) -> list[Measurement]:
    """The measured records that enter intervals: launches from 1 on, or what launch 0 saw where nothing else is."""
    measured = [each for each in records if each.outcome == "measured" and each.sampled is not None]
    return [each for each in measured if each.launch > 0] or measured


def seconds_by_launch(records: Sequence[Measurement]) -> dict[int, list[float]]:
    """Seconds per call of each launch, in time order, of records that count."""
    found: dict[int, list[float]] = defaultdict(list)
    for record in records:
        if record.sampled is not None:
            found[record.launch].extend(each for each in record.sampled.seconds if each > 0)
    return {launch: seconds for launch, seconds in found.items() if seconds}


def pairs(baseline: Measurement, challenger: Measurement) -> list[Pair]:
    """Two records of one visit matched by round, in time order; rounds that only one of them has are left out."""
    if baseline.sampled is None or challenger.sampled is None:
        return []
    ours, theirs = baseline.sampled, challenger.sampled
    places = {number: place for place, number in enumerate(theirs.rounds)}
    matched = []
    for place, number in enumerate(ours.rounds):
        other = places.get(number)
        if other is None:
            continue
        first = ours.positions[place] < theirs.positions[other]
        matched.append(
            Pair(
                baseline=ours.seconds[place],
                challenger=theirs.seconds[other],
                order="baseline first" if first else "challenger first",
                started=min(ours.started[place], theirs.started[other]),
            )
        )
    return matched
