"""A/A: an honest machine passes; a bias of a machine that favours one twin is seen, and widens intervals."""

from __future__ import annotations

import dataclasses
import math

import pytest

from harness.analysis.self_check import Point, check, judge
from harness.analysis.statistics import Interval
from harness.analysis.summary import summarise
from tests.synthetic import Maker


def test_an_honest_machine_shows_no_bias_but_in_one_of_a_hundred_runs():
    seen = sum(check(Maker(seed=seed).self_check().measurements).passed is False for seed in range(300))
    assert seen <= 9  # 1 % of 300 is 3; more than 9 would be a chance of 0.1 %


def point(low, high, launches=8):
    found = Interval(math.sqrt(low * high), low, high, launches)
    return Point("itself", 256, 32, found)


def test_two_of_three_at_95_percent_are_more_than_chance_and_one_is_not():
    """By hand: of three races of equals, two or more differ with a chance of 3 0.05² 0.95 + 0.05³ = 0.0073."""
    same, apart = point(0.98, 1.02), point(1.011, 1.041)
    assert judge([apart, apart, same]).bias == pytest.approx(math.log(math.sqrt(1.011 * 1.041)))
    maker = Maker(sigma=1e-3, launch_sigma=1e-3).self_check()
    one = dataclasses.replace(check(maker.measurements).points[0], ratio=apart.ratio)  # at 95 % alone, not jointly
    assert judge([one, same, same]).passed is True


def test_it_says_what_it_could_have_seen():
    found = check(Maker().self_check().measurements)
    assert found.passed is True
    assert 0.005 < found.resolvable < 0.10
    assert found.sentence == (
        "A/A test passed: differences in 0 of 1 race of a contender against itself; "
        f"smallest detectable difference right now: {found.resolvable:.1%}"
    )


def test_one_that_could_not_have_seen_anything_has_not_passed():
    found = judge([point(0.5, 2.0, launches=2)])
    assert (found.passed, found.bias) == (None, 0.0)
    assert found.sentence == (
        "A/A test inconclusive: with 2 launches, differences below 100% could not be seen; "
        "use more launches (measurement.launches)"
    )


def test_a_bias_widens_what_it_can_spoil_and_withdraws_nothing(made):
    honest = summarise(made.evidence(), made.located)
    biased = summarise(Maker().table().self_check(bias=1.2).evidence(), made.located)
    assert biased.self_check.passed is False
    assert biased.self_check.sentence.startswith("A/A test found a bias of")
    assert {each.leader for each in biased.races} == {"baseline", "challenger", None}
    slight = [each for each in biased.races if abs(math.log(each.slowdown.value)) < math.log(1.19)]
    assert all(each.leader is None for each in slight)
    for one, other in zip(honest.searches, biased.searches, strict=True):
        assert one.located.location.status == other.located.location.status
        for before, after in zip(one.located.location.crossings, other.located.location.crossings, strict=True):
            assert after.low <= before.low
            assert after.high >= before.high
            assert after.high / after.low > before.high / before.low


def test_without_one_nothing_is_known():
    found = check(Maker().table(launches=1).measurements)
    assert found.passed is None
    assert found.sentence == "A/A test not run: how large a difference this machine shows between equals is unknown"


def test_a_single_launch_is_too_few():
    assert check(Maker().self_check(launches=1).measurements).sentence == (
        "A/A test inconclusive: there was only one launch; use more (measurement.launches)"
    )


@pytest.mark.parametrize("bias", [1.004, 0.996])
def test_a_difference_that_misleads_nobody_is_harmless(bias):
    maker = Maker(sigma=1e-4, launch_sigma=1e-5).self_check(bias=bias)
    assert check(maker.measurements).passed is True


def test_what_blocks_add_is_told_beside_what_alternation_shows():
    maker = Maker(sigma=1e-3, launch_sigma=1e-3).self_check()
    assert check(maker.measurements).in_blocks == ""
    found = check(maker.self_check(bias=1.05, purpose="self-check-blocked").measurements)
    assert found.passed is True  # blocks judge nothing
    assert found.in_blocks.startswith("all samples of one, then all of the other: a contender is up to 5.")
    assert "against 0." in found.in_blocks


def test_what_it_could_have_seen_is_the_median_of_the_widths():
    """Of 1 %, 2 % and 4 %: half-widths are exp(log(high / low) / 2) - 1."""
    points = [point(1 / (1 + width), 1 + width) for width in (0.04, 0.01, 0.02)]
    assert judge(points).resolvable == pytest.approx(0.02)


def test_launch_0_counts_only_where_there_is_no_other():
    maker = Maker(sigma=1e-6, launch_sigma=1e-6)
    for launch in (0, 1, 2):
        maker.visit(["student", "student"], 1024, 1, launch, 3, "self-check")
    (found,) = check(maker.measurements).points
    assert found.ratio.launches == 2
    alone = check([each for each in maker.measurements if each.launch == 0]).points
    assert alone[0].ratio.launches == 1


def test_half_a_visit_says_nothing():
    maker = Maker()
    maker.visit(["student", "student"], 1024, 1, 1, 3, "self-check")
    assert check(maker.measurements[:1]).points == ()


def test_blocks_of_a_run_that_was_cut_off_before_any_alternation_say_nothing():
    maker = Maker(sigma=1e-3, launch_sigma=1e-3).self_check(purpose="self-check-blocked")
    assert check(maker.measurements).in_blocks == ""
