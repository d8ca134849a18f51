"""How long a contender takes to be back at speed after another process has run: measured, not assumed.

While the other contender runs, a contender's weights leave the caches and its pages the translation buffers, and libraries put
threads to sleep. How long it then takes depends on the machine and on the size of the model, so each contender is
watched after the other: calls are timed one after the other, and what they take is compared with what they settle at.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.measure.calibration import Rotation
    from harness.measure.clock import Clock

LADDER = (2e-3, 4e-3, 8e-3, 16e-3, 32e-3, 64e-3)  # seconds of untimed calls among which the shortest is chosen
FEWEST_REPETITIONS, MOST_REPETITIONS = 3, 12  # of watching: one of them may be disturbed
_JUDGED_CALLS = 12  # that a rung is to be judged by where a sample holds few
_TOLERANCE = 0.005  # excess over the settled level that may be left: it fades further within the sample
_ERRORS = 2.5  # standard errors of a median, which is 1.25 times as uncertain as a mean
_NORMAL = 1.4826  # the standard deviation of normal noise, in median absolute deviations
_WINDOW = 5e-4  # seconds that a window of calls lasts at least
_FEWEST = 8  # windows, however long they take
_LONGEST = 1.0  # seconds, however few windows that gives; and of all repetitions beyond the fewest

Window = tuple[float, float]  # when it ended, in seconds since the first call; seconds per call


def repetitions(call_seconds: float, sample_seconds: float) -> int:
    """How often to watch: more often where a sample holds few calls, whose median would say little."""
    wanted = math.ceil(_JUDGED_CALLS * call_seconds / sample_seconds)
    affordable = int(_LONGEST / (_FEWEST * call_seconds)) if call_seconds else MOST_REPETITIONS
    return max(FEWEST_REPETITIONS, min(MOST_REPETITIONS, wanted, affordable))


def watch(call: Callable[[object], object], inputs: Rotation, clock: Clock, longest: float) -> list[Window]:
    """Times calls one after the other, in windows, for so many seconds."""
    windows: list[Window] = []
    began = started = clock()
    calls = 0
    while True:
        for prepared in inputs.take(1):
            call(prepared)
        calls += 1
        now = clock()
        if now - started >= _WINDOW:
            windows.append((now - began, (now - started) / calls))
            started, calls = now, 0
            enough = now - began >= longest and len(windows) >= _FEWEST
            if enough or now - began >= max(longest, _LONGEST):
                return windows


def recovery(watched: Sequence[Sequence[Window]], sample_seconds: float) -> float:
    """The shortest rung of the ladder after which calls are within one per cent of the settled level.

    Untimed calls go on until a rung is over, however long the last of them takes. What is judged is what comes next,
    for as long as a sample lasts and at least as long as the rung, by the median over all repetitions, so that neither
    an interruption nor one disturbed repetition counts.

    Returns:
        seconds; the ladder's last rung where none suffices.
    """
    settled = float(np.median([seconds for windows in watched for _, seconds in windows[len(windows) // 2 :]]))
    late = [seconds / settled - 1 for windows in watched for _, seconds in windows[len(windows) // 2 :]]
    spread = _NORMAL * float(np.median(np.abs(late)))
    for rung in LADDER:
        seen = [
            seconds / settled - 1 for windows in watched for seconds in _after(windows, rung, max(sample_seconds, rung))
        ]
        if not seen or float(np.median(seen)) <= max(_TOLERANCE, _ERRORS * spread / math.sqrt(len(seen))):
            return rung
    return LADDER[-1]


def _after(windows: Sequence[Window], rung: float, longest: float) -> list[float]:
    """Seconds per call of the windows that begin in the time after those that a rung of untimed calls takes."""
    ends = [end for end, _ in windows]
    untimed = bisect_left(ends, rung) + 1
    if untimed > len(windows):
        return []
    begins = ends[untimed - 1 : -1]
    return [windows[untimed + place][1] for place, begin in enumerate(begins) if begin < begins[0] + longest]


def seconds_to_watch(watched: Sequence[Sequence[Window]], sample_seconds: float) -> float:
    """Seconds for which to watch next: all of the ladder at first, and then four times what was needed."""
    longest = LADDER[-1] + sample_seconds
    return min(longest, 4 * recovery(watched, sample_seconds) + sample_seconds) if watched else longest


class Recoveries:
    """What was measured in this run, by contender and batch size, at some N."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], dict[int, float]] = {}

    def known(self, contender: str, heads: int, batch_size: int) -> float | None:
        """Seconds that suffice at this N, by the nearest N within a factor of two; None where there is none."""
        found = self._known.get((contender, batch_size), {})
        below = max((n for n in found if heads / 2 <= n <= heads), default=None)
        above = min((n for n in found if heads <= n <= heads * 2), default=None)
        return max((found[n] for n in (below, above) if n is not None), default=None)

    def add(self, contender: str, heads: int, batch_size: int, seconds: float) -> None:
        """One more; the longest counts."""
        found = self._known.setdefault((contender, batch_size), {})
        found[heads] = max(seconds, found.get(heads, 0.0))

    def take(self, table: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
        """What an earlier part of the run has measured, as `table` gives it."""
        for contender, by_batch in table.items():
            for batch_size, by_heads in by_batch.items():
                for heads, seconds in by_heads.items():
                    self.add(contender, int(heads), int(batch_size), seconds)

    def table(self) -> dict[str, dict[str, dict[str, float]]]:
        """All of them as plain data: seconds by contender, batch size and N."""
        found: dict[str, dict[str, dict[str, float]]] = {}
        for (contender, batch_size), by_heads in sorted(self._known.items()):
            found.setdefault(contender, {})[str(batch_size)] = {str(n): each for n, each in sorted(by_heads.items())}
        return found
