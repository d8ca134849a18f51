"""Which contender to use, for somebody's own number of heads and batch size, from recorded measurements alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.statistics import Interval
from harness.errors import UserError
from harness.units import count, seconds, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.cells import CellSummary
    from harness.analysis.quality import FidelityRow
    from harness.analysis.summary import Summary

_SCORE_OF = {"cosine": "mean_cosine"}
_TOLD = (("mean_cosine", "mean cosine"), ("top1_agreement", "top-1 agreement"))


@dataclass(frozen=True, kw_only=True)
class Option:
    """One contender at the N and batch size that were asked for."""

    contender: str
    call: Interval  # seconds per call
    between: str  # what lies around this N and B where they were not measured themselves; else empty
    memory_bytes: int | None
    model_bytes: int | None
    training_seconds: float | None
    scores: Mapping[str, float]
    scored_at: int | None = None  # the N of the scores
    refused: str = ""  # why it cannot be used; empty where it can
    ends_at: int | None = None  # the N of its own nearest figures, where nothing but its range leaves it out

    @property
    def measured(self) -> bool:
        """Whether the latency was measured at this very N and B."""
        return not self.between


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to use, and how sure that is."""

    heads: int
    batch_size: int
    best: Option | None
    runner_up: Option | None
    options: tuple[Option, ...]  # usable ones by latency, then refused ones
    sentences: tuple[str, ...]
    outside: str = ""  # how far the question lies outside of what was measured
    documented: tuple[str, ...] = field(default=())  # the rules of thumb that this replaces


def advise(
    summary: Summary,
    heads: int,
    batch: int,
    *,
    queries_per_day: float | None = None,
    require: Mapping[str, float] | None = None,
    memory_bytes: int | None = None,
) -> Advice:
    """Chooses among the contenders of a run.

    Args:
        summary: the run.
        heads: N.
        batch: B.
        queries_per_day: how often it is asked, for the cost of training.
        require: fidelity scores that must be reached, by name (`top1_agreement`, `cosine`, `recall_at_10`, `skill`).
        memory_bytes: the largest memory of a process that is acceptable.

    Raises:
        UserError: where this batch size lies outside of the measured ones, or N and B are not positive.
    """
    if heads < 1 or batch < 1:
        raise UserError(f"N = {heads} and batch {batch} are not both positive")
    measured = [each for each in summary.cells if each.call is not None]
    low, high = _around(sorted({each.batch_size for each in measured}), batch)
    sides = [
        _options(summary, [each for each in measured if each.batch_size == side], heads, require or {}, memory_bytes)
        for side in (low, high)
    ]
    options = sides[0] if low == high else _between(sides[0], sides[1], low, high, batch)
    ordered = sorted(options, key=lambda each: (bool(each.refused), each.call.value))
    usable = [each for each in ordered if not each.refused]
    best, second = [*usable, None, None][:2]
    outside = _outside([each for each in measured if each.batch_size in (low, high)], heads)
    sure = _surety(best, second) if low == high else _leaders(sides, low, high, batch)
    return Advice(
        heads=heads,
        batch_size=batch,
        best=best,
        runner_up=second,
        options=tuple(ordered),
        sentences=tuple(_sentences(summary, heads, batch, best, second, ordered, sure, outside, queries_per_day)),
        outside=outside,
        documented=tuple(_rules(summary)),
    )


def _around(batches: Sequence[int], batch: int) -> tuple[int, int]:
    """The measured batch sizes next to one, twice itself where it was measured.

    Raises:
        UserError: where it lies outside of them.
    """
    low = max((each for each in batches if each <= batch), default=None)
    high = min((each for each in batches if each >= batch), default=None)
    if low is None or high is None:
        known = ", ".join(str(each) for each in batches) or "none"
        raise UserError(
            f"batch {batch} lies outside of the batch sizes that the run has measured: {known}",
            next_step=f"run the suite with `--set batch_sizes=[{batch}]`",
        )
    return low, high


def _options(
    summary: Summary,
    cells: Sequence[CellSummary],
    heads: int,
    require: Mapping[str, float],
    memory: int | None,
) -> list[Option]:
    """Every contender at this N, from the cells of one batch size."""
    reach = min(each.heads for each in cells), max(each.heads for each in cells)
    found = []
    for name in summary.suite.contenders:
        own = [each for each in cells if each.contender == name]
        option = _option(summary, name, own, heads, require, memory, reach)
        if option is not None:
            found.append(option)
    return found


def _between(below: Sequence[Option], above: Sequence[Option], low: int, high: int, batch: int) -> list[Option]:
    """Contenders at a batch size between two measured ones: a call's time is drawn as a straight line in B."""
    share = (batch - low) / (high - low)
    others = {each.contender: each for each in above}
    return [
        replace(
            one,
            call=_line(one.call, others[one.contender].call, share),
            between=f"between measured batch sizes, {low} and {high}",
            memory_bytes=max((one.memory_bytes or 0, others[one.contender].memory_bytes or 0)) or None,
            refused="; ".join(dict.fromkeys(each for each in (one.refused, others[one.contender].refused) if each)),
        )
        for one in below
        if one.contender in others
    ]


def _line(one: Interval, other: Interval, share: float) -> Interval:
    """On the way from one time to another; without an interval where either has none."""
    value, low, high = (
        (1 - share) * here + share * there for here, there in zip(_bounds(one), _bounds(other), strict=True)
    )
    return Interval(value, low, high, min(one.launches, other.launches), one.confidence)


def _bounds(found: Interval) -> tuple[float, float, float]:
    return found.value, found.low, found.high


def _leaders(sides: Sequence[Sequence[Option]], low: int, high: int, batch: int) -> str:
    """Who is the fastest on both sides of a batch size that was not measured."""
    first = [
        min((each for each in side if not each.refused), key=lambda each: each.call.value, default=None)
        for side in sides
    ]
    if first[0] is None or first[1] is None:
        return ""
    one, other = first[0].contender, first[1].contender
    if one == other:
        return f"batch {batch} was not measured; {one} is the fastest at batch {low} and at batch {high} as well"
    return (
        f"batch {batch} was not measured; at batch {low} {one} is the fastest, at batch {high} {other}: "
        f"run the suite with `--set batch_sizes=[{batch}]` before you decide"
    )


def _option(
    summary: Summary,
    name: str,
    cells: Sequence[CellSummary],
    heads: int,
    require: Mapping[str, float],
    memory: int | None,
    reach: tuple[int, int],
) -> Option | None:
    """A contender at this N: measured there, or between its neighbours in N; None where it was not measured at all."""
    found = _latency(cells, heads)
    if found is None:
        return None
    call, exact, nearest = found
    row = _fidelity(summary, name, heads)
    low, high = min(each.heads for each in cells), max(each.heads for each in cells)
    beyond = reach[0] <= heads < low or high < heads <= reach[1]  # where all end, the caller says so once
    scores = row.scores if row else {}
    unfit = list(_refusals(summary, name, scores, require, nearest, memory))
    return Option(
        contender=name,
        call=call,
        between="" if exact else "between measured N" if low <= heads <= high else "at the end of the measured range",
        memory_bytes=nearest.memory_bytes or nearest.peak_rss_bytes,
        model_bytes=nearest.model_bytes,
        training_seconds=row.training_seconds if row and row.trained else None,
        scores=scores,
        scored_at=row.heads if row else None,
        refused="; ".join([f"measured from N = {low:,} to {high:,} only", *unfit] if beyond else unfit),
        ends_at=nearest.heads if beyond and not unfit else None,
    )


def _latency(cells: Sequence[CellSummary], heads: int) -> tuple[Interval, bool, CellSummary] | None:
    """At this N, or on the line between its neighbours, both axes logarithmic; beyond the ends the nearest end."""
    ordered = sorted((each for each in cells if each.call is not None), key=lambda each: each.heads)
    if not ordered:
        return None
    exact = next((each for each in ordered if each.heads == heads), None)
    if exact is not None and exact.call is not None:
        return exact.call, True, exact
    places = np.log([each.heads for each in ordered])
    x = math.log(heads)
    nearest = min(ordered, key=lambda each: abs(math.log(each.heads) - x))

    def at(values: Sequence[float]) -> float:
        return float(np.exp(np.interp(x, places, np.log(values))))

    calls = [each.call for each in ordered if each.call is not None]
    value, low, high = (at(values) for values in zip(*map(_bounds, calls), strict=True))
    return Interval(value, low, high, min(each.launches for each in calls), calls[0].confidence), False, nearest


def _fidelity(summary: Summary, name: str, heads: int) -> FidelityRow | None:
    """Scores at the nearest N that was scored."""
    rows = [row for row in summary.fidelity if row.contender == name and row.scores]
    return min(rows, key=lambda row: abs(math.log(row.heads / heads)), default=None)


def _refusals(
    summary: Summary,
    name: str,
    scores: Mapping[str, float],
    require: Mapping[str, float],
    cell: CellSummary,
    memory: int | None,
) -> Iterator[str]:
    held = cell.memory_bytes or cell.peak_rss_bytes
    if memory is not None and held is not None and held > memory:
        yield f"needs {size(held)} of memory"
    if not require or _is_teacher(summary, name):
        return
    for wanted, bound in require.items():
        value = scores.get(_SCORE_OF.get(wanted, wanted))
        if value is None:
            yield f"{wanted} was not measured"
        elif value < bound:
            yield f"{wanted} is {value:.2f} < {bound:g}"


def _is_teacher(summary: Summary, name: str) -> bool:
    """The contender computes the projection itself, so that it is right by definition."""
    own = summary.suite.contenders[name].projector.partition("-")[0]
    teachers = {each.teacher.partition("-")[0] for each in summary.suite.contenders.values()}
    return own in teachers


def _outside(cells: Sequence[CellSummary], heads: int) -> str:
    low, high = min(each.heads for each in cells), max(each.heads for each in cells)
    if low <= heads <= high:
        return ""
    return f"N = {heads:,} lies outside of the measured range, {low:,} to {high:,}: the figures are those of its end"


def _sentences(
    summary: Summary,
    heads: int,
    batch: int,
    best: Option | None,
    second: Option | None,
    options: Sequence[Option],
    sure: str,
    outside: str,
    queries_per_day: float | None,
) -> Iterator[str]:
    place = f"N = {heads:,} and batch {batch}"
    if best is None:
        yield f"no contender of this run fits at {place}"
    else:
        how = best.between or "measured"
        each_query = seconds(best.call.value / batch)
        yield f"at {place} use {best.contender}: {_times(best.call)} per call, {each_query} per query ({how})"
        if second is not None:
            more = second.call.value / best.call.value
            yield f"the runner-up, {second.contender}, takes {_times(second.call)} per call, {more:.2f} times as long"
        if sure:
            yield sure
        yield from _unseen_rival(best, options, heads)
        yield from _rightness(summary, best, second, options)
        memory = [
            f"{each.contender} {size(each.memory_bytes)}" for each in (best, second) if each and each.memory_bytes
        ]
        if memory:
            yield f"memory of the whole process: {', '.join(memory)}"
        yield from _payback(best, options, batch, queries_per_day)
    reasons = dict.fromkeys(each.refused for each in options if each.refused)
    for reason in reasons:
        yield f"left out: {', '.join(each.contender for each in options if each.refused == reason)} ({reason})"
    if outside:
        yield outside
    if summary.self_check.passed is False:
        yield f"{summary.self_check.sentence}"
    if summary.quick:
        yield "this was a quick run: measure without --quick before you decide"


def _surety(best: Option | None, second: Option | None) -> str:
    if best is None or second is None:
        return ""
    one, other = best.call, second.call
    if not (one.known and other.known and best.measured and second.measured):
        return "how sure that is cannot be said: they were not both measured here in several launches"
    if one.high < other.low:
        return f"that is sure: their {100 * one.confidence:.0f} % intervals do not overlap"
    return f"that is not sure: their {100 * one.confidence:.0f} % intervals overlap, either will do"


def _unseen_rival(best: Option, options: Sequence[Option], heads: int) -> Iterator[str]:
    """Who took less where its own range ends than the best takes here."""
    rivals = [each for each in options if each.ends_at is not None and each.call.value < best.call.value]
    rival = min(rivals, key=lambda each: each.call.value, default=None)
    if rival is not None:
        yield (
            f"{rival.contender} takes {_times(rival.call)} at N = {rival.ends_at:,}, where its range ends: "
            f"measure it at N = {heads:,} too before you decide"
        )


def _rightness(summary: Summary, best: Option, second: Option | None, options: Sequence[Option]) -> Iterator[str]:
    """How well the best imitates its teacher, where it only does that, and who need not imitate."""
    teachers = [each for each in options if not each.refused and _is_teacher(summary, each.contender)]
    if not teachers or best in teachers:
        return
    name = summary.suite.contenders[best.contender].teacher
    known = [f"{word} {best.scores[key]:.3f}" for key, word in _TOLD if key in best.scores]
    if known:
        yield f"{best.contender} imitates {name} with {', '.join(known)} at N = {best.scored_at:,}, on held-out queries"
    else:
        yield f"how well {best.contender} imitates {name} was not measured in this run"
    exact = teachers[0]
    if exact == second:
        yield f"the runner-up is the fastest form of {name} itself"
    else:
        more = exact.call.value / best.call.value
        yield (
            f"the fastest form of {name} itself, {exact.contender}, takes {_times(exact.call)} per call, "
            f"{more:.2f} times as long"
        )


def _payback(best: Option, options: Sequence[Option], batch: int, queries_per_day: float | None) -> Iterator[str]:
    """After how many queries training has paid for itself, against the fastest contender that needs none."""
    if not best.training_seconds:
        return
    rival = next((each for each in options if not each.refused and not each.training_seconds), None)
    if rival is None:
        return
    saved = (rival.call.value - best.call.value) / batch
    if saved <= 0:
        return
    queries = best.training_seconds / saved
    days = f", in {queries / queries_per_day:,.1f} days" if queries_per_day else ""
    yield (
        f"training took {seconds(best.training_seconds)} and has paid for itself against {rival.contender} after "
        f"{count(queries)} queries{days}"
    )


def _rules(summary: Summary) -> Iterator[str]:
    """The documented rules of thumb, as the claim being replaced."""
    if summary.suite.documented is None:
        return
    for figure in summary.suite.documented.figures:
        if figure.crossover is not None:
            word = "more than" if figure.crossover_is == "above" else "about"
            yield (
                f"documented rule of thumb, replaced by these measurements: the student from {word} "
                f"{figure.crossover:,} heads on at batch {figure.batch_size}"
            )


def _times(found: Interval) -> str:
    if not found.known:
        return seconds(found.value)
    return f"{seconds(found.value)} ({100 * found.confidence:.0f} %: {seconds(found.low)} to {seconds(found.high)})"
