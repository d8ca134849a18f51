from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import harness
from harness.measure import saving
from harness.plan.specification import OfferReference, Specification
from harness_plugins import load_student, saved_students
from harness_plugins.lda import formula
from harness_plugins.transformer import ProjectionTransformer

WIDTH, OUTPUT, COUNT = 16, 12, 6


def drawn(rows, width=WIDTH, seed=0):
    return np.random.default_rng(seed).standard_normal((rows, width), dtype=np.float32)


HEADS = harness.Heads(centroids=drawn(COUNT), answers=drawn(COUNT, OUTPUT, 1), temperature=0.2)
DATA = harness.Dataset(
    heads=HEADS,
    train_queries=drawn(60, seed=2),
    held_out_queries=drawn(9, seed=3),
    provenance=harness.Provenance(kind="real", description="six heads", digest="abc"),
)


def saved(path, name, options=None):
    """A student of this name with random weights where it has none of its own, saved; and the module itself."""
    home, kind = saved_students._HOMES[name]
    projector = getattr(sys.modules.get(home) or __import__(home, fromlist=[kind]), kind)().with_options(options)
    torch.manual_seed(0)
    context = harness.BuildContext(
        form="module", train_queries=DATA.train_queries, teacher=lambda queries: formula(HEADS, queries)
    )
    module = projector.build(HEADS, context).eval()
    reference = OfferReference(kind="projector", name=name, plugin=home, options=options or {})
    card = saving.save(module, Specification(contender=name, projector=reference), DATA, path)
    return module, card


@pytest.mark.parametrize("name", [name for name in saved_students._HOMES if name != "identity"])
def test_every_student_of_this_package_is_loaded_as_it_was_saved(tmp_path, name):
    module, card = saved(tmp_path / "s.safetensors", name)
    student = load_student(tmp_path / "s.safetensors")
    with torch.no_grad():
        wanted = module(torch.from_numpy(DATA.held_out_queries)).numpy()
    np.testing.assert_array_equal(student(DATA.held_out_queries), wanted)
    np.testing.assert_allclose(student(DATA.held_out_queries[0].tolist()), wanted[0], atol=1e-5)  # one query, a list
    assert card["data"] == {
        "description": "six heads", "digest": "abc", "temperature": 0.2, "train_queries": 60, "held_out_queries": 9,
    }  # fmt: skip
    assert card["parameters"] == sum(value.numel() for value in module.state_dict().values())


def test_options_are_kept(tmp_path):
    saved(tmp_path / "s.safetensors", "transformer", {"num_layers": 3, "ff_dim": 32})
    assert len(load_student(tmp_path / "s.safetensors").module.encoder.layers) == 3


def test_what_the_documented_class_saved_is_loaded_by_both(tmp_path):
    saved(tmp_path / "s.safetensors", "transformer", {"ff_dim": 32})
    again = ProjectionTransformer.load(tmp_path / "s.safetensors")
    again.save(tmp_path / "own.safetensors")
    one, other = load_student(tmp_path / "s.safetensors"), load_student(tmp_path / "own.safetensors")
    np.testing.assert_array_equal(one(DATA.held_out_queries), other(DATA.held_out_queries))


def test_a_process_of_its_own_loads_it_in_three_lines(tmp_path):
    module, _ = saved(tmp_path / "student.safetensors", "routed")
    np.save(tmp_path / "queries.npy", DATA.held_out_queries)
    code = (
        "import numpy\nqueries = numpy.load('queries.npy')\nfrom harness_plugins import load_student\n"
        "student = load_student('student.safetensors')\nprojections = student(queries)\nnumpy.save('p.npy', projections)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    with torch.no_grad():
        wanted = module(torch.from_numpy(DATA.held_out_queries)).numpy()
    np.testing.assert_allclose(np.load(tmp_path / "p.npy"), wanted, atol=1e-6)


@pytest.mark.parametrize("name", ["routed", "constant"])
def test_its_onnx_form_is_one_file_that_computes_the_same(tmp_path, name):
    import onnxruntime

    saved(tmp_path / "s.safetensors", name)
    assert saved_students.main([str(tmp_path / "s.safetensors")]) == 0
    assert {each.name for each in tmp_path.iterdir()} == {"s.safetensors", "s.onnx"}
    session = onnxruntime.InferenceSession(tmp_path / "s.onnx", providers=["CPUExecutionProvider"])
    for rows in (1, 9):
        batch = DATA.held_out_queries[:rows]
        wanted = load_student(tmp_path / "s.safetensors")(batch)
        np.testing.assert_allclose(session.run(None, {"queries": batch})[0], wanted, atol=1e-5)


def test_files_that_are_no_students_are_refused(tmp_path):
    with pytest.raises(harness.DataError, match=r"gone.safetensors: there is no such file; give the .safetensors"):
        load_student(tmp_path / "gone.safetensors")
    torch.save({"a": torch.ones(2)}, tmp_path / "pickle.safetensors")
    with pytest.raises(harness.DataError, match=r"it is not a saved .*pickles are not read"):
        load_student(tmp_path / "pickle.safetensors")
    strange = OfferReference(kind="projector", name="theirs", plugin="their-package:theirs")
    saving.save(
        torch.nn.Linear(2, 2), Specification(contender="x", projector=strange), DATA, Path(tmp_path / "x.safetensors")
    )
    with pytest.raises(
        harness.DataError, match="its projector 'theirs' is that of the plugin their-package:theirs; build it"
    ):
        load_student(tmp_path / "x.safetensors")


def test_queries_of_another_width_are_refused(tmp_path):
    saved(tmp_path / "s.safetensors", "linear")
    with pytest.raises(
        harness.DataError, match=r"the queries have the shape \[3, 5\], and the student takes \[B, 16\] or \[16\]"
    ):
        load_student(tmp_path / "s.safetensors")(np.ones((3, 5)))


def test_a_callable_has_no_weights_to_save(tmp_path):
    with pytest.raises(
        harness.ContenderError, match="x: this projection is not a module, so it has no weights to save"
    ):
        saving.save(np.copy, Specification(contender="x"), DATA, tmp_path / "x.safetensors")


def test_complex_queries_are_refused():
    student = saved_students.SavedStudent(module=torch.nn.Identity(), about={})
    with pytest.raises(harness.DataError, match="the queries are complex numbers"):
        student(np.ones((2, 3), complex))
