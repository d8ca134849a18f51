"""Signs, by worked examples: what a winsorised centre, a pooled noise and a sequential bound come to by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.search.sign_test import (
    DECISIVE,
    MAD_TO_SD,
    WINSORISED_COST,
    median,
    noise_at,
    pooled_noise,
    sign,
    standard_error,
    winsorised_mean,
)


def test_a_median_of_an_even_number_is_the_mean_of_the_middle_two():
    assert median(np.array([4.0, 1.0, 2.0])) == 2.0
    assert median(np.array([4.0, 1.0, 2.0, 8.0])) == 3.0


def test_a_winsorised_mean_pulls_an_outlier_to_two_noises_from_the_median():
    # median 0.1, noise 0.05: 5.0 becomes 0.2, so (0.0 + 0.1 + 0.1 + 0.2) / 4 with medians of four = 0.1
    assert winsorised_mean(np.array([0.0, 0.1, 0.1, 5.0]), 0.05) == pytest.approx(0.1)
    assert winsorised_mean(np.array([0.0, 0.1, 0.1, -5.0]), 0.05) == pytest.approx((0.0 + 0.1 + 0.1 - 0.05) / 4)


def test_pooled_noise_is_the_median_difference_scaled_to_one_pair():
    assert pooled_noise(np.array([0.1, 0.2, 0.3])) == pytest.approx(0.2 * MAD_TO_SD / math.sqrt(2))
    assert pooled_noise(np.zeros(0)) == 1.0
    assert pooled_noise(np.zeros(5)) == 1e-9


def test_the_noise_of_one_place_is_pooled_below_five_pairs_and_never_below_half_of_the_pooled():
    assert noise_at(np.array([0.0, 9.0, 0.0, 9.0]), 0.1) == 0.1
    still = np.zeros(1000)
    assert noise_at(still, 0.1) == pytest.approx(0.05)
    # five pairs, deviations from the median 2, 1, 0, 1, 2: MAD 1, spread 1.4826 * 5 / 4.2
    spread = MAD_TO_SD * 5 / 4.2
    assert noise_at(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 1.0) == pytest.approx(math.sqrt((6 + 5 * spread**2) / 11))


def test_a_standard_error_falls_with_the_root_of_the_pairs():
    assert standard_error(np.zeros(4), 0.1) == pytest.approx(WINSORISED_COST * 0.1 / 2)


@pytest.mark.parametrize("who", [-1, 1])
def test_a_sign_is_decided_just_beyond_the_bound_and_not_just_below(who):
    freedom = 10**9  # so that the bound is DECISIVE itself
    bound = DECISIVE * WINSORISED_COST * 0.1 / math.sqrt(4)
    assert sign(np.full(4, who * bound * 1.001), 0.1, freedom) == who
    assert sign(np.full(4, who * bound * 0.999), 0.1, freedom) == 0


def test_little_knowledge_of_the_noise_raises_the_bound():
    level = np.full(4, DECISIVE * WINSORISED_COST * 0.1 / math.sqrt(4) * 1.5)
    assert sign(level, 0.1, 10) == 1  # bound times 1.3
    assert sign(level, 0.1, 5) == 0  # bound times 1.6


def test_one_pair_of_four_that_disagrees_leaves_it_open():
    agreed = np.array([1.0, 1.0, 1.0, 1.0])
    assert sign(agreed, 0.1, 1000) == 1
    assert sign(np.array([1.0, 1.0, 1.0, -0.01]), 0.1, 1000) == 0


def test_two_of_six_that_disagree_leave_it_open_and_one_of_nine_does_not():
    # one-sided binomial: P(at most 2 of 6) = 22 / 64 = 0.34, P(at most 1 of 9) = 10 / 512 = 0.02
    assert sign(np.array([1.0, 1.0, 1.0, 1.0, -0.01, -0.01]), 0.05, 1000) == 0
    assert sign(np.array([1.0] * 8 + [-0.01]), 0.05, 1000) == 1


def test_a_few_pairs_far_apart_decide_nothing():
    assert sign(np.array([0.5, 0.5, 2.0]), 0.1, 1000) == 0
    assert sign(np.array([0.5, 0.5, 0.6]), 0.1, 1000) == 1


def test_one_stray_among_five_leaves_it_open_and_among_six_it_does_not():
    """Nothing but the stray varies: the noise is 0.07 to 0.08, and 1.0 is more than eight times as much."""
    assert sign(np.array([1.0] * 4 + [2.0]), 0.1, 1000) == 0
    assert sign(np.array([1.0] * 5 + [2.0]), 0.1, 1000) == 1
