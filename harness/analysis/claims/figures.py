"""Documented figures beside measured ones: what was reproduced, what was not, and what cannot be compared here."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from harness.analysis.bias import with_bias
from harness.analysis.speedup import slowdown
from harness.analysis.statistics import Interval, typical
from harness.records.samples import CellKey, seconds_by_launch, timed_records
from harness.search.coverage import covered
from harness.suite.devices import kind_of
from harness.suite.schema import LatencyFigure
from harness.units import count, milliseconds, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harness.records.crossovers import SearchRecord
    from harness.records.measurement import Measurement
    from harness.search.result import Crossing, Location
    from harness.suite.schema import FidelityFigure, Figure, Suite

Verdict = Literal["reproduced", "not reproduced", "not comparable here"]

_DEVICES = {"cuda": "a GPU (CUDA)", "cpu": "a CPU"}


@dataclass(frozen=True, kw_only=True)
class ClaimResult:
    """One documented number and what was measured in its place."""

    figure: Figure | LatencyFigure | FidelityFigure
    quantity: str  # slowdown, crossover, latency, or the name of a score
    subject: str  # whom it is about: `documented at batch 1`
    documented: str  # as it is printed: 24x, about 27, above 400, 0.9928 ± 0.0027
    measured: Interval | None  # slowdown, N*, seconds per query, or a score; None where there is none
    verdict: Verdict
    why: str
    heads: int | None = None  # N of the figure, where it has one
    extrapolated: Interval | None = (
        None  # crossover only: N times the slowdown measured at that N, as it was documented
    )

    @property
    def sentence(self) -> str:
        """One line: the documented figure, the verdict, and why."""
        at = f" at N = {self.heads:,}" if self.heads and self.quantity != "crossover" else ""
        what = self.quantity.replace("_", " ")
        return f"{self.subject}: {what}{at} documented as {self.documented}: {self.verdict}: {self.why}"


def compare(
    suite: Suite,
    cells: Mapping[CellKey, Sequence[Measurement]],
    located: Iterable[SearchRecord],
    confidence: float = 0.95,
    *,
    bias: float = 0.0,
) -> tuple[ClaimResult, ...]:
    """Every latency, slowdown and crossover of the suite's `documented:` block beside what the records say."""
    if suite.documented is None:
        return ()
    answers = {(each.case.race, each.case.batch_size): each.location for each in located}
    return (*_latencies(suite, cells, confidence, bias), *_races(suite, cells, answers, confidence, bias))


def _races(
    suite: Suite,
    cells: Mapping[CellKey, Sequence[Measurement]],
    answers: Mapping[tuple[str, int], Location],
    confidence: float,
    bias: float,
) -> Iterator[ClaimResult]:
    assert suite.documented is not None
    for figure in suite.documented.figures:
        race = suite.race(figure.race)
        measured, heads = None, _heads(figure, suite.documented.figures)
        if heads is not None:
            measured = slowdown(cells, race.baseline, race.challenger, heads, figure.batch_size, confidence)
            measured = with_bias(measured, bias) if measured else None
        elsewhere = _elsewhere(figure, suite)
        if figure.slowdown is not None:
            yield replace(_slowdown(figure, figure.slowdown, measured, elsewhere), subject=_subject(figure, suite))
        if figure.crossover is not None:
            location = answers.get((figure.race, figure.batch_size))
            found = _crossover(figure, figure.crossover, location, heads, measured, elsewhere)
            yield replace(found, subject=_subject(figure, suite))


def _subject(figure: Figure, suite: Suite) -> str:
    """Whom a figure is about; functions without a batch have none."""
    if suite.functions and figure.batch_size == 1:
        return figure.race
    return f"{figure.race} at batch {figure.batch_size}"


def _latencies(
    suite: Suite, cells: Mapping[CellKey, Sequence[Measurement]], confidence: float, bias: float
) -> Iterator[ClaimResult]:
    assert suite.documented is not None
    for figure in suite.documented.latencies:
        by_launch = seconds_by_launch(timed_records(cells.get((figure.contender, figure.heads, figure.batch_size), ())))
        measured = (
            with_bias(typical(by_launch, confidence), bias).scaled(1.0 / figure.batch_size) if by_launch else None
        )
        yield _latency(figure, measured, _elsewhere(figure, suite))


def first_lead(location: Location) -> Crossing | None:
    """The first crossing from which the challenger leads, where the answer has one."""
    if location.status not in ("crossing", "several"):
        return None
    return next((each for each in location.crossings if each.direction == "challenger"), None)


def extrapolate(heads: int, measured: Interval | None) -> Interval | None:
    """N times the slowdown at that N: where they would meet if the baseline's cost were all linear in N.

    This is how the documented crossovers came about: an extrapolation from one point, and never a measurement. Below
    that N where the challenger leads there already.
    """
    return measured.scaled(float(heads)) if measured is not None else None


def _heads(figure: Figure, figures: Sequence[Figure]) -> int | None:
    """The N of a figure, or that of its neighbour about the same race and batch size."""
    same = [each for each in figures if (each.race, each.batch_size) == (figure.race, figure.batch_size)]
    return figure.heads or next((each.heads for each in same if each.heads), None)


def _elsewhere(figure: Figure | LatencyFigure, suite: Suite) -> str:
    """Why the figure cannot be reproduced on this device; empty where it can."""
    name = figure.contender if isinstance(figure, LatencyFigure) else suite.race(figure.race).challenger
    here = kind_of(suite.device_of(name))
    if figure.device is None or figure.device == here:
        return ""
    return f"documented on {_DEVICES[figure.device]}, measured on {_DEVICES.get(here, here)}"


def _slowdown(figure: Figure, value: float, measured: Interval | None, elsewhere: str) -> ClaimResult:
    """The verdict on a slowdown: the measured interval against the range that rounds to the documented number."""
    place = f"N = {figure.heads:,}" if figure.heads else "an N that is not documented"
    verdict, why = _judge_number(value, f"{value:g}x", measured, ratio, elsewhere)
    if measured is None:
        why = f"the race was not measured at {place} and batch {figure.batch_size}"
    return ClaimResult(
        figure=figure,
        quantity="slowdown",
        subject=f"{figure.race} at batch {figure.batch_size}",
        documented=f"{value:g}x",
        measured=measured,
        verdict=verdict,
        why=why,
        heads=figure.heads,
    )


def _latency(figure: LatencyFigure, measured: Interval | None, elsewhere: str) -> ClaimResult:
    """The verdict on a latency, which belongs to a machine as much as to a contender."""
    documented = figure.milliseconds_per_query
    seen = measured.scaled(1e3) if measured else None

    def write(value: float) -> str:
        return f"{milliseconds(value / 1e3)} ms"

    verdict, why = _judge_number(documented, f"{documented:g} ms", seen, write, elsewhere)
    if seen is None:
        why = f"{figure.contender} was not measured at N = {figure.heads:,} and batch {figure.batch_size}"
    else:
        why += f"; on a machine other than the documented one it takes {seen.value / documented:.2f} times as long"
    return ClaimResult(
        figure=figure,
        quantity="latency",
        subject=f"{figure.contender} at batch {figure.batch_size}",
        documented=f"{documented:g} ms per query",
        measured=measured,
        verdict=verdict,
        why=why,
        heads=figure.heads,
    )


def _judge_number(
    value: float, documented_text: str, measured: Interval | None, write: Callable[[float], str], elsewhere: str
) -> tuple[Verdict, str]:
    """A measured interval against the range that rounds to a documented number."""
    if measured is None:
        return "not comparable here", ""
    seen = f"measured {interval_text(measured, write)}"
    if not measured.known:
        seen += ", with a single launch and so without an interval"
        return "not comparable here", f"{elsewhere}: {seen}" if elsewhere else seen
    half = rounding(value)
    side = _side(value, measured.low - half, measured.high + half)
    seen += f"; {documented_text} lies {side} the interval"
    if elsewhere:
        return "not comparable here", f"{elsewhere}: {seen}"
    return ("reproduced" if side == "inside" else "not reproduced"), seen


def _side(value: float, low: float, high: float) -> Literal["below", "inside", "above"]:
    return "below" if value < low else "above" if value > high else "inside"


def _crossover(
    figure: Figure,
    value: int,
    location: Location | None,
    heads: int | None,
    slower: Interval | None,
    elsewhere: str,
) -> ClaimResult:
    """The verdict on a crossover, with the documented way of predicting it from our own point beside it."""
    crossing = first_lead(location) if location is not None else None
    measured = None
    if crossing is not None:
        measured = Interval(crossing.heads, crossing.low, crossing.high, 0, crossing.confidence)
    verdict, why = _judge(value, figure.crossover_is, location, crossing)
    if elsewhere and location is not None:
        verdict, why = "not comparable here", f"{elsewhere}: {why}"
    predicted = extrapolate(heads, slower) if heads is not None else None
    if predicted is not None and slower is not None:
        already = ", where the challenger already leads," if slower.value <= 1.0 else ""
        why += (
            f"; a linear extrapolation from our own point at N = {heads:,}{already} gives "
            f"{interval_text(predicted, count)}"
        )
    return ClaimResult(
        figure=figure,
        quantity="crossover",
        subject=f"{figure.race} at batch {figure.batch_size}",
        documented=f"{figure.crossover_is} {value:,}",
        measured=measured,
        verdict=verdict,
        why=why,
        heads=figure.heads,
        extrapolated=predicted,
    )


def _judge(value: int, kind: str, location: Location | None, crossing: Crossing | None) -> tuple[Verdict, str]:
    """The verdict on a crossover as the search answered it."""
    if location is None:
        return "not comparable here", "the race was not searched at this batch size"
    if crossing is not None:
        return _judge_crossing(value, kind, location, crossing)
    low, high = covered(location) or (location.low, location.high)
    if location.status == "above":
        end = "the end of the range" if high == location.high else "above which one of the two fails"
        seen = f"the baseline leads up to N = {high:,}, {end}"
        if value > high:
            return "not comparable here", seen
        return ("reproduced" if kind == "above" else "not reproduced"), seen
    if location.status == "below":
        start = "the beginning of the range" if low == location.low else "below which one of the two fails"
        seen = f"the challenger leads from N = {low:,} on, {start}"
        if value <= low:
            return "not comparable here", seen
        return ("reproduced" if kind == "below" else "not reproduced"), seen
    if location.status == "tie":
        return "not reproduced", "no difference between the two was found anywhere in the range"
    if location.status == "several":
        return "not reproduced", "the lead changes, but never to the challenger"
    lacking = f": {location.notes[0]}" if location.notes else ""
    return "not comparable here", f"the search gave no answer{lacking}{_found_so_far(value, location)}"


def _found_so_far(value: int, location: Location) -> str:
    """What an unresolved search found all the same."""
    sure = [each for each in location.crossings if (each.low, each.high) != location.bracket]
    clauses = [f"it found that the {each.direction} leads from N = {each.heads:,} ({_ends(each)}) on" for each in sure]
    if location.bracket is not None:
        low, high = location.bracket
        clauses.append(
            f"open between N = {low:,} and {high:,}, and {value:,} lies {_side(value, low, high)} that range"
        )
    return "".join(f"; {each}" for each in clauses)


def _judge_crossing(value: int, kind: str, location: Location, crossing: Crossing) -> tuple[Verdict, str]:
    """A documented number against a measured interval; a bound against where the interval lies."""
    low, high = crossing.low, crossing.high
    seen = f"measured {crossing.heads:,} ({_ends(crossing)})"
    if location.status == "several":
        seen += ", the first of several crossings"
    side = _side(value, low, high)
    seen += f"; {value:,} lies {side} the interval"
    if kind == "about":
        return ("reproduced" if side == "inside" else "not reproduced"), seen
    if low <= value < high:
        return "not comparable here", seen
    return ("reproduced" if (low > value) == (kind == "above") else "not reproduced"), seen


def _ends(crossing: Crossing) -> str:
    return f"{100 * crossing.confidence:.0f} %: {crossing.low:,} to {crossing.high:,}"


def interval_text(interval: Interval, write: Callable[[float], str]) -> str:
    """`24.1x (95 %: 23.0x to 25.3x)`."""
    if not interval.known:
        return write(interval.value)
    ends = f"{write(interval.low)} to {write(interval.high)}"
    return f"{write(interval.value)} ({100 * interval.confidence:.0f} %: {ends})"


def rounding(value: float) -> float:
    """Half a unit of the last digit of a documented number: 24 → 0.5, 1.5 → 0.05."""
    text = f"{value:.10g}"
    decimals = len(text.partition(".")[2])
    return 0.5 * math.pow(10.0, -decimals)
