"""The runtime that calls a module as PyTorch runs it when nothing is compiled."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness_plugins.device_rates import device_rates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import torch

Float32 = NDArray[np.float32]

_CYCLES_PER_SECOND = 2e9  # about, of a GPU: how long it is kept busy need not be exact
_MARGIN = 3.0  # times as long as launching took
_LEAST_SECONDS = 2e-4
_CALLS_BEFORE_CAPTURE = 3


class EagerOptions(harness.Options):
    """How products are computed on a GPU."""

    tf32: Annotated[bool, Field(description="on cuda: matrix products in TF32 in place of float32")] = False


@dataclass(frozen=True, kw_only=True)
class StagedBatch:
    """A batch in the host's memory, and where its projections are to arrive there."""

    host: torch.Tensor  # [B, D], pinned for a GPU
    on_device: torch.Tensor  # [B, D]
    projections: torch.Tensor  # [B, K], pinned for a GPU


class TorchCompiled(harness.Compiled):
    """Something that maps tensors to tensors, in inference mode on one device."""

    def __init__(self, module: Any, context: harness.LoadContext, *, tf32: bool = False) -> None:
        import torch

        torch.set_num_threads(context.threads)
        self._torch = torch
        self._device = torch.device(context.device)
        self._module = module
        self._library: Any = (
            getattr(torch, context.device) if context.device != "cpu" else None
        )  # torch.cuda, torch.xpu
        self._cache: torch.Tensor | None = None
        if context.device == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = tf32
            torch.backends.cudnn.allow_tf32 = tf32

    def prepare(self, batch: Float32) -> Any:
        """The batch as a tensor on the device."""
        with self._torch.inference_mode():
            return self._torch.from_numpy(np.array(batch, dtype=np.float32, order="C")).to(self._device)

    def __call__(self, prepared: Any) -> Any:
        """Projections [B, K]; on a GPU it waits until they exist."""
        with self._torch.inference_mode():
            output = self._project(prepared)
        if self._library is not None:
            self._library.synchronize()
        return output

    def enqueue(self, prepared: Any) -> Any:
        """Projections [B, K]; on a GPU they exist after `synchronise`."""
        with self._torch.inference_mode():
            return self._project(prepared)

    def synchronise(self) -> None:
        """Waits for the GPU."""
        if self._library is not None:
            self._library.synchronize()

    def stage(self, batch: Float32) -> StagedBatch:
        """The batch in pinned memory, with memory on both sides for what is computed from it."""
        host = self._torch.from_numpy(np.array(batch, dtype=np.float32, order="C"))
        on_device = self.prepare(batch)
        with self._torch.inference_mode():
            projections = self._torch.empty_like(self._sized(on_device), device="cpu")
        if self._library is not None:
            host, projections = host.pin_memory(), projections.pin_memory()
        return StagedBatch(host=host, on_device=on_device, projections=projections)

    def enqueue_staged(self, staged: StagedBatch) -> Any:
        """Copies the batch to the device, computes, and copies back; projections are there after `synchronise`."""
        if self._library is None:
            return self(staged.host)
        with self._torch.inference_mode():
            staged.on_device.copy_(staged.host, non_blocking=True)
            staged.projections.copy_(self._project(staged.on_device), non_blocking=True)
        return staged.projections

    def evict(self) -> bool:
        """Writes to twice the size of the GPU's second cache, where PyTorch reports its size."""
        if self._device.type != "cuda":
            return False
        size = int(getattr(self._library.get_device_properties(self._device), "L2_cache_size", 0))
        if not size:
            return False
        if self._cache is None:
            self._cache = self._torch.empty(2 * size, dtype=self._torch.int8, device=self._device)
        self._cache.zero_()
        self._library.synchronize()
        return True

    def settings(self) -> dict[str, str]:
        """The device, and whether products may be computed in TF32, as PyTorch reports it."""
        if self._library is None:
            return {}
        settings = {"device": self._device.type, "host_memory": "pinned"}
        if self._device.type == "cuda":
            settings |= {
                "device": str(self._library.get_device_name()),
                "tf32": str(self._torch.backends.cuda.matmul.allow_tf32),
            }
        return settings

    def device_memory(self) -> dict[str, int]:
        """Bytes that PyTorch has allocated, and those that it holds on to, at the most."""
        if self._library is None or not hasattr(self._library, "max_memory_allocated"):
            return {}
        allocated, reserved = self._library.max_memory_allocated(), self._library.max_memory_reserved()
        return {"allocated": int(allocated), "reserved": int(reserved)}

    def device_seconds(self, prepared: Any) -> float | None:
        """Seconds between two CUDA events around one call, whose launches are all queued before the first of them.

        The stream is kept busy meanwhile: on an idle one, events would bracket the gaps between launches, too.
        """
        if self._device.type != "cuda":
            return None
        cuda: Any = self._library
        begin, end = (cuda.Event(enable_timing=True) for _ in range(2))
        cuda.synchronize()
        with self._torch.inference_mode():
            started = time.perf_counter()
            self._project(prepared)
            launching = time.perf_counter() - started
            cuda.synchronize()
            cuda._sleep(int(_CYCLES_PER_SECOND * (_MARGIN * launching + _LEAST_SECONDS)))  # noqa: SLF001 - as PyTorch's own tests do
            begin.record()
            self._project(prepared)
            end.record()
        cuda.synchronize()
        return float(begin.elapsed_time(end)) * 1e-3

    def result(self, output: Any) -> Float32:
        """Projections [B, K] as an array."""
        return np.ascontiguousarray(output.float().cpu().numpy())

    def threads(self) -> int | None:
        """The threads inside an operation, as PyTorch reports them."""
        return int(self._torch.get_num_threads())

    def _sized(self, on_device: Any) -> Any:
        """An output as large as that of a call, from which its shape and type are read; off the clock."""
        output = self._project(on_device)
        self.synchronise()
        return output

    def _project(self, prepared: Any) -> Any:
        """What is computed, in inference mode."""
        return self._module(prepared)


class GraphCompiled(TorchCompiled):
    """A CUDA graph for each batch: all launches of a call become one."""

    def prepare(self, batch: Float32) -> Any:
        """The batch on the device, and a graph that computes its projections [B, K] from there."""
        prepared = super().prepare(batch)
        cuda = self._library
        with self._torch.inference_mode():
            aside = cuda.Stream()
            aside.wait_stream(cuda.current_stream())
            with cuda.stream(aside):  # libraries allocate in their first calls, which must not be captured
                for _ in range(_CALLS_BEFORE_CAPTURE):
                    self._module(prepared)
            cuda.current_stream().wait_stream(aside)
            graph = cuda.CUDAGraph()
            with cuda.graph(graph):
                output = self._module(prepared)
        return Captured(graph=graph, input=prepared, output=output)

    def stage(self, batch: Float32) -> StagedBatch:
        """The batch in pinned memory, the captured call, and where its projections arrive."""
        captured = self.prepare(batch)
        host = self._torch.from_numpy(np.array(batch, dtype=np.float32, order="C")).pin_memory()
        projections = self._torch.empty_like(captured.output, device="cpu").pin_memory()
        return StagedBatch(host=host, on_device=captured, projections=projections)

    def enqueue_staged(self, staged: StagedBatch) -> Any:
        """Copies the batch to where the graph reads it, replays the graph, and copies the projections back."""
        captured: Any = staged.on_device
        with self._torch.inference_mode():
            captured.input.copy_(staged.host, non_blocking=True)
            staged.projections.copy_(self._project(captured), non_blocking=True)
        return staged.projections

    def _project(self, prepared: Any) -> Any:
        prepared.graph.replay()
        return prepared.output


@dataclass(frozen=True, kw_only=True)
class Captured:
    """A captured call: the graph, and the memory that it reads and writes."""

    graph: Any
    input: torch.Tensor  # [B, D]
    output: torch.Tensor  # [B, K]


class EagerRuntime(harness.Runtime):
    """PyTorch in inference mode, one operation after the other."""

    name = "eager"
    forms = ("module",)
    imports = ("torch",)
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda", "mps", "xpu")
    Options = EagerOptions

    def export(self, projection: Any, example: Float32, folder: Path, context: harness.ExportContext) -> None:  # noqa: ARG002
        """Writes the module's state."""
        save_state(projection, folder / "state.safetensors")

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The module with the state that was written.

        Raises:
            ContenderError: where the process cannot build modules, or there is no such device.
        """
        module = load_module(folder / "state.safetensors", context, self.name)
        return TorchCompiled(module, context, tf32=self.options.tf32)

    def product(self, left: Float32, right: Float32, threads: int) -> Callable[[], object] | None:
        """PyTorch's matrix product, with the right matrix transposed as linear layers hold it."""
        import torch

        torch.set_num_threads(threads)
        with torch.inference_mode():
            rows, columns = torch.from_numpy(left), torch.from_numpy(np.ascontiguousarray(right.T)).T
            output = torch.empty(len(left), right.shape[1])
        inference = torch.inference_mode()

        def multiply() -> object:
            with inference:
                return torch.mm(rows, columns, out=output)

        return multiply

    def device_rates(
        self, device: str, shapes: Sequence[tuple[int, int, int]], sizes: Sequence[int]
    ) -> harness.DeviceRates | None:
        """What the device reaches under PyTorch, with the same arithmetic as this runtime's."""
        return device_rates(device, shapes, sizes, tf32=self.options.tf32)

    def absent(self, device: str, number: int) -> str:
        """Why PyTorch cannot run there."""
        return torch_absent(device, number)


class EagerGraphRuntime(EagerRuntime):
    """PyTorch in inference mode, its operations captured as a CUDA graph once and replayed at each call."""

    name = "eager-graph"
    devices = ("cuda",)

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The module with the state that was written.

        Raises:
            ContenderError: where the process cannot build modules, or there is no such device.
        """
        module = load_module(folder / "state.safetensors", context, self.name)
        return GraphCompiled(module, context, tf32=self.options.tf32)


def check_device(device: str, where: str) -> None:
    """Refuses a device that is not there, before a library does in words of its own.

    Raises:
        ContenderError: where PyTorch finds no such device.
    """
    if device != "cpu" and (what := torch_absent(device, 0)):
        raise harness.ContenderError(what, where=where, next_step="use the device cpu")


def torch_absent(device: str, number: int) -> str:
    """Why PyTorch has no device of this kind and number here; empty where it has. For ROCm it counts as cuda."""
    import torch

    kind = {"cuda": "CUDA"}.get(device, device)
    module: Any = getattr(torch, device, None)
    if module is None or not module.is_available():
        return f"PyTorch finds no {kind} device here"
    count = int(module.device_count())
    return (
        ""
        if number < count
        else f"PyTorch finds {count} {kind} device{'s' * (count != 1)} here, and none of number {number}"
    )


def save_state(module: torch.nn.Module, path: Path) -> None:
    """Writes parameters and persistent buffers as safetensors; tensors that share memory are written once each."""
    import safetensors.torch

    seen: set[int] = set()
    state = {}
    for name, tensor in module.state_dict().items():
        contiguous = tensor.detach().cpu().contiguous()
        state[name] = contiguous.clone() if contiguous.data_ptr() in seen else contiguous
        seen.add(contiguous.data_ptr())
    safetensors.torch.save_file(state, path)


def load_module(path: Path, context: harness.LoadContext, where: str) -> torch.nn.Module:
    """The module built again, with the state in `path`, on the device that is asked for, without gradients."""
    import safetensors.torch

    check_device(context.device, where)
    if context.rebuild is None:
        raise harness.ContenderError("the module cannot be built in this process", where=where)
    module: Any = context.rebuild("module", False)
    module.load_state_dict(safetensors.torch.load_file(path))
    loaded: torch.nn.Module = module.eval().requires_grad_(requires_grad=False)
    return loaded.to(context.device) if context.device != "cpu" else loaded


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """PyTorch, uncompiled."""
    return [EagerRuntime(), EagerGraphRuntime()]


@harness.hookimpl
def harness_versions() -> Mapping[str, str]:
    """PyTorch's version."""
    return {"torch": metadata.version("torch")}
