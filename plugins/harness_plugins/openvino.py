"""The runtime that runs the ONNX export of a module in OpenVINO; it needs the extra `crossover-harness[openvino]`."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

import harness
from harness_plugins.batches import loaded
from harness_plugins.onnx_export import OnnxExporter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]

_FILE = "model.onnx"


class OpenVinoCompiled(harness.Compiled):
    """A model that OpenVINO has compiled for the processor; each batch has an inference request of its own."""

    def __init__(self, path: Path, threads: int) -> None:
        import openvino

        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",  # by default it may round to what the processor multiplies fastest
            "ENABLE_CPU_PINNING": False,  # where a worker runs is the harness's decision
        }
        self._tensor = openvino.Tensor
        self._model = openvino.Core().compile_model(path, "CPU", settings)

    def prepare(self, batch: Float32) -> Any:
        """A request of its own, whose input is a copy of the batch: shared memory would have to outlive the request."""
        request = self._model.create_infer_request()
        request.set_input_tensor(self._tensor(np.ascontiguousarray(batch, dtype=np.float32)))
        return request

    def __call__(self, prepared: Any) -> Any:
        """Runs the request; its output stays in the request."""
        prepared.infer(share_outputs=True)
        return prepared

    def result(self, output: Any) -> Float32:
        """Projections [B, K]."""
        return np.array(output.get_output_tensor().data, dtype=np.float32, order="C")

    def threads(self) -> int | None:
        """The threads of an inference, as the compiled model reports them."""
        return int(self._model.get_property("INFERENCE_NUM_THREADS"))


class OpenVinoRuntime(harness.Runtime):
    """OpenVINO on the processor, in float32, from an ONNX export with a dynamic batch."""

    name = "openvino"
    forms = ("module",)
    imports = ("openvino",)
    requires: ClassVar[Mapping[str, str]] = {"openvino": "crossover-harness[openvino]"}

    def __init__(self) -> None:
        self._exporter = OnnxExporter(self.tolerance)

    def export(self, projection: Any, example: Float32, folder: Path, context: harness.ExportContext) -> None:
        """Writes the module as ONNX."""
        self._exporter.write(projection, example, folder / _FILE, context)

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """The model, compiled for this processor and these threads."""
        return loaded(folder / _FILE, lambda path: OpenVinoCompiled(path, context.threads))


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """OpenVINO."""
    return [OpenVinoRuntime()]


@harness.hookimpl
def harness_versions() -> Mapping[str, str]:
    """The version of OpenVINO, where it is installed."""
    try:
        return {"openvino": metadata.version("openvino")}
    except metadata.PackageNotFoundError:
        return {}
