"""Commands that read what was measured, from `report` to `export`. None needs torch."""

from __future__ import annotations

import math
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import DONE, FAILED, INCONCLUSIVE, console, put, say, width
from harness.errors import UserError
from harness.system_errors import advice

Folder = Annotated[Path, typer.Argument(help="a folder that `harness run` wrote", show_default=False)]


_FLEET, _FLEET_FOLDER = "fleet", "fleet-report"


class Format(StrEnum):
    """Formats of a report."""

    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"


Runs = Annotated[
    list[Path],
    typer.Argument(
        metavar="RUN | fleet RUN…",
        help="a folder that `harness run` wrote; or the word fleet and the runs of several machines",
        show_default=False,
    ),
]


def report(
    folders: Runs,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="print the report in this format; default: write all formats and show it"),
    ] = None,
    plots: Annotated[Path | None, typer.Option(metavar="DIR", help="write each plot as SVG and PNG")] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="with `fleet`: output folder; default: fleet-report", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option(help="with `fleet`: accept runs whose suites or data differ")] = False,
) -> None:
    """Render the report of a run again; `report fleet RUN…` makes one report of several machines."""
    from harness.report import writing

    if folders[0] == Path(_FLEET) and (len(folders) > 1 or not (folders[0] / "run.json").exists()):
        if plots is not None:
            raise UserError("--plots takes one run", next_step="leave it out, or name one run")
        _fleet(folders[1:], form, output, force=force)
        return
    if len(folders) > 1:
        raise UserError(
            "several runs were given", next_step="give one, or `harness report fleet RUN…` for several machines"
        )
    if output is not None or force:
        raise UserError(
            "--output and --force belong to a report of several machines",
            next_step="use them with `harness report fleet RUN…`",
        )
    (folder,) = folders
    if plots is not None:
        for path in writing.plots(folder, plots):
            say(path)
        return
    if form is None:
        writing.show(writing.write(folder), console(), folder, verbose=True)
    else:
        put(writing.rendered(folder, form.value))


def _fleet(folders: list[Path], form: Format | None, output: Path | None, *, force: bool) -> None:
    """The report of several machines."""
    from harness.report.fleet import writing

    if form is Format.CSV:
        raise UserError("a report of several machines has no CSV form", next_step="use html, markdown or json")
    if form is not None and output is not None:
        raise UserError("--format prints, and --output writes", next_step="leave one of them out")
    found = writing.of(folders, force=force)
    if form is not None:
        put(writing.rendered(found, form.value))
        return
    writing.show(found, console())
    for path in writing.write(found, output or Path(_FLEET_FOLDER)):
        say(path)


def verify(folder: Folder) -> None:
    """Recompute every statistic, crossover and verdict from raw seconds, and check that the report agrees."""
    from harness.report import verification

    found = verification.verify(folder)
    say("\n".join(found.sentences))
    sys.exit(DONE if found.agrees else FAILED)


def advise(
    folder: Annotated[
        Path | None,
        typer.Argument(help="a folder that `harness run` wrote; leave it out with --data", show_default=False),
    ] = None,
    heads: Annotated[
        int | None, typer.Option(min=1, help="N; default with --data: its number of heads", show_default=False)
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="B")] = 1,
    queries_per_day: Annotated[float | None, typer.Option(help="expected number of queries per day")] = None,
    require: Annotated[
        list[str] | None, typer.Option(metavar="SCORE=VALUE", help="such as top1_agreement=0.95; may be repeated")
    ] = None,
    memory: Annotated[str | None, typer.Option(metavar="SIZE", help="memory limit of a process, such as 64MB")] = None,
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="your lda.db or .npz: run a quick race at its N, D and T first")
    ] = None,
    temperature: Annotated[float | None, typer.Option(help="with --data: T, in place of the stored one")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="with --data: where the records go; default: below results/")
    ] = None,
) -> None:
    """Recommend a contender for an N and a batch size, with the evidence for it."""
    from harness import units
    from harness.analysis import summary
    from harness.analysis.advice import advice, correctness
    from harness.records.writer import read

    if queries_per_day is not None and not 0 < queries_per_day < math.inf:
        raise UserError(f"--queries-per-day must be a positive, finite number, got {queries_per_day:g}")
    if data is None and (temperature is not None or output is not None):
        raise UserError("--temperature and --output need --data", next_step="leave them out")
    if (folder is None) == (data is None):
        raise UserError(
            "give either a folder of a run or --data FILE", next_step="such as harness advise --data heads.npz"
        )
    if data is not None:
        from harness.plugin import built_in, commands

        planned = commands.load(built_in.DATA_SUITE)(data, batch, heads, temperature)
        ran = planned.run(output)
        if ran.interrupted:
            sys.exit(ran.exit_code)
        folder, heads = ran.folder, planned.plan.suite.heads.high
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
    new: Annotated[Path, typer.Argument(help="the run to judge", show_default=False)],
    threshold: Annotated[
        str | None, typer.Option(help="relative change that matters, such as 5%; default: the suite's, or 5%")
    ] = None,
    force: Annotated[bool, typer.Option(help="compare even if the machines differ")] = False,
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
        str | None, typer.Option(metavar="TEXT", help="print all values of the quantities whose name contains TEXT")
    ] = None,
    suite: Annotated[str | None, typer.Option(metavar="NAME", help="only runs of this suite")] = None,
    race: Annotated[str | None, typer.Option(metavar="NAME", help="only crossovers of this race")] = None,
    find: Annotated[
        str | None,
        typer.Option(
            metavar="COMMAND",
            help="find the commit that changed a quantity: runs this command at commits in between, each in a checkout of "
            "its own; it must write a run into {output}",
        ),
    ] = None,
    between: Annotated[
        str | None,
        typer.Option(
            metavar="OLD..NEW", help="with --find: search between these commits, instead of those around the change"
        ),
    ] = None,
) -> None:
    """Show quantities over runs, and where they changed level; with --find, the commit responsible."""
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
        raise UserError(f"no run of the suite {suite!r}", next_step=f"choose from {', '.join(names)}")
    series = [
        each
        for each in over_runs.history(evidence)
        if (not only or only in each.name) and (race is None or each.race == race)
    ]
    if find is not None:
        from harness.commands import bisection as finding

        wanted = finding.QuantityFilter(text=only or "", race=race, suite=suite)
        answer = finding.find(find, series, wanted, between=between, say=lambda text: say(text, error=True))
        say(answer.sentence)
        sys.exit(DONE if answer.found else FAILED)
    say(comparison.readings(series, width()) if only or race else comparison.history(series, width()))


Results = Annotated[Path, typer.Argument(help="a folder that holds runs, at any depth")]


def site(
    results: Results = Path("results"),
    output: Annotated[
        Path, typer.Option(metavar="DIR", help="folder of the site; pages of unchanged runs are kept")
    ] = Path("site"),
) -> None:
    """Write a static site: all runs, each race over time, and any two runs side by side."""
    from harness.report import site as pages

    built = pages.build(results, output)
    for each in built.broken:
        say(f"left out: {each}", error=True)
    plural = "s" if built.runs != 1 else ""
    say(f"{built.runs} run{plural}, {built.again} of them new or changed: {built.index}")


def view(results: Results = Path("results")) -> None:
    """Serve the site on 127.0.0.1, and update it as runs are measured; Ctrl-C stops it."""
    import tempfile

    from harness.report.site.serving import Site

    with tempfile.TemporaryDirectory(prefix="harness-view-") as folder:
        served = Site(results, Path(folder))
        say(f"serving {results} at {served.address}; Ctrl-C stops it")
        try:
            served.serve()
        except KeyboardInterrupt:
            say("stopped")


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
        typer.Option(
            metavar="FILE",
            help="output file of the other formats; default: standard output, or RUN.parquet",
            show_default=False,
        ),
    ] = None,
    data: Annotated[bool, typer.Option(help="include raw samples, for pytest-benchmark")] = False,
) -> None:
    """Export a run to the format of another tool."""
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
            put(text)
        else:
            say(exports.written(text, output))


def tune(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a run", show_default=False)],
    race: Annotated[str, typer.Option(help="name of the race; optional if there is only one")] = "",
    to: Annotated[str, typer.Option(help="python, json, c-header or onnx")] = "python",
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="with --to onnx: the exported model of a contender, once for each"),
    ] = None,
    axis: Annotated[int, typer.Option(help="with --to onnx: the axis of the first input whose length is n")] = 0,
    heads: Annotated[
        int | None, typer.Option(help="with --to onnx: N of the models; then the axis is the batch")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="output file; default: standard output; required with --to onnx")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="MODULE", help="a module written earlier: check that its thresholds still hold in RUN"),
    ] = None,
    allowed: Annotated[str, typer.Option(help="with --check: the largest slowdown that a decision may cost")] = "5%",
) -> None:
    """Write the thresholds of a race as code, or check that code against another run."""
    from harness import dispatch, units
    from harness.commands import tune as tuning
    from harness.records import writer

    evidence, table = writer.read(run), dispatch.read(run, race)
    if check is None and to == "onnx":
        from harness.commands import onnx_dispatch

        if output is None:
            raise UserError("--to onnx writes a file", next_step="pass --output FILE")
        about, files = tuning.figures(table, evidence), onnx_dispatch.models(model or ())
        onnx_dispatch.written(table, files, output, about=about, axis=axis, heads=heads)
        say(f"{output} chooses between {table['baseline']} and {table['challenger']}")
        return
    if check is None:
        if model:
            raise UserError(f"--model does not belong to --to {to}", next_step="leave it out, or write --to onnx")
        text = tuning.written(table, evidence, to)
        if output is None:
            put(text)
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UserError(f"{output} cannot be written: {error.strerror}", next_step=advice(error)) from error
        say(f"{output} chooses between {table['baseline']} and {table['challenger']}")
        return
    share = units.parse_share(allowed, "--allowed")
    found = tuning.losses(tuning.imported(check), table, evidence, share)
    for each in found:
        say(
            f"{check}: at n = {each.heads:,}, batch {each.batch_size}, it chooses {each.chosen}, which takes {each.cost:.0%} "
            f"longer than {each.faster}"
        )
    if found:
        sys.exit(FAILED)
    timed = {(each.case.batch_size, probe.heads) for each, probe in tuning.places(table, evidence)}
    ends = f"{min(n for _, n in timed):,} to {max(n for _, n in timed):,}"
    say(
        f"{check}: the thresholds hold in {run}: at none of the {len(timed)} n timed there ({ends}) does a choice "
        f"significantly cost more than {share:.0%}"
    )
