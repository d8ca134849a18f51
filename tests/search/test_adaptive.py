"""Single steps of a search by hand: what a small budget cuts, what launches overrule, what is told on the way."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace

import pytest

from harness.search.adaptive import Search
from harness.search.bracketing import Jump, Smooth, Step
from harness.search.result import BudgetSpent, Pair
from tests.search.scripted import QUESTION


def search(ratio, question=QUESTION, steps=(), report=None):
    """Log-ratios without noise, as a function of N and the launch gives them."""
    return Search(
        question,
        list(steps),
        lambda n, rounds, launch: [Pair(math.exp(ratio(n, launch)), 1.0)] * rounds,
        0,
        None,
        report,
    )


def line(n, launch=0):
    """The challenger leads above 100."""
    return 0.5 * math.log(n / 100)


def test_the_bracket_of_launch_0_holds_the_crossing_and_is_narrowed_down():
    found = search(line)
    assert found.bracket() == (1, 1000, None)  # nothing was seen yet
    found.explore()
    low, high, estimate = found.bracket()
    assert low <= estimate <= high
    assert estimate == pytest.approx(100, abs=3)
    assert high / low < 1.3
    assert (found.stage, found.budget_bound, found.notes) == ("refine", False, [])
    (target,) = found.targets()
    assert isinstance(target, Smooth)
    assert (target.before, target.after) == (-1, 1)


def test_a_step_is_bracketed_between_its_two_sides():
    found = search(lambda n, launch: -0.5 if n <= 256 else 0.5, steps=[256])
    found.explore()
    assert found.targets() == [Jump(256, 257, -1, 1)]
    assert found.bracket() == (256, 257, 257)
    assert found.visible  # where costs jump there, the pairs show it


def test_a_budget_too_small_for_a_scan_halves_and_says_so():
    found = search(line, replace(QUESTION, budget=40, capped=False))
    with contextlib.suppress(BudgetSpent):
        found.explore()
    assert found.budget_bound
    assert found.notes[0] == "budget too small for a full scan: only one crossover is searched for"
    low, high, _ = found.bracket()
    assert low < 100 < high


@pytest.mark.parametrize("capped", [True, False])
def test_pairs_beyond_the_budget_are_cut_in_proportion(capped):
    found = search(line, replace(QUESTION, capped=capped))
    assert found._cut({1: 3, 2: 4}, 7) == {1: 3, 2: 4}
    assert (found.budget_bound, found.limit_reached) == (False, False)
    cut = found._cut({1: 10, 2: 20, 3: 30}, 30)
    assert cut == {1: 5, 2: 10, 3: 15}
    assert (found.budget_bound, found.limit_reached) == (
        not capped,
        capped,
    )  # the caller's budget, or the maximum of every search
    few = found._cut({1: 10, 2: 10, 3: 10}, 4)
    assert sum(few.values()) == 4
    assert sorted(few.values()) == [1, 1, 2]
    assert sum(found._cut(dict.fromkeys(range(10), 1), 3).values()) == 3
    assert len(found._cut(dict.fromkeys(range(10), 1), 3)) == 3  # those that get nothing are left out


def test_launches_that_see_the_other_lead_overrule_a_weak_sign():
    found = search(lambda n, launch: -0.1 if launch else 0.1)
    found.sampler.visit(50, 4)
    found.signs, found.weak = {50: 1}, [50]
    for launch in range(1, 13):
        found.sampler.launch = launch
        found.sampler.visit(50, 4)
        found._reconsider_signs()
        assert found.signs[50] == (1 if launch <= 4 else -1), launch  # not before four launches are over


def test_what_launch_0_left_open_beside_a_step_is_told_after_three_launches():
    found = search(lambda n, launch: 0.1, steps=[50])
    found.signs, found.weak = {50: 0, 51: 1}, [50]
    assert found._beside_step(50)
    assert not found._beside_step(52)
    for launch in range(1, 6):
        found.sampler.launch = launch
        found.sampler.visit(50, 4)
        found._reconsider_signs()
        assert found.signs[50] == (0 if launch <= 3 else 1), launch
    found.signs[51] = 0
    assert not found._beside_step(50)  # nobody leads on the other side


def test_a_side_of_a_step_is_doubted_where_three_launches_hardly_see_its_lead():
    goal = QUESTION.goal
    for level, doubted in ((0.4 * goal, True), (0.6 * goal, False), (-goal, True)):
        found = search(lambda n, launch, level=level: level, steps=[50])
        found.signs = {50: 1, 60: 1}
        for launch in (1, 2):
            found.sampler.launch = launch
            found.sampler.visit(50, 4)
        assert not found._is_doubted(50)  # two launches
        found.sampler.launch = 3
        found.sampler.visit(50, 4)
        assert found._is_doubted(50) is doubted
        assert not found._is_doubted(60)  # no side of a step


def test_a_window_reaches_on_to_the_next_place_but_not_across_a_step_or_another_lead():
    found = search(line)
    found.signs = {10: -1, 50: -1, 200: 1, 900: 1}
    target = Smooth(50, 200, -1, 1)
    assert (found._around(target).low, found._around(target).high) == (10, 900)
    found.signs[900] = -1
    assert found._around(target).high == 200
    found.signs[10] = 1
    assert found._around(target).low == 50
    found.signs = {10: -1, 50: -1, 200: 1, 900: 1}
    found.steps = [Step(20, 21), Step(300, 301)]
    assert (found._around(target).low, found._around(target).high) == (50, 200)
    found.signs = {50: -1, 200: 1}
    assert (found._around(target).low, found._around(target).high) == (50, 200)  # the ends of the range


def test_what_is_taken_back_is_no_sign():
    found = search(line)
    found.signs = {1: -1, 2: 0, 3: 1}
    found.forget([1, 3, 4])
    assert found.signs == {2: 0}


def test_a_change_in_time_is_said_to_be_none_in_n():
    found = search(line)
    found._refute(Step(1500, 1501), "it was gone")
    assert found.notes == ["suspected step between N = 1,500 and 1,501 rejected (a change in time): it was gone"]
    assert found.findings() == []


def test_more_launches_are_of_no_use_where_the_budget_was_the_bound():
    found = search(line)
    found.explore()
    found.confirm()
    samples = found.sampler.samples
    assert found.sampler.launch == 4
    assert found.extend(2)
    assert found.sampler.launch == 6
    assert found.sampler.samples > samples
    found.budget_bound = True
    assert not found.extend(2)
    found.budget_bound, found.limit_reached = False, True
    assert not found.extend(2)
    assert found.sampler.launch == 6


def test_progress_is_told_after_every_batch():
    seen = []
    found = search(line, report=seen.append)
    found.explore()
    found.confirm()
    assert [each.stage for each in seen[:1]] == ["bracket"]
    assert {each.stage for each in seen} == {"bracket", "refine", "confirm"}
    assert [each.samples for each in seen] == sorted(each.samples for each in seen)
    assert (seen[0].low, seen[0].high, seen[0].estimate) == (1, 1000, None)
    assert (seen[-1].launch, seen[-1].samples) == (4, found.sampler.samples)
