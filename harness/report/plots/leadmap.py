"""The lead map: who is faster at which N, by how much, and where that is undecided; a row for each search."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import altair as alt

from harness import units
from harness.report.plots.grammar import Plot, chart, log_axis, short, tooltip, unvalidated
from harness.report.spans import leads, undecided
from harness.suite.schema import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.summary import SearchSummary, Summary
    from harness.report.spans import Span
    from harness.search.result import Location

_ROW = 24  # pixels
_LETTER, _WIDEST = 6.5, 220  # pixels of a letter, and of a row's name
_MOST = 2.0  # doublings: a larger lead is drawn like this one
_MOST_LOG = 700.0  # of a ratio that is drawn: JSON knows no infinity
_TICK = 0.007  # of the axis between two strokes of a hatch
_COLOURS = ["#b35806", "#fdb863", "#f7f7f7", "#92c5de", "#2166ac"]  # told apart by colour-blind readers and in print
_TIMES = "datum.value == 0 ? 'equal' : (datum.value < 0 ? 'baseline ' : 'challenger ') + pow(2, abs(datum.value)) + 'x'"


@unvalidated
def lead_map(summary: Summary) -> Plot | None:
    """Who is faster at which N, for all searches of a run."""
    searches = [search for search in summary.searches if search.located is not None]
    names = _names(searches)
    rows = [row for search in searches for row in _leads(search, names[search.case.label], summary)]
    if not rows:
        return None
    low, high = min(row["low"] for row in rows), max(row["high"] for row in rows)
    scale = alt.Scale(type="log", nice=False, domain=[low, high])
    x = alt.X("low:Q", scale=scale, title=summary.suite.size_title, axis=log_axis(low, high))
    room = _LETTER * max(map(len, names.values()))  # whatever font a reader has
    axis = alt.Axis(labelLimit=_WIDEST, minExtent=min(room, _WIDEST), ticks=False, domain=False)
    y = alt.Y("search:N", sort=list(names.values()), title=None, axis=axis)
    colour = alt.Color(
        "doublings:Q",
        scale=alt.Scale(domain=[-_MOST, _MOST], range=_COLOURS, interpolate="lab", clamp=True),
        legend=alt.Legend(
            orient="bottom", title="times as fast", gradientLength=140, values=[-2, 2],
            labelExpr=_TIMES,
        ),
    )  # fmt: skip
    known = [each for each in ("fidelity", "memory") if any(row.get(each) for row in rows)]
    shown = tooltip(rows, ("search", "faster", "times as fast", "interval", "low", "high", *known))
    layers: list[Any] = [
        chart(rows).mark_rect(height=_ROW - 6).encode(x=x, x2=alt.X2("high:Q"), y=y, color=colour, tooltip=shown)
    ]
    if strokes := [row for search in searches for row in _hatch(search, names[search.case.label], low, high)]:
        layers.append(
            chart(strokes)
            .mark_tick(height=_ROW - 6, thickness=1.2, color="#222", opacity=0.85)
            .encode(x=alt.X("N:Q", scale=scale), y=y, tooltip=tooltip(strokes, ("search", "undecided")))
        )
    if figures := list(_published(summary, searches, names, low, high)):
        layers.append(
            chart(figures)
            .mark_point(shape="diamond", size=110, filled=True, color="#d01c8b", stroke="white", opacity=1)
            .encode(x=alt.X("N:Q", scale=scale), y=y, tooltip=tooltip(figures))
        )
    caption = "A row for each race and batch size. Colour: who is faster, and by how much; hatched: undecided."
    return Plot(
        name="lead-map",
        title="Who is faster at which N",
        caption=caption + (" Diamonds: published crossovers." if figures else ""),
        chart=alt.layer(*layers).properties(height=_ROW * len(names), width="container"),
    )


def _names(searches: Sequence[SearchSummary]) -> dict[str, str]:
    """What the row of each search is called: by its race alone where all have one batch size."""
    several = len({search.case.batch_size for search in searches}) > 1
    return {
        search.case.label: search.case.race + (f", batch {search.case.batch_size}" if several else "")
        for search in searches
    }


def _leads(search: SearchSummary, name: str, summary: Summary) -> Iterator[dict[str, Any]]:
    """The rows of one search, with how right its contenders are and what they hold at the nearest N at which that is known."""
    names = {"challenger": search.case.challenger, "baseline": search.case.baseline}
    for span in leads(_location(search)):
        yield {
            "search": name, "low": short(span.low), "high": short(span.high),
            "doublings": short(span.log_ratio / math.log(2)), "faster": names[span.faster] if span.faster else "neither",
            "times as fast": short(math.exp(min(abs(span.log_ratio), _MOST_LOG))), "interval": _interval(span),
            "fidelity": _fidelity(search, summary, math.sqrt(span.low * span.high)),
            "memory": _memory(search, summary, math.sqrt(span.low * span.high)),
        }  # fmt: skip


def _fidelity(search: SearchSummary, summary: Summary, heads: float) -> str:
    """`student: cosine 0.9896 at N = 18`; empty where nothing was scored."""
    found = []
    for name in (search.case.baseline, search.case.challenger):
        scored = [row for row in summary.fidelity if row.contender == name and "mean_cosine" in row.scores]
        if scored:
            near = min(scored, key=lambda row: abs(math.log(row.heads / heads)))
            found.append(f"{name}: cosine {near.scores['mean_cosine']:.4f} at N = {near.heads:,}")
    return "; ".join(found)


def _memory(search: SearchSummary, summary: Summary, heads: float) -> str:
    """`teacher 80.0 MiB, student 95.0 MiB at N = 1,024`: of processes; empty where it is not known."""
    held = {
        (cell.contender, cell.heads): cell.memory_bytes or cell.peak_rss_bytes
        for cell in summary.cells
        if cell.batch_size == search.case.batch_size
        and cell.contender in (search.case.baseline, search.case.challenger)
    }
    both = [at for (name, at), size in held.items() if name == search.case.baseline and size and
            held.get((search.case.challenger, at))]  # fmt: skip
    if not both:
        return ""
    near = min(both, key=lambda at: abs(math.log(at / heads)))
    sizes = (f"{name} {units.size(held[name, near] or 0)}" for name in (search.case.baseline, search.case.challenger))
    return f"{', '.join(sizes)} at N = {near:,}"


def _interval(span: Span) -> str:
    """The ratio's interval, as times that the faster one is faster."""
    ends = sorted(units.exponential(each if span.log_ratio >= 0 else -each) for each in (span.log_low, span.log_high))
    return f"{units.ratio(ends[0])} to {units.ratio(ends[1])}"


def _hatch(search: SearchSummary, name: str, low: float, high: float) -> Iterator[dict[str, Any]]:
    """Strokes over what is undecided, evenly spread on the axis; one where it is narrower than two of them."""
    width = math.log(high / low) or 1.0
    for first, last in undecided(_location(search)):
        start, end = max(first, low), min(last, high)
        if end < start:
            continue
        strokes = max(1, round(math.log(end / start) / width / _TICK))
        span = f"{start:,.0f} to {end:,.0f}"
        for place in range(strokes):
            yield {
                "search": name,
                "N": short(start * (end / start) ** ((place + 0.5) / strokes)),
                "undecided": span,
            }


def _published(
    summary: Summary, searches: Sequence[SearchSummary], names: Mapping[str, str], low: float, high: float
) -> Iterator[dict[str, Any]]:
    """Documented crossovers, at the rows of their races."""
    rows = {(search.case.race, search.case.batch_size): names[search.case.label] for search in searches}
    for each in summary.documented:
        figure = each.figure
        if isinstance(figure, Figure) and each.quantity == "crossover" and figure.crossover:
            row = rows.get((figure.race, figure.batch_size))
            if row is not None and low <= figure.crossover <= high:
                yield {"search": row, "N": figure.crossover, "published": each.documented}


def _location(search: SearchSummary) -> Location:
    assert search.located is not None
    return search.located.location
