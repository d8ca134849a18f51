"""The runtime that exports a module to ONNX and runs it in ONNX Runtime; its worker never imports PyTorch."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

import harness
from harness_plugins.batches import loaded
from harness_plugins.onnx_export import INPUT, OUTPUT, OnnxExporter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Float32 = NDArray[np.float32]

_FILE = "model.onnx"


class OnnxCompiled(harness.Compiled):
    """A session of ONNX Runtime; inputs are bound off the clock, on the device."""

    def __init__(self, path: Path, context: harness.LoadContext, where: str) -> None:
        import onnxruntime

        provider = "CUDAExecutionProvider" if context.device == "cuda" else "CPUExecutionProvider"
        if provider not in onnxruntime.get_available_providers():
            raise harness.ContenderError(
                f"ONNX Runtime has no {provider} here",
                where=where,
                next_step="install onnxruntime-gpu in place of onnxruntime, or use the device cpu",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = context.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait by spinning would take the core from whatever is measured in turn with this.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        self._session = onnxruntime.InferenceSession(path, options, providers=[provider])
        if provider not in self._session.get_providers():
            raise harness.ContenderError(f"ONNX Runtime could not start {provider}", where=where)
        self._value = onnxruntime.OrtValue.ortvalue_from_numpy
        self._device = context.device

    def prepare(self, batch: Float32) -> Any:
        """A binding of the batch to the session's input, and of its output to memory on the device."""
        contiguous = np.ascontiguousarray(batch, dtype=np.float32)
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(INPUT, self._value(contiguous, self._device, 0))
        binding.bind_output(OUTPUT, self._device, 0)
        return binding

    def __call__(self, prepared: Any) -> Any:
        """Runs the session; on a GPU it waits until the result exists."""
        self._session.run_with_iobinding(prepared)
        if self._device != "cpu":
            prepared.synchronize_outputs()
        return prepared

    def result(self, output: Any) -> Float32:
        """Projections [B, K]."""
        return np.array(output.copy_outputs_to_cpu()[0], dtype=np.float32, order="C")

    def threads(self) -> int | None:
        """The threads inside an operation, as the session reports them."""
        return int(self._session.get_session_options().intra_op_num_threads)

    def close(self) -> None:
        """Nothing: bindings that are still held keep the session, and it frees itself with the last of them."""


class OnnxRuntime(harness.Runtime):
    """ONNX Runtime, from an export with a dynamic batch."""

    name = "onnxruntime"
    forms = ("module",)
    imports = ("onnxruntime",)
    devices: ClassVar[tuple[Literal["cpu", "cuda"], ...]] = ("cpu", "cuda")

    def __init__(self) -> None:
        self._exporter = OnnxExporter(self.tolerance)

    def export(self, projection: Any, example: Float32, folder: Path, context: harness.ExportContext) -> None:
        """Writes the module as ONNX."""
        self._exporter.write(projection, example, folder / _FILE, context)

    def load(self, folder: Path, context: harness.LoadContext) -> harness.Compiled:
        """A session with the threads that are asked for.

        Raises:
            ContenderError: where there is no such device.
        """
        return loaded(folder / _FILE, lambda path: OnnxCompiled(path, context, self.name))


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """ONNX Runtime."""
    return [OnnxRuntime()]


@harness.hookimpl
def harness_versions() -> Mapping[str, str]:
    """The versions of ONNX Runtime and of what exports for it."""
    return {name: metadata.version(name) for name in ("onnxruntime", "onnx", "onnxscript")}
