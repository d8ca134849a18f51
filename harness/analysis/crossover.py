"""Locate the N at which one rival overtakes the other, with an interval that holds as often as it says.

TODO
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING

from harness.analysis.conclusion import conclude
from harness.analysis.confirmation import Question
from harness.analysis.location import (
    BudgetSpent,
    Crossing,
    Location,
    Measure,
    Pair,
    Probe,
    Progress,
    Unmeasurable,
)
from harness.analysis.search import Search

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["MOST_SAMPLES", "BudgetSpent", "Crossing", "Location", "Measure", "Pair", "Probe", "Progress", "Unmeasurable",
           "locate"]  # fmt: skip

MOST_SAMPLES = 20_000  # timed samples of one search without a budget


def locate(
    measure: Measure,
    low: int,
    high: int,
    *,
    steps: Sequence[int] = (),
    precision: float = 0.05,
    confidence: float = 0.95,
    budget: int | None = None,
    launches: int = 8,
    seed: int = 0,
    prior: Location | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Location:
    """Find where in [low, high] the lead changes between a baseline and a challenger."""
    low, high = _whole("low", low), _whole("high", high)
    if low < 1:
        raise ValueError(f"low is {low}: N starts at 1")
    if low >= high:
        raise ValueError(f"low ({low:,}) must be below high ({high:,})")
    if not 0 < precision < math.inf:
        raise ValueError(f"precision is {precision}: give a positive share, such as 0.05")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}: give a number between 0 and 1, such as 0.95")
    launches = _whole("launches", launches)
    if launches < 1:
        raise ValueError(f"launches is {launches}: at least one launch must confirm, and eight are better")
    limit = MOST_SAMPLES
    if budget is not None:
        budget = _whole("budget", budget)
        if budget < 2:  # noqa: PLR2004
            raise ValueError(f"budget is {budget}: one pair costs two samples")
        limit = min(budget, MOST_SAMPLES)
    inside = sorted({_whole("a step", step) for step in steps})
    outside = [step for step in inside if not low <= step < high]
    inside = [step for step in inside if low <= step < high]
    question = Question(low, high, precision, confidence, launches, limit, budget is None, bool(inside))
    search = Search(question, inside, measure, seed, prior, on_progress)
    if outside:
        search.notes.append(f"{len(outside)} declared steps lie outside N = {low:,} to {high:,} and were ignored")
    lacking = None
    try:
        search.explore()
        search.confirm()
    except BudgetSpent as error:
        lacking = str(error) or "the caller's budget is spent"
    location = conclude(search, lacking)
    search.stage = "done"
    if on_progress is not None:
        on_progress(search.progress())
    return location


def _whole(name: str, number: int) -> int:
    if isinstance(number, bool):
        raise ValueError(f"{name} is {number}: give a whole number")  # noqa: TRY004  one kind of error for bad input
    try:
        return operator.index(number)
    except TypeError:
        raise ValueError(f"{name} is {number!r}: give a whole number") from None
