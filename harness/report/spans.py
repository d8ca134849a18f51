"""Spans of N for each search: who is faster and by how much, and where it is undecided."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.search.result import Direction, Location


@dataclass(frozen=True, kw_only=True)
class Span:
    """What one probe says of the N around it."""

    low: float
    high: float
    log_ratio: float  # log(baseline seconds / challenger seconds): above 0 where the challenger is faster
    log_low: float  # its interval
    log_high: float
    faster: Direction | None  # None where the interval of its ratio includes 1


def leads(location: Location) -> tuple[Span, ...]:
    """What was seen around each probed N, as far as halfway to its neighbours."""
    first, last = location.measured or (location.low, location.high)
    probes = [each for each in location.probes if first <= each.heads <= last]
    if not probes:
        return ()
    edges = [first, *(math.sqrt(a.heads * b.heads) for a, b in itertools.pairwise(probes)), last]
    return tuple(
        Span(
            low=low, high=high, log_ratio=probe.log_ratio, log_low=probe.low, log_high=probe.high,
            faster=None if probe.low <= 0 <= probe.high else "challenger" if probe.log_ratio > 0 else "baseline",
        )
        for probe, (low, high) in zip(probes, itertools.pairwise(edges), strict=True)
    )  # fmt: skip


def undecided(location: Location) -> tuple[tuple[float, float], ...]:
    """The spans of N in which it is not decided who is faster."""
    if location.status == "unresolved":
        return (location.bracket or (location.low, location.high),)
    if location.status == "tie":
        return ((location.low, location.high),)
    if location.decision is not None:
        return ((location.decision.below, location.decision.above),)
    return tuple((each.low, each.high) for each in location.crossings)


def faster_at(location: Location, heads: float) -> Direction | None:
    """Who is faster at an N of the range; None where that is undecided or was not measured."""
    if any(low < heads < high for low, high in undecided(location)):
        return None
    return next((each.faster for each in leads(location) if each.low <= heads <= each.high), None)
