"""Whether two rivals cost the same at every N that was looked at, up to a margin: two one-sided tests at each.

The log-ratio of a pair is taken as `m + d_n + a_l + b_ln + e`: a level `m`, what this N adds to it, what the launch
adds at all N, what it adds at this one, and noise. Launches are the unit that the level rests on: they differ by about
the margin unless they show otherwise (a prior worth two launches). What an N adds is nothing or little for most: its
estimate is pulled towards 0 by as much as those of all N together suggest, one that stands out is left as it is
(adaptive shrinkage: Stephens, Biostatistics 18, 2017). Otherwise a look at twenty N would need twenty times the pairs.

That all N are within the margin is claimed where each is by two one-sided tests (Schuirmann, J. Pharmacokinet.
Biopharm. 15, 1987); as all of them must pass, none needs a stricter level (Berger, Technometrics 24, 1982).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

from harness.search.local_model import PLACEMENT
from harness.search.sign_test import WINSORISED_COST, median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.sampler import Floats, Observations

FAR = 2.5  # times the noise: pairs further from their N and launch are pulled in to there
PRIOR_LAUNCHES = 2  # that the prior of how much launches differ is worth
SPREADS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # of what an N adds, in margins: a mixture of normals
SAME = 9.0  # N that the prior of adding nothing is worth
TURNS = 50  # of the weights' fit


@dataclass(frozen=True)
class Evenness:
    """What is known of the log-ratio at each of several N: a mixture of t distributions."""

    level: float  # of all N together
    error: float
    freedom: int
    weights: Floats  # [places, spreads], each row sums to 1
    added: Floats  # [places, spreads], what this N adds to the level
    errors: Floats  # [places, spreads], of the sum
    alone: Floats  # [places], the log-ratio at this N as if the others told nothing about it
    alone_errors: Floats  # [places]

    def above(self, limit: float, side: int) -> Floats:
        """For each N, the probability that `side` times the log-ratio lies above the limit."""
        chances: Floats = stdtr(self.freedom, (side * (self.level + self.added) - limit) / self.errors)
        total: Floats = (self.weights * chances).sum(axis=1)
        return total

    def beyond(self, margin: float) -> float:
        """The largest probability, of all N and both sides, that the log-ratio lies beyond the margin there."""
        return max(float(self.above(margin, side).max()) for side in (1, -1))

    def contrary(self, side: int) -> float:
        """The largest probability, of all N, that the log-ratio has not this sign."""
        return float((1 - self.above(0.0, side)).max())

    def outside(self, margin: float) -> Floats:
        """For each N, the probability of a log-ratio beyond the margin if the others said nothing about it."""
        scores = (np.abs(self.alone) - margin) / self.alone_errors
        opposite = (-np.abs(self.alone) - margin) / self.alone_errors
        both: Floats = stdtr(self.freedom, scores) + stdtr(self.freedom, opposite)
        return both

    def largest(self, confidence: float) -> float:
        """The margin that holds at each N and on either side with this confidence."""
        low, high = 0.0, 1.0
        while self.beyond(high) > 1 - confidence:
            high *= 2
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self.beyond(middle) > 1 - confidence else (low, middle)
        return high


def evenness(seen: Observations, places: Sequence[int], noise: float, margin: float) -> Evenness:
    """What the pairs say about the log-ratio at these N.

    Args:
        seen: pairs, those at other N included, which are ignored.
        places: at each of which something was seen.
        noise: of one pair.
        margin: that is asked about.
    """
    means, counts = _cells(seen, places, noise)
    variances = WINSORISED_COST**2 * noise**2 / np.maximum(counts, 1)  # [launches, places]
    there = counts > 0
    levels, added, strays = _additive(means, np.where(there, 1 / variances, 0.0))
    spare = int(there.sum()) - levels.size - added.size + 1
    own = float((strays[there] ** 2).sum()) / spare - float(variances[there].mean()) if spare else PLACEMENT**2
    variances = variances + max(0.0, own)
    weights = np.where(there, 1 / variances, 0.0)
    levels, added, _ = _additive(means, weights)
    launches = levels.size
    freedom = launches - 1 + PRIOR_LAUNCHES
    spread = (float(((levels - levels.mean()) ** 2).sum()) + PRIOR_LAUNCHES * margin**2) / freedom
    error = math.sqrt(spread / launches)
    level, own_errors = float(levels.mean()), 1 / np.sqrt(weights.sum(axis=0))
    mixture, shrunk, errors = _shrunk(added, own_errors, margin)
    return Evenness(
        level,
        error,
        freedom,
        mixture,
        shrunk,
        np.hypot(error, errors),
        level + added,
        np.hypot(error, own_errors),
    )


def _cells(seen: Observations, places: Sequence[int], noise: float) -> tuple[Floats, Floats]:
    """Mean and number of the pairs of each launch at each N, [launches, places], those far out pulled in."""
    keep = np.isin(seen.heads, places)
    place = np.searchsorted(sorted(places), seen.heads[keep])
    which, launch = np.unique(seen.launch[keep], return_inverse=True)
    log_ratio = seen.log_ratio[keep]
    at_place = np.array([median(log_ratio[place == p]) for p in range(len(places))])
    strays = log_ratio - at_place[place]
    at_launch = np.array([median(strays[launch == one]) for one in range(which.size)])
    centre = at_place[place] + at_launch[launch]
    reach = FAR * max(noise, 1.4826 * median(np.abs(log_ratio - centre)))
    pulled = np.clip(log_ratio, centre - reach, centre + reach)
    shape = which.size, len(places)
    cell = launch * len(places) + place
    counts = np.bincount(cell, minlength=shape[0] * shape[1]).reshape(shape)
    sums = np.bincount(cell, pulled, shape[0] * shape[1]).reshape(shape)
    return sums / np.maximum(counts, 1), counts.astype(np.float64)


def _additive(means: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Launches' levels, what each N adds (0 on average), and what is left over, by weighted least squares."""
    launches, places = means.shape
    launch, place = (each.ravel() for each in np.indices(means.shape))
    design = np.zeros((means.size + 1, launches + places))
    rows = np.arange(means.size)
    root = np.sqrt(weights.ravel())
    design[rows, launch] = root
    design[rows, launches + place] = root
    design[-1, launches:] = root.max()
    wanted = np.append(root * means.ravel(), 0.0)
    solution = np.linalg.lstsq(design, wanted, rcond=None)[0]
    levels, added = solution[:launches], solution[launches:]
    return levels, added, means - levels[:, None] - added[None, :]


def _shrunk(added: Floats, errors: Floats, margin: float) -> tuple[Floats, Floats, Floats]:
    """What each N adds under each spread, its error, and how likely the spread is: each [places, spreads]."""
    variances = (margin * np.array(SPREADS)) ** 2 + errors[:, None] ** 2
    likelihood = np.exp(-(added[:, None] ** 2) / (2 * variances)) / np.sqrt(variances)
    prior = np.zeros(len(SPREADS))
    prior[0] = SAME
    shares = np.full(len(SPREADS), 1 / len(SPREADS))
    for _ in range(TURNS):
        mixture = likelihood * shares
        mixture /= mixture.sum(axis=1, keepdims=True)
        shares = mixture.sum(axis=0) + prior
        shares /= shares.sum()
    kept = 1 - errors[:, None] ** 2 / variances
    return mixture, kept * added[:, None], np.sqrt(kept) * errors[:, None]
