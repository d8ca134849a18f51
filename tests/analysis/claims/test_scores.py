"""Documented scores beside ours, judged by hand."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest

from harness.analysis.claims.scores import compare_scores
from harness.suite.schema import Suite
from tests.synthetic import SUITE


def row(value=0.95, contender="student", heads=18, temperature=0.1, seeds=1, **more):
    scores = {} if value is None else {"mean_cosine": value}
    return SimpleNamespace(
        contender=contender, heads=heads, temperature=temperature, seeds=seeds, scores=scores,
        spread=more.get("spread", {}), over_queries=more.get("over_queries", {}), failure=more.get("failure", ""),
    )  # fmt: skip


def judged(*rows, scores=None, **whose):
    text = copy.deepcopy(SUITE)
    about = whose or {"contender": "student"}
    figure = {"heads": 18, "temperature": 0.1, "scores": scores or {"mean_cosine": 0.9}, **about}
    text["documented"] = {"source": "a document", "scores": [figure]}
    return compare_scores(Suite.model_validate(text), rows)


OVER = {"over_queries": {"mean_cosine": (0.93, 0.97)}}
SEEDS = {"spread": {"mean_cosine": (0.85, 0.96)}, "seeds": 3}
QUERIES = "measured 0.9500 (0.9300 to 0.9700 over held-out queries)"
ABSENT = "it was not measured at N = 18 and T = 0.1"
FAILED = row(None, failure="it diverged")


@pytest.mark.parametrize(
    ("table", "scores", "verdict", "why"),
    [
        (row(**SEEDS), [0.9], "reproduced", "measured 0.9500 (0.8500 to 0.9600 over 3 training seeds)"),
        (row(**OVER), [0.905], "not reproduced", f"{QUERIES}, which lies above it"),
        (row(**OVER), [0.99], "not reproduced", f"{QUERIES}, which lies below it"),
        (row(**OVER), [0.905, 0.05], "reproduced", f"{QUERIES}, within the documented spread"),
        (
            row(**OVER, **SEEDS), [0.9], "reproduced",
            "measured 0.9500 (0.8500 to 0.9700 over 3 training seeds and held-out queries)",
        ),
        (row(), [0.9], "not comparable here", "measured 0.9500 with one training seed, so without a range"),
        (FAILED, [0.9], "not comparable here", f"{ABSENT}: it diverged"),
        (row(heads=64, **SEEDS), [0.9], "not comparable here", ABSENT),
        (row(contender="teacher", **SEEDS), [0.9], "not comparable here", ABSENT),
    ],
)  # fmt: skip
def test_a_score_is_reproduced_where_a_range_holds_it(table, scores, verdict, why):
    found = judged(table, scores=dict(zip(("mean_cosine", "std_cosine"), scores, strict=False)))[0]
    assert (found.verdict, found.why) == (verdict, why)


@pytest.mark.parametrize(
    ("documented", "verdict"),
    [(0.97, "reproduced"), (0.98, "not reproduced"), (0.9749, "reproduced"), (0.9751, "not reproduced")],
)
def test_a_documented_figure_means_all_that_rounds_to_it(documented, verdict):
    """Up to 0.97: 0.97 stands for 0.965 to 0.975, and 0.975 to 0.985 begins behind it; 0.9749 ends at 0.97485."""
    top = row(0.95, over_queries={"mean_cosine": (0.93, 0.97485)})
    assert judged(top, scores={"mean_cosine": documented})[0].verdict == verdict


def test_temperatures_are_the_same_up_to_rounding():
    near, far = row(temperature=0.14, **SEEDS), row(temperature=0.16, **SEEDS)
    assert judged(near)[0].verdict == "reproduced"
    assert judged(far)[0].verdict == "not comparable here"


def test_a_figure_about_a_projector_is_about_all_that_train_it():
    found = judged(row(**SEEDS), projector="transformer")
    assert [each.subject for each in found] == ["student at T = 0.1"]  # student-eager is not trained
    assert judged(row(**SEEDS), projector="transformer", trainer="distillation")


def test_what_was_documented_is_told_with_its_spread():
    first, second = judged(row(**SEEDS), scores={"mean_cosine": 0.9, "std_cosine": 0.05})
    assert (first.documented, first.quantity, first.heads) == ("0.9 ± 0.05", "mean_cosine", 18)
    assert second.documented == "0.05"
    assert (first.measured.value, first.measured.low, first.measured.high, first.measured.launches) == (
        0.95,
        0.85,
        0.96,
        3,
    )


def test_nothing_documented_nothing_compared():
    text = copy.deepcopy(SUITE)
    del text["documented"]
    assert compare_scores(Suite.model_validate(text), []) == ()
