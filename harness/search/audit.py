"""Look for what makes an answer wrong: undeclared steps, declared ones that are not there, and weak signs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtrc

from harness.search.bracketing import PITCH, Step, Undecided
from harness.search.local_model import PLACEMENT, curvature_prior
from harness.search.sign_test import WINSORISED_COST, winsorised_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.bracketing import Target
    from harness.search.local_model import LocalFit
    from harness.search.sampler import Floats, Sampler
    from harness.search.sign_test import Sign

WEAK = 0.25  # a log-ratio below which a sign from one launch is looked at again in the others
MOST_WEAK = 6
JUMP_GAIN = 15.0  # chi-square that one more parameter, and the choice of its place, must earn
LEAST_JUMP = 0.03
FEWEST_PLACES = 4  # N that a jump may be seen among
PINNING_ERRORS = 2.8
PINNING_PAIRS = 60
DIVISIONS = (0.5, 0.7, 0.3)  # of what may hold the jump, tried until one tells on which side it lies
SMALLEST_STEP_TESTED = 8  # at smaller N the smooth change from N to N + 1 is no smaller than a jump
VISIBLE_LEVEL = 0.01
VISIBLE_ALONE = 3.6  # errors at which a single step is seen
PRACTICAL_JUMP = math.log(1.15)  # of the log-ratio: a smaller one, on average over the steps, is not looked for
ALARMING_ERRORS = 1.2  # errors by which the jumps must seem smaller than that to be looked at again
UNSEEN_ERRORS = 1.64  # and then, with what was added, to be called unseen
SECOND_LOOK_PAIRS = 2  # at each side of each step
ONE_WAY = 2.6  # errors at which jumps that all go one way are seen
PINNING_FIRST = 4  # pairs at each N that pins a step down, before more are asked for
MOST_WEAK_NEAR = 4  # weak signs near a change of the lead that are looked at again


def steps_visible(sampler: Sampler, steps: Sequence[Step]) -> bool | None:
    """Whether a jump is seen at the declared steps, together or at any one.

    False only where one of practical size would have been seen, and after a second look; None where that is
    undecided. Steps are taken to be those of one contender, so that all jumps go one way.
    """
    if _jumps_seen(sampler, steps, ALARMING_ERRORS) is not False:
        return _jumps_seen(sampler, steps, UNSEEN_ERRORS)
    sides = [n for step in steps if _testable(sampler, step) for n in (step.left, step.right)]
    sampler.visit_each(dict.fromkeys(sides, SECOND_LOOK_PAIRS))
    return _jumps_seen(sampler, steps, UNSEEN_ERRORS)


def _testable(sampler: Sampler, step: Step) -> bool:
    both = sampler.count(step.left) and sampler.count(step.right)
    return step.declared and step.left >= SMALLEST_STEP_TESTED and bool(both)


def _jumps_seen(sampler: Sampler, steps: Sequence[Step], unseen_errors: float) -> bool | None:
    """True where jumps are significant, False where their mean is surely below the practical size."""
    noise = sampler.noise()
    jumps, errors = [], []
    for step in steps:
        if _testable(sampler, step):
            counts = sampler.count(step.left), sampler.count(step.right)
            errors.append(math.hypot(WINSORISED_COST * noise * math.sqrt(sum(1 / n for n in counts)), 0.5 / step.left))
            jumps.append(winsorised_mean(sampler.at(step.right), noise) - winsorised_mean(sampler.at(step.left), noise))
    if not jumps:
        return None
    jump, error = np.array(jumps), np.array(errors)
    scores = jump / error
    one_way = abs(float(scores.sum())) / math.sqrt(len(jumps))
    together = float(chdtrc(len(jumps), float(scores @ scores)))
    if one_way > ONE_WAY or together < VISIBLE_LEVEL / 2 or float(np.abs(scores).max()) > VISIBLE_ALONE:
        return True
    weights = error**-2
    mean, its_error = float(weights @ jump / weights.sum()), float(weights.sum()) ** -0.5
    return False if abs(mean) + unseen_errors * its_error < PRACTICAL_JUMP else None


@dataclass(frozen=True)
class Suspicion:
    """A jump between two neighbouring probes that fits what was seen better than any smooth curve."""

    left: int
    right: int
    size: float  # of the jump in the log-ratio
    gain: float  # in chi-square
    line: tuple[float, float, float]  # z, s, c around `centre` without the jump
    centre: float


def suspected_jump(local: LocalFit, known: Sequence[Step]) -> Suspicion | None:
    """The likeliest undeclared step inside a fitted window, if it earns its place.

    One N that stands out from those on both sides of it is not a jump: a cost may be its own at a single N, such as a
    power of two, where rows fall on the same sets of a cache.
    """
    heads = sorted(local.residuals)
    if len(heads) < FEWEST_PLACES:
        return None
    if any(heads[0] <= step.left < heads[-1] for step in known):
        return None  # that step would be found again
    logs = np.log(heads)
    u = logs - local.centre
    seen = [local.residuals[n] for n in heads]
    level = local.value(logs) + np.array([each.mean for each in seen])
    root_weight = np.array([1 / each.error for each in seen])
    mean, spread = curvature_prior(local.coefficients[1])
    wanted = np.append(level * root_weight, mean / spread)
    design = np.zeros((len(heads) + 1, 4))  # the last row is the prior's, the last column that of one term more
    design[:-1, :3] = np.stack((np.ones_like(u), u, u * u), axis=1) * root_weight[:, None]
    design[-1, 2] = 1 / spread
    plain = _misfit(np.ascontiguousarray(design[:, :3]), wanted)[1]

    def with_one_more(column: Floats) -> tuple[Floats, float]:
        design[:-1, 3] = column * root_weight
        solution, misfit = _misfit(design, wanted)
        return solution, plain - misfit

    places = np.arange(len(heads))
    best: Suspicion | None = None
    for place in range(1, len(heads)):
        solution, gain = with_one_more((places >= place).astype(np.float64))
        if gain > max(JUMP_GAIN, best.gain if best else 0.0) and abs(solution[3]) > LEAST_JUMP:
            best = Suspicion(
                heads[place - 1],
                heads[place],
                float(solution[3]),
                gain,
                (float(solution[0]), float(solution[1]), float(solution[2])),
                local.centre,
            )
    if best is None:
        return None
    alone = max(with_one_more((places == place).astype(np.float64))[1] for place in places[1:-1])
    return best if best.gain >= alone else None


def next_beyond(local: LocalFit, jump: Suspicion) -> int | None:
    """The N beyond the fitted window that would show whether its outermost N stands alone; None where another does."""
    heads = sorted(local.residuals)
    if jump.left == heads[0]:
        return min(heads[0] - 1, round(heads[0] * math.exp(-PITCH)))
    if jump.right == heads[-1]:
        return max(heads[-1] + 1, round(heads[-1] * math.exp(PITCH)))
    return None


def _misfit(design: Floats, wanted: Floats) -> tuple[Floats, float]:
    solution: Floats = np.asarray(np.linalg.lstsq(design, wanted, rcond=None)[0], dtype=np.float64)
    return solution, float(np.sum((design @ solution - wanted) ** 2))


def pin_down(sampler: Sampler, jump: Suspicion, noise: float, most_distinct: int) -> Step:
    """Halve the gap that holds the jump until its sides are neighbours, or the noise or the builds forbid it."""
    left, right = jump.left, jump.right
    while right - left > 1:
        for share in DIVISIONS:  # one N may be off for where its arrays lie, and not its neighbours
            between = min(max(round(left ** (1 - share) * right**share), left + 1), right - 1)
            side = _side(sampler, between, jump, noise) if len(sampler.visited) < most_distinct else 0
            if side:
                break
        else:
            break
        left, right = (between, right) if side < 0 else (left, between)
    return Step(left, right, declared=False)


def _side(sampler: Sampler, heads: int, jump: Suspicion, noise: float) -> int:
    """-1 where this N lies before the jump, 1 behind it, 0 where that is undecided."""
    u = math.log(heads) - jump.centre
    level = jump.line[0] + jump.line[1] * u + jump.line[2] * u * u + jump.size / 2
    sampler.visit(heads, PINNING_FIRST)
    while heads not in sampler.left_out:
        seen = sampler.at(heads)
        error = math.hypot(WINSORISED_COST * noise / math.sqrt(seen.size), PLACEMENT)
        score = (winsorised_mean(seen, noise) - level) / error
        if abs(score) > PINNING_ERRORS:
            return 1 if score * jump.size > 0 else -1
        if seen.size >= PINNING_PAIRS or error < math.sqrt(2) * PLACEMENT:  # more pairs would tell no more
            break
        sampler.visit(heads, max(2, seen.size // 2))
    return 0


def weak_points(sampler: Sampler, signs: dict[int, Sign], targets: Sequence[Target]) -> list[int]:
    """N whose sign rests on little: undecided ones, and the weakest of those decided near a change or anywhere."""
    noise = sampler.noise()
    points = sorted(n for n in signs if n not in sampler.left_out)
    level = {n: abs(winsorised_mean(sampler.at(n), noise)) for n in points}
    open_points = [target.heads for target in targets if isinstance(target, Undecided)]
    beside = {n for m in open_points for n in _decided_beside(m, signs) if n in level}
    weak = sorted((n for n in points if level[n] < WEAK and n not in open_points), key=lambda n: level[n])
    if points and not any(signs.values()):
        stride = max(1, math.ceil(len(points) / (2 * MOST_WEAK)))
        return sorted({*points[::stride], points[-1]})
    changes = [t for t in targets if not isinstance(t, Undecided)]
    if changes:
        weak = [n for n in weak if any(_near(n, change, points) for change in changes)][:MOST_WEAK_NEAR]
    if len({sign for sign in signs.values() if sign}) == 1:  # one leader throughout: launches confirm the ends of that
        weak = [*weak[:MOST_WEAK], points[0], points[-1], min(points, key=lambda n: level[n])]
        return sorted({*open_points[: 2 * MOST_WEAK], *beside, *weak})
    return sorted({*open_points[: 2 * MOST_WEAK], *beside, *weak[:MOST_WEAK]})


def _decided_beside(heads: int, signs: dict[int, Sign]) -> list[int]:
    """The decided N next to this one, on which a statement about what lies between them rests."""
    below = [n for n in signs if n < heads and signs[n]]
    above = [n for n in signs if n > heads and signs[n]]
    return [*([max(below)] if below else []), *([min(above)] if above else [])]


def _near(heads: int, change: Target, points: Sequence[int]) -> bool:
    """Whether this N is an end of the change's bracket or the next probe outside it."""
    if isinstance(change, Undecided):
        return False
    ends = change.ends
    below = max((n for n in points if n < ends[0]), default=ends[0])
    above = min((n for n in points if n > ends[1]), default=ends[1])
    return heads in {*ends, below, above}
