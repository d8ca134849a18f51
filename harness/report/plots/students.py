"""Fidelity against N, trivial students beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from harness.report.plots.grammar import (
    HEIGHT,
    PALETTE,
    SHAPES,
    Plot,
    chart,
    colours,
    labels,
    legend,
    log_axis,
    shapes,
    short,
    tooltip,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.analysis.fidelity.table import FidelityRow
    from harness.analysis.summary import Summary

_CONSTANT = "constant (mean teacher output)"


def fidelity(summary: Summary) -> Plot | None:
    """Mean cosine to the teacher against N, or against the temperature where there is one N."""
    against: tuple[str, Callable[[Any], float]] = ("N", lambda row: row.heads)
    if len({row.heads for row in summary.fidelity}) < 2 <= len({row.temperature for row in summary.fidelity}):
        against = ("temperature", lambda row: row.temperature)
    name, value = against
    several = len({row.temperature for row in summary.fidelity}) > 1 and name == "N"
    rows: list[dict[str, Any]] = [
        _row(row.contender, "mean_cosine", row, name, value(row), several=several)
        for row in summary.fidelity
        if "mean_cosine" in row.scores
    ]
    if not rows:
        return None
    rows += [
        _row(_CONSTANT, "constant_cosine", row, name, value(row), several=several) for row in _one_per_place(summary)
    ]
    names = list(dict.fromkeys(str(row["contender"]) for row in rows))
    hues, marks = colours(summary), shapes(summary)
    shown = legend(len(names))
    color = alt.Color(
        "contender:N", sort=names, legend=shown,
        scale=alt.Scale(domain=names, range=[hues.get(each, PALETTE[-1]) for each in names]),
    )  # fmt: skip
    shape = alt.Shape(
        "contender:N", sort=names, legend=shown,
        scale=alt.Scale(domain=names, range=[marks.get(each, SHAPES[0]) for each in names]),
    )  # fmt: skip
    axis = log_axis(min(row[name] for row in rows), max(row[name] for row in rows))
    base = chart(rows).encode(
        x=alt.X(f"{name}:Q", scale=alt.Scale(type="log", padding=20, nice=False), title=name, axis=axis),
        color=color,
        detail=alt.Detail("series:N"),
    )
    y = alt.Y("cosine:Q", scale=alt.Scale(zero=False), title="mean cosine to the teacher")
    layers = [
        base.mark_line(opacity=0.6).encode(y=y),
        base.mark_rule(strokeWidth=2).encode(
            y=alt.Y("low:Q", scale=alt.Scale(zero=False), title=""), y2=alt.Y2("high:Q")
        ),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, shape=shape, tooltip=tooltip(rows)),
        labels(rows, "series", name, "cosine", color, log=False),
    ]
    return Plot(
        name="fidelity",
        title=f"Fidelity against {name}, beside trivial students",
        caption="A cosine means something only above the constant's. "
        "Bars are 95 % intervals over held-out queries and training seeds.",
        chart=alt.layer(*layers).properties(height=HEIGHT, width="container"),
    )


def _row(contender: str, score: str, row: FidelityRow, name: str, place: float, *, several: bool) -> dict[str, Any]:
    """One point: the mean over seeds, and the bootstrap interval over queries; each temperature has a line of its own."""
    value = row.scores[score]
    low, high = row.intervals.get(score, (value, value))
    series = f"{contender}, T = {row.temperature:g}" if several else contender
    return {
        "contender": contender, "series": series, name: place, "cosine": short(value), "low": short(low),
        "high": short(high),
    }  # fmt: skip


def _one_per_place(summary: Summary) -> list[FidelityRow]:
    """One row for each N and temperature at which the constant's cosine is known."""
    found = {(row.heads, row.temperature): row for row in summary.fidelity if "constant_cosine" in row.scores}
    return list(found.values())
