"""Runtimes that compile a module with TorchInductor: while it is loaded, or ahead of time."""

from __future__ import annotations

import os
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import harness
from harness_plugins.eager import EagerRuntime, TorchCompiled, check_device, load_module
from harness_plugins.onnx_export import silence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]

_PACKAGE = "module.pt2"


class TorchCompileRuntime(EagerRuntime):
    """torch.compile with a dynamic batch; compiled while it is loaded, off the clock."""

    name = "torch-compile"

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The module, compiled when the first batch of a kind is prepared.

        Raises:
            ContenderError: where the process cannot build modules, or there is no such device.
        """
        import torch

        module = load_module(folder / "state.safetensors", context, self.name)
        _compile_alone()
        _never_give_up()
        return _CompiledAtFirstSight(torch.compile(module, dynamic=True), context)


class _CompiledAtFirstSight(TorchCompiled):
    """Calls once for every new batch size while that is off the clock: compilation takes seconds."""

    def __init__(self, module: Any, context: harness.LoadContext) -> None:
        super().__init__(module, context)
        self._seen: set[int] = set()
        self.compile_seconds = 0.0

    def prepare(self, batch: Float32) -> Any:
        """The batch as a tensor on the device, with everything compiled for it."""
        prepared = super().prepare(batch)
        if len(batch) not in self._seen:
            started = time.perf_counter()
            with silence():
                self(prepared)
            self.compile_seconds += time.perf_counter() - started
            self._seen.add(len(batch))
        return prepared


class AOTInductorRuntime(harness.Runtime):
    """AOTInductor: compiled to a shared library when it is exported, which takes as long as a C++ compiler does.

    The number of threads is written into the library: it is the contender's, and not what the builder happens to have.
    """

    name = "aotinductor"
    devices = ("cpu", "cuda")
    imports = ("torch",)

    def export(self, projection: Any, example: Float32, folder: Path, context: harness.ExportContext) -> None:
        """Compiles the module into a package for the device on which it will be called.

        Raises:
            ContenderError: where there is no C++ compiler, or no such device.
        """
        import torch

        check_device(context.device, self.name)
        rows = np.ascontiguousarray(np.resize(example, (max(2, len(example)), example.shape[1])))
        batch = torch.export.Dim("batch")
        _compile_alone()
        try:
            with torch.no_grad(), silence(), torch._inductor.config.patch({"cpp.threads": context.threads}):  # noqa: SLF001
                program = torch.export.export(
                    projection.eval().to(context.device),
                    (torch.from_numpy(rows).to(context.device),),
                    dynamic_shapes=({0: batch},),
                )
                torch._inductor.aoti_compile_and_package(program, package_path=os.fspath(folder / _PACKAGE))  # noqa: SLF001
        except torch._inductor.exc.InvalidCxxCompiler as problem:  # noqa: SLF001 - where PyTorch documents them
            raise harness.ContenderError(
                "there is no C++ compiler", where=self.name, next_step="install g++, or leave this runtime out"
            ) from problem

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The compiled package.

        Raises:
            ContenderError: where there is no such device.
        """
        import torch

        check_device(context.device, self.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            package = torch._inductor.aoti_load_package(os.fspath(folder / _PACKAGE))  # noqa: SLF001
        return TorchCompiled(package, context)


def _compile_alone() -> None:
    """Keeps Inductor from starting a pool of processes, each of which imports PyTorch and may outlive the work."""
    import torch._inductor.config as config

    config.compile_threads = 1


def _never_give_up() -> None:
    """Makes Dynamo compile for every N, and fail where it would otherwise run uncompiled from some N on, silently.

    Each N and kind of batch is one compilation of the same code, and by default the ninth is not made.
    """
    import torch._dynamo.config as config

    config.recompile_limit = 4096
    config.accumulated_recompile_limit = 65_536
    config.fail_on_recompile_limit_hit = True


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """Inductor, both ways."""
    return [TorchCompileRuntime(), AOTInductorRuntime()]
