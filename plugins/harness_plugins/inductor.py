"""Runtimes that compile a module with TorchInductor: while it is loaded, or ahead of time."""

from __future__ import annotations

import os
import time
import warnings
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness_plugins.batches import differing, loaded, path_for_batch, rows
from harness_plugins.eager import EagerOptions, EagerRuntime, TorchCompiled, check_device, load_module, torch_absent
from harness_plugins.onnx_export import silence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

Float32 = NDArray[np.float32]

_PACKAGE = "module.pt2"


class CompileOptions(EagerOptions):
    """How it compiles."""

    mode: Annotated[
        Literal["default", "reduce-overhead", "max-autotune"],
        Field(
            description="mode of torch.compile: reduce-overhead replays CUDA graphs on a GPU, max-autotune tries kernels out"
        ),
    ] = "default"


class TorchCompileRuntime(EagerRuntime):
    """torch.compile with a dynamic batch; compiled while it is loaded, off the clock."""

    name = "torch-compile"
    devices = ("cpu", "cuda")
    Options = CompileOptions

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The module, compiled when the first batch of a kind is prepared.

        Raises:
            ContenderError: where the process cannot build modules, or there is no such device.
        """
        import torch

        module = load_module(folder / "state.safetensors", context, self.name)
        _compile_alone()
        _never_give_up()
        mode = self.options.mode
        # A graph is captured for one size, so sizes are compiled one by one where graphs are wanted.
        compiled = torch.compile(module, dynamic=mode == "default", mode=None if mode == "default" else mode)
        return _CompiledAtFirstSight(compiled, context, tf32=self.options.tf32, graphs=mode != "default")

    def product(self, left: Float32, right: Float32, threads: int) -> None:
        """None: it multiplies with what PyTorch multiplies with."""


class _CompiledAtFirstSight(TorchCompiled):
    """Calls once for every new batch size while that is off the clock: compilation takes seconds."""

    def __init__(self, module: Any, context: harness.LoadContext, *, tf32: bool = False, graphs: bool = False) -> None:
        super().__init__(module, context, tf32=tf32)
        self._step = self._torch.compiler.cudagraph_mark_step_begin if graphs and context.device == "cuda" else None
        self._seen: set[int] = set()
        self.compile_seconds = 0.0

    def _project(self, prepared: Any) -> Any:
        if self._step is not None:  # what the last call returned may be overwritten from here on
            self._step()
        return super()._project(prepared)

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
        module, most = projection.eval().to(context.device), max(2, len(example))
        own = differing(context, most)
        _compile_alone()
        try:
            with torch.no_grad(), silence(), torch._inductor.config.patch({"cpp.threads": context.threads}):  # noqa: SLF001
                if not own or set(context.batch_sizes) - set(own):
                    try:
                        program = _exported(module, rows(example, most), dynamic=True)
                    except torch._dynamo.exc.UserError:  # noqa: SLF001 - its operations hold for one batch size alone
                        own = sorted(set(context.batch_sizes))
                    else:
                        _package(program, folder / _PACKAGE)
                for size in own:
                    _package(
                        _exported(module, rows(example, size), dynamic=False), path_for_batch(folder / _PACKAGE, size)
                    )
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

        def one(path: Path) -> harness.Compiled:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return TorchCompiled(torch._inductor.aoti_load_package(os.fspath(path)), context)  # noqa: SLF001

        return loaded(folder / _PACKAGE, one)

    def absent(self, device: str, number: int) -> str:
        """Why PyTorch cannot run there."""
        return torch_absent(device, number)


def _exported(module: torch.nn.Module, example: Float32, *, dynamic: bool) -> torch.export.ExportedProgram:
    """The module as a graph, for any batch size or for that of the example [B, D]."""
    import torch

    device = next((each.device for each in module.state_dict().values()), torch.device("cpu"))
    shapes = ({0: torch.export.Dim("batch")},) if dynamic else None
    return torch.export.export(module, (torch.from_numpy(example).to(device),), dynamic_shapes=shapes)


def _package(program: torch.export.ExportedProgram, path: Path) -> None:
    import torch

    torch._inductor.aoti_compile_and_package(program, package_path=os.fspath(path))  # noqa: SLF001


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
