"""Whether a jump that was found between two N is one of the cost, or one of the machine while it went from N to N."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.search.sign_test import MAD_TO_SD, WINSORISED_COST, median, winsorised_mean

if TYPE_CHECKING:
    from harness.search.audit import Suspicion
    from harness.search.bracketing import Step
    from harness.search.sampler import Sampler

CHECKED_PAIRS = 6  # at each side
CLEAR_ERRORS = 4.0  # errors that a jump must have to be checked: what is smaller, so few pairs cannot refute
REFUTING_ERRORS = 2.0
FEWEST_LAUNCHES = 3
LAUNCHES_FOR_A_MEDIAN = 5
MEDIAN_COST = 1.25  # its standard error over that of the mean, under normal noise


@dataclass(frozen=True)
class FoundStep:
    """A step that was not declared."""

    step: Step
    launch: int  # in which it was found
    size: float  # of the jump in the log-ratio


def not_reproduced(sampler: Sampler, step: Step, suspicion: Suspicion) -> bool:
    """Whether the jump is not there when both sides are measured again, one right after the other.

    The halving that pins a step down measures one side again and again, and the other not: if the machine changes
    meanwhile, every new N seems to lie on one side.
    """
    sides = (step.left, step.right)
    if any(n in sampler.left_out or not sampler.count(n) for n in sides):
        return False
    noise = sampler.noise()
    error = WINSORISED_COST * noise * math.sqrt(2 / CHECKED_PAIRS)
    if abs(suspicion.size) < CLEAR_ERRORS * error:
        return False
    before = {n: sampler.count(n) for n in sides}
    for _ in range(2):
        sampler.visit_each(dict.fromkeys(sides, CHECKED_PAIRS // 2))
    left, right = (sampler.at(n)[before[n] :] for n in sides)
    if not (left.size and right.size):
        return False
    jump = winsorised_mean(right, noise) - winsorised_mean(left, noise)
    return math.copysign(jump, jump * suspicion.size) + REFUTING_ERRORS * error < abs(suspicion.size) / 2


def refuted_since(sampler: Sampler, found: FoundStep) -> bool:
    """Whether the launches since it was found agree that the jump is less than half of what it seemed."""
    step = found.step
    if any(n in sampler.left_out for n in (step.left, step.right)):
        return False
    sides = [sampler.medians_by_launch(n, found.launch + 1) for n in (step.left, step.right)]
    both = sorted(sides[0].keys() & sides[1].keys())
    if len(both) < FEWEST_LAUNCHES:
        return False
    jumps = np.array([sides[1][launch] - sides[0][launch] for launch in both])
    if len(both) < LAUNCHES_FOR_A_MEDIAN:
        middle, spread = float(jumps.mean()), float(jumps.std(ddof=1))
    else:  # one launch may be far off at one N
        middle = median(jumps)
        spread = MEDIAN_COST * MAD_TO_SD * median(np.abs(jumps - middle))
    seen = middle * math.copysign(1.0, found.size)
    return seen + REFUTING_ERRORS * spread / math.sqrt(len(both)) < abs(found.size) / 2
