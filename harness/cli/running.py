"""Commands that measure: run, check, locate, doctor."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from harness.cli.output import DONE, FAILED, console, say, width
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.commands.suites import SuiteRun
    from harness.fleet.messages import Flag

SuitePath = Annotated[Path, typer.Argument(help="a suite, such as suites/crossover.yaml", show_default=False)]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="CONTENDER", help="run this contender only; may be repeated")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="override a part of the suite, such as heads.to=1024"),
]
Allow = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-plugin",
        metavar="PATH",
        help="a Python file, or a folder of them, outside the suite's own folder, that the suite may run",
    ),
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick",
        help="a first look: only contenders that race, fewer launches and N, wider precision; every verdict is marked",
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="print everything before the answers, as `harness report` does, and whole tracebacks"
    ),
]


Output = Annotated[
    Path | None,
    typer.Option("--output", metavar="DIR", help="where the records go; default: results/<suite>-<UTC time>"),
]


def run(
    suite: SuitePath,
    output: Output = None,
    only: Only = None,
    set_: Settings = None,
    allow_plugin: Allow = None,
    quick: Quick = False,
    resume: Annotated[
        Path | None, typer.Option(metavar="DIR", help="continue the run in this folder: measure only what is missing")
    ] = None,
    force: Annotated[
        bool, typer.Option(help="resume even if suite, machine, code or data differ; the records note it")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="with --resume: measure, train and score what failed again")
    ] = False,
    save: Annotated[
        list[str] | None,
        typer.Option(metavar="CONTENDER=FILE", help="write a student as safetensors, ONNX and a card; may be repeated"),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="WHERE", help="run it on other machines: tcp://scheduler:8786, slurm, slurm:local, or local"
        ),
    ] = None,
    machine: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="with --on: this machine only; may be repeated")
    ] = None,
    scores: Annotated[Path | None, typer.Option(hidden=True, help="scores that another machine has made")] = None,
    verbose: Verbose = False,
) -> None:
    """Measure a suite, locate its crossovers, and write records and a report."""
    from harness.commands import suites
    from harness.plan import plan as planning
    from harness.plan.check import check_suite
    from harness.suite import loading

    loaded = loading.load(suite, overrides=set_ or [], only=only or [], allowed=allow_plugin or [])
    if on is not None or machine:
        from harness.cli import machines
        from harness.run.session import default_output

        for option, given in (("--save", save), ("--allow-plugin", allow_plugin)):
            if given:
                raise machines.refused(option)
        if on is None:
            raise UserError("--machine needs --on", next_step="name the machines' scheduler with --on")
        flags: list[tuple[Flag, bool]] = [("--quick", quick), ("--force", force), ("--retry-failed", retry_failed)]
        machines.on_machines(
            loaded, on, resume or output or default_output(loaded.suite, Path("results")), machines=machine or [],
            only=only or [], settings=set_ or [], flags=[name for name, given in flags if given],
            resume=resume is not None, verbose=verbose,
        )  # fmt: skip
    if quick:
        loaded = dataclasses.replace(loaded, suite=planning.quick_variant(loaded.suite))
    plan = planning.plan(loaded, check_suite(loaded), quick=quick)
    if scores is not None:
        from harness.records.measurement import Fidelity
        from harness.records.reader import read_lines

        made = {(each.contender, each.heads, each.seed): each for each in read_lines(scores, Fidelity).records}
        plan = dataclasses.replace(plan, scored=made)
    if retry_failed and resume is None:
        raise UserError("--retry-failed needs a run to continue", next_step="name a run with --resume DIR")
    wanted = {}
    if save:
        from harness.commands import saving

        wanted = saving.parsed(save, plan)
    ran = suites.measured(plan, output, resume=resume, force=force, retry=retry_failed)
    ran.show(verbose=verbose)
    if wanted and not ran.interrupted:
        say("\n".join(ran.save(wanted)))
    sys.exit(ran.exit_code)


def check(suite: SuitePath, only: Only = None, set_: Settings = None, allow_plugin: Allow = None) -> None:
    """Validate a suite and print the cells that would run, with the reason for each skipped one.

    Nothing is measured, but the Python files and functions that the suite names are run: they are printed first.
    """
    from harness.plan.check import check_suite
    from harness.report import plan as shown
    from harness.suite import loading

    loaded = loading.load(suite, overrides=set_ or [], only=only or [], allowed=allow_plugin or [])
    for each in loaded.runs:
        say(f"running {each}, which the suite names", error=True)
    checked = check_suite(loaded)
    notes: tuple[str, ...] = ()
    if checked.suite.functions:  # whether they can be raced is seen by calling them
        from harness.plan import function_groups

        notes = function_groups.prepared(
            function_groups.of_suite(loaded, checked.listing), checked.suite, loaded.folder
        ).notes
    say(shown.render(dataclasses.replace(checked, notes=(*checked.notes, *notes)), width()))


def locate(
    functions: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE:FUNCTION…",
            help="two functions or more, the one expected to lead at small n first; file.py:function works, too, and "
            "WORKLOAD:FUNCTION of a plugin",
            show_default=False,
        ),
    ],
    setup: Annotated[
        str | None,
        typer.Option(metavar="MODULE:SETUP", help="makes the functions' input from (n, seed), off the clock"),
    ] = None,
    equal: Annotated[
        str | None,
        typer.Option(
            metavar="MODULE:EQUAL",
            help="(a, b) -> whether outputs are the same; default: arrays within rounding, everything else by ==",
        ),
    ] = None,
    no_equal: Annotated[bool, typer.Option("--no-equal", help="do not compare outputs; the answer notes it")] = False,
    range_: Annotated[
        str | None, typer.Option("--range", metavar="LOW:HIGH", help="range of n; default: 1:1e6", show_default=False)
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,…",
            help="a list of n in place of --range; n between them are measured too, where the functions work",
        ),
    ] = None,
    plugin: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.py", help="a plugin that offers the workload; may be repeated")
    ] = None,
    name: Annotated[str, typer.Option(help="name of the race, in answers, `history` and `compare`")] = "",
    label: Annotated[
        list[str] | None,
        typer.Option("--label", help="labels of the functions, in their order; default: their own names"),
    ] = None,
    size_label: Annotated[str, typer.Option(help="title of the axes for n, such as 'n, samples'")] = "",
    batch: Annotated[int, typer.Option(min=1, help="second argument of functions of (n, batch)")] = 1,
    precision: Annotated[float, typer.Option(help="target half-width of the interval, relative to N*")] = 0.05,
    launches: Annotated[
        int, typer.Option(min=2, max=64, help="number of fresh processes that the interval is computed over")
    ] = 8,
    steps: Annotated[str, typer.Option(metavar="N,N,…", help="the largest n before each known jump of a cost")] = "",
    budget: Annotated[int | None, typer.Option(min=2, help="maximum number of timed samples")] = None,
    seconds: Annotated[float | None, typer.Option(help="time limit, in seconds from the start of the command")] = None,
    deadline: Annotated[
        float, typer.Option(help="seconds that a function may take to be measured at one n; larger n are then skipped")
    ] = 20.0,
    gap: Annotated[float, typer.Option(min=0, help="mean pause before each launch, in seconds")] = 0.0,
    threads: Annotated[
        str, typer.Option(metavar="T,T,…", help="threads of each function, in their order, or one number for all")
    ] = "1",
    seed: Annotated[int, typer.Option(min=0, help="seed of the inputs and of the order of samples")] = 0,
    output: Output = None,
    verbose: Verbose = False,
) -> None:
    """Locate where one Python callable overtakes another, without a suite."""
    from harness import units
    from harness.commands import race, suites

    if sizes is not None and range_ is not None:
        raise UserError("--range and --sizes exclude each other", next_step="give one of them")
    wanted: dict[str, Any] = {}
    if sizes is not None:
        wanted["sizes"] = units.parse_counts(sizes, "--sizes")
    else:
        wanted["low"], wanted["high"] = units.parse_range(range_ or "1:1e6")
        if wanted["low"] < 1:
            raise UserError(f"--range {range_} begins at {wanted['low']}", next_step="n starts at 1")
    if seconds is not None and not seconds > 0:
        raise UserError(f"--seconds {seconds:g} leaves no time", next_step="give more than 0")
    if not deadline > 0:
        raise UserError(f"--deadline {deadline:g} leaves no time", next_step="give more than 0")
    if not 0 < precision < 1:
        raise UserError(f"--precision {precision:g} is not between 0 and 1", next_step="0.05 asks for 5 %")
    jumps = units.parse_counts(steps, "--steps")
    plan = race.plan(
        functions,
        labels=label or (),
        setup=setup,
        equal=None if no_equal else equal or race.BY_VALUE,
        name=name,
        size_label=size_label,
        plugins=plugin or (),
        batch=batch,
        precision=precision,
        steps=jumps,
        launches=launches,
        budget=budget,
        seconds=seconds,
        deadline=deadline,
        gap=gap,
        threads=units.parse_counts(threads, "--threads"),
        seed=seed,
        **wanted,
    )
    _finish(suites.measured(plan, output), verbose=verbose)


def doctor(
    heads: Annotated[list[int] | None, typer.Option(min=1, help="N of the races; may be repeated")] = None,
    batch_size: Annotated[
        list[int] | None, typer.Option(min=1, help="batch size of the races; may be repeated")
    ] = None,
    launches: Annotated[int, typer.Option(min=3, help="fresh pairs of processes per race")] = 6,
    repetitions: Annotated[int, typer.Option(min=1, help="how often all races are run")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="seed of the order of samples")] = 0,
) -> None:
    """Race a function against itself, and report whether timings on this machine can be trusted now."""
    from harness.commands import doctor as diagnosis

    listener = _progress()
    try:
        found = diagnosis.diagnose(
            listener,
            heads=heads or diagnosis.HEADS,
            batch_sizes=batch_size or diagnosis.BATCH_SIZES,
            launches=launches,
            repetitions=repetitions,
            seed=seed,
        )
    finally:
        listener.close()
    say(found.render())
    sys.exit(DONE if found.trustworthy else FAILED)


def _finish(ran: SuiteRun, *, verbose: bool = False) -> NoReturn:
    """Prints the report, and leaves."""
    ran.show(verbose=verbose)
    sys.exit(ran.exit_code)


def _progress() -> Any:
    from harness.report.progress import progress

    return progress(console())
