"""One quantity over many runs, and where it stepped."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.statistics import Interval, typical
from harness.records.crossovers import load
from harness.records.machine import differences
from harness.records.samples import by_cell, counting, seconds_by_launch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.reader import Evidence

_STEP = 0.05  # smallest relative step worth telling
_FALSE = 0.05  # chance that any quantity of a suite shows a step where there is only noise


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The quantity in one run."""

    run: str
    started: str
    commit: str | None
    value: Interval
    remark: str = ""  # what makes this run incomparable with the one before


@dataclass(frozen=True, kw_only=True)
class Series:
    """A quantity over the runs of one suite, in the order of their start."""

    suite: str
    name: str
    unit: str  # 'seconds' or 'heads'
    readings: tuple[Reading, ...]
    steps: tuple[int, ...]  # places in `readings` where a new level begins

    def step(self, place: int) -> float:
        """The new level over the one before it."""
        ends = [0, *self.steps, len(self.readings)]
        at = ends.index(place, 1)
        values = np.log([each.value.value for each in self.readings])
        before, after = values[ends[at - 1] : place], values[place : ends[at + 1]]
        return float(np.exp(np.median(after) - np.median(before)))


def history(runs: Sequence[Evidence]) -> tuple[Series, ...]:
    """Every race's crossover and every cell's median seconds per call, over the runs of each suite that have it."""
    ordered = sorted(runs, key=lambda each: each.run.started)
    found: dict[tuple[str, str, str], list[Reading]] = {}
    before: dict[str, Evidence] = {}
    for each in ordered:
        suite = str(each.run.suite["name"])
        remark = "; ".join(_remarks(before.get(suite), each))
        for name, unit, value in _quantities(each):
            reading = Reading(
                run=each.name, started=each.run.started, commit=each.run.commit, value=value, remark=remark
            )
            found.setdefault((suite, name, unit), []).append(reading)
        before[suite] = each
    quantities = Counter(suite for suite, _, _ in found)
    return tuple(
        Series(
            suite=suite, name=name, unit=unit, readings=tuple(readings),
            steps=steps(
                [each.value.value for each in readings], [_error(each.value) for each in readings],
                quantities=quantities[suite],
            ),
        )
        for (suite, name, unit), readings in found.items()
    )  # fmt: skip


def steps(values: Sequence[float], errors: Sequence[float] = (), *, quantities: int = 1) -> tuple[int, ...]:
    """Places where a new level begins: binary segmentation on the logarithm against the noise.

    A place is a step where the medians on both sides differ by more than 5 % and the means by so many times the noise
    that with 95 % probability none of the quantities shows a step where there is no step
    (Student's t by Bonferroni's bound). The noise is what the differences of neighbours show (their median absolute
    size, which a few steps do not move), and no less than what the readings say of themselves. Levels of one run count:
    a regression is seen in the run that brings it.

    Args:
        values: positive, in the order of time.
        errors: standard error of the logarithm of each value, NaN where it is not known.
        quantities: how many series are searched at once.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    if logs.size < 3:
        return ()
    from scipy.special import stdtrit

    noise = float(np.median(np.abs(np.diff(logs)))) / 0.954  # of a normal variable: 0.6745 times sqrt(2)
    known = [each for each in errors if math.isfinite(each)]
    noise = max([noise, float(np.median(known))] if known else [noise])
    cuts = (logs.size - 1) * quantities
    freedom = logs.size / 2  # of that noise, by simulation: a median uses about half of what the differences know
    return tuple(_segment(logs, 0, noise * float(stdtrit(freedom, 1.0 - _FALSE / 2 / cuts))))


def _segment(logs: np.ndarray[tuple[int, ...], np.dtype[np.float64]], start: int, least: float) -> Iterator[int]:
    """The steps within a stretch, ascending; `least` is what the strongest must exceed."""
    best, gain = 0, 0.0
    for cut in range(1, logs.size):
        size = float(logs[cut:].mean() - logs[:cut].mean())
        weight = abs(size) * math.sqrt(cut * (logs.size - cut) / logs.size)
        if weight > gain:
            best, gain = cut, weight
    if not best:
        return
    size = abs(float(np.median(logs[best:]) - np.median(logs[:best])))
    if size <= math.log1p(_STEP) or gain <= least:
        return
    yield from _segment(logs[:best], start, least)
    yield start + best
    yield from _segment(logs[best:], start + best, least)


def _remarks(before: Evidence | None, now: Evidence) -> Iterator[str]:
    """What makes a run incomparable with the one before."""
    if before is None:
        if now.run.quick:
            yield "a quick run"
        return
    yield from differences(before.run.machine, now.run.machine)
    if before.run.quick != now.run.quick:
        yield "a quick run, after a full one" if now.run.quick else "a full run, after a quick one"


def _error(found: Interval) -> float:
    """Standard error of the logarithm, from the interval; NaN where there is none."""
    if not found.known or found.low <= 0:
        return math.nan
    from scipy.special import ndtri, stdtrit

    share = (1.0 + found.confidence) / 2.0
    reach = stdtrit(found.launches - 1, share) if found.launches > 1 else ndtri(share)
    return math.log(found.high / found.low) / 2.0 / float(reach)


def _quantities(evidence: Evidence) -> Iterator[tuple[str, str, Interval]]:
    for each in load(evidence.located):
        for number, crossing in enumerate(each.location.crossings if each.location.status != "unresolved" else ()):
            again = f", crossing {number + 1}" if number else ""
            value = Interval(float(crossing.heads), float(crossing.low), float(crossing.high), 0, crossing.confidence)
            yield f"N* of {each.leg.label}{again}", "heads", value
    cells = by_cell(evidence.measurements)
    place = {name: number for number, name in enumerate(evidence.run.suite["contenders"])}
    for key in sorted(cells, key=lambda key: (key[2], place.get(key[0], len(place)), key[1])):
        contender, heads, batch = key
        seconds = seconds_by_launch(counting([each for each in cells[key] if each.purpose == "table"]))
        if seconds:
            yield f"{contender} at N = {heads:,}, batch {batch}", "seconds", typical(seconds)
