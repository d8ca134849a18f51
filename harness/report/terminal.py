"""A run on the terminal: tables, crossovers, documented figures, and what to doubt."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table as Grid

from harness.analysis.data import lines
from harness.report import tables, wording
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

    from harness.analysis.summary import Summary
    from harness.report.table import Table

_MOST_ROWS = 40  # of a table on a terminal
_VERDICTS = {"reproduced": "green", "not reproduced": "yellow", "not comparable here": "dim"}


def render(summary: Summary, console: Console) -> None:
    """Prints a run; names from suites and plugins are never read as markup."""
    console.print(f"[bold]{escape(summary.suite.name)}[/bold]: {escape(wording.headline(summary))}")
    _list("Data", lines(summary.data), console)
    for each in itertools.chain(tables.latencies(summary, per_query=False), tables.relative(summary)):
        _grid(each, console)
    if summary.legs:
        _list("Crossovers", wording.sentences(summary), console)
        _list("", [each.sentence for each in summary.dispatch if each.sentence], console)
    if summary.documented:
        console.print("[bold]Documented and measured[/bold]")
        for compared in summary.documented:
            colour = _VERDICTS[compared.verdict]
            console.print(f"  [{colour}]●[/{colour}] {escape(compared.sentence)}", soft_wrap=True)
    for each in tables.waterfalls(summary):
        _grid(each, console)
    if summary.fidelity:
        _grid(tables.fidelity(summary), console)
        _list("", summary.remarks, console)
    _limits(tables.limits(summary, searched=False), console)
    if summary.failures:
        _list(
            "Failures",
            [
                f"{cell.contender} at N = {cell.heads:,}, batch {cell.batch_size}: {cell.failure}"
                for cell in summary.failures
            ],
            console,
            "red",
        )
    if summary.self_check.points:
        _list("", [summary.self_check.sentence], console, "yellow" if summary.self_check.passed is False else "")
    _list("Warnings", [*summary.warnings, *wording.doubts(summary)], console, "yellow")


def _limits(found: Table, console: Console) -> None:
    if len(found.rows) > _MOST_ROWS:
        console.print(
            f"[bold]{escape(found.title)}[/bold]: {counted(len(found.rows), 'row')}, in the report", highlight=False
        )
        return
    _grid(found, console)


def _grid(found: Table, console: Console) -> None:
    """One table; wide ones are cut into several with its keys repeated."""
    if not found.rows:
        return
    for columns in _fitting(found, console.width):
        grid = Grid(title=escape(found.title), title_justify="left", header_style="bold")
        for column in columns:
            grid.add_column(
                escape(found.columns[column]), justify="right" if column in found.numeric else "left", overflow="fold"
            )
        for row in found.rows:
            grid.add_row(*(escape(row[column].text) for column in columns))
        console.print(grid)
    if found.note:
        console.print(f"[dim]{escape(found.note)}[/dim]", soft_wrap=True)


def _fitting(found: Table, width: int) -> list[list[int]]:
    """Columns in groups that fit the terminal side by side, the columns that say what a row is in each."""
    widths = [
        max(len(found.columns[column]), *(len(row[column].text) for row in found.rows)) + 3
        for column in range(len(found.columns))
    ]
    keys = list(found.keys)
    groups: list[list[int]] = [list(keys)]
    used = start = sum(widths[column] for column in keys)
    for column in range(len(widths)):
        if column in keys:
            continue
        if used + widths[column] > width and len(groups[-1]) > len(keys):
            groups.append(list(keys))
            used = start
        groups[-1].append(column)
        used += widths[column]
    return groups


def _list(title: str, lines: Iterable[str], console: Console, colour: str = "") -> None:
    """Sentences below a title; nothing where there are none."""
    told = list(lines)
    if told and title:
        console.print(f"[bold {colour}]{title}[/]" if colour else f"[bold]{title}[/bold]")
    for line in told:
        console.print(f"  {escape(line)}", soft_wrap=True)
