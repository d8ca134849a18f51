"""The frontier: N* against the batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from harness.report.plots.grammar import (
    HEIGHT,
    Plot,
    chart,
    confirmed_crossings,
    labels,
    legend,
    log_axis,
    race_scales,
    tooltip,
)

if TYPE_CHECKING:
    from harness.analysis.summary import Summary


def frontier(summary: Summary) -> Plot | None:
    """N* against the batch size, for races that were searched at several."""
    rows: list[dict[str, Any]] = [
        {
            "race": search.case.race,
            "batch": search.case.batch_size,
            "N*": crossing.heads,
            "low": crossing.low,
            "high": crossing.high,
            "leads after it": search.case.challenger if crossing.direction == "challenger" else search.case.baseline,
        }
        for search in summary.searches
        for crossing in confirmed_crossings(search)
    ]
    several = {
        race for race in {row["race"] for row in rows} if len({r["batch"] for r in rows if r["race"] == race}) > 1
    }
    rows = [row for row in rows if row["race"] in several]
    if not rows:
        return None
    batches = sorted({row["batch"] for row in rows})
    races = list(dict.fromkeys(str(row["race"]) for row in rows))
    hues, dashes = race_scales(summary, races)
    dash = alt.StrokeDash("race:N", scale=dashes, legend=legend(len(races)))
    base = chart(rows).encode(
        x=alt.X(
            "batch:Q",
            scale=alt.Scale(type="log", nice=False, padding=20),
            axis=alt.Axis(values=batches, format="~s"),
            title="batch size",
        ),
        color=alt.Color("race:N", scale=hues, legend=legend(len(races))),
    )
    axis = log_axis(min(row["low"] for row in rows), max(row["high"] for row in rows))
    y = alt.Y(
        "N\\*:Q",
        scale=alt.Scale(type="log"),
        title=f"N*: {'n' if summary.suite.functions else 'heads'} at which the lead changes",
        axis=axis,
    )
    layers = [
        base.mark_line(opacity=0.5).encode(y=y, detail=alt.Detail("leads after it:N"), strokeDash=dash),
        base.mark_rule(strokeWidth=3).encode(
            y=alt.Y("low:Q", scale=alt.Scale(type="log"), title="", axis=axis), y2=alt.Y2("high:Q")
        ),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, tooltip=tooltip(rows)),
        labels(rows, "race", "batch", "N*", alt.Color("race:N", scale=hues, legend=legend(len(races)))),
    ]
    return Plot(
        name="frontier",
        title="Frontier: the crossover against the batch size",
        caption="Bars are the intervals of N*; above the line the one that leads after the crossover is faster.",
        chart=alt.layer(*layers).properties(height=HEIGHT, width="container"),
    )
