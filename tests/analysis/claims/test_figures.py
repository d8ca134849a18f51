"""Documented figures: each verdict for the right reason, the documented way of predicting beside the measured."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from harness.analysis.claims.figures import compare, extrapolate
from harness.analysis.claims.scores import compare_scores
from harness.analysis.fidelity.table import rows
from harness.analysis.statistics import Interval
from harness.analysis.summary import summarise
from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord
from harness.records.samples import by_cell
from harness.report.tables import documented
from harness.search.result import Crossing, Location
from harness.suite import loading
from harness.suite.schema import Suite
from tests.synthetic import SUITE, Maker, linear


def judged(
    figure, *, status="crossing", at=(1000, 950, 1050), ratio=None, device="cpu", high=16384, notes=(), bracket=None,
    bias=0.0,
):  # fmt: skip
    """The verdict on one figure about a race with a given answer."""
    suite = Suite.model_validate(
        SUITE | {"device": device, "documented": {"source": "a document", "figures": [{"race": "best", **figure}]}}
    )
    maker = Maker(SUITE, {"teacher": linear(100, 0), "student": linear(100 * (ratio or 1), 0)}, sigma=0.01)
    if ratio is not None:
        for launch in range(1, 9):
            maker.visit(["teacher", "student"], 18, figure["batch_size"], launch, 4)
    found = status in ("crossing", "several") or bracket is not None
    crossings = (Crossing(*at, "challenger", 0.95, "smooth"),) if found else ()
    case = SearchCase(
        race="best", baseline="teacher", challenger="student", batch_size=figure["batch_size"], low=1, high=high
    )
    location = Location(status, crossings, 400, (), tuple(notes), 1, high, bracket)
    (found,) = compare(suite, by_cell(maker.measurements), [SearchRecord(case=case, location=location)], bias=bias)
    return found


@pytest.mark.parametrize(
    ("ratio", "verdict"), [(24.2, "reproduced"), (23.3, "not reproduced"), (5.0, "not reproduced")]
)
def test_a_slowdown_is_reproduced_where_the_interval_meets_what_rounds_to_it(ratio, verdict):
    found = judged({"batch_size": 1, "heads": 18, "slowdown": 24}, ratio=ratio)
    assert found.verdict == verdict
    assert found.measured.contains(ratio)
    assert found.sentence.startswith(f"best at batch 1: slowdown at N = 18 documented as 24x: {verdict}: measured ")


def test_a_figure_of_a_gpu_is_not_comparable_on_a_cpu_but_still_measured():
    found = judged({"batch_size": 1, "heads": 18, "slowdown": 24, "device": "cuda"}, ratio=5.0)
    assert found.verdict == "not comparable here"
    assert found.why.startswith("documented on a GPU (CUDA), measured on a CPU: measured 4.9")


def test_a_figure_at_an_n_that_was_not_measured():
    found = judged({"batch_size": 1, "heads": 18, "slowdown": 24})
    assert found.verdict == "not comparable here"
    assert found.why == "the race was not measured at N = 18 and batch 1"


@pytest.mark.parametrize(
    ("documented", "kind", "verdict"),
    [
        (1000, "about", "reproduced"),
        (940, "about", "not reproduced"),
        (900, "above", "reproduced"),
        (1000, "above", "not comparable here"),  # the interval lies around the bound
        (2000, "above", "not reproduced"),
        (950, "above", "not comparable here"),
        (1050, "above", "not reproduced"),
        (2000, "below", "reproduced"),
        (1050, "below", "reproduced"),
        (1000, "below", "not comparable here"),
        (900, "below", "not reproduced"),
    ],
)
def test_a_crossover_against_its_interval(documented, kind, verdict):
    found = judged({"batch_size": 1, "crossover": documented, "crossover_is": kind})
    assert found.verdict == verdict
    assert "measured 1,000 (95 %: 950 to 1,050)" in found.why
    assert found.documented == f"{kind} {documented:,}"


@pytest.mark.parametrize(
    ("status", "figure", "verdict", "why"),
    [
        ("above", (400, "above"), "reproduced", "the baseline leads up to N = 16,384, the end of the range"),
        ("above", (400, "about"), "not reproduced", "the baseline leads up to N = 16,384, the end of the range"),
        ("above", (99999, "about"), "not comparable here", "the baseline leads up to N = 16,384, the end of the range"),
        ("below", (27, "about"), "not reproduced", "the challenger leads from N = 1 on, the beginning of the range"),
        ("below", (27, "below"), "reproduced", "the challenger leads from N = 1 on, the beginning of the range"),
        ("tie", (27, "about"), "not reproduced", "no difference between the two was found anywhere in the range"),
        (
            "unresolved",
            (27, "about"),
            "not comparable here",
            "the search gave no answer: the budget is spent",
        ),
    ],
)
def test_a_crossover_that_was_not_found(status, figure, verdict, why):
    found = judged(
        {"batch_size": 1, "crossover": figure[0], "crossover_is": figure[1]},
        status=status,
        notes=("the budget is spent",),
    )
    assert (found.verdict, found.why) == (verdict, why)
    assert found.measured is None


def test_the_documented_extrapolation_is_repeated_from_our_own_point():
    found = judged({"batch_size": 32, "crossover": 27, "heads": 18}, ratio=5.0)
    assert found.extrapolated.value == pytest.approx(90, rel=0.03)
    assert "; a linear extrapolation from our own point at N = 18 gives 90" in found.why


def test_the_n_of_a_crossover_is_that_of_its_neighbour(summary):
    crossover = summary.documented[1]
    assert crossover.figure.heads is None
    assert crossover.extrapolated.value == pytest.approx(109, rel=0.05)


def test_it_is_extrapolated_too_where_the_challenger_leads():
    assert extrapolate(18, Interval(0.5, 0.4, 0.6, 8)).value == 9
    assert extrapolate(18, None) is None
    found = judged(
        {"batch_size": 32, "crossover": 27, "heads": 18}, ratio=0.72, status="unresolved", at=(6, 4, 6),
        bracket=(10, 40), notes=("the budget is spent",),
    )  # fmt: skip
    assert found.why.startswith(
        "the search gave no answer: the budget is spent; it found that the challenger leads from N = 6 "
        "(95 %: 4 to 6) on; open between N = 10 and 40, and 27 lies inside that range; a linear extrapolation from our "
        "own point at N = 18, where the challenger already leads, gives 13 (95 %: "
    )


@pytest.mark.parametrize(("value", "side"), [(400, "below"), (1000, "inside"), (2000, "above")])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_where_a_documented_crossover_lies_is_said_beside_every_verdict(value, side, device):
    found = judged({"batch_size": 1, "crossover": value, "device": device})
    assert f"measured 1,000 (95 %: 950 to 1,050); {value:,} lies {side} the interval" in found.why


def test_a_bias_of_the_machine_widens_the_interval_that_a_documented_slowdown_is_held_to():
    figure = {"batch_size": 1, "heads": 18, "slowdown": 24}
    assert judged(figure, ratio=30.0).verdict == "not reproduced"
    assert judged(figure, ratio=30.0, bias=math.log(1.1)).verdict == "not reproduced"
    assert judged(figure, ratio=30.0, bias=math.log(1.3)).verdict == "reproduced"  # 30 / 1.3 = 23.1


def timed(figure, seconds_per_call=1e-6 * 96):
    """The verdict on one documented latency of the teacher, where it was measured."""
    suite = Suite.model_validate(SUITE | {"documented": {"source": "a document", "latencies": [figure]}})
    maker = Maker(SUITE, {"teacher": lambda heads, batch: seconds_per_call}, sigma=0.01)
    for launch in range(1, 9):
        maker.visit(["teacher"], 18, 32, launch, 4)
    (found,) = compare(suite, by_cell(maker.measurements), [])
    return found


@pytest.mark.parametrize(("documented", "verdict"), [(0.003, "reproduced"), (0.0015, "not reproduced")])
def test_a_latency_on_a_cpu_is_compared_on_a_cpu_and_the_other_machine_named(documented, verdict):
    found = timed(
        {"contender": "teacher", "heads": 18, "batch_size": 32, "milliseconds_per_query": documented, "device": "cpu"}
    )
    assert found.verdict == verdict
    assert found.measured.contains(3e-6)
    assert "on a machine other than the documented one it takes " in found.why


def test_a_latency_of_a_gpu_or_at_an_n_that_was_not_measured():
    figure = {"contender": "teacher", "heads": 18, "batch_size": 32, "milliseconds_per_query": 1, "device": "cuda"}
    found = timed(figure)
    assert found.verdict == "not comparable here"
    assert found.why.startswith("documented on a GPU (CUDA), measured on a CPU: measured 0.00")
    assert timed(figure | {"heads": 19}).why == "teacher was not measured at N = 19 and batch 32"


def scored(values, *seeds, whose=None, temperature=1.0):
    """The verdicts on documented scores of the student, by score, where its seeds have some mean cosines."""
    whose = whose or {"contender": "student"}
    figure = {**whose, "heads": 18, "temperature": temperature, "scores": values}
    suite = Suite.model_validate(SUITE | {"documented": {"source": "a document", "scores": [figure]}})
    maker = Maker(suite.model_dump(mode="json", by_alias=True))
    for seed, cosine in enumerate(seeds):
        maker.score("student", 18, 1.0, seed, mean_cosine=cosine, min_cosine=cosine - 0.01)
    return {each.quantity: each for each in compare_scores(suite, rows(maker.fidelities, suite))}


@pytest.mark.parametrize(
    ("ours", "values", "verdict"),
    [
        ((0.9925, 0.9935), {"mean_cosine": 0.9928}, "reproduced"),  # between two seeds
        ((0.9905,), {"mean_cosine": 0.9928, "std_cosine": 0.0027}, "reproduced"),  # within the spread
        ((0.9905,), {"mean_cosine": 0.9928}, "not reproduced"),
        ((0.95, 0.96), {"mean_cosine": 0.9928, "std_cosine": 0.0027}, "not reproduced"),
    ],
)
def test_a_documented_mean_against_our_range_and_the_spread_that_it_states(ours, values, verdict):
    found = scored(values, *ours)["mean_cosine"]
    assert found.verdict == verdict
    assert found.sentence.startswith("student at T = 1: mean cosine at N = 18 documented as 0.9928")


def test_scores_that_cannot_be_compared_say_why():
    assert scored({"min_cosine": 0.98}, 0.99)["min_cosine"].why.endswith("with one training seed, so without a range")
    found = scored({"mean_cosine": 0.99}, 0.99, temperature=0.1)["mean_cosine"]
    assert (found.verdict, found.why) == ("not comparable here", "it was not measured at N = 18 and T = 0.1")


def test_scores_of_a_projector_and_trainer_are_about_every_contender_with_them():
    found = scored({"mean_cosine": 0.99}, 0.99, whose={"projector": "transformer", "trainer": "distillation"})
    assert found["mean_cosine"].subject == "student at T = 1"


def test_the_documented_row_of_the_suite_stands_in_the_table():
    document = loading.load(Path("suites/distillation.yaml")).suite.documented
    suite = SUITE | {"documented": document.model_dump(mode="json", by_alias=True)}
    suite["contenders"] = {**SUITE["contenders"], document.scores[0].contender: SUITE["contenders"]["student"]}
    suite["documented"]["scores"] = [
        each for each in suite["documented"]["scores"] if each["contender"] in (None, document.scores[0].contender)
    ]
    maker = Maker(suite)
    for seed, cosine in enumerate((0.992, 0.993)):
        maker.score(document.scores[0].contender, 18, 1.0, seed, mean_cosine=cosine, constant_cosine=0.9926)
    found = documented(summarise(maker.evidence()))
    row = next([each.text for each in row] for row in found.rows if row[1].text == "mean cosine at N = 18")
    assert row[2:5] == ["0.9928 ± 0.0027", "0.9925 (0.9915 to 0.9935)", "reproduced"]
    assert "Expected there: mean cosine above 0.99, min cosine above 0.98, std cosine below 0.01." in found.note
    assert any("a constant (the mean teacher output) reaches" in each for each in summarise(maker.evidence()).remarks)


def test_the_waterfall_multiplies_up(summary):
    fall = summary.waterfalls[0]
    assert [step.after for step in fall.baseline] == ["teacher"]
    assert [step.after for step in fall.challenger] == ["student"]
    product = fall.start.value * fall.baseline[0].speedup.value / fall.challenger[0].speedup.value
    assert fall.end.value == pytest.approx(product, rel=0.03)
    assert fall.fastest == ("teacher", "student")
