"""What the answer for another batch size leads one to expect, as a saving and never as evidence.

Where an earlier search saw a large lead far from any change of it, one pair that agrees is enough for a sign in launch
0; where it disagrees, the place is looked at like any other. Every place is still visited, the ends of the range and
of every bracket are decided from this search's pairs alone, and no earlier pair enters an interval: an earlier answer
that is wrong costs next to nothing, and misleads no more than one stray pair could.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.result import Location, Probe
    from harness.search.sign_test import Sign

LARGE = 0.5  # a log-ratio that is expected to keep its sign at another batch size
NEAR = 4.0  # times N: so close to an earlier change of the lead, nothing is expected


def expected_signs(prior: Location | None, points: Sequence[int]) -> dict[int, Sign]:
    """Who should lead at those of `points` where the earlier answer leaves little doubt; never at the two ends."""
    if prior is None:
        return {}
    probes = sorted(prior.probes, key=attrgetter("heads"))
    heads = [probe.heads for probe in probes]
    found: dict[int, Sign] = {}
    for n in points[1:-1]:
        below, above = bisect_right(heads, n) - 1, bisect_left(heads, n)
        if (
            below < 0
            or above == len(heads)
            or any(low / NEAR < n < high * NEAR for low, high in earlier_changes(prior))
        ):
            continue
        before, behind = _clear_sign(probes[below]), _clear_sign(probes[above])
        if before and before == behind:
            found[n] = before
    return found


def earlier_changes(prior: Location) -> list[tuple[int, int]]:
    """Where the earlier answer saw the lead change, confirmed or not; else its best bracket."""
    crossings = [
        (each.low, each.high) for each in sorted((*prior.crossings, *prior.unconfirmed), key=attrgetter("heads"))
    ]
    return crossings or ([prior.bracket] if prior.bracket else [])


def first_places(prior: Location | None, points: Sequence[int]) -> list[int]:
    """The two of `points` on either side of the earlier change of the lead, for a budget that allows only few."""
    if prior is None or not earlier_changes(prior):
        return []
    low, high = earlier_changes(prior)[0]
    home = math.sqrt(low * high)
    return [*[n for n in points if n <= home][-1:], *[n for n in points if n > home][:1]]


def _clear_sign(probe: Probe) -> Sign:
    if abs(probe.log_ratio) < LARGE or probe.low * probe.high <= 0:
        return 0
    return 1 if probe.log_ratio > 0 else -1
