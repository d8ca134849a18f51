"""Where to look first, and what signs say, by worked examples."""

from __future__ import annotations

import itertools
import math

import pytest

from harness.search import locate
from harness.search.bracketing import (
    Jump,
    Smooth,
    Step,
    Undecided,
    bracket_by_bisection,
    initial_probes,
    most_pairs,
    reconfirm,
    rungs,
    sample_until_decided,
    targets,
)
from harness.search.result import Pair
from harness.search.sampler import Sampler

STEP = Step(40, 41)


def test_both_ends_and_both_sides_of_each_step_are_probed():
    points, thinned = initial_probes(1, 100, [Step(10, 11), STEP], known=True)
    assert {1, 10, 11, 40, 41, 100} <= set(points)
    assert thinned == 0
    assert points == sorted(points)


def test_neighbours_lie_a_factor_of_two_apart_where_steps_are_unknown_and_four_where_known():
    assert initial_probes(1, 1024, [], known=False)[0] == [2**i for i in range(11)]
    assert initial_probes(1, 1024, [], known=True)[0] == [4**i for i in range(6)]


def test_too_many_steps_are_thinned_out_and_counted():
    points, thinned = initial_probes(1, 10**6, [Step(1000 * i, 1000 * i + 1) for i in range(1, 31)], known=True)
    assert thinned == 30 - 11
    assert {1000, 1001, 30_000, 30_001} <= set(points)


def test_no_probe_is_set_between_the_sides_of_a_step_that_is_wide():
    assert [n for n in initial_probes(1, 1000, [Step(10, 640)], known=True)[0] if 10 < n < 640] == []


def test_pairs_at_a_probe_are_limited_by_the_difference_that_matters():
    assert most_pairs(0.1, 0.05) == math.ceil((3.5 * 1.15 * 2) ** 2)
    assert most_pairs(0.001, 0.05) == 12
    assert most_pairs(1.0, 0.01) == 400


def test_one_change_between_two_decided_n_is_smooth():
    assert targets({1: -1, 10: -1, 40: 1, 100: 1}, []) == [Smooth(10, 40, -1, 1)]


def test_a_change_at_the_sides_of_a_step_is_a_jump():
    assert targets({1: -1, 40: -1, 41: 1, 100: 1}, [STEP]) == [Jump(40, 41, -1, 1)]


def test_an_open_side_of_a_step_leaves_the_change_behind_or_before_it():
    assert targets({1: -1, 40: -1, 41: 0, 100: 1}, [STEP]) == [Smooth(41, 100, -1, 1, step_before=True)]
    assert targets({1: -1, 40: 0, 41: 1, 100: 1}, [STEP]) == [Smooth(1, 40, -1, 1, step_after=True)]


def test_an_open_end_of_the_range_may_hold_a_change_just_inside_it():
    assert targets({1: 0, 10: 1, 100: 1}, []) == [Smooth(1, 10, 0, 1)]
    assert targets({1: 1, 10: 1, 100: 0}, []) == [Smooth(10, 100, 1, 0)]


def test_open_probes_between_equal_leaders_are_undecided_with_edges_on_both_sides():
    found = targets({1: 1, 10: 0, 20: 0, 100: 1}, [])
    assert found == [
        Undecided(10, 1), Undecided(20, 1), Smooth(1, 10, 1, 0, edge=True), Smooth(20, 100, 0, 1, edge=True)
    ]  # fmt: skip
    assert targets({1: 1, 10: 0, 20: 0, 100: 1}, [], edges=False) == [Undecided(10, 1), Undecided(20, 1)]


def test_a_few_signs_among_many_open_probes_are_no_change():
    assert targets({1: 1, 2: 0, 4: 0, 8: 0, 16: 0, 32: -1, 64: 0}, []) == []


def test_rungs_lie_around_the_centre_and_within_the_range():
    chosen = rungs(math.log(1000), 1, 10**6, 1.0, [], 40)
    assert len(chosen) == 7
    assert chosen[0] < 1000 < chosen[-1]
    assert all(1.0 < b / a < 2 ** (1 / 8) * 1.01 for a, b in itertools.pairwise(chosen))
    assert all(900 <= n <= 1000 for n in rungs(math.log(1000), 900, 1000, 1.0, [], 40))


def test_n_already_built_stand_in_for_new_ones_where_there_is_no_room():
    known = [950, 1010, 1100]
    assert rungs(math.log(1000), 1, 10**6, 1.0, known, 0) == known


def test_small_n_are_joined_by_their_neighbours():
    assert rungs(math.log(6), 1, 100, 1.0, [], 40) == sorted(rungs(math.log(6), 1, 100, 1.0, [], 40))
    assert {5, 6, 7} <= set(rungs(math.log(6), 1, 100, 1.0, [], 40))


def made(ratio):
    return Sampler(lambda heads, rounds, launch: [Pair(ratio(heads), 1.0)] * rounds, 10_000, 0, lambda: None)


def test_probing_fills_in_the_signs():
    signs = {}
    sampler = made(lambda heads: 2.0 if heads > 10 else 0.5)
    sample_until_decided(sampler, [1, 10, 100], 0.05, signs, [])
    assert signs == {1: -1, 10: -1, 100: 1}
    assert sampler.samples == 2 * 3 * 3


def test_a_sign_that_does_not_hold_is_withdrawn():
    signs = {1: 1}
    sampler = made(lambda heads: 0.5)
    sampler.visit(1, 3)
    assert reconfirm(sampler, [1], signs, 4.0)
    assert signs == {1: -1}
    assert not reconfirm(sampler, [1], signs, 4.0)


@pytest.mark.parametrize(("expected", "pairs"), [(1, 1), (0, 3)])
def test_one_pair_suffices_where_it_shows_what_was_expected(expected, pairs):
    signs = {}
    sampler = made(lambda heads: 3.0)
    sampler.visit(1, 40)  # the noise is known
    sample_until_decided(sampler, [100], 0.05, signs, [], expected={100: expected} if expected else {})
    assert sampler.count(100) == pairs
    assert signs[100] == 1


def test_five_rungs_need_no_neighbours():
    chosen = rungs(math.log(27), 1, 100, 1.0, [], 40)
    assert len(rungs(math.log(27), 24, 33, 1.0, [], 40)) == 5
    assert len(chosen) >= 5


def test_a_small_budget_halves_the_places_that_are_left():
    signs, order = {}, []
    places = [1, 2, 4, 8, 16, 32, 64, 128, 256]

    def measure(heads, rounds, launch):
        order.append(heads)
        return [(2.0 if heads > 20 else 0.5, 1.0)] * rounds

    bracket_by_bisection(Sampler(measure, 1000, 0, lambda: None), places, 0.05, signs, [])
    assert [n for n in dict.fromkeys(order) if n not in (1, 256)] == [16, 64, 32]
    assert signs == {1: -1, 256: 1, 16: -1, 64: 1, 32: 1}


@pytest.mark.parametrize("budget", [100, 150])
def test_a_small_budget_states_the_crossover_it_found_whatever_it_left_unprobed(budget):
    location = locate(
        lambda heads, rounds, _: [(1.0 + heads, 1000.0)] * rounds, 1, 10**6, steps=(4**6, 4**8), budget=budget
    )
    assert (location.status, location.samples <= budget) == ("crossing", True)
    assert location.crossings[0].low <= 999 <= location.crossings[0].high
    assert location.notes[0] == "budget too small for a full scan: only one crossover is searched for"
