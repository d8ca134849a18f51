"""The question of a case put to the search that the suite names: the one place that a run and its replay share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.search.crossover import locate
from harness.search.grid import locate_on_grid
from harness.search.irregular import locate_irregular
from harness.search.result import BudgetSpent

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.plan.sweep import SearchCase
    from harness.records.crossovers import SearchSettings
    from harness.search.result import Location, Measure, Progress


def run_search(
    measure: Measure, case: SearchCase, asked: SearchSettings, on_progress: Callable[[Progress], None] | None = None
) -> Location:
    """The answer of a case."""
    common: dict[str, Any] = {
        "precision": asked.precision, "confidence": asked.confidence, "budget": asked.budget, "launches": asked.launches,
        "seed": asked.seed, "on_progress": on_progress,
    }  # fmt: skip
    if case.method == "grid":
        return locate_on_grid(measure, case.low, case.high, points=case.points, steps=case.steps, **common)
    common |= {"steps": known_steps(case), "prior": asked.prior, "further": asked.further}
    if asked.neighbours:
        return locate_irregular(measure, case.low, case.high, **common)
    return locate(measure, case.low, case.high, **common)


def known_steps(case: SearchCase) -> tuple[int, ...]:
    """The declared steps; where none lies inside the range, one at its end, since none at all means "not known"."""
    return case.steps or ((case.high,) if case.declared else ())


def budget_exhausted(seconds: float | None) -> BudgetSpent:
    """What a search receives when its seconds are over; where they are unknown, without a message."""
    return BudgetSpent(f"the budget of {seconds:g} s is spent") if seconds is not None else BudgetSpent()
