"""Students that were saved: loaded in one line, called on arrays, written as ONNX."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

import harness

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from numpy.typing import NDArray

_HOMES = {  # projectors of this package by name: the only code that a file can choose
    "transformer": ("harness_plugins.transformer", "TransformerProjector"),
    "residual": ("harness_plugins.residual", "ResidualProjector"),
    "routed": ("harness_plugins.routed", "RoutedProjector"),
    "mlp": ("harness_plugins.students", "MLPProjector"),
    "linear": ("harness_plugins.students", "LinearProjector"),
    "constant": ("harness_plugins.students", "ConstantProjector"),
    "identity": ("harness_plugins.students", "IdentityProjector"),
}
_CLOSE = 1e-4  # of the ONNX form to the module, relative to the largest value
_DAMAGE = (KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError)


@dataclass(frozen=True, kw_only=True, eq=False)
class SavedStudent:
    """A student as it was saved; calling it maps queries to projections.

    Attributes:
        module: in evaluation mode, [B, D] -> [B, K], for those who use PyTorch.
        about: its projector, options and sizes.
    """

    module: torch.nn.Module
    about: Mapping[str, Any]

    def __call__(self, queries: Any) -> NDArray[np.float32]:
        """Projections [B, K] of queries [B, D], or [K] of one query [D]: arrays, tensors or lists.

        Raises:
            DataError: where they have another width, or are complex.
        """
        import torch

        if np.iscomplexobj(given := np.asarray(queries)):
            raise harness.DataError("the queries are complex numbers", next_step="give real ones, [B, D] or [D]")
        rows = torch.as_tensor(given, dtype=torch.float32)
        width = self.about.get("width")
        if rows.ndim not in (1, 2) or (width is not None and rows.shape[-1] != width):
            raise harness.DataError(
                f"the queries have the shape {list(rows.shape)}, and the student takes [B, {width}] or [{width}]",
                next_step="embed them with the model that the heads were made with",
            )
        with torch.inference_mode():
            output = self.module(rows if rows.ndim == 2 else rows[None]).numpy()
        found: NDArray[np.float32] = output[0] if rows.ndim == 1 else output
        return found


def load_student(path: str | Path) -> SavedStudent:
    """The student that `harness distill --save` or `harness run --save` wrote.

    Args:
        path: the `.safetensors` file. Nothing in it is executed; it chooses among the students of this package.

    Raises:
        DataError: where it is missing, no student, or one of another plugin.
    """
    import safetensors
    import torch

    path = Path(path)
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        if "student" not in metadata:
            from harness_plugins.transformer import ProjectionTransformer

            module = ProjectionTransformer.load(path)
            return SavedStudent(module=module, about={"width": module.configuration["embed_dim"]})
        about = json.loads(metadata["student"])
        projector, heads = _projector(path, about), _shapes(about)
        built = projector.build(heads, harness.BuildContext(form="module", weights=False))
        assert isinstance(built, torch.nn.Module)
        built.load_state_dict(state)
    except FileNotFoundError as problem:
        next_step = "give the .safetensors file that `harness distill --save` wrote"
        raise harness.DataError("there is no such file", where=str(path), next_step=next_step) from problem
    except (OSError, safetensors.SafetensorError, *_DAMAGE) as problem:
        raise harness.DataError(
            f"it is not a saved student ({type(problem).__name__}: {str(problem)[:200]})",
            where=str(path),
            next_step="give the .safetensors file that `harness distill --save` wrote; pickles are not read",
        ) from problem
    return SavedStudent(module=built.eval(), about=about)


def _projector(path: Path, about: Mapping[str, Any]) -> harness.Projector:
    home = _HOMES.get(str(about["projector"]))
    if home is None:
        raise harness.DataError(
            f"its projector {about['projector']!r} is that of the plugin {about.get('plugin')}",
            where=str(path),
            next_step="build it with that plugin, and load the weights with safetensors.torch.load_file",
        )
    made: harness.Projector = getattr(importlib.import_module(home[0]), home[1])()
    return made.with_options(about["options"])


def _shapes(about: Mapping[str, Any]) -> harness.Heads:
    """Heads of the right shapes, which take no memory."""
    count, width, output_width = (int(about[name]) for name in ("heads", "width", "output_width"))
    empty = np.zeros((), dtype=np.float32)
    return harness.Heads(
        centroids=np.broadcast_to(empty, (count, width)),
        answers=np.broadcast_to(empty, (count, output_width)),
        temperature=1.0,
    )


def write_onnx(student: SavedStudent, path: Path) -> None:
    """Writes the student as one ONNX file with a dynamic batch: input `queries`, output `projections`.

    Raises:
        ContenderError: where the file does not compute what the student does.
    """
    import onnx
    import onnxruntime

    from harness_plugins.onnx_export import INPUT, OUTPUT, OnnxExporter

    example = np.random.default_rng(0).standard_normal((4, int(student.about["width"])), dtype=np.float32)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".exporting-") as folder:
        draft = Path(folder) / "student.onnx"
        OnnxExporter(_CLOSE).write(student.module, example, draft)
        onnx.save(onnx.load(draft), path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for batch in (example, example[:1]):
        wanted = student(batch)
        error = float(np.abs(session.run([OUTPUT], {INPUT: batch})[0] - wanted).max())
        if not error <= _CLOSE * max(float(np.abs(wanted).max()), 1e-12):
            path.unlink()
            raise harness.ContenderError(f"its ONNX form differs from it by {error:.2g}", where=str(path))


def main(arguments: Sequence[str] | None = None, err: TextIO = sys.stderr) -> int:
    """Writes the ONNX form of a saved student beside it; 0, or the exit code of what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m harness_plugins.saved_students")
    parser.add_argument("file", type=Path)
    path: Path = parser.parse_args(arguments).file
    try:
        write_onnx(load_student(path), path.with_suffix(".onnx"))
    except harness.HarnessError as problem:
        err.write(f"error: {problem}\n")
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
