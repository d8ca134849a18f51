"""What all plots share: sizes, axes, legends, tooltips."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import altair as alt
from altair.utils.schemapi import debug_mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.statistics import Interval
    from harness.analysis.summary import SearchSummary, Summary
    from harness.search.result import Crossing


HEIGHT = 320
BAND = 0.18  # opacity of intervals
PALETTE = (  # Tol's bright scheme, darkened: told apart by colour-blind readers, 3:1 on white and on black
    "#4a5fd0", "#dd6611", "#228833", "#aa3377", "#a08000", "#1f9e9e", "#e0566a", "#808080",
)  # fmt: skip
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [4, 1], [1, 3])
COLUMNS = 3  # of a picture's legend; the page takes as many as it has room for
LABELS = "labels"  # name of the layer with the names of the series; `as_picture` and page.js look for it
MOST_LABELS = 6  # series that are named where they end; more of them get a legend
_LABEL_HEIGHT = 13  # pixels
_ROUNDING = 1e-9  # of a division
_FEW_LABELS = 3
_MANY_DECADES = 6  # on an axis that is longer than that, decades are labels enough
unvalidated = debug_mode(
    arg=False
)  # a decorator: Altair would compare every part of a chart with its schema as it is made


@dataclass(frozen=True)
class Plot:
    """One plot, and what a reader should see in it."""

    name: str
    title: str
    caption: str
    chart: alt.LayerChart | alt.FacetChart
    race: str = ""  # that it is about, where it is about one


def colours(summary: Summary) -> dict[str, str]:
    """A colour for each contender of the suite, the same in all charts; of what only the records have, too."""
    return {name: PALETTE[slot % len(PALETTE)] for name, slot in slots(_contenders(summary)).items()}


def shapes(summary: Summary) -> dict[str, str]:
    """A mark for each contender, the same in all charts: no two contenders have colour and mark in common."""
    found = slots(_contenders(summary))
    return {name: SHAPES[(slot + slot // len(PALETTE)) % len(SHAPES)] for name, slot in found.items()}


def slots(names: Sequence[str]) -> dict[str, int]:
    """Places of names in a palette that is used round by round: by the name itself where its place is free.

    A contender thus keeps its colour from run to run, also where others are added to the suite.
    """
    found: dict[str, int] = {}
    free: list[int] = []
    for place, name in enumerate(names):
        if not free:
            first = place // len(PALETTE) * len(PALETTE)
            free = list(range(first, first + len(PALETTE)))
        wanted = zlib.crc32(name.encode()) % len(PALETTE)
        chosen = min(free, key=lambda slot: (slot - wanted) % len(PALETTE))
        free.remove(chosen)
        found[name] = chosen
    return found


def contender_scales(summary: Summary, names: Sequence[str]) -> tuple[alt.Scale, alt.Scale]:
    """Colours and marks of these contenders."""
    hues, marks = colours(summary), shapes(summary)
    return alt.Scale(domain=list(names), range=[hues[name] for name in names]), alt.Scale(
        domain=list(names), range=[marks[name] for name in names]
    )


def race_scales(summary: Summary, names: Sequence[str]) -> tuple[alt.Scale, alt.Scale]:
    """A race has its challenger's colour, and a dash of its own."""
    known, order = colours(summary), [each.name for each in summary.suite.races]
    challengers = [summary.suite.race(name).challenger for name in names]
    dashes: list[Any] = [DASHES[order.index(name) % len(DASHES)] for name in names]
    return alt.Scale(domain=list(names), range=[known.get(name, PALETTE[0]) for name in challengers]), alt.Scale(
        domain=list(names), range=dashes
    )


def _contenders(summary: Summary) -> list[str]:
    return list(dict.fromkeys([*summary.suite.contenders, *(each.contender for each in summary.cells)]))


def ends(found: Interval) -> tuple[float, float]:
    """The ends of a band: the interval, cut at a factor of ten so that one bad row does not flatten the rest."""
    if not found.known:
        return found.value, found.value
    return max(found.low, found.value / 10), min(found.high, found.value * 10)


def short(value: float) -> float:
    """Four digits, which are more than a chart shows."""
    return float(f"{value:.4g}")


def confirmed_crossings(search: SearchSummary) -> tuple[Crossing, ...]:
    """The crossings that are results, and not brackets."""
    if search.located is None or search.located.location.status not in ("crossing", "several"):
        return ()
    return search.located.location.crossings


def heads_axis(rows: Sequence[dict[str, Any]], title: str) -> alt.X:
    """The N axis."""
    known = [row["N"] for row in rows] or [1]
    return alt.X(
        "N:Q", scale=alt.Scale(type="log", nice=False, padding=12), title=title, axis=log_axis(min(known), max(known))
    )


def log_axis(low: float, high: float, **more: Any) -> alt.Axis:
    """A logarithmic axis that has labels however short it is: decades, or 1, 2 and 5, or round numbers between."""
    return alt.Axis(
        values=ticks(low, high), labelExpr=_SHORT_NUMBER, labelOverlap="greedy", labelSeparation=4, grid=True, **more
    )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, at least three where there are as many."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        found = [factor * 10.0**power for power in powers for factor in factors if low <= factor * 10.0**power <= high]
        if len(found) > (_MANY_DECADES if factors == (1,) else _FEW_LABELS):
            return found
    width = (high - low) / 3 or low
    step = 10.0 ** math.floor(math.log10(width)) * next(
        each for each in (5, 2, 1) if each <= width / 10.0 ** math.floor(math.log10(width))
    )
    first, last = math.ceil(low / step - _ROUNDING), math.floor(high / step + _ROUNDING)
    return [float(f"{step * place:.9g}") for place in range(first, last + 1)] or [low]


_SHORT_NUMBER = "datum.value >= 1000 ? format(datum.value, '.3~s') : format(datum.value, '.3~g')"


def labels(
    rows: Sequence[dict[str, Any]], name: str, x: str, y: str, colour: alt.Color, *, show: str = "", log: bool = True
) -> alt.Chart:
    """The names of the series beside the last of their points, pushed apart where they would lie upon each other."""
    ends: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row[name] not in ends or row[x] >= ends[row[name]][x]:
            ends[row[name]] = row
    kept = {name, x, y, show or name, "contender", "race"}
    found = [{key: value for key, value in row.items() if key in kept} for row in ends.values()]
    places = spread_apart([row[y] for row in found], [row[y] for row in rows], log=log)
    found = [{**row, "end": row[y], y: place} for row, place in zip(found, places, strict=True)]
    scale = alt.Scale(type="log") if log else alt.Scale(zero=False)
    drawn: alt.Chart = (
        chart(found)
        .mark_text(align="left", baseline="middle", dx=9, fontSize=11, fontWeight="bold")
        .encode(
            x=alt.X(f"{x}:Q", scale=alt.Scale(type="log")), y=alt.Y(f"{_escaped(y)}:Q", scale=scale),
            text=alt.Text(f"{show or name}:N"), color=colour,
        )
        .properties(name=LABELS)
    )  # fmt: skip
    return drawn


def spread_apart(values: Sequence[float], known: Sequence[float], *, log: bool = True) -> list[float]:
    """Values moved so far that labels at them are readable, on an axis over all that is known; page.js does the same."""
    write = math.log if log else float
    read = math.exp if log else float
    bottom, top = (write(end) for end in (min(known), max(known))) if known else (0.0, 1.0)
    gap = _LABEL_HEIGHT / HEIGHT * ((top - bottom) or 1.0)
    order = sorted(range(len(values)), key=lambda place: -values[place])
    places = [write(values[place]) for place in order]
    for place in range(1, len(places)):
        places[place] = min(places[place], places[place - 1] - gap)
    if places and places[-1] < bottom:
        places[-1] = bottom
        for place in range(len(places) - 2, -1, -1):
            places[place] = max(places[place], places[place + 1] + gap)
    found = dict(zip(order, (short(read(each)) for each in places), strict=True))
    return [found[place] for place in range(len(values))]


def as_picture(spec: dict[str, Any]) -> dict[str, Any]:
    """A chart as a picture: names beside at most six series, and a legend for more; page.js does the same."""
    named = next((each for each in spec.get("layer", ()) if each.get("name") == LABELS), None)
    if named is None:
        return spec
    rows = spec["datasets"][named["data"]["name"]]
    if len(rows) > MOST_LABELS:
        return {**spec, "layer": [each for each in spec["layer"] if each is not named]}
    return dict(without_legends(spec))


def without_legends(part: Any) -> Any:
    """A chart, or a part of it, whose encodings show no legend."""
    if isinstance(part, list):
        return [without_legends(each) for each in part]
    if not isinstance(part, dict):
        return part
    return {
        key: None if key == "legend" else value if key in ("config", "datasets") else without_legends(value)
        for key, value in part.items()
    }


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
    data: Any = alt.InlineData(values=tuple(rows))  # Altair's stubs leave this constructor untyped
    return alt.Chart(data)
