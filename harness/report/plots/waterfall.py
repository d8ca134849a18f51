"""Where a documented slowdown comes from, as bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from harness.report.plots.grammar import Plot, chart, legend, tooltip

if TYPE_CHECKING:
    from harness.analysis.summary import Summary


_ROOM = 0.45  # behind the longest bar of a waterfall for its text, of its length


def waterfall(summary: Summary, place: int) -> Plot:
    """Ratios from the documented pair to the fastest of each, as bars from one on a logarithmic axis."""
    fall = summary.waterfalls[place]
    race = summary.suite.race(fall.race)
    steps = [(f"{race.challenger} over {race.baseline}", "slowdown", fall.start)]
    for side, taken in (("teacher gets faster", fall.baseline), ("student gets faster", fall.challenger)):
        steps += [(f"{step.before} → {step.after}", side, step.speedup) for step in taken]
    if fall.end is not None:
        last = (fall.fastest[1] or race.challenger, fall.fastest[0] or race.baseline)
        steps.append((f"{last[0]} over {last[1]} ", "slowdown", fall.end))
    rows: list[dict[str, Any]] = [
        {
            "step": label, "meaning": kind, "one": 1, "ratio": found.value,
            "low": found.low if found.known else found.value, "high": found.high if found.known else found.value,
            "text": f"{found.value:.3g}x",
        }
        for label, kind, found in steps
    ]  # fmt: skip
    base = chart(rows).encode(
        y=alt.Y("step:N", sort=[row["step"] for row in rows], title=None, axis=alt.Axis(labelLimit=260))
    )
    least, most = min(1.0, *(row["low"] for row in rows)), max(1.0, *(row["high"] for row in rows))
    most *= (most / least) ** _ROOM
    scale = alt.Scale(type="log", nice=False, domain=[least, most])
    x = alt.X("ratio:Q", scale=scale, title="ratio")
    layers = [
        base.mark_bar(opacity=0.75).encode(
            x=x,
            x2=alt.X2("one:Q"),
            color=alt.Color("meaning:N", legend=legend(3, columns=1)),
            tooltip=tooltip(rows, ("step", "ratio", "low", "high")),
        ),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, title="ratio"), x2=alt.X2("high:Q")),
        base.mark_text(align="left", dx=6).encode(
            x=alt.X("high:Q", scale=scale, title="ratio"), text=alt.Text("text:N")
        ),
    ]
    return Plot(
        name=f"waterfall-{fall.race}-batch-{fall.batch_size}",
        title=f"Where the slowdown comes from: {fall.race}, N = {fall.heads:,}, batch {fall.batch_size}",
        caption="From the pair as documented, through faster forms of each side, to the fastest of both.",
        chart=alt.layer(*layers).properties(height=34 * len(rows) + 20, width="container"),
        race=fall.race,
    )
