"""Latency against N."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from harness.report.plots.grammar import BAND, HEIGHT, Plot, chart, ends, heads_axis, legend, tooltip
from harness.report.plots.marks import crossing_marks, documented_marks

if TYPE_CHECKING:
    from harness.analysis.summary import Summary


def latency(summary: Summary, batch: int) -> Plot:
    """Milliseconds against N on two logarithmic axes, intervals as bands, crossovers where they are."""
    rows: list[dict[str, Any]] = [
        {
            "contender": cell.contender,
            "N": cell.heads,
            "ms": 1e3 * cell.call.value,
            "low": 1e3 * ends(cell.call)[0],
            "high": 1e3 * ends(cell.call)[1],
            "launches": cell.launches,
        }
        for cell in summary.cells
        if cell.batch_size == batch and cell.call is not None
    ]
    seen = {row["contender"]: None for row in rows}  # also those that the records have and the suite has no more
    names = [name for name in summary.suite.contenders if name in seen]
    names += [name for name in seen if name not in names]
    base = chart(rows).encode(
        x=heads_axis(rows, summary.suite.size_title),
        color=alt.Color("contender:N", sort=names, legend=legend(len(names))),
    )
    y = alt.Y("ms:Q", scale=alt.Scale(type="log", nice=False), title="median ms per call")
    band = base.mark_area(opacity=BAND).encode(
        y=alt.Y("low:Q", scale=alt.Scale(type="log"), title="median ms per call"), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=40, opacity=1).encode(
        y=y, shape=alt.Shape("contender:N", sort=names, legend=None), tooltip=tooltip(rows)
    )
    documented = list(documented_marks(summary, batch, names))
    layers = [band, base.mark_line().encode(y=y), points, *crossing_marks(summary, batch, rows), *documented]
    return Plot(
        name=f"latency-batch-{batch}",
        title=f"Latency against N, batch {batch}",
        caption="Bands are intervals over launches, cut at a factor of ten; vertical lines are crossovers, "
        "their shade is the interval of N*."
        + (
            " Dotted lines are documented crossovers; diamonds are documented slowdowns, from the measured baseline."
            if documented
            else ""
        ),
        chart=alt.layer(*layers).properties(height=HEIGHT, width="container"),
    )
