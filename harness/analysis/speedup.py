"""How many times as fast as one of them the others are, at every N and B of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records.samples import CellKey, slowdown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.statistics import Interval
    from harness.records.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Relative:
    """A contender beside the one that is the unit."""

    unit: str
    contender: str
    heads: int
    batch_size: int
    speedup: Interval  # the unit's time over the contender's: above 1 the contender is faster


def relatives(
    units: Mapping[str, Sequence[str]], cells: Mapping[CellKey, Sequence[Measurement]], confidence: float
) -> Iterator[Relative]:
    """Every N and B at which a contender and its unit were measured, from their paired samples.

    Args:
        units: contenders by the contender that they are told in.
        cells: records by contender, N and B.
        confidence: of the intervals.
    """
    for unit, names in units.items():
        points = sorted({(batch, heads) for name, heads, batch in cells if name == unit})
        for batch, heads in points:
            for name in names:
                found = slowdown(cells, name, unit, heads, batch, confidence)
                if found is not None:
                    yield Relative(unit=unit, contender=name, heads=heads, batch_size=batch, speedup=found)
