"""Confirm crossings over fresh launches: where to measure, and how much.

The number of pairs is computed from the width that is wanted, the slope and the noise, before they are timed (no
peeking: re-testing an interval after every sample spoils its coverage). Every launch visits both sides of the
current estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.search.bracketing import PITCH, Smooth, rungs
from harness.search.local_model import fit, two_sided
from harness.search.sign_test import WINSORISED_COST, winsorised_mean

if TYPE_CHECKING:
    from collections.abc import Collection

    from harness.search.local_model import LocalFit
    from harness.search.sampler import Sampler

MOST_DISTINCT = 40  # N that may be built for one search
WHOLE_HEADS = 0.35  # of a head: half of the width wanted where N* is a few heads
TIGHTER = 0.85  # planned half-width over the wanted one, because the stated one varies from run to run
LEAST_PAIRS = 6  # per launch and crossing: two outliers among three would pass for a launch of its own
SLOPE_COST = 1.1  # an uncertain slope widens Fieller's interval by about this factor squared
LEAST_LAUNCHES = 3  # that an interval over launches may rest on, where more were asked for and time ran out
EDGE_PAIRS = 8  # beyond a window whose outermost N stands out
MOST_SIDE_PAIRS = 80  # per launch
SIDE_ERRORS = 5.5  # standard errors that the two sides of a step, and weakly decided ends, are planned for
ENOUGH_PAIRS, UNREACHABLE_WIDTH = 2000, 0.3  # a half-width in log N that so many pairs should beat
WINDOW = 3.7  # half of a fit's window, in rungs: seven N and the rounding of their places
FLAT = 1e-6  # a slope below which a division is not worth making
TURNS = 4  # of refinement in launch 0, at most
FIRST_REACH, REACH_AFTER = 1.0, 0.75  # how far from the estimate, in log N, a refining fit sees
MANY_RUNGS = 5  # of which the first turn takes every second
REFINED = 0.25  # an error in log N, and
MOVED = 2.0  # rungs that the estimate moved, below which refinement ends
MORE_PAIRS = 1.5  # times as many pairs in each further turn
SLOPE_TRUST = 0.2  # of the wide slope: the error at which a narrow window's own slope counts half
BUDGET_SHARE = 0.25  # of the largest budget that one crossing is taken to get
STRIDES = ((0.09, 1.0), (0.2, 2.0), (math.inf, 4.0))  # (half-width in log N that can be reached, distance of the rungs)
ROUNDED = 0.15  # of a head: what rounding outwards costs an interval's half-width
FEW_LAUNCHES_QUANTILE = 2.0  # where there is one launch
END_FLOOR, END_ERRORS = 0.3, SIDE_ERRORS * 1.5  # at an end of the range: least level in wanted errors; errors planned
BETWEEN_COST = 0.5  # more pairs than that share cannot make up for launches that differ
NEAR_RUNGS, NEAR_WEIGHT = 2.2, 2.0  # rungs so near the estimate get so many times the pairs of the others
EVEN_OUT = 0.2  # of a pair: how much chance decides where one goes


@dataclass(frozen=True)
class Question:
    """What is asked, checked."""

    low: int
    high: int
    precision: float
    confidence: float
    launches: int
    budget: int
    capped: bool  # whether the budget is only the maximum that holds without one
    known: bool  # whether steps were declared, be it that none lies inside the range

    @property
    def goal(self) -> float:
        """Half-width wanted, in log N; also the log-ratio that counts as no difference."""
        return math.log1p(self.precision)

    @property
    def stretch(self) -> float:
        """Of half-widths, so that two ends hold together with the confidence of one alone (Bonferroni)."""
        freedom = max(1, self.launches - 1)
        return two_sided((1 + self.confidence) / 2, freedom) / two_sided(self.confidence, freedom)

    @property
    def least_launches(self) -> int:
        """Launches without which nothing counts as confirmed: half of those asked for, and three where so many are."""
        return min(self.launches, max(LEAST_LAUNCHES, math.ceil(self.launches / 2)))


@dataclass(frozen=True)
class Aim:
    """Where the next launch measures for one smooth crossing."""

    target: Smooth
    log_centre: float
    slope: float
    noise: float
    between: float = 0.0
    stride: float = 1.0
    fit: LocalFit | None = None
    wide_slope: float | None = None  # seen over a wider window while refining

    @property
    def window(self) -> tuple[int, int]:
        """The N whose pairs enter the local fit."""
        half = WINDOW * PITCH * self.stride
        low = min(math.exp(self.log_centre - half), math.floor(math.exp(self.log_centre)) - 1)
        high = max(math.exp(self.log_centre + half), math.ceil(math.exp(self.log_centre)) + 1)
        return max(self.target.low, math.ceil(low)), min(self.target.high, math.floor(high))


def first_aim(sampler: Sampler, target: Smooth) -> Aim:
    """From the two ends of the bracket alone: a straight line between them."""
    noise = sampler.noise()
    left, right = math.log(target.low), math.log(target.high)
    below, above = winsorised_mean(sampler.at(target.low), noise), winsorised_mean(sampler.at(target.high), noise)
    slope = (above - below) / (right - left)
    if slope == 0:
        slope = 1e-3 * (target.after - target.before)
    return Aim(target, min(max(left - below / slope, left), right), slope, noise)


def refine(sampler: Sampler, aim: Aim, question: Question, pairs: int) -> Aim:
    """Within launch 0: narrow the place down until the confirming window is sure to hold it."""
    for turn in range(TURNS):
        reach = REACH_AFTER if turn else FIRST_REACH
        stride = aim.stride * (2 if turn == 0 else 1)
        target = aim.target
        points = rungs(
            aim.log_centre, target.low, target.high, stride, sampler.visited, MOST_DISTINCT - 4 - len(sampler.visited)
        )
        picked = points[:: 2 if len(points) > MANY_RUNGS and not turn else 1]
        sampler.visit_each(dict.fromkeys(picked, pairs))
        low, high = (
            max(target.low, math.floor(math.exp(aim.log_centre - reach))),
            min(target.high, math.ceil(math.exp(aim.log_centre + reach))),
        )
        local = fit(
            sampler.observations().within(low, high), aim.log_centre, aim.slope, aim.noise, question.confidence, False
        )
        earlier = aim.log_centre
        aim = updated(aim, local)
        if local is not None and turn:
            error = float(local.half_width(aim.log_centre)) / max(abs(aim.slope), FLAT)
            if error < REFINED and abs(aim.log_centre - earlier) < MOVED * PITCH:
                break
        pairs = math.ceil(pairs * MORE_PAIRS) if turn else pairs
    return replace(aim, wide_slope=aim.slope)


def updated(aim: Aim, local: LocalFit | None) -> Aim:
    """Move the aim to the fitted crossing, as far as that lies within the bracket."""
    if local is None:
        return aim
    root = local.root()
    slope = local.coefficients[1]
    wanted = aim.target.after - aim.target.before
    if slope * wanted <= 0:  # noise turned the slope round: keep the bracket's
        slope = aim.slope
        root = None
    if aim.wide_slope is not None:  # sizes planned from a few pairs' slope alone would vary severalfold
        spread = (SLOPE_TRUST * aim.wide_slope) ** 2
        trust = spread / (spread + local.covariance[1, 1])
        slope = float(trust * slope + (1 - trust) * aim.wide_slope)
    log_centre = aim.log_centre if root is None else root
    log_centre = min(max(log_centre, math.log(aim.target.low)), math.log(aim.target.high))
    return replace(aim, log_centre=log_centre, slope=slope, noise=local.noise, between=local.between, fit=local)


def next_aim(sampler: Sampler, aim: Aim, question: Question) -> Aim:
    """The aim for the next launch: where to look may rest on launch 0, what is stated may not."""
    low, high = aim.window
    seen = sampler.observations().within(low, high)
    aim = updated(aim, fit(seen, aim.log_centre, aim.slope, aim.noise, question.confidence))
    reachable = (
        two_sided(question.confidence, max(1, question.launches - 1))
        * math.sqrt(aim.between**2 / question.launches + aim.noise**2 / (BUDGET_SHARE * question.budget))
        / max(abs(aim.slope), FLAT)
    )
    stride = next(distance for width, distance in STRIDES if reachable < width or math.isinf(width))
    return replace(aim, stride=max(aim.stride, stride))


def aim_from_launches(sampler: Sampler, target: Smooth, question: Question) -> Aim | None:
    """The aim for a target that no launch was aimed at, from what they measured there for other reasons; None if too little."""
    aim = first_aim(sampler, target)
    for _ in range(TURNS):
        earlier, aim = aim.log_centre, next_aim(sampler, aim, question)
        if abs(aim.log_centre - earlier) < MOVED * PITCH:
            break
    seen = sampler.observations().within(*aim.window, 1)
    return aim if aim.fit and len(set(seen.launch.tolist())) >= question.least_launches else None


def fit_beyond(sampler: Sampler, aim: Aim, beyond: int, question: Question) -> LocalFit | None:
    """The local fit with one N more, beyond its window."""
    assert aim.fit is not None
    sampler.visit(beyond, EDGE_PAIRS)
    ends = (beyond, *aim.fit.residuals)
    seen = sampler.observations().within(min(ends), max(ends))
    return fit(seen, aim.log_centre, aim.slope, aim.noise, question.confidence)


def pairs_wanted(aim: Aim, question: Question) -> int:
    """Over all confirming launches, from the width that is wanted."""
    heads = math.exp(aim.log_centre)
    width = max(question.goal * TIGHTER - ROUNDED / heads, question.goal / 2)  # rounding outwards costs a part of an N
    width = max(width, WHOLE_HEADS / heads)  # an interval of two neighbouring N cannot become narrower
    quantile = two_sided(question.confidence, question.launches - 1) if question.launches > 1 else FEW_LAUNCHES_QUANTILE
    error = width * abs(aim.slope) / quantile
    if (
        aim.target.before * aim.target.after == 0 and not aim.target.edge
    ):  # an end of the range: on which side of it does N* lie?
        end = math.log(aim.target.high if aim.target.after == 0 else aim.target.low)
        level = abs(float(aim.fit.value(end))) if aim.fit else 0.0
        error = min(error, max(level, END_FLOOR * error, question.goal / 2) / END_ERRORS)
    needed = SLOPE_COST * (aim.noise / error) ** 2
    needed *= 1 + min(
        BETWEEN_COST, (aim.between / error) ** 2 / question.launches
    )  # beyond this only more launches would help
    best = 2 * math.hypot(aim.noise / math.sqrt(ENOUGH_PAIRS), aim.between / math.sqrt(question.launches))
    if best > UNREACHABLE_WIDTH * abs(aim.slope):  # nothing near the wanted width can be had: do not pay for it
        needed = min(needed, ENOUGH_PAIRS / 4)
    return math.ceil(max(needed, LEAST_PAIRS * question.launches))


def allocated(sampler: Sampler, aim: Aim, pairs: int, planned: Collection[int] = ()) -> dict[int, int]:
    """`pairs` of the coming launch over the rungs: most near the estimate, balanced over the launches.

    `planned` are N that the same launch visits for something else: they are built already, as it were.
    """
    target = aim.target
    built = sorted({*sampler.visited, *planned})
    points = rungs(aim.log_centre, target.low, target.high, aim.stride, built, MOST_DISTINCT - len(built))
    points = [n for n in points if n not in sampler.left_out]
    if not points:
        return {}
    distance = np.abs(np.log(points) - aim.log_centre) / (PITCH * aim.stride)
    weight = np.where(distance < NEAR_RUNGS, NEAR_WEIGHT, 1.0)
    if target.before * target.after == 0:
        weight[-1 if target.after == 0 else 0] = weight.sum()
    done = np.array([sum(part.size for part in sampler.by_launch(n, 1)) for n in points], dtype=np.float64)
    lacking = np.maximum(weight / weight.sum() * (done.sum() + pairs) - done, 0.0)
    lacking *= pairs / lacking.sum()
    rounds = np.floor(lacking)
    rest = pairs - int(rounds.sum())
    if rest > 0:
        keys = lacking - rounds + EVEN_OUT * sampler.random.random(len(points))
        rounds[np.argsort(-keys)[:rest]] += 1
    return {n: int(r) for n, r in zip(points, rounds, strict=True) if r > 0}


def pairs_for_sign(sampler: Sampler, heads: int, question: Question, left: int, errors: float = SIDE_ERRORS) -> int:
    """Pairs in the coming launch, of which `left` remain, at one N whose sign is to be confirmed."""
    noise = sampler.noise()
    least = question.goal if errors < SIDE_ERRORS else question.goal / 2
    level = max(abs(winsorised_mean(sampler.at(heads), noise)), least)
    wanted = (errors * WINSORISED_COST * noise / level) ** 2
    done = sum(part.size for part in sampler.by_launch(heads, 1))
    return min(MOST_SIDE_PAIRS, max(2, math.ceil((wanted - done) / left)))
