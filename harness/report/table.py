"""Rows of texts with the numbers behind them, in no particular format; and how a table writes what it shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness import units

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.analysis.statistics import Interval


@dataclass(frozen=True)
class Entry:
    """What a cell of a table says, and the number to sort it by."""

    text: str
    value: float | None = None
    about: str = ""  # what is to be known of it, shown on request


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; `numeric` columns are aligned to the right."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    numeric: tuple[int, ...] = field(default=())
    note: str = ""
    keys: tuple[int, ...] = (0,)  # columns that say what a row is: repeated where a wide table is cut


def text(value: str) -> Entry:
    """An entry that sorts by its text."""
    return Entry(value)


def interval(found: Interval | None, write: Callable[[float], str]) -> Entry:
    """`24.1x (23.0x to 25.3x)`, sorted by its value."""
    if found is None:
        return Entry("n/a")
    if not found.known:
        return Entry(write(found.value), found.value)
    return Entry(f"{write(found.value)} ({write(found.low)} to {write(found.high)})", found.value)


def spread(found: Interval | None, write: Callable[[float], str]) -> Entry:
    """`0.012 ±3%`; `0.012 (at least 0.011)` where only the lower end is known, and the value alone without any."""
    if found is None:
        return Entry("")
    if found.low > 0 and math.isinf(found.high):
        return Entry(f"{write(found.value)} (at least {write(found.low)})", found.value)
    spread = "" if not found.known else f" ±{found.half_width:.0%}" if found.half_width < 1 else " ±>100%"
    return Entry(f"{write(found.value)}{spread}", found.value)


def seconds(value: float | None) -> Entry:
    """`1.20 ms`, or nothing."""
    return Entry("" if value is None else units.seconds(value), value)


def size(value: int | None) -> Entry:
    """`1.20 MiB`, or nothing."""
    return Entry("" if value is None else units.size(value), value)
