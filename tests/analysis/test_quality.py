"""Fidelity in words: trivial students, thresholds, and crossovers that count only where the challenger is right."""

from __future__ import annotations

import pytest

from harness.analysis.location import Crossing, Location
from harness.analysis.quality import constrain, remarks, rows
from harness.records.measurement import Failure, Fidelity
from harness.suite.schema import Requires, Suite
from tests.synthetic import SUITE, Maker

STUDENTS = SUITE | {
    "contenders": {
        **SUITE["contenders"],
        "linear": {"projector": "linear", "runtime": "eager"},
        "constant": {"projector": "constant", "runtime": "eager"},
        "second": {"projector": "transformer", "runtime": "eager", "trainer": {"use": "distillation"}},
    },
    "documented": {**SUITE["documented"], "fidelity": {"mean_cosine": 0.99, "min_cosine": 0.98, "std_cosine": 0.01}},
}


def table(*scored):
    maker = Maker(STUDENTS)
    for name, heads, temperature, seed, scores in scored:
        maker.score(name, heads, temperature, seed, **scores)
    return rows(maker.fidelities, Suite.model_validate(STUDENTS))


def test_a_constant_that_looks_good_is_told():
    found = remarks(table(("student", 18, 1.0, 0, {"mean_cosine": 0.9896, "constant_cosine": 0.995})))
    assert found[0] == (
        "at N = 18 and T = 1, where the teacher weighs 17.6 of its 18 heads, a constant (the mean teacher output) "
        "reaches a mean cosine of 0.9950: a high cosine says nothing there"
    )
    assert found[1] == (
        "at N = 18 and T = 1 the trained student (mean cosine 0.9896) does not beat a constant (0.9950)"
    )


def test_a_student_that_loses_to_a_linear_map_is_told():
    found = remarks(
        table(
            ("student", 18, 0.1, 0, {"mean_cosine": 0.88, "constant_cosine": 0.55}),
            ("linear", 18, 0.1, 0, {"mean_cosine": 0.943, "constant_cosine": 0.55}),
            ("constant", 18, 0.1, 0, {"mean_cosine": 0.55, "constant_cosine": 0.55}),
        )
    )
    assert found == ("at N = 18 and T = 0.1 the trained student (mean cosine 0.8800) does not beat linear (0.9430)",)


def test_students_that_lose_to_the_same_ones_share_a_sentence():
    found = remarks(
        table(
            ("student", 18, 0.1, 0, {"mean_cosine": 0.40, "constant_cosine": 0.55}),
            ("second", 18, 0.1, 0, {"mean_cosine": 0.50, "constant_cosine": 0.55}),
            ("linear", 18, 0.1, 0, {"mean_cosine": 0.943, "constant_cosine": 0.55}),
            ("constant", 18, 0.1, 0, {"mean_cosine": 0.55, "constant_cosine": 0.55}),
        )
    )
    sentence = (
        "at N = 18 and T = 0.1 none of the trained students beats linear (0.9430) or constant (0.5500) by mean cosine"
    )
    assert found == (f"{sentence}: student (0.4000), second (0.5000)",)


def test_a_constant_under_another_name_is_not_told_twice():
    (found,) = remarks(
        table(
            ("student", 18, 0.1, 0, {"mean_cosine": 0.40, "constant_cosine": 0.55}),
            ("linear", 18, 0.1, 0, {"mean_cosine": 0.55001, "constant_cosine": 0.55}),
        )
    )
    assert found == "at N = 18 and T = 0.1 the trained student (mean cosine 0.4000) does not beat linear (0.5500)"


def test_a_student_that_beats_them_all_is_left_alone():
    assert remarks(table(("student", 18, 0.1, 0, {"mean_cosine": 0.96, "constant_cosine": 0.55}))) == ()


def test_seeds_are_averaged_and_their_spread_is_kept():
    (row,) = table(*(("student", 18, 1.0, seed, {"mean_cosine": 0.98 + 0.01 * seed}) for seed in range(3)))
    assert row.seeds == 3
    assert row.scores["mean_cosine"] == pytest.approx(0.99)
    assert row.spread["mean_cosine"] == pytest.approx((0.98, 1.0))


def test_documented_thresholds_pass_or_miss():
    (row,) = table(("student", 18, 1.0, 0, {"mean_cosine": 0.9928, "min_cosine": 0.97, "std_cosine": 0.0027}))
    assert row.thresholds == {"mean_cosine": True, "min_cosine": False, "std_cosine": True}


CROSSING = Location("crossing", (Crossing(6412, 6100, 6700, "challenger", 0.95, "smooth"),), 400, (), (), 18, 65536)


def scored(**top1):
    return [
        Fidelity(contender="student", heads=int(name[1:]), temperature=0.1, seed=0, scores={"top1_agreement": value})
        for name, value in top1.items()
    ]


@pytest.mark.parametrize(
    ("scores", "counts_from", "sentence"),
    [
        ({"n6412": 0.97, "n16384": 0.98}, 6412, "student is faster and equivalent from N = 6,412 on"),
        (
            {"n6412": 0.71, "n16384": 0.96},
            16384,
            (
                "student is faster from N = 6,412, but not equivalent there: top1_agreement 0.71 < 0.95; "
                "both hold from N = 16,384 on"
            ),
        ),
        (
            {"n6412": 0.71, "n16384": 0.80},
            None,
            (
                "student is faster from N = 6,412, but not equivalent there: top1_agreement 0.71 < 0.95; "
                "both hold at no N up to 16,384"
            ),
        ),
        (
            {"n6412": 0.97, "n16384": 0.80},
            None,
            (
                "student is faster from N = 6,412, but not equivalent there: top1_agreement 0.80 < 0.95; "
                "both hold at no N up to 16,384"
            ),
        ),
        ({}, None, "student is faster from N = 6,412, but whether it is equivalent there was not measured"),
        ({"n18": 0.99}, None, "student is faster from N = 6,412, but whether it is equivalent there was not measured"),
    ],
)
def test_a_crossover_counts_where_the_student_is_also_right(scores, counts_from, sentence):
    found = constrain(Requires(top1_agreement=0.95), CROSSING, scored(**scores), "student")
    assert (found.faster_from, found.counts_from) == (6412, counts_from)
    assert found.sentence == sentence


def test_every_training_seed_must_be_right():
    both = [*scored(n6412=0.97), *scored(n6412=0.90)]
    assert constrain(Requires(top1_agreement=0.95), CROSSING, both, "student").counts_from is None


def test_a_training_that_failed_is_not_right():
    broken = Fidelity(
        contender="student",
        heads=6412,
        temperature=0.1,
        seed=0,
        scores={},
        failure=Failure(stage="train", what="loss is NaN"),
    )
    found = constrain(Requires(cosine=0.9), CROSSING, [broken], "student")
    assert "training failed: loss is NaN" in found.sentence


def test_a_challenger_that_leads_throughout_is_judged_from_the_low_end():
    below = Location("below", (), 100, (), (), 18, 65536)
    found = constrain(Requires(top1_agreement=0.9), below, scored(n18=0.95, n1024=0.99), "student")
    assert (found.faster_from, found.counts_from) == (18, 18)


def test_there_is_nothing_to_constrain_without_a_lead():
    above = Location("above", (), 100, (), (), 18, 65536)
    assert constrain(Requires(cosine=0.9), above, scored(n18=0.95), "student").sentence == ""
