"""Whether all of a contender's work is on the clock: what surrounds a call is timed beside it, and calls never made before.

Work hides in four places, mostly by mistake: a memo answers calls that repeat, a lazy output or a future is computed by
`result()`, and `prepare()` computes what the call should. So, once for a cell and after its samples, one call gets queries
that nobody has seen, in the memory of queries that it knows. What takes longer than it may is measured again several times
before the cell fails.
"""

from __future__ import annotations

import math
import mmap
import statistics
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import units
from harness.errors import ContenderError
from harness.measure.timed_projection import own

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from harness.measure.clock import Clock
    from harness.measure.timed_projection import TimedProjection

_FLOOR_SECONDS = 2e-5  # what entering a library costs
_DEVICE_FLOOR_SECONDS = 5e-4  # a first transfer, a graph that is replayed for the first time
_COPIES = 4  # converting takes a few times as long as copying
_ARRAYS = 3  # that a conversion may allocate, each in pages that the process does not have yet
_LIST_SECONDS = 2e-7  # of one number in a list that becomes an array
_NEW = 2.0  # times as long as a repeated call: caches and predictors know those, a memo gains more
_SHARE = 0.1  # of the call, below which what is off the clock does not matter
_EMPTY_SECONDS = 3e-6  # of a call that computes nothing
_REPETITIONS = 5  # of both kinds of call, of which the medians count
_BLOCKS = 4  # of repetitions; one that is in order is enough
_SHORT_SECONDS = 1e-3  # of all that is timed once: an interruption may then outweigh it, and hide what is left over
_SAME = 1e-6  # of the largest value


@dataclass(frozen=True, kw_only=True)
class CallTimes:
    """Seconds of one call and of what surrounds it."""

    call: float
    result: float
    prepare: float = 0.0
    converting: float = 0.0  # of `result`, as far as the type of the output explains it


@dataclass(frozen=True, kw_only=True)
class CopyTimes:
    """Seconds that copies of a cell's arrays take, and the pages of new ones.

    A virtual machine may need longer for the first touch of a page than for copying what it holds, and the allocator may
    give memory back after every call.
    """

    queries: float
    projections: float
    query_pages: float = 0.0
    projection_pages: float = 0.0

    @classmethod
    def of(cls, queries: Sequence[int], projections: Sequence[int], clock: Clock) -> CopyTimes:
        """Measured here and now."""
        return cls(
            queries=_copy_seconds(queries, clock), projections=_copy_seconds(projections, clock),
            query_pages=_touch_seconds(queries, clock), projection_pages=_touch_seconds(projections, clock),
        )  # fmt: skip


def why_off_clock(
    repeated: CallTimes, new: CallTimes, copying: CopyTimes, *, on_device: bool = False
) -> ContenderError | None:
    """Why not all of the work can be on the clock; None where it can.

    Args:
        repeated: a call with queries that it has answered before.
        new: one with queries that it has never seen.
        copying: what copies take.
        on_device: whether arrays are copied to a device and back.
    """
    floor = _DEVICE_FLOOR_SECONDS if on_device else _FLOOR_SECONDS
    call, prepare = repeated.call, new.prepare
    copies = _COPIES * (copying.queries + copying.projections)
    if new.call > _NEW * call + floor + copies:
        return ContenderError(
            f"it remembers answers: a call with queries that it has not seen takes {units.seconds(new.call)}, "
            f"a repeated one {units.seconds(call)}",
            next_step="keep no answers between calls (a dictionary, functools.cache), so that what is timed is the work",
        )
    late = min(repeated.result - repeated.converting, new.result - new.converting)
    explained = _COPIES * copying.projections + _ARRAYS * copying.projection_pages
    if late > floor + explained and late > _SHARE * call:
        return ContenderError(
            f"its result() takes {units.seconds(late)} after a call of {units.seconds(call)}, where copying the output to new "
            f"memory takes {units.seconds(copying.projections + copying.projection_pages)}: work is left over when the call "
            "ends",
            next_step="finish it in __call__ (evaluate lazy outputs, wait for futures); result() may only convert",
        )
    empty = _EMPTY_SECONDS + (0.0 if on_device else 2 * copying.projections)
    early = prepare - _COPIES * copying.queries - _ARRAYS * copying.query_pages
    if early > floor and call < empty and call < _SHARE * early:
        return ContenderError(
            f"its prepare() takes {units.seconds(prepare)}, the call {units.seconds(call)}, and copying the queries "
            f"{units.seconds(copying.queries)}: the work is done before the call begins",
            next_step="compute in __call__; prepare() may only convert queries and copy them",
        )
    return None


def prove(
    calling: TimedProjection,
    batches: Sequence[NDArray[np.float32]],
    prepared: Any,
    known: NDArray[np.float32],
    clock: Clock,
    *,
    tolerance: float,
    before: CallTimes | None = None,
    on_device: bool = False,
    seed: int = 0,
) -> Any:
    """Calls with new queries in the memory of the first batch, which holds its own again afterwards; that, prepared again.

    Args:
        calling: how it is called.
        batches: each [B, D], those that it knows, the very arrays that were prepared.
        prepared: the first one, as calls have had it so far.
        known: what it answered to that.
        clock: seconds.
        tolerance: of two answers that should be equal.
        before: what a call with the first batch took just now, where that is known.
        on_device: whether it computes elsewhere.
        seed: of the new queries.

    Raises:
        ContenderError: where work is done off the clock, or an answer is that to other queries.
    """
    generator = np.random.default_rng([seed, 4])
    host, kept = batches[0], batches[0].copy()
    copying = CopyTimes.of(kept.shape, known.shape, clock)

    def new() -> tuple[CallTimes, NDArray[np.float32]]:
        host[...] = fresh_rows(batches[1:] or [kept], generator, roll=len(batches) == 1)
        began = clock()
        again = calling.prepare(host)
        seconds = clock() - began
        taken, answer = timed_call(calling, again, clock)
        return replace(taken, prepare=seconds), answer

    def repeated() -> CallTimes:
        host[...] = kept
        return timed_call(calling, prepared, clock)[0]

    def several() -> ContenderError | None:
        pairs = [(repeated(), new()[0]) for _ in range(_REPETITIONS)]
        medians = _median([each for each, _ in pairs]), _median([each for _, each in pairs])
        return why_off_clock(*medians, copying, on_device=on_device)

    try:
        known_one, (new_one, answer) = before or repeated(), new()
        found = why_off_clock(known_one, new_one, copying, on_device=on_device)
        _refuse_stale(calling, host, answer, known, tolerance)
        if found is None and sum((known_one.call, new_one.call, new_one.result, new_one.prepare)) < _SHORT_SECONDS:
            found = several()
        for _ in range(_BLOCKS):
            if found is None:
                break
            found = several()
        if found is not None:
            raise found
    finally:
        host[...] = kept
    return calling.prepare(host)


def timed_call(calling: TimedProjection, prepared: Any, clock: Clock) -> tuple[CallTimes, NDArray[np.float32]]:
    """What a call and its conversion take, and the answer."""
    finish: Callable[[], None] | None = getattr(calling.timed, "finish", None)
    began = clock()
    output = calling.timed(prepared)
    if finish is not None:
        finish()
    called = clock()
    result = calling.result(output)
    ended = clock()
    converting = _LIST_SECONDS * result.size if type(output) in (list, tuple) else 0.0
    return CallTimes(call=called - began, result=ended - called, converting=converting), own(result)


def fresh_rows(
    batches: Sequence[NDArray[np.float32]], generator: np.random.Generator, *, roll: bool = False
) -> NDArray[np.float32]:
    """Rows [B, D] of batches in another order, each longer by up to 2 per mille, so that no row was seen before."""
    count = len(batches[0])
    places = generator.permutation(count * len(batches))[:count]
    chosen = np.stack([batches[place // count][place % count] for place in places])
    scale = 1 + 2e-3 * generator.random((count, 1))
    return (np.roll(chosen, 1, axis=1) if roll else chosen) * scale.astype(np.float32)


def _refuse_stale(
    calling: TimedProjection,
    host: NDArray[np.float32],
    answer: NDArray[np.float32],
    known: NDArray[np.float32],
    tolerance: float,
) -> None:
    """Is the answer to changed queries that to those before them? Then they are asked about in other memory.

    Raises:
        ContenderError: where the answer depends on the memory.
    """
    scale = float(np.abs(known).max()) or 1.0
    if np.abs(answer - known).max() <= _SAME * scale:
        elsewhere = calling.answer(calling.prepare(host.copy()))
        if np.abs(elsewhere - answer).max() > tolerance * scale:
            raise ContenderError(
                "it remembers answers by the memory of their queries: queries that were changed in place got the answer "
                "to those before them",
                next_step="keep no answers between calls, so that what is timed is the work",
            )


def _median(several: Sequence[CallTimes]) -> CallTimes:
    def of(name: str) -> float:
        return float(statistics.median(getattr(each, name) for each in several))

    return CallTimes(prepare=of("prepare"), call=of("call"), result=of("result"), converting=of("converting"))


def _touch_seconds(shape: Sequence[int], clock: Clock) -> float:
    """Seconds that the first touch of an array's memory takes, where none of its pages is the process's yet."""
    times = []
    for _ in range(3):
        pages = mmap.mmap(-1, max(1, 4 * math.prod(shape)))
        began = clock()
        np.frombuffer(pages, dtype=np.uint8)[:: mmap.PAGESIZE] = 1
        times.append(clock() - began)
    return statistics.median(times)


def _copy_seconds(shape: Sequence[int], clock: Clock) -> float:
    """Seconds of a copy that converts, to memory of its own."""
    array = np.ones(tuple(shape))
    times = []
    for _ in range(3):
        began = clock()
        array.astype(np.float32)
        times.append(clock() - began)
    return statistics.median(times)
