"""One quantity over many runs, and where it stepped."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.compare.redefinition import Redefinition, redefinition
from harness.analysis.statistics import Interval, typical
from harness.records import provenance
from harness.records.crossovers import load
from harness.records.machine import differences
from harness.records.samples import by_cell, seconds_by_launch, timed_records

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
    changed: tuple[str, ...] = ()  # commit, libraries, plugins and data that are not those of the reading before


@dataclass(frozen=True, kw_only=True)
class Series:
    """A quantity over the runs of one suite, in the order of their start."""

    suite: str
    name: str
    unit: str  # 'seconds' or 'heads'
    race: str = ""  # whose N* it is; empty for a cell
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
    """Every race's crossover and every cell's median seconds per call, over the runs of each suite that have it.

    A reading is compared with the one before it in its own series: runs of one suite need not have the same races, and
    those of `harness locate` without a name all have the same suite's name.
    """
    ordered = sorted(runs, key=lambda each: each.run.started)
    found: dict[tuple[str, str, str, str], list[Reading]] = {}
    before: dict[tuple[str, str, str, str], Evidence] = {}
    pairs: dict[tuple[int, int], tuple[Redefinition, tuple[str, ...], tuple[str, ...]]] = {}
    for each in ordered:
        suite = str(each.run.suite["name"])
        for name, unit, race, contender, value in _quantities(each):
            key = (suite, name, unit, race)
            last = before.get(key)
            remarks, changed = tuple(_remarks(None, each)), tuple[str, ...]()
            if last is not None:
                if (id(last), id(each)) not in pairs:
                    pairs[id(last), id(each)] = (
                        redefinition(last, each),
                        tuple(_remarks(last, each)),
                        changes(last, each),
                    )
                redefined, remarks, changed = pairs[id(last), id(each)]
                how = redefined.races.get(race) if race else redefined.contenders.get(contender)
                remarks = (*remarks, f"{race or contender} was redefined: {how}") if how else remarks
            reading = Reading(
                run=each.name, started=each.run.started, commit=each.run.commit, value=value,
                remark="; ".join(remarks), changed=changed,
            )  # fmt: skip
            found.setdefault(key, []).append(reading)
            before[key] = each
    quantities = Counter(suite for suite, *_ in found)
    return tuple(
        Series(
            suite=suite, name=name, unit=unit, race=race, readings=tuple(readings),
            steps=steps(
                [each.value.value for each in readings], [_error(each.value) for each in readings],
                quantities=quantities[suite],
            ),
        )
        for (suite, name, unit, race), readings in found.items()
    )  # fmt: skip


def changes(then: Evidence, now: Evidence) -> tuple[str, ...]:
    """What may have brought a new level: the commit first, then libraries, plugins and data."""
    commit = (
        (f"commit: {then.run.commit or 'unknown'} -> {now.run.commit or 'unknown'}",)
        if then.run.commit != now.run.commit
        else ()
    )
    return (
        *commit,
        *provenance.versions(then.run.versions, now.run.versions),
        *provenance.offers(then.run.offers, now.run.offers),
        *provenance.data("the data", then.run.source, now.run.source),
    )


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


def _quantities(evidence: Evidence) -> Iterator[tuple[str, str, str, str, Interval]]:
    """(name, unit, race, contender, value): of a crossover without the contender, of a cell without the race."""
    for each in load(evidence.located):
        for number, crossing in enumerate(each.location.crossings if each.location.status != "unresolved" else ()):
            again = f", crossing {number + 1}" if number else ""
            value = Interval(float(crossing.heads), float(crossing.low), float(crossing.high), 0, crossing.confidence)
            yield f"N* of {each.case.label}{again}", "heads", each.case.race, "", value
    cells = by_cell(evidence.measurements)
    place = {name: number for number, name in enumerate(evidence.run.suite["contenders"])}
    for key in sorted(cells, key=lambda key: (key[2], place.get(key[0], len(place)), key[1])):
        contender, heads, batch = key
        seconds = seconds_by_launch(timed_records([each for each in cells[key] if each.purpose == "table"]))
        if seconds:
            yield f"{contender} at N = {heads:,}, batch {batch}", "seconds", "", contender, typical(seconds)
