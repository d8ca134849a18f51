"""From a run's folder to its report: written beside the records, and shown on a terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from harness.analysis.regret import mean_regret
from harness.analysis.summary import Summary, summarise
from harness.records.writer import read, write_atomically
from harness.report import data, html, markdown, terminal
from harness.report.plots import save
from harness.report.tracebacks import tracebacks
from harness.report.verification import STORED

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from harness.analysis.dispatch import Table
    from harness.analysis.statistics import Interval

DISPATCH = "dispatch.json"
PAGE = "report.html"


def write(folder: Path) -> Summary:
    """Summarises the records of a folder, and writes its reports and dispatch.json beside them."""
    summary = summarise(read(folder))
    write_atomically(folder / "report.md", markdown.render(summary))
    write_atomically(folder / STORED, data.to_json(summary))
    write_atomically(folder / PAGE, html.render(summary))
    if summary.dispatch:
        write_atomically(folder / DISPATCH, dispatch(summary.dispatch))
    return summary


def rendered(folder: Path, form: str) -> str:
    """The report of a folder as `html`, `markdown`, `json` or `csv`."""
    summary = summarise(read(folder))
    if form == "html":
        return html.render(summary)
    return {"markdown": markdown.render, "json": data.to_json, "csv": data.to_csv}[form](summary)


def plots(folder: Path, output: Path) -> list[Path]:
    """Every plot of a run as SVG and as PNG."""
    summary = summarise(read(folder))
    return [*save(summary, output, "svg"), *save(summary, output, "png")]


def dispatch(found: tuple[Table, ...]) -> str:
    """dispatch.json: for each race and batch size which contender to use at each N, and the regret of that."""
    rows = [
        {
            **asdict(table),
            "mean_regret": table.mean_regret if table.checked else None,
            "mean_regret_interval": _finite_ends(mean_regret(table.checked)),
            "largest_regret": table.largest_regret if table.checked else None,
        }
        for table in found
    ]
    return json.dumps({"schema_version": 1, "races": rows}, indent=1) + "\n"


def _finite_ends(found: Interval) -> list[float] | None:
    return [found.low, found.high] if found.known else None


def show(summary: Summary, console: Console, folder: Path, *, verbose: bool = False) -> None:
    """Prints the answers on one screen, and where the rest is; `verbose` prints everything before it, tracebacks after it."""
    terminal.render(summary, console, folder, verbose=verbose)
    if verbose:
        terminal.tracebacks(tracebacks(read(folder)), console)
