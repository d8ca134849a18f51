"""A sampler whose pairs are written down: log-ratios as a function of N and the launch, without noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.search.confirmation import Question
from harness.search.result import Pair
from harness.search.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUESTION = Question(
    low=1, high=1000, precision=0.05, confidence=0.95, launches=4, budget=20_000, capped=True, known=True
)


def sampled(ratio: Callable[[int, int], float], places: Sequence[int], *, launches: int = 4, pairs: int = 4) -> Sampler:
    """So many pairs at each N in launch 0 and in so many further launches."""
    sampler = Sampler(
        lambda n, rounds, launch: [Pair(math.exp(ratio(n, launch)), 1.0)] * rounds, 20_000, 0, lambda: None
    )
    for launch in range(launches + 1):
        sampler.launch = launch
        for n in places:
            sampler.visit(n, pairs)
    return sampler
