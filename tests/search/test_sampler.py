"""The sampler: what it counts, keeps, refuses, and how it spreads N."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.search.result import BudgetSpent, Pair, Unmeasurable
from harness.search.sampler import Sampler, distinct, geometric


def sampler(measure, budget=1000):
    return Sampler(measure, budget, 0, lambda: None)


def ratio(factor):
    return lambda heads, rounds, launch: [Pair(factor, 1.0)] * rounds


def test_log_ratios_are_those_of_baseline_over_challenger_and_two_samples_make_a_pair():
    found = sampler(ratio(2.0))
    found.visit(10, 3)
    assert found.samples == 6
    assert found.remaining == 994
    assert found.at(10) == pytest.approx([math.log(2)] * 3)
    assert found.visited == [10]


def test_a_budget_buys_as_many_whole_pairs_as_it_can_and_then_ends_the_search():
    found = sampler(ratio(1.0), budget=5)
    found.visit(10, 4)
    assert found.count(10) == 2
    with pytest.raises(BudgetSpent, match="the budget of 5 samples is spent"):
        found.visit(11, 1)


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_a_time_that_is_not_positive_and_finite_is_refused_with_its_place(seconds):
    with pytest.raises(ValueError, match=r"challenger's time at N = 1,000, launch 0, pair 1"):
        sampler(lambda heads, rounds, launch: [Pair(1.0, 1.0), Pair(1.0, seconds)]).visit(1000, 2)


def test_fewer_pairs_than_rounds_are_refused():
    with pytest.raises(ValueError, match="returned 1 pairs"):
        sampler(lambda heads, rounds, launch: [Pair(1.0, 1.0)]).visit(10, 2)


def test_a_failure_that_settles_larger_n_is_not_tried_again_above_it_and_is_below():
    tried = []

    def measure(heads, rounds, launch):
        tried.append(heads)
        if heads >= 100:
            raise Unmeasurable(heads, "out of memory", settles_larger=True)
        return [Pair(1.0, 1.0)] * rounds

    found = sampler(measure)
    for heads in (100, 200, 50):
        found.visit(heads, 1)
    assert tried == [100, 50]
    assert sorted(found.left_out) == [100, 200]


def test_differences_of_successive_pairs_stay_within_one_n_and_one_launch():
    times = iter([1.0, 2.0, 4.0, 8.0, 1.0])
    found = sampler(lambda heads, rounds, launch: [Pair(next(times), 1.0) for _ in range(rounds)])
    found.visit(10, 2)
    found.visit(10, 1)  # linked with the visit before: the launch is the same
    found.launch = 1
    found.visit(10, 1)
    found.visit(20, 1)
    assert found.successive_differences() == pytest.approx([math.log(2), math.log(2)])
    assert [len(each) for each in found.by_launch(10)] == [3, 1]
    assert found.medians_by_launch(10, 1) == pytest.approx({1: math.log(8)})


def test_what_lies_within_a_window_is_that_of_its_n_and_launches():
    found = sampler(ratio(2.0))
    for heads in (10, 20, 30):
        found.visit(heads, 1)
    found.launch = 1
    found.visit(20, 1)
    seen = found.observations().within(15, 30, first_launch=1)
    assert seen.heads.tolist() == [20]
    assert seen.launch.tolist() == [1]
    assert len(found.observations().within(10, 30).heads) == 4


def test_a_geometric_ladder_holds_both_ends_and_no_gap_above_its_ratio():
    assert geometric(1, 16, 2) == [1, 2, 4, 8, 16]
    assert geometric(10, 10, 2) == [10]
    points = np.array(geometric(7, 1000, 3))
    assert points[0] == 7
    assert points[-1] == 1000
    assert (points[1:] / points[:-1]).max() < 3.1
    assert distinct([2.4, 1.6, 2.0]) == [2]
