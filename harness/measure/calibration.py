"""Warm-up until it has settled, and an inner loop long enough that the clock does not count.

Warm-up has settled when the medians of two successive windows of calls differ by less than a twentieth, or rise: an
upward change is noise of the machine, never the program becoming warm.
"""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.measure.clock import Clock, resolution

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SETTLED = 0.05
_CLOCK_SHARE = 1e-3  # the clock's own step is at most this share of a sample
_OVERHEAD_LOOPS = 2000


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """How samples of one cell are taken."""

    inner_loops: int
    overhead_seconds: float  # per call, of the empty call through the same loop
    warm_up_calls: int
    first_call_seconds: float
    clock_step_seconds: float
    settled: bool


def timed(call: Callable[[Any], Any], inputs: Sequence[Any], loops: int, clock: Clock) -> float:
    """Seconds that `loops` calls take, the inputs rotating."""
    rotation = itertools.islice(itertools.cycle(inputs), loops)
    started = clock()
    for prepared in rotation:
        call(prepared)
    return clock() - started


def overhead(clock: Clock, inputs: Sequence[Any]) -> float:
    """Seconds per call of an empty callable through `timed`: the median of eleven runs.

    The empty callable is a builtin, so that what is left is the loop's own: entering a contender's `__call__` belongs
    to the contender, as everybody who calls it pays for it.
    """
    return statistics.median(timed(id, inputs, _OVERHEAD_LOOPS, clock) for _ in range(11)) / _OVERHEAD_LOOPS


def warm_up(
    call: Callable[[Any], Any], inputs: Sequence[Any], clock: Clock, longest: float, window: int = 4
) -> tuple[int, float, bool]:
    """Calls until the time of a call no longer falls.

    Returns:
        the number of calls, the seconds of the last window's median call, and whether it settled in `longest` seconds.
    """
    started = clock()
    calls, last = 0, math.inf
    while True:
        times = [timed(call, inputs, 1, clock) for _ in range(window)]
        calls += window
        now = statistics.median(times)
        if now > last * (1 - _SETTLED):
            return calls, now, True
        if clock() - started >= longest:
            return calls, now, False
        last = now
        window = min(64, window * 2)


def calibrate(
    call: Callable[[Any], Any],
    inputs: Sequence[Any],
    clock: Clock,
    *,
    shortest: float,
    longest_warm_up: float,
    cold: bool = False,
) -> Calibration:
    """Warms a cell up and sizes its inner loop.

    Args:
        call: the contender.
        inputs: the prepared batches that calls rotate among.
        clock: seconds.
        shortest: a sample lasts at least this many seconds.
        longest_warm_up: seconds after which warm-up ends, settled or not.
        cold: an inner loop of one, for samples between which caches are evicted.
    """
    first = timed(call, inputs, 1, clock)
    window = min(4, max(1, int(longest_warm_up / 8 / first))) if first > 0 else 4  # few calls where one takes long
    calls, per_call, settled = warm_up(call, inputs, clock, longest_warm_up, window)
    step = resolution(clock)
    loops = 1 if cold else max(1, math.ceil(max(shortest, step / _CLOCK_SHARE) / max(per_call, 1e-9)))
    return Calibration(
        inner_loops=loops,
        overhead_seconds=overhead(clock, inputs),
        warm_up_calls=calls,
        first_call_seconds=first,
        clock_step_seconds=step,
        settled=settled,
    )


def sample(call: Callable[[Any], Any], inputs: Sequence[Any], calibration: Calibration, clock: Clock) -> float:
    """Seconds per call of one sample, preceded by an untimed call, the empty call subtracted."""
    call(inputs[-1])
    seconds = timed(call, inputs, calibration.inner_loops, clock) / calibration.inner_loops
    return max(seconds - calibration.overhead_seconds, 1e-12)
