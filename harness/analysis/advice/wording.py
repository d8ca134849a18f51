"""Advice in sentences: what to use, how right and how sure that is, what else was considered."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.analysis.unchecked import marked
from harness.suite.schema import HeadsRange
from harness.units import count, seconds, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.advice.advice import Option, Question
    from harness.analysis.advice.evidence import PairEvidence
    from harness.analysis.statistics import Interval
    from harness.analysis.summary import Summary

_LARGE = 10  # from here on a factor needs no decimals


def sentences(
    summary: Summary,
    asked: Question,
    options: Sequence[Option],
    sides: Mapping[int, Sequence[Option]],
    evidence: Mapping[int, PairEvidence],
    outside: str,
) -> Iterator[str]:
    """What to say to a question.

    Args:
        summary: the run.
        asked: the question.
        options: usable ones by latency, then those that were not scored, then refused ones.
        sides: the same at the measured batch sizes around the one that was asked for, or at it.
        evidence: at each of those, who of the first two is faster.
        outside: how far N lies outside of what was measured; empty where it does not.
    """
    usable = [each for each in options if not each.refused and not each.unscored]
    unscored = [each for each in options if not each.refused and each.unscored]
    best, second = [*usable, None, None][:2]
    place = f"N = {asked.heads:,} and batch {asked.batch}"
    if best is None:
        known = " that is exact or was scored" if unscored else ""
        yield f"no contender of this run{known} fits at {place}"
    else:
        name = marked(best.contender, summary.unchecked)
        if outside:
            yield f"{outside}, so no figure is given for it"
            yield f"to measure it: `{measuring(summary, asked.heads, asked.batch)}`"
            yield f"at the nearest measured N {name} is the fastest: {_cost(best, asked)}"
        else:
            how = "; ".join(each for each in (best.between, best.doubt) if each) or "measured"
            yield f"at {place} use {name}: {_cost(best, asked)} ({how})"
        yield _rightness(summary, best, asked)
        if second is not None:
            more = second.call.value / best.call.value
            name = marked(second.contender, summary.unchecked)
            yield f"the runner-up, {name}, takes {_factor_interval(second.call)} per call, {_factor(more)} as long"
        yield from _evidence_sentence(best, second, asked, sides, evidence, outside)
        yield from _unmeasured_here(best, options, asked.heads)
        yield from _exact(summary, best, second, usable)
    yield from _unscored(best, unscored, summary.unchecked)
    if best is not None:
        yield from _memory([each for each in (best, second) if each is not None])
        yield from _payback(summary, best, usable, asked)
    reasons = dict.fromkeys(each.refused for each in options if each.refused)
    for reason in reasons:
        yield f"left out: {', '.join(each.contender for each in options if each.refused == reason)} ({reason})"
    if outside and best is None:
        yield outside
    if summary.self_check.passed is False:
        yield f"{summary.self_check.sentence}"
    if summary.quick:
        yield "this was a quick run: measure without --quick before you decide"


def measuring(summary: Summary, heads: int, batch: int) -> str:
    """The command that measures an N and a batch size of this run's suite."""
    span = summary.suite.heads
    place = f"heads.values=[{heads}]"
    if isinstance(span, HeadsRange):
        place = f"heads.from={heads}" if heads < span.low else f"heads.to={heads}" if heads > span.high else ""
    elif heads in span.values:
        place = ""
    words = ["harness run", summary.run.suite_path, *([f"--set {place}"] if place else [])]
    words += [] if batch in summary.suite.batch_sizes else [f"--set batch_sizes=[{batch}]"]
    return " ".join(words)


def _cost(option: Option, asked: Question) -> str:
    return f"{_factor_interval(option.call)} per call, {seconds(option.call.value / asked.batch)} per query"


def _rightness(summary: Summary, best: Option, asked: Question) -> str:
    """How well the best does its teacher's job."""
    right, name = best.right, summary.suite.contenders[best.contender].teacher
    if right.kind == "exact":
        return f"{best.contender} computes {name} itself, to within {right.error:.1g} of the largest value"
    known = right.describe() or ", ".join(f"{key} {value:.3f}" for key, value in right.scores.items())
    sentence = f"{best.contender} imitates {name} with {known} at N = {right.scored_at:,}, on held-out queries"
    if right.scored_at != asked.heads:
        sentence += f"; at N = {asked.heads:,} it was not scored"
    if asked.require and right.no_better_than_constant:
        sentence += f"; by mean cosine it is no better than a constant (skill {right.scores.get('skill', 0.0):.2f})"
    return sentence


def _evidence_sentence(
    best: Option,
    second: Option | None,
    asked: Question,
    sides: Mapping[int, Sequence[Option]],
    evidence: Mapping[int, PairEvidence],
    outside: str,
) -> Iterator[str]:
    """How sure it is that the best is the fastest of those that can be used."""
    if len(sides) > 1:
        yield _leaders(sides, asked.batch)
    if second is None:
        return
    if outside:
        yield f"which of them is faster at N = {asked.heads:,} is unknown"
    elif len(evidence) == 1:
        yield _evidence_clause(*evidence.values())
    else:
        for batch, found in evidence.items():
            who = {"one": best.contender, "other": second.contender}.get(found.faster)
            start = f"{who} is significantly faster" if who else "the difference is not significant"
            yield f"at batch {batch} {start}: {found.why}"


def _evidence_clause(found: PairEvidence) -> str:
    if found.faster:
        return f"{'that is significant' if found.faster == 'one' else 'the evidence says otherwise'}: {found.why}"
    if not found.measured:
        return f"the significance is unknown: {found.why}"
    return f"the difference is not significant: {found.why}"


def _leaders(sides: Mapping[int, Sequence[Option]], batch: int) -> str:
    """Who is the fastest on both sides of a batch size that was not measured."""
    first = {
        side: next((each.contender for each in options if not each.refused and not each.unscored), "none")
        for side, options in sides.items()
    }
    (low, one), (high, other) = first.items()
    if one == other:
        return f"batch {batch} was not measured; {one} is the fastest at batch {low} and at batch {high} as well"
    return (
        f"batch {batch} was not measured; at batch {low} {one} is the fastest, at batch {high} {other}: "
        f"run the suite with `--set batch_sizes=[{batch}]` before you decide"
    )


def _unmeasured_here(best: Option, options: Sequence[Option], heads: int) -> Iterator[str]:
    """Who took less where its own range ends than the best takes here."""
    quicker = [each for each in options if each.ends_at is not None and each.call.value < best.call.value]
    other = min(quicker, key=lambda each: each.call.value, default=None)
    if other is not None:
        yield (
            f"{other.contender} takes {_factor_interval(other.call)} at N = {other.ends_at:,}, where its range ends: "
            f"measure it at N = {heads:,} too before you decide"
        )


def _exact(summary: Summary, best: Option, second: Option | None, usable: Sequence[Option]) -> Iterator[str]:
    """Beside a student: what not to imitate would cost."""
    exact = next((each for each in usable if each.right.kind == "exact"), None)
    if exact is None or best.right.kind == "exact":
        return
    name = summary.suite.contenders[best.contender].teacher
    if exact is second:
        yield f"the runner-up is the fastest form of {name} itself"
    else:
        more = exact.call.value / best.call.value
        yield (
            f"the fastest form of {name} itself, {exact.contender}, takes {_factor_interval(exact.call)} per call, "
            f"{_factor(more)} as long"
        )


def _unscored(best: Option | None, unscored: Sequence[Option], unproved: Sequence[str]) -> Iterator[str]:
    """The fastest of those that only imitate, where how well is unknown: no advice, but worth a look."""
    if not unscored or (best is not None and unscored[0].call.value >= best.call.value):
        return
    first, name = unscored[0], marked(unscored[0].contender, unproved)
    faster = [each.contender for each in unscored if best is None or each.call.value < best.call.value]
    others = (
        f"; the same goes for {', '.join(marked(each, unproved) for each in faster[1:])}" if len(faster) > 1 else ""
    )
    gain = f", {_factor(best.call.value / first.call.value)} as fast" if best is not None else ""
    yield (
        f"{name} takes {_factor_interval(first.call)} per call{gain}, but its accuracy is unknown: score it "
        f"before you use it (`scored: true` in the suite, or a `trainer` where it has to learn){others}"
    )


def _memory(options: Sequence[Option]) -> Iterator[str]:
    known = [each for each in options if each.memory_bytes]
    if known:
        held = ", ".join(f"{each.contender} {size(each.memory_bytes or 0)}" for each in known)
        peak = " (the peak of a worker, which may have held other models too)"
        yield f"memory of the whole process: {held}{peak if any(each.memory_is_peak for each in known) else ''}"


def _payback(summary: Summary, best: Option, usable: Sequence[Option], asked: Question) -> Iterator[str]:
    """After how many queries training has paid for itself, against the fastest contender that is right without."""
    if not best.training_seconds:
        return
    other = next((each for each in usable if summary.suite.contenders[each.contender].trainer is None), None)
    if other is None:
        yield f"training took {seconds(best.training_seconds)}; without training no other contender is accurate"
        return
    saved = (other.call.value - best.call.value) / asked.batch
    if saved <= 0:
        return
    queries = best.training_seconds / saved
    days = f", in {_days(queries / asked.queries_per_day)}" if asked.queries_per_day else ""
    yield (
        f"training took {seconds(best.training_seconds)} and has paid for itself against {other.contender} after "
        f"{count(math.ceil(queries))} queries{days}"
    )


def _days(value: float) -> str:
    """`2.5 days`, `30 minutes`: in the unit that keeps it readable."""
    for share, unit in ((1.0, "days"), (1 / 24, "hours"), (1 / 1440, "minutes")):
        if value >= share:
            return f"{value / share:,.1f} {unit}"
    return "less than a minute"


def _factor(value: float) -> str:
    """`2.88 times`, without decimals where it is large."""
    return f"{value:,.2f} times" if value < _LARGE else f"{value:,.0f} times"


def _factor_interval(found: Interval) -> str:
    if not found.known:
        return f"{seconds(found.value)} (no interval)"
    return f"{seconds(found.value)} ({100 * found.confidence:.0f} %: {seconds(found.low)} to {seconds(found.high)})"
