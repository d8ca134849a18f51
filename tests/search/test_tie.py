"""Whether rivals are alike everywhere, on pairs without noise: what is told follows from the level alone."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from harness.search import tie
from tests.search.scripted import QUESTION, sampled

PLACES = (10, 100, 1000)
GOAL = math.log(1.05)


def test_nothing_is_known_unless_every_n_was_looked_at():
    sampler = sampled(lambda n, launch: 0.0, PLACES)
    assert tie.differences_at(sampler, [], GOAL) is None
    assert tie.differences_at(sampler, [10, 11], GOAL) is None
    assert not tie.may_tie(sampler, [10, 11], GOAL)
    assert tie.verdict(sampler, [10, 11], QUESTION) is None
    assert tie.differences_at(sampler, [1000, 10], GOAL).alone == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize(
    ("ratio", "hoped"),
    [
        (lambda n: 0.0, True),
        (lambda n: 0.1, True),  # twice the precision, and the same everywhere: no N is likely to contradict it
        (lambda n: -0.1, True),
        (lambda n: 4.1 * GOAL, False),  # more than four times the precision needs no such help
        (lambda n: -4.1 * GOAL, False),
        (lambda n: 0.15 if n > 50 else -0.15, False),  # far apart at every N, in both directions
    ],
)
def test_a_tie_is_hoped_for_while_no_n_speaks_against_it(ratio, hoped):
    assert tie.may_tie(sampled(lambda n, launch: ratio(n), PLACES), PLACES, GOAL) is hoped


def test_each_of_two_one_sided_tests_may_err_twice_as_often():
    assert tie.one_sided_confidence(QUESTION) == pytest.approx(0.90)
    assert tie.one_sided_confidence(replace(QUESTION, confidence=0.99)) == pytest.approx(0.98)


@pytest.mark.parametrize(("level", "status"), [(0.0, "tie"), (0.01, "tie"), (0.12, "below"), (-0.12, "above")])
def test_the_answer_is_the_levels(level, status):
    sampler = sampled(lambda n, launch: level, PLACES, launches=8)
    found, known = tie.verdict(sampler, PLACES, QUESTION)
    assert found == status
    assert known.level == pytest.approx(level)


def test_an_answer_needs_the_launches_at_every_n():
    assert QUESTION.least_launches == 3
    assert tie.verdict(sampled(lambda n, launch: 0.0, PLACES, launches=2), PLACES, QUESTION) is None
    sampler = sampled(lambda n, launch: 0.0, PLACES, launches=3)
    assert tie.verdict(sampler, PLACES, replace(QUESTION, precision=0.2))[0] == "tie"
    for launch in (1, 2):
        sampler.launch = launch
        sampler.visit(500, 4)
    assert tie.verdict(sampler, (*PLACES, 500), replace(QUESTION, precision=0.2)) is None  # two launches looked there


def test_half_way_between_tie_and_lead_nothing_is_told():
    """Exactly the precision apart: a tie is as likely as not, and a lead of nothing is not."""
    sampler = sampled(lambda n, launch: GOAL, PLACES, launches=4)
    known = tie.differences_at(sampler, PLACES, GOAL)
    assert known.probability_beyond(GOAL) == pytest.approx(0.5, abs=0.02)
    answer = tie.verdict(sampler, PLACES, QUESTION, early=True)
    assert answer is None  # early, a lead is told only where a tie is out of the question


def test_early_answers_may_err_a_fifth_as_often():
    sampler = sampled(lambda n, launch: 0.0, PLACES, launches=4)
    known = tie.differences_at(sampler, PLACES, GOAL)
    beyond = known.probability_beyond(GOAL)
    between = replace(QUESTION, confidence=1 - 1.5 * beyond)  # 2 x 1.5 times what is known: enough late, not early
    assert tie.verdict(sampler, PLACES, between)[0] == "tie"
    assert tie.verdict(sampler, PLACES, between, early=True) is None
    sure = replace(QUESTION, confidence=1 - 2.6 * beyond)  # 2 x 2.6 / 5 is just enough
    assert tie.verdict(sampler, PLACES, sure, early=True)[0] == "tie"


def test_what_an_answer_rests_on_is_said():
    sampler = sampled(lambda n, launch: math.log(1.02), PLACES, launches=4)
    known = tie.differences_at(sampler, PLACES, GOAL)
    seen = "over 3 N and 5 launches the baseline's time differs from the challenger's by +2.0% on average"
    assert tie.explained("below", known, sampler, QUESTION) == seen
    most = math.expm1(known.smallest_margin(0.9))
    assert tie.explained("tie", known, sampler, QUESTION) == (
        f"{seen}, and at no N by more than {most:.1%} either way (90% confidence)"
    )


def test_pairs_go_where_one_stands_out_and_what_costs_no_more_is_kept():
    sampler = sampled(lambda n, launch: 0.0, PLACES, launches=1, pairs=3)
    assert tie.pairs_wanted(sampler, PLACES, QUESTION, 2, {10: 3}) == {10: 3, 100: 3, 1000: 3}  # at least three at each
    assert tie.pairs_wanted(sampler, PLACES, QUESTION, 2, {10: 5, 7: 2}) == {10: 5, 100: 3, 1000: 3, 7: 2}
    assert tie.pairs_wanted(sampler, PLACES, QUESTION, 2, {10: 50}) == {10: 3, 100: 3, 1000: 3}  # dearer: given up
    assert tie.pairs_wanted(sampler, (10, 11), QUESTION, 2, {10: 50}) == {10: 50}  # nothing is known of 11
