"""A local model of the log-ratio near a crossing, and what it says about where the crossing is.

With u = log(N / centre), one pair of launch l has log-ratio

    z + s u + c u² + a_l + e,    a_l ~ Normal(0, between²),    e heavy-tailed with scale `noise`

The lead changes where z + s u + c u² = 0. Where one contender's cost is linear in N and the other's flat, the ratio of
the costs is 1 - s + s N/N*, hence c = s (1 - s) / 2; where both are power laws, c = 0. The prior of c sits between
the two with a spread that holds both, so that neither shape is assumed. s has a flat prior in effect.

Outliers are met by Tukey's biweight, carried over to the least-squares theory by pseudo-values (Bickel, 1976;
Huber, Robust Statistics, 1981, 7.10). The launch is the unit: launches are combined as studies are in a meta-
analysis, with DerSimonian and Laird's between-variance (1986), and the interval over launches is that of Hartung
and Knapp (2001), t with k - 1 degrees of freedom; the model's own interval is computed beside it and the wider one
is stated, as IntHout et al. (2014) advise. With fewer launches than were planned the t quantile holds in any case,
since a few that happen to agree prove little. The interval of the crossing collects every u at which "nobody leads
here" is not rejected (Fieller, 1954), so that an uncertain slope makes it wide or unbounded, and never falsely
short.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import chdtrc, ndtri, stdtrit

from harness.search.sign_test import MAD_TO_SD, median, medians, winsorised_mean

if TYPE_CHECKING:
    from harness.search.sampler import Floats, Integers, Observations

BIWEIGHT = 4.685  # 95 % efficient where the noise is normal
MONOTONE_ROUNDS, REDESCENDING_ROUNDS = 3, 3
CURVATURE_SPREAD = 0.2  # prior standard deviation of c, in units of |s|
REACH = 0.7  # how far from the centre a root is looked for, in log N
GRID = 561  # points of log N on which a crossing's interval is looked for
PLACEMENT = 0.02  # what one process may be off by at one N, for where its arrays lie there
PRIOR_FREEDOM = 4.0  # pairs' worth of trust in the noise seen before
HUBER = 1.345  # 95 % efficient, for the rounds before those with the biweight
LEAST_SCALE = 0.3  # of the noise seen before: no fit is believed to be quieter
LEAST_SENSITIVITY = 0.2  # of the biweight: where most pairs are outliers it says nothing
STEEPEST = 4.0  # a slope beyond which the curvature's prior is no longer widened
SLOPE_SPREAD = 3.0  # prior standard deviation of the slope over its first guess: flat in effect
LEAST_CURVATURE_SPREAD = 0.01
MISFIT_FREEDOM = 2.5  # degrees of freedom that the curve takes: two, and half of one for a curvature with a prior
PULLED = 2.5  # scales from the median beyond which a pair is pulled in
PULLED_COST = 1.3  # variance of such a mean over that of the plain one
TINY = 1e-9  # keeps divisions finite


@lru_cache(maxsize=256)
def two_sided(confidence: float, freedom: float = math.inf) -> float:
    """Quantile of |t| with `freedom` degrees of freedom (normal where infinite)."""
    tail = (1 + confidence) / 2
    return float(ndtri(tail) if math.isinf(freedom) else stdtrit(freedom, tail))


class Residual(NamedTuple):
    """How far what was seen at one N lies from the fitted curve."""

    mean: float
    error: float


class Seen(NamedTuple):
    """What a curve was fitted to, and how far from it each pair lies."""

    heads: Integers  # [distinct N], ascending
    where: Integers  # [pairs] -> index into heads
    launch: Integers  # [pairs]
    strays: Floats  # [pairs]
    variance: float  # of one pair


@dataclass(frozen=True)
class LocalFit:
    """The fitted curve z + s u + c u² around `centre` (a log N) and how well it is known."""

    centre: float
    coefficients: tuple[float, float, float]  # z, s, c
    covariance: Floats  # [3, 3], of the model
    multiplier: float  # half-width of an interval in units of the model's standard error
    noise: float  # effective standard deviation of one pair
    between: float  # standard deviation between launches
    misfit: float  # p-value of "the curve goes through what was seen at every N"
    pairs: int
    launches: int
    seen: Seen

    @cached_property
    def residuals(self) -> dict[int, Residual]:
        """By N; worked out where they are asked for, which few fits are."""
        found = {}
        for place, n in enumerate(self.seen.heads.tolist()):
            here = self.seen.where == place
            found[n] = _residual(self.seen.strays[here], self.seen.launch[here], self.seen.variance)
        return found

    def value(self, log_heads: float | Floats) -> Floats:
        """The fitted log-ratio."""
        u = np.asarray(log_heads, dtype=np.float64) - self.centre
        level, slope, curvature = self.coefficients
        return np.asarray(level + slope * u + curvature * u * u)

    def half_width(self, log_heads: float | Floats) -> Floats:
        """Of the interval of the log-ratio, the wider of the launches' and the model's."""
        u = np.asarray(log_heads, dtype=np.float64) - self.centre
        design = np.stack((np.ones_like(u), u, u * u), axis=-1)
        return np.asarray(self.multiplier * np.sqrt(np.einsum("...i,ij,...j->...", design, self.covariance, design)))

    def root(self) -> float | None:
        """The log N of the crossing nearest the centre, None where the curve does not cross within reach."""
        level, slope, curvature = self.coefficients
        discriminant = slope * slope - 4 * curvature * level
        if slope == 0 or discriminant < 0:
            return None
        u = -2 * level / (slope + math.copysign(math.sqrt(discriminant), slope))
        return self.centre + u if abs(u) <= REACH else None

    def crossing_interval(self, stretch: float = 1.0) -> tuple[float, float] | None:
        """The log N between which the crossing lies, with infinities where an end is not found; None without a root.

        Args:
            stretch: of the half-widths, for another confidence than the fit's.
        """
        root = self.root()
        if root is None:
            return None
        log_heads = root + np.linspace(-REACH, REACH, GRID)
        excess = np.abs(self.value(log_heads)) - stretch * self.half_width(log_heads)
        middle = GRID // 2
        return _edge(log_heads[middle::-1], excess[middle::-1], -math.inf), _edge(
            log_heads[middle:], excess[middle:], math.inf
        )


def _edge(log_heads: Floats, excess: Floats, beyond: float) -> float:
    """Where `excess` first turns positive, walking outwards, interpolated."""
    rejected = np.flatnonzero(excess > 0)
    if rejected.size == 0:
        return beyond
    first = int(rejected[0])
    if first == 0:
        return float(log_heads[0])
    share = excess[first - 1] / (excess[first - 1] - excess[first])
    return float(log_heads[first - 1] + share * (log_heads[first] - log_heads[first - 1]))


def fit(
    observations: Observations,
    centre: float,
    slope: float,
    noise: float,
    confidence: float,
    launch_is_unit: bool = True,
    planned: int = 0,
) -> LocalFit | None:
    """Fit the local model to what was seen; None with fewer than two distinct N.

    Args:
        observations: only those of the window to be fitted.
        centre: log N that u is counted from.
        slope: a first guess of s, which only sets the prior of the curvature.
        noise: a first guess of the noise of one pair.
        confidence: of the intervals.
        launch_is_unit: False while exploring within one launch.
        planned: launches that the interval was meant to rest on.
    """
    heads, where = np.unique(observations.heads, return_inverse=True)
    if heads.size < 2:
        return None
    launches, launch = np.unique(observations.launch, return_inverse=True)
    u = np.log(observations.heads.astype(np.float64)) - centre
    prior_mean, prior_spread = curvature_prior(slope)
    slope_spread = SLOPE_SPREAD * abs(slope) + 1.0
    y = observations.log_ratio
    design = np.stack((u, u * u), axis=1)
    residual, scale = _robust_residuals(
        y, design, launch, launches.size, noise, (slope, prior_mean), (slope_spread, prior_spread)
    )
    t = np.clip(residual / (BIWEIGHT * scale), -1.0, 1.0) ** 2
    influence = residual * (1 - t) ** 2
    sensitivity = max(LEAST_SENSITIVITY, float(np.mean((1 - t) * (1 - 5 * t))))
    pseudo = y - residual + influence / sensitivity
    freedom = max(1.0, y.size - launches.size - 2.0)
    seen = float(influence @ influence) / sensitivity**2
    variance = (seen + PRIOR_FREEDOM * scale**2) / (freedom + PRIOR_FREEDOM)
    return _combine(
        y,
        pseudo,
        u,
        launch,
        launches.size,
        variance,
        (slope, prior_mean),
        (slope_spread, prior_spread),
        _Window(heads, where, centre, confidence, launch_is_unit, planned),
    )


def curvature_prior(slope: float) -> tuple[float, float]:
    """Mean and spread of c: half way between power laws (0) and linear against flat (s (1 - s) / 2)."""
    steepness = abs(slope)
    steepness = min(steepness, STEEPEST)
    bend = steepness * (1 - steepness) / 4
    return math.copysign(1.0, slope) * bend, CURVATURE_SPREAD * steepness + LEAST_CURVATURE_SPREAD + max(0.0, -bend)


def _robust_residuals(
    y: Floats,
    design: Floats,
    launch: Integers,
    launches: int,
    noise: float,
    prior_means: tuple[float, float],
    prior_spreads: tuple[float, float],
) -> tuple[Floats, float]:
    """Residuals of a biweight fit with one intercept a launch, and their scale."""
    columns = np.zeros((y.size, launches + 2))
    columns[np.arange(y.size), launch] = 1.0
    columns[:, launches:] = design
    means = np.array([0.0] * launches + list(prior_means))
    ridge = np.full(launches + 2, 1e-9)
    scale = max(noise, TINY)
    # start from each launch's own median along the guessed slope: least squares would start from the outliers
    along = y - prior_means[0] * design[:, 0]
    residual = along - medians(along, launch, launches)[launch]
    weights = HUBER / np.maximum(np.abs(residual) / scale, HUBER)
    for turn in range(MONOTONE_ROUNDS + REDESCENDING_ROUNDS):
        ridge[launches:] = [(scale / spread) ** 2 for spread in prior_spreads]
        weighted = columns * weights[:, None]
        normal = weighted.T @ columns
        normal.ravel()[:: launches + 3] += ridge  # the diagonal
        residual = y - columns @ np.linalg.solve(normal, weighted.T @ y + ridge * means)
        if turn >= 1:
            used = max(0.3, 1 - (launches + 1) / y.size)
            scale = max(TINY, MAD_TO_SD * median(np.abs(residual)) / math.sqrt(used))
            scale = max(scale, LEAST_SCALE * noise)
        size = np.abs(residual) / scale
        if turn < MONOTONE_ROUNDS:
            weights = HUBER / np.maximum(size, HUBER)
        else:
            weights = np.maximum(0.0, 1 - (size / BIWEIGHT) ** 2) ** 2
            weights = np.maximum(weights, 1e-6)
    return residual, scale


@dataclass(frozen=True)
class _Window:
    heads: Integers  # [distinct N]
    where: Integers  # [pairs] -> index into heads
    centre: float
    confidence: float
    launch_is_unit: bool
    planned: int


def _combine(
    y: Floats,
    pseudo: Floats,
    u: Floats,
    launch: Integers,
    launches: int,
    variance: float,
    prior_means: tuple[float, float],
    prior_spreads: tuple[float, float],
    window: _Window,
) -> LocalFit:
    """Generalised least squares on pseudo-values with a random intercept a launch."""
    columns = np.stack((np.ones_like(u), u, u * u), axis=1)
    counts = np.bincount(launch, minlength=launches).astype(np.float64)
    sums = np.stack([np.bincount(launch, column, launches) for column in columns.T], axis=1)  # [launches, 3]
    totals = np.bincount(launch, pseudo, launches)
    precision = np.array([0.0, prior_spreads[0] ** -2, prior_spreads[1] ** -2])
    pull = precision * np.array([0.0, *prior_means])
    gram, moment = columns.T @ columns, columns.T @ pseudo

    def solve(between: float) -> tuple[Floats, Floats]:
        shrink = between / (variance + counts * between) if between > 0 else np.zeros(launches)
        information = (gram - (sums * shrink[:, None]).T @ sums) / variance + np.diag(precision)
        covariance: Floats = np.asarray(np.linalg.inv(information), dtype=np.float64)
        return covariance @ ((moment - sums.T @ (shrink * totals)) / variance + pull), covariance

    # within-launch fit first: its shape gives every launch its own level
    shape, _ = solve(1e6 * variance)
    levels = (totals - sums[:, 1:] @ shape[1:]) / counts
    between = _between_variance(levels, variance / counts)
    coefficients, covariance = solve(between)
    own = (totals - sums @ coefficients) / counts  # each launch's distance from the curve
    multiplier = two_sided(window.confidence)
    if window.launch_is_unit and launches > 1:
        ratio = float(np.sum(own**2 / (between + variance / counts))) / (launches - 1)
        multiplier = max(multiplier, _over_launches(window.confidence, launches, ratio, window.planned))
    fitted = columns @ coefficients + own[launch]
    per_heads = np.bincount(window.where, minlength=window.heads.size)
    mean_residual = np.bincount(window.where, pseudo - fitted, window.heads.size) / per_heads
    misfit_freedom = window.heads.size - MISFIT_FREEDOM
    misfit = (
        float(chdtrc(misfit_freedom, float(np.sum(per_heads * mean_residual**2)) / variance))
        if misfit_freedom > 0
        else 1.0
    )
    return LocalFit(
        window.centre,
        (float(coefficients[0]), float(coefficients[1]), float(coefficients[2])),
        covariance,
        multiplier,
        math.sqrt(variance),
        math.sqrt(between),
        misfit,
        int(pseudo.size),
        launches,
        Seen(window.heads, window.where, launch, y - fitted, variance),
    )


def _residual(strays: Floats, launch: Integers, variance: float) -> Residual:
    """Of one N, by its own pairs: where all of them lie far off they are no outliers, whatever the fit made of them.

    A process may be off at one N for where its arrays lie there, which its other pairs share.
    """
    noise = math.sqrt(variance)
    means = np.array([winsorised_mean(strays[launch == one], noise) for one in sorted(set(launch.tolist()))])
    own = float(means.var(ddof=1)) - variance * means.size / strays.size if means.size > 1 else 0.0
    error = math.sqrt(variance / strays.size + max(own, PLACEMENT**2) / means.size)
    return Residual(winsorised_mean(strays, noise), error)


def _over_launches(confidence: float, launches: int, ratio: float, planned: int) -> float:
    """Half-width in standard errors by Hartung and Knapp, whose `ratio` is not believed below 1 where launches lack."""
    if launches < planned:
        ratio = max(ratio, 1.0)
    return two_sided(confidence, launches - 1) * math.sqrt(ratio)


def _between_variance(levels: Floats, variances: Floats) -> float:
    """DerSimonian and Laird's moment estimate; 0 for a single launch."""
    if levels.size == 1:
        return 0.0
    weights = 1 / variances
    spread = float(weights @ (levels - weights @ levels / weights.sum()) ** 2)
    denominator = float(weights.sum() - weights @ weights / weights.sum())
    return max(0.0, (spread - (levels.size - 1)) / denominator)


def launch_interval(
    launches: list[Floats], noise: float, confidence: float, planned: int = 0
) -> tuple[float, float, float]:
    """Centre and interval of the log-ratio at one N (or pooled over several), each launch summarised first.

    The wider of Hartung and Knapp's interval over launches and the one that pairs alone would give.
    """
    together = np.concatenate(launches)
    middle = median(together)
    scale = max(noise, MAD_TO_SD * median(np.abs(together - middle)), TINY)  # the launches' own differences included
    counts = np.array([part.size for part in launches], dtype=np.float64)
    pulled = np.minimum(np.maximum(together, middle - PULLED * scale), middle + PULLED * scale)
    ends = [*itertools.accumulate(part.size for part in launches)]
    parts = (pulled[start:end] for start, end in itertools.pairwise([0, *ends]))
    levels = np.array([np.add.reduce(part) / part.size for part in parts])
    scale = max(noise, TINY)
    variances = PULLED_COST * scale**2 / counts
    between = _between_variance(levels, variances)
    weights = 1 / (between + variances)
    middle = float(weights @ levels / weights.sum())
    multiplier = two_sided(confidence)
    if levels.size > 1:
        ratio = float(weights @ (levels - middle) ** 2) / (levels.size - 1)
        multiplier = max(multiplier, _over_launches(confidence, int(levels.size), ratio, planned))
    half = multiplier / math.sqrt(float(weights.sum()))
    return middle, middle - half, middle + half
