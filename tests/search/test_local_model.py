"""The local model, by worked examples: roots, intervals, launches combined as studies are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.search.local_model import LocalFit, Seen, curvature_prior, fit, launch_interval, two_sided
from harness.search.sampler import Observations


def curve(level, slope, curvature=0.0, variance=0.01, multiplier=2.0):
    covariance = np.diag([variance, 0.0, 0.0])
    nothing = Seen(*(np.zeros(0, dtype=np.int64) for _ in range(3)), np.zeros(0), 0.01)
    return LocalFit(math.log(100), (level, slope, curvature), covariance, multiplier, 0.1, 0.0, 1.0, 10, 2, nothing)


def test_quantiles_are_those_of_the_normal_and_of_students_t():
    assert two_sided(0.95) == pytest.approx(1.959964, abs=1e-6)
    assert two_sided(0.95, 7) == pytest.approx(stats.t.ppf(0.975, 7))


def test_the_root_of_a_line_is_minus_level_over_slope():
    assert curve(0.1, 0.5).root() == pytest.approx(math.log(100) - 0.2)
    assert curve(0.0, 0.5).root() == pytest.approx(math.log(100))


def test_a_root_beyond_reach_or_of_a_flat_curve_is_none():
    assert curve(0.4, 0.5).root() is None  # 0.8 in log N, beyond 0.7
    assert curve(0.1, 0.0).root() is None
    assert curve(0.1, 0.1, 1.0).root() is None  # 0.1 + 0.1 u + u² has no root


def test_of_two_roots_the_one_nearest_the_centre_counts():
    # (u - 0.1) (u - 0.5) = 0.05 - 0.6 u + u²
    assert curve(0.05, -0.6, 1.0).root() == pytest.approx(math.log(100) + 0.1)


def test_an_interval_holds_every_n_at_which_equal_cost_is_not_rejected():
    # |0.5 u| <= 2 * 0.1 at |u| <= 0.4
    low, high = curve(0.0, 0.5).crossing_interval()
    assert low == pytest.approx(math.log(100) - 0.4, abs=1e-3)
    assert high == pytest.approx(math.log(100) + 0.4, abs=1e-3)
    low, high = curve(0.0, 0.5).crossing_interval(stretch=0.5)
    assert high - low == pytest.approx(0.4, abs=1e-3)


def test_an_end_that_is_not_found_within_reach_is_infinite():
    assert curve(0.0, 0.1).crossing_interval() == (-math.inf, math.inf)
    assert curve(0.4, 0.5).crossing_interval() is None


def test_a_curvature_is_expected_half_way_between_a_power_law_and_linear_against_flat():
    mean, spread = curvature_prior(0.6)
    assert mean == pytest.approx(0.6 * 0.4 / 4)
    assert spread == pytest.approx(0.2 * 0.6 + 0.01)
    mean, spread = curvature_prior(-2.0)
    assert mean == pytest.approx(-(2.0 * -1.0 / 4))
    assert spread == pytest.approx(0.2 * 2.0 + 0.01 + 0.5)


def observed(rows):
    heads, launch, ratios = zip(*rows, strict=True)
    return Observations(np.array(heads), np.array(launch), np.array(ratios))


def test_a_line_without_noise_is_found_and_crosses_where_it_does():
    rows = [
        (n, launch, 0.7 * math.log(n / 110))
        for launch in (1, 2, 3)
        for n in (80, 90, 100, 110, 120, 135)
        for _ in range(4)
    ]
    found = fit(observed(rows), math.log(100), 0.7, 0.05, 0.95, planned=3)
    assert math.exp(found.root()) == pytest.approx(110, rel=0.01)
    assert found.coefficients[1] == pytest.approx(0.7, abs=0.05)
    assert found.launches == 3
    assert found.misfit > 0.5


def test_an_outlier_in_ten_moves_the_root_by_little():
    random = np.random.default_rng(1)
    rows = [
        (n, launch, 0.7 * math.log(n / 110) + random.normal(0, 0.02) + (2.0 if i % 10 == 0 else 0.0))
        for launch in (1, 2, 3, 4)
        for n in (80, 90, 100, 110, 120, 135)
        for i in range(10)
    ]
    found = fit(observed(rows), math.log(100), 0.7, 0.05, 0.95, planned=4)
    assert math.exp(found.root()) == pytest.approx(110, rel=0.02)


def test_one_n_alone_cannot_be_fitted():
    assert fit(observed([(100, 1, 0.1), (100, 2, 0.2)]), math.log(100), 0.5, 0.1, 0.95) is None


def test_launches_that_agree_are_combined_by_their_pairs():
    launches = [np.full(8, 0.1), np.full(8, 0.1)]
    centre, low, high = launch_interval(launches, 0.1, 0.95)
    half = 1.959964 * math.sqrt(1.3 * 0.1**2 / 16)
    assert centre == pytest.approx(0.1)
    assert (low, high) == pytest.approx((0.1 - half, 0.1 + half))


def test_launches_that_differ_widen_the_interval_to_that_of_students_t_over_launches():
    levels = [0.0, 0.2, 0.4]
    centre, low, high = launch_interval([np.full(50, each) for each in levels], 0.01, 0.95)
    assert centre == pytest.approx(0.2, abs=1e-3)
    half = stats.t.ppf(0.975, 2) * np.std(levels, ddof=1) / math.sqrt(3)
    assert (high - low) / 2 == pytest.approx(half, rel=0.01)


def test_a_curve_that_goes_past_what_was_seen_at_most_n_does_not_fit():
    """Levels in turn 4 % above and below a line, where pairs differ by 1 %: each is 11 errors of 8 pairs away from it."""
    random = np.random.default_rng(0)
    rows = [
        (n, launch, 0.7 * math.log(n / 110) + 0.04 * (-1) ** place + random.normal(0, 0.01))
        for launch in (1, 2)
        for place, n in enumerate((80, 90, 100, 110, 120, 135))
        for _ in range(4)
    ]
    assert fit(observed(rows), math.log(100), 0.7, 0.01, 0.95).misfit < 1e-6
