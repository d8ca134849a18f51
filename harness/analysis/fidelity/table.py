"""Fidelity of a run: a table over seeds, and what a reader of it must not miss."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.families import Families
from harness.search.local_model import two_sided
from harness.units import distinct

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.records.measurement import Fidelity
    from harness.suite.schema import Suite

_RANKINGS = {"top1_agreement": "top-1 agreement", "recall_at_10": "recall@10"}
_BOUNDS = {  # of scores, which no interval exceeds
    "mean_cosine": (-1.0, 1.0),
    "constant_cosine": (-1.0, 1.0),
    "skill": (-math.inf, 1.0),
    "top1_agreement": (0.0, 1.0),
    "recall": (0.0, 1.0),
    **dict.fromkeys(("std_cosine", "norm_error", "norm_ratio", "mse"), (0.0, math.inf)),
}
_SAME = 1e-4  # two mean cosines closer than this are those of one and the same constant
_UNDECLARED = Families()
_SAYS_LITTLE = 0.95  # from here on a constant's cosine leaves a cosine nothing to say


@dataclass(frozen=True, kw_only=True)
class FidelityRow:
    """A contender at one N and temperature, over its training seeds."""

    contender: str
    heads: int
    temperature: float
    seeds: int
    scores: Mapping[str, float]  # means over seeds
    intervals: Mapping[str, tuple[float, float]]  # over queries, and over seeds where there are several
    over_queries: Mapping[str, tuple[float, float]]  # of these very seeds, whatever others would have given
    spread: Mapping[str, tuple[float, float]]  # smallest and largest over seeds
    thresholds: Mapping[str, bool]  # documented thresholds by name: reached or missed
    trained: bool
    teacher: bool = False  # it computes the teacher itself, in some form or runtime, and imitates nobody
    approximates: str = ""  # the family that it approximates, from the same heads: neither student nor teacher
    parameters: int | None = None
    effective_heads: float | None = None
    training_seconds: float | None = None
    queries: int = 0
    failure: str = ""
    asked_seeds: int = 0  # with those that could not be trained or scored


def rows(fidelities: Iterable[Fidelity], suite: Suite, families: Families = _UNDECLARED) -> tuple[FidelityRow, ...]:
    """The fidelity table, by N, temperature and contender in the order of the suite."""
    groups: dict[tuple[int, float, str], list[Fidelity]] = defaultdict(list)
    for each in fidelities:
        groups[each.heads, each.temperature, each.contender].append(each)
    order = {name: place for place, name in enumerate(suite.contenders)}
    places = sorted(groups, key=lambda key: (key[0], -key[1], order.get(key[2], len(order)), key[2]))
    return tuple(_row(key, groups[key], suite, families) for key in places)


def _row(key: tuple[int, float, str], records: Sequence[Fidelity], suite: Suite, families: Families) -> FidelityRow:
    heads, temperature, contender = key
    good = [each for each in records if each.failure is None]
    names = sorted({name for each in good for name in each.scores})
    values = {name: [each.scores[name] for each in good if name in each.scores] for name in names}
    scores = {name: float(np.mean(each)) for name, each in values.items()}
    ends = {
        name: [each.intervals[name] for each in good if name in each.scores]
        for name in names
        if all(name in each.intervals for each in good if name in each.scores)
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
        intervals={name: _interval(name, values[name], ends[name]) for name in ends},
        over_queries={name: _over_queries(each) for name, each in ends.items()},
        spread={name: (min(each), max(each)) for name, each in values.items() if len(each) > 1},
        thresholds={name: _reached(name, scores[name], bound) for name, bound in documented.items() if name in scores},
        trained=entry is not None and entry.trainer is not None,
        teacher=entry is not None and families.computes_teacher(entry),
        approximates=families.approximates(entry) if entry is not None else "",
        parameters=known[0].parameters,
        effective_heads=known[0].effective_heads,
        training_seconds=_mean([each.training_seconds for each in good]),
        queries=known[0].queries,
        failure=failure,
        asked_seeds=len(records),
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
        found.extend(_about_rankings(here, heads, temperature))
    return tuple(found)


def beaten(row: FidelityRow, table: Sequence[FidelityRow]) -> tuple[int, int] | None:
    """How many of how many students without training it beats by mean cosine; None where it was not trained."""
    if not row.trained or "mean_cosine" not in row.scores:
        return None
    here = [each for each in table if (each.heads, each.temperature) == (row.heads, row.temperature)]
    nothing = replace(row, scores={**row.scores, "mean_cosine": -math.inf})  # beats nobody
    every = sum(1 for _ in _better(nothing, here))
    return every - sum(1 for _ in _better(row, here)), every


def _about_constant(here: Sequence[FidelityRow], heads: int, temperature: float) -> Iterator[str]:
    cosine = next((row.scores["constant_cosine"] for row in here if "constant_cosine" in row.scores), None)
    if cosine is None or cosine < _SAYS_LITTLE:
        return
    effective = next((row.effective_heads for row in here if row.effective_heads), None)
    weights = f", where the teacher weighs {effective:.1f} of its {heads:,} heads" if effective else ""
    yield (
        f"at N = {heads:,} and T = {temperature:g}{weights}, a constant (the mean teacher output) reaches a mean "
        f"cosine of {cosine:.4f}: cosine is not informative there"
    )


def _about_students(here: Sequence[FidelityRow], heads: int, temperature: float) -> Iterator[str]:
    """One sentence for all trained students that do not beat the same ones that need no training."""
    beaten: dict[tuple[str, ...], list[FidelityRow]] = defaultdict(list)
    trivial: dict[tuple[str, ...], dict[str, float]] = {}
    for row in here:
        better = dict(_better(row, here)) if row.trained and "mean_cosine" in row.scores else {}
        if better:
            beaten[tuple(better)].append(row)
            trivial[tuple(better)] = better
    for names, rows in beaten.items():
        place = f"at N = {heads:,} and T = {temperature:g}"
        own = {row.contender: row.scores["mean_cosine"] for row in rows}
        theirs = trivial[names]
        better_told = [f"{name} ({distinct(value, own.values())})" for name, value in theirs.items()]
        own_told = [(name, distinct(value, theirs.values())) for name, value in own.items()]
        if len(rows) == 1:
            (name, cosine) = own_told[0]
            yield f"{place} the trained {name} (mean cosine {cosine}) does not beat {' nor '.join(better_told)}"
        else:
            each = ", ".join(f"{name} ({cosine})" for name, cosine in own_told)
            yield f"{place} none of the trained students beats {' or '.join(better_told)} by mean cosine: {each}"


def _better(row: FidelityRow, here: Sequence[FidelityRow]) -> Iterator[tuple[str, float]]:
    """Who imitates the teacher at least as well as a trained student, without training."""
    own, constant = row.scores["mean_cosine"], row.scores.get("constant_cosine")
    others = {each.contender: each.scores["mean_cosine"] for each in here if _is_trivial(each)}
    if constant is not None and constant >= own and not any(abs(each - constant) < _SAME for each in others.values()):
        yield "a constant", constant
    yield from ((name, cosine) for name, cosine in others.items() if cosine >= own)


def _is_trivial(row: FidelityRow) -> bool:
    """Whether it imitates the teacher without any training."""
    return not row.trained and not row.teacher and not row.approximates and "mean_cosine" in row.scores


def _about_rankings(here: Sequence[FidelityRow], heads: int, temperature: float) -> Iterator[str]:
    """Where a trained student and one without training change places once rankings are compared in place of cosines."""
    for score, label in _RANKINGS.items():
        for other in filter(_is_trivial, here):
            for ranked, word in ((1, "lower"), (-1, "higher")):
                turned = [row for row in here if row.trained and _turns(row, other, score) == ranked]
                if not turned:
                    continue
                own = {row.contender: row.scores[score] for row in turned}
                names = ", ".join(
                    f"{name} ({distinct(value, [other.scores[score]], 3)})" for name, value in own.items()
                )
                yield (
                    f"at N = {heads:,} and T = {temperature:g} the ranking depends on the score: by {label} "
                    f"{other.contender} ({distinct(other.scores[score], own.values(), 3)}) is "
                    f"{'better' if ranked > 0 else 'worse'} than {names}, though its mean cosine is {word}"
                )


def _turns(row: FidelityRow, other: FidelityRow, score: str) -> int:
    """1 where the other one ranks better with a lower cosine, -1 where it ranks worse with a higher one, 0 otherwise.

    Less than one query of all that were scored is no difference of rankings.
    """
    if not all({score, "mean_cosine"} <= each.scores.keys() for each in (row, other)):
        return 0
    ranked = other.scores[score] - row.scores[score]
    cosine = other.scores["mean_cosine"] - row.scores["mean_cosine"]
    if abs(ranked) * max(1, row.queries) < 1.0 - _SAME or ranked * cosine >= 0:
        return 0
    return 1 if ranked > 0 else -1


def _reached(name: str, value: float, bound: float) -> bool:
    """Spreads and errors are bounded from above, everything else from below."""
    return value < bound if name.startswith("std") or name.endswith("error") else value > bound


def half_width_over_seeds(values: Sequence[float], confidence: float = 0.95) -> float:
    """How far the mean over these seeds may lie from that over all seeds, by Student's t; 0 where there is but one."""
    if len(values) < 2:
        return 0.0
    return two_sided(confidence, len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))


def _interval(name: str, values: Sequence[float], ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The interval of a mean over seeds, from each seed's score and its bootstrap interval over the same queries.

    Queries and seeds are two sources of error, and their distances are added as squares (MOVER: Zou and Donner 2008,
    Stat. Med. 27). That of the queries is the mean one of the seeds, since all seeds answer the same queries, so that
    averaging over seeds makes it no smaller; that of the seeds is Student's t.
    """
    middle, (low, high), seeds = float(np.mean(values)), _over_queries(ends), half_width_over_seeds(values)
    least, most = _BOUNDS.get(name.partition("_at_")[0], (-math.inf, math.inf))
    return (
        max(least, middle - math.hypot(middle - low, seeds)),
        min(most, middle + math.hypot(high - middle, seeds)),
    )


def _over_queries(ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The ends averaged over seeds: as far from the mean score as those of a seed are from its own on average."""
    return float(np.mean([low for low, _ in ends])), float(np.mean([high for _, high in ends]))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return float(np.mean(known)) if known else None
