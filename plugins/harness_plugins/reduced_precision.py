"""Runtimes that compute with fewer bits: faster where the processor helps, and never exact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness_plugins.eager import EagerOptions, EagerRuntime, TorchCompiled, load_module
from harness_plugins.onnx_export import silence
from harness_plugins.onnxruntime import OnnxRuntime
from harness_plugins.processor import has_bfloat16

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]


class OnnxInt8Runtime(OnnxRuntime):
    """ONNX Runtime with weights in 8 bits and activations quantised as they come (dynamic quantisation)."""

    name = "onnxruntime-int8"
    devices = ("cpu",)
    precision = "int8"
    tolerance = 0.2  # of the largest value; what it costs in fidelity is measured like any student's

    def export(self, projection: Any, example: Float32, folder: Path, context: harness.ExportContext) -> None:
        """Writes the module as ONNX, its matrix products quantised column by column."""
        import onnxruntime.quantization as quantization

        self._exporter.write(projection, example, folder / "exact.onnx", context)
        for exact in list(folder.glob("exact*.onnx")):
            with silence():
                quantization.quantize_dynamic(
                    exact,
                    folder / exact.name.replace("exact", "model"),
                    per_channel=True,
                    reduce_range=True,  # 7 bits: without VNNI, sums of products of 8 bits overflow
                    weight_type=quantization.QuantType.QInt8,
                    use_external_data_format=True,
                    extra_options={"MatMulConstBOnly": True},
                )
        for path in folder.glob("exact*.onnx*"):
            path.unlink()


class BFloat16Options(EagerOptions):
    """Where it runs."""

    emulate: Annotated[
        bool, Field(description="also run where the processor has no bfloat16 arithmetic, many times slower")
    ] = False


class BFloat16Compiled(TorchCompiled):
    """A module in bfloat16; queries arrive in float32 and are rounded on the clock."""

    def _project(self, prepared: Any) -> Any:
        return super()._project(prepared.bfloat16())


class EagerBFloat16Runtime(EagerRuntime):
    """PyTorch in inference mode with weights and activations in bfloat16."""

    name = "eager-bfloat16"
    precision = "bfloat16"
    tolerance = 0.1  # of the largest value: 8 bits of precision in every product, and a softmax behind them
    Options = BFloat16Options

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The module with the state that was written, rounded.

        Raises:
            ContenderError: where the processor would have to emulate it.
        """
        module = load_module(folder / "state.safetensors", context, self.name)
        if context.device == "cpu" and not self.options.emulate and not has_bfloat16():
            raise harness.ContenderError(
                "this processor has no bfloat16 arithmetic",
                where=self.name,
                next_step="leave it out here, or set emulate: true to see what it computes",
            )
        return BFloat16Compiled(module.bfloat16(), context, tf32=self.options.tf32)


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """Runtimes with fewer bits."""
    return [OnnxInt8Runtime(), EagerBFloat16Runtime()]
