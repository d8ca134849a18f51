"""The runtime that calls a module as PyTorch runs it when nothing is compiled."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import harness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch

Float32 = NDArray[np.float32]


class TorchCompiled(harness.Compiled):
    """Something that maps tensors to tensors, in inference mode on one device."""

    def __init__(self, module: Any, context: harness.LoadContext) -> None:
        import torch

        torch.set_num_threads(context.threads)
        self._torch = torch
        self._device = torch.device(context.device)
        self._module = module
        self._synchronise = torch.cuda.synchronize if context.device == "cuda" else None

    def prepare(self, batch: Float32) -> torch.Tensor:
        """The batch as a tensor on the device."""
        with self._torch.inference_mode():
            return self._torch.from_numpy(np.array(batch, dtype=np.float32, order="C")).to(self._device)

    def __call__(self, prepared: torch.Tensor) -> torch.Tensor:
        """Projections [B, K]; on a GPU it waits until they exist."""
        with self._torch.inference_mode():
            output: torch.Tensor = self._module(prepared)
        if self._synchronise is not None:
            self._synchronise()
        return output

    def device_seconds(self, prepared: torch.Tensor) -> float | None:
        """Seconds between two CUDA events around one call, on an otherwise idle stream; None on a CPU."""
        if self._synchronise is None:
            return None
        cuda: Any = self._torch.cuda
        begin, end = (cuda.Event(enable_timing=True) for _ in range(2))
        self._synchronise()
        with self._torch.inference_mode():
            begin.record()
            self._module(prepared)
            end.record()
        self._synchronise()
        return float(begin.elapsed_time(end)) * 1e-3

    def result(self, output: torch.Tensor) -> Float32:
        """Projections [B, K] as an array."""
        return np.ascontiguousarray(output.float().cpu().numpy())

    def threads(self) -> int | None:
        """The threads inside an operation, as PyTorch reports them."""
        return int(self._torch.get_num_threads())


class EagerRuntime(harness.Runtime):
    """PyTorch in inference mode, one operation after the other."""

    name = "eager"
    forms = ("module",)
    imports = ("torch",)
    devices = ("cpu", "cuda")

    def export(self, projection: Any, example: Float32, folder: Path, context: harness.ExportContext) -> None:  # noqa: ARG002
        """Writes the module's state."""
        save_state(projection, folder / "state.safetensors")

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The module with the state that was written.

        Raises:
            ContenderError: where the process cannot build modules, or there is no such device.
        """
        return TorchCompiled(load_module(folder / "state.safetensors", context, self.name), context)


def check_device(device: str, where: str) -> None:
    """Refuses a device that is not there, before a library does in words of its own.

    Raises:
        ContenderError: where PyTorch finds no such device.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise harness.ContenderError("PyTorch finds no CUDA device here", where=where, next_step="use the device cpu")


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
    return [EagerRuntime()]


@harness.hookimpl
def harness_versions() -> Mapping[str, str]:
    """PyTorch's version."""
    return {"torch": metadata.version("torch")}
