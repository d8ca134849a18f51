"""A/A: an honest machine passes, a machine that favours one seat fails and takes the verdicts with it."""

from __future__ import annotations

import pytest

from harness.analysis.selfcheck import check
from harness.analysis.summary import summarise
from tests.synthetic import Maker


def test_an_honest_machine_passes_about_as_often_as_it_should():
    passed = sum(bool(check(Maker(seed=seed).self_check().measurements).passed) for seed in range(200))
    assert passed >= 194


def test_one_race_at_the_edge_of_its_interval_does_not_cost_a_run_its_verdicts():
    at_the_edge = [
        found
        for found in (check(Maker(seed=seed).self_check().measurements) for seed in range(200))
        if found.false_verdicts and found.passed
    ]
    assert 2 <= len(at_the_edge) <= 16
    sentence = "1 of 1 A/A races saw a difference between a contender and itself, which chance explains; "
    assert all(sentence in found.sentence for found in at_the_edge)


def test_it_says_what_it_can_tell():
    found = check(Maker().self_check().measurements)
    assert found.passed is True
    assert 0.005 < found.resolvable < 0.10
    assert found.sentence == (
        "self-check passed: 0 of 1 A/A races saw a difference between a contender and itself; "
        f"differences below {found.resolvable:.1%} cannot be told on this machine now"
    )


def test_a_biased_machine_fails_and_verdicts_are_downgraded(made):
    maker = Maker().table().self_check(bias=1.2)
    found = summarise(maker.evidence(), made.located)
    assert found.self_check.passed is False
    assert found.self_check.sentence.startswith("self-check failed: 1 of 1 A/A races saw a difference")
    assert all(each.leader is None for each in found.races)
    assert all("downgraded: the self-check failed" in each.reservations for each in found.legs)


def test_without_one_nothing_is_known():
    found = check(Maker().table(launches=1).measurements)
    assert found.passed is None
    assert found.sentence == "no self-check was made: how often this machine misleads is not known"


def test_a_single_launch_is_too_few():
    assert check(Maker().self_check(launches=1).measurements).sentence == (
        "the self-check has a single launch, too few to judge this machine"
    )


@pytest.mark.parametrize("bias", [1.004, 0.996])
def test_a_difference_that_misleads_nobody_is_harmless(bias):
    maker = Maker(sigma=1e-4, launch_sigma=1e-5).self_check(bias=bias)
    assert check(maker.measurements).passed is True
