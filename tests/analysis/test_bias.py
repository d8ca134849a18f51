"""What a bias does to intervals, worked out by hand on straight log-ratios."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.analysis.bias import answers_with_bias, range_within_bias, with_bias
from harness.analysis.statistics import Interval
from harness.plan.sweep import SearchCase
from harness.records.crossovers import SearchRecord, SearchSettings
from harness.search.result import Crossing, Decision, Location, Probe


def probe(heads, log_ratio):
    return Probe(heads, log_ratio, log_ratio - 0.01, log_ratio + 0.01, 10, 8)


def location(probes, status="crossing", crossings=(), decision=None):
    return Location(status, tuple(crossings), 100, tuple(probes), (), 10, 1000, decision=decision)


def after(found, bias):
    case = SearchCase(race="r", baseline="a", challenger="b", batch_size=1, low=10, high=1000)
    (answer,) = answers_with_bias([SearchRecord(case=case, location=found, asked=SearchSettings())], bias)
    return answer.location


LINE = [probe(n, 0.5 * math.log(n / 100)) for n in (10, 25, 50, 80, 95, 105, 125, 200, 400, 1000)]  # slope 1/2


def test_an_interval_of_a_ratio_is_multiplied_by_the_bias():
    assert with_bias(Interval(1.1, 1.0, 1.2), math.log(1.1)) == Interval(1.1, 1.0 / 1.1, pytest.approx(1.2 * 1.1))
    assert with_bias(Interval(1.1), 0.1) == Interval(1.1)  # without ends it stays without


@pytest.mark.parametrize("bias", [0.05, 0.1, 0.3])
def test_a_crossing_widens_by_the_bias_over_the_slope(bias):
    found = after(location(LINE, crossings=[Crossing(100, 96, 104, "challenger", 0.95, "smooth")]), bias)
    (crossing,) = found.crossings
    assert crossing.low == math.floor(100 * math.exp(-bias / 0.5))
    assert crossing.high == math.ceil(100 * math.exp(bias / 0.5))
    assert (crossing.heads, found.status) == (100, "crossing")


def test_a_step_whose_sides_lead_by_more_than_the_bias_stands():
    step = Crossing(101, 100, 101, "challenger", 0.95, "step")
    probes = [probe(10, -0.5), probe(100, -0.2), probe(101, 0.3), probe(1000, 0.6)]
    assert after(location(probes, crossings=[step]), 0.15).crossings == (step,)
    (wide,) = after(location(probes, crossings=[step]), 0.4).crossings
    assert (wide.low, wide.kind) == (math.floor(math.exp(math.log(10) + (0.1 / 0.3) * math.log(10))), "smooth")
    assert wide.high == math.ceil(math.exp(math.log(101) + (0.1 / 0.3) * math.log(1000 / 101)))


def test_where_no_lead_is_as_large_as_the_bias_the_interval_reaches_the_ends_of_the_range():
    found = after(location(LINE, crossings=[Crossing(100, 96, 104, "challenger", 0.95, "smooth")]), 5.0)
    assert (found.crossings[0].low, found.crossings[0].high) == (10, 1000)


def test_a_decision_widens_with_the_largest_lead_inside_it():
    decision = Decision(96, 104, 0.02, "baseline", "challenger", 0.95)
    found = after(location(LINE, decision=decision), math.log(1.05)).decision
    assert found.at_most == pytest.approx(1.02 * 1.05 - 1)
    assert found.below == math.floor(100 * 1.05**-2)
    assert found.above == math.ceil(100 * 1.05**2)


def test_a_lead_throughout_is_undecided_where_it_is_slighter_than_the_bias():
    found = location([probe(10, 0.02), probe(50, 0.06), probe(1000, 0.5)], status="below")
    assert range_within_bias(found, 0.05) == (10, math.ceil(10 * 5**0.75))  # from 0.02 at 10 to 0.06 at 50
    assert range_within_bias(found, 0.1) == (10, math.ceil(50 * 20 ** (0.04 / 0.44)))
    mirrored = location([probe(n.heads, -n.log_ratio) for n in reversed(found.probes)], status="above")
    assert range_within_bias(replace(mirrored, probes=mirrored.probes[::-1]), 0.05) == range_within_bias(found, 0.05)
    assert range_within_bias(found, 0.01) is None
    assert range_within_bias(location(LINE), 0.1) is None  # a crossing is widened instead


def test_without_a_bias_nothing_changes():
    found = location(LINE, crossings=[Crossing(100, 96, 104, "challenger", 0.95, "smooth")])
    assert after(found, 0.0) is found


def test_probes_are_widened_too_so_that_nothing_is_decided_by_a_slight_one():
    found = after(location([probe(10, -0.5), probe(100, 0.03)], status="unresolved"), 0.05)
    assert [(each.low, each.high) for each in found.probes] == [
        (pytest.approx(-0.56), pytest.approx(-0.44)),
        (pytest.approx(-0.03), pytest.approx(0.09)),
    ]
