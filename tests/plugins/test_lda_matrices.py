"""Heads with matrices, as the original system computes them: `w W q` for such a head and `w a` for every other one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import harness
from harness.testing import check_projector
from harness_plugins import database, lda, lda_matrices
from harness_plugins.lda import LDAProjector, LoopProjector, MultiHeadLDA, VectorisedLDA

PROJECTORS = {"lda": LDAProjector(), "lda-loop": LoopProjector()}
FORMS = [("lda", "module"), ("lda", "numpy"), ("lda-loop", "numpy")]


def as_the_original_does(heads, queries):
    """The formula as plainly as it can be written, one query and one head at a time."""
    rows = []
    for query in queries.astype(np.float64):
        cosines = [query @ c / (np.sqrt(query @ query) * np.sqrt(c @ c)) for c in heads.centroids.astype(np.float64)]
        weights = np.exp(np.array(cosines) / heads.temperature)
        weights /= weights.sum()
        total = np.zeros(heads.output_width)
        for head, weight in enumerate(weights):
            if head in heads.matrices:
                total += weight * (heads.matrices[head].astype(np.float64) @ query)
            else:
                total += weight * heads.answers[head].astype(np.float64)
        rows.append(total)
    return np.array(rows)


def called(projection, queries):
    if isinstance(projection, torch.nn.Module):
        return projection(torch.from_numpy(queries)).numpy()
    return projection(queries)


@pytest.mark.parametrize(("name", "form"), FORMS)
@pytest.mark.parametrize("mapped", [(0,), (1, 4), range(6)], ids=["one", "some", "all"])
@pytest.mark.parametrize(
    "length", [1.0, 7.0]
)  # cosines do not depend on a query's length, but what a matrix gives does
def test_every_form_agrees_with_the_formula(name, form, mapped, length, make_mapped, queries):
    heads = make_mapped(6, mapped)
    rows = queries * np.float32(length)
    wanted = as_the_original_does(heads, rows)
    reference = PROJECTORS[name].reference(heads, rows)
    np.testing.assert_allclose(reference, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())
    projection = PROJECTORS[name].build(heads, harness.BuildContext(form=form))
    for count in (1, 7):
        got = called(projection, rows[:count])
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted[:count], atol=1e-5 * np.abs(wanted).max())


def test_by_hand():
    heads = harness.Heads(
        centroids=np.eye(2, dtype=np.float32),
        answers=np.array([[1.0], [100.0]], dtype=np.float32),
        temperature=1.0,
        matrices={1: np.array([[2.0, 3.0]], dtype=np.float32)},
    )
    query = np.array([[0.0, 5.0]], dtype=np.float32)  # cosines 0 and 1; W q = 15
    share = np.e / (1 + np.e)
    wanted = [[(1 - share) * 1.0 + share * 15.0]]
    np.testing.assert_allclose(lda.formula(heads, query), wanted, rtol=1e-14)
    np.testing.assert_allclose(lda.vectorised(heads)(query), wanted, rtol=1e-6)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_one_changed_matrix_is_seen_by_the_reference(name, form, make_mapped, queries):
    heads = make_mapped(6, (1, 4))
    changed = dataclasses.replace(heads, matrices=heads.matrices | {4: heads.matrices[4] + np.float32(0.5)})
    got = called(PROJECTORS[name].build(changed, harness.BuildContext(form=form)), queries)
    wanted = PROJECTORS[name].reference(heads, queries)
    assert np.abs(got - wanted).max() > 1e-3 * np.abs(wanted).max()


def test_projectors_keep_the_rules_on_heads_with_matrices():
    generator = np.random.default_rng(0)
    heads = harness.testing.sample_heads(5)
    heads = dataclasses.replace(heads, matrices={2: generator.standard_normal((16, 24), dtype=np.float32)})
    for projector in PROJECTORS.values():
        check_projector(projector, heads=[heads])


def test_the_onnx_graph_computes_matrices(tmp_path, make_mapped, queries):
    import onnxruntime

    from harness_plugins.onnx_export import INPUT, OUTPUT, OnnxExporter

    heads = make_mapped(6, (1, 4))
    module = PROJECTORS["lda"].build(heads, harness.BuildContext(form="module"))
    OnnxExporter(1e-4).write(module, queries[:1], tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    wanted = as_the_original_does(heads, queries)
    for rows in (1, 40):
        got = session.run([OUTPUT], {INPUT: queries[:rows]})[0]
        np.testing.assert_allclose(got, wanted[:rows], atol=1e-5 * np.abs(wanted).max())


def test_a_module_without_weights_loads_the_state_of_one_with_them(make_mapped, queries):
    heads = make_mapped(6, (1, 4))
    full, empty = (
        PROJECTORS["lda"].build(heads, harness.BuildContext(form="module", weights=w)) for w in (True, False)
    )
    empty.load_state_dict(full.state_dict())
    np.testing.assert_array_equal(called(empty, queries), called(full, queries))


def test_the_cost_is_that_of_heads_times_both_widths(make_mapped):
    projector, without = PROJECTORS["lda"], make_mapped(6, ())
    for batch in (1, 32):
        plain = projector.cost(6, batch, 32, 24)
        assert projector.cost_of(without, batch) == plain
        cost = projector.cost_of(make_mapped(6, range(6)), batch)
        assert cost.flops - plain.flops == 2 * batch * 6 * 32 * 24
        assert cost.bytes - plain.bytes == 4 * 6 * 32 * 24
        assert cost.products[-1] == (batch, 6 * 32, 24)


def test_two_matrix_products_are_not_taken_for_three(make_mapped):
    with pytest.raises(harness.ContenderError, match="heads with matrices are more than two matrix products"):
        VectorisedLDA(make_mapped(6, (1,)))


def test_fewer_heads_keep_their_matrices(make_mapped):
    heads = make_mapped(6, (1, 4))
    fewer = heads.first(3)
    assert (fewer.count, list(fewer.matrices)) == (3, [1])
    np.testing.assert_array_equal(fewer.matrices[1], heads.matrices[1])


@pytest.mark.parametrize("name", ["saved.npz", "lda.db"])
def test_multi_head_lda_saves_and_loads_matrices(tmp_path, name, make_mapped, queries):
    heads = make_mapped(6, (1, 4))
    teacher = MultiHeadLDA(heads.centroids, heads.answers, heads.temperature, matrices=heads.matrices)
    teacher.save(tmp_path / name)
    again = MultiHeadLDA.load(tmp_path / name)
    assert again.notes == ("2 of 6 heads have a matrix",)
    wanted = as_the_original_does(heads, queries)
    np.testing.assert_allclose(again.project(queries), wanted, atol=1e-5 * np.abs(wanted).max())
    np.testing.assert_allclose(again(torch.from_numpy(queries)).numpy(), wanted, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"matrices": np.ones((2, 24))}, r"matrices have the shape \[2, 24\], and matrix_heads name 2 heads"),
        ({"matrix_heads": np.array([1])}, r"matrices have the shape \[2, 24, 32\], and matrix_heads name 1 heads"),
        ({"matrix_heads": np.array([1, 1])}, "matrix_heads name 1 heads; save matrices as"),
        ({"matrix_heads": np.array([1, 6])}, r"the matrix of head 6 has the shape \[24, 32\], and the 6 heads map"),
        ({"matrices": np.ones((2, 32, 24))}, r"the matrix of head 1 has the shape \[32, 24\], and the 6 heads map"),
        ({"matrices": np.full((2, 24, 32), np.nan)}, "row 0 of the matrix of head 1 holds NaN or infinity"),
        ({"matrices": np.ones((2, 24, 32), np.int8)}, "the matrix of head 1 is not a matrix of floating-point numbers"),
    ],
)
def test_matrices_that_cannot_be_used_say_why(tmp_path, change, sentence, make_mapped):
    heads = make_mapped(6, (1, 4))
    database.write_archive(tmp_path / "h.npz", heads)
    with np.load(tmp_path / "h.npz") as stored:
        arrays = {**stored, **change}
    np.savez(tmp_path / "h.npz", **arrays)
    with pytest.raises(harness.DataError, match=sentence):
        database.read(tmp_path / "h.npz")


def test_matrices_lie_on_top_of_each_other(make_mapped, queries):
    heads = make_mapped(6, (4, 1))
    mapped, maps = lda_matrices.maps(heads)
    np.testing.assert_array_equal(mapped, [1, 4])
    np.testing.assert_array_equal(maps[:32], heads.matrices[1].T)
    assert not lda_matrices.answers_alone(heads)[[1, 4]].any()
    assert heads.answers[[1, 4]].any()
