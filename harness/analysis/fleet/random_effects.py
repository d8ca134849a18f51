"""The spread of an effect between machines: a random-effects estimate, and where an unseen machine would lie.

The effect of a machine is normal about a centre with standard deviation tau, and its estimate normal about it with a variance that
is known. tau by restricted maximum likelihood; the centre's interval by Hartung and Knapp (2001, Statistics in Medicine 20:3875)
with t of k - 1 degrees of freedom, and never narrower than the normal one (Röver, Knapp and Friede 2015, BMC Medical Research
Methodology 15:99); tau's interval by the Q-profile (Viechtbauer 2007, Statistics in Medicine 26:37); the prediction interval with t
of k - 2 degrees of freedom (Higgins, Thompson and Spiegelhalter 2009, JRSS A 172:137). The test repeats the worked example of
the R package metafor, 13 trials of a vaccine.

A library would be statsmodels; it has no restricted maximum likelihood, no interval of tau and no prediction interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtri

from harness.analysis.statistics import quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

LEAST = 8  # machines from which on the spread between them can be estimated at all
_DOUBLINGS = 60  # of the upper end of tau squared that are tried


@dataclass(frozen=True, kw_only=True)
class RandomEffects:
    """On the scale of the effects."""

    machines: int
    centre: float
    low: float  # its interval
    high: float
    tau: float  # standard deviation between machines
    tau_low: float
    tau_high: float
    predicted_low: float  # where an unseen machine lies
    predicted_high: float
    confidence: float


def random_effects(effects: Sequence[float], variances: Sequence[float], confidence: float = 0.95) -> RandomEffects:
    """The estimate.

    Raises:
        ValueError: where there are fewer than three machines.
    """
    y, v = np.asarray(effects, dtype=np.float64), np.asarray(variances, dtype=np.float64)
    count = len(y)
    if count < 3:  # the prediction has k - 2 degrees of freedom
        raise ValueError(f"a random-effects estimate needs 3 machines or more, got {count}")
    squared = _between(y, v)
    weights = 1.0 / (v + squared)
    centre = float(np.average(y, weights=weights))
    inflation = max(1.0, float(np.sum(weights * (y - centre) ** 2)) / (count - 1))
    error = math.sqrt(inflation / float(weights.sum()))
    tail = (1.0 + confidence) / 2.0
    half = quantile(confidence, count - 1) * error
    reach = quantile(confidence, count - 2) * math.sqrt(squared + error**2)
    spread = _profile(y, v, 1.0 - tail), _profile(y, v, tail)
    return RandomEffects(
        machines=count, centre=centre, low=centre - half, high=centre + half, tau=math.sqrt(squared),
        tau_low=math.sqrt(min(spread)), tau_high=math.sqrt(max(spread)), predicted_low=centre - reach,
        predicted_high=centre + reach, confidence=confidence,
    )  # fmt: skip


def _between(y: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """The tau squared at which the restricted likelihood is largest."""
    from scipy import optimize

    top = _widest(y, v)
    grid = np.concatenate([[0.0], np.geomspace(top * 1e-9, top, 200)])
    scores = -_restricted(grid, y, v)
    best = int(np.argmin(scores))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        lambda each: -float(_restricted(each, y, v)), bounds=(low, high), method="bounded", options={"xatol": 1e-12}
    )
    return float(found.x) if -_restricted(float(found.x), y, v) < scores[best] else float(grid[best])


def _restricted(
    squared: float | NDArray[np.float64], y: NDArray[np.float64], v: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The restricted log-likelihood, without its constants, of one tau squared or of each."""
    total = v + np.asarray(squared)[..., None]
    weights = 1.0 / total
    whole = weights.sum(axis=-1)
    centre = (weights * y).sum(axis=-1) / whole
    off = weights * (y - centre[..., None]) ** 2
    return np.asarray(-0.5 * (np.log(total).sum(axis=-1) + np.log(whole) + off.sum(axis=-1)))


def _profile(y: NDArray[np.float64], v: NDArray[np.float64], tail: float) -> float:
    """The tau squared at which Cochran's Q, which falls with it, has this quantile from above; 0 where it never has."""
    from scipy import optimize

    wanted = float(chdtri(len(y) - 1, tail))
    score: Callable[[float], float] = lambda squared: _q(squared, y, v) - wanted  # noqa: E731
    if score(0.0) <= 0.0:
        return 0.0
    high = _widest(y, v)
    for _ in range(_DOUBLINGS):
        if score(high) <= 0.0:
            break
        high *= 2.0
    return float(optimize.brentq(score, 0.0, high, xtol=1e-14))


def _q(squared: float, y: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    weights = 1.0 / (v + squared)
    return float((weights * (y - np.average(y, weights=weights)) ** 2).sum())


def _widest(y: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """A tau squared that is too large."""
    return float(10.0 * (np.var(y, ddof=1) + v.max()) + 1e-300)
