"""Two exported models in one: ONNX's `If` chooses between them by a measured threshold, when the model is called."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.dispatch import dispatcher, rules
from harness.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OLDEST_OPSET = 13  # from which on ReduceSum takes its axes as an input, as it is written here
MOST_BYTES = 2**31 - 2**20  # of a model in one file


def models(given: Sequence[str]) -> dict[str, Path]:
    """`NAME=FILE` for each contender.

    Raises:
        UserError: where one has another form, or its file is not there.
    """
    found = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise UserError(f"--model {text!r} names no file", next_step="write --model NAME=FILE, for each contender")
        if not Path(file).is_file():
            raise UserError(f"--model {text!r}: there is no file {file}", next_step="name an exported model")
        found[name] = Path(file)
    return found


def written(
    table: Mapping[str, Any],
    files: Mapping[str, Path],
    output: Path,
    *,
    about: Sequence[str] = (),
    axis: int = 0,
    heads: int | None = None,
) -> None:
    """Writes the model that chooses.

    Args:
        table: a race's part of dispatch.json.
        files: by contender, the exported models; all that the race may choose.
        output: the file.
        about: what the threshold rests on, for the model's documentation.
        axis: of the first input, whose length is n; or the batch size, where `heads` says which n it is about.
        heads: N of the models, where it is no axis of theirs.

    Raises:
        UserError: where a contender has no model, the models do not take and give the same, or nothing was decided.
    """
    import onnx

    starts, uses = _by_size(table) if heads is None else _by_batch(table, heads)
    names = list(dict.fromkeys([*uses, table["baseline"], table["challenger"]]))
    missing = [name for name in names if name not in files]
    if missing:
        raise UserError(f"no model of {missing[0]!r}", next_step=f"pass --model {missing[0]}=FILE")
    first, second = (onnx.load(str(files[table[side]])) for side in ("baseline", "challenger"))
    _require_alike(first, second, axis)
    graph = _graph(first, second, axis, starts, [use == table["challenger"] for use in uses])
    model = onnx.helper.make_model(
        graph,
        producer_name="crossover-harness",
        opset_imports=_opsets(first, second),
        functions=_functions(first, second),
        ir_version=max(first.ir_version, second.ir_version),
        doc_string="\n".join(about),
    )
    if model.ByteSize() > MOST_BYTES:
        raise UserError("both models together exceed 2 GiB, the limit of an ONNX file", next_step="choose in Python")
    onnx.checker.check_model(model)
    onnx.save(model, str(output))


def _by_size(table: Mapping[str, Any]) -> tuple[list[int], list[str]]:
    """The n at which the choice changes, and the choices."""
    known = rules(table)
    if len(known) > 1:
        raise UserError(
            f"{table['race']!r} was raced at batch {', '.join(map(str, sorted(known)))}",
            next_step="pass --heads N, so that the batch size decides",
        )
    return next(iter(known.values()))


def _by_batch(table: Mapping[str, Any], heads: int) -> tuple[list[int], list[str]]:
    """The batch sizes at which the choice changes for this N, and the choices."""
    sizes, choose = sorted(rules(table)), dispatcher(table)
    borders = [math.floor(math.sqrt(a * b)) + 1 for a, b in itertools.pairwise(sizes)]
    return borders, [choose(heads, size) for size in sizes]


def _require_alike(first: Any, second: Any, axis: int) -> None:
    """They take and give the same, as far as types and ranks go."""
    for what in ("input", "output"):
        shapes = [[_shape(each) for each in _values(model, what)] for model in (first, second)]
        if shapes[0] != shapes[1]:
            raise UserError(f"the models have different {what}s: {shapes[0]} and {shapes[1]} (type, rank)")
    rank = _shape(_values(first, "input")[0])[1]
    if not 0 <= axis < rank:
        raise UserError(f"--axis {axis}: the first input has {rank} axes, from 0")
    opsets = [_opset(model) for model in (first, second)]
    if opsets[0] != opsets[1] or opsets[0] < OLDEST_OPSET:
        raise UserError(
            f"the models were exported for opset {opsets[0]} and {opsets[1]}",
            next_step=f"export both for the same opset, {OLDEST_OPSET} or later",
        )


def _values(model: Any, what: str) -> list[Any]:
    """Inputs that are no constants, or outputs."""
    constants = {each.name for each in model.graph.initializer}
    return [each for each in getattr(model.graph, what) if each.name not in constants]


def _shape(value: Any) -> tuple[int, int]:
    return value.type.tensor_type.elem_type, len(value.type.tensor_type.shape.dim)


def _opset(model: Any) -> int:
    return int(next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx")))


def _opsets(first: Any, second: Any) -> list[Any]:
    known = {each.domain: each for model in (first, second) for each in model.opset_import}
    return list(known.values())


def _functions(first: Any, second: Any) -> list[Any]:
    known = {(each.domain, each.name): each for model in (first, second) for each in model.functions}
    return list(known.values())


def _graph(first: Any, second: Any, axis: int, starts: Sequence[int], uses: Sequence[bool]) -> Any:
    """How long the axis is, how many thresholds that reaches, and the branch that is chosen there."""
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    inputs = _values(first, "input")
    outputs = [_named(each, each.name) for each in _values(first, "output")]
    constants = {
        "choice_axis": np.array(axis, np.int64),
        "choice_starts": np.array(list(starts) or [2**62], np.int64),
        "choice_uses": np.array([*uses, *([uses[-1]] if not starts else [])], bool),
        "choice_none": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("Shape", [inputs[0].name], ["choice_shape"]),
        helper.make_node("Gather", ["choice_shape", "choice_axis"], ["choice_size"], axis=0),
        helper.make_node("Less", ["choice_size", "choice_starts"], ["choice_below"]),
        helper.make_node("Not", ["choice_below"], ["choice_reached"]),
        helper.make_node("Cast", ["choice_reached"], ["choice_numbers"], to=TensorProto.INT64),
        helper.make_node("ReduceSum", ["choice_numbers", "choice_none"], ["choice_place"], keepdims=0),
        helper.make_node("Gather", ["choice_uses", "choice_place"], ["choice_challenger"], axis=0),
        helper.make_node(
            "If",
            ["choice_challenger"],
            [each.name for each in outputs],
            then_branch=_branch(second, "challenger_", inputs),
            else_branch=_branch(first, "baseline_", inputs),
        ),
    ]
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    return helper.make_graph(nodes, "choice", inputs, outputs, initializers)


def _branch(model: Any, prefix: str, inputs: Sequence[Any]) -> Any:
    """A model as a subgraph without inputs: it reads those of the whole."""
    from onnx import compose, helper

    own = compose.add_prefix(model, prefix).graph
    taken = [each for each in own.input if each.name not in {constant.name for constant in own.initializer}]
    reading = [
        helper.make_node("Identity", [outer.name], [inner.name]) for outer, inner in zip(inputs, taken, strict=True)
    ]
    return helper.make_graph(
        [*reading, *own.node],
        f"{prefix}branch",
        [],
        list(own.output),
        list(own.initializer),
        value_info=list(own.value_info),
    )


def _named(value: Any, name: str) -> Any:
    """A value of the same rank whose lengths are left open: each branch has its own."""
    from onnx import helper

    kind, rank = _shape(value)
    return helper.make_tensor_value_info(name, kind, [None] * rank)
