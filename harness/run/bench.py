"""Where the measuring is done during a run: children, launches, and a record of every visit as it is made."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness.analysis.unchecked import unchecked
from harness.errors import HarnessError
from harness.measure import gpus, roofline
from harness.measure.answers import validated
from harness.measure.builders import settings_of
from harness.measure.interleaving import Interrupted, Purpose, visit
from harness.measure.pool import BuilderClient, Launch, timing_cores
from harness.measure.recovery import Recoveries
from harness.measure.scoring import Scoring
from harness.measure.size_limits import SizeLimits
from harness.process.child import Child, ChildFailed, environment
from harness.process.failure import TOO_SLOW, Failure
from harness.process.limits import UNBOUND
from harness.records import machine
from harness.records.measurement import (
    INTERRUPTED,
    PILOT,
    RIVAL_FAILED,
    THROTTLED,
    Fidelity,
    Measurement,
    content_hash,
)
from harness.run.source_facts import SourceFacts
from harness.search.result import BudgetSpent
from harness.suite.devices import kind_of, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from harness.plan.plan import Plan
    from harness.plan.specification import OfferReference
    from harness.plan.sweep import Cell, SearchCase
    from harness.records.writer import Store
    from harness.search import Location, Progress

_THROTTLED_VISITS = 2  # that are made again before a throttled one counts, with a warning
LIMITS = "harness.measure.roofline"
_SIZES = [2**power for power in range(18, 29)]  # bytes, from the second cache to memory
_DEVICE_SIZES = [2**power for power in range(20, 33, 2)]  # bytes


class Listener(Protocol):
    """Who hears how a run goes."""

    def say(self, text: str) -> None:
        """Something that stays on the screen."""

    def stage(self, text: str, total: int | None = None) -> None:
        """What is being done now, in how many steps."""

    def step(self, text: str = "") -> None:
        """One step of the stage is done."""

    def search(self, case: SearchCase, progress: Progress) -> None:
        """How a search stands."""

    def recorded(self, record: Measurement | Fidelity) -> None:
        """A record was written."""

    def outline(self, cases: Sequence[SearchCase], launches: int, spread_seconds: float) -> None:
        """What will be searched, in how many launches, and over how long these are spread at least."""

    def launch(self, number: int) -> None:
        """A launch begins, or the pause before it."""

    def pause(self, seconds: float, why: str) -> None:
        """Nothing is measured for so many more seconds."""

    def answered(self, case: SearchCase, location: Location) -> None:
        """A search has its answer."""


class Bench:
    """Builds, launches and visits for one run."""

    def __init__(
        self,
        plan: Plan,
        store: Store,
        listener: Listener,
        *,
        known: Sequence[Measurement] = (),
        scored: Sequence[Fidelity] = (),
        left: Callable[[], float] = lambda: math.inf,
    ) -> None:
        self._plan = plan
        self._store = store
        self._listener = listener
        self.recoveries = Recoveries()
        self._visits = max((record.visit for record in known), default=0)
        self._generator = np.random.default_rng([plan.suite.seed, 1, self._visits])
        self._left = left
        self._keys: dict[Cell, str] = {}
        self._launch: Launch | None = None
        self._gpus = gpus.watched([each.device for each in plan.specifications.values()])
        self._machine = machine.describe()
        self.failed: dict[tuple[str, int, int], Failure] = {}  # why each of these has no latency or no scores
        self.failed.update({each.cell: each.failure for each in known if each.failing and each.failure})
        self.failed.update({(each.contender, each.heads, 0): each.failure for each in scored if each.failure})
        self.unchecked: set[str] = set(unchecked(known))  # contenders whose output was compared with nothing but itself
        how = plan.suite.measurement
        self._workshop = BuilderClient(plan.specifications, plan.batch_sizes, settings_of(plan), how.deadline_seconds)
        self.source_facts = SourceFacts(plan, lambda request: self._workshop.ask(request, stage="load"))
        self._reach = SizeLimits(how, known)
        self._scoring = Scoring.of(plan, self._workshop)

    # ---------------------------------------------------------------------------------------------- before launches

    def describe(self) -> dict[str, Any]:
        """What the suite's source gives; see `SourceFacts.describe`.

        Raises:
            DataError, ResourceError, HarnessError: as that does.
        """
        self.source_facts.describe()
        return self.source_facts.source

    def score(self, name: str, heads: int, seed: int) -> Fidelity:
        """Trains and scores a contender at one N, unless another machine has done it, and writes the record."""
        record = self._plan.scored.get((name, heads, seed))
        if record is None or record.data != self._described(name, heads).get("digest"):
            record = self._score(name, heads, seed)
        self._store.append(record)
        self._listener.recorded(record)
        return record

    def _score(self, name: str, heads: int, seed: int) -> Fidelity:
        specification = dataclasses.replace(self._plan.specifications[name], training_seed=seed)
        try:
            scored = self._scoring.score(specification, heads, self._plan.batch_sizes[name])
            return Fidelity(contender=name, heads=heads, seed=seed, **scored)
        except ChildFailed as failed:
            self.failed[name, heads, 0] = failed.failure
            self._listener.say(f"{name} at N = {heads:,}, seed {seed}: {failed.failure.what}")
            return Fidelity(
                contender=name,
                heads=heads,
                seed=seed,
                temperature=float(self._described(name, heads).get("temperature", 1.0)),
                scores={},
                failure=failed.failure,
            )

    def key(self, cell: Cell) -> str:
        """The content hash of what a cell is: contender, its settings, data, N and B."""
        if cell not in self._keys:
            specification = self._plan.specifications[cell.contender].to_json()
            for name in ("folder", "cache"):
                specification.pop(name)
            how = self._plan.suite.measurement.model_dump(mode="json")
            parts = [specification, self.source_facts.digest(cell.contender), cell.heads, cell.batch_size, how]
            self._keys[cell] = content_hash(parts)
        return self._keys[cell]

    def unknown_cost(self, name: str) -> bool:
        """Nothing is known of how its cost grows: a plain function, or a projector that states none; not if trained."""
        specification = self._plan.specifications[name]
        if specification.function:
            return True
        if specification.trainer is not None:
            return False
        try:
            return not self._stated_costs(name, [self._plan.suite.heads.low])
        except ChildFailed:
            return True

    # ----------------------------------------------------------------------------------------------------- launches

    def open(self, number: int, contenders: Iterable[str] = (), *, young_heap: bool = False) -> None:
        """Gets a launch ready; its processes start when they are first needed, those of these contenders together."""
        self._scoring.close()  # nothing else is alive while something is timed
        settings = {
            "plugins": dict(self._plan.plugins_of_sources),
            "last_level_cache_bytes": machine.last_level_cache_bytes(self._machine),
        }
        self._launch = Launch(
            number,
            workshop=self._workshop,
            specifications=self._plan.specifications,
            how=self._plan.suite.measurement,
            settings=settings,
            recoveries=self.recoveries,
            together=tuple(name for name in dict.fromkeys(contenders) if not self._reach.exhausted(name)),
            left=self._left,
            young_heap=young_heap,
        )

    def limits(self) -> dict[str, Any]:
        """The best rates of the processor, with as many threads as the contenders have, and of their other devices.

        Each is measured in a process of its own.
        """
        try:
            costs = self._costs()
            table = {cell.heads for cell in self._plan.sweep.cells}
            shapes = [
                (heads in table, (shape[0], shape[1], shape[2]))
                for rows in costs.values()
                for heads, *_, products in rows
                for shape in products
            ]
            wanted = roofline.shapes_to_time(
                [shape for exact, shape in shapes if exact], [shape for exact, shape in shapes if not exact]
            )
            devices = {device: found for device in self._devices() if (found := self._device_rates(device, wanted))}
            if all(each.device_kind != "cpu" for each in self._plan.specifications.values()):
                return {"devices": devices, "costs": costs} if devices else {}
            found = self._rates(wanted, _SIZES)
            others = [self._rates(wanted, (), each) for each in self._libraries()]
        except ChildFailed as failed:
            self._listener.say(
                f"the limits of this machine were not measured ({failed.failure.what}): roofline columns are omitted"
            )
            return {}
        return {**roofline.best_rates([found, *others]), "costs": costs, **({"devices": devices} if devices else {})}

    def _rates(
        self, shapes: Sequence[roofline.Shape], sizes: Sequence[int], runtime: OfferReference | None = None
    ) -> dict[str, Any]:
        """The best rates of NumPy, or of the library of a runtime, in a process of its own."""
        threads = self._plan.suite.threads
        settings = {
            "threads": threads,
            "core": timing_cores(threads),
            "runtime": dataclasses.asdict(runtime) if runtime else None,
        }
        return _rates_in_child(settings, environment(threads), shapes, sizes)

    def _devices(self) -> list[str]:
        """The devices of contenders other than the processor."""
        return list(
            dict.fromkeys(each.device for each in self._plan.specifications.values() if each.device_kind != "cpu")
        )

    def _device_rates(self, device: str, shapes: Sequence[roofline.Shape]) -> dict[str, Any]:
        """The best rates of a device over the runtimes that are raced on it; empty where none of them measures it."""
        runtimes = {
            each.runtime.plugin: each.runtime
            for each in self._plan.specifications.values()
            if each.runtime is not None and each.device == device
        }
        found = []
        for runtime in runtimes.values():
            settings = {"device": kind_of(device), "runtime": dataclasses.asdict(runtime), UNBOUND: True}
            surroundings = {**environment(1), **visible(device, os.environ)}
            try:
                found.append(_rates_in_child(settings, surroundings, shapes, _DEVICE_SIZES))
            except ChildFailed as failed:
                self._listener.say(f"the limits of {device} were not measured ({failed.failure.what})")
        best = roofline.best_device_rates([each for each in found if each])
        return best if best.get("flops_per_second") and best.get("bytes_per_second") else {}

    def _libraries(self) -> list[OfferReference]:
        """The runtimes of contenders on the processor, one of each plugin: they may multiply faster than NumPy."""
        found = {
            each.runtime.plugin: each.runtime
            for each in self._plan.specifications.values()
            if each.runtime is not None and each.device_kind == "cpu"
        }
        return list(found.values())

    def _costs(self) -> dict[str, list[Any]]:
        """What every projector states at the N of the table, along the searches, and on both sides of each step."""
        heads = {cell.heads for cell in self._plan.sweep.cells}
        for case in self._plan.sweep.cases:
            heads |= {int(n) for n in np.geomspace(case.low, case.high, 1 + math.ceil(math.log2(case.high / case.low)))}
            heads |= {case.high, *(n for step in case.steps for n in (step, step + 1))}
        stating = [name for name, each in self._plan.specifications.items() if each.workload or not each.function]
        return {name: self._stated_costs(name, sorted(heads)) for name in stating}

    def _stated_costs(self, name: str, heads: Sequence[int]) -> list[Any]:
        """What a projector states at some N."""
        request: dict[str, Any] = {
            "do": "costs",
            "specification": self._plan.specifications[name].to_json(),
            "heads": list(heads),
            "batch_sizes": self._plan.batch_sizes[name],
            **{side: self.source_facts.of(name).get(side, 0) for side in ("width", "output_width")},
        }
        rows: list[Any] = self._workshop.ask(request, stage="load")["costs"]
        return rows

    def close_twins(self) -> None:
        """Ends the workers of the launch that raced a contender against itself."""
        if self._launch is not None:
            self._launch.close_twins()

    def close_launch(self, patience: float = 0.2) -> None:
        """Ends the workers of the launch."""
        if self._launch is not None:
            self._launch.close(patience)
            self._launch = None

    def close(self, patience: float) -> None:
        """Ends all children."""
        self.close_launch(patience)
        self._scoring.close(patience)
        self._workshop.close(patience)

    def visit(
        self,
        cells: Sequence[Cell],
        rounds: int,
        purpose: str,
        *,
        case: str | None = None,
        calls: int = 0,
        together: bool = True,
    ) -> list[Measurement]:
        """Measures contenders in the present launch and writes their records, all of them at once.

        Raises:
            BudgetSpent: where the seconds of the run ended before the visit did; what it had measured does not count.
        """
        if self._launch is None:
            raise HarnessError("nothing can be measured outside a launch")
        self._visits += 1
        about = Purpose(
            purpose=purpose,
            visit=self._visits,
            case=case,
            keys={cell: self.key(cell) for cell in cells},
            tolerances={name: each.tolerance for name, each in self._plan.specifications.items()},
            load_average=machine.load_average(),
        )
        for last in (False,) * _THROTTLED_VISITS + (True,):
            before = self._gpu_states(cells)
            try:
                records = visit(self._launch, cells, rounds, self._generator, about, calls=calls, together=together)
            except Interrupted as cut:
                self._store.append(*cut.records)
                raise
            records = self._with_gpu_states(records, before)
            if last or self._left() <= 0 or not any(_throttled(each) for each in records):
                break
            self._store.append(*(_set_aside(each) for each in records))
        if self._left() <= 0 and any(each.failure and each.failure.kind == "deadline" for each in records):
            self._store.append(*(_cut_off(each) for each in records))
            raise BudgetSpent
        if purpose == PILOT:
            records = [_piloted(each) for each in records]
        self._store.append(*records)
        self.unchecked.update(unchecked(records))
        for record in records:
            self._reach.learn(record)
            self._listener.recorded(record)
            if record.outcome == "failed" and record.failure is not None:
                if record.failing:
                    self.failed[record.cell] = record.failure
                place = f"{record.contender} at N = {record.heads:,}, batch {record.batch_size}"
                self._listener.say(f"{place}: {record.failure.what}")
        return records

    def refusal(self, cell: Cell, calls: int = 0) -> Failure | None:
        """Why a cell is not worth trying: it failed before, or is out of its contender's reach; None where it is."""
        return self.failed.get((cell.contender, cell.heads, cell.batch_size)) or self._reach.refusal(cell, calls)

    def tried(self, cell: Cell) -> bool:
        """Whether this N or a larger one was tried at this batch size."""
        return self._reach.knows(cell)

    def leave_out(
        self, cells: Sequence[Cell], why: Mapping[Cell, Failure], purpose: str, launch: int, case: str | None = None
    ) -> list[Measurement]:
        """Records a visit that was asked for and not made, so that reports name it and a search can be repeated."""
        self._visits += 1
        records = [
            Measurement(
                key=self.key(cell),
                contender=cell.contender,
                heads=cell.heads,
                batch_size=cell.batch_size,
                purpose=purpose,  # type: ignore[arg-type]  # validated by the record
                leg=case,
                visit=self._visits,
                launch=launch,
                outcome="skipped",
                reason=why[cell].what if cell in why else RIVAL_FAILED,
                failure=why.get(cell),
            )
            for cell in cells
        ]
        for cell, failure in why.items():
            if failure.kind != TOO_SLOW:
                self.failed.setdefault((cell.contender, cell.heads, cell.batch_size), failure)
        self._store.append(*records)
        return records

    # ------------------------------------------------------------------------------------------------------- private

    def _gpu_states(self, cells: Sequence[Cell]) -> dict[str, gpus.State]:
        """How the GPUs of these cells' contenders are now, by device; none where the driver cannot be asked."""
        devices = {self._plan.specifications[cell.contender].device for cell in cells}
        return {
            device: self._gpus.state(device)
            for device in devices
            if self._gpus is not None and kind_of(device) == "cuda"
        }

    def _with_gpu_states(self, records: Sequence[Measurement], before: Mapping[str, gpus.State]) -> list[Measurement]:
        """The records with how their GPU was before and after, and what is to be doubted of it."""
        if self._gpus is None or self._launch is None or not before:
            return list(records)
        after = {device: self._gpus.state(device) for device in before}
        own = self._launch.process_ids
        found = []
        for record in records:
            device = self._plan.specifications[record.contender].device
            if device in before:
                states = before[device], after[device]
                warnings = (*record.warnings, *gpus.doubts(*states, own))
                as_json = tuple(each.to_json() for each in states)
                record = record.model_copy(update={"device_states": as_json, "warnings": warnings})  # noqa: PLW2901
            found.append(record)
        return found

    def _described(self, name: str, heads: int) -> Mapping[str, Any]:
        """What a contender's source gives at this N; at its smallest N where it cannot be loaded."""
        request = {"do": "describe", "specification": self._plan.specifications[name].to_json(), "heads": heads}
        try:
            return self._workshop.ask(request, stage="load")
        except ChildFailed:
            return self.source_facts.of(name)


def _rates_in_child(
    settings: Mapping[str, Any], surroundings: Mapping[str, str], shapes: Sequence[roofline.Shape], sizes: Sequence[int]
) -> dict[str, Any]:
    child = Child(LIMITS, settings, environment=surroundings)
    try:
        asked = {"do": "rates", "shapes": shapes, "sizes": list(sizes)}
        return validated(child, "load", "rates", child.ask(asked, stage="load", deadline=120.0))
    finally:
        child.close()


def _throttled(record: Measurement) -> bool:
    return record.outcome == "measured" and any(each.get("throttled") for each in record.device_states)


def _set_aside(record: Measurement) -> Measurement:
    """The record of a visit that is made again since the GPU was throttled meanwhile."""
    return record.model_copy(update={"outcome": "skipped", "reason": THROTTLED, "failure": None})


def _cut_off(record: Measurement) -> Measurement:
    """The record of a visit that the end of the run's seconds cut off."""
    return record.model_copy(update={"outcome": "skipped", "reason": INTERRUPTED, "failure": None})


def _piloted(record: Measurement) -> Measurement:
    """A pilot that took too long is no failure: it was made to find out."""
    if record.failure is None or record.failure.kind != "deadline":
        return record
    what = f"too slow: {record.failure.what}"
    failure = record.failure.model_copy(update={"kind": TOO_SLOW, "what": what})
    return record.model_copy(update={"outcome": "skipped", "reason": what, "failure": failure})
