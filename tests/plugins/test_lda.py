from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

import harness
from harness_plugins import lda
from harness_plugins.lda import LDAProjector, LoopProjector, MultiHeadLDA

PROJECTORS = {"lda": LDAProjector(), "lda-loop": LoopProjector()}
FORMS = [("lda", "module"), ("lda", "numpy"), ("lda-loop", "numpy")]


def called(projection, queries):
    if isinstance(projection, torch.nn.Module):
        return projection(torch.from_numpy(queries)).numpy()
    return projection(queries)


@pytest.mark.parametrize(("name", "form"), FORMS)
@pytest.mark.parametrize("count", [1, 2, 18, 300])
@pytest.mark.parametrize("temperature", [1.0, 0.05, 0.005])
def test_every_form_agrees_with_the_formula(name, form, count, temperature, make_heads, queries, by_hand):
    heads = make_heads(count, temperature=temperature)
    projection = PROJECTORS[name].build(heads, harness.BuildContext(form=form))
    wanted = by_hand(heads, queries)
    for rows in (1, 7):
        got = called(projection, queries[:rows])
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted[:rows], atol=1e-5 * np.abs(wanted).max())


def test_the_reference_is_the_formula_in_float64(make_heads, queries, by_hand):
    heads = make_heads(50)
    reference = PROJECTORS["lda"].reference(heads, queries)
    assert reference.dtype == np.float64
    np.testing.assert_allclose(reference, by_hand(heads, queries), rtol=0, atol=1e-13)


def test_the_reference_is_the_same_across_blocks(monkeypatch, make_heads, queries):
    heads = make_heads(50)
    whole = lda.formula(heads, queries)
    blocks = lda._blocks
    monkeypatch.setattr(lda, "_blocks", lambda count: blocks(count, rows=7))
    np.testing.assert_allclose(lda.formula(heads, queries), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_one_changed_answer_is_seen_by_the_reference(name, form, make_heads, queries):
    heads = make_heads(18)
    changed = harness.Heads(centroids=heads.centroids, answers=heads.answers.copy(), temperature=heads.temperature)
    changed.answers[4] += 0.5
    got = called(PROJECTORS[name].build(changed, harness.BuildContext(form=form)), queries)
    wanted = PROJECTORS[name].reference(heads, queries)
    assert np.abs(got - wanted).max() > 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_a_zero_query_takes_the_mean_answer(name, form, make_heads):
    heads = make_heads(6)
    zero = np.zeros((1, heads.width), np.float32)
    for rows in (zero, np.repeat(zero, 2, axis=0)):
        got = called(PROJECTORS[name].build(heads, harness.BuildContext(form=form)), rows)
        np.testing.assert_allclose(got[0], heads.answers.mean(axis=0), atol=1e-6)


def test_the_length_of_centroids_and_queries_makes_no_difference(make_heads, queries):
    heads = make_heads(9)
    longer = harness.Heads(centroids=heads.centroids * 8, answers=heads.answers, temperature=heads.temperature)
    np.testing.assert_allclose(lda.formula(longer, queries * 4), lda.formula(heads, queries), atol=1e-13)


def test_the_module_makes_no_more_of_the_weights_size_than_products_and_their_softmax(make_heads, queries):
    module = PROJECTORS["lda"].build(make_heads(300), harness.BuildContext(form="module"))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profile:
        module(torch.from_numpy(queries))
    large = [event.name for event in profile.events() if [len(queries), 300] in event.input_shapes]
    assert "aten::div" not in large
    assert "aten::mul" not in large


@pytest.mark.parametrize("length", [1e-6, 1.0, 1e6])
def test_the_onnx_graph_normalises_rows_in_one_operation(tmp_path, length, make_heads, queries, by_hand):
    import onnx
    import onnxruntime

    from harness_plugins.onnx_export import INPUT, OUTPUT, OnnxExporter

    heads = make_heads(18)
    module = PROJECTORS["lda"].build(heads, harness.BuildContext(form="module"))
    OnnxExporter(1e-4).write(module, queries[:1], tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx").graph
    assert [node.op_type for node in graph.node] == ["RMSNormalization", "MatMul", "Softmax", "MatMul"]
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    wanted = by_hand(heads, queries)
    rows = np.concatenate([queries * np.float32(length), np.zeros_like(queries[:1])])
    got = session.run([OUTPUT], {INPUT: rows})[0]
    np.testing.assert_allclose(got[:-1], wanted, atol=1e-5 * np.abs(wanted).max())
    np.testing.assert_allclose(got[-1], heads.answers.mean(axis=0), atol=1e-6)


def test_a_module_without_weights_has_the_shapes_of_one_with_them(make_heads):
    heads = make_heads(9)
    full, empty = (
        PROJECTORS["lda"].build(heads, harness.BuildContext(form="module", weights=w)) for w in (True, False)
    )
    assert {k: v.shape for k, v in full.state_dict().items()} == {k: v.shape for k, v in empty.state_dict().items()}
    empty.load_state_dict(full.state_dict())


def test_cost_counts_both_products():
    cost = PROJECTORS["lda"].cost(1000, 32, 384, 384)
    assert cost.flops == pytest.approx(2 * 1000 * 32 * 768, rel=0.01)
    assert cost.bytes == pytest.approx(4 * 1000 * 768, rel=0.04)


def test_multi_head_lda_loads_projects_and_says_which(lda_database, queries, by_hand):
    path, heads, _ = lda_database
    teacher = MultiHeadLDA.load(path, 1)
    wanted = by_hand(heads, queries)
    np.testing.assert_allclose(teacher.project(queries), wanted, atol=1e-5)
    np.testing.assert_allclose(teacher(torch.from_numpy(queries)).numpy(), wanted, atol=1e-5)
    assert (teacher.num_heads, teacher.name) == (5, "projection 1 ('cool') of lda.db")
    assert "lda.db also holds 2" in teacher.notes[0]
    assert MultiHeadLDA.load(path, "warm").heads.temperature == 1.0


@pytest.mark.parametrize("name", ["saved.npz", "lda.db"])
def test_multi_head_lda_saves_what_it_loads(tmp_path, name, make_heads, queries):
    heads = make_heads(4)
    teacher = MultiHeadLDA(heads.centroids, heads.answers, heads.temperature)
    teacher.save(tmp_path / name)
    np.testing.assert_array_equal(MultiHeadLDA.load(tmp_path / name).project(queries), teacher.project(queries))


def test_the_numpy_forms_need_no_torch():
    code = (
        "import sys, numpy as np, harness; from harness_plugins import lda, python, onnxruntime, playbook, sources\n"
        "heads = harness.Heads(centroids=np.eye(4, dtype='f4'), answers=np.eye(4, dtype='f4'), temperature=1.0)\n"
        "lda.LDAProjector().build(heads, harness.BuildContext(form='numpy'))(heads.centroids)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("call", [MultiHeadLDA.project, MultiHeadLDA.__call__])
@pytest.mark.parametrize("queries", [np.ones((2, 3), complex), torch.ones(3, dtype=torch.complex64), [1j, 0, 0]])
def test_complex_queries_are_refused(call, queries):
    projection = MultiHeadLDA(np.eye(3), np.eye(3))
    with pytest.raises(harness.DataError, match=r"the queries are complex numbers; pass one query \[3\]"):
        call(projection, queries)
