"""From zones to one decision, with the evidence written down: who leads where, and by how much at most."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest

from harness.search.bracketing import Jump, Smooth, Step, Undecided
from harness.search.outcomes import Outcome
from harness.search.result import Crossing
from harness.search.verdict import decide, first_few
from tests.search.answers import crossing
from tests.search.scripted import QUESTION

RISE = Smooth(100, 200, -1, 1)
OPEN = Outcome("open")


@dataclass
class Known:
    """Evidence by hand: signs at the N that were measured, and the leads of both sides anywhere."""

    signs: dict[int, int]
    leads: dict[int, float] = field(default_factory=lambda: {1: 0.5, -1: 0.5})
    contradictory: tuple[int, ...] = ()

    @property
    def places(self):
        return sorted(self.signs)

    def leader_at(self, heads):
        return self.signs.get(heads, 0)

    def lead_bound(self, low, high, side):
        return self.leads[side]

    def largest_lead(self, low, high):
        return max(self.leads.values())

    def stated_lead(self, low, high):
        return 2 * self.largest_lead(low, high)

    def is_inconsistent(self, heads):
        return heads in self.contradictory

    def is_contradictory(self, low, high):
        return any(low <= each <= high for each in self.contradictory)


def outcome(found):
    return Outcome("crossing", found)


def test_without_zones_nothing_is_to_be_decided():
    assert decide([], Known({}), QUESTION, []).decision is None
    assert decide([(RISE, Outcome("none"))], Known({}), QUESTION, []).spans == ()


def test_a_confirmed_crossing_is_the_decision():
    found = crossing(150, low=140, high=160)
    answer = decide([(RISE, outcome(found))], Known({100: -1, 200: 1}), QUESTION, [])
    assert answer.crossings == (found,)
    assert (answer.unconfirmed, answer.lacks, answer.notes) == ((), (), ())
    decision = answer.decision
    assert (decision.below, decision.above) == (140, 160)
    assert (decision.before, decision.after, decision.confidence) == ("baseline", "challenger", 0.95)
    assert decision.at_most == pytest.approx(math.e - 1)  # what is stated, 2 x 0.5
    assert answer.spans == ((140, 160),)


def test_what_surely_lies_around_an_open_place_decides_with_the_whole_zone():
    answer = decide([(RISE, OPEN)], Known({100: -1, 200: 1}), QUESTION, [])
    assert answer.crossings == (Crossing(141, 100, 200, "challenger", 0.95, "smooth"),)  # the root of 100 x 200
    assert (answer.decision.below, answer.decision.above) == (100, 200)
    step = Jump(150, 151, -1, 1)
    answer = decide([(step, OPEN)], Known({100: -1, 150: -1, 151: 1, 200: 1}), QUESTION, [Step(150, 151)])
    assert (answer.decision.below, answer.decision.above) == (150, 151)


def test_a_small_lead_of_the_other_within_is_a_note_and_no_decision():
    answer = decide([(Undecided(150, 0), OPEN)], Known({100: 1, 150: 0, 200: 1}, {1: 0.5, -1: 0.02}), QUESTION, [])
    assert (answer.decision, answer.lacks) == (None, ())
    assert answer.notes == ("between N = 100 and 200 the baseline leads by at most 2.0%, if at all",)
    beyond = decide([(Undecided(150, 0), OPEN)], Known({100: 1, 150: 0, 200: 1}, {1: 0.5, -1: 0.06}), QUESTION, [])
    assert beyond.notes == ()  # 6 % is more than the 5 % that count as no difference
    assert (beyond.decision.before, beyond.decision.after) == ("challenger", "challenger")
    assert beyond.crossings == ()


def test_launches_that_contradict_each_other_are_what_is_lacking():
    known = Known({100: 1, 150: 0, 200: 1}, contradictory=(150,))
    answer = decide([(Undecided(150, 0), OPEN)], known, QUESTION, [])
    assert answer.lacks == ("launches contradict each other at N = 150",)
    assert (answer.decision, answer.bracket) == (None, (100, 200))
    smooth = decide([(RISE, OPEN)], Known({100: -1, 200: 1}, contradictory=(100, 200)), QUESTION, [])
    assert smooth.lacks == ()  # a smooth change is fitted: single N say little of it


@pytest.mark.parametrize(("lead", "lacking"), [(0.5, True), (math.log(1.2), False)])
def test_an_end_of_the_range_that_nobody_is_sure_of_is_decided_where_little_depends_on_it(lead, lacking):
    known = Known({150: 0, 200: 1}, {1: lead, -1: lead})
    answer = decide([(Undecided(150, 0), OPEN)], known, QUESTION, [])
    if lacking:
        assert answer.lacks == ("inconclusive from N = 150 to 200: either contender may lead there by up to 65%",)
        assert answer.bracket == (150, 200)
    else:
        assert answer.lacks == ()
        assert (answer.decision.before, answer.decision.after) == ("challenger", "challenger")


def test_no_side_that_is_known_is_no_decision_however_little_depends_on_it():
    answer = decide([(Undecided(150, 0), OPEN)], Known({150: 0}, {1: 0.06, -1: 0.06}), QUESTION, [])
    assert answer.lacks == ("inconclusive from N = 150 to 150: either contender may lead there by up to 6%",)


def test_an_unclear_zone_keeps_what_the_clear_ones_found():
    """Two zones that are far from each other: one confirmed crossing, and one place at which launches contradict."""
    found = crossing(20, low=18, high=22)
    known = Known({10: -1, 30: 1, 500: 1, 600: 0, 700: 1}, contradictory=(600,))
    answer = decide([(Smooth(10, 30, -1, 1), outcome(found)), (Undecided(600, 0), OPEN)], known, QUESTION, [])
    assert answer.crossings == (found,)
    assert answer.decision is None
    assert answer.lacks == ("launches contradict each other at N = 600",)
    assert answer.bracket == (500, 700)


@pytest.mark.parametrize(
    ("places", "text"),
    [([1], "1"), ([1, 2, 3, 4000], "1, 2, 3, 4,000"), ([1, 2, 3, 4, 5], "1, 2, 3, 4 and 1 more"), ([], "")],
)
def test_at_most_four_n_are_named(places, text):
    assert first_few(places) == text


def test_who_leads_after_the_last_crossover_leads_beyond_an_open_end():
    """Little is at stake anywhere, so that all is one zone; who leads at 600, its last N, is not known."""
    up, down = crossing(150, low=140, high=160), crossing(350, "baseline", low=340, high=360)
    known = Known({100: -1, 200: 1, 300: 1, 400: -1, 600: 0}, {1: 0.1, -1: 0.1})
    changes = [(RISE, outcome(up)), (Smooth(300, 400, 1, -1), outcome(down)), (Undecided(600, -1), OPEN)]
    answer = decide(changes, known, QUESTION, [])
    assert answer.crossings == (up, down)
    assert (answer.decision.before, answer.decision.after) == ("baseline", "baseline")
