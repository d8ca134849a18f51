"""How much a confirmation measures, and where, by worked examples."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy import stats

from harness.search.bracketing import PITCH, Smooth
from harness.search.confirmation import (
    Aim,
    Question,
    aim_from_launches,
    allocated,
    first_aim,
    fit_beyond,
    next_aim,
    pairs_for_sign,
    pairs_wanted,
    updated,
)
from harness.search.result import Pair
from harness.search.sampler import Sampler

QUESTION = Question(
    low=1, high=10**6, precision=0.05, confidence=0.95, launches=8, budget=20_000, capped=True, known=True
)
AIM = Aim(Smooth(100, 10_000, -1, 1), math.log(1000), 0.5, 0.1)


def made(ratio):
    return Sampler(lambda heads, rounds, launch: [Pair(ratio(heads), 1.0)] * rounds, 10_000, 0, lambda: None)


def test_half_of_the_launches_are_needed_and_three_where_so_many_were_asked_for():
    assert [replace(QUESTION, launches=each).least_launches for each in (1, 2, 3, 5, 6, 8, 16)] == [1, 2, 3, 3, 3, 4, 8]


def test_two_ends_hold_together_with_a_wider_quantile():
    one, both = stats.t.ppf(0.975, 7), stats.t.ppf(0.9875, 7)
    assert QUESTION.stretch == pytest.approx(both / one)
    assert QUESTION.goal == pytest.approx(math.log(1.05))


def test_a_first_aim_is_where_a_line_between_the_ends_crosses_zero():
    sampler = made(lambda heads: 0.5 if heads == 100 else 2.0)
    sampler.visit(100, 3)
    sampler.visit(10_000, 3)
    aim = first_aim(sampler, AIM.target)
    assert math.exp(aim.log_centre) == pytest.approx(1000)
    assert aim.slope == pytest.approx(2 * math.log(2) / math.log(100))


def test_pairs_follow_from_the_width_the_slope_and_the_noise():
    width = math.log(1.05) * 0.85 - 0.15 / 1000
    error = width * 0.5 / stats.t.ppf(0.975, 7)
    assert pairs_wanted(AIM, QUESTION) == math.ceil(1.1 * (0.1 / error) ** 2)


def test_twice_the_slope_needs_a_quarter_of_the_pairs_but_never_fewer_than_six_a_launch():
    assert pairs_wanted(replace(AIM, slope=0.25), QUESTION) == pytest.approx(4 * pairs_wanted(AIM, QUESTION), abs=4)
    assert pairs_wanted(replace(AIM, slope=50.0), QUESTION) == 6 * 8


def test_what_launches_differ_by_buys_at_most_half_as_many_pairs_more():
    assert pairs_wanted(replace(AIM, between=0.1), QUESTION) == math.ceil(1.5 * 1.1 * (0.1 / _error()) ** 2)


def _error():
    return (math.log(1.05) * 0.85 - 0.15 / 1000) * 0.5 / stats.t.ppf(0.975, 7)


def test_a_width_that_no_pairs_can_reach_is_not_paid_for():
    assert pairs_wanted(replace(AIM, slope=0.001), QUESTION) == 500


def test_a_window_reaches_three_and_a_half_rungs_to_each_side_within_the_bracket():
    low, high = AIM.window
    assert low == math.ceil(1000 * math.exp(-3.7 * PITCH))
    assert high == math.floor(1000 * math.exp(3.7 * PITCH))
    assert replace(AIM, log_centre=math.log(100)).window[0] == 100


def test_the_pairs_of_a_launch_are_shared_out_exactly_and_most_near_the_estimate():
    sampler = made(lambda heads: heads / 1000)
    rounds = allocated(sampler, AIM, 100)
    assert sum(rounds.values()) == 100
    near = [n for n in rounds if abs(math.log(n / 1000)) < 2.2 * PITCH]
    far = [n for n in rounds if n not in near]
    assert min(rounds[n] for n in near) > max(rounds[n] for n in far)


def test_an_aim_stays_where_it_is_without_a_fit():
    assert updated(AIM, None) is AIM


def test_the_sides_of_a_step_get_more_pairs_the_smaller_the_lead():
    noisy = iter([1.0, 1.3] * 1000)
    sampler = Sampler(
        lambda heads, rounds, launch: [Pair((1.05 if heads == 10 else 2.0) * next(noisy), 1.0) for _ in range(rounds)],
        10_000, 0, lambda: None,
    )  # fmt: skip
    sampler.visit(10, 10)
    sampler.visit(20, 10)
    assert pairs_for_sign(sampler, 10, QUESTION, 8) > pairs_for_sign(sampler, 20, QUESTION, 8) >= 2
    assert pairs_for_sign(sampler, 10, QUESTION, 1) == 80


def test_an_aim_is_found_afresh_from_what_four_launches_saw_and_not_from_three():
    sampler = made(lambda heads: (heads / 1000) ** 0.5)
    sampler.visit(100, 3)
    sampler.visit(10_000, 3)
    for launch in (1, 2, 3):
        sampler.launch = launch
        for heads in (850, 930, 1010, 1100):
            sampler.visit(heads, 3)
    assert aim_from_launches(sampler, AIM.target, QUESTION) is None
    sampler.launch = 4
    for heads in (850, 930, 1010, 1100):
        sampler.visit(heads, 3)
    aim = aim_from_launches(sampler, AIM.target, QUESTION)
    assert aim is not None
    assert math.exp(aim.log_centre) == pytest.approx(1000, rel=0.01)
    assert aim.slope == pytest.approx(0.5, rel=0.05)


def test_pairs_beyond_a_window_are_eight():
    sampler = made(lambda heads: (heads / 1000) ** 0.5)
    for heads in (850, 930, 1010, 1100):
        sampler.visit(heads, 3)
    aim = next_aim(sampler, AIM, QUESTION)
    assert fit_beyond(sampler, aim, 1200, QUESTION) is not None
    assert sampler.count(1200) == 8


def test_a_half_width_of_a_third_that_2000_pairs_would_not_beat_is_the_limit_of_what_is_paid_for():
    """Two standard errors of 2,000 pairs are 0.00447: 0.3 of a slope of 0.0149."""
    assert pairs_wanted(replace(AIM, slope=0.0148), QUESTION) == 500
    assert pairs_wanted(replace(AIM, slope=0.0150), QUESTION) > 10_000


@pytest.mark.parametrize(("off", "stride"), [(0.0, 1.0), (0.1, 2.0), (0.3, 4.0)])
def test_rungs_lie_further_apart_where_launches_differ_too_much_for_a_narrow_interval(off, stride):
    """2.36 times the standard error of eight launches, 0.04 or 0.11, over a slope of 0.5: 0.17 or 0.5 in log N."""
    sampler = Sampler(
        lambda heads, rounds, launch: [((heads / 1000) ** 0.5 * math.exp(off * (-1) ** launch), 1.0)] * rounds,
        10_000, 0, lambda: None,
    )  # fmt: skip
    for launch in range(1, 9):
        sampler.launch = launch
        for heads in (850, 930, 1010, 1100):
            sampler.visit(heads, 3)
    assert next_aim(sampler, AIM, QUESTION).stride == stride


def test_pairs_that_launches_have_timed_at_the_side_of_a_step_are_not_wanted_again():
    """(5.5 x 1.15 x 0.1 / 0.2)^2 is 10.0, 11 pairs over the launches that are left; noise is known from elsewhere."""
    noisy = iter([0.1, -0.1] * 1000)
    sampler = Sampler(
        lambda heads, rounds, launch: [
            (math.exp(0.2 if heads == 10 else next(noisy) * 1.4142 / 2.9652), 1.0) for _ in range(rounds)
        ],
        10_000, 0, lambda: None,
    )  # fmt: skip
    sampler.visit(20, 100)
    sampler.visit(10, 2)
    wanted = (5.5 * 1.15 * sampler.noise() / 0.2) ** 2
    assert pairs_for_sign(sampler, 10, QUESTION, 1) == math.ceil(wanted)  # those of launch 0 do not count
    sampler.launch = 1
    sampler.visit(10, 4)
    assert pairs_for_sign(sampler, 10, QUESTION, 1) == math.ceil(wanted - 4)


def test_a_launch_builds_no_more_than_forty_places():
    sampler = made(lambda heads: heads / 1000)
    near, others = [930, 1010, 1100], [20_000 + n for n in range(37)]
    for heads in near + others:
        sampler.visit(heads, 1)
    assert set(allocated(sampler, AIM, 100)) == set(near)
