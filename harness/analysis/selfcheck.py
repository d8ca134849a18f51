"""A contender raced against itself (A/A): how often this machine would see a difference where there is none."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.statistics import Interval, ratio
from harness.analysis.visits import pairs
from harness.units import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.records.measurement import Measurement

_UNLIKELY = 0.05
_SURE = 0.99  # one race alone is believed at this confidence: at 95 %, every twentieth run would be doubted for nothing


@dataclass(frozen=True)
class Point:
    """A contender against itself at one N and B."""

    contender: str
    heads: int
    batch_size: int
    ratio: Interval
    surely: Interval  # the same at a confidence of 99 %

    @property
    def false_verdict(self) -> bool:
        """Its interval says that equals differ."""
        return self.ratio.differs


@dataclass(frozen=True)
class SelfCheck:
    """The verdict of all A/A points of a run."""

    points: tuple[Point, ...]
    passed: bool | None  # None: none was made, or with too few launches to tell
    resolvable: float  # smallest relative difference that the median point could tell; NaN where it is not known
    sentence: str

    @property
    def false_verdicts(self) -> int:
        """How many points saw a difference."""
        return sum(point.false_verdict for point in self.points)


def check(measurements: Iterable[Measurement], confidence: float = 0.95) -> SelfCheck:
    """Judges the visits made for the self-check: two records of the same cell in each, in the order of their seats."""
    points = tuple(_points(measurements, confidence))
    told = [point for point in points if point.ratio.known]
    if not told:
        sentence = "no self-check was made: how often this machine misleads is not known"
        if points:
            sentence = "the self-check has a single launch, too few to judge this machine"
        return SelfCheck(points, None, math.nan, sentence)
    widths = sorted(point.ratio.half_width for point in told)
    resolvable = widths[len(widths) // 2]
    wrong = sum(point.false_verdict for point in told)
    if wrong > 1:
        passed = _at_least(wrong, len(told), 1.0 - confidence) > _UNLIKELY
    else:
        passed = not any(point.surely.differs for point in told)
    score = f"{wrong} of {count(len(told))} A/A races saw a difference between a contender and itself"
    chance = ", which chance explains" if passed and wrong else ""
    verdict = (
        f"self-check passed: {score}{chance}; differences below {resolvable:.1%} cannot be told on this machine now"
        if passed
        else f"self-check failed: {score}, more than chance allows; verdicts are downgraded, "
        "quieten the machine and run again"
    )
    return SelfCheck(points, passed, resolvable, verdict)


def _points(measurements: Iterable[Measurement], confidence: float) -> Iterable[Point]:
    """One point for each cell that was raced against itself."""
    visits: dict[tuple[str, int, int], dict[tuple[int, int], list[Measurement]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for record in measurements:
        if record.purpose == "self-check" and record.outcome == "measured":
            visits[record.cell][record.launch, record.visit].append(record)
    for cell, made in sorted(visits.items()):
        logs: dict[int, list[float]] = defaultdict(list)
        later = any(launch > 0 for launch, _ in made)
        for (launch, _), records in made.items():
            if len(records) == 2 and (launch > 0 or not later):
                logs[launch].extend(
                    math.log(pair.challenger / pair.baseline)
                    for pair in pairs(records[0], records[1])
                    if pair.baseline > 0 and pair.challenger > 0
                )
        full = {launch: each for launch, each in logs.items() if each}
        if full:
            yield Point(*cell, ratio(full, confidence), ratio(full, max(confidence, _SURE)))


def _at_least(hits: int, trials: int, chance: float) -> float:
    """The probability of this many hits or more."""
    return sum(math.comb(trials, k) * chance**k * (1.0 - chance) ** (trials - k) for k in range(hits, trials + 1))
