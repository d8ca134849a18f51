"""Whether a contender is known to be right, and what is asked of it."""

from __future__ import annotations

import math

import pytest

from harness.analysis.advice.correctness import Correctness, checked, misses, parsed, rightness
from harness.analysis.summary import summarise
from harness.errors import UserError
from harness.records.measurement import Parity
from tests.synthetic import Maker


def scored(worst=None, **scores):
    return Correctness(kind="scored", scores=scores, worst=worst or scores, scored_at=18, seeds=1)


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"skill": 0.5}, ""),
        ({"skill": 1e-4}, "by its scores no better than a constant, skill 0.00"),
        ({"skill": 1.1e-4}, ""),
        ({"skill": -0.001}, "by its scores no better than a constant, skill 0.00"),
        ({"skill": -0.5}, "by its scores no better than a constant, skill -0.50"),
        ({"mean_cosine": 0.95, "constant_cosine": 0.9}, ""),  # 1 - 0.05 / 0.1 = 0.5
        ({"mean_cosine": 0.85, "constant_cosine": 0.9}, "by its scores no better than a constant, skill -0.50"),
        ({"mean_cosine": 0.85, "constant_cosine": 1.0}, ""),  # a constant is right: nothing can be better
        ({"constant_cosine": 0.9}, ""),
        ({}, ""),
    ],
)
def test_scores_speak_for_it_where_they_beat_a_constant(scores, said):
    assert scored(**scores).no_better_than_constant == said


def test_scores_in_words_with_the_worst_of_several_seeds():
    found = scored(mean_cosine=0.97, top1_agreement=0.9, norm_error=0.1)
    assert found.describe() == "mean cosine 0.970, top-1 agreement 0.900"
    several = Correctness(kind="scored", scores={"skill": 0.5}, worst={"skill": 0.25}, seeds=3)
    assert several.describe() == "skill 0.500 (0.250 with the worst of 3 seeds)"


def summary(tolerance=1e-4, against="formula", student="formula"):
    maker = Maker().table(launches=2)
    maker.measurements = [
        each.model_copy(
            update={
                "parity": Parity(
                    error=1e-6, tolerance=tolerance, against=student if each.contender == "student" else against
                )
            }
        )
        for each in maker.measurements
    ]
    maker.score("student", 18, seed=0, mean_cosine=0.9, std_cosine=0.1).score(
        "student", 18, seed=1, mean_cosine=0.8, std_cosine=0.3
    )
    maker.score("student", 1024, mean_cosine=0.5)
    return summarise(maker.evidence())


@pytest.mark.parametrize(
    ("tolerance", "against", "kind"),
    [
        (1e-3, "formula", "exact"),
        (1e-3, None, "exact"),
        (1.1e-3, "formula", "unscored"),
        (1e-4, "itself", "unscored"),
        (1e-4, "float64", "unscored"),
    ],
)
def test_exact_is_who_computes_the_teacher_and_was_proved_against_a_formula(tolerance, against, kind):
    found = rightness(summary(tolerance, against), "loop", 18)
    assert (found.kind, found.error) == (kind, 1e-6)


@pytest.mark.parametrize(("heads", "at"), [(1, 18), (18, 18), (135, 18), (137, 1024), (10**6, 1024)])
def test_scores_are_those_of_the_nearest_n_on_a_logarithmic_scale(heads, at):
    """The middle between 18 and 1,024 is 135.8."""
    found = rightness(summary(), "student", heads)
    assert (found.kind, found.scored_at) == ("scored", at)


def test_the_worst_seed_is_the_lowest_score_and_the_widest_spread():
    found = rightness(summary(), "student", 18)
    assert (found.seeds, found.scores["mean_cosine"]) == (2, pytest.approx(0.85))
    assert (found.worst["mean_cosine"], found.worst["std_cosine"]) == (0.8, 0.3)
    assert found.training_seconds is not None
    assert rightness(summary(), "student-eager", 18).kind == "unscored"


def test_what_it_misses_is_named_with_the_bound():
    found = Correctness(
        kind="scored",
        scores={"mean_cosine": 0.9, "norm_error": 0.2},
        worst={"mean_cosine": 0.9, "norm_error": 0.2},
        scored_at=18,
    )
    assert list(misses(found, {"cosine": 0.9, "norm_error": 0.2}, 18)) == []
    assert list(misses(found, {"cosine": 0.95, "norm_error": 0.1}, 18)) == [
        "cosine is 0.90 < 0.95",
        "norm_error is 0.20 > 0.1",
    ]
    assert list(misses(found, {"cosine": 0.901}, 64)) == ["cosine is 0.90 < 0.901 at N = 18"]
    assert list(misses(found, {"skill": 0.5}, 18)) == ["skill was not measured"]
    assert list(misses(Correctness(kind="exact"), {"cosine": 1.0}, 18)) == []


def test_a_value_that_rounds_to_its_bound_is_given_more_digits():
    assert list(misses(scored(skill=0.4996), {"skill": 0.5}, 18)) == ["skill is 0.4996 < 0.5"]
    assert list(misses(scored(skill=0.499996), {"skill": 0.5}, 18)) == ["skill is 0.499996 < 0.5"]


def test_a_training_that_failed_misses_everything():
    found = Correctness(kind="unscored", failed="it diverged", scored_at=1024)
    assert list(misses(found, {"skill": 0.5}, 18)) == ["training failed at N = 1,024: it diverged"]
    partly = Correctness(
        kind="scored", scores={"skill": 0.4}, worst={"skill": 0.3}, scored_at=18, seeds=2, failed="seed 1 diverged"
    )
    assert list(misses(partly, {"skill": 0.5}, 18)) == [
        "training failed at N = 18: seed 1 diverged", "skill is 0.30 < 0.5 with the worst of 2 seeds",
    ]  # fmt: skip


def test_requirements_are_read():
    assert parsed(["top1_agreement = 0.95", "norm_error=0.1"]) == {"top1_agreement": 0.95, "norm_error": 0.1}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("skill", "--require 'skill' is not a score and a number, `=` is missing; write SCORE=VALUE"),
        ("skill=much", "--require 'skill=much' is not a score and a number; write SCORE=VALUE"),
        ("skil=0.5", "unknown score 'skil'; did you mean 'skill'?"),
        ("top1=0.5", "unknown score 'top1'; did you mean 'top1_agreement'?"),
        ("skill=nan", "skill cannot be required to be nan; give a number"),
        ("norm_error=-0.1", "norm_error cannot be required to be -0.1; give a number"),
        ("top1_agreement=1.5", "top1_agreement cannot be required to be 1.5: must be at most 1"),
    ],
)
def test_requirements_that_make_no_sense_are_refused(text, sentence):
    with pytest.raises(UserError) as caught:
        parsed([text])
    assert str(caught.value).startswith(sentence)


def test_an_error_may_be_required_to_be_nothing():
    assert checked({"norm_error": 0.0}) == {"norm_error": 0.0}
    with pytest.raises(UserError):
        checked({"norm_error": math.inf})
