"""Scores of two runs compared: worse or better where the whole interval of the change is beyond what matters.

Where both runs were scored on the same held-out queries, the change is that of each query: what makes a query hard
makes it hard in both runs, and is no error of the change. It is bootstrapped over queries, and the seeds of either run
add theirs. Where the queries differ, or are not in the records, the two runs are taken as independent, and the interval
of the change is made of both (MOVER: Zou and Donner 2008, Stat. Med. 27). Where it holds more than small changes, the
two runs cannot tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from harness.analysis.families import Families
from harness.analysis.fidelity import table
from harness.records.index import latest
from harness.records.stored_suite import suite_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records.measurement import Fidelity
    from harness.records.reader import Evidence

MATTERS = 0.01  # of a score whose best is 1; smaller changes are none
_WORDS = {"mean_cosine": "mean cosine", "top1_agreement": "top-1 agreement"}
_CONFIDENCE = 0.95


class Score(NamedTuple):
    """What is scored, and by what."""

    heads: int
    temperature: float
    contender: str
    word: str

    @property
    def place(self) -> str:
        """The change in words."""
        return f"{self.contender} at N = {self.heads:,}, T = {self.temperature:g}"


class Scored(NamedTuple):
    """A score over training seeds."""

    value: float  # the mean over seeds
    low: float
    high: float
    seeds: tuple[float, ...] = ()  # the score of each seed
    by_query: tuple[tuple[float, ...], ...] = ()  # of each seed, that of each held-out query
    data: str = ""  # digest of heads and queries

    def pairs_with(self, other: Scored) -> bool:
        """Both were scored on the same queries, and every one of them is known in both."""
        sizes = {len(each) for each in self.by_query + other.by_query}
        return bool(self.data) and self.data == other.data and len(sizes) == 1 and 0 not in sizes


@dataclass(frozen=True, kw_only=True)
class ScoreChange:
    """A score of a contender in both runs, means over training seeds."""

    score: Score
    before: float
    after: float
    verdict: Literal["worse", "better", "same", "inconclusive"]
    paired: bool = False  # query by query, since both runs were scored on the same ones


def scores(evidence: Evidence) -> dict[Score, Scored]:
    """Mean cosine and top-1 agreement of every contender that was scored, with their intervals."""
    suite, families = suite_of(evidence.run), Families.of(evidence.run.offers)
    records = [each for each in latest(evidence.fidelities) if each.failure is None]
    return {
        Score(row.heads, row.temperature, row.contender, word): _scored(
            row,
            name,
            [
                each
                for each in records
                if (each.heads, each.temperature, each.contender) == (row.heads, row.temperature, row.contender)
            ],
        )
        for row in table.rows(records, suite, families)
        for name, word in _WORDS.items()
        if name in row.scores
    }


def changes(old: Mapping[Score, Scored], new: Mapping[Score, Scored]) -> Iterator[ScoreChange]:
    """Every score that both runs have."""
    for score, before in old.items():
        if score in new:
            after = new[score]
            yield ScoreChange(
                score=score,
                before=before.value,
                after=after.value,
                verdict=_verdict(before, after),
                paired=before.pairs_with(after),
            )


def _verdict(old: Scored, new: Scored) -> Literal["worse", "better", "same", "inconclusive"]:
    if old == new:
        return "same"  # the same queries, the same seeds and the same answers: nothing is left to chance
    least, most = _paired(old, new) if old.pairs_with(new) else _independent(old, new)
    if most < -MATTERS:
        return "worse"
    if least > MATTERS:
        return "better"
    return "same" if least >= -MATTERS and most <= MATTERS else "inconclusive"


def _independent(old: Scored, new: Scored) -> tuple[float, float]:
    """The interval of the change of two runs that have nothing in common."""
    change = new.value - old.value
    least = change - math.hypot(new.value - new.low, old.high - old.value)
    return least, change + math.hypot(new.high - new.value, old.value - old.low)


def _paired(old: Scored, new: Scored) -> tuple[float, float]:
    """The interval of the mean change of a query, with what the seeds of either run add."""
    from scipy import stats

    before, after = (np.mean(np.array(each.by_query), axis=0) for each in (old, new))
    changed = after - before  # [Q]
    change, low, high = float(changed.mean()), float(changed.min()), float(changed.max())
    if low < high:
        found = stats.bootstrap(
            (changed,), np.mean, confidence_level=_CONFIDENCE, method="percentile", n_resamples=1000,
            rng=np.random.default_rng(0),
        ).confidence_interval  # fmt: skip
        low, high = float(found.low), float(found.high)
    seeds = math.hypot(
        table.half_width_over_seeds(old.seeds, _CONFIDENCE), table.half_width_over_seeds(new.seeds, _CONFIDENCE)
    )
    return change - math.hypot(change - low, seeds), change + math.hypot(high - change, seeds)


def _scored(row: table.FidelityRow, name: str, records: Sequence[Fidelity]) -> Scored:
    value = row.scores[name]
    ends = [*row.intervals.get(name, row.spread.get(name, ())), value]
    digests = {each.data for each in records}
    return Scored(
        value=value,
        low=min(ends),
        high=max(ends),
        seeds=tuple(each.scores[name] for each in records if name in each.scores),
        by_query=tuple(each.per_query.get(name, ()) for each in records),
        data=digests.pop() if len(digests) == 1 else "",
    )
