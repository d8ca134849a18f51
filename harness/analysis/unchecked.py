"""Contenders whose output was compared with nothing but itself: wherever such a name leads, it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from harness.records.measurement import Measurement

MARK = "unchecked"


def unchecked(records: Iterable[Measurement]) -> tuple[str, ...]:
    """The contenders that have no independent reference, by name: neither a formula nor a module in float64."""
    return tuple(sorted({each.contender for each in records if each.parity and each.parity.against == "itself"}))


def marked(contender: str, names: Collection[str]) -> str:
    """`sparse (unchecked)` where it is one of the names; its name alone where it is not."""
    return f"{contender} ({MARK})" if contender in names else contender
