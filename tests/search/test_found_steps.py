"""Jumps in N are told from changes in time."""

from __future__ import annotations

import numpy as np
import pytest

from harness.search.audit import Suspicion
from harness.search.bracketing import Step
from harness.search.found_steps import CHECKED_PAIRS, FoundStep, not_reproduced, refuted_since
from harness.search.sampler import Sampler

STEP = Step(100, 101, declared=False)


def suspicion(size):
    return Suspicion(100, 101, size, 50.0, (0.0, 0.0, 0.0), 4.6)


class Machine:
    """Log-ratios of 0 before the step and `jump` behind it, where `jump` may depend on the launch."""

    def __init__(self, jump, sigma=0.05, seed=0):
        self.jump, self.sigma, self.random = jump, sigma, np.random.default_rng(seed)
        self.asked = []

    def __call__(self, heads, rounds, launch):
        self.asked.append((heads, rounds, launch))
        level = self.jump(launch) if heads > 100 else 0.0
        return [(float(np.exp(level + self.random.normal(0, self.sigma))), 1.0) for _ in range(rounds)]


def sampler(machine):
    made = Sampler(machine, 10_000, 0, lambda: None)
    for n in (90, 100, 101, 110):
        made.visit(n, 6)
    machine.asked.clear()
    return made


@pytest.mark.parametrize("size", [0.4, -0.4])
def test_a_jump_that_is_there_again_is_one_of_the_cost(size):
    machine = Machine(lambda launch: size)
    assert not not_reproduced(sampler(machine), STEP, suspicion(size))
    assert sum(rounds for _, rounds, _ in machine.asked) == 2 * CHECKED_PAIRS
    assert {heads for heads, _, _ in machine.asked} == {100, 101}


@pytest.mark.parametrize("seen", [0.4, -0.4])
def test_a_jump_that_is_not_there_again_was_a_change_in_time(seen):
    assert not_reproduced(sampler(Machine(lambda launch: 0.0)), STEP, suspicion(seen))


def test_a_jump_too_small_to_be_refuted_by_few_pairs_is_not_measured_again():
    machine = Machine(lambda launch: 0.0)
    assert not not_reproduced(sampler(machine), STEP, suspicion(0.04))
    assert machine.asked == []


@pytest.mark.parametrize(("later", "unseen"), [(0.4, False), (0.0, True), (0.25, False)])
def test_launches_refute_a_step_that_they_do_not_see(later, unseen):
    machine = Machine(lambda launch: 0.4 if launch == 1 else later)
    made = Sampler(machine, 10_000, 0, lambda: None)
    for launch in range(1, 6):
        made.launch = launch
        made.visit_each({100: 4, 101: 4})
    assert refuted_since(made, FoundStep(STEP, 1, 0.4)) == unseen


@pytest.mark.parametrize("off", [1, 2, 3])
def test_a_single_launch_that_is_far_off_keeps_no_step(off):
    machine = Machine(lambda launch: 0.8 if launch == off else 0.0, sigma=0.02)
    made = Sampler(machine, 10_000, 0, lambda: None)
    for launch in range(1, 7):
        made.launch = launch
        made.visit_each({100: 4, 101: 4})
    assert refuted_since(made, FoundStep(STEP, 0, 0.3))


def test_two_launches_refute_nothing():
    made = Sampler(Machine(lambda launch: 0.0), 10_000, 0, lambda: None)
    for launch in (2, 3):
        made.launch = launch
        made.visit_each({100: 4, 101: 4})
    assert not refuted_since(made, FoundStep(STEP, 1, 0.4))


def test_launches_that_see_less_than_half_of_a_step_refute_it():
    machine = Machine(lambda launch: 0.15, sigma=0.001)
    made = Sampler(machine, 10_000, 0, lambda: None)
    for launch in range(1, 6):
        made.launch = launch
        made.visit_each({100: 4, 101: 4})
    assert refuted_since(made, FoundStep(STEP, 0, 0.4))
    assert not refuted_since(made, FoundStep(STEP, 0, 0.2))
