"""From the folders of runs to the report of a fleet: files, and tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.fleet.fleet import Fleet, fleet
from harness.analysis.summary import summarise
from harness.records.writer import read, write_atomically, writing
from harness.report import markdown, terminal
from harness.report.fleet import data, page, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.console import Console

FORMS = {"html": "fleet.html", "markdown": "fleet.md", "json": "fleet.json"}


def of(folders: Sequence[Path], *, force: bool = False) -> Fleet:
    """The fleet that the runs in these folders make.

    Raises:
        RecordsError: where one cannot be read.
        UserError: as `harness.analysis.fleet.fleet.fleet`.
    """
    return fleet([summarise(read(each)) for each in folders], force=force)


def rendered(found: Fleet, form: str) -> str:
    """As `html`, `markdown` or `json`."""
    return {"html": page.render, "markdown": to_markdown, "json": data.to_json}[form](found)


def write(found: Fleet, folder: Path) -> list[Path]:
    """Writes all three into a folder, which is made where it is not there.

    Raises:
        ResourceError: where it cannot be written.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for form, name in FORMS.items():
        write_atomically(folder / name, rendered(found, form))
        paths.append(folder / name)
    return paths


def to_markdown(found: Fleet) -> str:
    """The tables and sentences as GitHub's Markdown."""
    return "\n".join(_lines(found)).rstrip() + "\n"


def show(found: Fleet, console: Console) -> None:
    """Prints the tables and the sentences."""
    terminal.fleet(
        found.suite, page.headline(found), tables.tables(found), tables.sentences(found), found.notes, console
    )


def _lines(found: Fleet) -> Iterator[str]:
    yield f"# {markdown.escape(found.suite)}"
    yield ""
    yield f"{page.headline(found)}. A crossover belongs to a machine: the runs are not pooled."
    yield ""
    yield from (f"- {markdown.escape(each)}" for each in found.notes)
    for name, said in tables.sentences(found):
        yield ""
        yield f"**{markdown.escape(name)}**"
        yield ""
        yield from (f"- {markdown.escape(each)}" for each in said)
    for table in tables.tables(found):
        yield ""
        yield f"## {table.title}"
        yield ""
        yield markdown.grid(table)
        if table.note:
            yield ""
            yield markdown.escape(table.note)
