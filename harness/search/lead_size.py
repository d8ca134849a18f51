"""How large a lead is, at both ends of what was measured, and where it jumps."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.result import Location, Probe

JUMP = math.log(1.4)  # log-ratio between neighbouring N that is worth a word,
MOSTLY = 0.6  # and so much of the whole change over the range
NEAR = math.log(4)  # in log N: probes further apart tell nothing of a jump
NOT_SHOWN = 1.02  # a lead below it is none
CLOSE = 1.095  # below it one decimal is too few: 1.0x would be none


def sizes(location: Location, challenger: str, baseline: str) -> str:
    """Such as `4.9x below 1,000, 1.4x above`, or `direct by 12x at 8, fft by 90x at 100,000`; empty where it is not known."""
    seen = [each for each in location.probes if each.pairs]
    if len(seen) < 2 or location.status not in ("below", "above", "crossing", "several"):
        return ""
    first, last = seen[0], seen[-1]
    if location.status in ("below", "above"):
        side = 1 if location.status == "below" else -1
        if min(side * first.log_ratio, side * last.log_ratio) <= 0:
            return ""
        jump = _jump(seen)
        if jump is not None:
            before, after = (_factor(side * _median(part)) for part in (seen[:jump], seen[jump:]))
            return f"{before} below {_rounded(seen[jump].heads):,}, {after} above"
        ends = (_factor(side * first.log_ratio), _factor(side * last.log_ratio))
        if ends[0] == ends[1]:
            return ends[0]
        return f"{ends[0]} at {first.heads:,}, {ends[1]} at {last.heads:,}"
    return ", ".join(
        f"{challenger if each.log_ratio > 0 else baseline} by {_factor(abs(each.log_ratio))} at {each.heads:,}"
        for each in (first, last)
        if abs(each.log_ratio) > math.log(NOT_SHOWN)
    )


def _jump(seen: Sequence[Probe]) -> int | None:
    """The place of the first probe behind a jump; None where there is none that explains most of the change."""
    levels = [each.log_ratio for each in seen]
    gaps = [abs(b - a) for a, b in itertools.pairwise(levels)]
    place = max(range(len(gaps)), key=gaps.__getitem__) + 1
    left, right = seen[place - 1], seen[place]
    certain = abs(right.log_ratio - left.log_ratio) > (left.high - left.low + right.high - right.low) / 2
    near = math.log(right.heads / left.heads) <= NEAR
    whole = max(levels) - min(levels)
    return place if certain and near and gaps[place - 1] > max(JUMP, MOSTLY * whole) else None


def _median(seen: Sequence[Probe]) -> float:
    ordered = sorted(each.log_ratio for each in seen)
    return (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2


def _factor(log_ratio: float) -> str:
    times = math.exp(log_ratio)
    if times >= CLOSE:
        return f"{times:,.0f}x" if times >= 9.95 else f"{times:.1f}x"
    return f"{times:.2f}x"


def _rounded(heads: int) -> int:
    """To two digits."""
    unit = int(10 ** max(0, len(str(heads)) - 2))
    return round(heads / unit) * unit
