"""From the folders of runs to the report of a fleet: files, and tables for a terminal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import plain_file, plain_json
from harness.analysis.fleet.fleet import Fleet, fleet
from harness.analysis.summary import summarise
from harness.printable import one_line
from harness.records.reader import LARGEST_OBJECT, RUN
from harness.records.writer import read, write_atomically, writing
from harness.report import markdown, terminal
from harness.report.fleet import data, page, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

_TOGETHER = "fleet.json"  # of `harness run --on`, beside the folders of the machines
FORMS = {"html": "fleet.html", "markdown": "fleet.md", "json": "fleet.json"}


def of(folders: Sequence[Path], *, force: bool = False) -> Fleet:
    """The fleet that the runs in these folders make.

    Raises:
        RecordsError: where one cannot be read.
        UserError: as `harness.analysis.fleet.fleet.fleet`.
    """
    runs = [run for each in folders for run in _runs(each)]
    found = fleet([summarise(read(each)) for each in runs], [_name(each) for each in runs], force=force)
    absent = [
        name for each in folders for place, name in _given_names(each).items() if not (each / place / RUN).is_file()
    ]
    return replace(found, notes=(*found.notes, *(f"{name}: nothing of its run has arrived" for name in absent)))


def _runs(folder: Path) -> list[Path]:
    """The runs of several machines in a folder that holds what `harness run --on` wrote; else the folder itself."""
    return [folder / each for each in _given_names(folder) if (folder / each / RUN).is_file()] or [folder]


def _name(run: Path) -> str:
    """What the machine of a run is called, where it was one of several."""
    place = run.absolute()
    return _given_names(place.parent).get(place.name, "")


def _given_names(folder: Path) -> dict[str, str]:
    """Names of machines by the folders of their runs; empty where the file is not there or is not what it should be."""
    try:
        machines = plain_json.parsed(plain_file.text(folder / _TOGETHER, LARGEST_OBJECT))["machines"]
        found = {str(about["folder"]): one_line(str(name), 80) for name, about in machines.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return {each: name for each, name in found.items() if each not in ("", ".", "..") and Path(each).name == each}


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
