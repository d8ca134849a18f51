"""Which contender to use, for somebody's own number of heads and batch size, from recorded measurements alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.analysis.advice.correctness import Correctness, checked, misses, rightness
from harness.analysis.advice.evidence import PairEvidence, pair_evidence
from harness.analysis.advice.interpolation import between, estimate, steps_of
from harness.analysis.advice.wording import measuring, sentences
from harness.errors import UserError
from harness.units import size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.cells import CellSummary
    from harness.analysis.statistics import Interval
    from harness.analysis.summary import Summary


@dataclass(frozen=True, kw_only=True)
class Option:
    """One contender at the N and batch size that were asked for."""

    contender: str
    call: Interval  # seconds per call
    between: str  # what lies around this N and B where they were not measured themselves; else empty
    memory_bytes: int | None
    model_bytes: int | None
    training_seconds: float | None
    right: Correctness
    memory_is_peak: bool = False  # of a worker that may have held models of other N too
    doubt: str = ""  # what may be wrong with the latency
    refused: str = ""  # why it cannot be used; empty where it can
    range: str = ""  # where alone it was measured, if that leaves this N out
    ends_at: int | None = None  # the N of its own nearest figures, where nothing but its range leaves it out

    @property
    def measured(self) -> bool:
        """Whether the latency was measured at this very N and B."""
        return not self.between

    @property
    def scores(self) -> Mapping[str, float]:
        """Fidelity, means over seeds; empty where it was not scored."""
        return self.right.scores

    @property
    def scored_at(self) -> int | None:
        """The N of the scores."""
        return self.right.scored_at

    @property
    def unscored(self) -> bool:
        """It only imitates, and how well was not measured."""
        return self.right.kind == "unscored"


@dataclass(frozen=True, kw_only=True)
class Advice:
    """What to use, and how sure that is."""

    heads: int
    batch_size: int
    best: Option | None  # the fastest that is exact or was scored
    runner_up: Option | None
    options: tuple[Option, ...]  # usable ones by latency, then those that were not scored, then refused ones
    sentences: tuple[str, ...]
    outside: str = ""  # how far the question lies outside of what was measured
    documented: tuple[str, ...] = field(default=())  # the rules of thumb that this replaces


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was asked."""

    heads: int
    batch: int
    queries_per_day: float | None
    require: Mapping[str, float]
    memory_bytes: int | None


def advise(
    summary: Summary,
    heads: int,
    batch: int,
    *,
    queries_per_day: float | None = None,
    require: Mapping[str, float] | None = None,
    memory_bytes: int | None = None,
) -> Advice:
    """Chooses among the contenders of a run: the fastest that is right, by definition or by its scores.

    Args:
        summary: the run.
        heads: N.
        batch: B.
        queries_per_day: how often it is asked, for the cost of training.
        require: fidelity scores that must be reached with every training seed, by the names that a race requires them
            by (`top1_agreement`, `cosine`, `recall_at_10`, `skill`); `norm_error` must not be exceeded.
        memory_bytes: the largest memory of a process that is acceptable.

    Raises:
        UserError: where nothing was measured, or not at batch sizes around this one; where N, B or a requirement make
            no sense.
    """
    if heads < 1 or batch < 1:
        raise UserError(f"N = {heads} and batch {batch} must both be positive")
    if queries_per_day is not None and not queries_per_day > 0:
        raise UserError(f"{queries_per_day:g} queries a day are not a positive number")
    asked = Question(
        heads=heads,
        batch=batch,
        queries_per_day=queries_per_day,
        require=checked(require or {}),
        memory_bytes=memory_bytes,
    )
    measured = [each for each in summary.cells if each.call is not None]
    low, high = _around(sorted({each.batch_size for each in measured}), batch, measuring(summary, heads, batch))
    cells = {side: [each for each in measured if each.batch_size == side] for side in (low, high)}
    sides = {side: _ordered(_options(summary, cells[side], asked)) for side in cells}
    options = list(sides[low]) if low == high else _ordered(_between(sides[low], sides[high], low, high, asked))
    outside = _outside([each for side in cells.values() for each in side], heads)
    evidence: dict[int, PairEvidence] = {}
    if len(usable := _usable(options)) > 1 and not outside:
        evidence = {side: _evidence(summary, usable[0], usable[1], sides[side], heads, side) for side in cells}
        if all(each.faster == "other" for each in evidence.values()):  # the better evidence decides
            options[0], options[1] = options[1], options[0]
            evidence = {side: _evidence(summary, options[0], options[1], sides[side], heads, side) for side in cells}
    best, second = [*_usable(options), None, None][:2]
    answer = sentences(summary, asked, options, sides, evidence, outside)
    return Advice(
        heads=heads,
        batch_size=batch,
        best=best,
        runner_up=second,
        options=tuple(options),
        sentences=tuple(answer),
        outside=outside,
        documented=tuple(_rules(summary)),
    )


def _usable(options: Sequence[Option]) -> list[Option]:
    return [each for each in options if not each.refused and not each.unscored]


def _ordered(options: Sequence[Option]) -> list[Option]:
    return sorted(options, key=lambda each: (bool(each.refused), each.unscored, each.call.value))


def _evidence(
    summary: Summary, one: Option, other: Option, side: Sequence[Option], heads: int, batch: int
) -> PairEvidence:
    """Who of the two is faster at a measured batch size."""
    calls = {each.contender: each.call for each in side}
    pair = calls[one.contender], calls[other.contender]
    return pair_evidence(summary, one.contender, other.contender, pair, heads, batch)


def _around(batches: Sequence[int], batch: int, command: str) -> tuple[int, int]:
    """The measured batch sizes next to one, twice itself where it was measured.

    Raises:
        UserError: where it lies outside of them.
    """
    if not batches:
        raise UserError("the run has measured no latency", next_step="run a suite whose `measurement.table` is on")
    low = max((each for each in batches if each <= batch), default=None)
    high = min((each for each in batches if each >= batch), default=None)
    if low is None or high is None:
        known = ", ".join(str(each) for each in batches)
        raise UserError(
            f"batch {batch} is outside the measured batch sizes: {known}",
            next_step=f"measure it: `{command}`",
        )
    return low, high


def _options(summary: Summary, cells: Sequence[CellSummary], asked: Question) -> list[Option]:
    """Every contender at this N, from the cells of one batch size."""
    reach = min(each.heads for each in cells), max(each.heads for each in cells)
    found = [
        _option(summary, name, [each for each in cells if each.contender == name], asked, reach)
        for name in summary.suite.contenders
    ]
    return [each for each in found if each is not None]


def _option(
    summary: Summary, name: str, cells: Sequence[CellSummary], asked: Question, reach: tuple[int, int]
) -> Option | None:
    """A contender at this N: measured there, or between its neighbours in N; None where it was not measured at all."""
    heads = asked.heads
    found = estimate(cells, heads, steps_of(summary, name))
    if found is None:
        return None
    right = rightness(summary, name, heads)
    holder = _cell_holding(cells, heads)
    held = holder.memory_bytes or holder.peak_rss_bytes
    low, high = min(each.heads for each in cells), max(each.heads for each in cells)
    beyond = heads < low > reach[0] or heads > high < reach[1]  # where all end, the caller says so once
    option = Option(
        contender=name,
        call=found.call,
        between=found.how,
        memory_bytes=held,
        model_bytes=holder.model_bytes,
        training_seconds=right.training_seconds,
        right=right,
        memory_is_peak=holder.memory_bytes is None,
        doubt=found.doubt,
        range=_fails(summary, name, cells, heads) or (f"measured from N = {low:,} to {high:,} only" if beyond else ""),
    )
    unfit = tuple(_refusals(option, asked))
    return replace(
        option,
        refused="; ".join(each for each in (option.range, *unfit) if each),
        ends_at=found.at if beyond and not unfit and right.kind != "unscored" else None,
    )


def _fails(summary: Summary, name: str, cells: Sequence[CellSummary], heads: int) -> str:
    """Where a contender failed, if this N lies there: between no two N at which it works, or at the one that failed."""
    works = {each.heads for each in cells}
    failed = [
        each
        for each in summary.failures
        if (each.contender, each.batch_size) == (name, cells[0].batch_size) and each.heads not in works
    ]
    below = max((n for n in works if n <= heads), default=None)
    above = min((n for n in works if n >= heads), default=None)
    for each in failed:
        here = each.heads == heads
        past = above is None and below is not None and below < each.heads <= heads
        before = below is None and above is not None and heads <= each.heads < above
        if here or past or before:
            return f"fails at N = {each.heads:,}: {each.failure}"
    return ""


def _cell_holding(cells: Sequence[CellSummary], heads: int) -> CellSummary:
    """The cell whose memory stands for this N: that of the next larger N that was measured, or of the largest."""
    above = [each for each in cells if each.heads >= heads]
    return min(above, key=lambda each: each.heads) if above else max(cells, key=lambda each: each.heads)


def _refusals(option: Option, asked: Question) -> Iterator[str]:
    """Why it cannot be used, its range aside."""
    held = option.memory_bytes
    if asked.memory_bytes is not None and held is not None and held > asked.memory_bytes:
        yield f"needs {'up to ' if option.memory_is_peak else ''}{size(held)} of memory"
    yield from misses(option.right, asked.require, asked.heads)
    if option.right.no_better_than_constant and not asked.require:
        yield option.right.no_better_than_constant


def _between(below: Sequence[Option], above: Sequence[Option], low: int, high: int, asked: Question) -> list[Option]:
    """Contenders at a batch size between two measured ones: a call's time is drawn as a straight line in B."""
    share = (asked.batch - low) / (high - low)
    others = {each.contender: each for each in above}
    found = []
    for one in below:
        other = others.get(one.contender)
        if other is None:
            continue
        place = ", and between measured N" if one.between or other.between else ""
        merged = replace(
            one,
            call=between(one.call, other.call, share),
            between=f"between measured batch sizes, {low} and {high}{place}",
            doubt="; ".join(dict.fromkeys(each for each in (one.doubt, other.doubt) if each)),
            memory_bytes=max((one.memory_bytes or 0, other.memory_bytes or 0)) or None,
            memory_is_peak=one.memory_is_peak or other.memory_is_peak,
            range=one.range or other.range,
        )
        parts = (merged.range, *_refusals(merged, asked))
        found.append(replace(merged, refused="; ".join(each for each in parts if each)))
    return found


def _outside(cells: Sequence[CellSummary], heads: int) -> str:
    low, high = min(each.heads for each in cells), max(each.heads for each in cells)
    if low <= heads <= high:
        return ""
    return f"N = {heads:,} was not measured: the run covers N = {low:,} to {high:,}"


def _rules(summary: Summary) -> Iterator[str]:
    """The documented rules of thumb, as the claim being replaced."""
    documented = summary.suite.documented
    if documented is None:
        return
    start = "documented rule of thumb, replaced by these measurements"
    for rule in documented.rules:
        yield f"{start}: {rule}"
    if documented.rules:
        return
    for figure in documented.figures:
        if figure.crossover is not None:
            word = {"above": "more than", "below": "at most"}.get(figure.crossover_is, "about")
            yield f"{start}: the student from {word} {figure.crossover:,} heads on at batch {figure.batch_size}"
