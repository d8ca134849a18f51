"""Whether a function remembers its answers: a call with an input that it has seen costs a small part of one that it has not.

Calls are timed in loops over several inputs, so that answers of a microsecond are told from the clock, and three times
over, so that one disturbance is not. Caches and branch predictors know an input, too, and make a call two or three
times as fast; a memo gains more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from harness.functions.equality import weight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FACTOR = 5.0
LONGEST_SECONDS = 0.05  # of a call, for which there is time to make a few more
_MOST_INPUTS = 64
_MOST_BYTES = 2**26  # of a loop's inputs
_FLOOR_SECONDS = 2e-5  # of a loop, what disturbs it once
_CALL_FLOOR_SECONDS = 3e-7  # of a call, what touching another input takes
_BATCHES = 3
_AGAIN = 3  # loops with the same inputs, of which the fastest counts; one where they are long
_DRAWING = 2.5  # times as long as its calls the inputs of a loop may take to be drawn


def time_repeated(
    call: Callable[[Any], Any],
    draw: Callable[[], Any],
    clock: Callable[[], float],
    *,
    own: Callable[[Any], Any] | None = None,
    budget: float = 0.02,
) -> tuple[float, float] | None:
    """Seconds of a call with an input for the first time, and for the second; None where it does its work each time.

    Args:
        call: the function, with an input.
        draw: makes an input that it has not seen.
        clock: seconds.
        own: makes a copy of an input for one call alone, where the function changes it.
        budget: seconds of the calls of a loop, but for a single one that takes longer.
    """
    call(_own_copies([draw()], own)[0])  # what is done once in a process is no memory
    found = (0.0, 0.0)
    for _ in range(_BATCHES):
        inputs = list(_draw_inputs(draw, clock, _DRAWING * budget))
        first, count = _loop(call, _own_copies(inputs, own), clock, budget)
        times = _AGAIN if first <= budget else 1
        again = min(_loop(call, _own_copies(inputs[:count], own), clock)[0] for _ in range(times))
        if first <= FACTOR * again + _FLOOR_SECONDS + _CALL_FLOOR_SECONDS * count:
            return None
        found = first / count, again / count
    return found


def _draw_inputs(draw: Callable[[], Any], clock: Callable[[], float], longest: float) -> Iterator[Any]:
    """So many inputs as neither take too long nor hold too much."""
    ends, held = clock() + longest, 0
    for number in range(_MOST_INPUTS):
        if number and (clock() > ends or held > _MOST_BYTES):
            return
        drawn = draw()
        held += weight(drawn)
        yield drawn


def _own_copies(inputs: Sequence[Any], own: Callable[[Any], Any] | None) -> Sequence[Any]:
    return inputs if own is None else [own(each) for each in inputs]


def _loop(
    call: Callable[[Any], Any], inputs: Sequence[Any], clock: Callable[[], float], longest: float = math.inf
) -> tuple[float, int]:
    """Seconds of calls, and how many there were in time."""
    began = clock()
    for number, each in enumerate(inputs, 1):
        call(each)
        if clock() - began > longest:
            return clock() - began, number
    return clock() - began, len(inputs)
