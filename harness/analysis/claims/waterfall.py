"""Where a documented slowdown comes from: each contender taken step by step to its fastest form, as ratios."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.speedup import slowdown
from harness.analysis.statistics import Interval, typical
from harness.records.samples import CellKey, seconds_by_launch, timed_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.analysis.families import Families
    from harness.records.measurement import Measurement
    from harness.suite.schema import Suite


@dataclass(frozen=True, kw_only=True)
class Step:
    """From one form of a contender to a faster one."""

    before: str
    after: str
    change: str  # what differs between the two
    speedup: Interval  # seconds before over seconds after


@dataclass(frozen=True, kw_only=True)
class Waterfall:
    """A documented race at its documented point, and both contenders' ways to their fastest forms."""

    race: str
    heads: int
    batch_size: int
    start: Interval  # slowdown between the two as documented: challenger over baseline
    baseline: tuple[Step, ...]
    challenger: tuple[Step, ...]
    end: Interval | None  # slowdown between the fastest form of each

    @property
    def fastest(self) -> tuple[str, str]:
        """The last form of baseline and challenger; empty names where there was no step."""
        return (
            self.baseline[-1].after if self.baseline else "",
            self.challenger[-1].after if self.challenger else "",
        )


def waterfalls(
    suite: Suite, cells: Mapping[CellKey, Sequence[Measurement]], families: Families, confidence: float = 0.95
) -> tuple[Waterfall, ...]:
    """One for each documented race, N and batch size that was measured.

    The forms of a contender are the contenders whose projector declares the same family (`lda-loop` and `lda`). From one to
    the next only one thing changes, where the suite has contenders for that: first the runtime, as long as that makes
    it faster, then what is run (another projector, other options) in that runtime, then the runtime again. So a step
    says whether it was the runtime or the arithmetic.
    """
    if suite.documented is None:
        return ()
    found = []
    for figure in suite.documented.figures:
        if figure.heads is None or figure.slowdown is None:
            continue
        race, point = suite.race(figure.race), (figure.heads, figure.batch_size)
        start = slowdown(cells, race.baseline, race.challenger, *point, confidence)
        if start is None:
            continue
        ours = tuple(_steps(suite, cells, families, race.baseline, point, confidence))
        theirs = tuple(_steps(suite, cells, families, race.challenger, point, confidence))
        last = (ours[-1].after if ours else race.baseline, theirs[-1].after if theirs else race.challenger)
        found.append(
            Waterfall(
                race=figure.race,
                heads=figure.heads,
                batch_size=figure.batch_size,
                start=start,
                baseline=ours,
                challenger=theirs,
                end=slowdown(cells, *last, *point, confidence),
            )
        )
    return tuple(found)


def _steps(
    suite: Suite,
    cells: Mapping[CellKey, Sequence[Measurement]],
    families: Families,
    first: str,
    point: tuple[int, int],
    confidence: float,
) -> Iterator[Step]:
    """From the documented form to the fastest one of its family."""
    seconds: dict[str, float] = {}
    own = families.family(suite.contenders[first].projector)
    for name, contender in suite.contenders.items():
        if families.family(contender.projector) == own:
            by_launch = seconds_by_launch(timed_records(cells.get((name, *point), ())))
            if by_launch:
                seconds[name] = typical(by_launch).value
    before = first
    for after in _order_of_changes(suite, seconds, first):
        speedup = slowdown(cells, after, before, *point, confidence)
        if speedup is not None:
            yield Step(before=before, after=after, change=_change(suite, before, after), speedup=speedup)
            before = after


def _order_of_changes(suite: Suite, seconds: Mapping[str, float], first: str) -> Iterator[str]:
    """The contenders on the way from the first to the fastest, one change at a time where the suite allows it."""
    now, passed = first, {_configuration(suite, first)}
    while True:
        faster = [name for name in seconds if seconds[name] < seconds[now]]
        for name in sorted(faster, key=lambda each: -seconds[each]):
            if _configuration(suite, name) == _configuration(suite, now):
                yield name
                now = name
        others = [
            name for name in seconds if _configuration(suite, name) not in passed and seconds[name] < seconds[now]
        ]
        if not others:
            return
        same_runtime = [name for name in others if suite.contenders[name].runtime == suite.contenders[now].runtime]
        now = min(same_runtime or others, key=lambda name: seconds[name])
        passed.add(_configuration(suite, now))
        yield now


def _configuration(suite: Suite, name: str) -> str:
    """What is computed, whatever runs it: the projector and its options."""
    contender = suite.contenders[name]
    return f"{contender.projector} {sorted(contender.options.items())}"


def _change(suite: Suite, before: str, after: str) -> str:
    """In a few words, what one has that the other has not."""
    one, other = suite.contenders[before], suite.contenders[after]
    changes = []
    if one.projector != other.projector:
        changes.append(f"{other.projector} in place of {one.projector}")
    elif one.options != other.options:
        new = [f"{name}: {value}" for name, value in other.options.items() if one.options.get(name) != value]
        changes.append(", ".join(new) or "default options")
    if one.runtime != other.runtime:
        changes.append(f"{other.runtime} in place of {one.runtime}")
    return " and ".join(changes)
