"""Whether two contenders cost the same at every N that was looked at, up to a margin: two one-sided tests at each.

The log-ratio of a pair is taken as `m + d_n + a_l + b_ln + e`: a level `m`, what this N adds to it, what the launch
adds at all N, what it adds at this one, and noise. Launches are the unit that the level rests on: they differ by about
the margin unless they show otherwise (a prior worth two launches). What an N adds is nothing or little for most: its
estimate is pulled towards 0 by as much as those of all N together suggest, one that stands out is left as it is
(adaptive shrinkage: Stephens, Biostatistics 18, 2017). Otherwise a look at twenty N would need twenty times the pairs.
Costs change over stretches of N rather than at single ones, so neighbours that stand out the same way count together:
every run of neighbouring N is weighed, by its Bayes factor, against there being none that differs from the rest.

That all N are within the margin is claimed where each is by two one-sided tests (Schuirmann, J. Pharmacokinet.
Biopharm. 15, 1987); as all of them must pass, none needs a stricter level (Berger, Technometrics 24, 1982).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import stdtr

from harness.search.local_model import PLACEMENT
from harness.search.sign_test import WINSORISED_COST, median, medians

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.sampler import Floats, Integers, Observations

FAR = 2.5  # times the noise: pairs further from their N and launch are pulled in to there
PRIOR_LAUNCHES = 2  # that the prior of how much launches differ is worth
SPREADS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of what an N adds, in margins: a mixture of normals
SAME = 9.0  # N that the prior of adding nothing is worth
TURNS = 50  # of the weights' fit
RUNS = 0.1  # prior probability that a run of neighbouring N differs from the rest, half of it at an end of the range
RUN_SPREADS = (1.0, 2.0, 4.0)  # in margins, of how much it differs
LEAST_WEIGHT = 1e-3  # of a run that is kept


class Parts(NamedTuple):
    """A mixture of t distributions at each N, each [places, parts]."""

    weights: Floats  # each row sums to 1
    added: Floats  # what this N adds to the level
    errors: Floats  # of the sum


@dataclass(frozen=True)
class DifferenceModel:
    """What is known of the log-ratio at each of several N: a mixture of t distributions."""

    level: float  # of all N together
    error: float
    freedom: int
    margin: float
    own: Floats  # [places], what this N adds to the level by its own pairs alone
    own_errors: Floats  # [places]

    @property
    def alone(self) -> Floats:
        """The log-ratio at each N by its own pairs alone."""
        return self.level + self.own

    @property
    def alone_errors(self) -> Floats:
        """Of that."""
        errors: Floats = np.hypot(self.error, self.own_errors)
        return errors

    @cached_property
    def parts(self) -> Parts:
        """Worked out where it is asked for: where the level is far from 0 it is not."""
        shrunk = _shrink(self.own, self.own_errors, self.margin)
        weights, added, errors = _with_runs(self.own, self.own_errors, self.margin, *shrunk)
        return Parts(weights, added, np.hypot(self.error, errors))

    def probability_above(self, limit: float, side: int) -> Floats:
        """For each N, the probability that `side` times the log-ratio lies above the limit."""
        weights, added, errors = self.parts
        chances: Floats = stdtr(self.freedom, (side * (self.level + added) - limit) / errors)
        total: Floats = (weights * chances).sum(axis=1)
        return total

    def probability_beyond(self, margin: float) -> float:
        """The largest probability, of all N and both sides, that the log-ratio lies beyond the margin there."""
        return max(float(self.probability_above(margin, side).max()) for side in (1, -1))

    def probability_against(self, side: int) -> float:
        """The largest probability, of all N, that the log-ratio has not this sign."""
        return float((1 - self.probability_above(0.0, side)).max())

    def probabilities_alone(self, margin: float) -> Floats:
        """For each N, the probability of a log-ratio beyond the margin if the others said nothing about it."""
        errors, size = self.alone_errors, np.abs(self.alone)
        scores = (size - margin) / errors
        opposite = (-size - margin) / errors
        both: Floats = stdtr(self.freedom, scores) + stdtr(self.freedom, opposite)
        return both

    def smallest_margin(self, confidence: float) -> float:
        """The margin that holds at each N and on either side with this confidence."""
        low, high = 0.0, 1.0
        while self.probability_beyond(high) > 1 - confidence:
            high *= 2
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.probability_beyond(middle) > 1 - confidence else (low, middle)
        return high


def fit_differences(seen: Observations, places: Sequence[int], noise: float, margin: float) -> DifferenceModel:
    """What the pairs say about the log-ratio at these N."""
    means, counts = _launch_means(seen, places, noise)
    variances = WINSORISED_COST**2 * noise**2 / np.maximum(counts, 1)  # [launches, places]
    there = counts > 0
    levels, added, strays = _additive_fit(means, np.where(there, 1 / variances, 0.0))
    spare = int(there.sum()) - levels.size - added.size + 1
    own = float((strays[there] ** 2).sum()) / spare - float(variances[there].mean()) if spare else PLACEMENT**2
    variances = variances + max(0.0, own)
    weights = np.where(there, 1 / variances, 0.0)
    levels, added, _ = _additive_fit(means, weights)
    launches = levels.size
    freedom = launches - 1 + PRIOR_LAUNCHES
    spread = (float(((levels - levels.mean()) ** 2).sum()) + PRIOR_LAUNCHES * margin**2) / freedom
    error = math.sqrt(spread / launches)
    return DifferenceModel(float(levels.mean()), error, freedom, margin, added, 1 / np.sqrt(weights.sum(axis=0)))


def _launch_means(seen: Observations, places: Sequence[int], noise: float) -> tuple[Floats, Floats]:
    """Mean and number of the pairs of each launch at each N, [launches, places], those far out pulled in."""
    ordered = np.array(sorted(places))
    place = np.searchsorted(ordered, seen.heads).clip(max=ordered.size - 1)
    keep = ordered[place] == seen.heads
    place = place[keep]
    which, launch = np.unique(seen.launch[keep], return_inverse=True)
    log_ratio = seen.log_ratio[keep]
    at_place = medians(log_ratio, place, len(places))
    strays = log_ratio - at_place[place]
    at_launch = medians(strays, launch, which.size)
    centre = at_place[place] + at_launch[launch]
    reach = FAR * max(noise, 1.4826 * median(np.abs(log_ratio - centre)))
    pulled = np.clip(log_ratio, centre - reach, centre + reach)
    shape = which.size, len(places)
    cell = launch * len(places) + place
    counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    sums = np.bincount(cell, pulled, shape[0] * shape[1]).reshape(shape)
    return sums / np.maximum(counts, 1), counts.astype(np.float64)


def _additive_fit(means: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Launches' levels, what each N adds (0 on average), and what is left over, by weighted least squares."""
    launches, places = means.shape
    design = np.zeros((means.size + 1, launches + places))
    rows = np.arange(means.size)
    root = np.sqrt(weights.ravel())
    design[rows, rows // places] = root
    design[rows, launches + rows % places] = root
    design[-1, launches:] = root.max()
    wanted = np.append(root * means.ravel(), 0.0)
    solution = np.linalg.lstsq(design, wanted, rcond=None)[0]
    levels, added = solution[:launches], solution[launches:]
    return levels, added, means - levels[:, None] - added[None, :]


def _shrink(added: Floats, errors: Floats, margin: float) -> tuple[Floats, Floats, Floats, float]:
    """How likely each spread is, what each N adds under it and its error, each [places, spreads], and the evidence.

    The evidence is the log-likelihood of this mixture over that of no N adding anything.
    """
    variances = (margin * np.array(SPREADS)) ** 2 + errors[:, None] ** 2
    scores = -(added[:, None] ** 2) / (2 * variances) - np.log(variances) / 2
    top = scores.max(axis=1)
    likelihood = np.exp(scores - top[:, None])
    prior = np.zeros(len(SPREADS))
    prior[0] = SAME
    shares = np.full(len(SPREADS), 1 / len(SPREADS))
    mixture, total = np.empty_like(likelihood), np.add.reduce
    for _ in range(TURNS):
        np.multiply(likelihood, shares, out=mixture)
        mixture /= total(mixture, axis=1, keepdims=True)
        shares = total(mixture, axis=0) + prior
        shares /= total(shares)
    kept = 1 - errors[:, None] ** 2 / variances
    evidence = float((np.log((likelihood * shares).sum(axis=1)) + top - scores[:, 0]).sum())
    return mixture, kept * added[:, None], np.sqrt(kept) * errors[:, None], evidence


def _with_runs(
    added: Floats, errors: Floats, margin: float, mixture: Floats, shrunk: Floats, spread: Floats, evidence: float
) -> tuple[Floats, Floats, Floats]:
    """The same mixture with one more part for every run of neighbouring N that may differ from all others."""
    first, last, prior = _runs(added.size)
    if not first.size:
        return mixture, shrunk, spread
    precision = errors**-2.0
    weight, total = (np.concatenate(([0.0], np.cumsum(each))) for each in (precision, precision * added))
    inside = weight[last] - weight[first]
    outside = weight[-1] - inside
    apart = (total[last] - total[first]) / inside - (total[-1] - total[last] + total[first]) / outside  # [runs]
    variance = 1 / inside + 1 / outside
    true = (margin * np.array(RUN_SPREADS)) ** 2  # [spreads]
    kept = true / (true + variance[:, None])  # [runs, spreads]
    factors = kept * (apart**2 / variance)[:, None] / 2 - np.log1p(true / variance[:, None]) / 2
    scores = factors + np.log(prior / len(RUN_SPREADS))[:, None]
    none = evidence + math.log1p(-RUNS)
    top = max(none, float(scores.max()))
    chances = np.exp(scores - top)
    nothing = math.exp(none - top)
    chances, nothing = chances / (chances.sum() + nothing), nothing / (chances.sum() + nothing)
    run, which = np.nonzero(chances > LEAST_WEIGHT)
    likely = chances[run, which]
    place = np.arange(added.size)[:, None]
    within = (place >= first[run]) & (place < last[run])  # [places, kept runs]
    share = (inside / weight[-1])[run]
    part = np.where(within, 1 - share, -share)
    kept = kept[run, which]
    weights = np.concatenate((mixture * nothing, np.broadcast_to(likely, within.shape)), axis=1)
    return (
        weights / weights.sum(axis=1, keepdims=True),
        np.concatenate((shrunk, part * kept * apart[run]), axis=1),
        np.concatenate((spread, np.abs(part) * np.sqrt(kept * variance[run])), axis=1),
    )


def _runs(places: int) -> tuple[Integers, Integers, Floats]:
    """First place of each run and the one behind its last, and how likely it is beforehand."""
    first, last = np.triu_indices(places + 1, 2)
    first, last = first[last - first < places], last[last - first < places]
    ends = (first == 0) | (last == places)
    kinds = [kind for kind in (ends, ~ends) if kind.any()]
    prior = sum((kind * (RUNS / len(kinds) / kind.sum()) for kind in kinds), np.zeros(first.size))
    return first, last, prior
