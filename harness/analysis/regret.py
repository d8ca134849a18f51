"""What deciding by a table costs at points that no search used, without the bias of a noisy figure cut off at 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.analysis.statistics import Interval, centre, quantile

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_PAIRS = 3
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The decision at a point that no search used."""

    batch_size: int
    heads: int
    use: str
    regret: float  # time of the chosen contender over that of the faster one, less one; noise may take it below 0
    low: float  # its interval, over the pairs of the visit; never below 0
    high: float


def regret(costs: Sequence[float]) -> tuple[float, float, float]:
    """What a choice costs, with a 95 % interval, by log(time of the chosen / time of the other) of three pairs or more.

    Half of the pairs decide whether the choice is wrong, the others what that costs, and the other way round: where two
    contenders are alike, the larger of their noisy difference and 0 would be a cost that is never paid.
    """
    one, other = centre(costs[::2]), centre(costs[1::2])
    paid = 0.5 * ((other if one > 0 else 0.0) + (one if other > 0 else 0.0))
    middle, error = centre(costs), float(np.std(costs, ddof=1)) / math.sqrt(len(costs))
    half = quantile(_CONFIDENCE, len(costs) - 1) * error
    return math.expm1(paid), math.expm1(max(0.0, middle - half)), math.expm1(max(0.0, middle + half))


def mean_regret(points: Sequence[Checked]) -> Interval:
    """The mean over points, with an interval from theirs, whose errors add up as squares. NaN where there are none."""
    if not points:
        return Interval(math.nan, math.nan, math.nan, 0, _CONFIDENCE)
    value = sum(each.regret for each in points) / len(points)
    errors = [max(each.high - each.regret, each.regret - each.low) for each in points]
    half = math.sqrt(sum(each * each for each in errors)) / len(points)
    return Interval(value, max(0.0, value - half), max(0.0, value + half), 1, _CONFIDENCE)
