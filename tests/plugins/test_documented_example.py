"""The documented system's own example and benchmark, word for word but for its imports, on files made here."""

from __future__ import annotations

import textwrap

import numpy as np
import pytest
import torch

import harness
from harness_plugins import database
from harness_plugins.lda import MultiHeadLDA, formula

IMPORTS = """
import torch
from harness_plugins.transformer import ProjectionTransformer
from harness_plugins.distillation import train_distillation, evaluate_distillation
from harness_plugins.lda import MultiHeadLDA
"""

EXAMPLE = """
# Load LDA teacher (18 heads)
lda = MultiHeadLDA.load('lda.db')

# Create transformer student (4² = 16 ≈ 18)
transformer = ProjectionTransformer(
    embed_dim=384,
    num_heads=4,
    num_layers=2,
    ff_dim=512
)

# Load training data
train_data = torch.load('embeddings.pt')

# Train via distillation
history = train_distillation(
    transformer=transformer,
    lda_projection=lda,
    query_embeddings=train_data,
    num_epochs=200,
    cosine_weight=0.7
)

# Evaluate
metrics = evaluate_distillation(transformer, lda, test_data)
print(f"Mean cosine similarity: {metrics['mean_cosine']:.4f}")
"""

BENCHMARK = """
    import time

    # Single query latency
    start = time.perf_counter()
    for q in queries:
        lda(q.unsqueeze(0))
    lda_single = (time.perf_counter() - start) / len(queries) * 1000

    start = time.perf_counter()
    for q in queries:
        transformer(q.unsqueeze(0))
    trans_single = (time.perf_counter() - start) / len(queries) * 1000

    # Batched latency
    batches = queries.split(batch_size)
    start = time.perf_counter()
    for batch in batches:
        lda(batch)
    lda_batch = (time.perf_counter() - start) / len(batches) * 1000
"""


def test_the_complete_example_runs_as_it_is_written(tmp_path, monkeypatch, capsys):
    generator = np.random.default_rng(0)
    heads = harness.Heads(
        centroids=generator.standard_normal((18, 384), dtype=np.float32),
        answers=generator.standard_normal((18, 384), dtype=np.float32),
        temperature=1.0,
    )
    database.write_database(tmp_path / "lda.db", heads, "documented")
    torch.save(torch.randn(24, 384), tmp_path / "embeddings.pt")
    monkeypatch.chdir(tmp_path)
    names = {"test_data": torch.randn(8, 384)}
    exec(IMPORTS + EXAMPLE, names)
    assert capsys.readouterr().out == f"Mean cosine similarity: {names['metrics']['mean_cosine']:.4f}\n"
    with torch.no_grad():
        imitated = names["transformer"].eval()(names["test_data"]).numpy().astype(np.float64)
    wanted = formula(heads, names["test_data"].numpy())
    lengths = np.linalg.norm(imitated, axis=1) * np.linalg.norm(wanted, axis=1)
    cosines = (imitated * wanted).sum(axis=1) / lengths
    assert names["metrics"]["mean_cosine"] == pytest.approx(cosines.mean(), abs=1e-5)
    assert names["history"]["loss"][-1] < names["history"]["loss"][0] / 2
    assert [len(names["history"][each]) for each in ("loss", "mse", "cosine")] == [200, 200, 200]
    timed = {**names, "queries": names["test_data"], "batch_size": 3}
    exec(textwrap.dedent(BENCHMARK), timed)
    assert all(timed[each] > 0 for each in ("lda_single", "trans_single", "lda_batch"))


AS_GIVEN = {
    "array": lambda rows: rows,
    "float64 array": lambda rows: rows.astype(np.float64),
    "tensor": torch.from_numpy,
    "float64 tensor with a gradient": lambda rows: torch.from_numpy(rows).double().requires_grad_(),
    "list": lambda rows: rows.tolist(),
    "columns first": np.asfortranarray,
}


@pytest.mark.parametrize("given", AS_GIVEN)
@pytest.mark.parametrize("mapped", [(), (1, 3)])
def test_one_query_and_many_as_arrays_tensors_and_lists(given, mapped, make_mapped, queries, by_hand):
    heads = make_mapped(5, mapped)
    teacher = MultiHeadLDA(heads.centroids, heads.answers, heads.temperature, matrices=heads.matrices)
    wanted = formula(heads, queries)
    if not mapped:
        np.testing.assert_allclose(wanted, by_hand(heads, queries), atol=1e-10)
    convert = AS_GIVEN[given]
    for rows, expected in ((queries, wanted), (queries[0], wanted[0]), (queries[:1], wanted[:1])):
        projected, called = teacher.project(convert(rows)), teacher(convert(rows))
        assert isinstance(projected, np.ndarray)
        assert isinstance(called, torch.Tensor)
        assert projected.dtype == np.float32
        assert not called.requires_grad
        assert projected.shape == called.shape == expected.shape
        np.testing.assert_allclose(projected, expected, atol=2e-5)
        np.testing.assert_allclose(called.numpy(), expected, atol=2e-5)


def test_no_query_gives_no_projection(make_heads):
    heads = make_heads(3)
    teacher = MultiHeadLDA(heads.centroids, heads.answers)
    assert teacher.project(np.zeros((0, heads.width))).shape == (0, heads.output_width)
    assert teacher(torch.zeros(0, heads.width)).shape == (0, heads.output_width)


@pytest.mark.parametrize("queries", [np.ones(7), np.ones((2, 7)), torch.ones(2, 7), np.ones((1, 1, 32)), 3.0])
def test_queries_of_another_shape_are_named(queries, make_heads):
    heads = make_heads(3)
    teacher = MultiHeadLDA(heads.centroids, heads.answers)
    sentence = (
        rf"the queries have the shape \[{', '.join(map(str, np.shape(queries)))}\], and multi-head projection takes "
        r"width 32; pass one query \[32\] or several \[B, 32\]"
    )
    for call in (teacher.project, teacher):
        with pytest.raises(harness.DataError, match=sentence):
            call(queries)


def test_ragged_lists_are_no_queries(make_heads):
    heads = make_heads(3)
    with pytest.raises(harness.DataError, match="the queries are not numbers in rows of one width"):
        MultiHeadLDA(heads.centroids, heads.answers).project([[1.0], [1.0, 2.0]])


def test_embeddings_of_any_precision_are_trained_on(make_heads):
    from harness_plugins.distillation import evaluate_distillation, train_distillation

    heads = make_heads(3, output_width=32)
    rows = np.random.default_rng(0).standard_normal((9, 32))
    teacher, student = MultiHeadLDA(heads.centroids, heads.answers), torch.nn.Linear(32, 32)
    for given in (rows, torch.from_numpy(rows), torch.from_numpy(rows).half()):
        assert len(train_distillation(student, teacher, given, num_epochs=2)["loss"]) == 2
        assert -1 <= evaluate_distillation(student, teacher, given)["mean_cosine"] <= 1
