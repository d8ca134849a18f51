"""Commands that read what was measured: report, verify, advise, compare, history, export. None needs torch."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.terms import DONE, FAILED, console
from harness.errors import UserError

Folder = Annotated[Path, typer.Argument(help="a folder that `harness run` wrote", show_default=False)]


class Format(StrEnum):
    """Formats of a report."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


def report(
    folder: Folder,
    form: Annotated[Format | None, typer.Option("--format", help="print this; default: write all and show it")] = None,
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="write each plot as SVG and PNG")] = None,
) -> None:
    """Render the report of a run again."""
    from harness.report import writing

    if plots is not None:
        for path in writing.plots(folder, plots):
            print(path)
        return
    if form is None:
        writing.show(writing.write(folder), console(), folder)
    else:
        sys.stdout.write(writing.rendered(folder, form.value))


def verify(folder: Folder) -> None:
    """Derive every statistic, crossover and verdict again from raw seconds, and say whether the report agrees."""
    from harness.report import verification

    found = verification.verify(folder)
    print("\n".join(found.sentences))
    sys.exit(DONE if found.agrees else FAILED)


def advise(
    folder: Folder,
    heads: Annotated[int, typer.Option(min=1, help="N", show_default=False)],
    batch: Annotated[int, typer.Option(min=1, help="B")] = 1,
    queries_per_day: Annotated[float | None, typer.Option(help="how often it is asked")] = None,
    require: Annotated[
        list[str] | None, typer.Option(metavar="SCORE=VALUE", help="such as top1_agreement=0.95; may be repeated")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="largest memory of a process, such as 64MB")
    ] = None,
) -> None:
    """Say which contender to use for an N and a batch size, and how sure that is."""
    from harness import units
    from harness.analysis import summary
    from harness.analysis.advice import advice, correctness
    from harness.records.writer import read

    found = advice.advise(
        summary.summarise(read(folder)),
        heads,
        batch,
        queries_per_day=queries_per_day,
        require=correctness.parsed(require or []),
        memory_bytes=units.parse_size(memory) if memory else None,
    )
    print("\n".join([*found.sentences, *found.documented]))
    sys.exit(DONE if any(not each.refused for each in found.options) else FAILED)


def compare(
    old: Annotated[Path, typer.Argument(help="the run to compare with", show_default=False)],
    new: Annotated[Path, typer.Argument(help="the run that is judged", show_default=False)],
    threshold: Annotated[
        str | None, typer.Option(help="relative change that matters, such as 5%; default: of the suite, or 5%")
    ] = None,
    force: Annotated[bool, typer.Option(help="judge although the machines differ")] = False,
    markdown: Annotated[bool, typer.Option(help="print Markdown, for a pull request")] = False,
) -> None:
    """Compare two runs cell by cell; exits with 1 where something regressed."""
    from harness import units
    from harness.analysis.compare import runs
    from harness.records.writer import read
    from harness.report import comparison

    found = runs.compare(read(old), read(new), units.parse_share(threshold, "--threshold") if threshold else None)
    if found.machine and not force:
        raise UserError(
            f"the runs were made on machines that cannot be compared: {'; '.join(found.machine)}",
            next_step="run both on one machine, or say --force",
        )
    print(comparison.markdown(found) if markdown else comparison.text(found))
    sys.exit(FAILED if found.regressed else DONE)


def history(
    folders: Annotated[list[Path] | None, typer.Argument(help="runs; default: all below results/")] = None,
    only: Annotated[
        str | None, typer.Option(metavar="TEXT", help="all readings of the quantities whose name holds this")
    ] = None,
) -> None:
    """Show quantities over runs, and where a new level begins."""
    from harness.analysis.compare import history as over_runs
    from harness.records.writer import read
    from harness.report import comparison

    found = folders or sorted(each.parent for each in Path("results").rglob("run.json"))
    if not found:
        raise UserError("there are no runs below results/", next_step="name folders that `harness run` wrote")
    series = [each for each in over_runs.history([read(each) for each in found]) if not only or only in each.name]
    print(comparison.readings(series) if only else comparison.history(series))


class Target(StrEnum):
    """Formats of other tools."""

    PYTEST_BENCHMARK = "pytest-benchmark"


def export(
    folder: Folder,
    to: Annotated[Target, typer.Option(help="the format to write")] = Target.PYTEST_BENCHMARK,
    storage: Annotated[Path, typer.Option(metavar="DIR", help="where that tool keeps its files")] = Path(".benchmarks"),
    data: Annotated[bool, typer.Option(help="with the raw samples")] = False,
) -> None:
    """Write a run as another tool reads it."""
    from harness.records.writer import read
    from harness.report import pytest_benchmark

    assert to is Target.PYTEST_BENCHMARK
    print(pytest_benchmark.export(read(folder), storage, data=data))
