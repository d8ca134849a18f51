"""Warm-up until it has settled, and an inner loop long enough that the clock does not count.

Warm-up has settled when the medians of two successive windows of calls differ by less than a twentieth, or rise: an
upward change is noise of the machine, never the program becoming warm.
"""

from __future__ import annotations

import itertools
import math
import statistics
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.measure.clock import Clock, resolution

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_SETTLED = 0.05
CLOCK_SHARE = 1e-3  # the clock's own step is at most this share of a sample
_OVERHEAD_LOOPS = 2000
FIRST_UNTIMED_SECONDS = 2e-3  # of calls before a sample, until it is measured how many it takes to be back at speed
_TRIALS = 4
_ROOM = 1.15  # noise makes single samples shorter than the trial


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How samples of one cell are taken."""

    inner_loops: int
    call_seconds: float  # about, of one call that is timed alone
    overhead_seconds: float  # per call, of the empty call through the same loop
    single_overhead_seconds: float  # of one empty call that is timed alone
    warm_up_calls: int
    clock_step_seconds: float
    settled: bool


class OwnLoop(ABC):
    """A callable that is timed by a loop of its own, which knows what must not be on the clock."""

    most_loops: int | None = None  # calls of a sample, at the most; None: any number

    @abstractmethod
    def loop(self, taken: Iterator[Any], clock: Clock) -> float:
        """Seconds that calls with these inputs take."""

    @abstractmethod
    def empty(self, taken: Iterator[Any], clock: Clock) -> float:
        """Seconds that the same loop takes without the calls."""


class Rotation:
    """Prepared inputs that follow each other over and over, wherever the one before has stopped."""

    def __init__(self, inputs: Sequence[Any]) -> None:
        self._endless = itertools.cycle(inputs)

    def take(self, count: int) -> Iterator[Any]:
        """The next ones."""
        return itertools.islice(self._endless, count)


def timed(call: Callable[[Any], Any], inputs: Rotation, loops: int, clock: Clock) -> float:
    """Seconds that `loops` calls take, the inputs rotating; with what has to finish after calls that are queued."""
    taken = inputs.take(loops)
    if isinstance(call, OwnLoop):
        return call.loop(taken, clock)
    finish = getattr(call, "finish", None)
    started = clock()
    for prepared in taken:
        call(prepared)
    if finish is not None:
        finish()
    return clock() - started


def overhead(clock: Clock, inputs: Rotation, loops: int = _OVERHEAD_LOOPS, call: Callable[[Any], Any] = id) -> float:
    """Seconds per call of an empty callable through `timed`: the median of many runs.

    A callable with a loop of its own is called directly, so that of its loop nothing but the calls counts.

    The empty callable is a builtin, so that what is left is the loop's own: entering a contender's `__call__` belongs
    to the contender, as everybody who calls it pays for it.
    """
    runs = max(11, min(201, _OVERHEAD_LOOPS // loops))
    if isinstance(call, OwnLoop):
        return statistics.median(call.empty(inputs.take(loops), clock) for _ in range(runs)) / loops
    return statistics.median(timed(id, inputs, loops, clock) for _ in range(runs)) / loops


def warm_up(
    call: Callable[[Any], Any], inputs: Rotation, clock: Clock, longest: float, window: int = 4, shortest: float = 0.0
) -> tuple[int, float, bool]:
    """Calls until the time of a call no longer falls, and for `shortest` seconds at least.

    Returns:
        the number of calls, the seconds of the last window's median call, and whether it settled in `longest` seconds.
    """
    started = clock()
    calls, last = 0, math.inf
    while True:
        times = [timed(call, inputs, 1, clock) for _ in range(window)]
        calls += window
        now = statistics.median(times)
        if now > last * (1 - _SETTLED) and clock() - started >= shortest:
            return calls, now, True
        if clock() - started >= longest:
            return calls, now, False
        last = now
        window = min(64, window * 2)


def calibrate(
    call: Callable[[Any], Any],
    inputs: Rotation,
    clock: Clock,
    *,
    shortest: float,
    longest_warm_up: float,
    cold: bool = False,
    expected: float = 0.0,
    shortest_warm_up: float = 0.0,
) -> Calibration:
    """Warms a cell up and sizes its inner loop.

    Args:
        call: the contender.
        inputs: the prepared batches that calls rotate among.
        clock: seconds.
        shortest: a sample lasts at least this many seconds.
        longest_warm_up: seconds after which warm-up ends, settled or not.
        cold: an inner loop of one, for samples between which caches are evicted.
        expected: seconds that a call may take, as far as that is known.
        shortest_warm_up: seconds that warm-up lasts at least.
    """
    window = min(4, max(1, int(longest_warm_up / 8 / expected))) if expected > 0 else 4  # few where one takes long
    calls, per_call, settled = warm_up(call, inputs, clock, longest_warm_up, window, shortest_warm_up)
    step = resolution(clock)
    wanted = max(shortest, step / CLOCK_SHARE)
    return Calibration(
        inner_loops=1 if cold else _loops(call, inputs, clock, wanted, per_call),
        call_seconds=per_call,
        overhead_seconds=overhead(clock, inputs, call=call),
        single_overhead_seconds=overhead(clock, inputs, loops=1, call=call),
        warm_up_calls=calls,
        clock_step_seconds=step,
        settled=settled,
    )


def sample(
    call: Callable[[Any], Any], inputs: Rotation, calibration: Calibration, clock: Clock, untimed_seconds: float
) -> float:
    """Seconds per call of one sample, preceded by so many seconds of untimed calls, the empty call subtracted."""
    loops = calibration.inner_loops
    untimed(call, inputs, clock, untimed_seconds)
    own = calibration.single_overhead_seconds if loops == 1 else calibration.overhead_seconds
    return max(timed(call, inputs, loops, clock) / loops - own, 1e-12)


def untimed(call: Callable[[Any], Any], inputs: Rotation, clock: Clock, seconds: float) -> None:
    """Calls that bring a contender back to speed: one, and more for so many seconds."""
    finish = getattr(call, "finish", None)
    ends = clock() + seconds
    while True:
        for prepared in inputs.take(1):
            call(prepared)
        if finish is not None:  # a queue must not be full when timing begins
            finish()
        if clock() >= ends:
            return


def _loops(call: Callable[[Any], Any], inputs: Rotation, clock: Clock, wanted: float, per_call: float) -> int:
    """Calls of a sample that lasts as long as wanted: tried out, since what a call takes within a loop is less."""
    most = (call.most_loops if isinstance(call, OwnLoop) else None) or 10**9
    loops = min(most, max(1, math.ceil(wanted / max(per_call, 1e-9))))
    for _ in range(_TRIALS if loops > 1 else 0):
        untimed(call, inputs, clock, FIRST_UNTIMED_SECONDS)
        took = timed(call, inputs, loops, clock)
        if took >= wanted or loops == most:
            break
        loops = min(most, math.ceil(loops * min(8.0, _ROOM * wanted / max(took, 1e-9))))
    return loops
