"""Decide who leads at one N, sequentially, robustly, and not before it is safe.

The noise of one pair is pooled over all probes from differences of successive pairs (von Neumann, 1941, with a
median in place of a mean), which no level and no slow drift can enter. A sign is decided when a winsorised centre
lies more than `DECISIVE` standard errors from zero, a bound that keeps its level under repeated looks (Pocock,
1977, at more looks than are taken), when enough single pairs agree, and when the pairs, where they are few, lie
close together: two outliers among three decide nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import bdtr

if TYPE_CHECKING:
    from harness.search.sampler import Floats, Integers

Sign = Literal[-1, 0, 1]  # who leads: the baseline, neither significantly, the challenger

DECISIVE = 3.3  # standard errors from zero: two-sided level 0.001 a look, about 0.004 over the looks at one N
SUREST = 4.0  # asked of the two ends of a bracket, on which everything later rests
WINSORISED_COST = 1.15  # standard error of the winsorised centre over that of the mean, under mild contamination
SMALLEST_NOISE = 1e-9
DISAGREEMENT = 0.06  # one-sided level of the sign test that single pairs must pass
UNANIMOUS_BELOW = 5  # with fewer pairs than this, all must agree
FEW_PAIRS = 6  # with fewer pairs than this, none may lie far from the others: most of them might be outliers
FAR = 8.0  # times the noise of one pair
PRIOR_PAIRS = 6  # weight of the pooled noise in a probe's own, in pairs
MAD_TO_SD = 1.4826  # a median absolute deviation over a standard deviation, under normal noise
FREEDOM_COST = 3.0  # the bound rises by this over the differences that the noise is known from


def median(numbers: Floats) -> float:
    """The middle one; several times faster than numpy's on the short arrays that a search is made of."""
    ordered = numbers.copy()
    ordered.sort()
    size = ordered.size
    return (ordered.item((size - 1) // 2) + ordered.item(size // 2)) / 2


def medians(numbers: Floats, group: Integers, groups: int) -> Floats:
    """The middle one of each group, [groups]; none of them is empty."""
    ordered = numbers[np.lexsort((numbers, group))]
    counts = np.bincount(group, minlength=groups)
    first = np.cumsum(counts) - counts
    middle: Floats = (ordered[first + (counts - 1) // 2] + ordered[first + counts // 2]) / 2
    return middle


def winsorised_mean(log_ratios: Floats, noise: float) -> float:
    """One-step winsorised mean: pairs further than two `noise` from the median are pulled in to there."""
    middle = median(log_ratios)
    pulled = np.minimum(np.maximum(log_ratios, middle - 2 * noise), middle + 2 * noise)
    return float(np.add.reduce(pulled)) / log_ratios.size


def pooled_noise(differences: Floats) -> float:
    """Standard deviation of one pair's log-ratio, from absolute differences of successive pairs."""
    if differences.size == 0:
        return 1.0
    return max(SMALLEST_NOISE, median(differences) * MAD_TO_SD / math.sqrt(2))


def noise_at(log_ratios: Floats, pooled: float) -> float:
    """The noise at one N: its own, shrunk towards the pooled while pairs are few, and never below half of that."""
    count = log_ratios.size
    if count < UNANIMOUS_BELOW:
        return pooled
    spread = MAD_TO_SD * median(np.abs(log_ratios - median(log_ratios))) * count / (count - 0.8)
    return math.sqrt(max((PRIOR_PAIRS * pooled**2 + count * spread**2) / (PRIOR_PAIRS + count), pooled**2 / 4))


def standard_error(log_ratios: Floats, pooled: float) -> float:
    """Of the winsorised centre of these pairs."""
    return WINSORISED_COST * noise_at(log_ratios, pooled) / math.sqrt(log_ratios.size)


def sign(log_ratios: Floats, pooled: float, freedom: int, bound: float | None = None) -> Sign:
    """Who leads, or 0 while that is undecided.

    Args:
        log_ratios: [pairs] at one N.
        pooled: the noise of one pair.
        freedom: how many differences the pooled noise rests on; few of them raise the bound.
        bound: standard errors asked for; `DECISIVE` by default.
    """
    bound = DECISIVE if bound is None else bound
    noise = noise_at(log_ratios, pooled)
    middle = winsorised_mean(log_ratios, noise)
    count = log_ratios.size
    if abs(middle) < bound * (1 + FREEDOM_COST / max(freedom, 1)) * WINSORISED_COST * noise / math.sqrt(count):
        return 0
    if count < FEW_PAIRS and float(np.ptp(log_ratios)) > FAR * noise:
        return 0
    against = int(np.count_nonzero(log_ratios * middle <= 0))
    if against and (count < UNANIMOUS_BELOW or bdtr(against, count, 0.5) > DISAGREEMENT):
        return 0
    return 1 if middle > 0 else -1
