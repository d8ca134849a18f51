"""Commands that measure: run, check, distill, locate, doctor."""

from __future__ import annotations

import dataclasses
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from harness.cli.terms import DONE, FAILED, INTERRUPTED, console, say, width
from harness.errors import HarnessError, UserError

if TYPE_CHECKING:
    from harness.fleet.messages import Flag
    from harness.plan.plan import Plan
    from harness.records.reader import Evidence
    from harness.run.session import Outcome

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
        help="a Python file, or a folder of them, outside of the suite's that it may run",
    ),
]
Quick = Annotated[
    bool,
    typer.Option(
        "--quick", help="racers only, fewer launches and N, wider precision: a first look; every verdict says so"
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="print everything before the answers, as `harness report` does, and whole tracebacks"
    ),
]


class Score(StrEnum):
    """Scores that decide on the best student."""

    COSINE = "cosine"
    TOP1 = "top1"
    RECALL = "recall"


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
    resume: Annotated[Path | None, typer.Option(metavar="DIR", help="measure only what this folder lacks")] = None,
    force: Annotated[
        bool, typer.Option(help="resume although suite, machine, code or data differ; the records say so")
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="with --resume: measure, train and score again what failed")
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
    verbose: Verbose = False,
) -> None:
    """Measure a suite, locate its crossovers, and write records and a report."""
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
    if retry_failed and resume is None:
        raise UserError("--retry-failed has nothing to try again", next_step="name a run with --resume DIR")
    wanted = {}
    if save:
        from harness.commands import saving

        wanted = saving.parsed(save, plan)
    outcome = measured(plan, output, resume=resume, force=force, retry=retry_failed)
    _show(outcome, verbose=verbose)
    if wanted and not outcome.interrupted:
        say("\n".join(saving.save(plan, outcome.summary, _records(outcome).fidelities, wanted)))
    _leave(outcome)


def check(suite: SuitePath, only: Only = None, set_: Settings = None, allow_plugin: Allow = None) -> None:
    """Validate a suite and print the cells that would run, with the reason for each skipped one.

    Nothing is measured, but the Python files that the suite names are imported: they are printed first.
    """
    from harness.plan.check import check_suite
    from harness.report import plan as shown
    from harness.suite import loading

    loaded = loading.load(suite, overrides=set_ or [], only=only or [], allowed=allow_plugin or [])
    for path in loaded.plugin_files:
        print(f"running {path.resolve()}, which the suite names", file=sys.stderr, flush=True)
    checked = check_suite(loaded)
    notes: tuple[str, ...] = ()
    if checked.suite.functions:  # whether they can be raced is seen by calling them
        from harness.plan import rivals

        notes = rivals.prepared(rivals.of_suite(loaded, checked.listing), checked.suite, loaded.folder).notes
    say(shown.render(dataclasses.replace(checked, notes=(*checked.notes, *notes)), width()))


def distill(
    db: Annotated[Path, typer.Option(help="an lda.db or .npz with the teacher's heads", show_default=False)],
    student: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="documented, ranked, routed, residual, mlp, linear, identity or constant; may be repeated; default: the "
            "documented one and the best known, beside those that need no training",
        ),
    ] = None,
    score: Annotated[Score, typer.Option(help="which score decides on the best student")] = Score.COSINE,
    epochs: Annotated[int, typer.Option(min=1, help="training epochs of the documented student")] = 200,
    cosine_weight: Annotated[float, typer.Option(min=0, max=1, help="weight of the cosine loss")] = 0.7,
    num_heads: Annotated[int | None, typer.Option(min=1, help="H; default: as the number of heads suggests")] = None,
    num_layers: Annotated[int | None, typer.Option(min=1, help="L; default: as the number of heads suggests")] = None,
    embed_dim: Annotated[
        int, typer.Option(min=1, help="width of the embeddings; another width in the database is an error")
    ] = 384,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="mini-batches; default: the full batch, or what the student prefers")
    ] = None,
    queries: Annotated[Path | None, typer.Option(help="file of query embeddings, where the database has none")] = None,
    projection: Annotated[str | None, typer.Option(help="id or name, where the database holds several")] = None,
    temperature: Annotated[
        float | None, typer.Option(help="T, in place of the stored one, or where the file has none")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of training")] = 0,
    seeds: Annotated[int, typer.Option(min=1, max=32, help="trainings of each student, from --seed on")] = 1,
    seconds: Annotated[float | None, typer.Option(help="longest that one training may take")] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="write the best student, or the only one of --student, as safetensors, ONNX and a card"
        ),
    ] = None,
    output: Output = None,
    verbose: Verbose = False,
) -> None:
    """Distil heads into students, and say which is worth having beside those that need no training."""
    from harness.commands import choosing, saving
    from harness.commands import distill as distilling

    if seconds is not None and not seconds > 0:
        raise UserError(f"--seconds {seconds:g} leaves no time", next_step="give more than 0")
    target = saving.checked(save) if save else None
    wish = distilling.DistillOptions(
        db=db,
        epochs=epochs,
        cosine_weight=cosine_weight,
        num_heads=num_heads,
        num_layers=num_layers,
        batch_size=batch_size,
        queries=queries,
        projection=projection,
        temperature=temperature,
        seed=seed,
        seeds=seeds,
        seconds=seconds,
        students=tuple(student or ()),
        width=embed_dim,
    )
    try:
        plan = distilling.plan(wish)
        outcome = measured(plan, output)
    except HarnessError as error:
        raise distilling.as_typed(error, wish) from error
    _show(outcome, verbose=verbose)
    evidence = _records(outcome)
    fidelity = evidence.fidelities
    choice = choosing.choose(fidelity, score.value, wish.command)
    say("\n".join(["", *choice.lines]))
    wanted = student[0] if student and len(student) == 1 else choice.best
    if target and wanted and not outcome.interrupted:
        say("\n".join(["", *saving.save(plan, outcome.summary, fidelity, {wanted: target})]))
        say(f"load it: from harness_plugins import load_student; student = load_student({str(target)!r})")
    _leave(outcome, distilling.failures(evidence))


def locate(
    functions: Annotated[
        list[str],
        typer.Argument(
            metavar="MODULE:FUNCTION…",
            help="two functions or more, the one expected to lead at small n first; file.py:function works, too",
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
    no_equal: Annotated[bool, typer.Option("--no-equal", help="do not compare outputs; the answer says so")] = False,
    range_: Annotated[str, typer.Option("--range", metavar="LOW:HIGH", help="range of n")] = "1:1e6",
    name: Annotated[str, typer.Option(help="of the race, in answers, `history` and `compare`")] = "",
    label: Annotated[
        list[str] | None, typer.Option("--label", help="of a function, in their order; default: their own names")
    ] = None,
    size_label: Annotated[str, typer.Option(help="what n counts, on axes, such as 'n, samples'")] = "",
    batch: Annotated[int, typer.Option(min=1, help="second argument of functions of (n, batch)")] = 1,
    precision: Annotated[float, typer.Option(help="half-width wanted, relative to N*")] = 0.05,
    launches: Annotated[int, typer.Option(min=2, max=64, help="fresh processes that enter the interval")] = 8,
    steps: Annotated[str, typer.Option(metavar="N,N,…", help="the largest n before each known jump of a cost")] = "",
    budget: Annotated[int | None, typer.Option(min=2, help="timed samples at the most")] = None,
    seconds: Annotated[
        float | None, typer.Option(help="after which no more is measured, from the start of the command")
    ] = None,
    deadline: Annotated[
        float, typer.Option(help="seconds that a function may take to be measured at one n; larger n are then skipped")
    ] = 20.0,
    gap: Annotated[float, typer.Option(min=0, help="mean pause before each launch, in seconds")] = 0.0,
    threads: Annotated[
        str, typer.Option(metavar="T,T,…", help="that each function may use, in their order, or one number for all")
    ] = "1",
    seed: Annotated[int, typer.Option(min=0)] = 0,
    output: Output = None,
    verbose: Verbose = False,
) -> None:
    """Locate where one Python callable overtakes another, without a suite."""
    from harness import units
    from harness.commands import race

    low, high = units.parse_range(range_)
    if low < 1:
        raise UserError(f"--range {range_} begins at {low}", next_step="n starts at 1")
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
        low=low,
        high=high,
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
    )
    _finish(measured(plan, output), verbose=verbose)


def doctor(
    heads: Annotated[list[int] | None, typer.Option(min=1, help="N of the races; may be repeated")] = None,
    batch_size: Annotated[list[int] | None, typer.Option(min=1, help="of the races; may be repeated")] = None,
    launches: Annotated[int, typer.Option(min=3, help="fresh pairs of processes per race")] = 6,
    repetitions: Annotated[int, typer.Option(min=1, help="how often all races are run")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="of the order of samples")] = 0,
) -> None:
    """Race a function against itself, and say whether results of this machine deserve trust now."""
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


def measured(
    plan: Plan,
    output: Path | None,
    *,
    resume: Path | None = None,
    force: bool = False,
    retry: bool = False,
) -> Outcome:
    """Runs a plan with a display of its progress."""
    from harness.run import session
    from harness.run.turn import turn

    listener = _progress()
    folder = resume or output or session.default_output(plan.suite, Path("results"))
    try:
        with turn(f"harness run of {plan.suite.name}", listener.say, wait=False):
            return session.run(plan, folder, listener, resume=resume is not None, force=force, retry=retry)
    finally:
        listener.close()


def _finish(outcome: Outcome, *, verbose: bool = False) -> NoReturn:
    """Prints the report, and leaves."""
    _show(outcome, verbose=verbose)
    _leave(outcome)


def _show(outcome: Outcome, *, verbose: bool) -> None:
    from harness.report import writing

    writing.show(outcome.summary, console(), outcome.folder, verbose=verbose)


def _records(outcome: Outcome) -> Evidence:
    from harness.records.reader import read

    return read(outcome.folder)


def _leave(outcome: Outcome, failed: int | None = None) -> NoReturn:
    if outcome.interrupted:
        sys.exit(INTERRUPTED)
    sys.exit(FAILED if (outcome.failed if failed is None else failed) else DONE)


def _progress() -> Any:
    from harness.report.progress import progress

    return progress(console())
