"""Cells of two runs compared by their launches: slower, faster, the same, or inconclusive.

Each cell has an interval of its own (Welch's t on the logarithms of the launches), and one that holds jointly with
those of all other cells (Šidák 1967, JASA 62): of a hundred cells that did not change, two or three would be slower
at 95 % each. A cell is slower or faster where its whole joint interval lies beyond the threshold, the same where its
own lies within, and inconclusive otherwise: absence of evidence is not sameness.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.analysis.bias import with_bias
from harness.analysis.statistics import Interval
from harness.records.samples import seconds_by_launch, timed_records
from harness.units import exponential

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from harness.records.measurement import Measurement
    from harness.records.samples import CellKey

Verdict = Literal["faster", "slower", "same", "inconclusive"]
CONFIDENCE = 0.95  # of a cell's own interval, and of all joint ones together
_POWER = 0.8  # chance that the launches asked for judge the cell
_COUNTS = (*range(2, 101), *range(110, 1001, 10), *range(1100, 10_001, 100))


@dataclass(frozen=True, kw_only=True)
class CellChange:
    """A cell of both runs."""

    contender: str
    heads: int
    batch_size: int
    change: Interval  # new seconds over old seconds
    joint: Interval  # the same, so wide that those of all cells hold at once
    threshold: float
    verdict: Verdict
    launches_needed: int | None = None  # of each run, to judge it; None where it is judged, or no number would do

    @property
    def alone(self) -> Verdict:
        """What its own interval would say if no other cell had been looked at."""
        return _verdict(self.change, self.change, self.threshold)


def launches(cells: Mapping[CellKey, Sequence[Measurement]]) -> dict[CellKey, list[float]]:
    """One logarithm per launch of every cell of the table; what only a search visited has no fixed N to compare."""
    found = {}
    for key, records in cells.items():
        by_launch = seconds_by_launch(timed_records([each for each in records if each.purpose == "table"]))
        if by_launch:
            found[key] = [math.log(float(np.median(each))) for _, each in sorted(by_launch.items())]
    return found


def changes(
    old: Mapping[CellKey, Sequence[float]],
    new: Mapping[CellKey, Sequence[float]],
    thresholds: Mapping[str, float],
    *,
    bias: float = 0.0,
) -> Iterator[CellChange]:
    """Every cell that both runs have, by batch size and N."""
    shared = sorted(old.keys() & new.keys(), key=lambda key: (key[2], key[1], key[0]))
    for key in shared:
        contender, heads, batch_size = key
        threshold = thresholds[contender]
        change, joint, verdict = judge(old[key], new[key], threshold, cells=len(shared), bias=bias)
        yield CellChange(
            contender=contender, heads=heads, batch_size=batch_size, change=change, joint=joint, threshold=threshold,
            verdict=verdict,
            launches_needed=needed(old[key], new[key], threshold, cells=len(shared), bias=bias)
            if verdict == "inconclusive" else None,
        )  # fmt: skip


def judge(
    old: Sequence[float], new: Sequence[float], threshold: float, *, cells: int = 1, bias: float = 0.0
) -> tuple[Interval, Interval, Verdict]:
    """New over old from one logarithm of seconds per launch each: its own interval, the joint one, and the verdict."""
    own, joint = (with_bias(welch(old, new, each), bias) for each in (CONFIDENCE, CONFIDENCE ** (1.0 / cells)))
    return own, joint, _verdict(own, joint, threshold)


def needed(
    old: Sequence[float], new: Sequence[float], threshold: float, *, cells: int = 1, bias: float = 0.0
) -> int | None:
    """How many launches of each run would judge a cell that did not change, or changed by twice the threshold.

    That is the smallest number at which the joint interval of 80 % of such comparisons stays within the threshold on
    both sides (the sum of two quantiles of Student's t; Lachin 1981, Controlled Clinical Trials 2). None where a run has one
    launch, so that its spread is unknown, where more than 10,000 would be needed, or the bias is as large as the
    threshold.
    """
    margin = math.log1p(threshold) - bias
    if min(len(old), len(new)) < 2 or margin <= 0:
        return None
    spread = math.sqrt(float(np.var(old, ddof=1)) + float(np.var(new, ddof=1)))
    reach = _quantiles((1.0 + CONFIDENCE ** (1.0 / cells)) / 2.0) * spread / np.sqrt(_COUNTS)
    enough = np.flatnonzero(reach <= margin)
    return _COUNTS[enough[0]] if enough.size else None


@lru_cache(maxsize=16)
def _quantiles(share: float) -> NDArray[np.float64]:
    """The sum of the two quantiles with each number of launches."""
    from scipy.special import stdtrit

    freedom = 2 * np.array(_COUNTS) - 2
    return np.asarray(stdtrit(freedom, share) + stdtrit(freedom, (1.0 + _POWER) / 2.0))


def welch(old: Sequence[float], new: Sequence[float], confidence: float) -> Interval:
    """The exponential of the difference of two means with Welch's t interval; without ends where a launch is alone."""
    one, other = np.asarray(old, dtype=np.float64), np.asarray(new, dtype=np.float64)
    middle = float(other.mean() - one.mean())
    fewest = int(min(one.size, other.size))
    if fewest < 2:
        return Interval(exponential(middle), launches=fewest, confidence=confidence)
    from scipy.special import stdtrit

    parts = np.array([one.var(ddof=1) / one.size, other.var(ddof=1) / other.size])
    total = float(parts.sum())
    freedoms = np.array([one.size - 1, other.size - 1])
    freedom = total**2 / float((parts**2 / freedoms).sum()) if total else float(freedoms.sum())
    reach = float(stdtrit(freedom, (1.0 + confidence) / 2.0)) * math.sqrt(total)
    return Interval(exponential(middle), exponential(middle - reach), exponential(middle + reach), fewest, confidence)


def _verdict(own: Interval, joint: Interval, threshold: float) -> Verdict:
    if not own.known:
        return "inconclusive"
    most = 1.0 + threshold
    if joint.low > most:
        return "slower"
    if joint.high < 1.0 / most:
        return "faster"
    return "same" if own.low > 1.0 / most and own.high < most else "inconclusive"
