"""Slowdown against N."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from harness.analysis.speedup import log_ratios
from harness.records.samples import timed_records
from harness.report.plots.grammar import (
    BAND,
    HEIGHT,
    Plot,
    chart,
    ends,
    heads_axis,
    labels,
    legend,
    log_axis,
    race_scales,
    short,
    tooltip,
)  # fmt: skip
from harness.report.plots.marks import documented_points

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.summary import Summary


def slowdown(summary: Summary, batch: int) -> Plot:
    """Challenger over baseline against N: below one the challenger leads."""
    rows: list[dict[str, Any]] = [
        {
            "race": each.race,
            "N": each.heads,
            "slowdown": short(each.slowdown.value),
            "low": short(ends(each.slowdown)[0]),
            "high": short(ends(each.slowdown)[1]),
            "launches": each.slowdown.launches,
        }
        for each in summary.races
        if each.batch_size == batch
    ]
    races = list(dict.fromkeys(str(row["race"]) for row in rows))
    hues, dashes = race_scales(summary, races)
    dash = alt.StrokeDash("race:N", scale=dashes, legend=legend(len(races)))
    base = chart(rows).encode(
        x=heads_axis(rows, summary.suite.size_title),
        color=alt.Color("race:N", scale=hues, legend=legend(len(races))),
    )
    axis = log_axis(min(row["low"] for row in rows), max(row["high"] for row in rows)) if rows else alt.Axis()
    y = alt.Y("slowdown:Q", scale=alt.Scale(type="log"), title="challenger / baseline", axis=axis)
    launches = list(_launches(summary, batch))
    hue = alt.Color("race:N", scale=hues, legend=legend(len(races)))
    layers = [
        chart([{"one": 1}]).mark_rule(strokeDash=[6, 4], color="gray").encode(y=alt.Y("one:Q")),
        base.mark_area(opacity=BAND).encode(
            y=alt.Y("low:Q", scale=alt.Scale(type="log"), title="challenger / baseline", axis=axis), y2=alt.Y2("high:Q")
        ),
        chart(launches)
        .mark_point(filled=True, size=9, opacity=0.45)
        .encode(x=alt.X("N:Q", scale=alt.Scale(type="log")), y=y, color=hue, tooltip=tooltip(launches)),
        base.mark_line().encode(y=y, strokeDash=dash),
        base.mark_point(filled=True, size=30, opacity=1).encode(y=y, tooltip=tooltip(rows)),
    ]
    documented = list(documented_points(summary, batch))
    if documented:
        layers.append(
            chart(documented)
            .mark_point(shape="diamond", size=160, strokeWidth=2, filled=False)
            .encode(
                x=alt.X("N:Q", scale=alt.Scale(type="log")), y=alt.Y("slowdown:Q", scale=alt.Scale(type="log")),
                color=alt.Color("race:N", scale=hues, legend=legend(len(races))), tooltip=tooltip(documented),
            )
        )  # fmt: skip
    layers.append(labels(rows, "race", "N", "slowdown", hue))
    caption = "Below the dashed line the challenger is faster. Bands are intervals; dots are the launches."
    return Plot(
        name=f"slowdown-batch-{batch}",
        title=f"Slowdown of the challenger, batch {batch}",
        caption=caption + (" Diamonds are documented figures, not measurements." if documented else ""),
        chart=alt.layer(*layers).properties(height=HEIGHT, width="container"),
    )


def _launches(summary: Summary, batch: int) -> Iterator[dict[str, Any]]:
    """The ratio of each launch at the N of the table: what the intervals are made of."""
    grid = set(summary.suite.heads.grid())
    for each in summary.races:
        if each.batch_size != batch or each.heads not in grid:
            continue
        ours, theirs = (
            timed_records(summary.visits.get((name, each.heads, batch), ()))
            for name in (each.baseline, each.challenger)
        )
        for launch, logs in log_ratios(ours, theirs).items():
            ratio = short(float(np.exp(np.median(logs))))
            yield {"race": each.race, "N": each.heads, "slowdown": ratio, "launch": launch}
