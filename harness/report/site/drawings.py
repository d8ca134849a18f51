"""What the drawings of a site are made of: places on logarithmic axes, as numbers for the templates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import units
from harness.analysis.compare.history import steps
from harness.records.machine import differences
from harness.report import spans

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.answers import Answer
    from harness.report.site.digest import Digest
    from harness.search.result import Location

WIDTH = 1000.0
_MOST = 2.0  # doublings: a larger lead is drawn like this one


@dataclass(frozen=True)
class Bar:
    """A span of the lead map, in thousandths of its width."""

    x: float
    width: float
    kind: str  # 'baseline', 'challenger' or 'undecided'
    opacity: float
    title: str


@dataclass(frozen=True, kw_only=True)
class Point:
    """The crossover of one run."""

    run: Digest
    x: float
    y: float | None
    low: float | None
    high: float | None
    text: str
    step: str  # '0.82x' where a new level begins
    changed: tuple[str, ...]  # since the run before


@dataclass(frozen=True, kw_only=True)
class Trend:
    """N* of a race at one batch size over runs."""

    batch: int
    points: tuple[Point, ...]
    ticks: tuple[tuple[float, str], ...]


def bars(found: Answer, low: float, high: float) -> list[Bar]:
    """One search, on an axis from `low` to `high`."""
    if found.search.located is None:
        return []
    location = found.search.located.location
    names = {"challenger": found.search.case.challenger, "baseline": found.search.case.baseline}
    drawn = []
    for span in spans.leads(location):
        title = f"N = {span.low:,.0f} to {span.high:,.0f}: "
        if span.faster:
            title += f"{names[span.faster]} is faster, {units.ratio(units.exponential(abs(span.log_ratio)))}"
        else:
            title += "no significant difference"
        strength = min(1.0, abs(span.log_ratio) / math.log(2) / _MOST)
        drawn.append(_bar(span.low, span.high, low, high, span.faster or "undecided", 0.25 + 0.75 * strength, title))
    for first, last in spans.undecided(location):
        drawn.append(_bar(first, last, low, high, "undecided", 1.0, f"undecided: N = {first:,.0f} to {last:,.0f}"))
    return drawn


def axis(found: Sequence[Answer]) -> tuple[float, float]:
    """The range of all searches of a run."""
    ends = [each.search.located.location for each in found if each.search.located is not None]
    return float(min((each.low for each in ends), default=1)), float(max((each.high for each in ends), default=10))


def trends(runs: Sequence[Digest], race: str) -> list[Trend]:
    """A race over runs in the order of their start, for each batch size."""
    batches = sorted(
        {each.search.case.batch_size for run in runs for each in run.answers if each.search.case.race == race}
    )
    return [_trend(runs, race, batch) for batch in batches]


def changes(before: Digest | None, now: Digest) -> tuple[str, ...]:
    """What was different from the run before: machine and versions; commits are shown anyway."""
    if before is None:
        return ()
    found = differences(before.run.machine, now.run.machine)
    for name in sorted({*before.run.versions, *now.run.versions}):
        was, is_ = before.run.versions.get(name, "absent"), now.run.versions.get(name, "absent")
        if was != is_:
            found.append(f"{name}: {was} → {is_}")
    return tuple(found)


def _trend(runs: Sequence[Digest], race: str, batch: int) -> Trend:
    rows: list[tuple[Digest, Answer]] = [
        (run, each)
        for run in runs
        for each in run.answers
        if (each.search.case.race, each.search.case.batch_size) == (race, batch)
    ]
    places = [_ends(each.search.located.location if each.search.located else None) for _, each in rows]
    known = [each for each in places if each is not None]
    least, most = (min(low for low, _, _ in known), max(high for _, _, high in known)) if known else (1.0, 10.0)
    least, most = least / 1.15, most * 1.15
    where = [place for place, each in enumerate(places) if each is not None]
    new = {where[at] for at in steps([middle for _, middle, _ in known])} if known else set()
    points, before, level = [], None, None
    for place, ((run, found), ends) in enumerate(zip(rows, places, strict=True)):
        step = ""
        if place in new and level and ends is not None:
            step = f"{ends[1] / level:.2f}x"
        x = WIDTH * (place + 0.5) / len(rows)
        y, low, high = (_height(each, least, most) if each else None for each in ((ends[1], ends[0], ends[2]) if ends
                        else (None, None, None)))  # fmt: skip
        points.append(Point(run=run, x=x, y=y, low=low, high=high, text=found.crossover, step=step,
                            changed=changes(before, run)))  # fmt: skip
        before, level = run, ends[1] if ends is not None else level
    return Trend(batch=batch, points=tuple(points), ticks=_ticks(least, most))


def _ends(location: Location | None) -> tuple[float, float, float] | None:
    """Low, middle and high of the first stated crossing."""
    if location is None or location.status not in ("crossing", "several"):
        return None
    first = location.crossings[0]
    return float(max(first.low, 1)), float(max(first.heads, 1)), float(max(first.high, 1))


def _height(value: float, least: float, most: float) -> float:
    """From 0 at the top to 200 at the bottom."""
    return 200.0 * (1.0 - math.log(value / least) / math.log(most / least))


def _ticks(least: float, most: float) -> tuple[tuple[float, str], ...]:
    """A few round N."""
    found = []
    for power in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1):
        found += [factor * 10.0**power for factor in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)]
    inside = [each for each in found if least <= each <= most]
    inside = inside[:: max(1, math.ceil(len(inside) / 6))]
    return tuple((_height(each, least, most), f"{each:,.0f}") for each in inside)


def _bar(first: float, last: float, low: float, high: float, kind: str, opacity: float, title: str) -> Bar:
    width = math.log(high / low) or 1.0
    x = WIDTH * max(0.0, math.log(first / low) / width)
    end = WIDTH * min(1.0, math.log(max(last, first) / low) / width)
    return Bar(x=round(x, 1), width=round(max(end - x, 1.5), 1), kind=kind, opacity=round(opacity, 2), title=title)
