"""From a run's folder to its report: written beside the records, and shown on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.summary import Summary, summarise
from harness.records.store import read, write_atomically
from harness.report import markdown, terminal

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console


def write(folder: Path) -> Summary:
    """Summarises the records of a folder and writes report.md beside them."""
    summary = summarise(read(folder))
    write_atomically(folder / "report.md", markdown.render(summary))
    return summary


def show(summary: Summary, console: Console, folder: Path) -> None:
    """Prints the summary and where the rest of it is."""
    terminal.render(summary, console)
    console.print(f"report: {folder / 'report.md'}", markup=False, highlight=False, soft_wrap=True)
