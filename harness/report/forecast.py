"""How long a run has taken, and how long it will still take, from the launches that it has behind it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness import units

if TYPE_CHECKING:
    from collections.abc import Callable

_RECALLED = 0.5  # of the longest launch: one that took less was recalled from records, at least in part
_SECONDS = 120.0  # up to here in seconds


class Forecast:
    """The time of a whole run; launches are alike: those that are over predict the rest."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()
        self.launches = 0  # that the run has, beside launch 0, which explores
        self._least = 0.0  # seconds between the starts of two launches
        self.number: int | None = None
        self._since = self._begun  # when the present launch, or the pause before it, began
        self._took: list[float] = []  # seconds of each launch that is over, with the pause before it
        self._share = 0.0  # of the present launch's table

    def outline(self, launches: int, spread_seconds: float) -> None:
        """How many launches there will be, and over how long they are spread at least."""
        self.launches, self._least = launches, spread_seconds / max(1, launches)

    def launch(self, number: int) -> None:
        """The launch before this one is over."""
        now = self._clock()
        if self.number is not None and self.number >= 1:
            self._took.append(now - self._since)
        self.number, self._since, self._share = number, now, 0.0

    def part(self, share: float) -> None:
        """So much of the present launch's table is done: the only stage of a launch whose steps are known."""
        self._share = share

    @property
    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._begun

    @property
    def left(self) -> float | None:
        """Seconds until the last launch ends; None where too little is known."""
        if not self.launches or self.number is None or self.number > self.launches:
            return None
        spent = self._clock() - self._since if self.number >= 1 else 0.0
        typical = self._typical(spent)
        if typical is None:
            return None
        return max(0.0, typical - spent) + typical * (self.launches - max(self.number, 1))

    def __str__(self) -> str:
        """`4.1 min done, about 7.2 min left`."""
        done = f"{_time(self.elapsed)} done"
        left = self.left
        if left is not None:
            least = "" if self._took else "at least "  # what the searches add to the table is not known yet
            return f"{done}, {least or 'about '}{_time(left)} left"
        return done

    def _typical(self, spent: float) -> float | None:
        """Seconds of one launch."""
        longest = max(self._took, default=0.0)
        whole = [each for each in self._took if each >= _RECALLED * longest]
        if whole and longest > 0:
            return max(self._least, math.fsum(whole) / len(whole))
        if self._share > 0:
            return max(self._least, spent / self._share)
        return self._least or None


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < _SECONDS else units.duration(seconds)
