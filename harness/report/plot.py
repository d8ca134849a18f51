"""The plots of a report, in one grammar: interactive in the page, SVG or PNG on request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import altair as alt

from harness.errors import ResourceError
from harness.suite.schema import Figure, LatencyFigure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harness.analysis.location import Crossing
    from harness.analysis.quality import FidelityRow
    from harness.analysis.statistics import Interval
    from harness.analysis.summary import LegSummary, Summary

_HEIGHT = 320
_BAND = 0.18  # opacity of intervals
_COLUMNS = 3  # of a picture's legend; the page takes as many as it has room for
_ROOM = 0.45  # behind the longest bar of a waterfall for its text, of its length
_NEAR = 1.35  # times N: labels of crossovers nearer than this would lie upon each other
_LABEL = 82  # pixels that the label of a crossover takes along its line


@dataclass(frozen=True)
class Plot:
    """One plot, and what a reader should see in it."""

    name: str
    title: str
    caption: str
    chart: alt.LayerChart | alt.FacetChart


def plots(summary: Summary) -> list[Plot]:
    """All plots that the run has data for, in the order of the page."""
    batches = sorted({cell.batch_size for cell in summary.cells if cell.call is not None})
    found = [_latency(summary, batch) for batch in batches]
    found += [_slowdown(summary, batch) for batch in sorted({each.batch_size for each in summary.races})]
    found += [each for each in (_frontier(summary), _fidelity(summary)) if each is not None]
    found += [_waterfall(summary, place) for place in range(len(summary.waterfalls))]
    return found


def save(summary: Summary, folder: Path, form: Literal["svg", "png"] = "svg") -> list[Path]:
    """Writes every plot as a picture.

    Raises:
        ResourceError: where the folder cannot be written.
    """
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in plots(summary):
            path = folder / f"{each.name}.{form}"
            chart = each.chart.properties(width=640, title=each.title, background="white")
            chart.configure_legend(columns=_COLUMNS).save(str(path), format=form, scale_factor=2)
            paths.append(path)
    except OSError as error:
        raise ResourceError(f"the plots cannot be written: {error.strerror}", where=str(folder)) from error
    return paths


def _latency(summary: Summary, batch: int) -> Plot:
    """Milliseconds against N on two logarithmic axes, intervals as bands, crossovers where they are."""
    rows: list[dict[str, Any]] = [
        {
            "contender": cell.contender,
            "N": cell.heads,
            "ms": 1e3 * cell.call.value,
            "low": 1e3 * _ends(cell.call)[0],
            "high": 1e3 * _ends(cell.call)[1],
            "launches": cell.launches,
        }
        for cell in summary.cells
        if cell.batch_size == batch and cell.call is not None
    ]
    seen = {row["contender"]: None for row in rows}  # also those that the records have and the suite has no more
    names = [name for name in summary.suite.contenders if name in seen]
    names += [name for name in seen if name not in names]
    base = _chart(rows).encode(
        x=_heads(rows),
        color=alt.Color("contender:N", sort=names, legend=_legend(len(names))),
    )
    y = alt.Y("ms:Q", scale=alt.Scale(type="log", nice=False), title="median ms per call")
    band = base.mark_area(opacity=_BAND).encode(
        y=alt.Y("low:Q", scale=alt.Scale(type="log"), title="median ms per call"), y2="high:Q"
    )
    points = base.mark_point(filled=True, size=40, opacity=1).encode(
        y=y, shape=alt.Shape("contender:N", sort=names, legend=None), tooltip=_tooltip(rows)
    )
    documented = list(_documented_marks(summary, batch, names))
    layers = [band, base.mark_line().encode(y=y), points, *_marks(summary, batch, rows), *documented]
    return Plot(
        name=f"latency-batch-{batch}",
        title=f"Latency against N, batch {batch}",
        caption="Bands are intervals over launches, cut at a factor of ten; vertical lines are crossovers, "
        "their shade is the interval of N*."
        + (
            " Dotted lines are documented crossovers; diamonds are documented slowdowns, from the measured baseline."
            if documented
            else ""
        ),
        chart=alt.layer(*layers).properties(height=_HEIGHT, width="container"),
    )


def _slowdown(summary: Summary, batch: int) -> Plot:
    """Challenger over baseline against N: below one the challenger leads."""
    rows: list[dict[str, Any]] = [
        {
            "race": each.race,
            "N": each.heads,
            "slowdown": each.slowdown.value,
            "low": _ends(each.slowdown)[0],
            "high": _ends(each.slowdown)[1],
            "launches": each.slowdown.launches,
        }
        for each in summary.races
        if each.batch_size == batch
    ]
    base = _chart(rows).encode(
        x=_heads(rows), color=alt.Color("race:N", legend=_legend(len({row["race"] for row in rows})))
    )
    y = alt.Y("slowdown:Q", scale=alt.Scale(type="log"), title="challenger / baseline")
    layers = [
        _chart([{"one": 1}]).mark_rule(strokeDash=[6, 4], color="gray").encode(y="one:Q"),
        base.mark_area(opacity=_BAND).encode(
            y=alt.Y("low:Q", scale=alt.Scale(type="log"), title="challenger / baseline"), y2="high:Q"
        ),
        base.mark_line().encode(y=y),
        base.mark_point(filled=True, size=30, opacity=1).encode(y=y, tooltip=_tooltip(rows)),
    ]
    documented = list(_documented_points(summary, batch))
    if documented:
        layers.append(
            _chart(documented)
            .mark_point(shape="diamond", size=160, strokeWidth=2, filled=False)
            .encode(
                x=alt.X("N:Q", scale=alt.Scale(type="log")), y=alt.Y("slowdown:Q", scale=alt.Scale(type="log")),
                color=alt.Color("race:N"), tooltip=_tooltip(documented),
            )
        )  # fmt: skip
    return Plot(
        name=f"slowdown-batch-{batch}",
        title=f"Slowdown of the challenger, batch {batch}",
        caption="Below the dashed line the challenger is faster. Diamonds are documented figures, not measurements."
        if documented
        else "Below the dashed line the challenger is faster.",
        chart=alt.layer(*layers).properties(height=_HEIGHT, width="container"),
    )


def _ends(found: Interval) -> tuple[float, float]:
    """The ends of a band: the interval, cut at a factor of ten so that one bad row does not flatten the rest."""
    if not found.known:
        return found.value, found.value
    return max(found.low, found.value / 10), min(found.high, found.value * 10)


def _documented_points(summary: Summary, batch: int) -> Iterator[dict[str, Any]]:
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


def _frontier(summary: Summary) -> Plot | None:
    """N* against the batch size, for races that were searched at several."""
    rows: list[dict[str, Any]] = [
        {
            "race": leg.leg.race,
            "batch": leg.leg.batch_size,
            "N*": crossing.heads,
            "low": crossing.low,
            "high": crossing.high,
            "leads after it": leg.leg.challenger if crossing.direction == "challenger" else leg.leg.baseline,
        }
        for leg in summary.legs
        for crossing in _stated(leg)
    ]
    several = {
        race for race in {row["race"] for row in rows} if len({r["batch"] for r in rows if r["race"] == race}) > 1
    }
    rows = [row for row in rows if row["race"] in several]
    if not rows:
        return None
    batches = sorted({row["batch"] for row in rows})
    base = _chart(rows).encode(
        x=alt.X(
            "batch:Q",
            scale=alt.Scale(type="log", nice=False, padding=20),
            axis=alt.Axis(values=batches, format="~s"),
            title="batch size",
        ),
        color=alt.Color("race:N", legend=_legend(len(several))),
    )
    y = alt.Y("N\\*:Q", scale=alt.Scale(type="log"), title="N*: heads at which the lead changes")
    layers = [
        base.mark_line(opacity=0.5).encode(y=y, detail="leads after it:N"),
        base.mark_rule(strokeWidth=3).encode(y=alt.Y("low:Q", scale=alt.Scale(type="log"), title=""), y2="high:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, tooltip=_tooltip(rows)),
    ]
    return Plot(
        name="frontier",
        title="Frontier: the crossover against the batch size",
        caption="Bars are the intervals of N*; above the line the one that leads after the crossover is faster.",
        chart=alt.layer(*layers).properties(height=_HEIGHT, width="container"),
    )


def _fidelity(summary: Summary) -> Plot | None:
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
    base = _chart(rows).encode(
        x=alt.X(f"{name}:Q", scale=alt.Scale(type="log", padding=20), title=name),
        color=alt.Color("contender:N", legend=_legend(len({row["contender"] for row in rows}))),
    )
    y = alt.Y("cosine:Q", scale=alt.Scale(zero=False), title="mean cosine to the teacher")
    layers = [
        base.mark_line(opacity=0.6).encode(y=y),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=alt.Scale(zero=False), title=""), y2="high:Q"),
        base.mark_point(filled=True, size=50, opacity=1).encode(y=y, tooltip=_tooltip(rows)),
    ]
    return Plot(
        name="fidelity",
        title=f"Fidelity against {name}, beside trivial students",
        caption="A cosine means something only above the constant's. Bars are 95 % bootstrap intervals over queries.",
        chart=alt.layer(*layers).properties(height=_HEIGHT, width="container"),
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


def _waterfall(summary: Summary, place: int) -> Plot:
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
    base = _chart(rows).encode(
        y=alt.Y("step:N", sort=[row["step"] for row in rows], title=None, axis=alt.Axis(labelLimit=260))
    )
    least, most = min(1.0, *(row["low"] for row in rows)), max(1.0, *(row["high"] for row in rows))
    most *= (most / least) ** _ROOM
    scale = alt.Scale(type="log", nice=False, domain=[least, most])
    x = alt.X("ratio:Q", scale=scale, title="ratio")
    layers = [
        base.mark_bar(opacity=0.75).encode(
            x=x,
            x2="one:Q",
            color=alt.Color("meaning:N", legend=_legend(3, columns=1)),
            tooltip=_tooltip(rows, ("step", "ratio", "low", "high")),
        ),
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", scale=scale, title="ratio"), x2="high:Q"),
        base.mark_text(align="left", dx=6).encode(x=alt.X("high:Q", scale=scale, title="ratio"), text="text:N"),
    ]
    return Plot(
        name=f"waterfall-{fall.race}-batch-{fall.batch_size}",
        title=f"Where the slowdown comes from: {fall.race}, N = {fall.heads:,}, batch {fall.batch_size}",
        caption="From the pair as documented, through faster forms of each side, to the fastest of both.",
        chart=alt.layer(*layers).properties(height=34 * len(rows) + 20, width="container"),
    )


def _marks(summary: Summary, batch: int, rows: Sequence[dict[str, Any]]) -> Iterator[alt.Chart]:
    """The crossovers of this batch size: a line at N*, a shade over its interval, the race's name above."""
    marks = [
        {
            "race": leg.leg.race,
            "N": each.heads,
            "low": each.low,
            "high": each.high,
            "label": f"{leg.leg.race}: {each.heads:,}",
        }
        for leg in summary.legs
        if leg.leg.batch_size == batch
        for each in _stated(leg)
    ]
    if not marks or not rows:
        return
    base = _chart(marks)
    x = alt.X("N:Q", scale=alt.Scale(type="log"))
    yield base.mark_rect(opacity=_BAND, color="gray").encode(x=alt.X("low:Q", scale=alt.Scale(type="log")), x2="high:Q")
    yield base.mark_rule(strokeDash=[4, 3], color="gray").encode(
        x=x, tooltip=_tooltip(marks, ("race", "N", "low", "high"))
    )
    for slot, labels in _slots(marks).items():
        yield (
            _chart(labels)
            .mark_text(angle=270, align="right", baseline="bottom", dx=-4, dy=-3, fontSize=10, color="gray")
            .encode(x=x, y=alt.value(slot * _LABEL), text="label:N")
        )


def _slots(marks: Sequence[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Marks by how far down their label stands: each below those of its near neighbours."""
    found: dict[int, list[dict[str, Any]]] = {}
    for mark in sorted(marks, key=lambda each: each["N"]):
        slot = 0
        while any(mark["N"] < _NEAR * other["N"] for other in found.get(slot, ())):
            slot += 1
        found.setdefault(slot % (_HEIGHT // _LABEL), []).append(mark)
    return found


def _documented_marks(summary: Summary, batch: int, names: Sequence[str]) -> Iterator[alt.Chart]:
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
        base = _chart(lines)
        tooltip = _tooltip(lines, ("race", "N", "documented"))
        yield base.mark_rule(strokeDash=[1, 3], strokeWidth=2, color="gray").encode(x=x, tooltip=tooltip)
        yield base.mark_text(
            angle=270, align="left", baseline="bottom", dx=4, dy=-3, fontSize=10, fontStyle="italic", color="gray"
        ).encode(x=x, y=alt.value(_HEIGHT), text="label:N")
    if points:
        yield (
            _chart(points)
            .mark_point(shape="diamond", size=160, strokeWidth=2, filled=False, opacity=1)
            .encode(
                x=x, y=alt.Y("ms:Q", scale=alt.Scale(type="log")), color=alt.Color("contender:N", sort=list(names)),
                tooltip=_tooltip(points),
            )
        )  # fmt: skip


def _stated(leg: LegSummary) -> tuple[Crossing, ...]:
    """The crossings that are results, and not brackets."""
    if leg.located is None or leg.located.location.status not in ("crossing", "several"):
        return ()
    return leg.located.location.crossings


def _heads(rows: Sequence[dict[str, Any]]) -> alt.X:
    """The N axis: decades, or all N where there are few."""
    known = [row["N"] for row in rows] or [1]
    decades = [10**power for power in range(math.floor(math.log10(min(known))), math.ceil(math.log10(max(known))) + 1)]
    return alt.X(
        "N:Q", scale=alt.Scale(type="log", nice=False, padding=12), title="N, number of heads",
        axis=alt.Axis(format="~s", values=decades if len(decades) > 2 else sorted(set(known)), grid=True),
    )  # fmt: skip


def _legend(entries: int, **more: Any) -> alt.Legend | None:
    """Below the plot, where a phone has room for it; none where there is nothing to tell apart."""
    if entries <= 1:
        return None
    return alt.Legend(orient="bottom", title=None, labelLimit=220, symbolOpacity=1, symbolLimit=entries, **more)


def _tooltip(rows: Sequence[dict[str, Any]], fields: Sequence[str] | None = None) -> list[alt.Tooltip]:
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


def _chart(rows: Sequence[dict[str, Any]]) -> alt.Chart:
    """A chart of rows that are part of the page."""
    data: Any = alt.InlineData(values=list(rows))  # Altair's stubs leave this constructor untyped
    return alt.Chart(data)
