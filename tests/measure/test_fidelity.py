"""Fidelity: scores that say what they should on students whose worth is known."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ContenderError, DataError
from harness.measure import fidelity


@pytest.fixture
def world():
    generator = np.random.default_rng(1)
    answers = generator.standard_normal((40, 16))
    queries = generator.standard_normal((200, 16))
    shares = fidelity.weights(queries, generator.standard_normal((40, 16)), 0.1)
    return answers, shares @ answers, generator


def test_the_teacher_itself_is_perfect(world):
    answers, teacher, _ = world
    scores = fidelity.score(teacher, teacher, answers, teacher.mean(axis=0))
    assert scores["mean_cosine"] == pytest.approx(1.0)
    assert scores["skill"] == pytest.approx(1.0)
    assert scores["norm_error"] == pytest.approx(0.0, abs=1e-12)
    assert scores["top1_agreement"] == scores["recall_at_10"] == 1.0


def test_the_constant_has_no_skill(world):
    answers, teacher, _ = world
    constant = teacher.mean(axis=0)
    found = fidelity.measure(np.tile(constant, (len(teacher), 1)), teacher, answers, constant)
    assert found.scores["skill"] == pytest.approx(0.0, abs=1e-12)
    assert found.scores["mean_cosine"] == pytest.approx(found.scores["constant_cosine"])
    assert found.scores["top1_agreement"] < 0.3


def test_a_wrong_norm_is_told_although_the_direction_is_right(world):
    answers, teacher, _ = world
    scores = fidelity.score(13.6 * teacher, teacher, answers)
    assert scores["mean_cosine"] == pytest.approx(1.0)
    assert scores["norm_error"] == pytest.approx(12.6)
    assert scores["norm_ratio"] == pytest.approx(13.6)
    assert "skill" not in scores


def test_moments_agree_with_numpy(world):
    answers, teacher, generator = world
    student = teacher + 0.3 * generator.standard_normal(teacher.shape)
    cosine = (student * teacher).sum(1) / np.linalg.norm(student, axis=1) / np.linalg.norm(teacher, axis=1)
    scores = fidelity.score(student, teacher, answers)
    assert scores["mean_cosine"] == pytest.approx(cosine.mean())
    assert scores["std_cosine"] == pytest.approx(cosine.std())
    assert (scores["min_cosine"], scores["max_cosine"]) == pytest.approx((cosine.min(), cosine.max()))


def test_recall_counts_the_overlap():
    answers = np.eye(4)
    teacher = np.array([[4.0, 3.0, 2.0, 1.0]])
    student = np.array([[4.0, 1.0, 2.0, 3.0]])
    scores = fidelity.score(student, teacher, answers, recall_at=(1, 2, 3, 4))
    assert scores["recall_at_1"] == 1.0
    assert scores["recall_at_2"] == 0.5
    assert scores["recall_at_3"] == pytest.approx(2 / 3)
    assert "recall_at_4" not in scores  # all of the heads: nothing could be missed


def test_the_bootstrap_interval_covers_the_mean_over_more_queries(world):
    answers, teacher, generator = world
    student = teacher + 0.5 * generator.standard_normal(teacher.shape)
    truth = fidelity.score(student, teacher, answers)["mean_cosine"]
    hits = 0
    for seed in range(60):
        rows = np.random.default_rng(seed).integers(0, len(teacher), 60)
        low, high = fidelity.measure(student[rows], teacher[rows], answers, seed=seed).intervals["mean_cosine"]
        hits += low <= truth <= high
    assert hits >= 52  # 95 % of 60 is 57; four standard deviations below


def test_effective_heads_runs_from_one_to_all():
    assert fidelity.effective_heads(np.full((3, 18), 1 / 18)) == pytest.approx(18.0)
    assert fidelity.effective_heads(np.eye(5)) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("student", "teacher", "sentence"),
    [
        (
            np.ones((2, 3)),
            np.ones((2, 4)),
            "the student's outputs have shape (2, 3) and the teacher's (2, 4), not both [Q, K]",
        ),
        (
            np.ones((0, 4)),
            np.ones((0, 4)),
            "there are no held-out queries to score on; keep some queries out of training",
        ),
        (np.ones((2, 4)), np.zeros((2, 4)), "the teacher's output is zero or not finite for some held-out queries"),
    ],
)
def test_unusable_data_is_told(student, teacher, sentence):
    with pytest.raises(DataError) as caught:
        fidelity.score(student, teacher, np.ones((5, 4)))
    assert str(caught.value) == sentence


def test_a_student_that_answers_nan_is_told():
    student = np.ones((3, 4))
    student[1, 2] = np.nan
    with pytest.raises(ContenderError, match="the student's output is not finite for 1 of 3 held-out queries"):
        fidelity.score(student, np.ones((3, 4)), np.ones((5, 4)))


def test_one_query_has_a_score_and_neither_an_interval_nor_a_spread(world):
    answers, teacher, generator = world
    student = teacher + generator.standard_normal(teacher.shape)
    one, two = (fidelity.measure(student[:n], teacher[:n], answers, teacher.mean(axis=0)) for n in (1, 2))
    assert one.intervals == {}
    assert one.queries == 1
    assert one.scores["mean_cosine"] == one.scores["min_cosine"] == one.scores["max_cosine"]
    assert set(two.scores) - set(one.scores) == {"std_cosine"}
    assert "mean_cosine" in two.intervals
