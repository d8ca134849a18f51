"""What a bias that the A/A test has seen can spoil: intervals of crossovers become wider, and slighter leads are open.

A systematic error b of the log-ratio moves a crossover by as much as the log-ratio needs to change by b: by b over its
slope in log N, which the probes around it tell. A lead that is larger than b stands.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.analysis.statistics import Interval
    from harness.records.crossovers import SearchRecord
    from harness.search.result import Crossing, Decision, Location, Probe

TOO_WIDE = 2.0  # a factor of N that an interval may span before that is said


def with_bias(interval: Interval, bias: float) -> Interval:
    """A ratio's interval that holds with this systematic error of its logarithm, too."""
    if not bias or not interval.known:
        return interval
    return replace(interval, low=interval.low * math.exp(-bias), high=interval.high * math.exp(bias))


def answers_with_bias(answers: Iterable[SearchRecord], bias: float) -> tuple[SearchRecord, ...]:
    """The answers of searches, as they are with this systematic error of log-ratios; the same where it is 0."""
    return tuple(replace(each, location=_widened(each.location, bias)) if bias else each for each in answers)


def range_within_bias(location: Location, bias: float) -> tuple[int, int] | None:
    """The first and the last N at which a lead throughout is smaller than the bias; None where it is nowhere."""
    if not bias or location.status not in ("below", "above"):
        return None
    level = bias if location.status == "below" else -bias
    slight = [each.heads for each in location.probes if each.log_ratio / level < 1]
    if not slight:
        return None
    low = _outwards(location.probes, slight[0], level, -1, location.low)
    return low, _outwards(location.probes, slight[-1], level, 1, location.high)


def _widened(location: Location, bias: float) -> Location:
    decision = location.decision
    return replace(
        location,
        probes=tuple(replace(each, low=each.low - bias, high=each.high + bias) for each in location.probes),
        crossings=tuple(_crossing(each, location, bias) for each in location.crossings),
        decision=_decision(decision, location, bias) if decision else None,
    )


def _crossing(crossing: Crossing, location: Location, bias: float) -> Crossing:
    """Out to where the leads on both sides of it are as large as the bias."""
    after = 1 if crossing.direction == "challenger" else -1
    low = _outwards(location.probes, crossing.low, -after * bias, -1, location.low)
    high = _outwards(location.probes, crossing.high, after * bias, 1, location.high)
    if (low, high) == (crossing.low, crossing.high):
        return crossing
    return replace(crossing, low=low, high=high, kind="smooth")


def _decision(decision: Decision, location: Location, bias: float) -> Decision:
    signs = {"challenger": 1, "baseline": -1}
    below = _outwards(location.probes, decision.below, signs[decision.before] * bias, -1, location.low)
    above = _outwards(location.probes, decision.above, signs[decision.after] * bias, 1, location.high)
    return replace(decision, below=below, above=above, at_most=(1 + decision.at_most) * math.exp(bias) - 1)


def _outwards(probes: Sequence[Probe], start: int, level: float, step: int, end: int) -> int:
    """The N nearest to `start`, going down or up, at which the log-ratio reaches a level; else the range's end.

    Between two probes it is taken as linear in log N. A probe next to the start that has reached it leaves it there.
    """
    side = 1 if level > 0 else -1
    outside = sorted((each for each in probes if step * (each.heads - start) >= 0), key=lambda each: step * each.heads)
    inside = sorted((each for each in probes if step * (each.heads - start) < 0), key=lambda each: step * each.heads)
    path = [*inside[-1:], *outside]
    for near, far in itertools.pairwise(path):
        if side * far.log_ratio < side * level:
            continue
        if side * near.log_ratio >= side * level:
            return start if near is path[0] else near.heads
        share = (level - near.log_ratio) / (far.log_ratio - near.log_ratio)
        reached = math.exp(math.log(near.heads) + share * math.log(far.heads / near.heads))
        whole = math.floor(reached) if step < 0 else math.ceil(reached)
        return min(whole, start) if step < 0 else max(whole, start)
    return end
