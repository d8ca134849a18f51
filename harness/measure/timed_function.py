"""How a plain function is called on the clock: in a loop of its own that calls it directly, with nothing in between."""

from __future__ import annotations

import gc
import itertools
import sys
from typing import TYPE_CHECKING, Any

from harness.functions.equality import copier, weight
from harness.functions.inputs import drawn, seeds
from harness.measure.calibration import OwnLoop
from harness.measure.clock import monotonic
from harness.plugin.interfaces import Compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.functions.kernel import Kernel
    from harness.measure.clock import Clock

GARBAGE = 50_000  # objects that calls may leave behind before they are collected, off the clock,
GARBAGE_BYTES = 2**26  # and what they may hold
_SHORT = 0.05  # seconds of a call that is made a few times more, to see what is left when its output is dropped
_SHORT_CALLS = 4
_LOOKED_AT = 10_000  # objects whose sizes are summed up
_DRAWING_SECONDS = 1.0  # inputs after the first are drawn for so long
_COPYING_SECONDS = 0.2  # copies for one sample take so long at the most
_TOGETHER = 64  # calls on inputs of their own that share two readings of the clock, where copies are small
_BYTES_TOGETHER = 2**18


class TimedFunction(Compiled, OwnLoop):
    """A plain function at one n."""

    def __init__(self, kernel: Kernel, heads: int, seed: int = 0, launch: int = 0) -> None:
        self.kernel = kernel
        self._function = kernel.function.load()
        self._setup = kernel.setup.load() if kernel.setup else None
        self._heads = heads
        self._seeds = seeds(seed, launch)
        self._batch = 1
        self._together = _TOGETHER
        self._left_behind = self._left_bytes = 0
        self.held_bytes = 0
        self.most_loops: int | None = None

    def inputs(self, batch: int, count: int) -> list[Any]:
        """What calls rotate among: draws of this launch, fewer where drawing takes long; without a setup the batch."""
        if self._setup is None:
            return [batch]
        self._batch = batch
        found: list[Any] = []
        began = monotonic()
        while len(found) < count and (not found or monotonic() - began < _DRAWING_SECONDS):
            found.append(drawn(self._setup, self._heads, batch, next(self._seeds)))
        each = max(1, *map(weight, found))
        self.held_bytes = each * len(found)
        if self.kernel.fresh or self.kernel.redrawn:
            began = monotonic()
            self._own(found[0])
            self.most_loops = max(1, int(_COPYING_SECONDS / max(monotonic() - began, 1e-9)))
            self._together = max(1, min(_TOGETHER, _BYTES_TOGETHER // each))
        return found

    def first(self, prepared: Any) -> tuple[float, Any]:
        """Seconds of a call that nothing has prepared the way for, and its output; notes what it leaves behind."""
        own = self._own(prepared)
        gc.collect()
        gc.disable()
        before = gc.get_count()[0]
        started = monotonic()
        output = self._called(own)
        seconds = monotonic() - started
        del own
        calls = 1
        if seconds < _SHORT:  # again, with outputs dropped; the first of these calls may leave what it leaves but once
            gc.collect()
            for calls in range(_SHORT_CALLS):
                if calls == 1:
                    before = gc.get_count()[0]
                self._called(self._own(prepared))
        self._left_behind = max(0, gc.get_count()[0] - before) // calls
        self._left_bytes = _young_bytes() // calls if self._left_behind else 0
        return seconds, output

    def __call__(self, prepared: Any) -> Any:
        """The output for an input, or for a copy of it where the function changes it."""
        return self._called(self._own(prepared))

    def loop(self, taken: Iterator[Any], clock: Clock) -> float:
        """Seconds of calls one after the other; copies are made and garbage is collected off the clock."""
        run, chunk, heads = _LOOPS[self.kernel.takes], self._chunk(), self._heads
        own = self.kernel.fresh or self.kernel.redrawn
        if chunk is None:
            seconds = run(self._function, heads, taken, clock)
        else:
            seconds = 0.0
            for some in _chunks(taken, chunk):
                ready = [self._own(each) for each in some] if own else some
                seconds += run(self._function, heads, iter(ready), clock)
                del ready
                self._tidy()
        self._tidy()
        return seconds

    def empty(self, taken: Iterator[Any], clock: Clock) -> float:
        """Seconds of the same loop without the calls."""
        chunk = self._chunk()
        if chunk is None:
            return _nothing(taken, clock)
        return sum(_nothing(iter(some), clock) for some in _chunks(taken, chunk))

    def fresh_input(self) -> Any:
        """An input that it has not been called with."""
        assert self._setup is not None
        return drawn(self._setup, self._heads, self._batch, next(self._seeds))

    @property
    def called(self) -> Callable[[Any], Any]:
        """The function itself, with an input."""
        return self._called

    @property
    def own(self) -> Callable[[Any], Any] | None:
        """What copies an input for one call alone, where the function changes it."""
        return (lambda prepared: copier(prepared)()) if self.kernel.fresh else None

    def _chunk(self) -> int | None:
        """Calls between which copies are made or garbage is collected; None: that is never necessary."""
        most = None
        if self._left_behind:
            most = max(1, min(GARBAGE // self._left_behind, GARBAGE_BYTES // max(self._left_bytes, 1)))
        if self.kernel.fresh or self.kernel.redrawn:
            return min(self._together, most or self._together)
        return most

    def _tidy(self) -> None:
        """Collects what calls have left behind, where they leave anything."""
        if self._left_behind or gc.get_count()[0] > GARBAGE:
            gc.collect()

    def _own(self, prepared: Any) -> Any:
        """An input for one call alone, where it needs one."""
        if self._setup is None:
            return prepared
        if self.kernel.redrawn:
            return drawn(self._setup, self._heads, self._batch, next(self._seeds))
        return copier(prepared)() if self.kernel.fresh else prepared

    def _called(self, prepared: Any) -> Any:
        match self.kernel.takes:
            case "n and batch":
                return self._function(self._heads, prepared)
            case "n":
                return self._function(self._heads)
            case "input":
                return self._function(prepared)
            case _:
                return self._function(*prepared)


def _chunks(taken: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while some := list(itertools.islice(taken, size)):
        yield some


def _young_bytes() -> int:
    """What objects hold that were made since garbage was collected last, with what they alone keep alive."""
    found = gc.get_objects(generation=0)[-_LOOKED_AT:]
    kept = {id(each): each for one in found for each in gc.get_referents(one) if not gc.is_tracked(each)}
    return sum(sys.getsizeof(each, 0) for each in (*found, *kept.values()))


def _with_both(function: Callable[..., Any], heads: int, taken: Iterator[Any], clock: Clock) -> float:
    started = clock()
    for batch in taken:
        function(heads, batch)
    return clock() - started


def _with_n(function: Callable[..., Any], heads: int, taken: Iterator[Any], clock: Clock) -> float:
    started = clock()
    for _ in taken:
        function(heads)
    return clock() - started


def _with_input(function: Callable[..., Any], heads: int, taken: Iterator[Any], clock: Clock) -> float:  # noqa: ARG001 - one shape
    started = clock()
    for prepared in taken:
        function(prepared)
    return clock() - started


def _with_inputs(function: Callable[..., Any], heads: int, taken: Iterator[Any], clock: Clock) -> float:  # noqa: ARG001 - one shape
    started = clock()
    for prepared in taken:
        function(*prepared)
    return clock() - started


def _nothing(taken: Iterator[Any], clock: Clock) -> float:
    started = clock()
    for _ in taken:
        pass
    return clock() - started


_LOOPS = {"n and batch": _with_both, "n": _with_n, "input": _with_input, "inputs": _with_inputs}
