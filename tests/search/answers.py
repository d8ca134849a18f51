"""Answers of searches, written down by hand for tests."""

from __future__ import annotations

from typing import Any

from harness.search.result import Crossing, Failures, Location


def crossing(heads: int, direction: str = "challenger", low: int | None = None, high: int | None = None) -> Crossing:
    """One at this N, known to ten per cent unless its ends are given."""
    return Crossing(heads, low or int(heads * 0.9), high or int(heads * 1.1), direction, 0.95, "smooth")  # type: ignore[arg-type]


def failures(
    low: int, high: int, last_good: int | None, next_good: int | None, contender: str = "baseline"
) -> Failures:
    """A span of N that could not be measured."""
    return Failures(low, high, last_good, next_good, contender, "it broke")  # type: ignore[arg-type]


def answer(status: str, *crossings: Crossing, low: int = 1, high: int = 1000, **more: Any) -> Location:
    """From 1 to 1,000 unless it says otherwise."""
    return Location(status, crossings, 100, (), (), low, high, **more)  # type: ignore[arg-type]
