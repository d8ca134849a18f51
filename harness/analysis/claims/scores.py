"""Documented scores of students beside ours: the same quantities, over training seeds and held-out queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.claims.figures import ClaimResult, Verdict, rounding
from harness.analysis.statistics import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.analysis.fidelity.table import FidelityRow
    from harness.suite.schema import FidelityFigure, Suite

_SPREAD_OF = {"mean_cosine": "std_cosine"}  # a score, and the one beside it that says how far it spread


def compare_scores(suite: Suite, table: Sequence[FidelityRow]) -> tuple[ClaimResult, ...]:
    """Every documented score beside the measured one of each contender that repeats it.

    A self-check, which is about time, has no say here.
    """
    if suite.documented is None:
        return ()
    return tuple(
        _compared(figure, name, score, value, table)
        for figure in suite.documented.scores
        for name in _whose(figure, suite)
        for score, value in figure.scores.items()
    )


def _whose(figure: FidelityFigure, suite: Suite) -> Iterator[str]:
    """The contenders that a figure is about."""
    for name, each in suite.contenders.items():
        trainer = each.trainer.use if each.trainer else None
        if figure.contender == name or (
            figure.projector == each.projector and figure.trainer in (None, trainer) and trainer is not None
        ):
            yield name


def _compared(figure: FidelityFigure, name: str, score: str, value: float, table: Sequence[FidelityRow]) -> ClaimResult:
    row = next(
        (
            each
            for each in table
            if (each.contender, each.heads) == (name, figure.heads)
            and abs(each.temperature - figure.temperature) <= rounding(figure.temperature)
        ),
        None,
    )
    spread = figure.scores.get(_SPREAD_OF.get(score, ""))
    verdict, why, measured = _judge(figure, row, score, value, spread)
    return ClaimResult(
        figure=figure,
        quantity=score,
        subject=f"{name} at T = {figure.temperature:g}",
        documented=f"{value:g}" if spread is None else f"{value:g} ± {spread:g}",
        measured=measured,
        verdict=verdict,
        why=why,
        heads=figure.heads,
    )


def _judge(
    figure: FidelityFigure, row: FidelityRow | None, score: str, value: float, spread: float | None
) -> tuple[Verdict, str, Interval | None]:
    """Reproduced where the measured range holds it, or where ours lies within the spread that was documented."""
    if row is None or score not in row.scores:
        place = f"N = {figure.heads:,} and T = {figure.temperature:g}"
        failed = f": {row.failure}" if row is not None and row.failure else ""
        return "not comparable here", f"it was not measured at {place}{failed}", None
    ours = row.scores[score]
    ranges = [each[score] for each in (row.spread, row.over_queries) if score in each]
    if not ranges and spread is None:
        measured = Interval(ours, launches=row.seeds)
        return "not comparable here", f"measured {ours:.4f} with one training seed, so without a range", measured
    low, high = min([ours, *(low for low, _ in ranges)]), max([ours, *(high for _, high in ranges)])
    over = [f"{row.seeds} training seeds"] if score in row.spread else []
    over += ["held-out queries"] if score in row.over_queries else []
    seen = f"measured {ours:.4f}" + (f" ({low:.4f} to {high:.4f} over {' and '.join(over)})" if over else "")
    measured = Interval(ours, low, high, row.seeds, 0.0)  # a range over seeds has no stated confidence
    half = rounding(value)
    if low - half <= value <= high + half:
        return "reproduced", seen, measured
    if spread is not None and abs(ours - value) <= spread + half:
        return "reproduced", f"{seen}, within the documented spread", measured
    side = "below" if ours < value else "above"
    return "not reproduced", f"{seen}, which lies {side} it", measured
