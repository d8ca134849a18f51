"""Declared steps are doubted only where a jump of practical size would have been seen."""

import math

import numpy as np
import pytest

from harness.search.audit import (
    PRACTICAL_JUMP,
    Suspicion,
    next_beyond,
    pin_down,
    steps_visible,
    suspected_jump,
    weak_points,
)
from harness.search.bracketing import Smooth, Step, rungs
from harness.search.local_model import fit
from harness.search.sampler import Sampler

STEPS = [Step(n, n + 1) for n in (16, 64, 256, 1024, 4096)]


def looked_at(jump, noise, pairs=3, seed=1):
    """A sampler that has seen both sides of every step, where the challenger's cost jumps by the log-ratio `jump`."""

    random = np.random.default_rng(seed)

    def measure(heads, rounds, _launch):
        level = 0.5 * math.log(heads) - jump * sum(heads > step.left for step in STEPS)
        return [(math.exp(level + noise * random.standard_normal()), 1.0) for _ in range(rounds)]

    sampler = Sampler(measure, 100_000, 0, lambda: None)
    sampler.visit_each(dict.fromkeys([n for step in STEPS for n in (step.left, step.right)], pairs))
    return sampler


def test_jumps_of_practical_size_are_seen():
    assert steps_visible(looked_at(2 * PRACTICAL_JUMP, 0.05), STEPS) is True


def test_no_jumps_are_seen_to_be_none():
    assert steps_visible(looked_at(0.0, 0.05), STEPS) is False


@pytest.mark.parametrize("jump", [0.0, PRACTICAL_JUMP])
def test_without_the_power_to_see_a_jump_nothing_is_said(jump):
    assert {steps_visible(looked_at(jump, 0.8, seed=seed), STEPS) for seed in range(5)} <= {None, True}
    assert steps_visible(looked_at(jump, 0.8), STEPS) is None


def test_a_doubt_is_looked_at_again():
    sampler = looked_at(0.0, 0.05)
    before = sampler.samples
    steps_visible(sampler, STEPS)
    assert sampler.samples > before
    seen = looked_at(2 * PRACTICAL_JUMP, 0.05)
    before = seen.samples
    steps_visible(seen, STEPS)
    assert seen.samples == before


def test_what_was_not_visited_cannot_be_tested():
    assert steps_visible(Sampler(lambda *_: [], 10, 0, lambda: None), STEPS) is None


# -- jumps that nobody declared ---------------------------------------------------------------------------------------

PLACES = (770, 840, 916, 999, 1090, 1189, 1296)


def fitted(extra, launches=1, noise=0.02, seed=3):
    """The local fit of a line in log N, crossing at 1,000, with `extra(N, launch)` added to the log-ratio."""
    random = np.random.default_rng(seed)

    def measure(heads, rounds, launch):
        level = math.log(heads / 1000) + extra(heads, launch)
        return [(math.exp(level + noise * random.standard_normal()), 1.0) for _ in range(rounds)]

    sampler = Sampler(measure, 100_000, 0, lambda: None)
    for launch in range(launches):
        sampler.launch = launch
        sampler.visit_each(dict.fromkeys(PLACES, 8))
    local = fit(sampler.observations(), math.log(1000), 1.0, noise, 0.95)
    assert local is not None
    return local


@pytest.mark.parametrize("size", [0.2, -0.2])
@pytest.mark.parametrize("behind", PLACES[1:])
def test_a_jump_is_suspected_between_the_two_places_around_it(size, behind):
    found = suspected_jump(fitted(lambda n, _: size * (n >= behind)), [])
    assert found is not None
    assert (found.left, found.right) == (PLACES[PLACES.index(behind) - 1], behind)
    assert found.size == pytest.approx(size, abs=0.08)


@pytest.mark.parametrize("size", [0.2, -0.2, 0.6])
@pytest.mark.parametrize("place", PLACES[1:-1])
def test_one_place_that_stands_out_alone_is_no_jump(size, place):
    assert suspected_jump(fitted(lambda n, _: size * (n == place)), []) is None


@pytest.mark.parametrize(("place", "beyond"), [(PLACES[0], 706), (PLACES[-1], 1413)])
def test_the_outermost_place_is_told_apart_only_by_one_beyond_it(place, beyond):
    local = fitted(lambda n, _: 0.2 * (n == place))
    found = suspected_jump(local, [])
    assert found is not None
    assert next_beyond(local, found) == beyond


def test_a_jump_in_the_middle_needs_no_place_beyond():
    local = fitted(lambda n, _: 0.2 * (n >= PLACES[3]))
    assert next_beyond(local, suspected_jump(local, [])) is None


@pytest.mark.parametrize("seed", range(5))
def test_what_a_process_is_off_by_at_each_place_is_no_jump_however_often_it_is_timed(seed):
    off = dict(zip(PLACES, np.random.default_rng(seed).normal(0, 0.02, len(PLACES)), strict=True))
    assert suspected_jump(fitted(lambda n, _: off[n], noise=0.003, seed=seed), []) is None


def test_one_launch_that_is_off_from_some_place_on_is_no_jump():
    assert suspected_jump(fitted(lambda n, launch: 0.3 * (launch == 1 and n >= 999), launches=4), []) is None
    assert suspected_jump(fitted(lambda n, _: 0.3 * (n >= 999), launches=4), []) is not None


@pytest.mark.parametrize("centre", [100, 1000, 8192, 16_384, 100_000])
@pytest.mark.parametrize("stride", [1.0, 2.0, 4.0])
def test_no_power_of_two_is_among_the_places_around_an_estimate(centre, stride):
    chosen = rungs(math.log(centre), 20, 10**6, stride, [], 40)
    assert len(chosen) >= 5
    assert not any(n & (n - 1) == 0 for n in chosen)


def test_the_second_look_takes_two_pairs_more_at_each_side():
    sampler = looked_at(0.0, 0.05)
    steps_visible(sampler, STEPS)
    assert [sampler.count(n) for step in STEPS for n in (step.left, step.right)] == [5] * 10


def test_a_step_with_one_side_measured_alone_is_not_tested():
    sampler = Sampler(lambda heads, rounds, launch: [(1.0 + heads, 1.0)] * rounds, 100, 0, lambda: None)
    for step in STEPS:
        sampler.visit(step.left, 3)
    assert steps_visible(sampler, STEPS) is None


@pytest.mark.parametrize("size", [0.3, -0.3])
def test_a_jump_is_pinned_down_to_two_neighbours(size):
    sampler = Sampler(
        lambda heads, rounds, launch: [(math.exp(size * (heads > 1057)), 1.0)] * rounds, 10_000, 0, lambda: None
    )
    jump = Suspicion(1000, 1100, size, 100.0, (0.0, 0.0, 0.0), math.log(1000))
    assert pin_down(sampler, jump, 0.01, 40) == Step(1057, 1058, declared=False)
    assert pin_down(sampler, jump, 0.01, 3) != Step(1057, 1058, declared=False)  # N that may be built are used up


def test_the_next_probe_outside_a_bracket_is_weak_where_its_lead_is_slight():
    levels = {1: -1.0, 4: -0.1, 16: -1.0, 64: 1.0, 256: 0.1, 1024: 0.1}
    sampler = Sampler(lambda heads, rounds, launch: [(math.exp(levels[heads]), 1.0)] * rounds, 100, 0, lambda: None)
    for heads in levels:
        sampler.visit(heads, 3)
    signs = {heads: 1 if level > 0 else -1 for heads, level in levels.items()}
    assert weak_points(sampler, signs, [Smooth(16, 64, -1, 1)]) == [4, 256]
