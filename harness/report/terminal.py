"""A run on the terminal: tables, crossovers, documented figures, and what to doubt."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Literal

from rich import markup
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from harness.analysis.data import lines
from harness.printable import printable
from harness.report import overview, tables, wording
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rich.console import Console

    from harness.analysis.summary import Summary
    from harness.report.table import Table

_MOST_ROWS = 40  # of a table on a terminal
_SENTENCE = 24  # columns: longer entries are sentences
_VERDICTS = {"reproduced": "green", "not reproduced": "yellow", "not comparable here": "dim"}


def render(summary: Summary, console: Console, folder: Path | None = None, *, verbose: bool = False) -> None:
    """Prints a run: one screen, and with `verbose` everything before it; names are never read as markup."""
    if verbose:
        _everything(summary, console)
        console.print()
    overview.render(summary, console, folder, failures=not verbose)


def _everything(summary: Summary, console: Console) -> None:
    console.print(f"[bold]{escape(summary.suite.name)}[/bold]: {escape(wording.headline(summary))}")
    _list("Data", lines(summary.data), console)
    for each in itertools.chain(tables.latencies(summary, per_query=False), tables.relative(summary)):
        _grid(each, console)
    if summary.searches:
        _list("Crossovers", wording.sentences(summary), console)
        _list("", [each.sentence for each in summary.dispatch if each.sentence], console)
    if summary.documented:
        console.print("[bold]Documented and measured[/bold]")
        for compared in summary.documented:
            colour = _VERDICTS[compared.verdict]
            _sentence(f"[{colour}]●[/{colour}] {escape(compared.sentence)}", console)
    for each in [*tables.waterfalls(summary), *tables.stepwise(summary)]:
        _grid(each, console)
    if summary.fidelity:
        _grid(tables.scores(summary), console)
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
        _list(
            "",
            [each for each in (summary.self_check.sentence, summary.self_check.in_blocks) if each],
            console,
            "yellow" if summary.self_check.passed is False else "",
        )
    _list("Warnings", [*summary.warnings, *wording.cell_warnings(summary)], console, "yellow")


def fleet(
    suite: str,
    headline: str,
    found: Iterable[Table],
    sentences: Iterable[tuple[str, tuple[str, ...]]],
    notes: Iterable[str],
    console: Console,
) -> None:
    """Prints the tables of several machines, and the sentences about each race."""
    console.print(f"[bold]{escape(suite)}[/bold]: {escape(headline)}", highlight=False)
    for each in found:
        _grid(each, console)
    for title, said in sentences:
        _list(escape(title), said, console)
    _list("Notes", notes, console, "yellow")


def tracebacks(found: Iterable[tuple[str, tuple[str, ...]]], console: Console) -> None:
    """Prints tracebacks as they are, each below the place where it was seen."""
    for place, texts in found:
        console.print(f"[bold red]{escape(place)}[/]", highlight=False)
        console.print("\n".join(escape(line) for line in texts), highlight=False, soft_wrap=True)


def escape(text: str) -> str:
    """Text that a terminal shows as it is: neither markup nor a control sequence."""
    return markup.escape(printable(text))


def _limits(found: Table, console: Console) -> None:
    if len(found.rows) > _MOST_ROWS:
        console.print(
            f"[bold]{escape(found.title)}[/bold]: {counted(len(found.rows), 'row')}, in the report", highlight=False
        )
        return
    _grid(found, console)


def _grid(found: Table, console: Console) -> None:
    """One table; headings are wrapped first, and what is still too wide is cut into several with its keys repeated."""
    if not found.rows:
        return
    widths = [_width(found, column) for column in range(len(found.columns))]
    for columns in _fitting(found, console.width):
        grid = Grid(title=escape(found.title), title_justify="left", header_style="bold")
        for column in columns:
            heading = textwrap.fill(found.columns[column], widths[column], break_long_words=False)
            side: Literal["right", "left"] = "right" if column in found.numeric else "left"
            grid.add_column(escape(heading), justify=side, overflow="fold", min_width=_least(found, column))
        for row in found.rows:
            grid.add_row(*(escape(row[column].text) for column in columns))
        console.print(grid)
    if found.note:
        _sentence(f"[dim]{escape(found.note)}[/dim]", console, indent=0)


def _width(found: Table, column: int) -> int:
    """Of a column: its longest entry, or the longest word of its heading."""
    words = textwrap.wrap(found.columns[column], 1, break_long_words=False)  # also parted at hyphens
    return max(1, *(len(word) for word in words), *(len(row[column].text) for row in found.rows))


def _least(found: Table, column: int) -> int:
    """Sentences may be wrapped between words, numbers and names may not."""
    entries = [row[column].text for row in found.rows]
    words = [word for entry in entries for word in entry.split()]
    return min(_width(found, column), max(_SENTENCE, *(len(word) for word in words), 0))


def _fitting(found: Table, width: int) -> list[list[int]]:
    """Columns in groups that fit the terminal side by side, the columns that say what a row is in each."""
    taken = [_least(found, column) + 3 for column in range(len(found.columns))]  # with its border
    keys = list(found.keys)
    groups: list[list[int]] = [list(keys)]
    used = start = sum(taken[column] for column in keys) + 1
    for column in range(len(taken)):
        if column in keys:
            continue
        if used + taken[column] > width and len(groups[-1]) > len(keys):
            groups.append(list(keys))
            used = start
        groups[-1].append(column)
        used += taken[column]
    return groups


def _list(title: str, lines: Iterable[str], console: Console, colour: str = "") -> None:
    """Sentences below a title; nothing where there are none."""
    texts = list(lines)
    if texts and title:
        console.print(f"[bold {colour}]{title}[/]" if colour else f"[bold]{title}[/bold]")
    for line in texts:
        _sentence(escape(line), console)


def _sentence(markup: str, console: Console, indent: int = 2) -> None:
    """A terminal gets it wrapped between words; a pipe gets it as one line, so that it can be searched for."""
    if console.is_terminal:
        console.print(Padding(Text.from_markup(markup), (0, 0, 0, indent)))
    else:
        console.print(f"{' ' * indent}{markup}", soft_wrap=True)
