"""What is stated of a change of the lead: at declared steps, at steps that were only found, and between."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.search.bracketing import Jump, Smooth
from harness.search.confirmation import Question, first_aim
from harness.search.outcomes import contradicting_launches, jump_outcome, smooth_outcome
from harness.search.sampler import Sampler

QUESTION = Question(
    low=1, high=1000, precision=0.05, confidence=0.95, launches=8, budget=20_000, capped=True, known=False
)


def launched(levels, noise=0.002):
    """A sampler that saw these log-ratios, by N, in launches 1 to 8."""
    random = np.random.default_rng(0)

    def measure(heads, rounds, _launch):
        return [(math.exp(levels[heads] + noise * random.standard_normal()), 1.0) for _ in range(rounds)]

    sampler = Sampler(measure, 100_000, 0, lambda: None)
    for launch in range(1, 9):
        sampler.launch = launch
        sampler.visit_each(dict.fromkeys(levels, 4))
    return sampler


def stated(levels, *, declared):
    jump = Jump(130, 131, -1, 1, declared=declared)
    return jump_outcome(launched(levels), jump, QUESTION, (False, False))


def test_a_declared_step_is_the_interval_however_slight_the_lead_beside_it():
    outcome = stated({120: -0.08, 130: -0.01, 131: 0.01, 140: 0.08}, declared=True)
    assert (outcome.crossing.low, outcome.crossing.high, outcome.crossing.kind) == (130, 131, "step")


def test_a_found_step_with_a_clear_lead_on_both_sides_is_the_interval():
    outcome = stated({120: -0.12, 130: -0.10, 131: 0.10, 140: 0.12}, declared=False)
    assert (outcome.crossing.low, outcome.crossing.high, outcome.crossing.kind) == (130, 131, "step")
    assert outcome.notes == ()


@pytest.mark.parametrize(
    ("levels", "low", "high"),
    [
        ({120: -0.12, 130: -0.10, 131: 0.01, 135: 0.015, 140: 0.08}, 130, 140),
        ({115: -0.11, 120: -0.08, 130: -0.01, 131: 0.10, 140: 0.12}, 120, 131),
        ({120: -0.08, 130: -0.01, 131: 0.01, 140: 0.08}, 120, 140),
    ],
)
def test_a_found_step_with_a_slight_lead_beside_it_is_told_up_to_where_the_lead_is_clear(levels, low, high):
    outcome = stated(levels, declared=False)
    assert (outcome.crossing.low, outcome.crossing.heads, outcome.crossing.high) == (low, 131, high)
    assert outcome.crossing.kind == "smooth"
    assert "slight" in outcome.notes[0]


def test_the_interval_at_a_found_step_does_not_reach_over_another_change_of_the_lead():
    outcome = stated({120: -0.12, 130: -0.10, 131: 0.01, 140: -0.08, 150: 0.2}, declared=False)
    assert outcome.crossing.high == 131


def test_a_found_step_is_told_as_wide_where_its_interval_is_wider_than_was_wanted():
    assert stated({100: -0.12, 130: -0.01, 131: 0.01, 170: 0.12}, declared=False).missed
    assert not stated({120: -0.08, 130: -0.01, 131: 0.01, 133: 0.08}, declared=False).missed


@pytest.mark.parametrize(
    ("leads", "sides"),
    [
        ((0.1,) * 8, None),
        ((0.36, -0.1, 0.36, -0.1, 0.36, -0.1, 0.36, -0.1), (4, 4)),
        ((0.36,) * 6 + (-0.1,) * 2, (6, 2)),
        ((0.36,) * 7 + (-0.1,), None),  # one of them may have been disturbed
        ((0.03, -0.03) * 4, None),  # too little to count against the others
    ],
)
def test_launches_contradict_each_other_where_several_see_a_clear_lead_on_either_side(leads, sides):
    sampler = Sampler(lambda _, rounds, launch: [(math.exp(leads[launch - 1]), 1.0)] * rounds, 100_000, 0, lambda: None)
    for launch in range(1, 9):
        sampler.launch = launch
        sampler.visit_each({100: 4})
    assert contradicting_launches(sampler, 100) == sides


@pytest.mark.parametrize(("before", "kind"), [(0, "open"), (-1, "lacking")])
def test_an_end_of_the_range_that_was_measured_without_its_neighbours_is_open_and_nothing_is_lacking(before, kind):
    seen = launched({18: 0.01, 40: 0.14})  # launches that looked for a tie timed the places found at first alone
    target = Smooth(18, 40, before, 1)
    assert smooth_outcome(seen, first_aim(seen, target), QUESTION).kind == kind
