"""When the launches of a run start: apart, since what is slower than a run hits all of its launches, and unevenly."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.suite.schema import Measurement

_JITTER = (0.5, 1.5)  # evenly spaced launches would all meet the same phase of a cycle
_STREAM = 4  # of the suite's seed
_TICK = 1.0  # seconds between two looks at a pause


class Pace:
    """How long to wait before each launch.

    Args:
        measurement: with the pause between launches, and the time from one launch's start to the next one's.
        seed: of the suite; launch k waits the same whenever the run is repeated or resumed.
        sleep: waits, in seconds.
        clock: seconds that do not jump.
    """

    def __init__(
        self,
        measurement: Measurement,
        seed: int,
        sleep: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._gap, self._every = measurement.gap_seconds, measurement.launch_every_seconds
        self._seed, self._sleep, self._clock = seed, sleep, clock
        self._started: float | None = None  # when the last launch did
        self._timed: int | None = None  # the last launch in which something was measured and not recalled

    def timed(self, launch: int) -> None:
        """Something is measured in this launch."""
        self._timed = launch

    def wait(self, launch: int, show: Callable[[float, str], None], longest: float = math.inf) -> None:
        """Until this launch may start; there is no wait after a launch that was only recalled from records."""
        seconds = min(self._pause(launch), longest) if self._timed not in {None, launch} else 0.0
        if seconds > 0:
            ticks = math.ceil(seconds / _TICK)
            for tick in range(ticks):
                show(seconds * (1 - tick / ticks), f"before launch {launch}, so that launches are spread over time")
                self._sleep(seconds / ticks)
        self._started = self._clock()

    def _pause(self, launch: int) -> float:
        jitter = float(np.random.default_rng([self._seed, _STREAM, launch]).uniform(*_JITTER))
        since = self._clock() - self._started if self._started is not None else 0.0
        return max(self._gap * jitter, self._every * jitter - since)
