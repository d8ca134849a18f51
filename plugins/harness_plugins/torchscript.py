"""The runtime that traces a module to TorchScript, freezes and optimises it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

import harness
from harness_plugins.eager import TorchCompiled, check_device

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_FILE = "module.pt"


class TorchScriptRuntime(harness.Runtime):
    """TorchScript: traced, frozen, optimised for inference."""

    name = "torchscript"
    forms = ("module",)
    imports = ("torch",)
    devices = ("cpu", "cuda")

    def export(
        self,
        projection: Any,
        example: NDArray[np.float32],
        folder: Path,
        context: harness.ExportContext,  # noqa: ARG002
    ) -> None:
        """Traces and freezes the module with the example, which says nothing about the batch size."""
        import torch

        rows = np.ascontiguousarray(np.resize(example, (max(2, len(example)), example.shape[1])))
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is deprecated is known, and measured
            traced = torch.jit.trace(  # type: ignore[no-untyped-call]
                projection.eval(), (torch.from_numpy(rows),), check_trace=False
            )
            torch.jit.save(torch.jit.freeze(traced), folder / _FILE)

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The frozen module, optimised here: what that makes of it cannot be stored.

        Raises:
            ContenderError: where there is no such device.
        """
        import torch

        check_device(context.device, self.name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch.jit.load(folder / _FILE, map_location=context.device)  # type: ignore[no-untyped-call]
            optimised = torch.jit.optimize_for_inference(module)
        return TorchCompiled(optimised, context)


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """TorchScript."""
    return [TorchScriptRuntime()]
