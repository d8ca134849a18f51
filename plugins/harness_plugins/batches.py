"""Exports for one batch size each, where a module does not do the same at all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import harness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

Float32 = NDArray[np.float32]


class ByBatchSize(harness.Compiled):
    """What was exported for some batch sizes alone, and for all others, where there is such an export."""

    def __init__(self, compiled: Mapping[int, harness.Compiled], others: harness.Compiled | None) -> None:
        self._compiled, self._others = dict(compiled), others
        self._all = [*compiled.values(), *([others] if others else [])]
        self.batch_sizes = None if others else tuple(sorted(compiled))

    def prepare(self, batch: Float32) -> Any:
        """The batch as its own export takes it, and that export.

        Raises:
            ContenderError: where there is none for so many queries.
        """
        found = self._for_batch(batch)
        return found, found.prepare(batch)

    def _for_batch(self, batch: Float32) -> harness.Compiled:
        found = self._compiled.get(len(batch), self._others)
        if found is None:
            raise harness.ContenderError(f"it was exported for batches of {self.batch_sizes}, and not of {len(batch)}")
        return found

    def __call__(self, prepared: Any) -> Any:
        """Projections [B, K]."""
        compiled, own = prepared
        return compiled(own)

    def enqueue(self, prepared: Any) -> Any:
        """As the export that is called does it."""
        compiled, own = prepared
        return compiled.enqueue(own)

    def synchronise(self) -> None:
        """Waits for all of them."""
        for each in self._all:
            each.synchronise()

    def stage(self, batch: Float32) -> Any:
        """The batch as its own export stages it, and that export."""
        found = self._for_batch(batch)
        return found, found.stage(batch)

    def enqueue_staged(self, staged: Any) -> Any:
        """As the export that is called does it."""
        compiled, own = staged
        return compiled.enqueue_staged(own)

    def evict(self) -> bool:
        """As the library does it."""
        return self._all[0].evict()

    def settings(self) -> Mapping[str, str]:
        """As the library reports them."""
        return self._all[0].settings()

    def device_memory(self) -> Mapping[str, int]:
        """As the library reports it, for the whole process."""
        return self._all[0].device_memory()

    def result(self, output: Any) -> Float32:
        """Projections [B, K] as an array."""
        return self._all[0].result(output)

    def threads(self) -> int | None:
        """As the library reports them."""
        return self._all[0].threads()

    def device_seconds(self, prepared: Any) -> float | None:
        """As the export that is called reports them."""
        compiled, own = prepared
        found: float | None = compiled.device_seconds(own)
        return found

    def close(self) -> None:
        """Closes all of them."""
        for each in self._all:
            each.close()


def rows(example: Float32, size: int) -> Float32:
    """The example [B, D] cut or repeated to so many rows."""
    return np.ascontiguousarray(np.resize(example, (size, example.shape[1])))


def differing(context: harness.ExportContext, usual: int) -> list[int]:
    """The batch sizes that are raced, and at which a module does something else than with `usual` rows."""
    known = context.operations
    return [size for size in sorted(set(context.batch_sizes)) if known.get(size, "") != known.get(usual, "")]


def path_for_batch(path: Path, size: int) -> Path:
    """`model-32.onnx` beside `model.onnx`."""
    return path.with_name(f"{path.stem}-{size}{path.suffix}")


def loaded(path: Path, load: Callable[[Path], harness.Compiled]) -> harness.Compiled:
    """What lies at `path` for any batch size, and beside it for one each."""
    own = {int(each.stem.rpartition("-")[2]): load(each) for each in path.parent.glob(f"{path.stem}-*{path.suffix}")}
    others = load(path) if path.exists() else None
    return others if others is not None and not own else ByBatchSize(own, others)
