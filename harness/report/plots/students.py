"""Fidelity against N, trivial students beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from harness.report.plots.grammar import HEIGHT, Plot, chart, legend, tooltip

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.analysis.fidelity.table import FidelityRow
    from harness.analysis.summary import Summary


def fidelity(summary: Summary) -> Plot | None:
    """Mean cosine to the teacher against N, or against the temperature where there is one N."""
    against: tuple[str, Callable[[Any], float]] = ("N", lambda row: row.heads)
    if len({row.heads for row in summary.fidelity}) < 2 <= len({row.temperature for row in summary.fidelity}):
        against = ("temperature", lambda row: row.temperature)
    name, value = against
    several = len({row.temperature for row in summary.fidelity}) > 1 and name == "N"
    rows: list[dict[str, Any]] = [
        _fidelity_row(row.contender, "mean_cosine", row, name, value(row), several=several)
        for row in summary.fidelity
        if "mean_cosine" in row.scores
    ]
    if not rows:
        return None
    rows += [
        _fidelity_row("constant (mean teacher output)", "constant_cosine", row, name, value(row), several=several)
        for row in _one_per_place(summary)
    ]
    base = chart(rows).encode(
        x=alt.X(f"{name}:Q", scale=alt.Scale(type="log", padding=20), title=name),
        color=alt.Color("contender:N", legend=legend(len({row["contender"] for row in rows}))),
    )
    y = alt.Y("cosine:Q", scale=alt.Scale(zero=False), title="mean cosine to the teacher")
    layers = [
        base.mark_line(opacity=0.6).encode(y=y),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False), title=""), y2="high:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, tooltip=tooltip(rows)),
    ]
    return Plot(
        name="fidelity",
        title=f"Fidelity against {name}, beside trivial students",
        caption="A cosine means something only above the constant's. "
        "Bars are 95 % intervals over held-out queries and training seeds.",
        chart=alt.layer(*layers).properties(height=HEIGHT, width="container"),
    )


def _fidelity_row(
    label: str, score: str, row: FidelityRow, name: str, place: float, *, several: bool
) -> dict[str, Any]:
    """One point: the mean over seeds, and the bootstrap interval over queries."""
    value = row.scores[score]
    low, high = row.intervals.get(score, (value, value))
    label += f", T = {row.temperature:g}" if several else ""
    return {"contender": label, name: place, "cosine": value, "low": low, "high": high}


def _one_per_place(summary: Summary) -> list[FidelityRow]:
    """One row for each N and temperature at which the constant's cosine is known."""
    found = {(row.heads, row.temperature): row for row in summary.fidelity if "constant_cosine" in row.scores}
    return list(found.values())
