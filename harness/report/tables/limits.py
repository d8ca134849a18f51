"""The table of distances to the machine's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import units
from harness.analysis.roofline import NEAR
from harness.report.table import Entry, Table, text

if TYPE_CHECKING:
    from harness.analysis.summary import Summary


def limits(summary: Summary, *, searched: bool = True) -> Table:
    """How far each cell is from what the machine could do at best; without `searched` at the N of the sweep alone."""
    grid = set(summary.suite.heads.grid())
    rows = [
        (
            text(each.contender),
            Entry(f"{each.heads:,}", each.heads),
            Entry(str(each.batch_size), each.batch_size),
            Entry(f"{each.gigaflops_per_second:.3g}", each.gigaflops_per_second),
            Entry(f"{each.gigabytes_per_second:.3g}", each.gigabytes_per_second),
            Entry(units.milliseconds(each.floor_seconds), each.floor_seconds),
            Entry(f"{each.ratio:.2f}x", each.ratio),
            Entry("") if each.shape_floor_seconds is None else Entry(f"{each.shape_ratio:.2f}x", each.shape_ratio),
            text(each.bound),
            text(each.in_the_way),
        )
        for each in summary.distances
        if searched or each.heads in grid
    ]
    return Table(
        name="limits",
        title="Distance to the limits of this machine",
        columns=(
            "contender", "N", "batch", "GFLOP/s", "GB/s", "floor ms", "over the floor", "at its shape", "bound by",
            "bottleneck",
        ),
        rows=tuple(rows),
        numeric=(1, 2, 3, 4, 5, 6, 7),
        note="The floor is the larger of stated operations over the best rate of matrix products and stated bytes "
        "over the memory bandwidth, each as timed alone in this run with as many threads, or as reached by a contender "
        "where that is more; on a GPU also what starting a call and waiting for it costs. At its shape: every product at "
        "the best rate of the libraries at hand for that shape; below 1 a product is better than those. The "
        f"bottleneck is shown above {NEAR}x.{_rates(summary)}{_unmeasured(summary)}",
        keys=(0, 1, 2),
    )  # fmt: skip


def _rates(summary: Summary) -> str:
    """What few rows cost: the rate of matrix products by batch size, of which the floor takes the best."""
    found = (summary.run.machine.get("limits") or {}).get("flops_per_second", {})
    rates = {int(batch): float(rate) / 1e9 for batch, rate in found.items()}
    if not rates:
        return ""
    listed = ", ".join(f"{rates[batch]:.0f} GFLOP/s at batch {batch}" for batch in sorted(rates))
    return f" The best products of each number of rows reach {listed}."


def _unmeasured(summary: Summary) -> str:
    """Whom the limits do not hold for."""
    if not summary.precisions:
        return ""
    listed = ", ".join(f"{name} ({precision})" for name, precision in summary.precisions.items())
    return f" The limits are float32's, so these are left out: {listed}."
