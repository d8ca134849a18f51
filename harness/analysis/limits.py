"""How far a cell is from what the machine could do at best, and the crossover that the limits alone would predict."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from harness.analysis.cells import CellSummary
    from harness.records.measurement import Measurement
    from harness.suite.sweep import Leg

Costs = Mapping[tuple[str, int, int], tuple[float, float]]  # (operations, bytes) by contender, heads and batch size


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """The machine's best rates, by batch size and by working set."""

    flops_per_second: Mapping[int, float]
    bytes_per_second: Mapping[int, float]

    @classmethod
    def of(cls, machine: Mapping[str, Any]) -> Ceilings | None:
        """Those that a run measured, or None."""
        found = machine.get("limits")
        if not found:
            return None
        return cls(
            flops_per_second={int(batch): float(rate) for batch, rate in found["flops_per_second"].items()},
            bytes_per_second={int(size): float(rate) for size, rate in found["bytes_per_second"].items()},
        )

    def floor(self, flops: float, size: float, batch_size: int) -> float:
        """Seconds that a call cannot beat: the larger of arithmetic and memory traffic."""
        arithmetic = flops / max(self.flops_per_second.values()) if batch_size > 1 else 0.0
        return max(arithmetic, size / _between(self.bytes_per_second, size))


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A cell against the machine's limits."""

    contender: str
    heads: int
    batch_size: int
    seconds: float
    floor_seconds: float
    gigaflops_per_second: float
    gigabytes_per_second: float
    bound: str  # 'arithmetic' or 'memory'

    @property
    def ratio(self) -> float:
        """Measured over floor: 1 is the machine's limit."""
        return self.seconds / self.floor_seconds if self.floor_seconds else math.nan


def distances(cells: Sequence[CellSummary], costs: Costs, ceilings: Ceilings | None) -> tuple[Distance, ...]:
    """Every cell whose projector states its cost, where the limits were measured.

    Args:
        cells: of a summary.
        costs: as `costs_of` gives them.
        ceilings: of the machine.
    """
    found = []
    for cell in cells:
        cost = costs.get((cell.contender, cell.heads, cell.batch_size))
        if ceilings is None or cost is None or cell.call is None:
            continue
        flops, size = cost
        floor = ceilings.floor(flops, size, cell.batch_size)
        memory = size / _between(ceilings.bytes_per_second, size)
        found.append(
            Distance(
                contender=cell.contender,
                heads=cell.heads,
                batch_size=cell.batch_size,
                seconds=cell.call.value,
                floor_seconds=floor,
                gigaflops_per_second=flops / cell.call.value / 1e9,
                gigabytes_per_second=size / cell.call.value / 1e9,
                bound="memory" if memory >= floor else "arithmetic",
            )
        )
    return tuple(found)


def predicted(costs: Costs, leg: Leg, ceilings: Ceilings | None) -> int | None:
    """The first N of a leg at which the challenger's floor is below the baseline's; None where there is none.

    Costs between the N that were visited are interpolated, so a step of a cost lies somewhere between two of them.
    """
    floors = [_floors(costs, name, leg, ceilings) for name in (leg.baseline, leg.challenger)]
    if floors[0] is None or floors[1] is None:
        return None
    ahead = np.flatnonzero(floors[1] < floors[0])
    return int(_grid(leg)[ahead[0]]) if ahead.size and ahead[0] > 0 else None


def _grid(leg: Leg) -> NDArray[np.int64]:
    return np.unique(np.geomspace(leg.low, leg.high, 2000).round().astype(np.int64))


def _floors(costs: Costs, contender: str, leg: Leg, ceilings: Ceilings | None) -> NDArray[np.float64] | None:
    """Seconds that a contender cannot beat at each N of the leg's grid; None where its costs are not known."""
    known = sorted(
        (n, *cost) for (name, n, batch), cost in costs.items() if (name, batch) == (contender, leg.batch_size)
    )
    if ceilings is None or len(known) < 2:
        return None
    places, flops, sizes = np.log(np.array(known, dtype=np.float64)).T
    at = np.log(_grid(leg))
    return np.array(
        [
            ceilings.floor(math.exp(one), math.exp(other), leg.batch_size)
            for one, other in zip(np.interp(at, places, flops), np.interp(at, places, sizes), strict=True)
        ]
    )


def costs_of(records: Iterable[Measurement]) -> Costs:
    """What the projectors stated, by contender, heads and batch size."""
    return {
        each.cell: (each.cost_flops, each.cost_bytes)
        for each in records
        if each.cost_flops is not None and each.cost_bytes is not None
    }


def _between(rates: Mapping[int, float], size: float) -> float:
    """The rate at a size or batch size, interpolated on a logarithmic scale."""
    sizes = sorted(rates)
    return float(np.interp(math.log(max(size, 1.0)), np.log(sizes), [rates[each] for each in sizes]))
