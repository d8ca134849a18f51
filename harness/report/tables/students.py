"""The table of fidelity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.fidelity.table import beaten
from harness.report.table import Entry, Table, seconds, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.fidelity.table import FidelityRow
    from harness.analysis.summary import Summary


_SCORES = (  # in the order of the columns; a score that no row has is left out
    ("mean_cosine", "cosine"),
    ("min_cosine", "min"),
    ("max_cosine", "max"),
    ("std_cosine", "std"),
    ("skill", "skill"),
    ("top1_agreement", "top-1"),
    ("recall_at_10", "recall@10"),
    ("norm_error", "norm error"),
)
_SHORT = {"mean_cosine": "cosine", "top1_agreement": "top-1", "recall_at_10": "recall @10"}
_RANGED = ("mean_cosine", "top1_agreement", "recall_at_10")  # scores that show their intervals


def fidelity(summary: Summary) -> Table:
    """Students against their teacher on held-out queries."""
    known = [(score, label) for score, label in _SCORES if any(score in row.scores for row in summary.fidelity)]
    failed = ("failure",) if any(row.failure for row in summary.fidelity) else ()
    trained = ("training",) if any(row.training_seconds for row in summary.fidelity) else ()
    seeds = ("seeds", "cosine over seeds") if any(row.asked_seeds > 1 for row in summary.fidelity) else ()
    rows = [
        (
            Entry(f"{row.heads:,}", row.heads),
            Entry(f"{row.temperature:g}", row.temperature),
            Entry("" if row.effective_heads is None else f"{row.effective_heads:.1f}", row.effective_heads),
            text(row.contender),
            Entry("" if row.parameters is None else f"{row.parameters:,}", row.parameters),
            *([seconds(row.training_seconds)] if trained else []),
            *(_score(row, score) for score, _ in known),
            *(_seeds(row) if seeds else ()),
            *(text(row.failure) for _ in failed),
        )
        for row in summary.fidelity
    ]
    return Table(
        name="fidelity",
        title="Fidelity on held-out queries",
        columns=(
            "N",
            "T",
            "effective heads",
            "contender",
            "parameters",
            *trained,
            *(label for _, label in known),
            *seeds,
            *failed,
        ),
        rows=tuple(rows),
        numeric=(0, 1, 2, *range(4, 5 + len(trained) + len(known) + len(seeds))),
        note=_threshold_note(summary.fidelity),
        keys=(0, 1, 3),
    )


def scores(summary: Summary) -> Table:
    """Fidelity in short: who imitates the teacher how well, and whether that is better than trivial students."""
    rows = [
        (
            text(row.contender),
            Entry(f"{row.heads:,}", row.heads),
            Entry(f"{row.temperature:g}", row.temperature),
            *(_score_entry(row, score) for score in _SHORT),
            text("failed" if row.failure else beats(row, summary.fidelity)),
        )
        for row in summary.fidelity
    ]
    return Table(
        name="scores",
        title="Fidelity on held-out queries",
        columns=("contender", "N", "T", *_SHORT.values(), "beats"),
        rows=tuple(rows),
        numeric=(1, 2, 3, 4, 5),
        note="Beats: how many of the students without training, such as a constant and a linear one, have a smaller "
        "mean cosine.",
        keys=(0, 1, 2),
    )


def beats(row: FidelityRow, table: Sequence[FidelityRow]) -> str:
    """`2 of 3`, or nothing for what was not trained."""
    found = beaten(row, table)
    return f"{found[0]} of {found[1]}" if found else ""


def _score_entry(row: FidelityRow, score: str) -> Entry:
    value = row.scores.get(score)
    return Entry("") if value is None else Entry(f"{value:.4f}", value)


def _score(row: FidelityRow, score: str) -> Entry:
    """`0.9928 (0.9910 to 0.9940) pass`: the interval over queries, and the documented threshold where there is one."""
    if score not in row.scores:
        return Entry("")
    value, digits = row.scores[score], 4 if score == "mean_cosine" else 2
    ends = row.intervals.get(score) if score in _RANGED else None
    interval = f" ({ends[0]:.{digits}f} to {ends[1]:.{digits}f})" if ends else ""
    mark = {True: " pass", False: " miss", None: ""}[row.thresholds.get(score)]
    return Entry(f"{value:.4f}{interval}{mark}", value)


def _seeds(row: FidelityRow) -> tuple[Entry, Entry]:
    """`2 of 3` where one failed, and the smallest and largest mean cosine of those that did not."""
    ends = row.spread.get("mean_cosine")
    return (
        Entry(f"{row.seeds}" if row.seeds == row.asked_seeds else f"{row.seeds} of {row.asked_seeds}", row.seeds),
        Entry("" if ends is None else f"{ends[0]:.4f} to {ends[1]:.4f}", None if ends is None else ends[0]),
    )


def _threshold_note(rows: Sequence[FidelityRow]) -> str:
    several = any(row.spread for row in rows)
    ranges = "ranges in brackets are 95 % intervals over held-out queries (bootstrap)"
    seeds = " and training seeds (Student's t); those over seeds are the smallest and the largest" if several else ""
    return f"Skill is 1 - (1 - cosine) / (1 - cosine of the constant student); {ranges}{seeds}."
