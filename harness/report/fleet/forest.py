"""N* of each machine with its interval, a row each, and below them where an unseen machine would lie."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import altair as alt

from harness.report.fleet.tables import title
from harness.report.plots.grammar import Plot, chart, log_axis, tooltip, unvalidated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.fleet.fleet import Fleet, FleetSearch, Place

_ROW = 24  # pixels
_LETTER, _WIDEST = 6.5, 170  # pixels of a letter, and of a row's name
_COLOUR, _PREDICTION, _DIAMOND = "#2166ac", "#8c959f", "#b35806"
_UNSEEN = "an unseen machine"
_NARROWEST = 1.5  # the largest N of the axis over the smallest, at least


@unvalidated
def forests(fleet: Fleet) -> list[Plot]:
    """One for each race and batch size at which a machine has an N*."""
    return [plot for place, search in enumerate(fleet.searches) if (plot := _forest(search, place)) is not None]


def _forest(search: FleetSearch, place: int) -> Plot | None:
    rows = [row for each in search.places for row in _row(each)]
    if not rows:
        return None
    names = [each.machine.name for each in search.places] + ([_UNSEEN] if search.estimate else [])
    unseen = []
    if search.estimate is not None:
        unseen = [
            {
                "machine": _UNSEEN, "N*": round(math.exp(search.estimate.centre)), "low": math.exp(search.estimate.predicted_low),
                "high": math.exp(search.estimate.predicted_high),
            }
        ]  # fmt: skip
    predicted = [
        {"machine": each.machine.name, "from limits": round(n)}
        for each, n in zip(search.places, search.transfer.predicted, strict=True)
        if n is not None
    ]
    ends = [row[name] for row in (*rows, *unseen) for name in ("low", "high")] + [
        each["from limits"] for each in predicted
    ]
    low, high = max(min(ends), 0.5), max(ends)
    middle = math.sqrt(low * high)
    low, high = min(low / 1.1, middle / _NARROWEST**0.5), max(high * 1.1, middle * _NARROWEST**0.5)
    scale = alt.Scale(type="log", nice=False, domain=[low, high])
    size = search.places[0].machine.summary.suite.size_title
    room = min(_LETTER * max(map(len, names)), _WIDEST)
    axis = alt.Axis(labelLimit=_WIDEST, minExtent=room, ticks=False, domain=False, grid=True)
    y = alt.Y("machine:N", sort=names, title=None, axis=axis, scale=alt.Scale(domain=names))
    left = alt.X("low:Q", scale=scale, title=f"N* ({size})", axis=log_axis(low, high))
    shown = tooltip(rows, ("machine", "N*", "low", "high", "undecided between"))
    point = alt.X("N*:Q".replace("*", "\\*"), scale=scale)
    layers: list[Any] = [
        chart(rows)
        .mark_bar(height=6, opacity=0.45, color=_COLOUR)
        .encode(x=left, x2=alt.X2("high:Q"), y=y, tooltip=shown),
        chart(rows).mark_point(filled=True, size=70, color=_COLOUR, opacity=1).encode(x=point, y=y, tooltip=shown),
    ]
    caption = "Points and bars: N* of each machine with its interval."
    if unseen:
        hover = tooltip(unseen, ("machine", "N*", "low", "high"))
        layers += [
            chart(unseen)
            .mark_bar(height=6, opacity=0.7, color=_PREDICTION)
            .encode(x=left, x2=alt.X2("high:Q"), y=y, tooltip=hover),
            chart(unseen)
            .mark_tick(height=14, thickness=2, color=_PREDICTION, opacity=1)
            .encode(x=point, y=y, tooltip=hover),
        ]
        caption += " Grey: the 95 % prediction interval of an unseen machine, and the middle of the machines."
    if predicted:
        layers.append(
            chart(predicted)
            .mark_point(shape="diamond", size=80, filled=False, strokeWidth=2, color=_DIAMOND, opacity=1)
            .encode(x=alt.X("from limits:Q", scale=scale), y=y, tooltip=tooltip(predicted))
        )
        caption += " Diamonds: predicted from limits and the other machines."
    lacking = [each.machine.key for each in search.places if each.crossing is None]
    if lacking:
        caption += f" Without one N*: {', '.join(lacking)}."
    return Plot(
        name=f"forest-{place}", title=title(search), caption=caption,
        chart=alt.layer(*layers).properties(height=_ROW * len(names), width="container"),
    )  # fmt: skip


def _row(place: Place) -> Iterator[dict[str, Any]]:
    found = place.crossing
    if found is None or place.search is None or place.search.located is None:
        return
    decision = place.search.located.location.decision
    yield {
        "machine": place.machine.name, "N*": found.heads, "low": found.low, "high": found.high,
        "undecided between": f"{decision.below:,} to {decision.above:,}" if decision else "",
    }  # fmt: skip
