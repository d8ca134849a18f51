"""Where the measuring is done during a run: children, launches, and a record of every visit as it is made."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from harness import inquiry_cache
from harness.analysis.unchecked import unchecked
from harness.errors import ContenderError, DataError, HarnessError, ResourceError
from harness.measure import limits
from harness.measure.child import Child, ChildFailed, environment
from harness.measure.deaths import Deaths
from harness.measure.pairing import Interrupted, Purpose, visit
from harness.measure.pool import Launch, Workshop, timing_cores
from harness.measure.scoring import Scoring
from harness.records import machine
from harness.records.measurement import Fidelity, Measurement, content_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.analysis.crossover import Progress
    from harness.planning import Plan
    from harness.records.store import Store
    from harness.suite.sweep import Cell, Leg

_BUILD_DEADLINE_SECONDS = 1800.0
LIMITS = "harness.measure.limits"
_SIZES = [2**power for power in range(18, 29)]  # bytes, from the second cache to memory


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


class Bench:
    """Builds, launches and visits for one run.

    Args:
        plan: of the run.
        store: where records are written.
        listener: is told of records and failures.
        visits: the number of the last visit that was recorded before.
        failed: cells that failed before, which are not tried again.
    """

    def __init__(
        self, plan: Plan, store: Store, listener: Listener, *, visits: int, failed: Iterable[tuple[str, int, int]]
    ) -> None:
        self._plan = plan
        self._store = store
        self._listener = listener
        self._visits = visits
        self._generator = np.random.default_rng([plan.suite.seed, 1, visits])
        self._deaths = Deaths()
        self._keys: dict[Cell, str] = {}
        self._launch: Launch | None = None
        self._machine = machine.describe()
        self.source: dict[str, Any] = {}
        self.failed = set(failed)
        self.unchecked: set[str] = set()  # contenders whose output was compared with nothing but itself
        settings = {
            "cache": str(inquiry_cache.folder()),
            "versions": dict(plan.versions),
            "plugins": dict(plan.plugins_of_sources),
            "input_batches": plan.suite.measurement.input_batches,
        }
        self._workshop = Workshop(plan.specifications, plan.batch_sizes, settings, _BUILD_DEADLINE_SECONDS)
        how = plan.suite.measurement
        limited = {"plugins": dict(plan.plugins_of_sources), "memory_limit_bytes": how.memory_limit_bytes}
        self._scoring = Scoring(self._workshop, limited, how.deadline_seconds)

    # ---------------------------------------------------------------------------------------------- before launches

    def describe(self) -> dict[str, Any]:
        """What the source gives, once it is known that this machine can hold it.

        Raises:
            DataError: where the embeddings are not as wide as the user said.
            ResourceError: where memory or disk do not suffice.
            HarnessError: where the source cannot be loaded.
        """
        specification = next(iter(self._plan.specifications.values()))
        if specification.function:
            return {}
        cells = self._plan.sweep.cells
        smallest = min((cell.heads for cell in cells), default=self._plan.suite.heads.low)
        request = {"do": "describe", "specification": specification.to_json(), "heads": smallest}
        try:
            self.source = self._workshop.ask(request, stage="load")
        except ChildFailed as failed:
            what = f"the source cannot be loaded: {failed.failure.what}"
            raise HarnessError(what, next_step="see its options in the suite") from failed
        if self._plan.width not in (None, self.source["width"]):
            raise DataError(
                f"the embeddings are {self.source['width']} wide, {self._plan.width} were expected",
                next_step=f"say --embed-dim {self.source['width']}",
            )
        self._refuse_what_does_not_fit()
        return self.source

    def score(self, name: str, heads: int, seed: int) -> Fidelity:
        """Trains and scores a contender at one N, and writes the record."""
        specification = dataclasses.replace(self._plan.specifications[name], training_seed=seed)
        try:
            scored = self._scoring.score(specification, heads, self._plan.batch_sizes[name])
            record = Fidelity(contender=name, heads=heads, seed=seed, **scored)
        except ChildFailed as failed:
            record = Fidelity(
                contender=name,
                heads=heads,
                seed=seed,
                temperature=self._temperature(name, heads),
                scores={},
                failure=failed.failure,
            )
            self.failed.add((name, heads, 0))
            self._listener.say(f"{name} at N = {heads:,}, seed {seed}: {failed.failure.what}")
        self._store.append(record)
        self._listener.recorded(record)
        return record

    def save(self, name: str, heads: int, path: Path) -> None:
        """Writes a trained student where the user wants it.

        Raises:
            ContenderError: where it cannot be trained or saved.
        """
        specification = self._plan.specifications[name]
        request = {
            "do": "save",
            "specification": specification.to_json(),
            "heads": heads,
            "path": str(path.resolve()),
        }
        try:
            self._workshop.ask(request, stage="export")
        except ChildFailed as failed:
            raise ContenderError(f"{name} cannot be saved: {failed.failure.what}", where=str(path)) from failed

    def key(self, cell: Cell) -> str:
        """The content hash of what a cell is: contender, its settings, data, N and B."""
        if cell not in self._keys:
            specification = self._plan.specifications[cell.contender].to_json()
            for name in ("folder", "cache"):
                specification.pop(name)
            how = self._plan.suite.measurement.model_dump(mode="json")
            parts = [specification, self.source.get("digest"), cell.heads, cell.batch_size, how]
            self._keys[cell] = content_hash(parts)
        return self._keys[cell]

    # ----------------------------------------------------------------------------------------------------- launches

    def open(self, number: int, contenders: Iterable[str] = ()) -> None:
        """Gets a launch ready; its processes start when they are first needed, those of these contenders together."""
        self._scoring.close()  # nothing else is alive while something is timed
        settings = {
            "plugins": dict(self._plan.plugins_of_sources),
            "core": timing_cores(self._plan.suite.threads),
            "last_level_cache_bytes": machine.last_level_cache_bytes(self._machine),
        }
        self._launch = Launch(
            number,
            workshop=self._workshop,
            specifications=self._plan.specifications,
            how=self._plan.suite.measurement,
            settings=settings,
            deaths=self._deaths,
            together=tuple(dict.fromkeys(contenders)),
        )

    def limits(self) -> dict[str, Any]:
        """The machine's best rates with as many threads as the contenders have, measured in a process of its own."""
        if self._plan.suite.device != "cpu":
            self._listener.say("the limits of this machine are the processor's: nothing on another device is compared")
            return {}
        threads = self._plan.suite.threads
        settings = {"threads": threads, "core": timing_cores(threads)}
        child = Child(LIMITS, settings, environment=environment(threads))
        try:
            costs = self._costs()
            table = {cell.heads for cell in self._plan.sweep.cells}
            shapes = [
                (heads in table, (shape[0], shape[1], shape[2]))
                for rows in costs.values()
                for heads, *_, products in rows
                for shape in products
            ]
            wanted = limits.chosen(
                [shape for exact, shape in shapes if exact], [shape for exact, shape in shapes if not exact]
            )
            found = child.ask({"do": "rates", "shapes": wanted, "sizes": _SIZES}, stage="load", deadline=120.0)
        except ChildFailed as failed:
            self._listener.say(
                f"the limits of this machine were not measured ({failed.failure.what}): "
                "no distances to them and no crossovers by them are told"
            )
            return {}
        finally:
            child.close()
        return {**found, "costs": costs}

    def _costs(self) -> dict[str, list[Any]]:
        """What every projector states at the N of the table, along the searches, and on both sides of each step."""
        heads = {cell.heads for cell in self._plan.sweep.cells}
        for leg in self._plan.sweep.legs:
            heads |= {int(n) for n in np.geomspace(leg.low, leg.high, 1 + math.ceil(math.log2(leg.high / leg.low)))}
            heads |= {leg.high, *(n for step in leg.steps for n in (step, step + 1))}
        widths: dict[str, Any] = {name: self.source[name] for name in ("width", "output_width") if name in self.source}
        if len(widths) < 2:  # plain functions state nothing
            return {}
        found: dict[str, list[Any]] = {}
        for name, specification in self._plan.specifications.items():
            request: dict[str, Any] = {
                "do": "costs",
                "specification": specification.to_json(),
                "heads": sorted(heads),
                "batch_sizes": self._plan.batch_sizes[name],
                **widths,
            }
            found[name] = self._workshop.ask(request, stage="load")["costs"]
        return found

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
        leg: str | None = None,
        calls: int = 0,
        together: bool = True,
    ) -> list[Measurement]:
        """Measures rivals in the present launch and writes their records, all of them at once."""
        if self._launch is None:
            raise HarnessError("nothing can be measured outside of a launch")
        self._visits += 1
        about = Purpose(
            purpose=purpose,
            visit=self._visits,
            leg=leg,
            keys={cell: self.key(cell) for cell in cells},
            tolerances={name: each.tolerance for name, each in self._plan.specifications.items()},
            load_average=machine.load_average(),
        )
        try:
            records = visit(self._launch, cells, rounds, self._generator, about, calls=calls, together=together)
        except Interrupted as cut:
            self._store.append(*cut.records)
            raise
        self._store.append(*records)
        self.unchecked.update(unchecked(records))
        for record in records:
            self._listener.recorded(record)
            if record.outcome == "failed":
                self.failed.add(record.cell)
                what = record.failure.what if record.failure else "failed"
                self._listener.say(f"{record.contender} at N = {record.heads:,}, batch {record.batch_size}: {what}")
        return records

    def leave_out(self, cells: Sequence[Cell], leg: str, launch: int, reason: str) -> None:
        """Records a visit that a search asked for and that was not made, so that the search can be repeated."""
        self._visits += 1
        records = [
            Measurement(
                key=self.key(cell),
                contender=cell.contender,
                heads=cell.heads,
                batch_size=cell.batch_size,
                purpose="search",
                leg=leg,
                visit=self._visits,
                launch=launch,
                outcome="skipped",
                reason=reason,
            )
            for cell in cells
        ]
        self._store.append(*records)

    # ------------------------------------------------------------------------------------------------------- private

    def _temperature(self, name: str, heads: int) -> float:
        """The temperature of a contender's own source; that of the run's where it cannot be loaded."""
        request = {"do": "describe", "specification": self._plan.specifications[name].to_json(), "heads": heads}
        try:
            described = self._workshop.ask(request, stage="load")
        except ChildFailed:
            described = self.source
        return float(described.get("temperature", 1.0))

    def _refuse_what_does_not_fit(self) -> None:
        """Estimates memory and disk at the largest N, and refuses with the figures."""
        import psutil

        sweep, contenders = self._plan.sweep, len(self._plan.specifications)
        heads = max([leg.high for leg in sweep.legs] + [cell.heads for cell in sweep.cells], default=1)
        one = heads * (self.source["width"] + self.source["output_width"]) * 4
        batch = max(max(sizes) for sizes in self._plan.batch_sizes.values())
        kept = min(one, self._plan.suite.measurement.models_in_memory_bytes)
        memory = 4 * one + contenders * kept + batch * heads * 16
        free = psutil.virtual_memory().available
        if memory > free:
            raise ResourceError(
                f"N = {heads:,} needs about {memory / 2**30:.1f} GiB of memory, {free / 2**30:.1f} GiB are free",
                next_step="lower heads.to, or run fewer contenders with --only",
            )
        folder = inquiry_cache.folder()
        folder.mkdir(parents=True, exist_ok=True)
        disk = (2 + contenders) * one
        room = psutil.disk_usage(str(folder)).free
        if disk > room:
            raise ResourceError(
                f"N = {heads:,} needs about {disk / 2**30:.1f} GiB of disk, {room / 2**30:.1f} GiB are free",
                where=str(folder),
                next_step="lower heads.to, or set HARNESS_CACHE to a larger disk",
            )
