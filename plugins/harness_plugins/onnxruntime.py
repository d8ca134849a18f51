"""The runtime that exports a module to ONNX and runs it in ONNX Runtime; its worker never imports PyTorch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import harness
from harness_plugins.batches import loaded
from harness_plugins.onnx_export import INPUT, OUTPUT, OnnxExporter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Float32 = NDArray[np.float32]

_FILE = "model.onnx"
_PROVIDERS: Mapping[str, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_INSTALL = "install onnxruntime-gpu in place of onnxruntime, or use the device cpu"
_DISTRIBUTIONS = ("onnxruntime", "onnxruntime-gpu")  # of the module `onnxruntime`


class OnnxOptions(harness.Options):
    """How its sessions are set up."""

    spinning: Annotated[
        bool,
        Field(
            description="threads wait for work by spinning, ONNX Runtime's own default; off: contenders keep their core"
        ),
    ] = False
    use_tf32: Annotated[
        bool, Field(description="on cuda: products in TF32, as is ONNX Runtime's own default; off: in float32")
    ] = False
    cuda_graph: Annotated[bool, Field(description="on cuda: capture a graph for each batch, and replay it")] = False
    provider: Annotated[Mapping[str, str | int], Field(description="other options of the CUDA provider, by name")] = {}
    session: Annotated[Mapping[str, str], Field(description="configuration entries of the session, by key")] = {}


@dataclass(frozen=True, kw_only=True)
class _Bound:
    """A batch bound to the session, and the memory on the device where inputs and outputs lie."""

    binding: Any
    run_options: Any
    input: Any
    output: Any  # None where the session allocates it
    batch: Float32


class OnnxCompiled(harness.Compiled):
    """A session of ONNX Runtime; inputs are bound off the clock, on the device, and on a GPU outputs are, too."""

    def __init__(
        self, path: Path, context: harness.LoadContext, where: str, options: OnnxOptions | None = None
    ) -> None:
        import onnxruntime

        wish = options or OnnxOptions()
        provider = _PROVIDERS[context.device]
        if provider not in onnxruntime.get_available_providers():
            raise harness.ContenderError(f"ONNX Runtime has no {provider} here", where=where, next_step=_INSTALL)
        self._session = onnxruntime.InferenceSession(
            path,
            _session_options(onnxruntime, context.threads, wish),
            providers=[(provider, provider_options(wish))] if context.device == "cuda" else [provider],
        )
        if provider not in self._session.get_providers():
            raise harness.ContenderError(f"ONNX Runtime could not start {provider}", where=where)
        self._library = onnxruntime
        self._provider = provider
        self._device = context.device
        self._graphs = wish.cuda_graph and context.device == "cuda"
        self._bound = 0
        self._last: Any = None

    def prepare(self, batch: Float32) -> _Bound:
        """A binding of the batch to the session's input, and of its output to memory on the device."""
        contiguous = np.ascontiguousarray(batch, dtype=np.float32)
        binding = self._session.io_binding()
        value = self._library.OrtValue.ortvalue_from_numpy(contiguous, self._device, 0)
        binding.bind_ortvalue_input(INPUT, value)
        output, run_options = None, None
        if self._device == "cpu":
            binding.bind_output(OUTPUT, self._device, 0)
        else:
            width = self._session.get_outputs()[0].shape[-1]
            if isinstance(width, int):
                shape = [len(contiguous), width]
                output = self._library.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, self._device, 0)
                binding.bind_ortvalue_output(OUTPUT, output)
            else:
                binding.bind_output(OUTPUT, self._device, 0)
            run_options = self._library.RunOptions()
            # Without it a run ends with a synchronisation of its own, before the one that is asked for.
            run_options.add_run_config_entry("disable_synchronize_execution_providers", "1")
            if self._graphs:  # a graph is captured for the addresses of one binding
                run_options.add_run_config_entry("gpu_graph_id", str(self._bound))
        self._bound += 1
        bound = _Bound(binding=binding, run_options=run_options, input=value, output=output, batch=contiguous)
        if self._graphs:
            self(bound)
        return bound

    def __call__(self, prepared: _Bound) -> _Bound:
        """Runs the session; on a GPU it waits until the result exists."""
        self._session.run_with_iobinding(prepared.binding, prepared.run_options)
        if self._device != "cpu":
            prepared.binding.synchronize_outputs()
        return prepared

    def enqueue(self, prepared: _Bound) -> _Bound:
        """Runs the session; on a GPU it returns when everything is launched."""
        self._session.run_with_iobinding(prepared.binding, prepared.run_options)
        self._last = prepared
        return prepared

    def synchronise(self) -> None:
        """Waits for the GPU."""
        if self._device != "cpu" and self._last is not None:
            self._last.binding.synchronize_outputs()

    def stage(self, batch: Float32) -> _Bound:
        """A binding whose input is copied on the clock; host memory is pageable, as NumPy allocates it."""
        return self.prepare(batch)

    def enqueue_staged(self, staged: _Bound) -> Any:
        """Copies the batch to the device, runs the session, and copies the projections back."""
        if self._device == "cpu":
            return self(staged).binding.copy_outputs_to_cpu()[0]
        staged.input.update_inplace(staged.batch)
        self(staged)
        return staged.output.numpy() if staged.output is not None else staged.binding.copy_outputs_to_cpu()[0]

    def result(self, output: Any) -> Float32:
        """Projections [B, K]."""
        if isinstance(output, _Bound):
            output = output.binding.copy_outputs_to_cpu()[0]
        return np.array(output, dtype=np.float32, order="C")

    def threads(self) -> int | None:
        """The threads inside an operation, as the session reports them."""
        return int(self._session.get_session_options().intra_op_num_threads)

    def settings(self) -> dict[str, str]:
        """The provider's options that decide on arithmetic and launching, and how threads wait, as read back."""
        found = {"provider": self._provider}
        if self._device == "cpu":
            options = self._session.get_session_options()
            spins = options.get_session_config_entry("session.intra_op.allow_spinning") != "0"
            return {**found, "waiting": "spinning" if spins else "passive"}
        in_use = self._session.get_provider_options().get(self._provider, {})
        names = ("use_tf32", "enable_cuda_graph", "device_id")
        return {**found, **{name: str(in_use[name]) for name in names if name in in_use}, "host_memory": "pageable"}

    def close(self) -> None:
        """Nothing: bindings that are still held keep the session, and it frees itself with the last of them."""


class OnnxRuntime(harness.Runtime):
    """ONNX Runtime, from an export with a dynamic batch."""

    name = "onnxruntime"
    forms = ("module",)
    imports = ("onnxruntime",)
    devices: ClassVar[tuple[str, ...]] = ("cpu", "cuda")
    Options = OnnxOptions

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
        return loaded(folder / _FILE, lambda path: OnnxCompiled(path, context, self.name, self.options))

    def product(self, left: Float32, right: Float32, threads: int) -> Callable[[], object] | None:
        """A model of one matrix product, whose constant right side ONNX Runtime packs for itself."""
        import onnxruntime

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / _FILE
            path.write_bytes(product_model(right))
            session = onnxruntime.InferenceSession(
                path, _session_options(onnxruntime, threads, OnnxOptions()), providers=[_PROVIDERS["cpu"]]
            )
        binding = session.io_binding()
        binding.bind_ortvalue_input(INPUT, onnxruntime.OrtValue.ortvalue_from_numpy(left))
        binding.bind_output(OUTPUT, "cpu", 0)
        return lambda: session.run_with_iobinding(binding)

    def absent(self, device: str, number: int) -> str:
        """Why ONNX Runtime cannot run there: it was built without the provider, or the device does not answer."""
        import onnxruntime

        provider = _PROVIDERS[device]
        if provider not in onnxruntime.get_available_providers():
            return f"ONNX Runtime has no {provider} here; {_INSTALL}"
        try:
            onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros(1, dtype=np.float32), device, number)
        except Exception as error:  # noqa: BLE001 - whatever the library raises, the device does not work
            return f"ONNX Runtime cannot use {device}:{number} ({str(error).partition(chr(10))[0]})"
        return ""


def provider_options(options: OnnxOptions) -> dict[str, str]:
    """Options of the CUDA provider: the one device that this process sees, and float32 in float32."""
    chosen = {
        "device_id": "0",
        "use_tf32": str(int(options.use_tf32)),
        "enable_cuda_graph": str(int(options.cuda_graph)),
    }
    return {**chosen, **{name: str(value) for name, value in options.provider.items()}}


def product_model(right: Float32) -> bytes:
    """A serialised model of the product with a constant matrix [D, N]."""
    import onnx
    from onnx import helper, numpy_helper

    inner, columns = right.shape
    graph = helper.make_graph(
        [helper.make_node("MatMul", [INPUT, "right"], [OUTPUT])],
        "product",
        [helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, ["batch", inner])],
        [helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, ["batch", columns])],
        [numpy_helper.from_array(np.ascontiguousarray(right), "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def _session_options(library: Any, threads: int, wish: OnnxOptions) -> Any:
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Threads that wait by spinning would take the core from whatever is measured in turn with this.
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(wish.spinning)))
    options.add_session_config_entry("session.inter_op.allow_spinning", str(int(wish.spinning)))
    for key, value in wish.session.items():
        options.add_session_config_entry(key, value)
    return options


@harness.hookimpl
def harness_runtimes() -> Sequence[harness.Runtime]:
    """ONNX Runtime."""
    return [OnnxRuntime()]


@harness.hookimpl
def harness_versions() -> Mapping[str, str]:
    """The versions of ONNX Runtime, whichever distribution holds it, and of what exports for it."""
    return {"onnxruntime": installed_version(), **{name: metadata.version(name) for name in ("onnx", "onnxscript")}}


def installed_version() -> str:
    """The version of the distribution that is installed, the one for GPUs named; that of the module elsewhere."""
    for name in _DISTRIBUTIONS:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return version if name == "onnxruntime" else f"{version} ({name})"
    import onnxruntime

    return str(onnxruntime.__version__)
