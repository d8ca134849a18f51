"""The children of a run: one builder, and for each launch a fresh worker per contender."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.measure import answers
from harness.measure.builders import Builders, cores
from harness.measure.calibration import FIRST_UNTIMED_SECONDS
from harness.measure.recovery import Recoveries
from harness.process import allocator
from harness.process.child import Child, ChildFailed, environment
from harness.process.failure import CHANGED, Failure
from harness.process.limits import UNBOUND
from harness.suite.devices import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.measure.recovery import Window
    from harness.plan.specification import Specification
    from harness.plan.sweep import Cell
    from harness.suite.schema import Measurement as How

WORKER = "harness.measure.worker"
_FATAL = ("deadline", "signal", "exit", "protocol", "memory")


@dataclass(frozen=True, kw_only=True)
class Built:
    """Where a contender at one N lies, ready to be loaded."""

    place: str
    heads: int  # at which it was built: a contender that is the same at many N is built once
    model_bytes: int
    build_seconds: float | None  # when it was built, which may be long ago
    cached: bool | None
    costs: Mapping[str, tuple[float, float]]  # (operations, bytes) of one call by batch size
    proofs: Mapping[str, str]  # what its reference is, by batch size: formula, float64, or itself
    warnings: Sequence[str] = ()  # of its export
    files: Mapping[str, str] = field(default_factory=dict)  # digests of what is loaded, as its builder told them

    @property
    def is_gone(self) -> bool:
        """Whether its folder was removed from the cache meanwhile; a plain function has none."""
        return self.cached is not None and not os.path.isdir(self.place)  # noqa: PTH112 - it never raises


class BuilderClient:
    """The builder process, what it has built, and what it could not build."""

    def __init__(
        self,
        specifications: Mapping[str, Specification],
        batch_sizes: Mapping[str, Sequence[int]],
        settings: Mapping[str, Any],
        deadline: float,
    ) -> None:
        self._specifications = specifications
        self._batch_sizes = batch_sizes
        self._builders = Builders(specifications, settings, deadline, self._needed)
        self._built: dict[tuple[str, int], Built | Failure] = {}
        self._tried_again: set[str] = set()

    def built(self, contender: str, heads: int) -> Built:
        """The contender at this N, built now if it was not yet.

        Raises:
            ChildFailed: where it cannot be built; said again without another try.
        """
        key = contender, heads
        known = self._built.get(key)
        if known is None or (isinstance(known, Built) and known.is_gone):
            known = self._built[key] = self._build(contender, heads)
        if isinstance(known, Failure):
            raise ChildFailed(known, alive=True)
        return known

    def forget(self, contender: str, heads: int) -> None:
        """What was built lies there no longer as it was: it is built again when it is asked for."""
        self._built.pop((contender, heads), None)

    def ask(self, request: Mapping[str, Any], *, stage: str) -> dict[str, Any]:
        """Any other request to the builder of the contender that it is about."""
        return self._builders.ask(request, stage=stage)

    def close(self, patience: float = 0.2) -> None:
        """Ends the builders."""
        self._builders.close(patience)

    def _needed(self) -> list[str]:
        return [Path(each.place).name for each in self._built.values() if isinstance(each, Built)]

    def _build(self, contender: str, heads: int) -> Built | Failure:
        specification = self._specifications[contender].to_json()
        request = {
            "do": "build",
            "specification": specification,
            "heads": heads,
            "batch_sizes": list(self._batch_sizes[contender]),
        }
        try:
            answer = self.ask(request, stage="build")
        except ChildFailed as failed:
            settled = failed.failure.settles_larger or contender in self._tried_again
            if settled or self._builders.alone(specification):
                return failed.failure
            self._tried_again.add(contender)  # what others have left behind in the process is not its fault
            self._builders.end(specification)
            return self._build(contender, heads)
        return Built(
            place=answer["place"],
            heads=int(answer["heads"]),
            costs={batch: (cost[0], cost[1]) for batch, cost in answer["costs"].items()},
            model_bytes=int(answer["bytes"]),
            cached=answer["cached"],
            build_seconds=answer["build_seconds"],
            proofs=answer["proofs"],
            warnings=tuple(answer["warnings"]),
            files=answer["files"],
        )


class Participant:
    """A cell in a worker of the current launch, ready to be sampled; one for each visit.

    Args:
        cell: which.
        twin: its seat, where a contender is raced against itself.
        built: where it lies.
        child: its worker.
        started: when that was started, in seconds since the epoch.
        deadline: seconds that the worker may take to get ready and for a few samples, all in all.
        few: so many samples; each one more may take as long again as one of them.
        left: seconds that are left of the run.
        clock: seconds.
    """

    def __init__(
        self,
        cell: Cell,
        twin: int,
        built: Built,
        child: Child,
        started: float,
        deadline: float,
        few: int = 1,
        left: Callable[[], float] = lambda: math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cell = cell
        self.twin = twin
        self.built = built
        self.process_id = child.process_id
        self.process_started = started
        self._child = child
        self._deadline = self._left = deadline
        self._few = few
        self._samples = 0
        self._left_of_run = left
        self._clock = clock
        self.info: dict[str, Any] = {}
        self.untimed_seconds = FIRST_UNTIMED_SECONDS

    def ready(self) -> None:
        """Loads, proves, warms up and calibrates it."""
        built = self.built
        asked = {"heads": built.heads, "model_bytes": built.model_bytes, "files": dict(built.files)}
        self.info = self._ask("ready", "warm-up", **asked)

    def watch(self, longest: float) -> list[Window]:
        """What its calls take one after the other for so many seconds."""
        windows = self._ask("watch", "warm-up", longest=longest)["windows"]
        return [(since, seconds) for since, seconds in windows]

    def rehearse(self) -> None:
        """What a sample does, untimed."""
        self._ask("rehearse", "warm-up", untimed_seconds=self.untimed_seconds)

    def sample(self) -> tuple[float, float]:
        """(seconds per call, when it began) of one sample."""
        self._samples += 1
        if self._samples > self._few:
            self._left += self._deadline / self._few
        answer = self._ask("sample", "sample", untimed_seconds=self.untimed_seconds)
        return answer["seconds"], answer["started"]

    def calls(self, count: int) -> tuple[list[float], list[float]]:
        """Seconds of individually timed calls, and what the device took for some, where it reports that."""
        answer = self._ask("calls", "sample", count=count, untimed_seconds=self.untimed_seconds)
        return answer["seconds"], answer["device_seconds"]

    def audit(self) -> None:
        """Proves that the answer is still what it was before the samples."""
        self._ask("audit", "audit")

    def _ask(self, operation: str, stage: str, **more: Any) -> dict[str, Any]:
        request = {"do": operation, "place": self.built.place, "batch_size": self.cell.batch_size, **more}
        began = self._clock()
        self._child.send(request, stage=stage)
        within = max(0.0, min(self._left, self._deadline, self._left_of_run()))
        answer = self._child.receive(stage=stage, deadline=self._deadline, within=within)
        self._left -= self._clock() - began
        return answers.validated(self._child, stage, operation, answer)


class Launch:
    """Fresh worker processes: at most one per contender, and a twin for a race against itself.

    Args:
        number: 0 explores; intervals are made of 1 and above.
        workshop: builds what is missing.
        specifications: of all contenders, by name.
        how: the suite's measurement settings.
        settings: added to what each worker is given (`plugins`, `last_level_cache_bytes`).
        together: contenders whose workers are all started when the first is needed, side by side, off the clock.
        recoveries: how long contenders take to be back at speed, shared by the launches of a run.
        left: seconds that are left of the run.
        young_heap: functions are timed in the other state of the allocator, that of a process which has just begun.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        number: int,
        *,
        workshop: BuilderClient,
        specifications: Mapping[str, Specification],
        how: How,
        settings: Mapping[str, Any],
        recoveries: Recoveries | None = None,
        together: Sequence[str] = (),
        left: Callable[[], float] = lambda: math.inf,
        young_heap: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.number = number
        self._young_heap = young_heap
        self._workshop = workshop
        self._specifications = specifications
        self._how = how
        self._settings = settings
        self.recoveries = recoveries or Recoveries()
        self._together = tuple(together)
        self._left = left
        self._clock = clock
        self._children: dict[tuple[str, int], tuple[Child, float]] = {}

    def participant(self, cell: Cell, *, twin: int = 0) -> Participant:
        """The cell in its worker, ready.

        Raises:
            ChildFailed: where it cannot be built, loaded, proved right or warmed up.
        """
        built = self._workshop.built(cell.contender, cell.heads)
        self._start_together()
        try:
            return self._participant(cell, twin, built)
        except ChildFailed as failed:
            if failed.failure.kind != CHANGED:
                raise
        self._workshop.forget(cell.contender, cell.heads)  # somebody has changed it since: once more, checked again
        return self._participant(cell, twin, self._workshop.built(cell.contender, cell.heads))

    def _participant(self, cell: Cell, twin: int, built: Built) -> Participant:
        child, started = self._worker(cell.contender, twin)
        how = self._how
        participant = Participant(cell, twin, built, child, started, how.deadline_seconds, how.rounds, self._left)
        participant.ready()
        return participant

    @property
    def min_sample_seconds(self) -> float:
        """That a sample lasts at least."""
        return self._how.min_sample_seconds

    @property
    def process_ids(self) -> set[int]:
        """Of the workers that are alive."""
        return {child.process_id for child, _ in self._children.values()}

    def close_twins(self) -> None:
        """Ends the workers that raced against each other."""
        for key in [key for key in self._children if key[1]]:
            self._children.pop(key)[0].close()

    def mark_dead(self, contender: str, failed: ChildFailed, *, twin: int = 0) -> None:
        """Notes that a contender's process died, so that the next request starts another; its twin lives on."""
        if (failed.alive and failed.failure.kind not in _FATAL) or failed.failure.stage == "build":
            return
        if (contender, twin) in self._children:
            self._children.pop((contender, twin))[0].close(patience=0.0)

    def close(self, patience: float = 0.2) -> None:
        """Ends all workers."""
        for child, _ in self._children.values():
            child.close(patience)
        self._children.clear()

    def _start_together(self) -> None:
        """Starts the workers of this launch as many at a time as there are cores: most of a start is imports."""
        names, self._together = self._together, ()
        starting: deque[Child] = deque()
        for name in names:
            if len(starting) >= cores():
                _started(starting.popleft(), self._how.deadline_seconds)
            child, _ = self._worker(name, 0)
            with contextlib.suppress(ChildFailed):  # told when the worker is asked to get ready
                child.send({"do": "start"}, stage="load")
                starting.append(child)
        for child in starting:
            _started(child, self._how.deadline_seconds)

    def _worker(self, contender: str, twin: int) -> tuple[Child, float]:
        key = contender, twin
        if key not in self._children or not self._children[key][0].alive:
            specification = self._specifications[contender]
            settings = {
                **self._settings,
                "core": timing_cores(specification.threads),
                "specification": specification.to_json(),
                "measurement": self._how.model_dump(mode="json"),
                "memory_limit_bytes": self._how.memory_limit_bytes,
                UNBOUND: specification.device_kind != "cpu",
                "launch": self.number,
                "young_heap": self._young_heap,
            }
            started = self._clock()
            variables = {
                **worker_environment(specification),
                **allocator_environment(specification, young_heap=self._young_heap),
            }
            self._children[key] = Child(WORKER, settings, environment=variables), started
        return self._children[key]


def _started(child: Child, deadline: float) -> None:
    """Waits until a worker has started; what went wrong is told when it is asked to get ready."""
    with contextlib.suppress(ChildFailed):
        child.receive(stage="load", deadline=deadline)


def worker_environment(specification: Specification) -> dict[str, str]:
    """The environment of a contender's worker: its threads, and no other device of its kind than its own."""
    return {**environment(specification.threads), **visible(specification.device, os.environ)}


def allocator_environment(specification: Specification, *, young_heap: bool) -> Mapping[str, str]:
    """The variables that set the allocator of a contender's worker (see `harness.process.allocator`)."""
    if young_heap:
        return allocator.OTHER
    return allocator.variables() if specification.function else allocator.THRESHOLDS


def timing_cores(threads: int) -> list[int]:
    """The cores that workers are kept on: the last ones that this process may use; empty where that is unknown."""
    if sys.platform != "linux":
        return []
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[-threads:] if len(allowed) > threads else []
