"""How far a cell is from what the machine could do at best, and the crossover that the limits alone would predict."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from harness.analysis.cells import CellSummary
    from harness.plan.sweep import SearchCase
    from harness.records.measurement import Measurement

Shape = tuple[int, int, int]  # rows, inner, columns of a matrix product
NEAR = 1.3  # times a floor up to which nothing needs an explanation


@dataclass(frozen=True, kw_only=True)
class CostModel:
    """What a projector says that a call needs."""

    heads: int
    flops: float
    bytes: float
    products: tuple[Shape, ...] = ()


Costs = Mapping[tuple[str, int], tuple[CostModel, ...]]  # by contender and batch size, ascending in heads


@dataclass(frozen=True, kw_only=True)
class MachineLimits:
    """The machine's best rates: of matrix products by rows or by shape, of reading by working set."""

    flops_per_second: Mapping[int, float]
    bytes_per_second: Mapping[int, float]
    products: Mapping[Shape, float] = field(default_factory=dict)
    call_seconds: float = 0.0  # of starting work on a device and waiting for it, which no call can do without
    achieved: float = 0.0  # operations per second within a contender
    reached: tuple[tuple[float, float], ...] = ()  # bytes of a call, and bytes per second within a contender

    @classmethod
    def of(cls, machine: Mapping[str, Any], device: str = "cpu", *, waits: bool = True) -> MachineLimits | None:
        """Those of the processor or of another device that a run measured, or None."""
        limits = machine.get("limits") or {}
        found = limits if device == "cpu" else limits.get("devices", {}).get(device)
        if not found or not found.get("flops_per_second"):
            return None
        costs = [float(found.get("launch_seconds", 0.0)), float(found.get("synchronise_seconds", 0.0)) * waits]
        return cls(
            call_seconds=sum(costs),
            flops_per_second={int(batch): float(rate) for batch, rate in found["flops_per_second"].items()},
            bytes_per_second={int(size): float(rate) for size, rate in found["bytes_per_second"].items()},
            products={(int(m), int(k), int(n)): float(rate) for m, k, n, rate in found.get("products", ())},
        )

    def memory(self, size: float) -> float:
        """Seconds to read so many bytes over and over; who reads more bytes as fast shows that so many can be."""
        reached = [rate for held, rate in self.reached if held >= size]
        return size / max([_between(self.bytes_per_second, size), *reached])

    def floor(self, cost: CostModel) -> float:
        """Seconds that a call cannot beat: operations at the best rate of all, or memory traffic, whichever is more."""
        return self.call_seconds + max(cost.flops / self._best, self.memory(cost.bytes))

    def bound(self, cost: CostModel) -> str:
        """What most of the floor is: arithmetic, memory, or starting a call on a device and waiting for it."""
        arithmetic, memory = cost.flops / self._best, self.memory(cost.bytes)
        if self.call_seconds > max(arithmetic, memory):
            return "launch"
        return "memory" if memory >= arithmetic else "arithmetic"

    def other(self, cost: CostModel) -> float:
        """Seconds of whichever of arithmetic and memory traffic is less."""
        return min(cost.flops / self._best, self.memory(cost.bytes))

    def shaped(self, cost: CostModel) -> float | None:
        """The same with every product at the rate of its own shape; None where shapes are not known."""
        if not self.products or not cost.products:
            return None
        counted = [2.0 * rows * inner * columns for rows, inner, columns in cost.products]
        seconds = sum(
            flops / self._rate(shape) for flops, shape in zip(counted, cost.products, strict=True) if flops > 0
        )
        scale = min(1.0, cost.flops / sum(counted)) if sum(counted) else 1.0
        rest = max(0.0, cost.flops - sum(counted)) / self._best
        return self.call_seconds + max(seconds * scale + rest, self.memory(cost.bytes))

    def raised(self, calls: Sequence[tuple[CostModel, float]]) -> MachineLimits:
        """The same where contenders were faster than what was timed alone: what was reached can be reached."""
        return dataclasses.replace(
            self,
            achieved=max([self.achieved, *(cost.flops / seconds for cost, seconds in calls)]),
            reached=(*self.reached, *((cost.bytes, cost.bytes / seconds) for cost, seconds in calls)),
        )

    @cached_property
    def _best(self) -> float:
        return max([self.achieved, *self.flops_per_second.values(), *self.products.values()])

    @cached_property
    def _rates(self) -> dict[Shape, float]:
        """Of the shapes that were asked for: most are, many times."""
        return {}

    def _rate(self, shape: Shape) -> float:
        """Of the timed shape that is nearest on a logarithmic scale."""
        if shape not in self._rates:
            self._rates[shape] = self.products[min(self.products, key=lambda each: (_distance(each, shape), each))]
        return self._rates[shape]


@dataclass(frozen=True, kw_only=True)
class Distance:
    """A cell against the machine's limits."""

    contender: str
    heads: int
    batch_size: int
    seconds: float
    floor_seconds: float  # with the best rate of all
    shape_floor_seconds: float | None  # with the rates of products of its own shapes
    gigaflops_per_second: float
    gigabytes_per_second: float
    bound: str  # 'arithmetic', 'memory' or 'launch'
    other_seconds: float  # of the other of the two, which the floor supposes to be hidden behind it
    fixed_seconds: float  # the least that this contender takes over its floor at any N and batch size

    @property
    def ratio(self) -> float:
        """Measured over floor: 1 is the machine's limit."""
        return self.seconds / self.floor_seconds if self.floor_seconds else math.nan

    @property
    def shape_ratio(self) -> float:
        """Measured over the floor at its own shapes; NaN where that is not known."""
        return self.seconds / self.shape_floor_seconds if self.shape_floor_seconds else math.nan

    @property
    def in_the_way(self) -> str:
        """What most of the time over the floor is, as far as the figures show; empty within 1.3 times the floor."""
        if not self.floor_seconds or self.ratio <= NEAR:
            return ""
        beaten = self.shape_floor_seconds is not None and self.seconds < self.shape_floor_seconds
        floor = self.floor_seconds if beaten else self.shape_floor_seconds or self.floor_seconds
        rest = self.seconds - floor
        if floor - self.floor_seconds >= rest:
            return "the shape of its products"
        if self.fixed_seconds >= rest / 2:
            return "the fixed cost of a call"
        if self.other_seconds >= rest / 2:
            return "no overlap of arithmetic and memory"
        # Where it multiplies faster than the timed libraries, their rate does not say what its shapes cost.
        return "work other than its products, or their shape" if beaten else "work other than its products"


def distances(
    cells: Sequence[CellSummary], costs: Costs, ceilings: Mapping[str, MachineLimits]
) -> tuple[Distance, ...]:
    """Every cell whose projector states its cost, where limits that hold for it were measured."""
    counted = [
        (cell, cell.call.value, found)
        for cell in cells
        if cell.call is not None
        and cell.contender in ceilings
        and (found := _at(costs.get((cell.contender, cell.batch_size), ()), cell.heads)) is not None
    ]
    reached = {
        name: limits.raised(
            [(found, seconds) for cell, seconds, found in counted if ceilings[cell.contender] == limits]
        )
        for name, limits in ceilings.items()
    }
    known = [(cell, seconds, found, reached[cell.contender].floor(found)) for cell, seconds, found in counted]
    fixed: dict[str, float] = defaultdict(lambda: math.inf)
    for cell, seconds, _, floor in known:
        fixed[cell.contender] = min(fixed[cell.contender], max(0.0, seconds - floor))
    return tuple(
        Distance(
            contender=cell.contender,
            heads=cell.heads,
            batch_size=cell.batch_size,
            seconds=seconds,
            floor_seconds=floor,
            shape_floor_seconds=reached[cell.contender].shaped(found),
            gigaflops_per_second=found.flops / seconds / 1e9,
            gigabytes_per_second=found.bytes / seconds / 1e9,
            bound=reached[cell.contender].bound(found),
            other_seconds=reached[cell.contender].other(found),
            fixed_seconds=fixed[cell.contender],
        )
        for cell, seconds, found, floor in known
    )


def predicted(costs: Costs, case: SearchCase, ceilings: Mapping[str, MachineLimits]) -> int | None:
    """The first N of a case at which the challenger's floor is below the baseline's; None where there is none.

    Costs were asked for on both sides of every declared step, and are interpolated between the N that were asked for.
    """
    if not {case.baseline, case.challenger} <= set(ceilings):
        return None
    grid = np.unique(np.geomspace(case.low, case.high, 2000).round().astype(np.int64))
    edges = [n for step in case.steps for n in (step, step + 1) if case.low <= n <= case.high]
    grid = np.union1d(grid, np.array(edges, dtype=np.int64))
    floors = [
        _floors(costs.get((name, case.batch_size), ()), grid, ceilings[name])
        for name in (case.baseline, case.challenger)
    ]
    if floors[0] is None or floors[1] is None:
        return None
    ahead = np.flatnonzero(floors[1] < floors[0])
    return int(grid[ahead[0]]) if ahead.size and ahead[0] > 0 else None


def _floors(known: Sequence[CostModel], grid: NDArray[np.int64], ceilings: MachineLimits) -> NDArray[np.float64] | None:
    """Seconds that a contender cannot beat at each N, at its own shapes where they are known; None without costs."""
    if len(known) < 2:
        return None
    seconds = [ceilings.shaped(each) or ceilings.floor(each) for each in known]
    places = np.log([each.heads for each in known])
    found: NDArray[np.float64] = np.exp(np.interp(np.log(grid), places, np.log(np.maximum(seconds, 1e-15))))
    return found


def costs_of(records: Iterable[Measurement], machine: Mapping[str, Any] | None = None) -> Costs:
    """What the projectors stated: when the limits were measured, and with each record."""
    found: dict[tuple[str, int], dict[int, CostModel]] = defaultdict(dict)
    for each in records:
        if each.cost_flops is not None and each.cost_bytes is not None:
            found[each.contender, each.batch_size][each.heads] = CostModel(
                heads=each.heads, flops=each.cost_flops, bytes=each.cost_bytes
            )
    asked = ((machine or {}).get("limits") or {}).get("costs", {})
    for name, rows in asked.items():
        for heads, batch, flops, size, products in rows:
            shapes = tuple((int(m), int(k), int(n)) for m, k, n in products)
            found[name, int(batch)][int(heads)] = CostModel(
                heads=int(heads), flops=float(flops), bytes=float(size), products=shapes
            )
    return {place: tuple(stated[n] for n in sorted(stated)) for place, stated in found.items()}


def _at(known: Sequence[CostModel], heads: int) -> CostModel | None:
    """What was stated at an N, with the shapes of the nearest N where only a search has been there."""
    here = next((each for each in known if each.heads == heads), None)
    shaped = [each for each in known if each.products]
    if here is None or here.products or not shaped:
        return here
    nearest = min(shaped, key=lambda each: (abs(math.log(each.heads / heads)), each.heads))
    stretch = heads / nearest.heads
    products = tuple(
        tuple(round(side * stretch) if side == nearest.heads else side for side in shape) for shape in nearest.products
    )
    return CostModel(heads=heads, flops=here.flops, bytes=here.bytes, products=products)  # type: ignore[arg-type]


def _distance(one: Shape, other: Shape) -> float:
    return sum(abs(math.log(max(a, 1) / max(b, 1))) for a, b in zip(one, other, strict=True))


def _between(rates: Mapping[int, float], size: float) -> float:
    """The rate at a size, interpolated on a logarithmic scale."""
    sizes = sorted(rates)
    return float(np.interp(math.log(max(size, 1.0)), np.log(sizes), [rates[each] for each in sizes]))
