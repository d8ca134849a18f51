"""The method that the search is compared with: a full grid, rivals paired and alternating, one session."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from harness.search.sign_test import standard_error, winsorised_mean
from tests.simulation.fake_machine import FakeMachine

if TYPE_CHECKING:
    from tests.simulation.runs import Case

PLACES, ROUNDS = 61, 30


def half_width(case: Case, seed: int) -> float:
    """Half of the 95 % interval of log N*, by interpolation between the two grid points around the change of sign."""
    rivals = case.rivals()
    machine = FakeMachine(rivals.baseline, rivals.challenger, seed=seed, **dict(case.machine))
    places = sorted({round(rivals.low * (rivals.high / rivals.low) ** (i / (PLACES - 1))) for i in range(PLACES)})
    seen = [np.array([math.log(a / b) for a, b in machine.measure(n, ROUNDS, 0)]) for n in places]
    noise = float(np.median([np.median(np.abs(pairs - np.median(pairs))) for pairs in seen])) * 1.4826
    levels = [winsorised_mean(pairs, noise) for pairs in seen]
    changes = [i for i in range(len(places) - 1) if levels[i] < 0 < levels[i + 1]]
    if not changes:
        return math.inf
    left = changes[-1]
    share = -levels[left] / (levels[left + 1] - levels[left])
    slope = (levels[left + 1] - levels[left]) / math.log(places[left + 1] / places[left])
    errors = [standard_error(pairs, noise) for pairs in seen[left : left + 2]]
    return 1.96 * math.hypot((1 - share) * errors[0], share * errors[1]) / slope


SAMPLES = 2 * PLACES * ROUNDS
