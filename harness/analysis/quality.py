"""Fidelity of a run: tables over seeds, sentences about trivial students, and crossovers that must also be right."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.documented import first_lead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.analysis.location import Location
    from harness.records.measurement import Fidelity
    from harness.suite.schema import Requires, Suite

_SCORE_OF = {"cosine": "mean_cosine"}  # what a suite calls it, where the record calls it otherwise
_SAME = 1e-4  # two mean cosines closer than this are those of one and the same constant
_SAYS_LITTLE = 0.95  # from here on a constant's cosine leaves a cosine nothing to say


@dataclass(frozen=True, kw_only=True)
class FidelityRow:
    """A contender at one N and temperature, over its training seeds."""

    contender: str
    heads: int
    temperature: float
    seeds: int
    scores: Mapping[str, float]  # means over seeds
    intervals: Mapping[str, tuple[float, float]]  # bootstrap over queries, its ends averaged over seeds
    spread: Mapping[str, tuple[float, float]]  # smallest and largest over seeds
    thresholds: Mapping[str, bool]  # documented thresholds by name: reached or missed
    trained: bool
    parameters: int | None = None
    effective_heads: float | None = None
    training_seconds: float | None = None
    queries: int = 0
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Constrained:
    """A crossover that counts only where the challenger is also right."""

    requires: Mapping[str, float]
    faster_from: int | None  # the latency crossover, or the low end where the challenger leads throughout
    counts_from: int | None  # the smallest N from which it is faster and right at every N that was scored
    sentence: str


def rows(fidelities: Iterable[Fidelity], suite: Suite) -> tuple[FidelityRow, ...]:
    """The fidelity table, by N, temperature and contender in the order of the suite."""
    groups: dict[tuple[int, float, str], list[Fidelity]] = defaultdict(list)
    for each in fidelities:
        groups[each.heads, each.temperature, each.contender].append(each)
    order = {name: place for place, name in enumerate(suite.contenders)}
    places = sorted(groups, key=lambda key: (key[0], -key[1], order.get(key[2], len(order)), key[2]))
    return tuple(_row(key, groups[key], suite) for key in places)


def _row(key: tuple[int, float, str], records: Sequence[Fidelity], suite: Suite) -> FidelityRow:
    heads, temperature, contender = key
    good = [each for each in records if each.failure is None]
    names = sorted({name for each in good for name in each.scores})
    values = {name: [each.scores[name] for each in good if name in each.scores] for name in names}
    scores = {name: float(np.mean(each)) for name, each in values.items()}
    ends = {
        name: [each.intervals[name] for each in good if name in each.intervals]
        for name in sorted({name for each in good for name in each.intervals})
    }
    failure = next((each.failure.what for each in records if each.failure is not None), "")
    documented = suite.documented.fidelity if suite.documented else {}
    entry = suite.contenders.get(contender)
    known = good or list(records)
    return FidelityRow(
        contender=contender,
        heads=heads,
        temperature=temperature,
        seeds=len(good),
        scores=scores,
        intervals={name: _mean_ends(each) for name, each in ends.items()},
        spread={name: (min(each), max(each)) for name, each in values.items() if len(each) > 1},
        thresholds={name: _reached(name, scores[name], bound) for name, bound in documented.items() if name in scores},
        trained=entry is not None and entry.trainer is not None,
        parameters=known[0].parameters,
        effective_heads=known[0].effective_heads,
        training_seconds=_mean([each.training_seconds for each in good]),
        queries=known[0].queries,
        failure=failure,
    )


def remarks(table: Sequence[FidelityRow]) -> tuple[str, ...]:
    """What a reader must not miss: constants that look good, and students that do not beat trivial ones."""
    found: list[str] = []
    for heads, temperature in sorted(
        {(row.heads, row.temperature) for row in table}, key=lambda each: (each[0], -each[1])
    ):
        here = [row for row in table if (row.heads, row.temperature) == (heads, temperature) and row.scores]
        found.extend(_about_constant(here, heads, temperature))
        found.extend(_about_students(here, heads, temperature))
    return tuple(found)


def _about_constant(here: Sequence[FidelityRow], heads: int, temperature: float) -> Iterator[str]:
    cosine = next((row.scores["constant_cosine"] for row in here if "constant_cosine" in row.scores), None)
    if cosine is None or cosine < _SAYS_LITTLE:
        return
    effective = next((row.effective_heads for row in here if row.effective_heads), None)
    weights = f", where the teacher weighs {effective:.1f} of its {heads:,} heads" if effective else ""
    yield (
        f"at N = {heads:,} and T = {temperature:g}{weights}, a constant (the mean teacher output) reaches a mean "
        f"cosine of {cosine:.4f}: a high cosine says nothing there"
    )


def _about_students(here: Sequence[FidelityRow], heads: int, temperature: float) -> Iterator[str]:
    """One sentence for all trained students that do not beat the same ones that need no training."""
    beaten: dict[tuple[str, ...], list[FidelityRow]] = defaultdict(list)
    for row in here:
        better = tuple(_better(row, here)) if row.trained and "mean_cosine" in row.scores else ()
        if better:
            beaten[better].append(row)
    for better, rows in beaten.items():
        place = f"at N = {heads:,} and T = {temperature:g}"
        if len(rows) == 1:
            own = f"the trained {rows[0].contender} (mean cosine {rows[0].scores['mean_cosine']:.4f})"
            yield f"{place} {own} does not beat {' nor '.join(better)}"
        else:
            each = ", ".join(f"{row.contender} ({row.scores['mean_cosine']:.4f})" for row in rows)
            yield f"{place} none of the trained students beats {' or '.join(better)} by mean cosine: {each}"


def _better(row: FidelityRow, here: Sequence[FidelityRow]) -> Iterator[str]:
    """Who imitates the teacher at least as well as a trained student, without training."""
    own, constant = row.scores["mean_cosine"], row.scores.get("constant_cosine")
    others = {each.contender: each.scores["mean_cosine"] for each in here if not each.trained and each.scores}
    if constant is not None and constant >= own and not any(abs(each - constant) < _SAME for each in others.values()):
        yield f"a constant ({constant:.4f})"
    yield from (f"{name} ({cosine:.4f})" for name, cosine in others.items() if cosine >= own)


def constrain(requires: Requires, location: Location, fidelities: Iterable[Fidelity], challenger: str) -> Constrained:
    """Where the challenger is faster *and* right, from its scores at and above the latency crossover.

    Where it is scored at several training seeds, each must reach the requirement.
    """
    wanted = {name: float(bound) for name, bound in requires.model_dump().items() if bound is not None}
    crossing = first_lead(location)
    start = crossing.heads if crossing else location.low if location.status == "below" else None
    if start is None:
        return Constrained(requires=wanted, faster_from=None, counts_from=None, sentence="")
    scored: dict[int, list[str]] = defaultdict(list)
    for record in fidelities:
        if record.contender == challenger and record.heads >= start:
            scored[record.heads].extend(_misses(record, wanted))
    counts_from = None
    for heads in sorted(scored, reverse=True):
        if scored[heads]:
            break
        counts_from = heads
    return Constrained(
        requires=wanted,
        faster_from=start,
        counts_from=counts_from,
        sentence=_constrained_sentence(start, counts_from, scored, challenger),
    )


def _constrained_sentence(
    start: int, counts_from: int | None, scored: Mapping[int, Sequence[str]], challenger: str
) -> str:
    if not scored:
        return f"{challenger} is faster from N = {start:,}, but whether it is equivalent there was not measured"
    first = min(scored)
    if counts_from == first:
        return f"{challenger} is faster and equivalent from N = {first:,} on"
    where = "there" if first == start else f"at N = {first:,}, where it was scored"
    missed = next(iter(scored[first]), "") or next(misses[0] for _, misses in sorted(scored.items()) if misses)
    then = f"both hold from N = {counts_from:,} on" if counts_from else f"both hold at no N up to {max(scored):,}"
    return f"{challenger} is faster from N = {start:,}, but not equivalent {where}: {missed}; {then}"


def _misses(record: Fidelity, wanted: Mapping[str, float]) -> Iterator[str]:
    """`top1_agreement 0.71 < 0.95` for each requirement that a record misses."""
    if record.failure is not None:
        yield f"training failed: {record.failure.what}"
        return
    for name, bound in wanted.items():
        value = record.scores.get(_SCORE_OF.get(name, name))
        if value is None:
            yield f"{name} is not defined for {record.heads:,} heads"
        elif value < bound:
            yield f"{name} {value:.2f} < {bound:g}"


def _reached(name: str, value: float, bound: float) -> bool:
    """Spreads and errors are bounded from above, everything else from below."""
    return value < bound if name.startswith("std") or name.endswith("error") else value > bound


def _mean_ends(ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return float(np.mean([low for low, _ in ends])), float(np.mean([high for _, high in ends]))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return float(np.mean(known)) if known else None
