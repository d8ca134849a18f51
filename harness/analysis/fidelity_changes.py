"""Scores of two runs compared: better or worse where the intervals are apart by enough to matter.

An interval holds the bootstrap interval over the held-out queries and, with several training seeds, all seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from harness.analysis import quality
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
    table = quality.rows(evidence.fidelities, Suite.model_validate(evidence.run.suite))
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
        after, lowest, highest = new[score]
        verdict: Literal["worse", "better", "same", "unclear"] = "unclear"
        if abs(after - before) <= MATTERS:
            verdict = "same"
        elif highest < low:
            verdict = "worse"
        elif lowest > high:
            verdict = "better"
        yield ScoreChange(score=score, before=before, after=after, verdict=verdict)


def _range(row: quality.FidelityRow, name: str) -> _Range:
    value = row.scores[name]
    ends = [*row.intervals.get(name, ()), *row.spread.get(name, ()), value]
    return value, min(ends), max(ends)
