"""The table of a slowdown under changing conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import units
from harness.analysis.claims.stepwise import CLOSE
from harness.report.table import Entry, Table, interval, text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.claims.stepwise import Stepwise
    from harness.analysis.summary import Summary


def stepwise(summary: Summary) -> Iterator[Table]:
    """One change a row: the slowdown after it, and the factor by which it changed."""
    for found in summary.stepwise:
        yield Table(
            name="stepwise",
            title=f"One change at a time: {found.name}, N = {found.heads:,}",
            columns=("change", "race", "batch", "slowdown", "factor"),
            rows=tuple(
                (
                    text(row.change),
                    text(row.race),
                    Entry(f"{row.batch_size:,}", row.batch_size),
                    interval(row.slowdown, units.ratio) if row.slowdown is not None else Entry("not measured"),
                    Entry(f"{row.factor:.3g}", row.factor) if row.factor is not None else Entry("-"),
                )
                for row in found.rows
            ),
            numeric=(2, 3, 4),
            note=_note(found),
        )


def _note(found: Stepwise) -> str:
    """Whether the factors multiply to what was measured."""
    if found.product is None or found.miss is None:
        return "The factors are not multiplied: some of the changes were not measured."
    agreement = "agrees" if abs(found.miss) <= CLOSE else "disagrees"
    return (
        f"The first slowdown times all factors is {units.ratio(found.product)}, which {agreement} with the last "
        f"slowdown as measured ({found.miss:+.1%}; {CLOSE:.0%} is allowed)."
    )
