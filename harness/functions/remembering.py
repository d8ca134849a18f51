"""Whether a function remembers its answers: a call with an input that it has seen costs a small part of one that it has not.

Calls are timed in loops over several inputs, so that answers of a microsecond are told from the clock, and three times
over, so that one disturbance is not. Caches and branch predictors know an input, too, and make a call two or three
times as fast; a memo gains more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOST_INPUTS = 64
_FACTOR = 5.0
_FLOOR_SECONDS = 2e-5  # of a loop, what disturbs it once
_CALL_FLOOR_SECONDS = 3e-7  # of a call, what touching another input takes
_BATCHES = 3
_AGAIN = 3  # loops with the same inputs, of which the fastest counts
_BATCH_SECONDS = 0.02  # of calls in a loop,
_DRAWING_SECONDS = 0.05  # and of drawing its inputs


def remembers(
    call: Callable[[Any], Any],
    draw: Callable[[], Any],
    clock: Callable[[], float],
    *,
    own: Callable[[Any], Any] | None = None,
    call_seconds: float,
) -> tuple[float, float] | None:
    """Seconds of a call with an input for the first time, and for the second; None where it does its work each time.

    Args:
        call: the function, with an input.
        draw: makes an input that it has not seen.
        clock: seconds.
        own: makes a copy of an input for one call alone, where the function changes it.
        call_seconds: about what a call takes.
    """
    call(_ready([draw()], own)[0])  # what is done once in a process is no memory
    found = (0.0, 0.0)
    for _ in range(_BATCHES):
        inputs = list(_drawn(draw, clock, call_seconds))
        first = _loop(call, _ready(inputs, own), clock)
        again = min(_loop(call, _ready(inputs, own), clock) for _ in range(_AGAIN))
        if first <= _FACTOR * again + _FLOOR_SECONDS + _CALL_FLOOR_SECONDS * len(inputs):
            return None
        found = first / len(inputs), again / len(inputs)
    return found


def _drawn(draw: Callable[[], Any], clock: Callable[[], float], call_seconds: float) -> Iterator[Any]:
    """So many inputs as do not take too long."""
    most = min(MOST_INPUTS, max(1, int(_BATCH_SECONDS / max(call_seconds, 1e-9))))
    ends = clock() + _DRAWING_SECONDS
    for number in range(most):
        if number and clock() > ends:
            return
        yield draw()


def _ready(inputs: Sequence[Any], own: Callable[[Any], Any] | None) -> Sequence[Any]:
    return inputs if own is None else [own(each) for each in inputs]


def _loop(call: Callable[[Any], Any], inputs: Sequence[Any], clock: Callable[[], float]) -> float:
    began = clock()
    for each in inputs:
        call(each)
    return clock() - began
