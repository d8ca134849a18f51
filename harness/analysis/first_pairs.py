"""Whether visits begin as they go on: the first pair of each against the rest of it.

A contender that is not yet back at speed when its first sample begins shows as a first log-ratio that is off to one
side, visit after visit. Noise shows, too, and goes either way.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.plan.sweep import sweep
from harness.records.samples import pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.records.measurement import Measurement
    from harness.suite.schema import Suite

MOST_MEDIAN = 0.01
MOST_MEAN = 0.02
_FEWEST_PAIRS = 3  # of a visit
_SURE = 2.0  # standard errors
_OF_A_MEDIAN = 1.2533 * 1.4826  # from a median absolute deviation to the standard error of the median, times sqrt(n)


@dataclass(frozen=True, kw_only=True)
class FirstPairs:
    """The first pairs of all visits that a race, or a contender against itself, was given."""

    name: str
    visits: int
    median: float  # of the first log-ratio minus the median of the others
    mean: float
    error: float  # standard error of the median, from the spread of the visits

    @property
    def is_unbiased(self) -> bool:
        """First pairs are like the others, to within what is asked for."""
        return abs(self.median) <= MOST_MEDIAN and abs(self.mean) <= MOST_MEAN

    @property
    def is_biased(self) -> bool:
        """The median is off by more than what noise explains."""
        return abs(self.median) > MOST_MEDIAN + _SURE * self.error


def first_pairs(suite: Suite, measurements: Iterable[Measurement]) -> tuple[FirstPairs, ...]:
    """By race, all batch sizes together; by contender where one was raced against itself."""
    visits: dict[int, list[Measurement]] = defaultdict(list)
    for record in measurements:
        if record.outcome == "measured":
            visits[record.visit].append(record)
    races = {case.label: case.race for case in sweep(suite).cases}
    found: dict[str, list[float]] = defaultdict(list)
    for records in visits.values():
        off = _first_difference(records)
        if off is not None:
            found[_name(records, races)].append(off)
    return tuple(_summary(name, offs) for name, offs in found.items())


def _first_difference(records: Sequence[Measurement]) -> float | None:
    """The first log-ratio of a visit minus the median of the others."""
    if len(records) != 2:
        return None
    logs = [math.log(pair.challenger / pair.baseline) for pair in pairs(records[0], records[1])]
    return logs[0] - float(np.median(logs[1:])) if len(logs) >= _FEWEST_PAIRS else None


def _name(records: Sequence[Measurement], races: Mapping[str, str]) -> str:
    one, other = records
    if one.leg is not None:
        return races.get(one.leg, one.leg)
    if one.contender == other.contender:
        return f"{one.contender} against itself"
    return f"{one.contender} and {other.contender}"


def _summary(name: str, offs: Sequence[float]) -> FirstPairs:
    median = float(np.median(offs))
    spread = float(np.median(np.abs(np.asarray(offs) - median)))
    return FirstPairs(
        name=name,
        visits=len(offs),
        median=median,
        mean=float(np.mean(offs)),
        error=_OF_A_MEDIAN * spread / math.sqrt(len(offs)),
    )
