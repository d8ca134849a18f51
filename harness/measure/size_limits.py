"""How far each contender reaches: what its failures and its seconds so far say about N that were not tried yet."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from harness.process.failure import TOO_SLOW, Failure
from harness.records.measurement import PILOT
from harness.units import counted, duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.plan.sweep import Cell
    from harness.records.measurement import Measurement
    from harness.suite.schema import Measurement as How

ENOUGH = 3  # deaths of a process at smaller N or batch sizes, before a contender that never worked is given up
_DEATHS = ("signal", "exit", "protocol")
_APART = 2.0  # two N nearer to each other than this tell the growth by their noise alone
_WINDOW = 16.0  # growth is that of the last such factor in N: what is fixed in small calls has faded there
_ROOM = 2.0  # for noise: what is just in time by its growth may well be late
_SINGLES_SECONDS = 0.3  # individually timed calls end here,
_FEWEST_SINGLES = 3  # but for so many

Place = tuple[int, int]  # N, and the batch size: 0 where the batch size does not matter


class SizeLimits:
    """Which cells of a run need not be tried, and why.

    Memory or time that ran out at one N and batch size runs out at every larger one too; nothing follows for smaller
    ones, nor where as large a one has worked. The seconds of a call at larger N follow from a power law through those
    that were measured.
    """

    def __init__(self, how: How, records: Iterable[Measurement] = ()) -> None:
        self._how = how
        self._worked: dict[str, set[Place]] = defaultdict(set)
        self._ended: dict[str, dict[Place, Failure]] = defaultdict(dict)  # where memory or time ran out
        self._deaths: dict[str, list[tuple[Place, Failure]]] = defaultdict(list)
        self._calls: dict[tuple[str, int], dict[int, tuple[float, float]]] = defaultdict(dict)  # call, first call
        for record in records:
            self.learn(record)

    def learn(self, record: Measurement) -> None:
        """Takes a record in."""
        place = record.heads, record.batch_size
        if record.outcome == "measured" and record.sampled is not None:
            self._worked[record.contender].add(place)
            seconds = sorted(record.sampled.seconds)[len(record.sampled.seconds) // 2]
            first = max(record.first_call_seconds or 0.0, seconds)
            self._calls[record.contender, record.batch_size].setdefault(record.heads, (seconds, first))
        elif record.failure is not None and (record.outcome == "failed" or record.purpose == PILOT):
            failure = record.failure
            if failure.stage == "build":
                place = record.heads, 0
            if failure.settles_larger:
                self._ended[record.contender].setdefault(place, failure)
            elif failure.kind in _DEATHS:
                self._deaths[record.contender].append((place, failure))

    def exhausted(self, contender: str) -> bool:
        """Its process has ended several times, and it never worked."""
        return not self._worked[contender] and len(self._deaths[contender]) >= ENOUGH

    def knows(self, cell: Cell) -> bool:
        """Whether this N or a larger one was tried at this batch size."""
        tried = self._worked[cell.contender] | set(self._ended[cell.contender])
        return any(heads >= cell.heads and batch in (0, cell.batch_size) for heads, batch in tried)

    def refusal(self, cell: Cell, calls: int = 0) -> Failure | None:
        """Why this cell is not worth trying; None where it is."""
        place = cell.heads, cell.batch_size
        if any(_no_larger(place, each) for each in self._worked[cell.contender]):
            return None
        smaller = [(each, why) for each, why in self._ended[cell.contender].items() if _rules_out(why, each, place)]
        if smaller:
            at, why = min(smaller, key=lambda each: each[0])
            return why.model_copy(update={"what": f"{why.what} (at {_named(at)}: larger N were not tried)"})
        deaths = [(each, why) for each, why in self._deaths[cell.contender] if _no_larger(each, place)]
        if self.exhausted(cell.contender) and len(deaths) >= ENOUGH:
            at, why = deaths[-1]
            what = f"{why.what} (at {_named(at)}; given up after {counted(len(deaths), 'crash')})"
            return why.model_copy(update={"what": what})
        return self._too_slow(cell, calls)

    def _too_slow(self, cell: Cell, calls: int) -> Failure | None:
        """By the growth of its seconds so far, at the largest batch size up to this one that tells it."""
        batches = [
            batch
            for (name, batch), known in self._calls.items()
            if name == cell.contender and batch <= cell.batch_size and min(known) < cell.heads
        ]
        if not batches:
            return None
        known = self._calls[cell.contender, max(batches)]
        last = max(heads for heads in known if heads < cell.heads)
        seconds, first = known[last]
        call = seconds * (cell.heads / last) ** _growth(known, last)
        visit = _ROOM * (first - seconds + self._visit_calls(call, calls) * call)
        if visit <= self._how.deadline_seconds:
            return None
        what = (
            f"a call at N = {cell.heads:,} would take about {duration(call)}, the whole visit up to {duration(visit)}, "
            f"extrapolated from {duration(seconds)} at N = {last:,}; the deadline is {self._how.deadline_seconds:g} s"
        )
        return Failure(stage="sample", kind=TOO_SLOW, what=what)

    def _visit_calls(self, seconds: float, singles: int) -> float:
        """How many calls of so many seconds a visit makes that gets ready, warms up and takes few samples."""
        longest = self._how.max_warm_up_seconds
        window = min(4, max(1, int(longest / 8 / seconds)))
        warm_up = window if window * seconds >= longest else 3 * window
        timed_alone = min(singles, max(_FEWEST_SINGLES, int(_SINGLES_SECONDS / seconds))) if singles else 0
        return 2 + warm_up + 2 * self._how.rounds + timed_alone  # the first call, and one that rehearses


def _growth(known: dict[int, tuple[float, float]], last: int) -> float:
    """The exponent of the power law that the seconds follow up to N = `last`: the smallest that they allow.

    A cost that jumps once looks steeper to its neighbours than to those far away, and a cost that falls does not grow.
    """
    others = sorted(heads for heads in known if heads * _APART <= last)
    near = [heads for heads in others if heads * _WINDOW >= last] or others[-1:]
    exponents = [math.log(known[last][0] / known[heads][0]) / math.log(last / heads) for heads in near]
    return max(0.0, min(exponents, default=0.0))


def _rules_out(why: Failure, where: Place, place: Place) -> bool:
    """What ended at one place ends at another; at the same one it is seen for itself, where that costs little."""
    same = where[0] == place[0] and where[1] in (0, place[1])
    return _no_larger(where, place) and (why.kind == TOO_SLOW or not same)


def _no_larger(small: Place, large: Place) -> bool:
    """Both N and batch size are no larger."""
    return small[0] <= large[0] and small[1] <= large[1]


def _named(place: Place) -> str:
    heads, batch = place
    return f"N = {heads:,}, batch {batch:,}" if batch else f"N = {heads:,}"
