"""What a report says in sentences: what was asked, the answers, and the doubts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.analysis.cells import CellSummary
    from harness.analysis.summary import Summary
    from harness.suite.schema import Suite


def headline(summary: Summary) -> str:
    """What was asked, in one sentence; the answers are the sentences of the searches."""
    suite, grid = summary.suite, summary.suite.heads
    batches = ", ".join(str(each) for each in suite.batch_sizes)
    searched = len({search.case.race for search in summary.searches})
    races = f"; {counted(searched, 'race')}" if searched else ""
    if suite.functions:
        return f"{counted(len(suite.contenders), 'function')} from n = {grid.low:,} to {grid.high:,}{races}"
    contenders = counted(len(suite.contenders), "contender")
    return f"{contenders} from N = {grid.low:,} to {grid.high:,} at batch {batches}{races}"


def launches_in_words(suite: Suite, *, searched: bool) -> str:
    """How many launches a suite asks for, and over how many minutes they are spread on purpose."""
    minutes = suite.measurement.spread_seconds(searched=searched) / 60
    over = f" over about {minutes:.0f} minutes" if minutes >= 1 else ""
    return f"{counted(suite.measurement.launches, 'launch')}{over}"


def sentences(summary: Summary) -> list[str]:
    """The answer of each search in one sentence, its reservations beside it, its quality and the search's notes below."""
    found = []
    for search in summary.searches:
        reserved = f" ({'; '.join(search.reservations)})" if search.reservations else ""
        found.append(f"{search.case.race}: {search.sentence}{reserved}")
        if search.constrained is not None:
            found.append(f"{search.case.race}: {search.constrained.sentence}")
        found.extend(f"{search.case.title}: note: {note}" for note in search.notes)
    return found


def cell_warnings(summary: Summary) -> list[str]:
    """The doubts of all cells, each kind once, with how many rows it concerns."""
    return warnings_of(summary.cells)


def warnings_of(cells: Iterable[CellSummary]) -> list[str]:
    """The doubts of these cells, each kind once."""
    found: dict[tuple[str, str], list[tuple[CellSummary, str]]] = {}
    for cell in cells:
        for doubt in cell.warnings:
            found.setdefault((doubt.code, doubt.remedy), []).append((cell, str(doubt)))
    return [_warning(rows) for rows in found.values()]


def _warning(rows: Sequence[tuple[CellSummary, str]]) -> str:
    cell, sentence = rows[0]
    place = f"{cell.contender} at N = {cell.heads:,}, batch {cell.batch_size}"
    more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f"{sentence} ({place}{more})"
