"""Tables of latency: by N and contender, as times a unit, and all that is known of each cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import units
from harness.analysis import approximation
from harness.analysis.cells import PERCENTILES
from harness.analysis.settings import settings
from harness.analysis.unchecked import MARK, marked
from harness.report.table import Entry, Table, interval, seconds, size, spread, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from harness.analysis.cells import CellSummary
    from harness.analysis.summary import Summary


_MOST_COLUMNS = 6  # of contenders side by side


def latencies(summary: Summary, *, per_query: bool, searched: bool = False) -> Iterator[Table]:
    """One table N x contender of median milliseconds for each batch size.

    Args:
        summary: the run.
        per_query: per query instead of per call; batch 1, where both are the same, is left out.
        searched: also the N that only a search has visited.
    """
    grid = set(summary.suite.heads.grid())
    for batch in sorted({cell.batch_size for cell in summary.cells}):
        if per_query and (batch == 1 or summary.suite.functions):  # functions answer no queries
            continue
        here = [each for each in summary.cells if each.batch_size == batch and (searched or each.heads in grid)]
        names = [name for name in summary.suite.contenders if any(each.contender == name for each in here)]
        by_place = {(each.heads, each.contender): each for each in here}
        scored = _scored(summary)
        unit = "query" if per_query else "call"
        yield _grid(
            f"latency-{unit}-{batch}",
            f"Median ms per {unit}, batch {batch}",
            sorted({each.heads for each in here}),
            names,
            lambda heads, name: _latency(
                by_place.get((heads, name)),  # noqa: B023
                scored(heads, name),  # noqa: B023
                per_query=per_query,
            ),
            _marks(summary),
        )


def relative(summary: Summary) -> Iterator[Table]:
    """For each contender that is a unit and each batch size: how many times as fast the others are."""
    for unit, names in summary.suite.relative_to.items():
        for batch in sorted({each.batch_size for each in summary.relatives if each.unit == unit}):
            here = [each for each in summary.relatives if (each.unit, each.batch_size) == (unit, batch)]
            known = {(each.heads, each.contender): each.speedup for each in here}
            sizes = sorted({each.heads for each in here})
            yield _grid(
                f"relative-{unit}-{batch}",
                f"Times as fast as {unit}, batch {batch}",
                sizes,
                names,
                lambda heads, name: (
                    interval(known[heads, name], units.ratio) if (heads, name) in known else Entry("-")  # noqa: B023
                ),
                _marks(summary),
            )


def details(summary: Summary) -> Table:
    """Latency as users mean it, for every cell."""
    measured = [each for each in summary.cells if each.outcome == "measured"]
    where = settings(summary.suite)
    headings = {"compile_seconds": "compile", "device_seconds": "on the device"}
    rare = [name for name in headings if any(getattr(each, name) is not None for each in measured)]
    rows = [
        (
            text(marked(each.contender, summary.unchecked)),
            *((text(where.get(each.contender, "")),) if where else ()),
            Entry(f"{each.heads:,}", each.heads),
            Entry(f"{each.batch_size:,}", each.batch_size),
            interval(each.call, units.milliseconds),
            *(spread(each.percentiles.get(share), units.milliseconds) for share in PERCENTILES),
            spread(each.throughput, units.count),
            spread(each.first_call, units.seconds),
            spread(each.load, units.seconds),
            seconds(each.build_seconds),
            *(seconds(getattr(each, name)) for name in rare),
            size(each.memory_bytes or each.peak_rss_bytes),
            size(each.model_bytes),
            Entry(f"{each.launches}", each.launches),
            Entry(", ".join(dict.fromkeys(doubt.code for doubt in each.warnings)), about=_about(each)),
        )
        for each in measured
    ]
    return Table(
        name="cells",
        title="All cells",
        columns=(
            "contender", *(("where",) if where else ()), "N", "batch", "ms per call", "p50 ms", "p90 ms",
            "p95 ms", "p99 ms", "queries/s", "first call",
            "load", "build", *(headings[name] for name in rare), "memory", "model", "launches", "doubts",
        ),
        rows=tuple(rows),
        numeric=tuple(range(1 + bool(where), 15 + bool(where) + len(rare))),
        note="Percentiles are of calls that were timed one by one, and stated where at least three calls lie beyond; "
        f"± is half a {100 * summary.suite.search.confidence:g} % interval over launches; `at least` is its lower end "
        "where too few calls bound the percentile from above. Memory is that of a process which holds the cell alone: "
        "libraries, model, and what first calls add.",
    )  # fmt: skip


def failures(summary: Summary) -> Table:
    """What has no latency, and why."""
    rows = [
        (
            text(each.contender),
            Entry(f"{each.heads:,}", each.heads),
            Entry(f"{each.batch_size}", each.batch_size),
            text(each.failure),
        )
        for each in summary.failures
    ]
    return Table(
        name="failures", title="Failures", columns=("contender", "N", "batch", "what"), rows=tuple(rows), numeric=(1, 2)
    )


def _grid(
    name: str,
    title: str,
    sizes: Sequence[int],
    contenders: Sequence[str],
    entry: Callable[[int, str], Entry],
    marks: Mapping[str, str],
) -> Table:
    """N x contenders, or contenders x N where there are many contenders and few N; who is inexact is marked."""
    label = {each: f"{each} ({marks[each]})" if each in marks else each for each in contenders}
    if len(contenders) > _MOST_COLUMNS > len(sizes):
        return Table(
            name=name,
            title=title,
            columns=("contender", *(f"N = {heads:,}" for heads in sizes)),
            rows=tuple((text(label[each]), *(entry(heads, each) for heads in sizes)) for each in contenders),
            numeric=tuple(range(1, len(sizes) + 1)),
        )
    return Table(
        name=name,
        title=title,
        columns=("N", *label.values()),
        rows=tuple((Entry(f"{heads:,}", heads), *(entry(heads, each) for each in contenders)) for heads in sizes),
        numeric=tuple(range(len(contenders) + 1)),
    )


def _marks(summary: Summary) -> dict[str, str]:
    """What is to be known of contenders, in words: `int8, inexact`, `approximates lda`, `unchecked`."""
    found: dict[str, list[str]] = {}
    for name, precision in summary.precisions.items():
        found.setdefault(name, []).append(f"{precision}, inexact")
    for name, family in summary.approximates.items():
        found.setdefault(name, []).append(f"approximates {family}")
    for name, words in settings(summary.suite).items():
        found.setdefault(name, []).append(words)
    for name in summary.unchecked:
        found.setdefault(name, []).append(MARK)
    return {name: ", ".join(marks) for name, marks in found.items()}


def _scored(summary: Summary) -> Callable[[int, str], str]:
    """The score of an approximation at an N; empty for every other contender."""
    rows = {(row.heads, row.contender): row for row in summary.fidelity}
    return lambda heads, name: approximation.score(rows.get((heads, name))) if name in summary.approximates else ""


def _latency(cell: CellSummary | None, scored: str, *, per_query: bool) -> Entry:
    """`0.012 ±3%`, an approximation's with its score, `failed`, or a dash."""
    if cell is None or cell.outcome == "skipped":
        return Entry("-")
    if cell.call is None or cell.query is None:
        return Entry("failed")
    found = cell.query if per_query else cell.call
    entry = spread(found, units.milliseconds)
    return Entry(f"{entry.text}, {scored}" if scored else entry.text, entry.value, _about(cell))


def _about(cell: CellSummary) -> str:
    """Its doubts, in sentences."""
    return "; ".join(dict.fromkeys(str(doubt) for doubt in cell.warnings))
