"""Fidelity in words: trivial students, thresholds, seeds, and what one option of a projector changes."""

from __future__ import annotations

import math

import pytest

from harness.analysis.fidelity import table as table_module
from harness.analysis.fidelity.ablation import ablations
from harness.analysis.fidelity.table import half_width_over_seeds, remarks, rows
from harness.process.failure import Failure
from harness.records.measurement import Fidelity
from harness.suite.schema import Suite
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
    return rows(maker.fidelities, maker.suite)


def test_a_constant_that_looks_good_is_told():
    found = remarks(table(("student", 18, 1.0, 0, {"mean_cosine": 0.9896, "constant_cosine": 0.995})))
    assert found[0] == (
        "at N = 18 and T = 1, where the teacher weighs 17.6 of its 18 heads, a constant (the mean teacher output) "
        "reaches a mean cosine of 0.9950: cosine is not informative there"
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


def test_a_student_is_not_held_against_the_teacher_itself():
    found = table(
        ("student", 18, 0.1, 0, {"mean_cosine": 0.96, "constant_cosine": 0.55}),
        ("teacher", 18, 0.1, 0, {"mean_cosine": 0.9999, "constant_cosine": 0.55}),  # in a runtime with fewer bits
    )
    assert [row.teacher for row in found] == [True, False]
    assert remarks(found) == ()


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


def test_cosines_that_look_alike_are_told_apart():
    (about,) = remarks(
        table(
            ("student", 18, 1.0, 0, {"mean_cosine": 0.99991, "constant_cosine": 0.9}),
            ("linear", 18, 1.0, 0, {"mean_cosine": 0.99993, "constant_cosine": 0.9}),
        )
    )
    sentence = "at N = 18 and T = 1 the trained student (mean cosine 0.99991) does not beat linear (0.99993)"
    assert about == sentence


def test_a_student_that_wins_by_cosine_and_loses_by_rankings_is_told():
    found = remarks(
        table(
            ("student", 256, 0.1, 0, {"mean_cosine": 0.967, "top1_agreement": 0.643, "recall_at_10": 0.86}),
            ("linear", 256, 0.1, 0, {"mean_cosine": 0.865, "top1_agreement": 0.742, "recall_at_10": 0.76}),
        )
    )
    assert found == (
        (
            "at N = 256 and T = 0.1 the ranking depends on the score: by top-1 agreement linear (0.742) is better than "
            "student (0.643), though its mean cosine is lower"
        ),
    )


def test_a_student_that_loses_by_cosine_and_wins_by_recall_is_told():
    found = remarks(
        table(
            ("student", 64, 0.1, 0, {"mean_cosine": 0.70, "recall_at_10": 0.72}),
            ("linear", 64, 0.1, 0, {"mean_cosine": 0.87, "recall_at_10": 0.67}),
        )
    )
    assert found[1:] == (
        (
            "at N = 64 and T = 0.1 the ranking depends on the score: by recall@10 linear (0.670) is worse than "
            "student (0.720), though its mean cosine is higher"
        ),
    )


def test_less_than_a_query_is_no_other_order():
    found = remarks(
        table(
            ("student", 256, 0.1, 0, {"mean_cosine": 0.967, "top1_agreement": 0.740}),
            ("linear", 256, 0.1, 0, {"mean_cosine": 0.865, "top1_agreement": 0.742}),  # of 72 queries
        )
    )
    assert found == ()


def test_a_row_says_how_many_of_its_seeds_were_trained():
    maker = Maker(STUDENTS).score("student", 18, seed=0, mean_cosine=0.9).score("student", 18, seed=1, mean_cosine=0.8)
    broken = Fidelity(
        contender="student", heads=18, temperature=1.0, seed=2, scores={},
        failure=Failure(stage="train", what="the loss is NaN in epoch 3"),
    )  # fmt: skip
    (row,) = rows([*maker.fidelities, broken], Suite.model_validate(STUDENTS))
    assert (row.seeds, row.asked_seeds, row.failure) == (2, 3, "the loss is NaN in epoch 3")
    assert row.scores["mean_cosine"] == pytest.approx(0.85)


def sized(scores):
    """Sentences about transformers whose options differ, from scores by (heads, layers) and N."""
    contenders = {
        f"H{h}-L{n}": {
            "projector": "transformer",
            "runtime": "eager",
            "options": {"num_heads": h, "num_layers": n},
            "trainer": {"use": "distillation"},
        }
        for h, n in scores
    }
    suite = {**SUITE, "contenders": {**SUITE["contenders"], **contenders}}
    maker = Maker(suite)
    for (h, n), by_size in scores.items():
        for size, cosine in by_size.items():
            maker.score(f"H{h}-L{n}", size, 0.1, mean_cosine=cosine)
    parsed = Suite.model_validate(suite)
    return ablations(rows(maker.fidelities, parsed), parsed)


COSINES = {
    1: {16: 0.915, 64: 0.706, 256: 0.682},
    2: {16: 0.932, 64: 0.724, 256: 0.700},
    3: {16: 0.94, 64: 0.73, 256: 0.71},
}


def test_an_option_that_makes_no_difference_and_one_that_does():
    found = sized({(h, n): COSINES[n] for h in (1, 4) for n in (1, 2, 3)})
    assert found == (
        (
            "num_heads makes no difference to transformer: at N = 16, 64, 256 contenders that differ in it alone "
            "(1, 4) have the same scores to the last digit"
        ),
        (
            "the largest gain of transformer in mean cosine by one more num_layers is from 1 to 2 (+0.0170) at N = 16, "
            "from 1 to 2 (+0.0180) at N = 64, from 1 to 2 (+0.0180) at N = 256: "
            "at the same value for every N"
        ),
    )


def test_a_gain_that_moves_with_n_is_told():
    moved = {1: {16: 0.5, 256: 0.5}, 2: {16: 0.9, 256: 0.55}, 3: {16: 0.91, 256: 0.9}}
    (about,) = sized({(4, n): moved[n] for n in (1, 2, 3)})
    assert about.endswith(
        "from 1 to 2 (+0.4000) at N = 16, from 2 to 3 (+0.3500) at N = 256: not at the same value for every N"
    )


def test_an_option_that_makes_a_difference_somewhere_is_not_called_idle():
    assert sized({(1, 1): {16: 0.9, 64: 0.7}, (4, 1): {16: 0.9, 64: 0.71}}) == ()


def test_what_differs_by_less_than_training_seeds_do_is_no_difference_either():
    """Where training amplifies its rounding, two that compute the same end apart, as two seeds do."""
    contenders = {
        f"H{h}": {
            "projector": "transformer",
            "runtime": "eager",
            "options": {"num_heads": h},
            "trainer": {"use": "distillation"},
        }
        for h in (1, 4)
    }
    suite = {**SUITE, "contenders": {**SUITE["contenders"], **contenders}}
    maker = Maker(suite)
    for seed in range(3):
        maker.score("H1", 16, 0.1, seed, mean_cosine=0.97 + 0.01 * seed)
        maker.score("H4", 16, 0.1, seed, mean_cosine=0.972 + 0.01 * seed)
        for name in contenders:
            maker.score(name, 64, 0.1, seed, mean_cosine=0.98)
    parsed = Suite.model_validate(suite)
    assert ablations(rows(maker.fidelities, parsed), parsed) == (
        (
            "num_heads makes no difference to transformer: at N = 64 contenders that differ in it alone (1, 4) have "
            "the same scores to the last digit; at N = 16 some differ by up to 0.0020, where training seeds differ by "
            "0.0200: training amplifies its rounding there"
        ),
    )


def test_seeds_and_queries_add_as_squares_by_hand():
    """1, 2, 3: t(0.975, 2) = 4.3027 times 1 over the root of 3 is 2.4842."""
    assert half_width_over_seeds([1.0, 2.0, 3.0]) == pytest.approx(2.4842, abs=1e-4)
    assert half_width_over_seeds([5.0, 5.0]) == 0.0
    assert half_width_over_seeds([5.0]) == 0.0
    # each seed's queries reach from 0.2 below it to 0.3 above it
    ends = [(value - 0.2, value + 0.3) for value in (1.0, 2.0, 3.0)]
    low, high = table_module._interval("unbounded", [1.0, 2.0, 3.0], ends)
    assert low == pytest.approx(2 - math.hypot(0.2, 2.4842), abs=1e-4)
    assert high == pytest.approx(2 + math.hypot(0.3, 2.4842), abs=1e-4)
