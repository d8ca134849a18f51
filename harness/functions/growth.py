"""Whether a function takes longer the more often it was called: something that it keeps grows."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SERIES_SECONDS = 0.15
_BLOCKS = 12  # of a series
_GROWS = 1.4  # the last third of a series over its first
_RISES = 0.6  # Kendall's tau of the blocks of a series,
_RISES_ON = 0.3  # and of the second one, which begins where the first one ended


def growth(call: Callable[[], float]) -> tuple[float, float] | None:
    """Seconds of a call at first and at the end of two series, the second going on; None where they do not grow."""
    thirds: list[tuple[float, float]] = []
    for least in (_RISES, _RISES_ON):
        blocks = _series(call)
        third = len(blocks) // 3
        if third < 2 or _tau(blocks) < least:
            return None
        thirds.append((statistics.median(blocks[:third]), statistics.median(blocks[-third:])))
    (first, last), (onward, end) = thirds
    return (first, end) if last > _GROWS * first and onward > 0.9 * last and end > onward else None


def _series(call: Callable[[], float]) -> list[float]:
    """Seconds of the fastest call in each of some blocks of equal duration: what else runs does not count."""
    blocks = []
    ends = time.perf_counter() + _SERIES_SECONDS
    block = _SERIES_SECONDS / _BLOCKS
    while (now := time.perf_counter()) < ends:
        took = []
        while time.perf_counter() - now < block:
            took.append(call())
        blocks.append(min(took))
    return blocks


def _tau(values: Sequence[float]) -> float:
    """Kendall's rank correlation of values with their order."""
    pairs = [(a, b) for place, a in enumerate(values) for b in values[place + 1 :]]
    return sum((b > a) - (b < a) for a, b in pairs) / max(1, len(pairs))
