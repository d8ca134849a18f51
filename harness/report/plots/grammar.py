"""What all plots share: sizes, axes, legends, tooltips."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.statistics import Interval
    from harness.analysis.summary import LegSummary
    from harness.search.result import Crossing


HEIGHT = 320
BAND = 0.18  # opacity of intervals
COLUMNS = 3  # of a picture's legend; the page takes as many as it has room for


@dataclass(frozen=True)
class Plot:
    """One plot, and what a reader should see in it."""

    name: str
    title: str
    caption: str
    chart: alt.LayerChart | alt.FacetChart


def ends(found: Interval) -> tuple[float, float]:
    """The ends of a band: the interval, cut at a factor of ten so that one bad row does not flatten the rest."""
    if not found.known:
        return found.value, found.value
    return max(found.low, found.value / 10), min(found.high, found.value * 10)


def stated(leg: LegSummary) -> tuple[Crossing, ...]:
    """The crossings that are results, and not brackets."""
    if leg.located is None or leg.located.location.status not in ("crossing", "several"):
        return ()
    return leg.located.location.crossings


def heads_axis(rows: Sequence[dict[str, Any]]) -> alt.X:
    """The N axis: decades, or all N where there are few."""
    known = [row["N"] for row in rows] or [1]
    decades = [10**power for power in range(math.floor(math.log10(min(known))), math.ceil(math.log10(max(known))) + 1)]
    return alt.X(
        "N:Q", scale=alt.Scale(type="log", nice=False, padding=12), title="N, number of heads",
        axis=alt.Axis(format="~s", values=decades if len(decades) > 2 else sorted(set(known)), grid=True),
    )  # fmt: skip


def legend(entries: int, **more: Any) -> alt.Legend | None:
    """Below the plot, where a phone has room for it; none where there is nothing to distinguish."""
    if entries <= 1:
        return None
    return alt.Legend(orient="bottom", title=None, labelLimit=220, symbolOpacity=1, symbolLimit=entries, **more)


def tooltip(rows: Sequence[dict[str, Any]], fields: Sequence[str] | None = None) -> list[alt.Tooltip]:
    """Every field of the rows with a format that suits it."""
    names = list(fields or (rows[0] if rows else ()))
    numbers = {name for name in names if rows and isinstance(rows[0].get(name), (int, float))}
    return [
        alt.Tooltip(f"{_escaped(name)}:Q", title=name, format=",.4~g")
        if name in numbers
        else alt.Tooltip(f"{_escaped(name)}:N", title=name)
        for name in names
    ]


def _escaped(name: str) -> str:
    """A field whose name Vega would read as a path or an aggregate."""
    return name.replace("*", "\\*")


def chart(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """A chart of rows that are part of the page."""
    data: Any = alt.InlineData(values=list(rows))  # Altair's stubs leave this constructor untyped
    return alt.Chart(data)
