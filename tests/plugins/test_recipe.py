from __future__ import annotations

import numpy as np
import pytest
import torch

import harness
from harness_plugins.lda import MultiHeadLDA, formula
from harness_plugins.playbook import load_playbook
from harness_plugins.recipe import RecipeTrainer, _drawn, _schedule
from harness_plugins.residual import ResidualProjector
from harness_plugins.students import LinearProjector


def trained(projector, heads, train, seed=0, **options):
    torch.manual_seed(seed)
    student = projector.build(heads, harness.BuildContext(form="module", train_queries=train))
    trainer = RecipeTrainer().with_options(options)
    teacher = MultiHeadLDA(heads.centroids, heads.answers, heads.temperature)
    report = trainer.fit(student, teacher, torch.tensor(train), harness.TrainContext(seed=seed))
    return student, report


def cosine(outputs, targets):
    lengths = np.linalg.norm(outputs, axis=1) * np.linalg.norm(targets, axis=1)
    return float(((outputs * targets).sum(axis=1) / lengths).mean())


@pytest.fixture(scope="module")
def playbook():
    data = load_playbook(18)
    heads = harness.Heads(centroids=data.centroids, answers=data.answers, temperature=0.05)
    return heads, np.array(data.train_queries), np.array(data.held_out_queries)


def test_before_training_the_residual_student_is_the_linear_one(playbook):
    heads, train, held_out = playbook
    context = harness.BuildContext(form="module", train_queries=train)
    with torch.no_grad():
        residual = ResidualProjector().build(heads, context)(torch.tensor(held_out))
        linear = LinearProjector().build(heads, context)(torch.tensor(held_out))
    torch.testing.assert_close(residual, linear)


def test_a_short_training_beats_the_linear_student_on_held_out_queries(playbook):
    heads, train, held_out = playbook
    student, report = trained(
        ResidualProjector().with_options({"num_layers": 1}), heads, train, steps=120, batch_size=128, learning_rate=2e-3
    )
    wanted = formula(heads, held_out)
    with torch.no_grad():
        outputs = student(torch.tensor(held_out)).numpy()
        linear = LinearProjector().build(heads, harness.BuildContext(form="numpy", train_queries=train))(held_out)
    assert cosine(outputs, wanted) > cosine(linear, wanted) + 0.005
    assert not student.training
    assert len(report.losses["validation"]) == 20
    assert "kept the weights after step" in report.notes[0]


def test_it_has_fewer_parameters_than_the_documented_student():
    wide = harness.Heads(centroids=np.ones((18, 384), "f4"), answers=np.ones((18, 384), "f4"), temperature=1.0)
    student = ResidualProjector().build(wide, harness.BuildContext(form="module"))
    count = sum(p.numel() for p in student.parameters())
    assert count < 2_269_696
    weights = sum(p.numel() for p in student.parameters() if p.ndim == 2)
    assert ResidualProjector().cost(18, 4, 384, 384).flops == pytest.approx(2 * 4 * weights)


def test_one_seed_gives_one_student(make_heads, queries):
    heads = make_heads(5)
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    weights = [trained(projector, heads, queries, seed, steps=8, batch_size=16)[0].matrix for seed in (0, 0, 1)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_weights_that_validate_best_are_kept(make_heads, queries, monkeypatch):
    """Validation that only gets worse keeps what the first look saw."""
    seen = []

    def worse(self, student, validation):
        seen.append(student.matrix.detach().clone())
        return float(len(seen))

    monkeypatch.setattr(RecipeTrainer, "_validated", worse)
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    student, report = trained(projector, make_heads(5), queries, steps=40, batch_size=16)
    assert torch.equal(student.matrix, seen[0])
    assert report.notes == ("kept the weights after step 2 of 40",)


def test_drawn_queries_keep_their_length_and_some_stay():
    torch.manual_seed(0)
    queries = torch.randn(30, 8)
    drawn = _drawn(queries, 500, 1.0)
    lengths = queries.norm(dim=1)
    assert all(float((lengths - length).abs().min()) < 1e-5 for length in drawn.norm(dim=1))
    stayed = sum(bool(((queries - row).abs().max(dim=1).values < 1e-6).any()) for row in drawn)
    assert 60 < stayed < 140
    assert sum(bool(((queries - row).abs().max(dim=1).values < 1e-6).any()) for row in _drawn(queries, 50, 0.0)) == 50


def test_the_learning_rate_rises_and_falls():
    rates = [_schedule(step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0, abs=1e-12)


def test_a_training_that_diverges_says_so(make_heads, queries):
    heads = make_heads(5)
    teacher = MultiHeadLDA(heads.centroids, heads.answers, 0.1)
    with pytest.raises(harness.TrainingError, match="queries of width 31 do not fit"):
        RecipeTrainer().fit(torch.nn.Linear(32, 24), teacher, torch.zeros(12, 31), harness.TrainContext())
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    with pytest.raises(harness.TrainingError, match=r"the loss diverged in step \d+ of 400; lower learning_rate"):
        trained(projector, heads, queries, learning_rate=1e30, batch_size=16)
