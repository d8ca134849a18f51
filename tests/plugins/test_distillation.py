from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import harness
from harness_plugins import distillation
from harness_plugins.distillation import (
    DistillationTrainer,
    distillation_losses,
    evaluate_distillation,
    train_distillation,
)
from harness_plugins.lda import MultiHeadLDA
from harness_plugins.transformer import ProjectionTransformer


@pytest.fixture
def teacher(make_heads):
    heads = make_heads(6, output_width=8)
    return MultiHeadLDA(heads.centroids, heads.answers, 0.5)


@pytest.fixture
def data(queries):
    return torch.from_numpy(queries)


def student(seed=0, **options):
    torch.manual_seed(seed)
    return ProjectionTransformer(32, 4, 1, 16, output_dim=8, **options)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_training_lowers_every_loss(teacher, data, batch_size):
    history = train_distillation(student(), teacher, data, 40, learning_rate=1e-3, batch_size=batch_size, seed=1)
    assert set(history) == {"loss", "mse", "cosine"}
    assert all(len(values) == 40 for values in history.values())
    for values in history.values():
        assert values[-1] < 0.8 * values[0]


def test_the_losses_are_the_documented_ones():
    outputs, targets = torch.randn(4, 5), torch.randn(4, 5)
    loss, mse, cosine = distillation_losses(outputs, targets, 0.7)
    by_hand = [1 - float(o @ t / (o.norm() * t.norm())) for o, t in zip(outputs, targets, strict=True)]
    assert float(mse) == pytest.approx(float(((outputs - targets) ** 2).mean()))
    assert float(cosine) == pytest.approx(sum(by_hand) / 4, abs=1e-6)
    assert float(loss) == pytest.approx(0.3 * float(mse) + 0.7 * float(cosine))


def test_one_step_is_the_documented_one(teacher, data):
    ours, plain = student(dropout=0.0), student(dropout=0.0)
    train_distillation(ours, teacher, data, 3)
    optimizer = torch.optim.AdamW(plain.parameters(), lr=1e-4)
    for _ in range(3):
        optimizer.zero_grad()
        distillation_losses(plain(data), teacher(data), 0.7)[0].backward()
        optimizer.step()
    # Outputs, not weights: queries and keys have no gradient but rounding, whose sign AdamW makes into steps.
    torch.testing.assert_close(ours.eval()(data), plain.eval()(data), atol=1e-5, rtol=1e-4)


def test_training_twice_with_one_seed_gives_the_same(teacher, data):
    trained = []
    for seed in (5, 5, 6):
        trained.append(student())
        train_distillation(trained[-1], teacher, data, 4, batch_size=8, seed=seed)
    states = [torch.cat([p.flatten() for p in s.parameters()]) for s in trained]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_the_teacher_is_called_once(teacher, data):
    calls = itertools.count()

    def counted(batch):
        next(calls)
        return teacher(batch)

    train_distillation(student(), counted, data, 5, batch_size=4)
    assert next(calls) == 1


def test_progress_is_told_after_each_epoch(teacher, data):
    told = []
    history = train_distillation(student(), teacher, data, 3, on_progress=lambda *args: told.append(args))
    assert [(epoch, epochs) for epoch, epochs, _ in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[2][2]["loss"] == history["loss"][2]


@pytest.mark.parametrize("batch_size", [None, 4])
def test_a_training_that_diverges_names_the_epoch(teacher, data, batch_size):
    with pytest.raises(harness.TrainingError, match=r"the loss diverged in epoch \d+ of 200: .*; lower learning_rate"):
        train_distillation(student(), teacher, data, 200, learning_rate=1e3, batch_size=batch_size)


def test_what_diverges_within_the_first_epoch_is_measured_by_the_untrained_student(teacher, data):
    torch.manual_seed(3)
    linear = torch.nn.Linear(32, 8)
    with torch.no_grad():
        untrained = float(distillation_losses(linear(data), teacher(data), 0.7)[0])
    with pytest.raises(
        harness.TrainingError, match=r"the loss diverged in epoch 1 of 2: .* before the first step"
    ) as e:
        train_distillation(linear, teacher, data, 2, learning_rate=1e3, batch_size=4, seed=0)
    yardstick = float(str(e.value).split(" after ")[1].split()[0])
    assert yardstick == pytest.approx(untrained, rel=0.5)


class Clock:
    """Each look at it takes a second."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        self.now += 1.0
        return self.now


@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_training_ends_after_its_seconds(teacher, data, batch_size, monkeypatch):
    monkeypatch.setattr(distillation, "time", Clock())
    trainer = DistillationTrainer().with_options({"epochs": 1000, "batch_size": batch_size, "seconds": 12.5})
    report = trainer.fit(student(), teacher, data, harness.TrainContext())
    assert 5 < report.steps < 13
    assert report.notes == (f"{len(report.losses['loss'])} of 1000 epochs, at most 12.5 s",)
    if batch_size is None:
        assert report.steps == len(report.losses["loss"])
    else:
        assert len(report.losses["loss"]) == -(-report.steps // 5)  # 40 queries: the last epoch may be a part


def test_seconds_are_positive(teacher, data):
    with pytest.raises(ValueError, match="seconds must be positive, not 0"):
        train_distillation(student(), teacher, data, seconds=0)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_queries_that_are_not_numbers_name_the_row(teacher, data, broken):
    data = data.clone()
    data[3, 4] = broken
    with pytest.raises(harness.TrainingError, match="query 3 holds NaN or infinity; embed it again"):
        train_distillation(student(), teacher, data)


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((0, 32), r"the queries have shape \[0, 32\]; give a matrix"),
        ((32,), r"the queries have shape \[32\]"),
        ((3, 31), "queries of width 31 do not fit the teacher or the student"),
    ],
)
def test_queries_of_a_wrong_shape_are_refused(teacher, shape, sentence):
    with pytest.raises(harness.TrainingError, match=sentence):
        train_distillation(student(), teacher, torch.zeros(shape))


def test_a_student_of_another_width_is_refused(teacher, data):
    with pytest.raises(harness.TrainingError, match="the student's projections have width 32, the teacher's 8; build"):
        train_distillation(ProjectionTransformer(32, 4, 1, 16), teacher, data)


@pytest.mark.parametrize(
    "wrong", [{"cosine_weight": 1.5}, {"num_epochs": 0}, {"batch_size": 0}, {"learning_rate": 0.0}]
)
def test_parameters_out_of_range_are_refused(teacher, data, wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        train_distillation(student(), teacher, data, **wrong)


def test_evaluation_has_the_documented_keys(teacher, data):
    fitted = student().train()
    metrics = evaluate_distillation(fitted, teacher, data)
    assert fitted.training
    with torch.no_grad():
        outputs, targets = fitted.eval()(data).numpy(), teacher(data).numpy()
    cosines = (outputs * targets).sum(1) / np.linalg.norm(outputs, axis=1) / np.linalg.norm(targets, axis=1)
    wanted = {
        "mean_cosine": cosines.mean(), "min_cosine": cosines.min(), "max_cosine": cosines.max(),
        "std_cosine": cosines.std(ddof=1),
    }  # fmt: skip
    assert metrics == pytest.approx(wanted, abs=1e-5)


def test_one_test_query_has_no_spread(teacher, data):
    assert evaluate_distillation(student(), teacher, data[:1])["std_cosine"] == 0.0


def test_the_trainer_reports_what_it_did(teacher, data):
    trainer = DistillationTrainer().with_options({"epochs": 3, "batch_size": 16})
    report = trainer.fit(student(), teacher, data, harness.TrainContext(seed=2))
    assert report.steps == 9
    assert len(report.losses["loss"]) == 3
    assert report.seconds > 0
    assert report.notes == ("3 of 3 epochs",)
