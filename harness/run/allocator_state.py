"""Whether a threshold depends on what the allocator remembers: both functions timed where it remembers nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.search.outcomes import leader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.records.crossovers import SearchRecord
    from harness.search.result import Pair

ROUNDS = 9
_ALL_BUT = 1  # pairs that may say otherwise
_LEAD = math.log(1.05)  # that is worth a sentence


def places(located: SearchRecord) -> tuple[int, ...]:
    """The n at which it is asked: where a decision is sure on one side and on the other."""
    decision, case = located.location.decision, located.case
    ends = (decision.below, decision.above) if decision is not None else ()
    return tuple(n for n in ends if case.method != "grid" or n in case.points)  # of a grid no other n is called


def describe(located: SearchRecord, heads: int, seen: Sequence[Pair]) -> str:
    """What is to be said where another one leads there; empty where it is the same."""
    decision, case = located.location.decision, located.case
    if decision is None or not seen:
        return ""
    ratios = sorted(math.log(pair.baseline / pair.challenger) for pair in seen)
    middle = ratios[len(ratios) // 2]
    against = sum(ratio * middle <= 0 for ratio in ratios)
    wanted = decision.before if heads == decision.below else decision.after
    found = leader(1 if middle > 0 else -1)
    if found == wanted or against > _ALL_BUT or abs(middle) < _LEAD:
        return ""
    names = {"baseline": case.baseline, "challenger": case.challenger}
    return (
        f"{case.race}: in a fresh process, where blocks of 128 KiB or more come from the kernel at every call, "
        f"{names[found]} leads at n = {heads:,} (by {math.expm1(abs(middle)):.0%}): the threshold depends on the state of memory"
    )
