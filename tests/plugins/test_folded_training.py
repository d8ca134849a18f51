from __future__ import annotations

import copy
import itertools

import pytest
import torch

import harness
from harness_plugins import distillation
from harness_plugins.distillation import DistillationTrainer, distillation_losses, evaluate_distillation
from harness_plugins.folded_training import FULL_BATCH_PACE, MINI_BATCH_PACE, FoldedTraining, dropout, pace_for
from harness_plugins.lda import MultiHeadLDA
from harness_plugins.transformer import ProjectionTransformer


def student(**options):
    torch.manual_seed(0)
    made = ProjectionTransformer(32, 4, 2, 24, **{"output_dim": 20, **options})
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return made.eval()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_it_starts_as_the_same_function(dtype, tolerance):
    plain = student().to(dtype)
    queries = torch.randn(9, 32, dtype=dtype)
    torch.testing.assert_close(FoldedTraining(plain).eval()(queries), plain(queries), rtol=0, atol=tolerance)


def test_what_is_trained_is_written_back():
    plain, queries = student(), torch.randn(9, 32)
    form = FoldedTraining(plain).eval()
    with torch.no_grad():
        for parameter in form.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    assert (form(queries) - plain(queries)).abs().max() > 0.1
    form.write_back(plain)
    torch.testing.assert_close(form(queries), plain(queries), rtol=0, atol=1e-5)


def test_a_copy_is_trained_not_the_student():
    plain = student()
    before = copy.deepcopy(plain.state_dict())
    form = FoldedTraining(plain)
    form(torch.randn(4, 32)).sum().backward()
    assert all(parameter.grad is None for parameter in plain.parameters())
    assert all(torch.equal(before[name], value) for name, value in plain.state_dict().items())


def test_gradients_are_those_of_the_student_where_both_have_the_weights():
    plain = student(dropout=0.0).train()
    form = FoldedTraining(plain).train()
    queries, targets = torch.randn(9, 32), torch.randn(9, 20)
    for module in (plain, form):
        distillation_losses(module(queries), targets, 0.7)[0].backward()
    torch.testing.assert_close(form.input_proj.weight.grad, plain.input_proj.weight.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        form.layers[1].linear2.weight.grad, plain.encoder.layers[1].linear2.weight.grad, atol=1e-5, rtol=1e-4
    )


def test_dropout_silences_its_share_and_keeps_the_mean():
    torch.manual_seed(0)
    dropped = dropout(torch.ones(1001, 301), 0.1)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.1, abs=0.003)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.003)
    assert float(dropped.max()) == pytest.approx(1 / 0.9)
    neighbours = (dropped[:, :-1] == 0).float() * (dropped[:, 1:] == 0).float()
    assert float(neighbours.mean()) == pytest.approx(0.01, abs=0.002)
    values = torch.ones(3)
    assert dropout(values, 0.0) is values


def test_it_drops_in_training_only():
    form, queries = FoldedTraining(student(dropout=0.5)), torch.randn(5, 32)
    form.eval()
    assert torch.equal(form(queries), form(queries))
    form.train()
    assert not torch.equal(form(queries), form(queries))


def test_the_trainer_ends_at_the_same_quality(make_heads, queries, monkeypatch):
    heads = make_heads(6, output_width=20)
    teacher, data = MultiHeadLDA(heads.centroids, heads.answers, 0.5), torch.from_numpy(queries)
    monkeypatch.setattr(distillation, "has_bfloat16", lambda: True)  # what it computes is the same where it is emulated
    cosines = {}
    for parametrisation, precision in itertools.product(("plain", "folded"), ("float32", "bfloat16")):
        trained = student()
        trainer = DistillationTrainer().with_options(
            {"epochs": 60, "learning_rate": 1e-3, "parametrisation": parametrisation, "precision": precision}
        )
        trainer.fit(trained, teacher, data, harness.TrainContext(seed=1))
        assert {parameter.dtype for parameter in trained.parameters()} == {torch.float32}
        cosines[parametrisation, precision] = evaluate_distillation(trained, teacher, data)["mean_cosine"]
    plain = cosines["plain", "float32"]
    assert plain > 0.9
    assert cosines["folded", "float32"] == pytest.approx(plain, abs=0.02)
    for parametrisation in ("plain", "folded"):
        exact, rounded = cosines[parametrisation, "float32"], cosines[parametrisation, "bfloat16"]
        assert rounded != exact
        assert rounded == pytest.approx(exact, abs=0.005)


@pytest.mark.parametrize(("batch_size", "pace"), [(None, FULL_BATCH_PACE), (8, MINI_BATCH_PACE)])
def test_the_pace_follows_the_batch_size(make_heads, queries, monkeypatch, batch_size, pace):
    heads, paces = make_heads(6, output_width=20), []

    class Noted(FoldedTraining):
        def __init__(self, student, pace):
            paces.append(pace)
            super().__init__(student, pace)

    monkeypatch.setattr("harness_plugins.folded_training.FoldedTraining", Noted)
    trainer = DistillationTrainer().with_options({"epochs": 1, "batch_size": batch_size, "parametrisation": "folded"})
    teacher = MultiHeadLDA(heads.centroids, heads.answers, 0.5)
    trainer.fit(student(), teacher, torch.from_numpy(queries), harness.TrainContext())
    assert paces == [pace] == [pace_for(batch_size)]
    assert FULL_BATCH_PACE < MINI_BATCH_PACE


def test_a_processor_without_bfloat16_does_not_train_in_it(make_heads, queries, monkeypatch):
    monkeypatch.setattr(distillation, "has_bfloat16", lambda: False)
    trainer = DistillationTrainer().with_options({"precision": "bfloat16"})
    with pytest.raises(harness.TrainingError, match="distillation: this device has no bfloat16 arithmetic; leave out"):
        trainer.fit(student(), torch.sin, torch.from_numpy(queries), harness.TrainContext())


def test_another_student_is_refused(make_heads, queries):
    trainer = DistillationTrainer().with_options({"parametrisation": "folded"})
    with pytest.raises(harness.ContenderError, match=r"a Linear is not known to be .*; set parametrisation: plain"):
        trainer.fit(torch.nn.Linear(32, 32), torch.sin, torch.from_numpy(queries), harness.TrainContext())
