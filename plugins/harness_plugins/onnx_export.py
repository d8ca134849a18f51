"""Export of modules to ONNX with a dynamic batch, cheap for a structure that was exported before."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness_plugins.batches import differing, path_for_batch, rows

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator
    from pathlib import Path

    import torch

    import harness

Float32 = NDArray[np.float32]

INPUT, OUTPUT = "queries", "projections"

_KEPT = 8  # structures that are remembered


class OnnxExporter:
    """Writes modules as ONNX files.

    The exporter of PyTorch takes over a second for the smallest module. A search asks for the same structure at dozens
    of N, so the graph is kept without its weights, and the next module of the same structure only fills in its own.
    A graph that was filled in is run and compared with the module before it is accepted.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._graphs: dict[Hashable, Any] = {}

    def write(
        self, module: torch.nn.Module, example: Float32, path: Path, context: harness.ExportContext | None = None
    ) -> None:
        """Writes `module` [B, D] -> [B, K] to `path`, weights in a file beside it (protobuf ends at 2 GB).

        The batch is dynamic. Batch sizes that are raced, and at which the module does something else, have a file of
        their own beside it, with a fixed batch; so have all where the module cannot be exported otherwise.

        Args:
            module: in evaluation mode; its attribute `onnx_opset`, if any, is the opset that it is written in.
            example: queries [B, D].
            path: where to write, in an empty folder.
            context: which batch sizes are raced, and what the module does at each; unknown if absent.
        """
        raced = sorted(set(context.batch_sizes)) if context else []
        most = max(2, len(example))  # a batch of one would be taken for a constant
        own = differing(context, most) if context else []
        if not own or set(raced) - set(own):
            try:
                self._write(module, rows(example, most), path, context.operations.get(most, "") if context else "")
            except Exception:
                if not raced:
                    raise
                for left in path.parent.glob(f"{path.name}*"):
                    left.unlink()
                own = raced
        for size in own:
            self._write(module, rows(example, size), path_for_batch(path, size), "", dynamic=False)

    def _write(
        self, module: torch.nn.Module, example: Float32, path: Path, operations: str, *, dynamic: bool = True
    ) -> None:
        """One file; its graph is remembered where it serves any batch size, for modules that do the same."""
        key = operations, _structure(module, example.shape[1])
        if dynamic and key in self._graphs:
            _fill_weights(self._graphs[key], module)
            _save(self._graphs[key], path)
            if self._agrees(module, example, path):
                _empty(self._graphs[key], module)
                return
            del self._graphs[key]
        model = _exported(module, example, dynamic=dynamic)
        _save(model, path)
        if not dynamic:
            return
        _empty(model, module)
        while len(self._graphs) >= _KEPT:
            del self._graphs[next(iter(self._graphs))]
        self._graphs[key] = model

    def _agrees(self, module: torch.nn.Module, example: Float32, path: Path) -> bool:
        """Whether the file computes what the module does, for a batch, a single query, and queries of other lengths."""
        import onnxruntime
        import torch

        try:
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            for batch in (example, example[:1], example * np.float32(0.1), example * np.float32(10)):
                with torch.no_grad():
                    wanted = module(torch.from_numpy(batch)).numpy()
                error = np.abs(session.run([OUTPUT], {INPUT: batch})[0] - wanted).max()
                if not error <= self._tolerance * np.abs(wanted).max():
                    return False
        except (RuntimeError, ValueError, onnxruntime.capi.onnxruntime_pybind11_state.Fail):
            return False
        return True


def _structure(module: torch.nn.Module, width: int) -> Hashable:
    """What modules share when one's graph serves the other: classes, plain attributes, names and ranks of weights."""
    parts = tuple(
        (
            name,
            type(part).__module__,
            type(part).__qualname__,
            tuple(sorted((key, repr(value)) for key, value in vars(part).items() if _is_plain(value))),
        )
        for name, part in module.named_modules()
    )
    state = tuple((name, tensor.dtype, tensor.ndim) for name, tensor in module.state_dict().items())
    return width, parts, state


def _is_plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str | tuple | type(None))


def _exported(module: torch.nn.Module, example: Float32, *, dynamic: bool) -> Any:
    import torch

    with silence():
        program = torch.onnx.export(
            module.eval(),
            (torch.from_numpy(example),),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},) if dynamic else None,
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=getattr(module, "onnx_opset", None),
            verbose=False,
        )
    assert program is not None
    return program.model


def _fill_weights(model: Any, module: torch.nn.Module) -> None:
    """Puts the module's own weights in place, and forgets every shape that followed from the earlier ones."""
    import onnx_ir

    initializers = model.graph.initializers
    for name, tensor in module.state_dict().items():
        if name in initializers:
            value = initializers[name]
            value.const_value = onnx_ir.tensor(tensor.detach().cpu().contiguous().numpy(), name=name)
            value.shape = onnx_ir.Shape(tensor.shape)
    for node in model.graph:
        for output in node.outputs:
            output.shape = None


def _empty(model: Any, module: torch.nn.Module) -> None:
    """Lets go of the weights: they may be gigabytes, and only the graph is kept."""
    for name in module.state_dict():
        if name in model.graph.initializers:
            model.graph.initializers[name].const_value = None


def _save(model: Any, path: Path) -> None:
    import onnx_ir

    onnx_ir.save(model, path, external_data=f"{path.name}.data")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """The exporter reports its progress, absent libraries and its own deprecations, none of which a user can fix."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
