"""What deciding costs: no more on average than it does, and an interval that holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.analysis.regret import Checked, mean_regret, regret

RUNS, POINTS, PAIRS = 300, 8, 15


def simulated(costs, noise, seed=0):
    """The mean regret of each run, with its interval, at points where the choice truly costs so much."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(RUNS):
        points = []
        for heads, cost in enumerate(costs, start=1):
            paid, low, high = regret((cost + noise * generator.standard_normal(PAIRS)).tolist())
            points.append(Checked(batch_size=1, heads=heads, use="one", regret=paid, low=low, high=high))
        found.append(mean_regret(points))
    return found


@pytest.mark.parametrize(
    "costs",
    [(0.0,) * POINTS, (-0.5, -0.2, -0.1, 0.0, 0.0, 0.1), (0.08,) * POINTS, (-0.4,) * POINTS],
    ids=["alike", "mixed", "wrong", "right"],
)
def test_the_mean_is_not_biased_and_its_interval_holds(costs):
    noise = 0.1
    truth = sum(math.expm1(max(cost, 0.0)) for cost in costs) / len(costs)
    found = simulated(costs, noise)
    cut_off = noise / math.sqrt(2 * math.pi * PAIRS)  # the mean of max(noise, 0), which was stated where both are alike
    assert np.mean([each.value for each in found]) == pytest.approx(truth, abs=cut_off / 8)
    assert np.mean([each.low <= truth <= each.high for each in found]) >= 0.95


def test_without_noise_it_is_what_the_wrong_choice_costs():
    assert regret([math.log(1.25)] * 3) == pytest.approx((0.25, 0.25, 0.25))
    assert regret([-0.7] * 3) == (0.0, 0.0, 0.0)


def test_an_outlier_does_not_make_a_right_choice_cost_anything():
    paid, low, _ = regret([-0.3] * 14 + [2.0])
    assert (paid, low) == (0.0, 0.0)


def test_of_nothing_there_is_no_mean():
    assert not mean_regret([]).known
