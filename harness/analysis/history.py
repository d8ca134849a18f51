"""One quantity over many runs, and where it stepped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.located import load
from harness.analysis.statistics import Interval, typical
from harness.analysis.visits import by_cell, counting, seconds_by_launch
from harness.records.machine import differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.records.evidence import Evidence

_STEP = 0.05  # smallest relative step worth telling
_STRENGTH = 3.0  # times the noise between neighbouring runs


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
        remark = "; ".join(differences(before[suite].run.machine, each.run.machine)) if suite in before else ""
        for name, unit, value in _quantities(each):
            reading = Reading(
                run=each.folder.name, started=each.run.started, commit=each.run.commit, value=value, remark=remark
            )
            found.setdefault((suite, name, unit), []).append(reading)
        before[suite] = each
    return tuple(
        Series(
            suite=suite, name=name, unit=unit, readings=tuple(readings),
            steps=steps([each.value.value for each in readings]),
        )
        for (suite, name, unit), readings in found.items()
    )  # fmt: skip


def steps(values: Sequence[float]) -> tuple[int, ...]:
    """Places where a new level begins: binary segmentation on the logarithm against the noise of neighbours.

    A place is a step where the medians on both sides differ by more than 5 % and by three times the noise that the
    differences of neighbours show (their median absolute size, which a few steps do not move). Levels of one run count:
    a regression is seen in the run that brings it.
    """
    logs = np.log(np.asarray(values, dtype=np.float64))
    if logs.size < 3:
        return ()
    noise = float(np.median(np.abs(np.diff(logs)))) / 0.954  # of a normal variable: 0.6745 times sqrt(2)
    return tuple(_segment(logs, 0, noise))


def _segment(logs: np.ndarray[tuple[int, ...], np.dtype[np.float64]], start: int, noise: float) -> Iterator[int]:
    """The steps within a stretch, ascending."""
    best, gain = 0, 0.0
    for cut in range(1, logs.size):
        size = float(logs[cut:].mean() - logs[:cut].mean())
        weight = abs(size) * math.sqrt(cut * (logs.size - cut) / logs.size)
        if weight > gain:
            best, gain = cut, weight
    if not best:
        return
    size = abs(float(np.median(logs[best:]) - np.median(logs[:best])))
    if size <= math.log1p(_STEP) or gain <= _STRENGTH * noise:
        return
    yield from _segment(logs[:best], start, noise)
    yield start + best
    yield from _segment(logs[best:], start + best, noise)


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
