"""Declared steps are doubted only where a jump of practical size would have been seen."""

import math

import numpy as np
import pytest

from harness.analysis.audit import PRACTICAL_JUMP, steps_visible
from harness.analysis.bracketing import Step
from harness.analysis.probing import Prober

STEPS = [Step(n, n + 1) for n in (16, 64, 256, 1024, 4096)]


def looked_at(jump, noise, pairs=3, seed=1):
    """A prober that has seen both sides of every step, where the challenger's cost jumps by the log-ratio `jump`."""

    random = np.random.default_rng(seed)

    def measure(heads, rounds, _launch):
        level = 0.5 * math.log(heads) - jump * sum(heads > step.left for step in STEPS)
        return [(math.exp(level + noise * random.standard_normal()), 1.0) for _ in range(rounds)]

    prober = Prober(measure, 100_000, 0, lambda: None)
    prober.visit_each(dict.fromkeys([n for step in STEPS for n in (step.left, step.right)], pairs))
    return prober


def test_jumps_of_practical_size_are_seen():
    assert steps_visible(looked_at(2 * PRACTICAL_JUMP, 0.05), STEPS) is True


def test_no_jumps_are_seen_to_be_none():
    assert steps_visible(looked_at(0.0, 0.05), STEPS) is False


@pytest.mark.parametrize("jump", [0.0, PRACTICAL_JUMP])
def test_without_the_power_to_see_a_jump_nothing_is_said(jump):
    assert {steps_visible(looked_at(jump, 0.8, seed=seed), STEPS) for seed in range(5)} <= {None, True}
    assert steps_visible(looked_at(jump, 0.8), STEPS) is None


def test_a_doubt_is_looked_at_again():
    prober = looked_at(0.0, 0.05)
    before = prober.samples
    steps_visible(prober, STEPS)
    assert prober.samples > before
    seen = looked_at(2 * PRACTICAL_JUMP, 0.05)
    before = seen.samples
    steps_visible(seen, STEPS)
    assert seen.samples == before


def test_what_was_not_visited_cannot_be_tested():
    assert steps_visible(Prober(lambda *_: [], 10, 0, lambda: None), STEPS) is None
