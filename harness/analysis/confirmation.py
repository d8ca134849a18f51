"""Confirm crossings over fresh launches: where to measure, how much, and what may be stated in the end.

The number of pairs is computed from the width that is wanted, the slope and the noise, before they are timed (no
peeking: re-testing an interval after every sample spoils its coverage). Every launch visits both sides of the
current estimate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from harness.analysis.bracketing import Jump, Smooth, rungs
from harness.analysis.location import Crossing
from harness.analysis.posterior import fit, launch_interval, two_sided
from harness.analysis.signs import WINSORISED_COST, median, pooled_noise, winsorised_mean

if TYPE_CHECKING:
    from harness.analysis.location import Direction
    from harness.analysis.posterior import LocalFit
    from harness.analysis.probing import Prober

MOST_DISTINCT = 40  # N that may be built for one search
WHOLE_HEADS = 0.35  # of a head: half of the width wanted where N* is a few heads
TIGHTER = 0.85  # planned half-width over the wanted one, because the stated one varies from run to run
LEAST_PAIRS = 6  # per launch and crossing: two outliers among three would pass for a launch of its own
SLOPE_COST = 1.1  # an uncertain slope widens Fieller's interval by about this factor squared
PITCH = math.log(2) / 8
MISFIT_LEVEL = 0.003
LEAST_LAUNCHES = 3  # that an interval over launches may rest on, where more were asked for and time ran out
MOST_SIDE_PAIRS = 80  # per launch
SIDE_ERRORS = 5.5  # standard errors that the two sides of a step, and weakly decided ends, are planned for
HOPELESS_PAIRS, HOPELESS_WIDTH = 2000, 0.3  # a half-width in log N that so many pairs should beat


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
        half = 3.7 * PITCH * self.stride
        low = min(math.exp(self.log_centre - half), math.floor(math.exp(self.log_centre)) - 1)
        high = max(math.exp(self.log_centre + half), math.ceil(math.exp(self.log_centre)) + 1)
        return max(self.target.low, math.ceil(low)), min(self.target.high, math.floor(high))


def first_aim(prober: Prober, target: Smooth) -> Aim:
    """From the two ends of the bracket alone: a straight line between them."""
    noise = pooled_noise(prober.successive_differences())
    left, right = math.log(target.low), math.log(target.high)
    below, above = winsorised_mean(prober.at(target.low), noise), winsorised_mean(prober.at(target.high), noise)
    slope = (above - below) / (right - left)
    if slope == 0:
        slope = 1e-3 * (target.after - target.before)
    return Aim(target, min(max(left - below / slope, left), right), slope, noise)


def refine(prober: Prober, aim: Aim, question: Question, pairs: int) -> Aim:
    """Within launch 0: narrow the place down until the confirming window is sure to hold it."""
    for turn in range(4):
        reach = 0.75 if turn else 1.0
        stride = aim.stride * (2 if turn == 0 else 1)
        target = aim.target
        points = rungs(
            aim.log_centre, target.low, target.high, stride, prober.visited, MOST_DISTINCT - 4 - len(prober.visited)
        )
        picked = points[:: 2 if len(points) > 5 and not turn else 1]
        prober.visit_each(dict.fromkeys(picked, pairs))
        low, high = (
            max(target.low, math.floor(math.exp(aim.log_centre - reach))),
            min(target.high, math.ceil(math.exp(aim.log_centre + reach))),
        )
        local = fit(
            prober.sightings().within(low, high), aim.log_centre, aim.slope, aim.noise, question.confidence, False
        )
        earlier = aim.log_centre
        aim = updated(aim, local)
        if local is not None and turn:
            error = float(local.half_width(aim.log_centre)) / max(abs(aim.slope), 1e-6)
            if error < 0.25 and abs(aim.log_centre - earlier) < 2 * PITCH:
                break
        pairs = math.ceil(pairs * 1.5) if turn else pairs
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
        trust = (0.2 * aim.wide_slope) ** 2 / ((0.2 * aim.wide_slope) ** 2 + local.covariance[1, 1])
        slope = float(trust * slope + (1 - trust) * aim.wide_slope)
    log_centre = aim.log_centre if root is None else root
    log_centre = min(max(log_centre, math.log(aim.target.low)), math.log(aim.target.high))
    return replace(aim, log_centre=log_centre, slope=slope, noise=local.noise, between=local.between, fit=local)


def aimed(prober: Prober, aim: Aim, question: Question) -> Aim:
    """The aim for the next launch: where to look may rest on launch 0, what is stated may not."""
    low, high = aim.window
    seen = prober.sightings().within(low, high)
    aim = updated(aim, fit(seen, aim.log_centre, aim.slope, aim.noise, question.confidence))
    reachable = (
        two_sided(question.confidence, max(1, question.launches - 1))
        * math.sqrt(aim.between**2 / question.launches + aim.noise**2 / (0.25 * question.budget))
        / max(abs(aim.slope), 1e-6)
    )
    stride = 1.0 if reachable < 0.09 else 2.0 if reachable < 0.2 else 4.0
    return replace(aim, stride=max(aim.stride, stride))


def pairs_wanted(aim: Aim, question: Question) -> int:
    """Over all confirming launches, from the width that is wanted."""
    heads = math.exp(aim.log_centre)
    width = max(question.goal * TIGHTER - 0.15 / heads, question.goal / 2)  # rounding outwards costs a part of an N
    width = max(width, WHOLE_HEADS / heads)  # an interval of two neighbouring N cannot become narrower
    quantile = two_sided(question.confidence, question.launches - 1) if question.launches > 1 else 2.0
    error = width * abs(aim.slope) / quantile
    if aim.target.before * aim.target.after == 0:  # an end of the range: can it be told on which side of it N* lies?
        end = math.log(aim.target.high if aim.target.after == 0 else aim.target.low)
        level = abs(float(aim.fit.value(end))) if aim.fit else 0.0
        error = min(error, max(level, 0.3 * error) / SIDE_ERRORS / 1.5)
    needed = SLOPE_COST * (aim.noise / error) ** 2
    needed *= 1 + min(0.5, (aim.between / error) ** 2 / question.launches)  # beyond this only more launches would help
    best = 2 * math.hypot(aim.noise / math.sqrt(HOPELESS_PAIRS), aim.between / math.sqrt(question.launches))
    if best > HOPELESS_WIDTH * abs(aim.slope):  # nothing near the wanted width can be had: do not pay for it
        needed = min(needed, HOPELESS_PAIRS / 4)
    return math.ceil(max(needed, LEAST_PAIRS * question.launches))


def shared_out(prober: Prober, aim: Aim, pairs: int) -> dict[int, int]:
    """`pairs` of the coming launch over the rungs: most near the estimate, balanced over the launches."""
    target = aim.target
    points = rungs(
        aim.log_centre, target.low, target.high, aim.stride, prober.visited, MOST_DISTINCT - len(prober.visited)
    )
    points = [n for n in points if n not in prober.left_out]
    if not points:
        return {}
    distance = np.abs(np.log(points) - aim.log_centre) / (PITCH * aim.stride)
    weight = np.where(distance < 2.2, 2.0, 1.0)
    if target.before * target.after == 0:
        weight[-1 if target.after == 0 else 0] = weight.sum()
    done = np.array([sum(part.size for part in prober.by_launch(n, 1)) for n in points], dtype=np.float64)
    lacking = np.maximum(weight / weight.sum() * (done.sum() + pairs) - done, 0.0)
    lacking *= pairs / lacking.sum()
    rounds = np.floor(lacking)
    rest = pairs - int(rounds.sum())
    if rest > 0:
        keys = lacking - rounds + 0.2 * prober.random.random(len(points))
        rounds[np.argsort(-keys)[:rest]] += 1
    return {n: int(r) for n, r in zip(points, rounds, strict=True) if r > 0}


def side_pairs(prober: Prober, heads: int, question: Question, left: int, errors: float = SIDE_ERRORS) -> int:
    """Pairs in the coming launch, of which `left` remain, at one N whose sign is to be confirmed."""
    noise = pooled_noise(prober.successive_differences())
    least = question.goal if errors < SIDE_ERRORS else question.goal / 2
    level = max(abs(winsorised_mean(prober.at(heads), noise)), least)
    wanted = (errors * WINSORISED_COST * noise / level) ** 2
    done = sum(part.size for part in prober.by_launch(heads, 1))
    return min(MOST_SIDE_PAIRS, max(2, math.ceil((wanted - done) / left)))


@dataclass(frozen=True)
class Outcome:
    """What became of one target."""

    kind: Literal["crossing", "none", "open"]
    crossing: Crossing | None = None
    notes: tuple[str, ...] = ()
    missed: bool = False  # the interval is wider than was wanted
    beyond: tuple[float, float, float] | None = None  # N of a crossing beyond the range, and its interval, as modelled


def confirmed_sign(prober: Prober, heads: int, question: Question, confidence: float | None = None) -> int:
    """Who leads at this N by the launches alone: by their interval, or by their being unanimous; 0 if untold.

    Args:
        prober: what was measured.
        heads: the N.
        question: with the launches that were planned.
        confidence: another one than the question's.
    """
    confidence = question.confidence if confidence is None else confidence
    parts = prober.by_launch(heads, 1)
    if len(parts) < question.least_launches:
        return 0
    noise = pooled_noise(prober.successive_differences())
    _, low, high = launch_interval(parts, noise, confidence, question.launches)
    if low > 0 or high < 0:
        return 1 if low > 0 else -1
    medians = [median(part) for part in parts]
    unanimous = min(medians) > 0 or max(medians) < 0
    if unanimous and 2 ** (1 - len(parts)) < 1 - confidence:  # the sign test
        return 1 if min(medians) > 0 else -1
    return 0


def jump_outcome(prober: Prober, target: Jump, question: Question, implied: tuple[bool, bool]) -> Outcome:
    """A step is a crossing where the lead on both sides of it is confirmed by launches, or implied.

    Args:
        prober: what was measured.
        target: the step.
        question: with the confidence.
        implied: for each side, whether a change of the lead that the launches did confirm, in the same segment and
            away from the step, leaves no doubt about who leads beside it.
    """
    wanted = target.before, target.after
    told = tuple(confirmed_sign(prober, n, question) for n in (target.left, target.right))
    if all(sign in (0, want) and (sign or also) for sign, want, also in zip(told, wanted, implied, strict=True)):
        crossing = Crossing(target.right, target.left, target.right, leader(target.after), question.confidence, "step")
        if told == wanted:
            return Outcome("crossing", crossing)
        sides = " and ".join(f"{n:,}" for n, sign in zip((target.left, target.right), told, strict=True) if not sign)
        note = (
            f"who leads at N = {sides} follows from the change of the lead beside it; there alone it could not be told"
        )
        return Outcome("crossing", crossing, notes=(note,))
    place = f"the step from N = {target.left:,} to {target.right:,}"
    return Outcome("open", notes=(f"the lead seems to change at {place}, which the launches do not confirm",))


def leader(after: int) -> Direction:
    """Who leads where the sign of the log-ratio is this."""
    return "challenger" if after > 0 else "baseline"


def smooth_outcome(prober: Prober, aim: Aim, question: Question) -> Outcome:
    """The interval of a smooth crossing from the confirming launches."""
    target = aim.target
    local, notes = _final_fit(prober, aim, question)
    name = f"between N = {target.low:,} and {target.high:,}"
    if local is None:
        return Outcome("open", notes=(f"too few confirming pairs {name}",))
    if local.launches < question.least_launches:
        seen = f"{local.launches} of {question.launches} launches measured the change of the lead {name}"
        return Outcome("open", notes=(f"{seen}: its interval needs {question.least_launches}",))
    if target.before * target.after == 0:
        outcome = _at_the_end(local, target)
        if outcome is not None:
            return outcome
    interval, root = local.crossing_interval(), local.root()
    after = target.after or -target.before
    if root is None or interval is None or not all(map(math.isfinite, interval)) or local.coefficients[1] * after <= 0:
        return Outcome("open", notes=(*notes, f"the two costs are too nearly parallel {name} for an interval"))
    low, high = math.floor(math.exp(interval[0]) + 1e-9), math.ceil(math.exp(interval[1]) - 1e-9)
    low = max(low, question.low, target.low - 1 if target.step_before else question.low)
    high = min(high, question.high, target.high + 1 if target.step_after else question.high)
    if high <= low:
        low, high = (low, low + 1) if low < question.high else (high - 1, high)
    heads = min(max(math.ceil(math.exp(root) - 1e-9), low + 1), high)
    missed = high - low > 2 and math.log(high / (low + 1)) / 2 > question.goal
    crossing = Crossing(heads, low, high, leader(after), question.confidence, "smooth")
    return Outcome("crossing", crossing, tuple(notes), missed)


def _final_fit(prober: Prober, aim: Aim, question: Question) -> tuple[LocalFit | None, list[str]]:
    low, high = aim.window
    seen = prober.sightings().within(low, high, 1)
    local = fit(seen, aim.log_centre, aim.slope, aim.noise, question.confidence, planned=question.launches)
    if local is None or local.misfit > MISFIT_LEVEL:
        return local, []
    note = (
        f"the local curve does not fit what was seen between N = {low:,} and {high:,} (p = {local.misfit:.2g}): "
        "there may be a step that was not declared, or a bend; the window was narrowed"
    )
    closer = replace(aim, stride=aim.stride / 2).window
    narrow = fit(
        prober.sightings().within(*closer, 1),
        aim.log_centre,
        aim.slope,
        aim.noise,
        question.confidence,
        planned=question.launches,
    )
    interval = narrow.crossing_interval() if narrow and narrow.launches >= question.least_launches else None
    return (narrow if interval and all(map(math.isfinite, interval)) else local), [note]


def _at_the_end(local: LocalFit, target: Smooth) -> Outcome | None:
    """Whether the crossing lies outside the range; None where it lies inside."""
    end = target.high if target.after == 0 else target.low
    inner = target.before if target.after == 0 else target.after
    level, half = float(local.value(math.log(end))), float(local.half_width(math.log(end)))
    if level * inner > half:
        return Outcome("none", beyond=_beyond(local, math.log(end)) if target.after == 0 else None)
    if level * inner < -half:
        return None
    note = (
        f"whether the lead changes just before or just beyond N = {end:,} cannot be told: the log-ratio there is "
        f"{level:+.3f} ± {half:.3f}"
    )
    return Outcome("open", notes=(note,))


def _beyond(local: LocalFit, log_end: float) -> tuple[float, float, float] | None:
    """Where the fitted curve crosses behind the range's end, with the model's interval; None where it is unbounded."""
    root, interval = local.root(), local.crossing_interval()
    if root is None or interval is None or root <= log_end or not all(map(math.isfinite, interval)):
        return None
    return math.exp(root), math.exp(interval[0]), math.exp(interval[1])
