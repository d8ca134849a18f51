"""Scores of two runs compared: worse or better where the whole interval of the change is beyond what matters.

An interval holds the bootstrap interval over the held-out queries and, with several training seeds, all seeds; that of
the change is made of both (MOVER: Zou and Donner 2008, Stat. Med. 27). Where it holds more than small changes, the two
runs cannot tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from harness.analysis import quality
from harness.analysis.families import Families
from harness.analysis.recall import latest
from harness.suite.schema import Suite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.records.evidence import Evidence

MATTERS = 0.01  # of a score whose best is 1; smaller changes are none
_WORDS = {"mean_cosine": "mean cosine", "top1_agreement": "top-1 agreement"}
_Range: TypeAlias = tuple[float, float, float]  # value, low, high


class Score(NamedTuple):
    """What is scored, and by what."""

    heads: int
    temperature: float
    contender: str
    word: str

    @property
    def place(self) -> str:
        """As it is told."""
        return f"{self.contender} at N = {self.heads:,}, T = {self.temperature:g}"


@dataclass(frozen=True, kw_only=True)
class ScoreChange:
    """A score of a contender in both runs, means over training seeds."""

    score: Score
    before: float
    after: float
    verdict: Literal["worse", "better", "same", "unclear"]


def scores(evidence: Evidence) -> dict[Score, _Range]:
    """Mean cosine and top-1 agreement of every contender that was scored, with their intervals."""
    suite, families = Suite.model_validate(evidence.run.suite), Families.of(evidence.run.offers)
    table = quality.rows(latest(evidence.fidelities), suite, families)
    return {
        Score(row.heads, row.temperature, row.contender, word): _range(row, name)
        for row in table
        for name, word in _WORDS.items()
        if name in row.scores
    }


def changes(old: Mapping[Score, _Range], new: Mapping[Score, _Range]) -> Iterator[ScoreChange]:
    """Every score that both runs have."""
    for score, (before, low, high) in old.items():
        if score not in new:
            continue
        after = new[score][0]
        verdict = _verdict((before, low, high), new[score])
        yield ScoreChange(score=score, before=before, after=after, verdict=verdict)


def _verdict(old: _Range, new: _Range) -> Literal["worse", "better", "same", "unclear"]:
    if old == new:
        return "same"  # the same queries, the same seeds and the same answers: nothing is left to chance
    (before, low, high), (after, lowest, highest) = old, new
    least = after - before - math.hypot(after - lowest, high - before)
    most = after - before + math.hypot(highest - after, before - low)
    if most < -MATTERS:
        return "worse"
    if least > MATTERS:
        return "better"
    return "same" if least >= -MATTERS and most <= MATTERS else "unclear"


def _range(row: quality.FidelityRow, name: str) -> _Range:
    value = row.scores[name]
    ends = [*row.intervals.get(name, ()), *row.spread.get(name, ()), value]
    return value, min(ends), max(ends)
