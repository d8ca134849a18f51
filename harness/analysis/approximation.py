"""What an approximation is worth: its score, wherever its latency or its lead is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.units import distinct

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.fidelity.table import FidelityRow

UNSCORED = "not scored"
_SCORES = (("top1_agreement", "top-1"), ("mean_cosine", "cosine"))  # the first that is known: one head has no ranking


def score(row: FidelityRow | None) -> str:
    """`top-1 0.969`: agreement with the teacher on held-out queries at one N, or that it was not scored."""
    scores = row.scores if row is not None else {}
    return next((f"{word} {distinct(scores[name], [1.0], 3)}" for name, word in _SCORES if name in scores), UNSCORED)


def answer(contender: str, family: str, table: Sequence[FidelityRow]) -> str:
    """`near approximates lda: top-1 0.969 at N = 65,536, 1.000 at N = 18`, the worst N first and the best after it."""
    rows = [row for row in table if row.contender == contender and row.scores]
    for name, word in _SCORES:
        known = sorted((row.scores[name], -row.heads) for row in rows if name in row.scores)
        if known:
            ends = dict.fromkeys((known[0], known[-1]))
            worst_and_best = ", ".join(f"{distinct(value, [1.0], 3)} at N = {-heads:,}" for value, heads in ends)
            return f"{contender} approximates {family}: {word} {worst_and_best}"
    return f"{contender} approximates {family}, and was not scored"
