"""The search on a fixed grid, on machines whose true crossings are known."""

from __future__ import annotations

import numpy as np
import pytest

from harness.search import BudgetSpent, Unmeasurable
from harness.search.grid import FIRST_LOOK, locate_on_grid
from tests.simulation import curves
from tests.simulation.fake_machine import FakeMachine

RUNS = 24


def spaced(rivals, count):
    return [round(n) for n in np.geomspace(rivals.low, rivals.high, count)]


def search(rivals, count=17, seed=0, measure=None, machine=None, **more):
    made = FakeMachine(rivals.baseline, rivals.challenger, seed=seed, **(machine or {}))
    points = spaced(rivals, count)
    how = {"points": points, "steps": rivals.steps, "seed": seed, **more}
    return locate_on_grid(measure or made.measure, rivals.low, rivals.high, **how)


def holds(location, truth):
    return len(location.crossings) == len(truth) and all(
        each.low <= place <= each.high for each, place in zip(location.crossings, truth, strict=True)
    )


@pytest.mark.parametrize(
    ("rivals", "count", "machine"),
    [
        (curves.STEEP.between(64, 16_384), 25, {}),
        (curves.SMOOTH.between(64, 16_384), 25, {}),
        (curves.SMOOTH.between(64, 16_384), 25, {"launch_effect": 0.03, "launch_heads_effect": 0.01}),
        (curves.POWERS.between(16, 65_536), 9, {}),
    ],
    ids=["steps", "smooth", "launch effects", "coarse"],
)
def test_intervals_hold_as_often_as_they_say(rivals, count, machine):
    found = [search(rivals, count, seed, machine=machine) for seed in range(RUNS)]
    resolved = [each for each in found if each.status == "crossing"]
    assert len(resolved) >= 0.95 * RUNS
    assert np.mean([holds(each, rivals.truth) for each in resolved]) >= 0.93
    assert {each.heads for each in found[0].probes} >= set(spaced(rivals, count))


def test_close_points_narrow_the_interval_below_the_distance_between_them_where_that_tells_more():
    rivals = curves.SMOOTH.between(256, 4096)
    fine, coarse = search(rivals, 33), search(rivals, 5)
    (near,), (far,) = fine.crossings, coarse.crossings
    assert near.high - near.low < (far.high - far.low) / 2
    assert (far.low, far.high) in zip(spaced(rivals, 5), spaced(rivals, 5)[1:], strict=False)
    assert "between which of its points" in " ".join(coarse.notes)


def test_a_change_at_a_step_is_told_as_one():
    rivals = curves.make("drop", lambda n: 100.0, lambda n: 160.0 if n <= 256 else 60.0, (256,), 16, 4096)
    (crossing,) = search(rivals, 5).crossings
    assert (crossing.low, crossing.heads, crossing.high, crossing.kind) == (256, 257, 257, "step")


def test_three_crossings_are_never_told_as_one():
    found = [search(curves.THREE.between(16, 4096), 17, seed) for seed in range(12)]
    assert {each.status for each in found} <= {"several", "crossing"}
    for each in found:
        assert each.decision.below <= min(curves.THREE.truth) < max(curves.THREE.truth) <= each.decision.above
    assert any(len(each.crossings) == 3 and holds(each, curves.THREE.truth) for each in found)


@pytest.mark.parametrize(("rivals", "status"), [("BASELINE_FIRST", "above"), ("CHALLENGER_FIRST", "below")])
def test_one_who_always_leads_is_named(rivals, status):
    found = [search(getattr(curves, rivals).between(16, 4096), 9, seed).status for seed in range(10)]
    assert found == [status] * 10


def test_equal_rivals_never_cross():
    found = [search(curves.IDENTICAL.between(16, 4096), 9, seed) for seed in range(12)]
    assert {each.status for each in found} <= {"tie", "unresolved"}


def test_every_point_is_visited_in_every_launch_and_launches_ascend():
    asked = []
    rivals = curves.POWERS.between(16, 1024)
    machine = FakeMachine(rivals.baseline, rivals.challenger)

    def measure(heads, rounds, launch):
        asked.append((heads, rounds, launch))
        return machine.measure(heads, rounds, launch)

    search(rivals, 5, measure=measure, launches=3)
    assert [launch for _, _, launch in asked] == sorted(launch for _, _, launch in asked)
    for launch in range(4):
        assert sorted(n for n, _, number in asked if number == launch) == spaced(rivals, 5)
    assert {rounds for _, rounds, launch in asked if launch == 0} == {FIRST_LOOK}


def test_an_n_that_cannot_be_measured_is_left_out():
    rivals = curves.STEEP.between(64, 16_384)
    machine = FakeMachine(rivals.baseline, rivals.challenger)

    def measure(heads, rounds, launch):
        if heads == 16_384:
            raise Unmeasurable(heads, "memory ran out")
        return machine.measure(heads, rounds, launch)

    found = search(rivals, 9, measure=measure)
    assert found.status == "crossing"
    (failures,) = found.failures
    assert (failures.low, failures.high, failures.next_good, failures.reason) == (
        16_384,
        16_384,
        None,
        "memory ran out",
    )
    assert found.measured == (64, found.probes[-1].heads)
    assert found.measured[1] < 16_384


@pytest.mark.parametrize("budget", [2, 40, 300])
def test_a_spent_budget_leaves_the_bracket_it_had(budget):
    rivals = curves.STEEP.between(64, 16_384)
    found = search(rivals, 9, budget=budget)
    assert found.status == "unresolved"
    assert found.samples <= budget
    assert found.crossings == ()
    assert f"the budget of {budget:,} samples" in found.notes[0]
    if budget == 300:
        assert found.bracket[0] <= rivals.truth[0] <= found.bracket[1]


def test_a_caller_who_gives_no_more_is_quoted():
    def measure(heads, rounds, launch):
        raise BudgetSpent("the budget of 9 s is spent")

    assert search(curves.STEEP, 5, measure=measure).notes[0] == "the budget of 9 s is spent"


def test_the_same_seed_gives_the_same_answer():
    rivals = curves.SMOOTH.between(64, 16_384)
    assert search(rivals, 9, 3) == search(rivals, 9, 3)


@pytest.mark.parametrize(
    ("low", "high", "more"), [(9, 9, {}), (0, 9, {}), (1, 9, {"budget": 1}), (1, 9, {"launches": 0})]
)
def test_a_question_that_makes_no_sense_is_refused(low, high, more):
    with pytest.raises(ValueError, match=r"must be below|N starts at 1|one pair costs|at least one launch"):
        locate_on_grid(lambda *_: [], low, high, **more)


def test_a_budget_is_shared_out_over_all_launches():
    rivals = curves.IDENTICAL.between(16, 4096)
    asked = []

    def measure(heads, rounds, launch):
        asked.append((launch, rounds))
        return FakeMachine(rivals.baseline, rivals.challenger, seed=len(asked)).measure(heads, rounds, launch)

    found = search(rivals, 5, measure=measure, budget=600)
    assert found.samples <= 600
    assert {launch for launch, _ in asked} == set(range(9))
    assert "budget" not in " ".join(found.notes)


def exact(ratio, low, high, **how):
    """The answer where nothing is left to chance: `ratio(N)` is the challenger's lead."""
    return locate_on_grid(lambda heads, rounds, _: [(ratio(heads), 1.0)] * rounds, low, high, **how)


def test_both_sides_of_a_step_at_the_first_n_are_points():
    found = exact(lambda n: 1.5, 16, 256, steps=(16, 64, 256))
    assert [each.heads for each in found.probes] == [16, 17, 64, 65, 256]  # nothing lies behind the last N


def test_a_lead_at_fewer_than_one_of_three_points_is_none():
    points = (1, 2, 4, 8, 16, 32, 64)
    found = exact(lambda n: 1.5 if n in (2, 32) else 1.0, 1, 64, points=points)
    assert (found.status, found.crossings) == ("unresolved", ())
    assert found.notes == ("no significant difference at grid points N = 1, 2, 4, 8 and 3 more",)
    more = exact(lambda n: 1.5 if n in (2, 8, 32) else 1.0, 1, 64, points=points)
    assert not any("at grid points" in note for note in more.notes)


def test_a_change_of_the_lead_around_what_cannot_be_measured_is_named_with_its_ends():
    def measure(heads, rounds, launch):
        if heads == 16:
            raise Unmeasurable(heads, "it broke")
        return [(1.5 if heads > 16 else 0.5, 1.0)] * rounds

    found = locate_on_grid(measure, 1, 256, points=(4, 16, 64))
    assert (found.status, found.bracket) == ("unresolved", (4, 64))
    assert found.notes[0] == "the lead changes between N = 4 and 64, where N = 16 could not be measured: it broke"
