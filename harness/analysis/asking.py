"""A leg's question put to the search that the suite names: the one place that a run and its replay share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.crossover import locate
from harness.analysis.grid import locate_on_grid
from harness.analysis.location import BudgetSpent

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.analysis.located import Asked
    from harness.analysis.location import Location, Measure, Progress
    from harness.suite.sweep import Leg


def ask(measure: Measure, leg: Leg, asked: Asked, on_progress: Callable[[Progress], None] | None = None) -> Location:
    """The answer of a leg.

    Args:
        measure: times both rivals; see `harness.analysis.crossover.locate`.
        leg: what is raced, where, and by which method.
        asked: the other arguments of the search.
        on_progress: told after every batch of pairs how the search stands.
    """
    if leg.method == "grid":
        return locate_on_grid(
            measure,
            leg.low,
            leg.high,
            points=leg.points,
            steps=leg.steps,
            precision=asked.precision,
            confidence=asked.confidence,
            budget=asked.budget,
            launches=asked.launches,
            seed=asked.seed,
            on_progress=on_progress,
        )
    return locate(
        measure,
        leg.low,
        leg.high,
        steps=known_steps(leg),
        precision=asked.precision,
        confidence=asked.confidence,
        budget=asked.budget,
        launches=asked.launches,
        seed=asked.seed,
        prior=asked.prior,
        on_progress=on_progress,
    )


def known_steps(leg: Leg) -> tuple[int, ...]:
    """The declared steps; where none lies inside the range, one at its end, since none at all means "not known"."""
    return leg.steps or ((leg.high,) if leg.declared else ())


def spent(seconds: float | None) -> BudgetSpent:
    """What a search is told when its seconds are over; where they are not known, without words."""
    return BudgetSpent(f"the budget of {seconds:g} s is spent") if seconds is not None else BudgetSpent()
