"""A run from suite to records: its folder, how it begins, and how it ends whatever happens; `schedule` fills it."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import shlex
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.analysis.data import data_of, lines
from harness.analysis.summary import summarise
from harness.errors import RecordsError
from harness.printable import encodable
from harness.process import signals
from harness.records import checkout, machine, project
from harness.records.crossovers import dump
from harness.records.index import without_failures
from harness.records.measurement import RunInfo
from harness.records.seal import sealed
from harness.records.writer import LOCATED, Store, read
from harness.report import writing
from harness.report.wording import launches_in_words
from harness.run import resume as resuming
from harness.run.listeners import Broadcast
from harness.run.schedule import Schedule
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harness.analysis.summary import Summary
    from harness.plan.plan import Plan
    from harness.run.bench import Listener
    from harness.suite.schema import Suite

DISTRIBUTION = "crossover-harness"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended."""

    folder: Path
    summary: Summary
    interrupted: bool
    failed: int  # cells without a latency


def run(
    plan: Plan,
    folder: Path,
    listener: Listener,
    *,
    resume: bool = False,
    force: bool = False,
    retry: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Measures a plan into a folder.

    Args:
        plan: what to measure.
        folder: where the records go; new, unless resumed.
        listener: hears of progress.
        resume: measure only what the folder lacks.
        force: resume even if suite, machine, code or data differ; the records note it.
        retry: what failed in the table, in training or in scoring counts as missing, too.
        sleep: pauses between launches, for so many seconds.

    Raises:
        RecordsError: where the folder cannot be used, or holds a run that this plan is not; it names the differences.
        ResourceError: where the folder cannot be written, or memory and disk do not suffice.
    """
    listeners = Broadcast(listener, plan.trackers)
    about = about_run(plan)
    store, known = Store.resume(folder) if resume else (Store.create(folder, about), None)
    with store:
        forced: list[str] = []
        if known is not None:  # what is decided upon was read under the lock
            forced += _overridden(resuming.differences(plan, known.run, about), folder, force=force)
            about = known.run
        schedule = Schedule(plan, store, listeners, without_failures(known) if known and retry else known, sleep)
        begun = known is None  # a run that may not be continued is left as it is
        status, failure = "failed", list[Exception]()
        try:
            source = schedule.describe()
            if known is not None:
                forced += _overridden(resuming.other_data(known, schedule.bench), folder, force=force)
                if not (forced or known.run.forced):  # on the same machine
                    schedule.bench.recoveries.take(known.run.recovery)
            gave = {"source": source, "sources": schedule.bench.source_facts.sources}
            about = about.model_copy(
                update={**gave, "forced": (*about.forced, *forced), "status": "running", "seal": {}}
            )
            store.update(about)
            begun = True
            listeners.started(about, folder)
            listeners.say(f"{_amount_of_work(plan)}; records in {folder}")
            for line in lines(data_of(about)):
                listeners.say(f"data: {line}")
            for note in plan.warnings:
                listeners.say(f"note: {note}")
            about = about.model_copy(update={"machine": schedule.limits(about.machine)})
            store.update(about)
            schedule.measure()
            about = about.model_copy(update={"warnings": (*about.warnings, *schedule.notes)})
            status = "complete"
        except KeyboardInterrupt:
            status = "interrupted"
        except Exception as error:  # noqa: BLE001 - raised again when the run has ended as any other does
            failure.append(error)
        with signals.defer_signals() as late:
            with _collecting_failures(failure):
                schedule.close(patience=0.0 if status == "interrupted" else 0.2)
            if not begun:
                raise failure[0] if failure else KeyboardInterrupt
            with _collecting_failures(failure):
                store.restore()
            with _collecting_failures(failure):
                ended = _now() if store.appended or not about.finished else about.finished
                recovery = schedule.bench.recoveries.table() or about.recovery
                status = "failed" if failure else status
                about = about.model_copy(update={"finished": ended, "status": status, "recovery": recovery})
                store.update(about)
            with _collecting_failures(failure):
                store.write(LOCATED, dump(schedule.located))
                about = sealed(about, folder)
                store.update(about)
        with signals.defer_signals() as later:
            summary = _write_report(about, folder, listeners, failure)
    if failure or summary is None:
        raise failure[0]
    interrupted = status == "interrupted" or late.received or later.received
    failed = len(schedule.bench.failed) + len(plan.broken)
    return Outcome(folder=folder, summary=summary, interrupted=interrupted, failed=failed)


@contextlib.contextmanager
def _collecting_failures(failure: list[Exception]) -> Iterator[None]:
    """Lets what follows be done all the same: a full disk must keep neither children nor trackers from being told."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the first of them is raised when the run has ended
        failure.append(error)


def _write_report(about: RunInfo, folder: Path, listeners: Broadcast, failure: list[Exception]) -> Summary | None:
    """The report of what there is, and the end of the run for trackers, who hear of it whatever has failed."""
    summary: Summary | None = None
    with _collecting_failures(failure):
        summary = writing.write(folder)
    if summary is None:
        with _collecting_failures(failure):
            summary = summarise(read(folder))
    if summary is None or failure:
        about = (summary.run if summary else about).model_copy(update={"status": "failed"})
        summary = replace(summary, run=about) if summary else None
    if summary is None:
        listeners.broke_off(about, folder)
    else:
        listeners.finished(summary, folder)
    if summary is not None and failure:
        listeners.say(f"the run failed; what it has measured is in {folder}")
    return summary


def _amount_of_work(plan: Plan) -> str:
    """How much there is to do; a suite that only trains and scores has no launches."""
    suite, cells, searches = plan.suite, len(plan.sweep.cells), len(plan.sweep.cases)
    launches = f", {launches_in_words(suite, searched=bool(searches))}" if searches or suite.measurement.table else ""
    return f"{suite.name}: {counted(cells, 'cell')}, {counted(searches, 'search')}{launches}"


def _overridden(differences: Sequence[str], folder: Path, *, force: bool) -> Sequence[str]:
    """The differences that were overridden; a refusal where they were not."""
    if differences and not force:
        what = f"this run cannot be resumed: {'; '.join(differences)}"
        raise RecordsError(what, where=str(folder), next_step="start a new run, or use --force")
    return differences


def default_output(suite: Suite, results: Path, now: dt.datetime | None = None) -> Path:
    """`results/<suite>-<UTC time>`, a folder that does not exist yet."""
    stem = f"{suite.name}-{now or dt.datetime.now(dt.UTC):%Y%m%d-%H%M%S}"
    folder, number = results / stem, 1
    while folder.exists():
        number += 1
        folder = results / f"{stem}-{number}"
    return folder


def _now() -> str:
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")


def about_run(plan: Plan) -> RunInfo:
    """What run.json says when a run begins."""
    facts: dict[str, Any] = {
        "suite_path": os.path.relpath(plan.suite_path),
        "command": shlex.join(["harness", *sys.argv[1:]]),
        "machine": machine.describe(),
        "versions": {DISTRIBUTION: __version__, **plan.versions},
        "offers": dict(plan.offers),
        "project": project.describe(plan.suite_path),
        "warnings": tuple(plan.warnings),
    }
    return RunInfo(
        suite=plan.suite.model_dump(mode="json", by_alias=True),
        suite_digest=plan.suite_digest,
        started=_now(),
        quick=plan.quick,
        seed=plan.suite.seed,
        commit=checkout.commit(plan.suite_path.resolve().parent),
        **{name: encodable(each) for name, each in facts.items()},
    )
