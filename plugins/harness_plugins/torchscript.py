"""The runtime that traces a module to TorchScript, freezes and optimises it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import harness
from harness_plugins.batches import differing, loaded, path_for_batch, rows
from harness_plugins.eager import TorchCompiled, check_device, torch_absent

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path

    import torch

Float32 = NDArray[np.float32]

_FILE = "module.pt"


class TorchScriptRuntime(harness.Runtime):
    """TorchScript: traced, frozen, optimised for inference."""

    name = "torchscript"
    forms = ("module",)
    imports = ("torch",)
    devices = ("cpu", "cuda")

    def export(self, projection: Any, example: Float32, folder: Path, context: harness.ExportContext) -> None:
        """Traces the module with the example; at each batch size that is raced where the trace may depend on it.

        It may where the tracer warns, or the module is known to do something else at another batch size. The tracer's
        warnings are passed on.
        """
        module = projection.eval()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            traced = _traced(module, example, check=True)
        warned = [each for each in caught if not issubclass(each.category, DeprecationWarning)]
        for each in warned:  # that TorchScript is deprecated is known, and measured
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
        sizes = sorted({*context.batch_sizes, len(example)})
        traces = {len(example): traced}
        if warned or differing(context, len(example)):
            traces |= {size: _traced(module, rows(example, size)) for size in {1, *sizes} - {len(example)}}
        if len({_graph(each) for each in traces.values()}) == 1:
            _save(traced, folder / _FILE)
        else:
            for size in sizes:
                _save(traces[size], path_for_batch(folder / _FILE, size))

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The frozen module, optimised here: what that makes of it cannot be stored.

        Raises:
            ContenderError: where there is no such device.
        """
        check_device(context.device, self.name)
        return loaded(folder / _FILE, lambda path: TorchCompiled(_optimised(path, context), context))

    def absent(self, device: str, number: int) -> str:
        """Why PyTorch cannot run there."""
        return torch_absent(device, number)


def _traced(module: torch.nn.Module, example: Float32, *, check: bool = False) -> Any:
    """A trace; if it is checked, another one is made and both are compared with the module."""
    import torch

    with torch.no_grad(), warnings.catch_warnings():
        if not check:
            warnings.simplefilter("ignore")
        return torch.jit.trace(  # type: ignore[no-untyped-call]
            module,
            (torch.from_numpy(np.ascontiguousarray(example)),),
            check_trace=check,
            check_tolerance=TorchScriptRuntime.tolerance,
        )


def _graph(traced: Any) -> Hashable:
    """What a trace does, apart from weights and from the shapes that it happened to see: operations and constants."""
    return tuple((node.kind(), _constant(node)) for node in traced.inlined_graph.nodes())


def _constant(node: Any) -> Hashable:
    if node.kind() == "prim::GetAttr":
        return str(node.s("name"))
    if node.kind() != "prim::Constant":
        return ""
    value = node.output().toIValue()
    return (tuple(value.shape), value.cpu().numpy().tobytes()) if hasattr(value, "numpy") else repr(value)


def _save(traced: Any, path: Path) -> None:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.freeze(traced), path)


def _optimised(path: Path, context: harness.LoadContext) -> Any:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = torch.jit.load(path, map_location=context.device)  # type: ignore[no-untyped-call]
        return torch.jit.optimize_for_inference(module)


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """TorchScript."""
    return [TorchScriptRuntime()]
