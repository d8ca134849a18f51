"""A slowdown under changing conditions: one change after the other, each with the factor by which it changes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.speedup import slowdown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.analysis.statistics import Interval
    from harness.records.measurement import Measurement
    from harness.records.samples import CellKey
    from harness.suite.schema import Race, Suite

CLOSE = 0.05  # by which the product of all factors may miss what was measured from end to end


@dataclass(frozen=True, kw_only=True)
class Row:
    """One change of conditions."""

    change: str
    race: str
    batch_size: int
    slowdown: Interval | None  # challenger over baseline under these conditions; None where one was not measured
    factor: float | None  # that this change multiplies the slowdown by, from samples of the contender that it changes


@dataclass(frozen=True, kw_only=True)
class Stepwise:
    """All changes at one N."""

    name: str
    heads: int
    rows: tuple[Row, ...]

    @property
    def product(self) -> float | None:
        """The first slowdown times all factors; None where one of them is not known."""
        first, *rest = self.rows
        if first.slowdown is None or any(row.factor is None for row in rest):
            return None
        return first.slowdown.value * math.prod(row.factor for row in rest if row.factor is not None)

    @property
    def miss(self) -> float | None:
        """By how much of it the product differs from the last slowdown as measured."""
        last = self.rows[-1].slowdown
        return None if self.product is None or last is None else self.product / last.value - 1


def stepwise(
    suite: Suite, cells: Mapping[CellKey, Sequence[Measurement]], confidence: float = 0.95
) -> tuple[Stepwise, ...]:
    """The suite's waterfall, where it asks for one and its first race was measured or others were."""
    wanted = suite.waterfall
    if wanted is None:
        return ()
    races = {race.name: race for race in suite.races}
    rows: list[Row] = []
    before: tuple[Race, int, Interval] | None = None
    for step in wanted.steps:
        race = races.get(step.race)
        found = (
            slowdown(cells, race.baseline, race.challenger, wanted.heads, step.batch_size, confidence) if race else None
        )
        factor = None
        if before is not None and race is not None and found is not None:
            factor = _step_factor(cells, before, (race, step.batch_size, found), wanted.heads, confidence)
        rows.append(Row(change=step.change, race=step.race, batch_size=step.batch_size, slowdown=found, factor=factor))
        before = (race, step.batch_size, found) if race is not None and found is not None else None
    if all(row.slowdown is None for row in rows):
        return ()
    return (Stepwise(name=wanted.name, heads=wanted.heads, rows=tuple(rows)),)


def _step_factor(
    cells: Mapping[CellKey, Sequence[Measurement]],
    before: tuple[Race, int, Interval],
    after: tuple[Race, int, Interval],
    heads: int,
    confidence: float,
) -> float | None:
    """From paired samples of who changed; from both slowdowns where the batch size changed."""
    (one, batch, was), (other, now, found) = before, after
    if batch != now:
        return found.value / was.value
    factor = 1.0
    for old, new, power in ((one.challenger, other.challenger, 1), (one.baseline, other.baseline, -1)):
        if old != new:
            changed = slowdown(cells, old, new, heads, batch, confidence)
            if changed is None:
                return None
            factor *= changed.value**power
    return factor
