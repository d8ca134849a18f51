"""The table of crossovers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import units
from harness.analysis.unchecked import marked
from harness.report.table import Entry, Table, text
from harness.search.coverage import covered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.summary import SearchSummary, Summary


_STATUS = {
    "crossing": "crossing",
    "several": "several crossings",
    "below": "challenger leads throughout",
    "above": "baseline leads throughout",
    "tie": "no difference",
    "unresolved": "unresolved",
}
_EXTRAPOLATED = (
    "Not measured: roofline N*, where stated costs at the rates of this machine would put it; extrapolated N*, "
    "linearly from the smallest N of the table."
)
_COUNTS = " Qualified N*: the N from which the challenger is faster and as accurate as its race requires."


def crossovers(summary: Summary) -> Table:
    """Every race and batch size with the answer of its search."""
    requiring = {race.name for race in summary.suite.races if race.requires is not None}
    rows = [
        (*row, *([_counts_from(search)] if requiring else []))
        for search in summary.searches
        for row in _crossings(search, summary)
    ]
    note = ""
    if summary.joint_confidence is not None:
        note = f"All stated crossings hold at once with a confidence of at least {summary.joint_confidence:.0%}."
    return Table(
        name="crossovers",
        title="Crossovers",
        columns=(
            *("race", "batch", "status", "N*", "interval", "leads after it", "documented", "roofline N*"),
            *("extrapolated N*", *(("qualified N*",) if requiring else ())),
        ),
        rows=tuple(rows),
        numeric=(1, 3, 6, 7, 8, *((9,) if requiring else ())),
        note=f"{note} {_EXTRAPOLATED}{_COUNTS if requiring else ''}".strip(),
    )


def _crossings(search: SearchSummary, summary: Summary) -> Iterator[tuple[Entry, ...]]:
    """One row for each crossing, or one that says why there is none."""
    start = (text(search.case.race), Entry(f"{search.case.batch_size}", search.case.batch_size))
    documented = next(
        (
            each.documented
            for each in summary.documented
            if each.quantity == "crossover" and each.subject == search.case.title
        ),
        "",
    )
    end = (
        text(documented),
        Entry("", None)
        if search.floor_crossing is None
        else Entry(units.count(search.floor_crossing), search.floor_crossing),
        Entry("", None)
        if search.predicted is None
        else Entry(units.count(search.predicted.value), search.predicted.value),
    )
    if search.located is None:
        yield (*start, text("not searched"), Entry(""), text(""), text(""), *end)
        return
    location = search.located.location
    span = covered(location)
    measured = f", measured from {span[0]:,} to {span[1]:,}" if span and location.failures else ""
    words = _STATUS[location.status].removesuffix(" throughout") if measured else _STATUS[location.status]
    status = text(f"{words}{measured}")
    stated = location.crossings if location.status in ("crossing", "several") else ()
    for crossing in stated:
        leader = search.case.challenger if crossing.direction == "challenger" else search.case.baseline
        yield (
            *start,
            status,
            Entry(f"{crossing.heads:,}", crossing.heads),
            text(f"{crossing.low:,} to {crossing.high:,}"),
            text(marked(leader, summary.unchecked)),
            *end,
        )
    if not stated:
        bracket = f"between {location.bracket[0]:,} and {location.bracket[1]:,}" if location.bracket else ""
        leader = {"below": search.case.challenger, "above": search.case.baseline}.get(location.status, "")
        yield (*start, status, Entry(""), text(bracket), text(marked(leader, summary.unchecked)), *end)


def _counts_from(search: SearchSummary) -> Entry:
    """From which N on a challenger that must be right counts; empty where its race requires nothing."""
    if search.constrained is None:
        return Entry("")
    start = search.constrained.counts_from
    return Entry(f"{start:,}", start) if start is not None else Entry("never")
