"""How many times as fast as one of them the others are, at every N and B of a run."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from harness.analysis.statistics import Interval, mean_over_launches, ratio
from harness.records.samples import CellKey, pairs, seconds_by_launch, timed_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Relative:
    """A contender beside the one that is the unit."""

    unit: str
    contender: str
    heads: int
    batch_size: int
    speedup: Interval  # the unit's time over the contender's: above 1 the contender is faster


def relatives(
    units: Mapping[str, Sequence[str]], cells: Mapping[CellKey, Sequence[Measurement]], confidence: float
) -> Iterator[Relative]:
    """Every N and B at which a contender and its unit were measured, from their paired samples."""
    for unit, names in units.items():
        points = sorted({(batch, heads) for name, heads, batch in cells if name == unit})
        for batch, heads in points:
            for name in names:
                found = slowdown(cells, name, unit, heads, batch, confidence)
                if found is not None:
                    yield Relative(unit=unit, contender=name, heads=heads, batch_size=batch, speedup=found)


def log_ratios(baseline: Sequence[Measurement], challenger: Sequence[Measurement]) -> dict[int, list[float]]:
    """log(challenger / baseline) of the pairs of shared visits, by launch."""
    partners = {(each.launch, each.visit): each for each in challenger}
    found: dict[int, list[float]] = defaultdict(list)
    for record in baseline:
        partner = partners.get((record.launch, record.visit))
        if partner is not None and partner is not record:
            found[record.launch].extend(
                math.log(pair.challenger / pair.baseline)
                for pair in pairs(record, partner)
                if pair.baseline > 0 and pair.challenger > 0
            )
    return {launch: logs for launch, logs in found.items() if logs}


def slowdown(
    cells: Mapping[CellKey, Sequence[Measurement]],
    baseline: str,
    challenger: str,
    heads: int,
    batch_size: int,
    confidence: float = 0.95,
) -> Interval | None:
    """Challenger over baseline at one N and B: from pairs, else from launches that both took part in; None: neither."""
    ours = timed_records(cells.get((baseline, heads, batch_size), ()))
    theirs = timed_records(cells.get((challenger, heads, batch_size), ()))
    paired = log_ratios(ours, theirs)
    if paired:
        return ratio(paired, confidence)
    one, other = seconds_by_launch(ours), seconds_by_launch(theirs)
    shared = sorted(one.keys() & other.keys())
    if not shared:
        return None
    return mean_over_launches([math.log(median(other[launch]) / median(one[launch])) for launch in shared], confidence)
