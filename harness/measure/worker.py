"""The process that is timed: it loads one contender's artifacts, proves them right, and takes samples when asked."""

from __future__ import annotations

import gc
import importlib
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import units
from harness.errors import ContenderError, ParityError
from harness.functions import equality, memoisation
from harness.measure import artifact_digests, calibration, off_clock, parity, parity_queries, recovery, resources
from harness.measure.clock import monotonic
from harness.measure.construction import Construction
from harness.measure.tamper_check import Seal
from harness.measure.timed_function import TimedFunction
from harness.measure.timed_projection import TimedProjection
from harness.plan.specification import Specification
from harness.plugin.interfaces import Compiled, LoadContext
from harness.process.allocator import HighWater
from harness.process.server import Operation, pin, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_REFERENCES = {  # by what the builder says that they are
    "float64": "its own module in float64",
    "itself": "what it answered in another process (there is no reference)",
}
_CALLS_SECONDS = 0.3  # individually timed calls of one cell and launch end here, but for the fewest
_FEWEST_CALLS = 3
_LOOKED_AT = 2  # cells of a function, in each launch, that are looked at for remembered answers
_REMEMBERING_SECONDS = 0.002  # of a loop of such calls
_DEVICE_WARM_UP_SECONDS = 0.15  # a GPU's clocks rise for about so long under load
_DEVICE_UNTIMED_SECONDS = 0.02  # of calls before each sample there: its clocks fall while the other contender runs


@dataclass(frozen=True, kw_only=True)
class _Model:
    """A contender at one N, loaded."""

    compiled: Compiled
    size_bytes: int  # of the artifact
    load_seconds: float
    held_bytes: int  # by which the process has grown


@dataclass
class _Cell:
    """A contender at one batch size, warm and calibrated."""

    compiled: Compiled
    calling: TimedProjection
    inputs: list[Any]
    rotation: calibration.Rotation
    first_outputs: list[Any]
    calibration: calibration.Calibration
    batches: list[NDArray[np.float32]] = field(default_factory=list)  # [B, D], whose memory prepared inputs may share
    warnings: tuple[str, ...] = ()
    audits: int = 0


@dataclass(frozen=True, kw_only=True)
class _Proof:
    """What is known of a cell before it is warm."""

    inputs: list[Any]
    first_outputs: list[Any]  # of each batch that was proved
    first_call_seconds: float
    batches: list[NDArray[np.float32]] = field(default_factory=list)
    error: float | None = None
    row_error: float | None = None
    warnings: tuple[str, ...] = ()


class Worker:
    """The operations of a worker, each a request's answer.

    Args:
        settings: `specification`, `measurement` (the suite's part as data), `plugins` (of sources, by name).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._seal = Seal()
        self._specification = Specification.from_json(settings["specification"])
        self._how = settings["measurement"]
        self._construction = Construction(settings.get("plugins", {}))
        self._loaded: OrderedDict[str, _Model] = OrderedDict()
        self._cells: dict[tuple[str, int], _Cell] = {}
        self._cold = self._how["cache"] == "cold"
        self._last_level_cache = int(settings.get("last_level_cache_bytes") or 2**25)
        resources.limit_threads(self._specification.threads)
        self._cores: list[int] = settings.get("core") or []
        self._elsewhere = self._specification.device_kind != "cpu"
        self._pinned = False
        self._frozen = False
        self._looked_at = 0
        self._launch = int(settings.get("launch", 0))
        self._base_bytes: int | None = None
        self._high_water = HighWater()
        self._young_heap = bool(settings.get("young_heap"))

    def operations(self) -> Mapping[str, Operation]:
        """What can be asked."""
        operations = {"ready": self.ready, "watch": self.watch, "rehearse": self.rehearse}
        operations |= {"sample": self.sample, "calls": self.calls, "audit": self.audit}
        return {"start": self.start, **operations}

    def start(self, request: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - an operation
        """Imports what loading needs, on any core, while nothing is on the clock."""
        if not self._specification.function:
            for name in self._construction.runtime(self._specification).imports:
                importlib.import_module(name)
        return {}

    def ready(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Loads, proves and calibrates a cell; free where that was done before in this process."""
        if not self._pinned:
            pin(self._cores)
            self._pinned = True
        place, batch = str(request["place"]), int(request["batch_size"])
        known = self._cells.get((place, batch))
        if self._specification.function and not self._young_heap:
            self._high_water.reach()
        if self._base_bytes is None:
            self._base_bytes = resources.held_bytes()
        model = self._load(request)
        compiled = model.compiled
        loaded = resources.held_bytes()
        compiled_before = compiled.compile_seconds
        proof: _Proof | None = None
        if known is None:
            calling = TimedProjection(compiled, self._specification.transfers, self._specification.mode)
            proof = self._prove(compiled, calling, request)
            self._check_cold(compiled)
            self._collect()
            rotation = calibration.Rotation(proof.inputs)
            known = _Cell(
                compiled=compiled,
                calling=calling,
                inputs=proof.inputs,
                rotation=rotation,
                first_outputs=proof.first_outputs,
                batches=proof.batches,
                warnings=proof.warnings,
                calibration=calibration.calibrate(
                    calling.timed,
                    rotation,
                    monotonic,
                    shortest=self._how["min_sample_seconds"],
                    longest_warm_up=self._how["max_warm_up_seconds"],
                    cold=self._cold,
                    expected=proof.first_call_seconds,
                    shortest_warm_up=_DEVICE_WARM_UP_SECONDS if self._elsewhere else 0.0,
                ),
            )
            self._cells[place, batch] = known
            self._seal.check()
        threads, libraries = resources.threads_and_libraries()
        if (own := compiled.threads()) is not None:
            threads["runtime"] = own
        return {
            **asdict(known.calibration),
            "cold": self._cold,
            "first_call_seconds": proof.first_call_seconds if proof else None,
            "load_seconds": model.load_seconds,
            "compile_seconds": (compiled.compile_seconds - compiled_before) or None,
            "parity_error": proof.error if proof else None,
            "row_error": proof.row_error if proof else None,
            "warnings": known.warnings,
            "threads": threads,
            "libraries": libraries,
            "device": self._specification.device,
            "settings": dict(compiled.settings()),
            "device_memory": dict(compiled.device_memory()),
            "base_rss_bytes": self._base_bytes,
            "added_rss_bytes": model.held_bytes + max(0, resources.held_bytes() - loaded) if proof else None,
            "peak_rss_bytes": resources.peak_bytes(),
        }

    def watch(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What calls take one after the other, from the first one on."""
        cell = self._cells[str(request["place"]), int(request["batch_size"])]
        return {"windows": recovery.watch(cell.calling.waiting, cell.rotation, monotonic, float(request["longest"]))}

    def rehearse(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What a sample does, untimed; of calls that are samples of their own a single one."""
        cell = self._cells[str(request["place"]), int(request["batch_size"])]
        self._untimed(cell, request)
        if cell.calibration.inner_loops > 1:
            calibration.timed(cell.calling.timed, cell.rotation, cell.calibration.inner_loops, monotonic)
        return {}

    def sample(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One sample: seconds per call, and when it began."""
        cell = self._cells[str(request["place"]), int(request["batch_size"])]
        started = time.time()
        if self._cold:
            return {"seconds": self._single(cell), "started": started}
        untimed = self._untimed_seconds(request)
        seconds = calibration.sample(cell.calling.timed, cell.rotation, cell.calibration, monotonic, untimed)
        return {"seconds": seconds, "started": started}

    def calls(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Calls timed one by one, for percentiles: seconds each."""
        cell = self._cells[str(request["place"]), int(request["batch_size"])]
        self._untimed(cell, request)
        ends = monotonic() + _CALLS_SECONDS
        seconds: list[float] = []
        for turn in range(int(request["count"])):
            seconds.append(self._single(cell))
            if turn + 1 >= _FEWEST_CALLS and monotonic() > ends:
                break
        alone = cell.inputs if cell.calling.transfers == "excluded" else ()
        on_device = [cell.compiled.device_seconds(each) for each in alone]
        return {"seconds": seconds, "device_seconds": [each for each in on_device if each is not None]}

    def audit(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Whether a batch still gives the answer that it gave before the samples; each time another batch.

        The first time also whether all of its work is on the clock.
        """
        self._seal.check()
        cell = self._cells[str(request["place"]), int(request["batch_size"])]
        if isinstance(cell.compiled, TimedFunction):
            return self._audit_function(cell, cell.compiled)
        if not cell.first_outputs:
            return {"error": 0.0}
        turn, cell.audits = cell.audits % len(cell.first_outputs), cell.audits + 1
        taken, again = off_clock.timed_call(cell.calling, cell.inputs[turn], monotonic)
        first = cell.first_outputs[turn]
        error = parity.prove(again, first.astype(np.float64), 1e-6, "its own answer before the timing")
        if cell.audits == 1 and cell.batches:
            cell.inputs[0] = off_clock.prove(
                cell.calling,
                cell.batches,
                cell.inputs[0],
                first,
                monotonic,
                tolerance=self._specification.tolerance,
                before=taken,
                on_device=self._elsewhere,
                seed=self._launch,
            )
            self._seal.check()
        return {"error": error}

    def _audit_function(self, cell: _Cell, function: TimedFunction) -> dict[str, Any]:
        """Whether the first input still gives the output that it gave before the timing.

        Raises:
            ParityError: where it does not.
        """
        if function.kernel.redrawn or not cell.first_outputs:
            if not function.kernel.redrawn:
                self._refuse_cached_answers(cell, function)
            return {"error": 0.0}
        equal = function.kernel.equal.load() if function.kernel.equal else equality.same
        again, first = function(cell.inputs[0]), cell.first_outputs[0]
        if not equal(first, again):
            raise ParityError(
                f"its output changed during the timing: {equality.preview(first)} before, {equality.preview(again)} after"
            )
        self._refuse_cached_answers(cell, function)
        return {"error": 0.0}

    def _refuse_cached_answers(self, cell: _Cell, function: TimedFunction) -> None:
        """Whether inputs that it has seen cost it a small part of others; functions that were found to do so get none twice.

        Raises:
            ContenderError: where they do.
        """
        short = cell.calibration.call_seconds <= memoisation.LONGEST_SECONDS
        if not function.kernel.setup or not short or cell.audits or self._looked_at >= _LOOKED_AT:
            return
        cell.audits = 1
        self._looked_at += 1
        found = memoisation.time_repeated(
            function.called, function.fresh_input, monotonic, own=function.own, budget=_REMEMBERING_SECONDS
        )
        self._seal.check()
        if found is not None:
            raise ContenderError(
                f"it remembers answers: a call with an input that it has not seen takes {units.seconds(found[0])}, "
                f"a repeated one {units.seconds(found[1])}",
                next_step="keep no answers between calls (a dictionary, functools.cache), so that what is timed is the work",
            )

    def _single(self, cell: _Cell) -> float:
        """Seconds of one call that is timed alone; if cold, after the caches of its device were filled."""
        if self._cold and not (self._elsewhere and cell.compiled.evict()):
            _sweep(2 * self._last_level_cache)
        seconds = calibration.timed(cell.calling.timed, cell.rotation, 1, monotonic)
        return max(seconds - cell.calibration.single_overhead_seconds, 1e-12)

    def _untimed(self, cell: _Cell, request: Mapping[str, Any]) -> None:
        """Calls that bring a contender back to speed."""
        calibration.untimed(cell.calling.timed, cell.rotation, monotonic, self._untimed_seconds(request))

    def _untimed_seconds(self, request: Mapping[str, Any]) -> float:
        """As asked for; on a device at least as long as its clocks take to come up."""
        asked = float(request["untimed_seconds"])
        return max(asked, _DEVICE_UNTIMED_SECONDS) if self._elsewhere else asked

    def _check_cold(self, compiled: Compiled) -> None:
        """Refuses to call something cold whose device's caches cannot be emptied.

        Raises:
            ContenderError: where that is so.
        """
        if self._cold and self._elsewhere and not compiled.evict():
            raise ContenderError(
                f"the caches of {self._specification.device} cannot be emptied by this runtime",
                where=self._specification.contender,
                next_step="set measurement.cache: warm, or use a runtime that can, such as eager",
            )

    def _load(self, request: Mapping[str, Any]) -> _Model:
        place = str(request["place"])
        if place in self._loaded:
            self._loaded.move_to_end(place)
            return self._loaded[place]
        size = int(request.get("model_bytes", 0))
        self._release_models(size)
        artifact_digests.verify(Path(place), request.get("files", {}))
        before, started = resources.held_bytes(), monotonic()
        compiled = self._compile(place, int(request["heads"]))
        seconds = monotonic() - started
        held = max(0, resources.held_bytes() - before)
        self._loaded[place] = _Model(compiled=compiled, size_bytes=size, load_seconds=seconds, held_bytes=held)
        return self._loaded[place]

    def _compile(self, place: str, heads: int) -> Compiled:
        specification = self._specification
        if specification.function:
            return TimedFunction(specification.function, heads, specification.seed, self._launch)
        context = LoadContext(
            heads=heads,
            threads=specification.threads,
            device=specification.device_kind,
            rebuild=self._construction.rebuild(specification, heads),
        )
        return self._construction.runtime(specification).load(Path(place) / "artifact", context)

    def _collect(self) -> None:
        """Collects garbage and leaves it alone from then on; what a library allocated once is looked at once."""
        gc.collect()
        gc.disable()
        if not self._frozen or self._specification.function:
            gc.freeze()
            self._frozen = True

    def _release_models(self, wanted: int, but: str = "") -> None:
        """Releases the models that were used longest ago until the wanted bytes fit; one that is being loaded stays."""
        released = False
        while (
            self._loaded
            and next(iter(self._loaded)) != but
            and sum(each.size_bytes for each in self._loaded.values()) + wanted > self._how["models_in_memory_bytes"]
        ):
            place, oldest = self._loaded.popitem(last=False)
            for key in [key for key in self._cells if key[0] == place]:
                del self._cells[key]
            oldest.compiled.close()
            del oldest
            released = True
        if released:
            gc.unfreeze()  # the first model may be among them
            self._frozen = False
            gc.collect()

    def _prove(self, compiled: Compiled, calling: TimedProjection, request: Mapping[str, Any]) -> _Proof:
        """The prepared inputs, the first answers with their error, and that of a row alone.

        Raises:
            ParityError: where an answer has another shape, is not finite, does not repeat, or is wrong.
        """
        batch = int(request["batch_size"])
        if isinstance(compiled, TimedFunction):
            inputs = compiled.inputs(batch, int(self._how["input_batches"]))
            place = str(request["place"])
            self._release_models(compiled.held_bytes, but=place)
            seconds, output = compiled.first(inputs[0])
            kept = [output] if compiled.kernel.checked else []
            held = compiled.held_bytes + sum(map(equality.weight, kept))
            self._loaded[place] = replace(self._loaded[place], size_bytes=held)
            return _Proof(inputs=inputs, first_outputs=kept, first_call_seconds=seconds)
        folder, tolerance = Path(request["place"]), self._specification.tolerance
        given = np.load(folder / f"inputs-{batch}.npy", allow_pickle=False)  # [R, B, D]
        batches = [np.ascontiguousarray(each) for each in given]
        references = np.load(folder / f"reference-{batch}.npy", allow_pickle=False)  # [R', B, K]
        what = _REFERENCES.get(_text(folder / f"proof-{batch}"), "the float64 reference")

        def answer(queries: NDArray[np.float32]) -> NDArray[np.float32]:
            return calling.answer(calling.prepare(np.ascontiguousarray(queries)))

        inputs = [calling.prepare(each) for each in batches]
        first_call_seconds, output = _seconds(calling.waiting, inputs[0])
        outputs = [calling.converted(output)]
        notes = conversion(output, self._precision())
        parity.shaped(outputs[0], references[0].shape)
        parity.finite(outputs[0])
        parity.repeated(outputs[0], calling.answer(inputs[0]))
        outputs += [calling.answer(prepared) for prepared in inputs[1 : len(references)]]
        error = max(
            parity.prove(output, reference, tolerance, what)
            for output, reference in zip(outputs, references, strict=True)
        )
        row = batch // 2
        if compiled.batch_sizes is None or 1 in compiled.batch_sizes:
            alone, neighbours = answer(batches[0][row : row + 1])[0], "the row alone"
        else:  # the same row elsewhere in a batch, beside others
            alone, neighbours = answer(np.roll(batches[0], 1, axis=0))[(row + 1) % batch], "the row in another place"
        scale = float(np.abs(references[0]).max()) or 1.0
        row_error = float(np.abs(alone.astype(np.float64) - outputs[0][row]).max()) / scale
        if not row_error <= 2 * tolerance:
            raise ParityError(
                f"row {row} of a batch of {batch} differs from {neighbours} by {row_error:.2g} of the largest value"
            )
        if (folder / f"probes-{batch}.npz").exists():
            parity_queries.ParityQueries.load(folder / f"probes-{batch}.npz").prove(answer, batch, tolerance, what)
        return _Proof(
            inputs=inputs,
            first_outputs=outputs,
            first_call_seconds=first_call_seconds,
            batches=batches,
            error=error,
            row_error=row_error,
            warnings=notes,
        )

    def _precision(self) -> str:
        """What the runtime says that it computes in."""
        return self._construction.runtime(self._specification).precision if self._specification.runtime else "float32"


def _seconds(compiled: Callable[[Any], Any], prepared: Any) -> tuple[float, Any]:
    """How long a call takes that nothing has prepared the way for, and what it gives."""
    started = monotonic()
    output = compiled(prepared)
    return monotonic() - started, output


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def conversion(output: Any, precision: str) -> tuple[str, ...]:
    """The note about an output that is not a float32 array: `Compiled.result` converts it, off the clock."""
    named = str(getattr(output, "dtype", "")).removeprefix("torch.")
    found = f"a {type(output).__name__}" if isinstance(output, list | tuple) else named
    if found in ("", "float32", precision):
        return ()
    return (f"it returns {found}, which is converted to float32 off the clock: return a float32 array [B, K]",)


def _sweep(size: int) -> None:
    """Writes to `size` bytes, so that nothing else is left in the caches."""
    np.ones(size // 8).sum()


if __name__ == "__main__":
    serve(lambda settings: Worker(settings).operations())
