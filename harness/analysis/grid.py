"""Locate changes of the lead on a fixed grid of N: every point in every launch, and nothing in between.

The adaptive search (`harness.analysis.crossover`) tells more for less; a grid is for those who want the same N in every
run. Launch 0 looks once at each point, which tells the noise; the number of pairs of each later launch is computed from
it before they are timed. Who leads at a point is told by the launches alone, at a confidence shared out over all points
(Bonferroni), so that many points do not make a false crossing likelier.

Between two points at which different rivals surely lead the curves cross, wherever that is: this bracket, undecided
points included, is the interval that is stated. Where the points lie close, the local model of `posterior` interpolates
over launches and narrows it down, never beyond the bracket; where they lie far apart no model is trusted, and the
estimate inside the bracket is a straight line's.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis import alike
from harness.analysis.confirmation import Question, side_pairs
from harness.analysis.crossover import asked, whole
from harness.analysis.location import BudgetSpent, Crossing, Location, Probe, Progress
from harness.analysis.outcomes import MISFIT_LEVEL, leader
from harness.analysis.posterior import fit, launch_interval, two_sided
from harness.analysis.probing import SAMPLES_A_PAIR, Prober
from harness.analysis.signs import standard_error, winsorised_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.analysis.location import Measure, Stage, Status

FIRST_LOOK = 6  # pairs at each point in launch 0
LEAST_PAIRS = 4  # at each point in each later launch
NEAR = 0.6  # how far from the estimate, in log N, points enter the local model
LEAST_POINTS = 4  # within reach, for the local model to be believed
ERRORS = 4.0  # standard errors that a point's sign is planned for
MOST_NAMED = 4


def locate_on_grid(
    measure: Measure,
    low: int,
    high: int,
    *,
    points: Sequence[int] = (),
    steps: Sequence[int] = (),
    precision: float = 0.05,
    confidence: float = 0.95,
    budget: int | None = None,
    launches: int = 8,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
) -> Location:
    """Find between which points of a grid the lead changes.

    Args:
        measure: as `harness.analysis.crossover.locate` has it.
        low: smallest N, a point of the grid.
        high: largest N, a point of the grid.
        points: the others; those outside the range are left out.
        steps: the largest N before each known jump of a cost; both sides of each become points.
        precision: half-width wanted; the log-ratio that counts as no difference.
        confidence: of each interval.
        budget: the largest number of timed samples.
        launches: how many enter the intervals.
        seed: of the order of visits.
        on_progress: called after every batch of pairs, and once more at the end.

    Raises:
        ValueError: as `locate` does.
    """
    question = asked(low, high, precision, confidence, budget, launches, known=True)
    inside = sorted({n for step in steps if low <= (n := whole("a step", step)) < high})
    chosen = {low, high, *(n for n in points if low <= n <= high), *inside, *(n + 1 for n in inside)}
    search = _Grid(question, sorted(chosen), inside, measure, seed, on_progress)
    lacking = None
    try:
        search.visit()
    except BudgetSpent as error:
        lacking = str(error) or "the caller's budget is spent"
    location = search.conclude(lacking)
    search.stage = "done"
    search.report()
    return location


@dataclass(frozen=True)
class _Change:
    """Neighbouring decided points with different leaders."""

    left: int
    right: int
    after: int  # the sign at the right one


class _Grid:
    """One search under way."""

    def __init__(
        self,
        question: Question,
        points: list[int],
        steps: list[int],
        measure: Measure,
        seed: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.question, self.steps, self.stage = question, set(steps), _stage(0)
        self._points = points
        self._tell = on_progress
        self.prober = Prober(measure, question.budget, seed, self.report)
        self._each = 1 - (1 - question.confidence) / len(points)

    def visit(self) -> None:
        """All points in every launch."""
        self.prober.visit_each(dict.fromkeys(self._points, FIRST_LOOK))
        self.stage = _stage(1)
        for launch in range(1, self.question.launches + 1):
            left = self.question.launches - launch + 1
            self.prober.launch = launch
            rounds = {n: max(LEAST_PAIRS, side_pairs(self.prober, n, self.question, left, ERRORS)) for n in self.points}
            self.prober.visit_each(self._cut(rounds, left))

    def _cut(self, rounds: dict[int, int], left: int) -> dict[int, int]:
        """The same in proportion, so that the budget lasts for all launches that are left.

        Raises:
            BudgetSpent: where that is less than a pair for each point.
        """
        allowed = self.prober.remaining // SAMPLES_A_PAIR // left
        total = sum(rounds.values())
        if total <= allowed:
            return rounds
        if allowed < len(rounds):
            raise BudgetSpent(f"the budget of {self.question.budget:,} samples leaves nothing to confirm with")
        spare = allowed - len(rounds)
        return {n: 1 + (count - 1) * spare // max(1, total - len(rounds)) for n, count in rounds.items()}

    @property
    def points(self) -> list[int]:
        """Those that could be timed."""
        visited = set(self.prober.visited) - self.prober.left_out.keys()
        return [n for n in self._points if n in visited]

    def signs(self) -> dict[int, int]:
        """Who leads at each point, 0 where it cannot be told."""
        if self.prober.launch > 0:
            found = {n: self._confirmed(n) for n in self.points}
            few = sum(map(abs, found.values())) * 3 < len(found)
            return dict.fromkeys(found, 0) if few else found  # alike nearly everywhere: a few signs are no lead
        return self._by_pairs()

    def _confirmed(self, heads: int) -> int:
        """Who leads at a point by the launches alone, at its share of the confidence."""
        parts = self.prober.by_launch(heads, 1)
        if not parts:
            return 0
        _, low, high = launch_interval(parts, self._noise(), self._each, self.question.launches)
        return int(low > 0) - int(high < 0)

    def _by_pairs(self) -> dict[int, int]:
        """What the pairs alone say, of whatever launch: enough for a bracket, and for nothing that is stated."""
        noise = self._noise()
        bound = two_sided(self._each)
        found = {}
        for n in self.points:
            middle = winsorised_mean(self.prober.at(n), noise)
            clear = abs(middle) > bound * standard_error(self.prober.at(n), noise)
            found[n] = (1 if middle > 0 else -1) if clear else 0
        return found

    def report(self) -> None:
        """Tells the caller how it stands."""
        if self._tell is None:
            return
        change = next(iter(_changes(self._by_pairs())), None)
        low, high = (change.left, change.right) if change else (self.question.low, self.question.high)
        estimate = round(math.exp(self._straight(change))) if change else None
        self._tell(Progress(self.stage, low, high, estimate, self.prober.samples, self.prober.launch))

    # -- the answer ---------------------------------------------------------------------------------------------------

    def conclude(self, lacking: str | None) -> Location:
        """The answer, as far as the launches went."""
        question, signs = self.question, self.signs()
        changes = _changes(signs)
        notes = [f"N = {n:,} was left out: {why}" for n, why in sorted(self.prober.left_out.items())]
        crossings = tuple(self._crossing(change) for change in changes)
        open_points = self._open(signs)
        status: Status
        lacks: list[str] = [lacking] if lacking else []
        bracket = None
        if lacking or open_points or not any(signs.values()):
            tied = None if lacking or any(signs.values()) else self._tie()
            status = "tie" if tied else "unresolved"
            first = next(iter(changes or (_changes(self._by_pairs()) if lacking else ())), None)
            bracket = (first.left, first.right) if first else self._around(open_points, signs)
            if tied:
                notes.append(tied)
            elif open_points:
                shown = ", ".join(f"{n:,}" for n in open_points[:MOST_NAMED])
                more = f" and {len(open_points) - MOST_NAMED} more" if len(open_points) > MOST_NAMED else ""
                lacks.append(f"nobody leads that could be told at N = {shown}{more} of the grid")
            elif not lacking:
                lacks.append("no point of the grid could be timed")
        elif changes:
            status = "several" if len(changes) > 1 else "crossing"
            wide = max(crossings, key=lambda each: math.log(each.high / max(1, each.low)))
            if wide.high - wide.low > 2 and math.log(wide.high / (wide.low + 1)) / 2 > question.goal:
                notes.append(
                    f"the interval is wider than the ±{question.precision:.0%} that was asked for: a grid tells no "
                    "more than between which of its points the lead changes"
                )
        else:
            status = "below" if 1 in signs.values() else "above"
        return Location(
            status=status,
            crossings=crossings if not lacking else (),
            samples=self.prober.samples,
            probes=self._probes(),
            notes=(*lacks, *notes),
            low=question.low,
            high=question.high,
            bracket=bracket,
            joint_confidence=max(0.0, 1 - len(crossings) * (1 - question.confidence))
            if status in {"crossing", "several"}
            else None,
            margin=question.precision if status == "tie" else None,
        )

    def _crossing(self, change: _Change) -> Crossing:
        """The bracket, narrowed down where the local model may be believed."""
        low, high = change.left, change.right
        if change.left in self.steps and change.right == change.left + 1:
            return Crossing(high, low, high, leader(change.after), self.question.confidence, "step")
        centre = self._straight(change)
        narrowed = self._narrowed(change, centre)
        if narrowed is not None:
            centre, low, high = narrowed
        heads = min(max(math.ceil(math.exp(centre) - 1e-9), low + 1), high)
        return Crossing(heads, low, high, leader(change.after), self.question.confidence, "smooth")

    def _straight(self, change: _Change) -> float:
        """The log N of the crossing on a straight line between the two ends of a bracket."""
        noise = self._noise()
        left, right = math.log(change.left), math.log(change.right)
        below, above = (winsorised_mean(self.prober.at(n), noise) for n in (change.left, change.right))
        share = -below / (above - below) if below * above < 0 else 0.5
        return left + share * (right - left)

    def _narrowed(self, change: _Change, centre: float) -> tuple[float, int, int] | None:
        """Estimate and interval by the local model over launches; None where the points lie too far apart for it."""
        edges = sorted({0, *self.steps, self.question.high})
        start = max((edge + 1 for edge in edges if edge < change.left), default=change.left)
        end = min((edge for edge in edges if edge >= change.right), default=change.right)
        if any(change.left <= step < change.right for step in self.steps):
            return None
        near = [n for n in self.points if start <= n <= end and abs(math.log(n) - centre) <= NEAR]
        if len(near) < LEAST_POINTS or not min(near) <= change.left < change.right <= max(near):
            return None
        seen = self.prober.sightings().within(min(near), max(near), 1)
        noise = self._noise()
        ends = [winsorised_mean(self.prober.at(n), noise) for n in (min(near), max(near))]
        slope = (ends[1] - ends[0]) / math.log(max(near) / min(near))
        local = fit(seen, centre, slope, noise, self.question.confidence)
        if local is None or local.misfit < MISFIT_LEVEL or slope * change.after <= 0:
            return None
        root, interval = local.root(), local.crossing_interval()
        if root is None or interval is None or not all(map(math.isfinite, interval)):
            return None
        low = max(change.left, math.floor(math.exp(interval[0]) + 1e-9))
        high = min(change.right, math.ceil(math.exp(interval[1]) - 1e-9))
        return (root, low, high) if low < high else None

    def _open(self, signs: dict[int, int]) -> list[int]:
        """Undecided points with one leader around them (or none) at which the other may lead by what counts."""
        found = []
        for n, sign in signs.items():
            before = next((signs[m] for m in sorted(signs, reverse=True) if m < n and signs[m]), 0)
            behind = next((signs[m] for m in sorted(signs) if m > n and signs[m]), 0)
            around = before or behind
            if sign or (before and behind and before != behind and not self._hides(n, signs)):
                continue
            _, low, high = self._interval(n)
            if not around or max(-low if around > 0 else high, 0.0) > self.question.goal:
                found.append(n)
        return found

    def _hides(self, heads: int, signs: dict[int, int]) -> bool:
        """Nobody leads that could be told on either side of a step here: the lead may change more than once."""
        return any(
            step in (heads, heads - 1) and not signs.get(step) and not signs.get(step + 1) for step in self.steps
        )

    def _around(self, open_points: Sequence[int], signs: dict[int, int]) -> tuple[int, int] | None:
        if not open_points:
            return None
        before = [n for n, sign in signs.items() if sign and n < open_points[0]]
        behind = [n for n, sign in signs.items() if sign and n > open_points[0]]
        return (max(before), min(behind)) if before and behind else None

    def _tie(self) -> str | None:
        """In words, where the rivals are equal at all points up to the precision."""
        told = alike.told(self.prober, self.points, self.question)
        if told is None or told[0] != "tie":
            return None
        return alike.described(*told, self.prober, self.question)

    def _interval(self, heads: int) -> tuple[float, float, float]:
        """Of the log-ratio at a point: over launches where there are any, else over pairs."""
        parts = self.prober.by_launch(heads, 1)
        if parts:
            return launch_interval(parts, self._noise(), self.question.confidence)
        seen, noise = self.prober.at(heads), self._noise()
        middle, half = winsorised_mean(seen, noise), two_sided(self.question.confidence) * standard_error(seen, noise)
        return middle, middle - half, middle + half

    def _probes(self) -> tuple[Probe, ...]:
        return tuple(
            Probe(n, *self._interval(n), self.prober.count(n), len(self.prober.by_launch(n))) for n in self.points
        )

    def _noise(self) -> float:
        return self.prober.noise()


def _changes(signs: dict[int, int]) -> list[_Change]:
    """Between which decided points the lead changes, ascending."""
    decided = [n for n in sorted(signs) if signs[n]]
    return [_Change(a, b, signs[b]) for a, b in itertools.pairwise(decided) if signs[a] != signs[b]]


def _stage(launch: int) -> Stage:
    return "confirm" if launch else "bracket"
