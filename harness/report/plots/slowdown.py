"""Slowdown against N."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from harness.report.plots.grammar import BAND, HEIGHT, Plot, chart, ends, heads_axis, legend, race_scales, tooltip
from harness.report.plots.marks import documented_points

if TYPE_CHECKING:
    from harness.analysis.summary import Summary


def slowdown(summary: Summary, batch: int) -> Plot:
    """Challenger over baseline against N: below one the challenger leads."""
    rows: list[dict[str, Any]] = [
        {
            "race": each.race,
            "N": each.heads,
            "slowdown": each.slowdown.value,
            "low": ends(each.slowdown)[0],
            "high": ends(each.slowdown)[1],
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
    y = alt.Y("slowdown:Q", scale=alt.Scale(type="log"), title="challenger / baseline")
    layers = [
        chart([{"one": 1}]).mark_rule(strokeDash=[6, 4], color="gray").encode(y="one:Q"),
        base.mark_area(opacity=BAND).encode(
            y=alt.Y("low:Q", scale=alt.Scale(type="log"), title="challenger / baseline"), y2="high:Q"
        ),
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
    return Plot(
        name=f"slowdown-batch-{batch}",
        title=f"Slowdown of the challenger, batch {batch}",
        caption="Below the dashed line the challenger is faster. Diamonds are documented figures, not measurements."
        if documented
        else "Below the dashed line the challenger is faster.",
        chart=alt.layer(*layers).properties(height=HEIGHT, width="container"),
    )
