"""Latency between measured places: what a single launch saw, jumps of the cost, and intervals that hold the truth."""

from __future__ import annotations

import math

import pytest

from harness.analysis.advice.interpolation import estimate, steps_of
from harness.analysis.cells import CellSummary
from harness.analysis.statistics import Interval
from harness.analysis.summary import summarise
from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord
from harness.search.result import Location
from tests.synthetic import SUITE, Maker


def cell(heads, value, launches=8):
    """A cell with an interval of 10 %, or with none."""
    ends = (value / 1.1, value * 1.1) if launches > 1 else (math.nan, math.nan)
    return CellSummary(
        contender="any", heads=heads, batch_size=1, outcome="measured", call=Interval(value, *ends, launches),
        percentiles={}, launches=launches,
    )  # fmt: skip


def test_a_search_that_only_looked_erases_no_interval():
    cells = [cell(10, 1.0), cell(90, 5.0, launches=1), cell(110, 9.0, launches=1), cell(1000, 10.0)]
    found = estimate(cells, 100, ())
    assert found.call.known
    assert found.how == "between measured N, 10 and 1,000"
    assert found.doubt == ""


def test_a_single_launch_serves_where_nothing_else_does_and_is_told():
    found = estimate([cell(10, 1.0, launches=1), cell(1000, 10.0)], 100, ())
    assert not found.call.known
    assert found.doubt == "some were measured in a single launch"
    assert estimate([cell(10, 1.0, launches=1)], 10, ()).doubt == "measured in a single launch"


@pytest.mark.parametrize("true", [lambda n: 5 + 0.3 * n, lambda n: 2 * n**0.5, lambda n: 7.0])
def test_what_lies_between_holds_fixed_and_growing_costs(true):
    found = estimate([cell(10, true(10)), cell(1000, true(1000))], 100, ())
    assert found.call.low <= true(100) <= found.call.high


@pytest.mark.parametrize("heads", [50, 160, 161, 900])
def test_within_a_stretch_between_jumps_nothing_of_the_next_one_is_mixed_in(heads):
    steps = (160,)
    cells = [cell(20, 1.0), cell(40, 1.0), cell(700, 3.0), cell(1000, 3.0)]
    found = estimate(cells, heads, steps)
    assert found.call.value == pytest.approx(1.0 if heads <= 160 else 3.0)
    if heads != 900:
        assert found.doubt == "its cost may jump at 161"
        assert (found.call.low, found.call.high) == (pytest.approx(1 / 1.1), pytest.approx(3.3))


def test_where_jumps_are_not_known_that_is_said():
    assert estimate([cell(10, 1.0), cell(1000, 1.0)], 100, None).doubt == "it is unknown whether its cost jumps there"


def located(race, baseline, challenger, steps):
    case = SearchCase(race=race, baseline=baseline, challenger=challenger, batch_size=1, low=2, high=16384, steps=steps)
    return SearchRecord(case=case, location=Location("tie", (), 0, (), (), 2, 16384))


def test_the_jumps_of_one_rival_are_told_from_those_of_the_other():
    maker = Maker(
        {
            **SUITE,
            "races": [
                *SUITE["races"],
                {"name": "flat", "baseline": "teacher", "challenger": "loop"},
            ],
        }
    ).table(2, 2)
    answers = [located("best", "teacher", "student", (40, 160)), located("flat", "teacher", "loop", ())]
    found = summarise(maker.evidence(), answers)
    assert steps_of(found, "teacher") == ()
    assert steps_of(found, "student") == (40, 160)
    assert steps_of(found, "student-eager") == (40, 160)  # the same projector in another runtime
    assert steps_of(summarise(maker.evidence(), answers[:1]), "loop") is None


def test_who_states_a_cost_that_is_linear_in_heads_has_no_jumps_of_its_own():
    maker = Maker().table(2, 2)
    for place, each in enumerate(maker.measurements):
        stated = {"teacher": 2.0 * each.heads + 100, "student": 1000.0 * math.ceil(math.log(each.heads, 4))}
        maker.measurements[place] = each.model_copy(update={"cost_flops": stated.get(each.contender)})
    found = summarise(maker.evidence(), [located("best", "teacher", "student", (40, 160))])
    assert steps_of(found, "teacher") == ()
    assert steps_of(found, "student") == (40, 160)
