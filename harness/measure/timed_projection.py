"""How a compiled projection is called while it is timed: with its transfers or without, waited for or queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from harness import complex_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from harness.plugin.interfaces import Compiled

Transfers: TypeAlias = Literal["excluded", "included"]
Mode: TypeAlias = Literal["latency", "pipelined"]


class SynchronousCalls:
    """Calls with their transfers, one at a time: from the host's memory to the host's memory."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    def __call__(self, staged: Any) -> Any:
        """Returns when the projections are back."""
        output = self._compiled.enqueue_staged(staged)
        self._compiled.synchronise()
        return output


class QueuedCalls:
    """Calls that are not waited for one by one; `finish` waits for all of them, and ends what is timed."""

    def __init__(self, compiled: Compiled, transfers: Transfers) -> None:
        self._enqueue = compiled.enqueue if transfers == "excluded" else compiled.enqueue_staged
        self.finish = compiled.synchronise

    def __call__(self, prepared: Any) -> Any:
        """Returns as soon as the library does."""
        return self._enqueue(prepared)


class TimedProjection:
    """One way of calling a compiled projection.

    Args:
        compiled: what is called.
        transfers: `included`: queries begin and projections end in the host's memory, on the clock.
        mode: `latency`: each call is waited for; `pipelined`: calls are queued, and the last one is waited for.
    """

    def __init__(self, compiled: Compiled, transfers: Transfers = "excluded", mode: Mode = "latency") -> None:
        self._compiled = compiled
        self.transfers, self.mode = transfers, mode
        self.prepare: Callable[[NDArray[np.float32]], Any]
        self.prepare = compiled.prepare if transfers == "excluded" else compiled.stage
        # The usual way calls the compiled projection itself, so that nothing of ours is on the clock.
        waiting: Callable[[Any], Any] = compiled if transfers == "excluded" else SynchronousCalls(compiled)
        self.waiting = waiting
        self.timed: Callable[[Any], Any] = waiting if mode == "latency" else QueuedCalls(compiled, transfers)

    def converted(self, output: Any) -> NDArray[np.float32]:
        """What a call returned as an array of its own, float32 [B, K].

        Raises:
            ParityError: where it is complex.
        """
        complex_numbers.refuse(output)  # before the runtime converts it
        return own(self._compiled.result(output))

    def result(self, output: Any) -> NDArray[np.float32]:
        """What a call returned once it is there, as its runtime gives it."""
        self._compiled.synchronise()
        return self._compiled.result(output)

    def answer(self, prepared: Any) -> NDArray[np.float32]:
        """Projections [B, K], waited for; called as it is timed, so that what is proved is what is timed."""
        output = self.timed(prepared)
        self._compiled.synchronise()
        return self.converted(output)


def own(result: Any) -> NDArray[np.float32]:
    """What a runtime gives for an output, as an array of its own.

    Raises:
        ParityError: where it is complex.
    """
    complex_numbers.refuse(result)
    return np.array(result, dtype=np.float32)
