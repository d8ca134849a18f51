"""How long a call of a contender takes at an N and batch size that need not have been measured."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.statistics import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.cells import CellSummary
    from harness.analysis.summary import Summary

_LINE = 3  # points that a line must go through to be one
_FEW = 2  # launches below which there is no interval
_APART = math.log(1.25)  # two N nearer to each other than this tell a slope by their noise alone


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Seconds per call at one N, and what they rest on."""

    call: Interval
    how: str = ""  # empty where this very N was measured
    doubt: str = ""  # what may be wrong with it
    at: int | None = None  # the N of the end of its range, where N lies beyond


def estimate(cells: Sequence[CellSummary], heads: int, steps: Sequence[int] | None) -> Estimate | None:
    """The latency at this N: measured there, or between its neighbours; beyond the ends that of the nearest end.

    Cells of few launches, which the search leaves where it only looked, have a wide interval or none: they serve where
    nothing else lies on both sides of this N.

    Args:
        cells: those of one contender and batch size.
        heads: N.
        steps: the largest N before each jump of its cost; None where they are not known.
    """
    ordered = sorted((each for each in cells if each.call is not None), key=lambda each: each.heads)
    if not ordered:
        return None
    most = max(each.launches for each in ordered)
    tiers = ([each for each in ordered if each.launches >= least] for least in (max(_FEW, most // 2), _FEW, 1))
    nodes = next((each for each in tiers if each and each[0].heads <= heads <= each[-1].heads), ordered)
    left = max((each for each in nodes if each.heads <= heads), key=lambda each: each.heads, default=None)
    right = min((each for each in nodes if each.heads >= heads), key=lambda each: each.heads, default=None)
    end = left or right
    assert end is not None
    if left is None or right is None:
        return Estimate(call=_call_estimate(end), how="at the end of the measured range", at=end.heads)
    if left is right:
        return Estimate(call=_call_estimate(left), doubt="" if left.launches >= _FEW else "measured in a single launch")
    jumps = [step for step in steps or () if left.heads <= step < right.heads]
    call = _over_jumps(nodes, left, right, heads, jumps) if jumps else _line(left, right, heads)
    doubts = [f"its cost may jump at {', '.join(f'{step + 1:,}' for step in jumps)}"] if jumps else []
    doubts += ["it is unknown whether its cost jumps there"] if steps is None else []
    doubts += ["some were measured in a single launch"] if min(left.launches, right.launches) < _FEW else []
    return Estimate(call=call, how=f"between measured N, {left.heads:,} and {right.heads:,}", doubt="; ".join(doubts))


def steps_of(summary: Summary, contender: str) -> tuple[int, ...] | None:
    """The largest N before each jump of a contender's cost, as the run's searches know them; None where they do not.

    A search knows the jumps of both contenders: those of one contender stand in every search over their N that it, or
    the same projector in another runtime, took part in. Who states a cost that is linear in N has no jumps.
    """
    if _states_a_line(summary, contender):
        return ()
    if not summary.suite.search.use_steps:
        return None
    own = summary.suite.contenders[contender]
    same = {
        name
        for name, each in summary.suite.contenders.items()
        if (each.projector, dict(each.options)) == (own.projector, dict(own.options))
    }
    cases = [
        each.case for each in summary.searches if each.located and {each.case.baseline, each.case.challenger} & same
    ]
    if not cases:
        return None
    steps = {step for case in cases for step in case.steps}
    return tuple(sorted(n for n in steps if all(n in case.steps for case in cases if case.low <= n < case.high)))


def _states_a_line(summary: Summary, contender: str) -> bool:
    """The operations that its projector states lie on a straight line in N, at three N or more."""
    by_batch: dict[int, dict[int, float]] = defaultdict(dict)
    for (name, heads, batch), records in summary.visits.items():
        if name == contender:
            stated = [each.cost_flops for each in records if each.cost_flops is not None]
            by_batch[batch].update({heads: stated[0]} if stated else {})
    known = max(by_batch.values(), key=len, default={})
    if len(known) < _LINE:
        return False
    first, *others, last = sorted(known)
    slope = (known[last] - known[first]) / (last - first)
    return all(math.isclose(known[n], known[first] + slope * (n - first), rel_tol=1e-6) for n in others)


def between(one: Interval, other: Interval, share: float) -> Interval:
    """On the straight line from one time to another; without an interval where either has none."""
    value, low, high = ((1 - share) * a + share * b for a, b in zip(_ends(one), _ends(other), strict=True))
    return Interval(value, low, high, min(one.launches, other.launches), one.confidence)


def _line(left: CellSummary, right: CellSummary, heads: int) -> Interval:
    """Between two N: what costs that are linear in N, and costs that are a power of it, would have there.

    Most costs are a fixed part and a part that grows, so that the truth lies between the two; the interval holds both.
    """
    one, other = _call_estimate(left), _call_estimate(right)
    straight = between(one, other, (heads - left.heads) / (right.heads - left.heads))
    share = math.log(heads / left.heads) / math.log(right.heads / left.heads)
    value, low, high = (a ** (1 - share) * b**share for a, b in zip(_ends(one), _ends(other), strict=True))
    return Interval(
        math.sqrt(value * straight.value),
        min(low, straight.low),
        max(high, straight.high),
        straight.launches,
        one.confidence,
    )


def _over_jumps(
    nodes: Sequence[CellSummary], left: CellSummary, right: CellSummary, heads: int, jumps: Sequence[int]
) -> Interval:
    """Where the cost jumps between the neighbours: what is known of this N's own stretch, anywhere between the two."""
    one, other = _call_estimate(left), _call_estimate(right)
    here = bisect_left(jumps, heads)
    low, high = min(one.low, other.low), max(one.high, other.high)
    if here == bisect_left(jumps, left.heads):
        value = one.value
    elif here == bisect_left(jumps, right.heads):
        value = other.value
    else:
        value = _line(left, right, heads).value
    along = sorted(
        (each for each in nodes if bisect_left(jumps, each.heads) == here), key=lambda each: abs(each.heads - heads)
    )
    if along and abs(math.log(along[0].heads / along[-1].heads)) > _APART:
        ends = sorted((one.value, other.value))
        value = min(max(_line(along[0], along[-1], heads).value, ends[0]), ends[1])
    known = one.known and other.known
    return Interval(
        value,
        low if known else math.nan,
        high if known else math.nan,
        min(one.launches, other.launches),
        one.confidence,
    )


def _call_estimate(cell: CellSummary) -> Interval:
    assert cell.call is not None
    return cell.call


def _ends(found: Interval) -> tuple[float, float, float]:
    return found.value, found.low, found.high
