"""What stands on a plot over N beside its curves: crossovers with their intervals, and what was documented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from harness.report.plots.grammar import BAND, HEIGHT, chart, confirmed_crossings, contender_scales, legend, tooltip
from harness.suite.schema import Figure, LatencyFigure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.analysis.summary import Summary


_NEAR = 1.35  # times N: labels of crossovers nearer than this would lie upon each other
_LABEL = 82  # pixels that the label of a crossover takes along its line


def crossing_marks(summary: Summary, batch: int, rows: Sequence[dict[str, Any]]) -> Iterator[alt.Chart]:
    """The crossovers of this batch size: a line at N*, a shade over its interval, the race's name above."""
    marks = [
        {
            "race": search.case.race,
            "N": each.heads,
            "low": each.low,
            "high": each.high,
            "label": f"{search.case.race}: {each.heads:,}",
        }
        for search in summary.searches
        if search.case.batch_size == batch
        for each in confirmed_crossings(search)
    ]
    if not marks or not rows:
        return
    base = chart(marks)
    x = alt.X("N:Q", scale=alt.Scale(type="log"))
    yield base.mark_rect(opacity=BAND, color="gray").encode(
        x=alt.X("low:Q", scale=alt.Scale(type="log")), x2=alt.X2("high:Q")
    )
    yield base.mark_rule(strokeDash=[4, 3], color="gray").encode(
        x=x, tooltip=tooltip(marks, ("race", "N", "low", "high"))
    )
    for slot, labels in _slots(marks).items():
        yield (
            chart(labels)
            .mark_text(angle=270, align="right", baseline="bottom", dx=-4, dy=-3, fontSize=10, color="gray")
            .encode(x=x, y=alt.value(slot * _LABEL), text=alt.Text("label:N"))
        )


def _slots(marks: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Marks by how far down their label stands: each below those of its near neighbours."""
    found: dict[int, list[dict[str, Any]]] = {}
    for mark in sorted(marks, key=lambda each: each["N"]):
        slot = 0
        while any(mark["N"] < _NEAR * other["N"] for other in found.get(slot, ())):
            slot += 1
        found.setdefault(slot % (HEIGHT // _LABEL), []).append(mark)
    return found


def documented_points(summary: Summary, batch: int) -> Iterator[dict[str, Any]]:
    """Documented slowdowns at their N, and documented crossovers where the two would be equal."""
    for each in summary.documented:
        figure = each.figure
        if not isinstance(figure, Figure) or figure.batch_size != batch:
            continue
        row = {"race": figure.race, "documented": each.documented, "verdict": each.verdict}
        if each.quantity == "slowdown" and figure.heads and figure.slowdown:
            yield {**row, "N": figure.heads, "slowdown": figure.slowdown}
        if each.quantity == "crossover" and figure.crossover:
            yield {**row, "N": figure.crossover, "slowdown": 1.0}


def documented_marks(summary: Summary, batch: int, names: Sequence[str]) -> Iterator[alt.Chart]:
    """Documented N* as dotted lines; documented latencies and what slowdowns make of the baseline as diamonds."""
    figures = [
        (each, each.figure)
        for each in summary.documented
        if isinstance(each.figure, Figure) and each.figure.batch_size == batch
    ]
    lines = [
        {
            "race": figure.race,
            "N": figure.crossover,
            "documented": each.documented,
            "label": f"documented: {each.documented}",
        }
        for each, figure in figures
        if each.quantity == "crossover" and figure.crossover
    ]
    points = []
    for each, figure in figures:
        race = summary.suite.race(figure.race)
        baseline = summary.cell(race.baseline, figure.heads or 0, batch)
        if each.quantity == "slowdown" and figure.slowdown and baseline is not None and baseline.call is not None:
            ms = 1e3 * baseline.call.value * figure.slowdown
            row = {"contender": race.challenger, "N": figure.heads, "ms": ms, "documented": each.documented}
            points.append(row)
    points += [
        {
            "contender": each.figure.contender,
            "N": each.figure.heads,
            "ms": batch * each.figure.milliseconds_per_query,
            "documented": each.documented,
        }
        for each in summary.documented
        if isinstance(each.figure, LatencyFigure) and each.figure.batch_size == batch
    ]
    x = alt.X("N:Q", scale=alt.Scale(type="log"))
    if lines:
        base = chart(lines)
        hover = tooltip(lines, ("race", "N", "documented"))
        yield base.mark_rule(strokeDash=[1, 3], strokeWidth=2, color="gray").encode(x=x, tooltip=hover)
        yield base.mark_text(
            angle=270, align="left", baseline="bottom", dx=4, dy=-3, fontSize=10, fontStyle="italic", color="gray"
        ).encode(x=x, y=alt.value(HEIGHT), text=alt.Text("label:N"))
    if points:
        hues, _ = contender_scales(summary, names)
        yield (
            chart(points)
            .mark_point(shape="diamond", size=160, strokeWidth=2, filled=False, opacity=1)
            .encode(
                x=x, y=alt.Y("ms:Q", scale=alt.Scale(type="log")), tooltip=tooltip(points),
                color=alt.Color("contender:N", sort=list(names), scale=hues, legend=legend(len(names))),
            )
        )  # fmt: skip
