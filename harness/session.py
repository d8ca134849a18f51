"""A run from suite to records: the order of events and nothing else.

Suite -> cells -> (launch by launch: the table's visits and whatever the searches ask for) -> records -> summary.
"""

from __future__ import annotations

import datetime
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness import inquiry_cache
from harness.analysis.crossover import BudgetSpent, Pair, Progress, Unmeasurable
from harness.analysis.located import Located, dump
from harness.analysis.recall import Recall
from harness.analysis.replay import Recording
from harness.analysis.visits import pairs
from harness.errors import ContenderError, DataError, HarnessError, RecordsError, ResourceError
from harness.measure.child import ChildFailed
from harness.measure.pairing import Purpose, visit
from harness.measure.pool import Launch, Workshop, timing_cores
from harness.measure.searching import Request, Searches
from harness.planning import Plan
from harness.records import machine
from harness.records.measurement import Fidelity, Measurement, RunInfo, content_hash
from harness.records.store import LOCATED, Evidence, Store, read
from harness.suite.schema import Suite
from harness.suite.sweep import Cell, Leg

_BUILD_DEADLINE_SECONDS = 1800.0
_SELF_CHECK_ROUNDS = 5
_REGRET_POINTS = 3


class Listener(Protocol):
    """Who is told how a run goes."""

    def say(self, text: str) -> None:
        """Something that stays on the screen."""

    def stage(self, text: str, total: int | None = None) -> None:
        """What is being done now, in how many steps."""

    def step(self, text: str = "") -> None:
        """One step of the stage is done."""

    def search(self, leg: Leg, progress: Progress) -> None:
        """How a search stands."""

    def recorded(self, record: Measurement | Fidelity) -> None:
        """A record was written."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended."""

    folder: Path
    evidence: Evidence
    interrupted: bool
    failed: int  # cells without a latency


def run(
    plan: Plan, folder: Path, listener: Listener, *, resume: Evidence | None = None, forced: Sequence[str] = (),
    save: Mapping[str, Path] | None = None,
) -> Outcome:  # fmt: skip
    """Measures a plan into a folder.

    Args:
        plan: what to measure.
        folder: where the records go; new, unless resumed.
        listener: is told how it goes.
        resume: what the folder holds already; only what is missing is measured.
        forced: the differences that were overridden to resume.
        save: where to write the trained students of these contenders.

    Raises:
        RecordsError, ResourceError: where the folder cannot be used, or memory and disk do not suffice.
    """
    started = datetime.datetime.now(datetime.UTC)
    about = resume.run if resume else _run_info(plan, started)
    with Store.resume(folder)[0] if resume else Store.create(folder, about) as store:
        about = about.model_copy(update={"forced": (*about.forced, *forced), "status": "running"})
        store.update(about)
        session = _Session(plan, store, listener, resume)
        interrupted = False
        try:
            about = session.describe(about)
            session.measure()
            session.save(save or {})
        except KeyboardInterrupt:
            interrupted = True
        finally:
            session.close(patience=0.0 if interrupted else 0.2)
            ended = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            done = interrupted, sys.exc_info()[0] is not None
            status = "interrupted" if done[0] else "failed" if done[1] else "complete"
            about = about.model_copy(
                update={"finished": ended, "status": status, "warnings": (*about.warnings, *session.warnings)}
            )
            store.update(about)
            store.write(LOCATED, dump(session.located))
    return Outcome(
        folder=folder, evidence=read(folder), interrupted=interrupted, failed=len(session.failed) + len(plan.broken)
    )


class _Session:
    """A run while it is going on."""

    def __init__(self, plan: Plan, store: Store, listener: Listener, resume: Evidence | None) -> None:
        suite = plan.suite
        known = resume.measurements if resume else ()
        recall = Recall(known, resume.fidelities if resume else ())
        self._plan, self._suite, self._store, self._listener, self._recall = plan, suite, store, listener, recall
        self._recordings = {leg: Recording(known, leg) for leg in plan.sweep.legs}
        self._generator = np.random.default_rng([suite.seed, 1])
        self._visits = recall.visits
        self._deadline = time.monotonic() + suite.search.budget_seconds if suite.search.budget_seconds else None
        self._crashes: dict[str, int] = {}
        self._keys: dict[Cell, str] = {}
        self._described: dict[str, Any] = {}
        self._seconds: dict[str, float] = {}
        self._announced: set[Leg] = set()
        self.failed = {record.cell for record in known if record.outcome == "failed"}
        self.warnings: list[str] = []
        settings = {
            "cache": str(inquiry_cache.folder()), "versions": dict(plan.versions), "plugins": dict(plan.plugins_of_sources),
            "input_batches": suite.measurement.input_batches,
        }  # fmt: skip
        self._workshop = Workshop(plan.specifications, plan.batch_sizes, settings, _BUILD_DEADLINE_SECONDS)
        self._launch: Launch | None = None
        self._machine = machine.describe()
        self._searches = Searches(
            plan.sweep.legs,
            suite.search,
            launches=suite.measurement.launches,
            seed=suite.seed,
            on_progress=listener.search,
        )

    # ------------------------------------------------------------------------------------------------ order of events

    def describe(self, about: RunInfo) -> RunInfo:
        """Asks the source what it gives, and whether this machine can hold it."""
        specification = next(iter(self._plan.specifications.values()))
        if specification.function:
            return about
        self._listener.stage("loading the source")
        smallest = (
            min(cell.heads for cell in self._plan.sweep.cells) if self._plan.sweep.cells else self._suite.heads.low
        )
        request = {"do": "describe", "specification": specification.to_json(), "heads": smallest}
        try:
            self._described = self._workshop.ask(request, stage="load")
        except ChildFailed as failed:
            raise HarnessError(
                f"the source cannot be loaded: {failed.failure.what}", next_step="see its options in the suite"
            ) from failed
        if self._plan.width not in (None, self._described["width"]):
            raise DataError(
                f"the embeddings are {self._described['width']} wide, {self._plan.width} were expected",
                next_step=f"say --embed-dim {self._described['width']}",
            )
        self._refuse_what_does_not_fit()
        about = about.model_copy(update={"source": self._described})
        self._store.update(about)
        return about

    def measure(self) -> None:
        """Fidelity, then launch after launch: the table's visits, and whatever the searches ask for."""
        self._score_students()
        wanted = self._suite.measurement.launches
        number: int | None = 0 if self._plan.sweep.legs else 1
        while number is not None:
            self._open(number)
            if 1 <= number <= wanted:
                self._visit_table(number)
                self._check_self(number)
            self._searches.serve(number, self._pairs)
            self._announce()
            self._close_launch()
            asked = self._searches.next_launch()
            later = number + 1 if number < wanted else None
            number = min((each for each in (asked, later) if each is not None), default=None)
        self._measure_regret(wanted + 1)

    def save(self, wanted: Mapping[str, Path]) -> None:
        """Writes trained students where the user wants them."""
        for name, path in wanted.items():
            heads = max(cell.heads for cell in self._plan.sweep.cells if cell.contender == name)
            request = {
                "do": "save",
                "specification": self._plan.specifications[name].to_json(),
                "heads": heads,
                "path": str(path.resolve()),
            }
            try:
                self._workshop.ask(request, stage="export")
            except ChildFailed as failed:
                raise ContenderError(f"{name} cannot be saved: {failed.failure.what}", where=str(path)) from failed

    def close(self, patience: float) -> None:
        """Ends all children."""
        self._close_launch(patience)
        self._workshop.close(patience)

    @property
    def located(self) -> list[Located]:
        """What the searches have found so far."""
        return [
            Located(
                leg=each.leg, location=each.location, seconds=self._seconds.get(each.leg.label, 0.0), quick=self._plan.quick,
                asked=self._searches.asked(each),
            )
            for each in self._searches.searchers
            if each.location is not None
        ]  # fmt: skip

    # ------------------------------------------------------------------------------------------------------- fidelity

    def _score_students(self) -> None:
        """Trains and scores every contender that has a trainer or fits itself, at the N of the sweep."""
        if not self._suite.fidelity:
            return
        trained = [name for name, contender in self._suite.contenders.items() if contender.trainer or contender.scored]
        wanted = [(name, cell.heads) for name in trained for cell in self._plan.sweep.cells if cell.contender == name]
        wanted = list(dict.fromkeys(wanted))
        if not wanted:
            return
        seeds = self._suite.training_seeds
        self._listener.stage("training and scoring", total=len(wanted) * len(seeds))
        for name, heads in wanted:
            for seed in seeds if self._suite.contenders[name].trainer else seeds[:1]:
                self.score(name, heads, seed)
                self._listener.step(f"{name} at N = {heads:,}, seed {seed}")

    def score(self, name: str, heads: int, seed: int) -> Fidelity:
        """The fidelity of one contender at one N: recalled, or trained and scored now."""
        known = self._recall.fidelity(name, heads, seed)
        if known is not None:
            return known
        import dataclasses

        specification = dataclasses.replace(self._plan.specifications[name], training_seed=seed)
        try:
            answer = self._workshop.ask(
                {"do": "score", "specification": specification.to_json(), "heads": heads}, stage="train"
            )
            record = Fidelity(contender=name, heads=heads, seed=seed, **answer)
        except ChildFailed as failed:
            temperature = float(self._described.get("temperature", 1.0))
            record = Fidelity(
                contender=name, heads=heads, seed=seed, temperature=temperature, scores={}, failure=failed.failure
            )
            self.failed.add((name, heads, 0))
        self._store.append(record)
        self._recall.remember(record)
        self._listener.recorded(record)
        return record

    # ------------------------------------------------------------------------------------------------------ measuring

    def _visit_table(self, number: int) -> None:
        """Every cell of the sweep, contenders of one N and B in alternation, N and B in random order."""
        groups: dict[tuple[int, int], list[Cell]] = {}
        for cell in self._plan.sweep.cells:
            groups.setdefault((cell.heads, cell.batch_size), []).append(cell)
        order = list(groups)
        np.random.default_rng([self._suite.seed, 2, number]).shuffle(order)
        self._listener.stage(f"launch {number} of {self._suite.measurement.launches}: the table", total=len(order))
        for heads, batch_size in order:
            cells = [
                cell
                for cell in groups[heads, batch_size]
                if self._recall.table(cell_key(cell), number) is None and cell_key(cell) not in self.failed
            ]
            if cells:
                how = self._suite.measurement
                self._visit(cells, how.rounds, "table", calls=how.latency_calls, together=False)
            self._listener.step(f"N = {heads:,}, batch {batch_size}")

    def _check_self(self, number: int) -> None:
        """Races a contender against itself: what this machine calls a difference where there is none."""
        cell = self._self_check_cell()
        if cell is None or cell_key(cell) in self.failed or self._recall.self_check(number):
            return
        self._visit([cell, cell], _SELF_CHECK_ROUNDS, "self-check")

    def _self_check_cell(self) -> Cell | None:
        cells = self._plan.sweep.cells
        if not self._suite.measurement.self_check or not cells:
            return None
        name = self._suite.races[0].challenger if self._suite.races else cells[0].contender
        own = [cell for cell in cells if cell.contender == name] or list(cells)
        return own[len(own) // 2]

    def _pairs(self, request: Request) -> Sequence[Pair]:
        """What a search asked for: recalled, or measured now."""
        leg = request.leg
        known = self._recordings[leg].take(request.heads, request.rounds, request.launch)
        if known is not None:
            return known
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise BudgetSpent
        cells = [
            Cell(contender=name, heads=request.heads, batch_size=leg.batch_size)
            for name in (leg.baseline, leg.challenger)
        ]
        for cell in cells:
            if cell_key(cell) in self.failed:
                self._store.append(*self._left_out(cells, leg, request.launch, f"{cell.contender} failed there"))
                raise Unmeasurable(request.heads, f"{cell.contender} failed there")
        started = time.monotonic()
        records = self._visit(cells, request.rounds, "search", leg=leg.label)
        self._seconds[leg.label] = self._seconds.get(leg.label, 0.0) + time.monotonic() - started
        return _answer(records, request)

    def _left_out(self, cells: Sequence[Cell], leg: Leg, launch: int, reason: str) -> list[Measurement]:
        """The records of a visit that was not made, so that the search can be repeated from the records."""
        self._visits += 1
        return [
            Measurement(
                key=self._key(cell), contender=cell.contender, heads=cell.heads, batch_size=cell.batch_size, purpose="search",
                leg=leg.label, visit=self._visits, launch=launch, outcome="skipped", reason=reason,
            )
            for cell in cells
        ]  # fmt: skip

    def _visit(
        self,
        cells: Sequence[Cell],
        rounds: int,
        purpose: str,
        *,
        leg: str | None = None,
        calls: int = 0,
        together: bool = True,
    ) -> list[Measurement]:
        """Measures rivals and writes their records, all of them at once."""
        launch = self._opened()
        self._visits += 1
        about = Purpose(
            purpose=purpose, visit=self._visits, leg=leg, keys={cell: self._key(cell) for cell in cells},
            tolerances={name: each.tolerance for name, each in self._plan.specifications.items()}, load_average=machine.load_average(),
        )  # fmt: skip
        records = visit(launch, cells, rounds, self._generator, about, calls=calls, together=together)
        self._store.append(*records)
        for record in records:
            self._listener.recorded(record)
            if record.outcome == "failed":
                self.failed.add(record.cell)
                what = record.failure.what if record.failure else "failed"
                self._listener.say(f"{record.contender} at N = {record.heads:,}, batch {record.batch_size}: {what}")
        return records

    def _measure_regret(self, number: int) -> None:
        """What it costs to decide by the crossovers, at N that no search used."""
        found = [
            each
            for each in self.located
            if each.location.status in ("crossing", "several") and each.leg.method == "adaptive"
        ]
        if not found or self._plan.quick or not self._suite.search.regret:
            return
        self._open(number)
        self._listener.stage("the regret of deciding by these crossovers", total=len(found))
        for each in found:
            used = {probe.heads for probe in each.location.probes}
            generator = np.random.default_rng([self._suite.seed, 3, each.leg.batch_size])
            drawn = np.exp(generator.uniform(np.log(each.leg.low), np.log(each.leg.high), 4 * _REGRET_POINTS))
            fresh = [int(heads) for heads in drawn if int(heads) not in used][:_REGRET_POINTS]
            for heads in fresh:
                cells = [
                    Cell(contender=name, heads=heads, batch_size=each.leg.batch_size)
                    for name in (each.leg.baseline, each.leg.challenger)
                ]
                if not self._recall.regret(each.leg.label, heads) and not any(
                    cell_key(cell) in self.failed for cell in cells
                ):
                    self._visit(cells, 3 * _SELF_CHECK_ROUNDS, "regret", leg=each.leg.label)
            self._listener.step(each.leg.label)
        self._close_launch()

    # ------------------------------------------------------------------------------------------------------- launches

    def _open(self, number: int) -> None:
        """Gets a launch ready; its processes start when they are first needed."""
        how = self._suite.measurement
        settings = {
            "plugins": dict(self._plan.plugins_of_sources), "core": timing_cores(self._suite.threads),
            "last_level_cache_bytes": machine.last_level_cache_bytes(self._machine),
        }  # fmt: skip
        self._launch = Launch(
            number,
            workshop=self._workshop,
            specifications=self._plan.specifications,
            how=how,
            settings=settings,
            crashes=self._crashes,
        )
        self._listener.stage("launch 0: exploring" if number == 0 else f"launch {number}: confirming crossovers")

    def _opened(self) -> Launch:
        if self._launch is None:
            raise HarnessError("nothing can be measured outside of a launch")
        return self._launch

    def _close_launch(self, patience: float = 0.2) -> None:
        if self._launch is not None:
            self._launch.close(patience)
            self._launch = None

    def _announce(self) -> None:
        """Says each crossover as soon as it is known."""
        from harness.analysis.verdicts import sentence

        for searcher in self._searches.searchers:
            if searcher.location is not None and searcher.leg not in self._announced:
                self._announced.add(searcher.leg)
                leg = searcher.leg
                self._listener.say(
                    f"{leg.race}: " + sentence(searcher.location, leg.challenger, leg.baseline, leg.batch_size)
                )

    # ----------------------------------------------------------------------------------------------------- identities

    def _key(self, cell: Cell) -> str:
        """The content hash of what a cell is: contender, its settings, data, N and B."""
        if cell not in self._keys:
            specification = self._plan.specifications[cell.contender].to_json()
            for name in ("folder", "cache"):
                specification.pop(name)
            parts = [
                specification,
                self._described.get("digest"),
                cell.heads,
                cell.batch_size,
                self._suite.measurement.model_dump(mode="json"),
            ]
            self._keys[cell] = content_hash(parts)
        return self._keys[cell]

    def _refuse_what_does_not_fit(self) -> None:
        """Estimates memory and disk at the largest N, and refuses with the figures."""
        import psutil

        heads = max(
            [leg.high for leg in self._plan.sweep.legs] + [cell.heads for cell in self._plan.sweep.cells], default=1
        )
        one = heads * (self._described["width"] + self._described["output_width"]) * 4
        batch = max(max(sizes) for sizes in self._plan.batch_sizes.values())
        memory = (
            4 * one
            + len(self._plan.specifications) * min(one, self._suite.measurement.models_in_memory_bytes)
            + batch * heads * 16
        )
        free = psutil.virtual_memory().available
        if memory > free:
            raise ResourceError(
                f"N = {heads:,} needs about {memory / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free",
                next_step="lower heads.to, or run fewer contenders with --only",
            )
        folder = inquiry_cache.folder()
        folder.mkdir(parents=True, exist_ok=True)
        disk = (2 + len(self._plan.specifications)) * one
        room = psutil.disk_usage(str(folder)).free
        if disk > room:
            raise ResourceError(
                f"N = {heads:,} needs about {disk / 2**30:.1f} GiB of disk, {room / 2**30:.1f} GiB are free",
                where=str(folder), next_step="lower heads.to, or set HARNESS_CACHE to a larger disk",
            )  # fmt: skip


def _answer(records: Sequence[Measurement], request: Request) -> Sequence[Pair]:
    """The pairs of a visit, or why there are none."""
    failed = next((record for record in records if record.outcome == "failed"), None)
    if failed is not None:
        raise Unmeasurable(request.heads, f"{failed.contender}: {failed.failure.what if failed.failure else 'failed'}")
    return pairs(records[0], records[1])


def resumable(plan: Plan, folder: Path, *, force: bool) -> tuple[Evidence, list[str]]:
    """What a folder holds, where this plan may go on with it, and the differences that `force` overrides.

    Raises:
        RecordsError: where suite, machine or versions differ; it names the differences.
    """
    evidence = read(folder)
    then = evidence.run
    differences = [] if then.suite_digest == plan.suite_digest else ["the suite is another one"]
    differences += machine.comparable(then.machine, machine.describe())
    for name in sorted({*then.versions, *plan.versions}):
        if then.versions.get(name) != plan.versions.get(name):
            differences.append(
                f"{name} was {then.versions.get(name, 'absent')}, is {plan.versions.get(name, 'absent')}"
            )
    if differences and not force:
        raise RecordsError(
            f"this run cannot be resumed: {'; '.join(differences)}",
            where=str(folder),
            next_step="start a new run, or say --force",
        )
    return evidence, differences


def cell_key(cell: Cell) -> tuple[str, int, int]:
    """(contender, heads, batch size), as records name a cell."""
    return cell.contender, cell.heads, cell.batch_size


def default_output(suite: Suite, results: Path, clock: Callable[[], datetime.datetime] | None = None) -> Path:
    """`results/<suite>-<UTC time>`, a folder that does not exist yet."""
    now = clock() if clock else datetime.datetime.now(datetime.UTC)
    folder = results / f"{suite.name}-{now:%Y%m%d-%H%M%S}"
    number = 1
    while folder.exists():
        number += 1
        folder = results / f"{suite.name}-{now:%Y%m%d-%H%M%S}-{number}"
    return folder


def _run_info(plan: Plan, started: datetime.datetime) -> RunInfo:
    return RunInfo(
        suite=plan.suite.model_dump(mode="json", by_alias=True),
        suite_path=os.path.relpath(plan.suite_path),
        suite_digest=plan.suite_digest,
        started=started.isoformat(timespec="seconds"),
        quick=plan.quick,
        command=shlex.join(["harness", *sys.argv[1:]]),
        machine=machine.describe(),
        versions=dict(plan.versions),
        offers=dict(plan.offers),
        seed=plan.suite.seed,
        commit=machine.commit(plan.suite_path.parent),
        warnings=tuple(plan.warnings),
    )
