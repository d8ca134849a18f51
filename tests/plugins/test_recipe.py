from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
import torch

import harness
from harness_plugins import recipe
from harness_plugins.distillation import DistillationTrainer
from harness_plugins.lda import MultiHeadLDA, formula
from harness_plugins.playbook import load_playbook
from harness_plugins.recipe import RecipeTrainer, _drawn, _schedule
from harness_plugins.residual import ResidualProjector, ResidualStudent
from harness_plugins.students import LinearProjector
from harness_plugins.transformer import TransformerProjector


def context(form, heads, train):
    """With queries to fit to, and the teacher that answers them."""
    return harness.BuildContext(form=form, train_queries=train, teacher=partial(formula, heads))


def trained(projector, heads, train, seed=0, **options):
    torch.manual_seed(seed)
    student = projector.build(heads, context("module", heads, train))
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
    wanted = context("module", heads, train)
    with torch.no_grad():
        residual = ResidualProjector().build(heads, wanted)(torch.tensor(held_out))
        linear = LinearProjector().build(heads, wanted)(torch.tensor(held_out))
    torch.testing.assert_close(residual, linear)


def test_a_short_training_beats_the_linear_student_on_held_out_queries(playbook):
    heads, train, held_out = playbook
    student, report = trained(
        ResidualProjector().with_options({"num_layers": 1}), heads, train, steps=60, batch_size=128, learning_rate=2e-3
    )
    wanted = formula(heads, held_out)
    with torch.no_grad():
        outputs = student(torch.tensor(held_out)).numpy()
        linear = LinearProjector().build(heads, context("numpy", heads, train))(held_out)
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
    """Validation that gets better once, then only worse, keeps what that look saw."""
    seen, told = [], iter([2.0, *map(float, range(1, 100))])

    def judged(student, parts, cosine_weight):
        seen.append(student.matrix.detach().clone())
        return next(told)

    monkeypatch.setattr(recipe, "validated", judged)
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    student, report = trained(projector, make_heads(5), queries, steps=40, batch_size=16)
    assert torch.equal(student.matrix, seen[1])
    assert report.notes == ("kept the weights after step 2 of 40",)


def test_where_no_step_helps_the_student_is_the_linear_one(make_heads, queries, monkeypatch):
    told = itertools.count(1)
    monkeypatch.setattr(recipe, "validated", lambda *_: float(next(told)))
    heads = make_heads(5)
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    student, report = trained(projector, heads, queries, steps=40, batch_size=16)
    assert report.notes == ("kept the weights after step 0 of 40",)
    linear = LinearProjector().build(heads, context("module", heads, queries))
    with torch.no_grad():
        torch.testing.assert_close(student(torch.tensor(queries)), linear(torch.tensor(queries)), rtol=0, atol=1e-5)


def test_nothing_is_fitted_to_what_validates(make_heads, queries, monkeypatch):
    """Neither drawn from nor in the closed form: other validation queries change nothing but which step is kept."""
    started = []

    class Noted(ResidualStudent):
        def start(self, queries, targets):
            started.append(queries.clone())
            super().start(queries, targets)

    monkeypatch.setattr(recipe, "validated", lambda *_: 1.0)
    monkeypatch.setattr("harness_plugins.residual.ResidualStudent", Noted)
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    trained(projector, make_heads(5), queries, steps=2, batch_size=16, validation=0.25)
    first, last = started
    assert [len(first), len(last)] == [30, 40]
    torch.manual_seed(0)
    order = torch.randperm(40)
    assert torch.equal(first, torch.tensor(queries)[order[10:]])


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_loss_on_validation_queries_that_is_no_number_is_told(make_heads, queries, monkeypatch, broken):
    monkeypatch.setattr(recipe, "validated", lambda *_: broken)
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    with pytest.raises(harness.TrainingError, match="the loss diverged in step 1 of 4"):
        trained(projector, make_heads(5), queries, steps=4, batch_size=16)


def test_a_validation_that_leaves_nothing_to_draw_from_is_refused(make_heads, queries):
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    with pytest.raises(
        harness.TrainingError,
        match=r"distillation-scaled: validation: 0\.97 holds back all 10 training queries, so none is left to draw "
        "from; lower validation",
    ):
        trained(projector, make_heads(5), queries[:10], steps=2, validation=0.97)


class Clock:
    """Each look at it takes a second."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 1.0
        return self.now


def test_a_training_ends_after_its_seconds_and_its_learning_rate_follows(make_heads, queries, monkeypatch):
    monkeypatch.setattr(recipe, "time", Clock())
    seen = []
    schedule = recipe._schedule
    monkeypatch.setattr(recipe, "_schedule", lambda progress, step: seen.append(progress) or schedule(progress, step))
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    student, report = trained(projector, make_heads(5), queries, steps=10**6, batch_size=16, seconds=100)
    assert 20 < report.steps < 100
    assert report.steps == len(seen)
    assert seen == sorted(seen)
    assert seen[-1] > 0.9
    assert report.notes[1] == "at most 100 s"
    assert 15 <= len(report.losses["loss"]) <= 20
    assert not student.training


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
    rates = [_schedule(step / 100, 0.01) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[100] == pytest.approx(0, abs=1e-12)
    assert _schedule(0.0, 1.0) == 1.0  # of a single step


@pytest.mark.parametrize("learning_rate", [1e3, 1e30])
def test_a_training_that_diverges_says_so(make_heads, queries, learning_rate):
    heads = make_heads(5)
    teacher = MultiHeadLDA(heads.centroids, heads.answers, 0.1)
    with pytest.raises(harness.TrainingError, match="queries of width 31 do not fit"):
        RecipeTrainer().fit(torch.nn.Linear(32, 24), teacher, torch.zeros(12, 31), harness.TrainContext())
    projector = ResidualProjector().with_options({"ff_dim": 8, "num_layers": 1})
    with pytest.raises(
        harness.TrainingError,
        match=r"the loss diverged in step 40 of 800: .* before the first step; lower learning_rate",
    ):
        trained(projector, heads, queries, learning_rate=learning_rate, batch_size=16)


@pytest.mark.parametrize("seed", [0, 1])
def test_ours_beats_the_linear_and_the_documented_student(make_heads, queries, seed):
    """Small heads and random queries, each in its own recipe; ours has fewer parameters."""
    heads = make_heads(12, temperature=0.2)
    held_out = np.random.default_rng(5).standard_normal((200, 32), dtype=np.float32)
    train = np.random.default_rng(6).standard_normal((300, 32), dtype=np.float32)
    wanted = formula(heads, held_out)
    teacher = MultiHeadLDA(heads.centroids, heads.answers, heads.temperature)
    torch.manual_seed(seed)
    documented = TransformerProjector().with_options({"ff_dim": 64}).build(
        heads, harness.BuildContext(form="module")
    )  # fmt: skip
    DistillationTrainer().fit(documented, teacher, torch.tensor(train), harness.TrainContext(seed=seed))
    ours, _ = trained(
        ResidualProjector().with_options({"ff_dim": 64}), heads, train, seed, steps=200, batch_size=128,
        learning_rate=5e-3,
    )  # fmt: skip
    linear = LinearProjector().build(heads, context("module", heads, train))
    asked = torch.tensor(held_out)
    with torch.no_grad():
        scores = {
            name: cosine(student.eval()(asked).numpy(), wanted)
            for name, student in (("ours", ours), ("linear", linear), ("documented", documented))
        }
    assert scores["ours"] > scores["linear"] + 0.01
    assert scores["ours"] > scores["documented"] + 0.01
    assert sum(p.numel() for p in ours.parameters()) <= sum(p.numel() for p in documented.parameters())


def test_every_weight_of_the_student_has_a_pace(make_heads):
    student = ResidualProjector().build(make_heads(18), harness.BuildContext(form="module"))
    moved = [parameter for parameters, _ in student.paces() for parameter in parameters]
    assert {id(parameter) for parameter in moved} == {id(parameter) for parameter in student.parameters()}
    assert len(moved) == len(list(student.parameters()))
