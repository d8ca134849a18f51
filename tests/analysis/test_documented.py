"""Documented figures: each verdict for the right reason, the documented way of predicting beside the measured."""

from __future__ import annotations

import pytest

from harness.analysis.documented import compare, extrapolate
from harness.analysis.located import Located
from harness.analysis.location import Crossing, Location
from harness.analysis.statistics import Interval
from harness.analysis.visits import by_cell
from harness.suite.schema import Suite
from harness.suite.sweep import Leg
from tests.synthetic import SUITE, Maker, linear


def judged(figure, *, status="crossing", at=(1000, 950, 1050), ratio=None, device="cpu", high=16384, notes=()):
    """The verdict on one figure about a race with a given answer."""
    suite = Suite.model_validate(
        SUITE | {"device": device, "documented": {"source": "a document", "figures": [{"race": "best", **figure}]}}
    )
    maker = Maker(SUITE, {"teacher": linear(100, 0), "student": linear(100 * (ratio or 1), 0)}, sigma=0.01)
    if ratio is not None:
        for launch in range(1, 9):
            maker.visit(["teacher", "student"], 18, figure["batch_size"], launch, 4)
    crossings = (Crossing(*at, "challenger", 0.95, "smooth"),) if status in ("crossing", "several") else ()
    leg = Leg(race="best", baseline="teacher", challenger="student", batch_size=figure["batch_size"], low=1, high=high)
    location = Location(status, crossings, 400, (), tuple(notes), 1, high)
    (found,) = compare(suite, by_cell(maker.measurements), [Located(leg=leg, location=location)])
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
        ("tie", (27, "about"), "not reproduced", "no difference between the two was found anywhere in the range"),
        (
            "unresolved",
            (27, "about"),
            "not comparable here",
            "the search did not come to an answer: the budget is spent",
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
    assert "; a linear extrapolation from our own point at N = 18 would say 90" in found.why


def test_the_n_of_a_crossover_is_that_of_its_neighbour(summary):
    crossover = summary.documented[1]
    assert crossover.figure.heads is None
    assert crossover.extrapolated.value == pytest.approx(109, rel=0.05)


def test_nothing_is_extrapolated_where_the_challenger_leads():
    assert extrapolate(18, Interval(0.8, 0.7, 0.9, 8)) is None
    assert extrapolate(18, None) is None


def test_the_waterfall_multiplies_up(summary):
    fall = summary.waterfalls[0]
    assert [step.after for step in fall.baseline] == ["teacher"]
    assert [step.after for step in fall.challenger] == ["student"]
    product = fall.start.value * fall.baseline[0].speedup.value / fall.challenger[0].speedup.value
    assert fall.end.value == pytest.approx(product, rel=0.03)
    assert fall.fastest == ("teacher", "student")
