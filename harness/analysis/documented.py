"""Documented figures beside measured ones: what was reproduced, what was not, and what cannot be compared here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.analysis.statistics import Interval
from harness.analysis.visits import CellKey, slowdown
from harness.units import count, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.analysis.located import Located
    from harness.analysis.location import Crossing, Location
    from harness.records.measurement import Measurement
    from harness.suite.schema import Figure, Suite

Verdict = Literal["reproduced", "not reproduced", "not comparable here"]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One documented number and what was measured in its place."""

    figure: Figure
    quantity: Literal["slowdown", "crossover"]
    documented: str  # as it is printed: 24x, about 27, above 400
    measured: Interval | None  # slowdown, or N*; None where there is none
    verdict: Verdict
    why: str
    extrapolated: Interval | None = (
        None  # crossover only: N times the slowdown measured at that N, as it was documented
    )

    @property
    def sentence(self) -> str:
        """One line: the documented figure, the verdict, and why."""
        subject = f"{self.figure.race} at batch {self.figure.batch_size}"
        at = f" at N = {self.figure.heads:,}" if self.figure.heads and self.quantity == "slowdown" else ""
        return f"{subject}: {self.quantity}{at} documented as {self.documented}: {self.verdict}: {self.why}"


def compare(
    suite: Suite, cells: Mapping[CellKey, Sequence[Measurement]], located: Iterable[Located], confidence: float = 0.95
) -> tuple[Compared, ...]:
    """Every figure of the suite's `documented:` block beside what the records say."""
    if suite.documented is None:
        return ()
    answers = {(each.leg.race, each.leg.batch_size): each.location for each in located}
    compared = []
    for figure in suite.documented.figures:
        race = suite.race(figure.race)
        measured, heads = None, _heads(figure, suite.documented.figures)
        if heads is not None:
            measured = slowdown(cells, race.baseline, race.challenger, heads, figure.batch_size, confidence)
        elsewhere = _elsewhere(figure, suite)
        if figure.slowdown is not None:
            compared.append(_slowdown(figure, figure.slowdown, measured, elsewhere))
        if figure.crossover is not None:
            location = answers.get((figure.race, figure.batch_size))
            predicted = extrapolate(heads, measured) if heads is not None else None
            compared.append(_crossover(figure, figure.crossover, location, heads, predicted, elsewhere))
    return tuple(compared)


def first_lead(location: Location) -> Crossing | None:
    """The first crossing from which the challenger leads, where the answer has one."""
    if location.status not in ("crossing", "several"):
        return None
    return next((each for each in location.crossings if each.direction == "challenger"), None)


def extrapolate(heads: int, measured: Interval | None) -> Interval | None:
    """N times the slowdown at that N: where they would meet if the baseline's cost were all linear in N.

    This is how the documented crossovers came about: an extrapolation from one point, and never a measurement.
    None where the challenger does not trail at that N.
    """
    return measured.scaled(float(heads)) if measured is not None and measured.value > 1.0 else None


def _heads(figure: Figure, figures: Sequence[Figure]) -> int | None:
    """The N of a figure, or that of its neighbour about the same race and batch size."""
    same = [each for each in figures if (each.race, each.batch_size) == (figure.race, figure.batch_size)]
    return figure.heads or next((each.heads for each in same if each.heads), None)


def _elsewhere(figure: Figure, suite: Suite) -> str:
    """Why the figure cannot be reproduced on this device; empty where it can."""
    if figure.device is None or figure.device == suite.device:
        return ""
    names = {"cuda": "a GPU (CUDA)", "cpu": "a CPU"}
    return f"documented on {names[figure.device]}, measured on {names[suite.device]}"


def _slowdown(figure: Figure, value: float, measured: Interval | None, elsewhere: str) -> Compared:
    """The verdict on a slowdown: the measured interval against the range that rounds to the documented number."""
    verdict: Verdict = "not comparable here"
    if measured is None:
        place = f"N = {figure.heads:,}" if figure.heads else "an N that is not documented"
        why = f"the race was not measured at {place} and batch {figure.batch_size}"
    else:
        seen = f"measured {interval_text(measured, ratio)}"
        if elsewhere:
            why = f"{elsewhere}: {seen}"
        elif not measured.known:
            why = f"{seen}, with a single launch and so without an interval"
        else:
            half = _rounding(value)
            agrees = measured.low <= value + half and measured.high >= value - half
            verdict, why = ("reproduced" if agrees else "not reproduced"), seen
    return Compared(
        figure=figure, quantity="slowdown", documented=f"{value:g}x", measured=measured, verdict=verdict, why=why
    )


def _crossover(
    figure: Figure,
    value: int,
    location: Location | None,
    heads: int | None,
    predicted: Interval | None,
    elsewhere: str,
) -> Compared:
    """The verdict on a crossover, with the documented way of predicting it from our own point beside it."""
    crossing = first_lead(location) if location is not None else None
    measured = None
    if crossing is not None:
        measured = Interval(crossing.heads, crossing.low, crossing.high, 0, crossing.confidence)
    verdict, why = _judge(value, figure.crossover_is, location, crossing)
    if elsewhere and location is not None:
        verdict, why = "not comparable here", f"{elsewhere}: {why}"
    if predicted is not None:
        why += (
            f"; a linear extrapolation from our own point at N = {heads:,} would say {interval_text(predicted, count)}"
        )
    return Compared(
        figure=figure,
        quantity="crossover",
        documented=f"{figure.crossover_is} {value:,}",
        measured=measured,
        verdict=verdict,
        why=why,
        extrapolated=predicted,
    )


def _judge(value: int, kind: str, location: Location | None, crossing: Crossing | None) -> tuple[Verdict, str]:
    """The verdict on a crossover as the search answered it."""
    if location is None:
        return "not comparable here", "the race was not searched at this batch size"
    if crossing is not None:
        return _judge_crossing(value, kind, location, crossing)
    if location.status == "above":
        seen = f"the baseline leads up to N = {location.high:,}, the end of the range"
        if value > location.high:
            return "not comparable here", seen
        return ("reproduced" if kind == "above" else "not reproduced"), seen
    if location.status == "below":
        seen = f"the challenger leads from N = {location.low:,} on, the beginning of the range"
        return ("not reproduced" if value > location.low else "not comparable here"), seen
    if location.status == "tie":
        return "not reproduced", "no difference between the two was found anywhere in the range"
    if location.status == "several":
        return "not reproduced", "the lead changes, but never to the challenger"
    lacking = f": {location.notes[0]}" if location.notes else ""
    return "not comparable here", f"the search did not come to an answer{lacking}"


def _judge_crossing(value: int, kind: str, location: Location, crossing: Crossing) -> tuple[Verdict, str]:
    """A documented number against a measured interval; a lower bound against where the interval lies."""
    low, high = crossing.low, crossing.high
    seen = f"measured {crossing.heads:,} ({100 * crossing.confidence:.0f} %: {low:,} to {high:,})"
    if location.status == "several":
        seen += ", the first of several crossings"
    if kind == "about":
        return ("reproduced" if low <= value <= high else "not reproduced"), seen
    if low > value:
        return "reproduced", seen
    return ("not reproduced", seen) if high <= value else ("not comparable here", f"{seen}, around the bound itself")


def interval_text(interval: Interval, write: Callable[[float], str]) -> str:
    """`24.1x (95 %: 23.0x to 25.3x)`."""
    if not interval.known:
        return write(interval.value)
    ends = f"{write(interval.low)} to {write(interval.high)}"
    return f"{write(interval.value)} ({100 * interval.confidence:.0f} %: {ends})"


def _rounding(value: float) -> float:
    """Half a unit of the last digit of a documented number: 24 → 0.5, 1.5 → 0.05."""
    text = f"{value:.10g}"
    decimals = len(text.partition(".")[2])
    return 0.5 * math.pow(10.0, -decimals)
