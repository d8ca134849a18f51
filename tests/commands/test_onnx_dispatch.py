"""One model of two: it chooses as `choose` does, when it is called."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from harness.commands import onnx_dispatch
from harness.errors import UserError


def exported(path, factor, *, rank=2, opset=18):
    """x -> factor * x, as a model whose names are the same as those of any other."""
    shape = ["n", 3][:rank]
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "factor"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(factor, np.float32), "factor")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9), str(path))
    return path


def table(*entries):
    return {
        "race": "scaled",
        "baseline": "twice",
        "challenger": "thrice",
        "entries": list(entries),
        "mean_regret": None,
    }


def entry(batch, below, *changes):
    return {"batch_size": batch, "below": below, "changes": [{"heads": n, "use": use} for n, use in changes]}


@pytest.fixture
def files(tmp_path):
    return {"twice": exported(tmp_path / "a.onnx", 2.0), "thrice": exported(tmp_path / "b.onnx", 3.0)}


def factors(path, sizes):
    session = onnxruntime.InferenceSession(str(path))
    return [float(session.run(None, {"x": np.ones((n, 3), np.float32)})[0][0, 0]) for n in sizes]


def test_it_chooses_by_the_length_of_an_axis(files, tmp_path):
    known = table(entry(1, "twice", (10, "thrice"), (20, "twice")))
    onnx_dispatch.written(known, files, tmp_path / "either.onnx", about=["race scaled", "machine: a cpu"])
    assert factors(tmp_path / "either.onnx", (1, 9, 10, 19, 20, 300)) == [2, 2, 3, 3, 2, 2]
    assert onnx.load(str(tmp_path / "either.onnx")).doc_string == "race scaled\nmachine: a cpu"


def test_it_chooses_by_the_batch_where_n_is_that_of_the_models(files, tmp_path):
    known = table(entry(1, "twice", (100, "thrice")), entry(64, "twice", (1000, "thrice")))
    onnx_dispatch.written(known, files, tmp_path / "either.onnx", heads=500)
    assert factors(tmp_path / "either.onnx", (1, 8, 9, 64)) == [3, 3, 2, 2]


def test_one_leader_throughout_needs_no_threshold(files, tmp_path):
    onnx_dispatch.written(table(entry(1, "thrice")), files, tmp_path / "either.onnx")
    assert factors(tmp_path / "either.onnx", (1, 1000)) == [3, 3]


def test_what_cannot_be_chosen_between_is_refused(files, tmp_path):
    known = table(entry(1, "twice", (10, "thrice")))
    with pytest.raises(UserError, match="no model of 'thrice'; pass --model thrice=FILE"):
        onnx_dispatch.written(known, {"twice": files["twice"]}, tmp_path / "e.onnx")
    exported(files["thrice"], 3.0, rank=1)
    with pytest.raises(UserError, match=r"the models have different inputs: \[\(1, 2\)\] and \[\(1, 1\)\]"):
        onnx_dispatch.written(known, files, tmp_path / "e.onnx")
    exported(files["thrice"], 3.0, opset=17)
    with pytest.raises(UserError, match="exported for opset 18 and 17; export both for the same opset"):
        onnx_dispatch.written(known, files, tmp_path / "e.onnx")
    with pytest.raises(UserError, match="--axis 2: the first input has 2 axes"):
        onnx_dispatch.written(known, dict.fromkeys(files, files["twice"]), tmp_path / "e.onnx", axis=2)
    two = table(entry(1, "twice", (10, "thrice")), entry(8, "twice"))
    with pytest.raises(UserError, match="was raced at batch 1, 8; pass --heads N"):
        onnx_dispatch.written(two, files, tmp_path / "e.onnx")


def test_files_are_named_by_contender(tmp_path, files):
    assert onnx_dispatch.models([f"twice={files['twice']}"]) == {"twice": files["twice"]}
    with pytest.raises(UserError, match="names no file; write --model NAME=FILE"):
        onnx_dispatch.models(["twice"])
    with pytest.raises(UserError, match="there is no file"):
        onnx_dispatch.models(["twice=nowhere.onnx"])
