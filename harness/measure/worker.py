"""The process that is timed: it loads one contender's artifacts, proves them right, and takes samples when asked."""

from __future__ import annotations

import functools
import gc
import importlib
import resource
import sys
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.contracts import Compiled, LoadContext
from harness.errors import ParityError
from harness.measure import calibration, parity
from harness.measure.clock import monotonic
from harness.measure.construction import Construction
from harness.measure.functions import named
from harness.measure.serving import Operation, pin, serve
from harness.measure.specification import Specification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

_CALLS_SECONDS = 0.3  # individually timed calls of one cell and launch end here, but for the fewest
_FEWEST_CALLS = 3


@dataclass
class _Cell:
    """A contender at one batch size, warm and calibrated."""

    compiled: Compiled
    inputs: list[Any]
    first_output: NDArray[np.float32] | None
    calibration: calibration.Calibration


class _Function(Compiled):
    """A plain function of (heads, batch size)."""

    def __init__(self, function: Callable[[int, int], Any], heads: int) -> None:
        self._call = functools.partial(function, heads)

    def __call__(self, prepared: Any) -> Any:
        return self._call(prepared)


class Worker:
    """The operations of a worker, each a request's answer.

    Args:
        settings: `specification`, `measurement` (the suite's part as data), `plugins` (of sources, by name).
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._specification = Specification.from_json(settings["specification"])
        self._how = settings["measurement"]
        self._construction = Construction(settings.get("plugins", {}))
        self._loaded: OrderedDict[str, tuple[Compiled, int, float]] = OrderedDict()
        self._cells: dict[tuple[str, int], _Cell] = {}
        self._last_level_cache = int(settings.get("last_level_cache_bytes") or 2**25)
        self._threads = _limit_threads(self._specification.threads)
        self._cores: list[int] = settings.get("core") or []
        self._pinned = False
        self._frozen = False
        self._base_bytes: int | None = None

    def operations(self) -> Mapping[str, Operation]:
        """What can be asked."""
        operations = {"ready": self.ready, "sample": self.sample, "calls": self.calls, "audit": self.audit}
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
        before = _held_bytes()
        if self._base_bytes is None:
            self._base_bytes = before
        compiled, _, load_seconds = self._load(request)
        compiled_before = compiled.compile_seconds
        error = row_error = None
        again = known is not None
        if known is None:
            inputs, first, error, row_error = self._prove(compiled, request)
            self._collect()
            known = _Cell(
                compiled=compiled,
                inputs=inputs,
                first_output=first,
                calibration=calibration.calibrate(
                    compiled,
                    inputs,
                    monotonic,
                    shortest=self._how["min_sample_seconds"],
                    longest_warm_up=self._how["max_warm_up_seconds"],
                    cold=self._how["cache"] == "cold",
                ),
            )
            self._cells[place, batch] = known
        return {
            **asdict(known.calibration),
            "load_seconds": load_seconds,
            "compile_seconds": (compiled.compile_seconds - compiled_before) or None,
            "parity_error": error,
            "row_error": row_error,
            "threads": self._threads_now(compiled),
            "libraries": _libraries(),
            "base_rss_bytes": self._base_bytes,
            "added_rss_bytes": None if again else max(0, _held_bytes() - before),
            "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            * (1 if sys.platform == "darwin" else 1024),
        }

    def sample(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """One sample: seconds per call, and when it began."""
        cell = self._cells[str(request["place"]), int(request["batch_size"])]
        if self._how["cache"] == "cold":
            return self._cold_sample(cell)
        started = time.time()
        return {
            "seconds": calibration.sample(cell.compiled, cell.inputs, cell.calibration, monotonic),
            "started": started,
        }

    def calls(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Calls timed one by one, for percentiles: seconds each."""
        cell = self._cells[str(request["place"]), int(request["batch_size"])]
        cell.compiled(cell.inputs[-1])
        own = cell.calibration.overhead_seconds
        ends = monotonic() + _CALLS_SECONDS
        seconds: list[float] = []
        for turn in range(int(request["count"])):
            one = calibration.timed(cell.compiled, (cell.inputs[turn % len(cell.inputs)],), 1, monotonic)
            seconds.append(max(one - own, 1e-12))
            if turn + 1 >= _FEWEST_CALLS and monotonic() > ends:
                break
        on_device = [cell.compiled.device_seconds(each) for each in cell.inputs]
        return {"seconds": seconds, "device_seconds": [each for each in on_device if each is not None]}

    def audit(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Whether the first batch still gives the answer that it gave before the samples."""
        cell = self._cells[str(request["place"]), int(request["batch_size"])]
        if cell.first_output is None:
            return {"error": 0.0}
        again = cell.compiled.result(cell.compiled(cell.inputs[0]))
        return {
            "error": parity.prove(again, cell.first_output.astype(np.float64), 1e-6, "its own answer before the timing")
        }

    def _cold_sample(self, cell: _Cell) -> dict[str, Any]:
        """One call after the last-level cache was filled with something else."""
        _sweep(2 * self._last_level_cache)
        started = time.time()
        seconds = calibration.timed(cell.compiled, cell.inputs, 1, monotonic)
        return {"seconds": max(seconds - cell.calibration.overhead_seconds, 1e-12), "started": started}

    def _load(self, request: Mapping[str, Any]) -> tuple[Compiled, int, float]:
        place = str(request["place"])
        if place in self._loaded:
            self._loaded.move_to_end(place)
            return self._loaded[place]
        self._make_room(int(request.get("model_bytes", 0)))
        started = monotonic()
        compiled = self._compile(place, int(request["heads"]))
        self._loaded[place] = compiled, int(request.get("model_bytes", 0)), monotonic() - started
        return self._loaded[place]

    def _compile(self, place: str, heads: int) -> Compiled:
        specification = self._specification
        if specification.function:
            return _Function(named(specification.function), heads)
        context = LoadContext(
            heads=heads,
            threads=specification.threads,
            device=specification.device,
            rebuild=self._construction.rebuild(specification, heads),
        )
        return self._construction.runtime(specification).load(Path(place) / "artifact", context)

    def _collect(self) -> None:
        """Collects garbage and leaves it alone from then on; what a library allocated once is looked at once."""
        gc.collect()
        gc.disable()
        if not self._frozen:
            gc.freeze()
            self._frozen = True

    def _make_room(self, wanted: int) -> None:
        """Releases the models that were used longest ago until the wanted bytes fit."""
        released = False
        while (
            self._loaded
            and sum(size for _, size, _ in self._loaded.values()) + wanted > self._how["models_in_memory_bytes"]
        ):
            place, (compiled, _, _) = self._loaded.popitem(last=False)
            for key in [key for key in self._cells if key[0] == place]:
                del self._cells[key]
            compiled.close()
            del compiled
            released = True
        if released:
            gc.unfreeze()  # the first model may be among them
            self._frozen = False
            gc.collect()

    def _prove(
        self, compiled: Compiled, request: Mapping[str, Any]
    ) -> tuple[list[Any], NDArray[np.float32] | None, float | None, float | None]:
        """The prepared inputs, the first answer, its error, and that of a row alone; raises where one is too large."""
        batch = int(request["batch_size"])
        if self._specification.function:
            return [batch], None, None, None
        folder = Path(request["place"])
        batches = np.load(folder / f"inputs-{batch}.npy", allow_pickle=False)  # [R, B, D]
        references = np.load(folder / f"reference-{batch}.npy", allow_pickle=False)  # [R', B, K]
        inputs = [compiled.prepare(np.ascontiguousarray(each)) for each in batches]
        outputs = [compiled.result(compiled(prepared)) for prepared in inputs[: len(references)]]
        tolerance = self._specification.tolerance
        error = max(
            parity.prove(output, reference, tolerance) for output, reference in zip(outputs, references, strict=True)
        )
        row = batch // 2
        alone = compiled.result(compiled(compiled.prepare(np.ascontiguousarray(batches[0][row : row + 1]))))
        scale = float(np.abs(references[0]).max()) or 1.0
        row_error = float(np.abs(alone[0].astype(np.float64) - outputs[0][row]).max()) / scale
        if not row_error <= 2 * tolerance:
            raise ParityError(
                f"row {row} of a batch of {batch} differs from the row alone by {row_error:.2g} of the largest value"
            )
        return inputs, outputs[0].copy(), error, row_error

    def _threads_now(self, compiled: Compiled) -> dict[str, int]:
        own = compiled.threads()
        return {**self._threads(), **({"runtime": own} if own is not None else {})}


def _limit_threads(threads: int) -> Callable[[], dict[str, int]]:
    """Limits BLAS and OpenMP to this many threads and gives a function that reads the numbers back."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(threads)

    def read() -> dict[str, int]:
        found = {str(each["prefix"]): int(each["num_threads"]) for each in threadpoolctl.threadpool_info()}
        if torch := sys.modules.get("torch"):
            found["torch"] = torch.get_num_threads()
        return found

    return read


def _libraries() -> dict[str, str]:
    """The BLAS and threading libraries that are loaded now, with the version and the kernel that each has chosen."""
    import threadpoolctl

    found = {}
    for each in threadpoolctl.threadpool_info():
        told = (each.get("version"), each.get("architecture"), each.get("threading_layer"))
        found[str(each["prefix"])] = " ".join(str(part) for part in told if part) or "version not told"
    if torch := sys.modules.get("torch"):
        backends = [name for name in ("mkl", "mkldnn") if getattr(torch.backends, name).is_available()]
        found["torch"] = " ".join([torch.backends.cpu.get_cpu_capability(), *backends])
    return found


def _held_bytes() -> int:
    """The memory that this process holds now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def _sweep(size: int) -> None:
    """Writes to `size` bytes, so that nothing else is left in the caches."""
    np.ones(size // 8).sum()


if __name__ == "__main__":
    serve(lambda settings: Worker(settings).operations())
