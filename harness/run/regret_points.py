"""Points at which a decision is tried that no search has used: on both sides of every change of the lead."""

from __future__ import annotations

import math
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from harness.records.crossovers import SearchRecord

NEAR = (1.2, 2.0)  # times as far from a change of the lead as it is from 0: there a wrong decision is likeliest
TRIES = 8  # draws for a point that no search has used


def points(located: SearchRecord, seed: int) -> list[int]:
    """One N near each change of the lead on both of its sides, outside its interval, and one far from all of them.

    Where the next change is too near for that, one anywhere between the two.
    """
    case = located.case
    generator = np.random.default_rng([seed, 3, zlib.crc32(case.label.encode())])
    used = {probe.heads for probe in located.location.probes}
    found: list[int] = []

    def draw(low: float, high: float) -> bool:
        """Whether there is an unused N in [low, high], of which one was then drawn evenly in log N."""
        first, last = math.ceil(max(low, case.low)), math.floor(min(high, case.high))
        if first > last:
            return False
        drawn = np.exp(generator.uniform(math.log(first), math.log(last + 1), TRIES))
        fresh = [n for n in map(int, drawn) if first <= n <= last and n not in used]
        found.extend(fresh[:1])
        used.update(fresh[:1])
        return bool(fresh)

    near, far = NEAR
    changes = located.location.crossings
    starts = [case.low, *(each.high + 1 for each in changes)]
    stops = [*(each.low - 1 for each in changes), case.high]
    for place, each in enumerate(changes):
        start, stop = starts[place], stops[place]  # of the segment before it; the next ones are of that behind it
        if not draw(max(each.heads / far, start), min(each.heads / near, stop)):
            draw(start, stop)
        start, stop = starts[place + 1], stops[place + 1]
        if not draw(max(each.heads * near, start), min(each.heads * far, stop)):
            draw(start, stop)
    ends = [case.low, *(each.heads for each in changes), case.high]
    for place, (left, right) in enumerate(pairwise(ends)):
        draw(left * far if place else left, right / far if place < len(changes) else right)
    return sorted(found)
