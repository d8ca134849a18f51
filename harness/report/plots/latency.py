"""Latency against N."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from harness.analysis.settings import settings
from harness.records.samples import seconds_by_launch, timed_records
from harness.report.plots.grammar import (
    BAND,
    HEIGHT,
    Plot,
    chart,
    contender_scales,
    ends,
    heads_axis,
    labels,
    legend,
    log_axis,
    short,
    tooltip,
)  # fmt: skip
from harness.report.plots.marks import crossing_marks, documented_marks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.summary import Summary


def latency(summary: Summary, batch: int) -> Plot:
    """Milliseconds against N on two logarithmic axes, intervals as bands, crossovers where they are."""
    where = settings(summary.suite)
    called = "".join(f" {name}: {words}." for name, words in where.items())
    rows: list[dict[str, Any]] = [
        {
            "contender": cell.contender,
            "N": cell.heads,
            "ms": short(1e3 * cell.call.value),
            "low": short(1e3 * ends(cell.call)[0]),
            "high": short(1e3 * ends(cell.call)[1]),
            "launches": cell.launches,
            **({"where": where[cell.contender]} if cell.contender in where else {}),
        }
        for cell in summary.cells
        if cell.batch_size == batch and cell.call is not None
    ]
    seen = {row["contender"]: None for row in rows}  # also those that the records have and the suite has no more
    names = [name for name in summary.suite.contenders if name in seen]
    names += [name for name in seen if name not in names]
    hues, shapes = contender_scales(summary, names)
    shown = legend(len(names))
    base = chart(rows).encode(
        x=heads_axis(rows, summary.suite.size_title),
        color=alt.Color("contender:N", sort=names, scale=hues, legend=shown),
    )
    axis = log_axis(min(row["low"] for row in rows), max(row["high"] for row in rows)) if rows else alt.Axis()
    y = alt.Y("ms:Q", scale=alt.Scale(type="log", nice=False), title="median ms per call", axis=axis)
    band = base.mark_area(opacity=BAND).encode(
        y=alt.Y("low:Q", scale=alt.Scale(type="log"), title="median ms per call", axis=axis), y2=alt.Y2("high:Q")
    )
    points = base.mark_point(filled=True, size=40, opacity=1).encode(
        y=y, shape=alt.Shape("contender:N", sort=names, scale=shapes, legend=shown), tooltip=tooltip(rows)
    )
    documented = list(documented_marks(summary, batch, names))
    launches = list(_launches(summary, batch))
    dots = chart(launches).mark_point(filled=True, size=9, opacity=0.45).encode(
        x=alt.X("N:Q", scale=alt.Scale(type="log")), y=y, tooltip=tooltip(launches),
        color=alt.Color("contender:N", sort=names, scale=hues, legend=shown),
    )  # fmt: skip
    layers = [band, dots, base.mark_line().encode(y=y), points, *crossing_marks(summary, batch, rows), *documented]
    named = alt.Color("contender:N", sort=names, scale=hues, legend=shown)
    layers.append(labels(rows, "contender", "N", "ms", named))
    return Plot(
        name=f"latency-batch-{batch}",
        title=f"Latency against N, batch {batch}",
        caption="Bands are intervals over launches, cut at a factor of ten; dots are the launches; "
        "vertical lines are crossovers, their shade is the interval of N*."
        + called
        + (
            " Dotted lines are documented crossovers; diamonds are documented slowdowns, from the measured baseline."
            if documented
            else ""
        ),
        chart=alt.layer(*layers).properties(height=HEIGHT, width="container"),
    )


def _launches(summary: Summary, batch: int) -> Iterator[dict[str, Any]]:
    """The median of each launch, for the cells of the table: what the intervals are made of."""
    for (contender, heads, batch_size), records in summary.visits.items():
        if batch_size != batch:
            continue
        table = timed_records([each for each in records if each.purpose == "table"])
        for launch, seconds in seconds_by_launch(table).items():
            ms = 1e3 * float(np.median(seconds))
            yield {"contender": contender, "N": heads, "ms": short(ms), "launch": launch}
