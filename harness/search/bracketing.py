"""Where to look first, and between which N the lead changes.

A cost may jump where a contender's sizing jumps, so both sides of every known step are probed; elsewhere a geometric
ladder is. Within one segment (no step inside) the log-ratio is taken as smooth and as crossing zero at most once
between two neighbouring probes: where steps are not known that is an assumption that a denser look can only make
likelier.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.search.sampler import distinct, geometric
from harness.search.sign_test import median, noise_at, sign, standard_error, winsorised_mean
from harness.search.tie import may_tie

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.search.sampler import Sampler
    from harness.search.sign_test import Sign

FIRST_LOOK = 3  # pairs at every probe
NO_SIGNS: Mapping[int, Sign] = MappingProxyType({})
MOST_POINTS = 26  # bracketing probes; each distinct N costs a build
KNOWN_RATIO, UNKNOWN_RATIO = 4.0, 2.0  # between neighbouring probes where steps are known, and where they are not
NEGLIGIBLE_ERRORS = 2.0
ROUGHLY = 3.0  # times the precision: a difference that is looked for where the contenders seem equal
SMALL_BUDGET_BOUND = 2.3  # standard errors that a small budget makes do with
PITCH = math.log(2) / 8  # of the N around an estimate, in log N
BESIDE_POWERS = PITCH / 2  # powers of two are left out: what N costs there may be true of that N alone
FLANKED_PAIRS = 12  # an undecided probe between opposite signs needs no more than this: the crossing is near it
LEAST_LIMIT, MOST_LIMIT = 12, 400  # pairs between which a probe's limit lies
LIMIT_ERRORS = 3.5 * 1.15  # so many standard errors must a difference of the wanted precision be able to show
WIDER_GAPS = 1.2  # times the distance of the places, until there are few enough
ASSURANCES = 3  # looks more at an end of a bracket
FEWEST_DECIDED = 3  # one decided place in so many, or fewer, is no change of the lead
FEW_RUNGS = 5  # below which the N next to the estimate join them
SAME_PLACE = 0.025  # in log N: an N already built that near is taken instead
OLD_REACH = 5  # rungs within which N already built stand in for new ones


@dataclass(frozen=True)
class Step:
    """A jump of a contender's cost between `left` and `right`, neighbours unless it could not be pinned down."""

    left: int
    right: int
    declared: bool = True


@dataclass(frozen=True)
class Smooth:
    """The lead changes somewhere in [low, high]; a sign of 0 says that this end could not be decided.

    `edge` says that the undecided end lies inside the range: up to where is there no significant lead?
    """

    low: int
    high: int
    before: Sign
    after: Sign
    step_before: bool = False  # an undecided probe sits right behind a step: the crossing may be the step itself
    step_after: bool = False
    edge: bool = False

    @property
    def ends(self) -> tuple[int, int]:
        """The N between which the lead changes."""
        return self.low, self.high


@dataclass(frozen=True)
class Jump:
    """The lead changes at a step."""

    left: int
    right: int
    before: Sign
    after: Sign
    declared: bool = True

    @property
    def ends(self) -> tuple[int, int]:
        """The N on both sides of the step."""
        return self.left, self.right


@dataclass(frozen=True)
class Undecided:
    """No significant lead at this N."""

    heads: int
    around: Sign  # who leads on both sides of it; 0 where that is not one and the same


Target = Smooth | Jump | Undecided


def initial_probes(low: int, high: int, steps: Sequence[Step], known: bool) -> tuple[list[int], int]:
    """The N to probe first, ascending, and how many of the steps had to be thinned out to keep them few."""
    most = (MOST_POINTS - 4) // 2
    kept = list(steps)
    if len(kept) > most:
        kept = [kept[round(i * (len(kept) - 1) / (most - 1))] for i in range(most)]
    edges = {low, high}
    for step in kept:
        edges |= {step.left, step.right}
    ratio = KNOWN_RATIO if known else UNKNOWN_RATIO
    while True:
        points = sorted(edges | {n for a, b in _gaps(sorted(edges), kept) for n in geometric(a, b, ratio * 1.001)})
        if len(points) <= max(MOST_POINTS, len(edges)) or ratio > high / low:
            return points, len(steps) - len(kept)
        ratio *= WIDER_GAPS


def _gaps(edges: list[int], steps: Sequence[Step]) -> list[tuple[int, int]]:
    """Neighbouring edges with no step between them."""
    lefts = {step.left for step in steps}
    return [(a, b) for a, b in itertools.pairwise(edges) if a not in lefts]


def most_pairs(noise: float, goal: float) -> int:
    """Pairs after which a probe stays undecided: enough to see a log-ratio of `goal` in most cases."""
    return min(MOST_LIMIT, max(LEAST_LIMIT, math.ceil((LIMIT_ERRORS * noise / goal) ** 2)))


def sample_until_decided(
    sampler: Sampler,
    points: Sequence[int],
    goal: float,
    signs: dict[int, Sign],
    steps: Sequence[Step],
    most: int | None = None,
    bound: float | None = None,
    expected: Mapping[int, Sign] = NO_SIGNS,
) -> None:
    """Probe all points in random order, again and again, until each is decided or not worth more; fills `signs`.

    Where a sign is expected, one pair that shows it as clearly as several must is enough, unless a neighbour did not.
    """
    looks = {n: 1 if expected.get(n) else FIRST_LOOK for n in points}
    sampler.visit_each({n: least - sampler.count(n) for n, least in looks.items() if sampler.count(n) < least})
    for n in _as_expected(sampler, points, expected, bound):
        signs.setdefault(n, expected[n])
    doubted = [n for n in points if not signs.get(n) and sampler.count(n) < FIRST_LOOK and n not in sampler.left_out]
    sampler.visit_each({n: FIRST_LOOK - sampler.count(n) for n in doubted})
    while True:
        points = [n for n in points if n not in sampler.left_out]
        differences, noise = sampler.successive_differences(), sampler.noise()
        for n in points:
            if signs.get(n, 0) == 0:
                signs[n] = sign(sampler.at(n), noise, differences.size, bound)
        limit = most_pairs(noise, goal) if most is None else min(most, most_pairs(noise, goal))
        if most is None and may_tie(sampler, points, goal):  # launches are to show that, and not the pairs of one
            limit = most_pairs(noise, ROUGHLY * goal)
        open_points = [
            n
            for n in points
            if signs[n] == 0 and sampler.count(n) < limit and _needs_more_pairs(sampler, n, signs, steps, noise, goal)
        ]
        if not open_points:
            return
        sampler.visit_each({n: max(2, math.ceil(sampler.count(n) / 2)) for n in open_points})


def _as_expected(
    sampler: Sampler, points: Sequence[int], expected: Mapping[int, Sign], bound: float | None
) -> list[int]:
    """Those of `points` whose pairs show what was expected, and so do their neighbours': no stray pair made it up."""
    differences, noise = sampler.successive_differences(), sampler.noise()
    hoped = {n for n in points if expected.get(n) and sampler.count(n)}
    failed = {n for n in hoped if sign(sampler.at(n), noise, differences.size, bound) != expected[n]}
    beside = {n for pair in itertools.pairwise(points) if failed.intersection(pair) for n in pair}
    return sorted(hoped - beside)


def _needs_more_pairs(
    sampler: Sampler, heads: int, signs: dict[int, Sign], steps: Sequence[Step], noise: float, goal: float
) -> bool:
    log_ratios = sampler.at(heads)
    middle = winsorised_mean(log_ratios, noise_at(log_ratios, noise))
    if abs(middle) + NEGLIGIBLE_ERRORS * standard_error(log_ratios, noise) < goal:
        return False
    before = max((n for n in signs if n < heads and signs[n]), default=0)
    after = min((n for n in signs if n > heads and signs[n]), default=0)
    if log_ratios.size < FLANKED_PAIRS or not before or not after or signs[before] == signs[after]:
        return True
    return any(before <= step.left < after for step in steps)  # on which side of the step does the lead change?


def bracket_by_bisection(
    sampler: Sampler,
    points: Sequence[int],
    goal: float,
    signs: dict[int, Sign],
    steps: Sequence[Step],
    first_places: Sequence[int] = (),
) -> None:
    """For a small budget: look at both ends, then halve the list of points, by guesses where nothing is decided.

    `first_places` are tried before the middle, as long as they lie inside.
    """
    most = max(6, sampler.remaining // 8)
    first, last = 0, len(points) - 1
    sample_until_decided(sampler, [points[first], points[last]], goal, signs, steps, most, SMALL_BUDGET_BOUND)
    while (
        last - first > 1
        and _likely_sign(sampler, points[first], signs) * _likely_sign(sampler, points[last], signs) < 0
    ):
        likely = [i for i in range(first + 1, last) if points[i] in first_places and not sampler.count(points[i])]
        middle = likely[0] if likely else (first + last) // 2
        sample_until_decided(sampler, [points[middle]], goal, signs, steps, most, SMALL_BUDGET_BOUND)
        if _likely_sign(sampler, points[middle], signs) == _likely_sign(sampler, points[first], signs):
            first = middle
        else:
            last = middle
    seen = [n for n in points if sampler.count(n)]
    sample_until_decided(sampler, seen, goal, signs, steps, 0, SMALL_BUDGET_BOUND)  # the noise is known better by now


def _likely_sign(sampler: Sampler, heads: int, signs: dict[int, Sign]) -> int:
    """The decided sign, or else the likelier one; 0 where this N was left out."""
    if heads in sampler.left_out:
        return 0
    return signs.get(heads, 0) or (1 if median(sampler.at(heads)) > 0 else -1)


def reconfirm(sampler: Sampler, pairs_of_ends: Sequence[int], signs: dict[int, Sign], bound: float) -> bool:
    """Look again at the ends of brackets until each is `bound` errors from zero; True where a sign was withdrawn."""
    withdrawn = False
    for n in pairs_of_ends:
        if sampler.count(n) < FIRST_LOOK:  # one pair that agreed with an earlier answer is no end of a bracket
            sampler.visit(n, FIRST_LOOK - sampler.count(n))
        for _ in range(ASSURANCES):
            if sign(sampler.at(n), sampler.noise(), sampler.successive_differences().size, bound) != 0:
                break
            sampler.visit(n, max(3, sampler.count(n) // 2))
        now = sign(sampler.at(n), sampler.noise(), sampler.successive_differences().size)
        if now != signs[n]:
            signs[n] = now
            withdrawn = True
    return withdrawn


def targets(signs: dict[int, Sign], steps: Sequence[Step], edges: bool = True) -> list[Target]:
    """What the signs say: changes of the lead, and probes that leave it open. Empty where hardly any is decided."""
    points = sorted(signs)
    decided = [n for n in points if signs[n]]
    if len(decided) * FEWEST_DECIDED < len(
        points
    ):  # alike nearly everywhere: a few signs among so many are no change of the lead
        return []
    found: list[Target] = []
    before, behind = [n for n in points if n < decided[0]], [n for n in points if n > decided[-1]]
    if len(before) == 1:  # only the end of the range is open: does the lead change just inside it?
        found.append(Smooth(points[0], decided[0], 0, signs[decided[0]]))
    elif before:
        found += [Undecided(n, signs[decided[0]]) for n in before]
        found += _edges(None, before, decided[0], signs, steps) if edges else []
    for left, right in itertools.pairwise(decided):
        between = [n for n in points if left < n < right]
        change = _change(left, right, between, signs, steps, edges) if signs[left] != signs[right] else None
        if change is not None:
            found.append(change)
        elif between:
            around: Sign = signs[left] if signs[left] == signs[right] else 0
            found += [Undecided(n, around) for n in between]
            found += _edges(left, between, right, signs, steps) if edges else []
    if len(behind) == 1:
        found.append(Smooth(decided[-1], points[-1], signs[decided[-1]], 0))
    elif behind:
        found += [Undecided(n, signs[decided[-1]]) for n in behind]
        found += _edges(decided[-1], behind, None, signs, steps) if edges else []
    return found


def _change(
    left: int, right: int, between: list[int], signs: dict[int, Sign], steps: Sequence[Step], edges: bool
) -> Smooth | Jump | None:
    """The one change between two decided N; None where undecided N beside a step may hide several, and edges tell."""
    inside = [step for step in steps if left <= step.left and step.right <= right]
    if len(inside) == 1:
        step = inside[0]
        if (left, right) == (step.left, step.right):
            return Jump(left, right, signs[left], signs[right], step.declared)
        if left == step.left and step.right in between:
            return Smooth(step.right, right, signs[left], signs[right], step_before=True)
        if right == step.right and step.left in between:
            return Smooth(left, step.left, signs[left], signs[right], step_after=True)
    if edges and any(n in between for step in inside for n in (step.left, step.right)):
        return None
    return Smooth(left, right, signs[left], signs[right])


def _edges(
    left: int | None, between: list[int], right: int | None, signs: dict[int, Sign], steps: Sequence[Step]
) -> list[Target]:
    """Between what is open and the decided N on each side of it, where no step lies there."""
    found: list[Target] = []
    first, last = between[0], between[-1]
    if left is not None and not any(left <= step.left < first for step in steps):
        found.append(Smooth(left, first, signs[left], 0, edge=True))
    if right is not None and not any(last <= step.left < right for step in steps):
        found.append(Smooth(last, right, 0, signs[right], edge=True))
    return found


def rungs(log_centre: float, low: int, high: int, stride: float, visited: Sequence[int], room: int) -> list[int]:
    """About seven N around a centre on a lattice of ratio 2^(stride / 8), within [low, high].

    N already built are preferred where one is near, and nothing new is proposed where `room` for new ones is used up.
    """
    pitch = stride * PITCH
    middle = round((log_centre - BESIDE_POWERS) / pitch)
    wanted = [min(max(math.exp((middle + i) * pitch + BESIDE_POWERS), low), high) for i in range(-3, 4)]
    chosen = distinct(_nearest_built(n, visited, low, high) for n in wanted)
    integer = round(math.exp(min(max(log_centre, math.log(low)), math.log(high))))
    for offset in (0, 1, -1, 2, -2, 3, -3):
        if len(chosen) < FEW_RUNGS and low <= integer + offset <= high:
            chosen = distinct([*chosen, integer + offset])
    new = [n for n in chosen if n not in visited]
    if len(new) <= room:
        return chosen
    spare = sorted(new, key=lambda n: -abs(math.log(n) - log_centre))[: len(new) - max(room, 0)]
    reach = OLD_REACH * pitch
    old = [n for n in visited if low <= n <= high and abs(math.log(n) - log_centre) < reach]
    return distinct([*(n for n in chosen if n not in spare), *old])


def _nearest_built(heads: float, visited: Sequence[int], low: int, high: int) -> float:
    near = [n for n in visited if low <= n <= high and abs(math.log(n / heads)) < SAME_PLACE]
    return min(near, key=lambda n: abs(math.log(n / heads))) if near else heads
