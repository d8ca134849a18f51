"""The pairs of a search in the order of time: what an answer rests on, sample by sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import altair as alt

from harness.records.samples import pairs
from harness.report.plots.grammar import HEIGHT, Plot, chart, log_axis, short, tooltip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.summary import SearchSummary, Summary

_PLACES = 3  # N of each search: those next to its crossover
_MOST = 240  # pairs of one N; where there are more, every second, third, … is drawn


def pairs_over_time(summary: Summary) -> Plot | None:
    """The pairs at the N next to the first crossover; the page offers those of the other searches."""
    found = evidence(summary)
    if not found:
        return None
    first = found[0]
    rows: list[dict[str, Any]] = [
        {"pair": place, "launch": launch, "minutes": minutes, "ratio": ratio}
        for place, (launch, minutes, ratio) in enumerate(
            zip(first["launch"], first["minutes"], first["ratio"], strict=True), 1
        )
    ]
    y = alt.Y(
        "ratio:Q", scale=alt.Scale(type="log", nice=False, padding=8), title="baseline / challenger",
        axis=log_axis(min(row["ratio"] for row in rows), max(row["ratio"] for row in rows)),
    )  # fmt: skip
    x = alt.X("pair:Q", title="pair, in the order of time", scale=alt.Scale(zero=False, nice=False, padding=8))
    hue = alt.Color(
        "launch:O", scale=alt.Scale(range=["#4a5fd0", "#dd6611"], domain=sorted({row["launch"] for row in rows})),
        legend=None,
    )  # fmt: skip
    layers = [
        chart([{"one": 1}]).mark_rule(strokeDash=[6, 4], color="gray").encode(y=alt.Y("one:Q")),
        chart(rows).mark_point(filled=True, size=26, opacity=0.8).encode(x=x, y=y, color=hue, tooltip=tooltip(rows)),
    ]
    return Plot(
        name="pairs",
        title="Pairs over time",
        caption="Each dot is one pair of adjacent samples: above the dashed line the challenger was faster. The colour "
        "changes with every launch, that is with every fresh process.",
        chart=alt.layer(*layers).properties(height=HEIGHT * 3 // 4, width="container"),
    )


def evidence(summary: Summary) -> list[dict[str, Any]]:
    """For each search and each N next to its crossover: launch, minutes since the first pair, and ratio of every pair."""
    return [each for search in summary.searches for each in _rows_of(search, summary)]


def _rows_of(search: SearchSummary, summary: Summary) -> Iterator[dict[str, Any]]:
    if search.located is None:
        return
    location = search.located.location
    probes = [each for each in location.probes if each.launches > 1] or list(location.probes)
    if not probes:
        return
    low, high = location.bracket or (location.low, location.high)
    middle = location.crossings[0].heads if location.crossings else math.sqrt(low * high)
    near = sorted(probes, key=lambda each: abs(math.log(each.heads / middle)))[:_PLACES]
    for heads in sorted(each.heads for each in near):
        if rows := list(_pairs(search, summary, heads)):
            rows = rows[:: math.ceil(len(rows) / _MOST)]
            start = rows[0][1]
            yield {
                "search": search.case.label, "race": search.case.race, "N": heads, "launch": [launch for launch, _, _ in rows],
                "minutes": [round((at - start) / 60, 2) for _, at, _ in rows],
                "ratio": [short(ratio) for _, _, ratio in rows],
            }  # fmt: skip


def _pairs(search: SearchSummary, summary: Summary, heads: int) -> Iterator[tuple[int, float, float]]:
    """Launch, time and ratio of the pairs that the search asked for at one N."""
    batch = search.case.batch_size
    ours, theirs = (
        {each.visit: each for each in summary.visits.get((name, heads, batch), ()) if each.leg == search.case.label}
        for name in (search.case.baseline, search.case.challenger)
    )
    for visit in sorted(ours.keys() & theirs.keys()):
        if ours[visit].outcome == theirs[visit].outcome == "measured":
            for pair in pairs(ours[visit], theirs[visit]):
                if pair.baseline > 0 and pair.challenger > 0:
                    yield ours[visit].launch, pair.started, pair.baseline / pair.challenger
