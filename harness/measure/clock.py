"""The clock that times are read from, and what reading it costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeAlias

Clock: TypeAlias = Callable[[], float]

monotonic: Clock = time.perf_counter


def resolution(clock: Clock, readings: int = 2000) -> float:
    """Seconds: the smallest step between two readings that differ, at least the median cost of one reading."""
    steps = []
    for _ in range(readings):
        first = clock()
        second = clock()
        while second == first:
            second = clock()
        steps.append(second - first)
    steps.sort()
    return steps[len(steps) // 2]
