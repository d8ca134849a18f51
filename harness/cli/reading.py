"""Commands that read what was measured, from `report` to `export`. None needs torch."""

from __future__ import annotations

import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.terms import DONE, FAILED, INCONCLUSIVE, INTERRUPTED, console, say, width
from harness.errors import HarnessError, UserError

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
            say(path)
        return
    if form is None:
        writing.show(writing.write(folder), console(), folder, verbose=True)
    else:
        sys.stdout.write(writing.rendered(folder, form.value))


def verify(folder: Folder) -> None:
    """Derive every statistic, crossover and verdict again from raw seconds, and say whether the report agrees."""
    from harness.report import verification

    found = verification.verify(folder)
    say("\n".join(found.sentences))
    sys.exit(DONE if found.agrees else FAILED)


def advise(
    folder: Annotated[
        Path | None, typer.Argument(help="a folder that `harness run` wrote; or --data", show_default=False)
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="N; with --data: the number of its heads", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="B")] = 1,
    queries_per_day: Annotated[float | None, typer.Option(help="how often it is asked")] = None,
    require: Annotated[
        list[str] | None, typer.Option(metavar="SCORE=VALUE", help="such as top1_agreement=0.95; may be repeated")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="largest memory of a process, such as 64MB")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="your lda.db or .npz: race at its own N, D and T now")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="with --data: T, in place of the stored one")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="with --data: where the records go; default: below results/")
    ] = None,
) -> None:
    """Say which contender to use for an N and a batch size, and how sure that is."""
    from harness import units
    from harness.analysis import summary
    from harness.analysis.advice import advice, correctness
    from harness.records.writer import read

    if queries_per_day is not None and not 0 < queries_per_day < math.inf:
        raise UserError(f"--queries-per-day must be a positive, finite number, got {queries_per_day:g}")
    if data is None and (temperature is not None or output is not None):
        raise UserError("--temperature and --output go with --data", next_step="leave them out")
    if (folder is None) == (data is None):
        raise UserError(
            "give either a folder of a run or --data FILE", next_step="such as harness advise --data heads.npz"
        )
    if data is not None:
        from harness.cli.running import measured
        from harness.commands import advising

        try:
            plan = advising.plan(data, batch, heads, temperature)
            outcome = measured(plan, output)
        except HarnessError as error:
            raise advising.as_typed(error, data) from error
        if outcome.interrupted:
            sys.exit(INTERRUPTED)
        folder, heads = outcome.folder, plan.suite.heads.high
    if heads is None:
        raise UserError("the number of heads is missing", next_step="give --heads N")
    assert folder is not None
    found = advice.advise(
        summary.summarise(read(folder)),
        heads,
        batch,
        queries_per_day=queries_per_day,
        require=correctness.parsed(require or []),
        memory_bytes=units.parse_size(memory) if memory else None,
    )
    say("\n".join([*found.sentences, *found.documented]))
    sys.exit(DONE if any(not each.refused for each in found.options) else FAILED)


def compare(
    old: Annotated[Path, typer.Argument(help="the run to compare with", show_default=False)],
    new: Annotated[Path, typer.Argument(help="the run that is judged", show_default=False)],
    threshold: Annotated[
        str | None, typer.Option(help="relative change that matters, such as 5%; default: of the suite, or 5%")
    ] = None,
    force: Annotated[bool, typer.Option(help="judge although the machines differ")] = False,
    markdown: Annotated[bool, typer.Option(help="print Markdown, for a pull request")] = False,
    fail_on_inconclusive: Annotated[
        bool, typer.Option("--fail-on-inconclusive", help="exit with 3 where anything is inconclusive")
    ] = False,
) -> None:
    """Compare two runs; exit codes: 0 no regression, 1 regression, 3 inconclusive (no cell could be judged)."""
    from harness import units
    from harness.analysis.compare import runs
    from harness.records.writer import read
    from harness.report import comparison

    found = runs.compare(read(old), read(new), units.parse_share(threshold, "--threshold") if threshold else None)
    if found.machine and not force:
        raise UserError(
            f"the runs cannot be compared: {'; '.join((*found.machine, *found.changed))}",
            next_step="run both on one machine with the same settings, or use --force",
        )
    say(comparison.markdown(found) if markdown else comparison.text(found, width()))
    unsure = found.verdict == "inconclusive" or (fail_on_inconclusive and found.open_questions > 0)
    sys.exit(FAILED if found.regressed else INCONCLUSIVE if unsure else DONE)


def history(
    folders: Annotated[list[Path] | None, typer.Argument(help="runs; default: all below results/")] = None,
    only: Annotated[
        str | None, typer.Option(metavar="TEXT", help="all readings of the quantities whose name holds this")
    ] = None,
    suite: Annotated[str | None, typer.Option(metavar="NAME", help="runs of this suite")] = None,
    race: Annotated[str | None, typer.Option(metavar="NAME", help="the crossovers of this race")] = None,
    find: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="which commit brought the new level of a quantity: runs this at commits in between, each in a checkout of "
            "its own; it has to write a run into {output}",
        ),
    ] = None,
    between: Annotated[
        str | None,
        typer.Option(metavar="OLD..NEW", help="with --find: these commits, in place of those of a new level"),
    ] = None,
) -> None:
    """Show quantities over runs, and where a new level begins; with --find, the commit that brought it."""
    from harness.analysis.compare import history as over_runs
    from harness.records.writer import read
    from harness.report import comparison

    found = folders or sorted(each.parent for each in Path("results").rglob("run.json"))
    if between is not None and find is None:
        raise UserError("--between needs --find", next_step="give the command that measures, with --find")
    if not found and between is None:
        raise UserError("there are no runs below results/", next_step="name folders that `harness run` wrote")
    evidence = [each for each in map(read, found) if suite is None or each.run.suite.get("name") == suite]
    if suite is not None and not evidence and between is None:
        names = sorted({str(read(each).run.suite.get("name")) for each in found})
        raise UserError(f"no run is of the suite {suite!r}", next_step=f"there are {', '.join(names)}")
    series = [
        each
        for each in over_runs.history(evidence)
        if (not only or only in each.name) and (race is None or each.race == race)
    ]
    if find is not None:
        from harness.commands import find as finding

        wanted = finding.Wanted(text=only or "", race=race, suite=suite)
        answer = finding.find(find, series, wanted, between=between, say=lambda text: say(text, error=True))
        say(answer.sentence)
        sys.exit(DONE if answer.found else FAILED)
    say(comparison.readings(series, width()) if only or race else comparison.history(series, width()))


Results = Annotated[Path, typer.Argument(help="a folder that holds runs, at any depth")]


def site(
    results: Results = Path("results"),
    output: Annotated[Path, typer.Option(metavar="DIR", help="of the site; pages of unchanged runs are kept")] = Path(
        "site"
    ),
) -> None:
    """Write a static site: all runs, each race over time, and any two runs side by side."""
    from harness.report import site as pages

    built = pages.build(results, output)
    for each in built.broken:
        print(f"left out: {each}", file=sys.stderr)
    plural = "s" if built.runs != 1 else ""
    print(f"{built.runs} run{plural}, {built.again} of them new or changed: {built.index}")


def view(results: Results = Path("results")) -> None:
    """Serve that site on 127.0.0.1, with runs as they are measured; Ctrl-C ends it."""
    import tempfile

    from harness.report.site.serving import Site

    with tempfile.TemporaryDirectory(prefix="harness-view-") as folder:
        served = Site(results, Path(folder))
        print(f"serving {results} at {served.address}; Ctrl-C ends it", flush=True)
        try:
            served.serve()
        except KeyboardInterrupt:
            print("stopped")


class Target(StrEnum):
    """Formats of other tools."""

    PYTEST_BENCHMARK = "pytest-benchmark"
    GITHUB_ACTION = "github-action"
    BENCHER = "bencher"
    ASV = "asv"
    OPENMETRICS = "openmetrics"
    PARQUET = "parquet"


def export(
    folder: Folder,
    to: Annotated[Target, typer.Option(help="the format to write")] = Target.PYTEST_BENCHMARK,
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="DIR",
            help="where pytest-benchmark or asv keeps its files; default: .benchmarks or .asv/results",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="of the other formats; default: printed, or RUN.parquet", show_default=False),
    ] = None,
    data: Annotated[bool, typer.Option(help="with the raw samples, for pytest-benchmark")] = False,
) -> None:
    """Write a run as another tool reads it."""
    from harness.records.writer import read
    from harness.report import exports, pytest_benchmark

    kept = to in (Target.PYTEST_BENCHMARK, Target.ASV)
    if storage is not None and not kept:
        raise UserError(f"--storage does not belong to --to {to.value}", next_step="name a file with --output")
    if output is not None and kept:
        raise UserError(f"--output does not belong to --to {to.value}", next_step="name a folder with --storage")
    evidence = read(folder)
    if to is Target.PYTEST_BENCHMARK:
        say(pytest_benchmark.export(evidence, pytest_benchmark.stored_at(storage or ".benchmarks"), data=data))
    elif to is Target.ASV:
        say(exports.asv.export(evidence, Path(storage or exports.asv.RESULTS)))
    elif to is Target.PARQUET:
        say(exports.parquet.write(evidence, output or Path(f"{evidence.name}.parquet")))
    else:
        text = exports.TEXTS[to.value](evidence)
        if output is None:
            sys.stdout.write(text)
        else:
            say(exports.written(text, output))


def tune(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run", show_default=False)],
    race: Annotated[str, typer.Option(help="which; may be left out where there is one")] = "",
    to: Annotated[str, typer.Option(help="python, json, c-header or onnx")] = "python",
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="with --to onnx: the exported model of a contender, once for each"),
    ] = None,
    axis: Annotated[int, typer.Option(help="with --to onnx: of the first input, whose length is n")] = 0,
    heads: Annotated[
        int | None, typer.Option(help="with --to onnx: N of the models; then the axis is the batch")
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="with --to onnx: where the model goes")] = None,
    check: Annotated[
        Path | None, typer.Option(metavar="MODULE", help="what was written before: does it still hold in RUN?")
    ] = None,
    allowed: Annotated[str, typer.Option(help="with --check: what a decision may cost")] = "5%",
) -> None:
    """Write the thresholds of a race as code, or check that code against another run."""
    from harness import dispatch, units
    from harness.commands import tune as tuning
    from harness.records import writer

    evidence, table = writer.read(run), dispatch.read(run, race)
    if check is None and to == "onnx":
        from harness.commands import onnx_choice

        if output is None:
            raise UserError("--to onnx writes a file", next_step="say --output FILE")
        about, files = tuning.figures(table, evidence), onnx_choice.models(model or ())
        onnx_choice.written(table, files, output, about=about, axis=axis, heads=heads)
        say(f"{output} chooses between {table['baseline']} and {table['challenger']}")
        return
    if check is None:
        sys.stdout.write(tuning.written(table, evidence, to))
        return
    found = tuning.losses(tuning.imported(check), table, evidence, units.parse_share(allowed, "--allowed"))
    for each in found:
        say(
            f"{check}: at n = {each.heads:,}, batch {each.batch_size}, it chooses {each.chosen}, which takes {each.cost:.0%} "
            f"longer than {each.faster}"
        )
    if found:
        sys.exit(FAILED)
    say(f"{check}: the thresholds hold in {run}")
