"""The cells of a suite: every contender, N and B that is to be measured, and the races to be searched."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from harness.units import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.suite.schema import Contender, HeadsList, HeadsRange, Race, Suite


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """One contender at one number of heads and one batch size."""

    contender: str
    heads: int
    batch_size: int


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A cell that will not run, and why."""

    cell: Cell
    reason: str


@dataclass(frozen=True, kw_only=True)
class SearchCase:
    """A race at one batch size: what one search answers."""

    race: str
    baseline: str
    challenger: str
    batch_size: int
    low: int
    high: int
    method: str = "adaptive"
    steps: tuple[int, ...] = ()  # largest N before each known jump of a contender's cost
    declared: bool = False  # a contender says where its cost jumps, be it nowhere inside the range
    points: tuple[int, ...] = ()  # N of the grid, where the method is one
    counts: Literal["heads", "n"] = "heads"  # what N counts: heads, or the n of plain functions

    @property
    def label(self) -> str:
        """How records and errors name it."""
        return f"{self.race} at batch {self.batch_size}"

    @property
    def title(self) -> str:
        """How it is shown: functions of n have no batch that is worth a word."""
        return self.race if self.counts == "n" and self.batch_size == 1 else self.label


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What a suite asks for, spelled out."""

    cells: tuple[Cell, ...]
    skipped: tuple[Skipped, ...] = ()
    cases: tuple[SearchCase, ...] = ()
    steps: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # by contender


def sweep(
    suite: Suite,
    steps: Mapping[str, tuple[int, ...]] | None = None,
    limit: int | None = None,
    *,
    broken: Mapping[str, str] | None = None,
) -> Sweep:
    """Spells a suite out.

    Args:
        suite: the suite.
        steps: for each contender that declares them the N before each jump of its cost, maybe none; those outside a
            race's range are left out of its cases.
        limit: the largest N that the source gives, or None.
        broken: contenders that cannot take part, and why: their cells are skipped, and their races are not run.
    """
    known = dict(steps or {})
    out = dict(broken or {})
    cells: list[Cell] = []
    skipped: list[Skipped] = []
    for name, contender in suite.contenders.items():
        batch_sizes = set(contender.batch_sizes or suite.batch_sizes)
        elsewhere = f"the contender takes part at batch {listed(contender.batch_sizes or ())}"
        for heads in suite.heads.grid():
            absent = out.get(name) or _why_not(contender, heads, limit)
            for batch_size in suite.batch_sizes:
                reason = absent or ("" if batch_size in batch_sizes else elsewhere)
                cell = Cell(contender=name, heads=heads, batch_size=batch_size)
                if reason:
                    skipped.append(Skipped(cell=cell, reason=reason))
                else:
                    cells.append(cell)
    cases = [
        case
        for race in suite.races
        if not {race.baseline, race.challenger} & set(out)
        for case in _cases(suite, race, known, limit)
    ]
    return Sweep(cells=tuple(cells), skipped=tuple(skipped), cases=tuple(cases), steps=known)


def _why_not(contender: Contender, heads: int, limit: int | None) -> str:
    """Why a contender sits out at this N; empty where it does not."""
    if limit is not None and heads > limit:
        return f"the source has {limit:,} heads"
    own = contender.heads
    if own is not None and not own.includes(heads):
        return f"the contender takes part {own.describe()}"
    return ""


def _cases(suite: Suite, race: Race, steps: Mapping[str, tuple[int, ...]], limit: int | None) -> list[SearchCase]:
    """The searches of one race: one per batch size, over the range, both as far as all take part."""
    ranges: list[HeadsRange | HeadsList] = [race.heads or suite.heads]
    ranges += [own for name in (race.baseline, race.challenger) if (own := suite.contenders[name].heads) is not None]
    low = max(each.low for each in ranges)
    high = min([each.high for each in ranges] + ([limit] if limit is not None else []))
    if low >= high:
        return []
    named = [suite.contenders[name].batch_sizes for name in (race.baseline, race.challenger)]
    named_batches = [None if each is None else set(each) for each in named]
    batch_sizes = [
        each
        for each in race.batch_sizes or suite.batch_sizes
        if all(own is None or each in own for own in named_batches)
    ]
    method = race.search or suite.search.method
    declared = suite.search.use_steps and any(name in steps for name in (race.baseline, race.challenger))
    jumps = sorted({n for name in (race.baseline, race.challenger) for n in steps.get(name, ()) if low <= n < high})
    return [
        SearchCase(
            race=race.name,
            baseline=race.baseline,
            challenger=race.challenger,
            batch_size=batch_size,
            low=low,
            high=high,
            method=method,
            steps=tuple(jumps) if declared else (),
            declared=declared,
            points=_points(suite, race, low, high) if method == "grid" else (),
            counts="n" if suite.functions else "heads",
        )
        for batch_size in batch_sizes
    ]


def _points(suite: Suite, race: Race, low: int, high: int) -> tuple[int, ...]:
    """The N of a race's grid: those of the table, and of its own range where it has one, with both ends."""
    own = race.heads.grid() if race.heads is not None else ()
    return tuple(sorted({low, high, *(n for n in (*suite.heads.grid(), *own) if low <= n <= high)}))
