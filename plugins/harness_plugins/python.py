"""The runtime that calls the NumPy form of a projection as it is."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import threadpoolctl
from numpy.typing import NDArray

import harness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]


class PythonCompiled(harness.Compiled):
    """A NumPy callable, with the number of BLAS threads held for as long as it is open."""

    def __init__(self, projection: Callable[[Float32], Float32], threads: int) -> None:
        self._projection = projection
        self._limits = threadpoolctl.threadpool_limits(limits=threads)

    def __call__(self, prepared: Float32) -> Float32:
        """Projections [B, K]."""
        return self._projection(prepared)

    def threads(self) -> int | None:
        """The most threads that any loaded BLAS or OpenMP library reports."""
        return max((pool["num_threads"] for pool in threadpoolctl.threadpool_info()), default=None)

    def close(self) -> None:
        """Gives the libraries the number of threads back that they had."""
        self._limits.restore_original_limits()


class PythonRuntime(harness.Runtime):
    """NumPy in the interpreter: what a projection costs without any framework."""

    name = "python"
    forms = ("numpy",)

    def export(self, projection: Any, example: Float32, folder: Path, context: harness.ExportContext) -> None:
        """Writes nothing: the worker builds the projection again."""

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:  # noqa: ARG002 - nothing was written
        """The projection, built again in this process.

        Raises:
            ContenderError: where the process cannot build projections.
        """
        if context.rebuild is None:
            raise harness.ContenderError("the NumPy form cannot be built in this process", where=self.name)
        projection = context.rebuild("numpy", True)
        return PythonCompiled(projection, context.threads)


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """NumPy as it is."""
    return [PythonRuntime()]


@harness.hookimpl
def harness_versions() -> Mapping[str, str]:
    """NumPy's version."""
    return {"numpy": metadata.version("numpy")}
