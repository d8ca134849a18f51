"""Locate changes of the lead on a fixed grid of N: every point in every launch, and nothing in between.

The adaptive search (`harness.search.crossover`) finds more for less; a grid is for those who want the same N in every
run. Launch 0 looks once at each point, which shows the noise; the number of pairs of each later launch is computed from
it before they are timed. Who leads at a point is decided by the launches alone, at a confidence shared by all points
(Bonferroni), so that many points do not make a false crossing likelier.

Between two points at which different contenders surely lead the curves cross, wherever that is: this bracket, undecided
points included, is the interval that is stated. Where the points lie close, the local model of `posterior` interpolates
over launches and narrows it down, never beyond the bracket; where they lie far apart no model is trusted, and the
estimate inside the bracket is a straight line's.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.search import tie
from harness.search.bracketing import Smooth, Step, Undecided
from harness.search.conclusion import probes
from harness.search.confirmation import Question, pairs_for_sign
from harness.search.crossover import checked_question, whole_number
from harness.search.decision import Evidence, opposite
from harness.search.local_model import fit, launch_interval, two_sided
from harness.search.outcomes import MISFIT_LEVEL, Fitted, Outcome, is_wider, leader
from harness.search.result import BudgetSpent, Crossing, Location, Progress
from harness.search.sampler import SAMPLES_A_PAIR, Sampler
from harness.search.sign_test import standard_error, winsorised_mean
from harness.search.unmeasured import failed_places, failures, lost_between, measured_range, too_few_measured
from harness.search.verdict import Verdict, decide, first_few

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Unpack

    from harness.search.bracketing import Target
    from harness.search.crossover import GridOptions
    from harness.search.result import Failures, Measure, Stage, Status
    from harness.search.sign_test import Sign

FIRST_LOOK = 6  # pairs at each point in launch 0
LEAST_PAIRS = 4  # at each point in each later launch
NEAR = 0.6  # how far from the estimate, in log N, points enter the local model
LEAST_POINTS = 4  # within reach, for the local model to be believed
ERRORS = 4.0  # standard errors that a point's sign is planned for


def locate_on_grid(
    measure: Measure,
    low: int,
    high: int,
    *,
    points: Sequence[int] = (),
    **options: Unpack[GridOptions],
) -> Location:
    """Find between which points of a grid the lead changes.

    Args:
        measure: as `harness.search.crossover.locate` has it.
        low: smallest N, a point of the grid.
        high: largest N, a point of the grid.
        points: the others; those outside the range are left out.
        options: those of `locate`; both sides of each step become points, and a log-ratio within the precision counts as
            no difference.

    Raises:
        ValueError: as `locate` does.
    """
    question = checked_question(low, high, known=True, **options)
    inside = sorted({n for step in options.get("steps", ()) if low <= (n := whole_number("a step", step)) < high})
    chosen = {low, high, *(n for n in points if low <= n <= high), *inside, *(n + 1 for n in inside)}
    search = _Grid(question, sorted(chosen), inside, measure, options.get("seed", 0), options.get("on_progress"))
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
    after: Sign  # at the right one

    @property
    def ends(self) -> tuple[int, int]:
        """Both of them."""
        return self.left, self.right


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
        self.sampler = Sampler(measure, question.budget, seed, self.report)
        self._each = 1 - (1 - question.confidence) / len(points)

    def visit(self) -> None:
        """All points in every launch."""
        self.sampler.visit_each(dict.fromkeys(self._points, FIRST_LOOK))
        self.stage = _stage(1)
        for launch in range(1, self.question.launches + 1):
            left = self.question.launches - launch + 1
            self.sampler.launch = launch
            rounds = {
                n: max(LEAST_PAIRS, pairs_for_sign(self.sampler, n, self.question, left, ERRORS)) for n in self.points
            }
            self.sampler.visit_each(self._cut(rounds, left))

    def _cut(self, rounds: dict[int, int], left: int) -> dict[int, int]:
        """The same in proportion, so that the budget lasts for all launches that are left.

        Raises:
            BudgetSpent: where that is less than a pair for each point.
        """
        allowed = self.sampler.remaining // SAMPLES_A_PAIR // left
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
        visited = set(self.sampler.visited) - failed_places(self.sampler, self.question.least_launches)
        return [n for n in self._points if n in visited]

    def signs(self) -> dict[int, Sign]:
        """Who leads at each point, 0 where that is undecided."""
        if self.sampler.launch > 0:
            found = {n: self._confirmed(n) for n in self.points}
            few = sum(map(abs, found.values())) * 3 < len(found)
            nobody: Sign = 0
            return dict.fromkeys(found, nobody) if few else found  # alike nearly everywhere: a few signs are no lead
        return self._by_pairs()

    def _confirmed(self, heads: int) -> Sign:
        """Who leads at a point by the launches alone, at its share of the confidence."""
        parts = self.sampler.by_launch(heads, 1)
        if not parts:
            return 0
        _, low, high = launch_interval(parts, self._noise(), self._each, self.question.launches)
        return 1 if low > 0 else -1 if high < 0 else 0

    def _by_pairs(self) -> dict[int, Sign]:
        """What the pairs alone say, of whatever launch: enough for a bracket, and for nothing that is stated."""
        noise = self._noise()
        bound = two_sided(self._each)
        found: dict[int, Sign] = {}
        for n in self.points:
            middle = winsorised_mean(self.sampler.at(n), noise)
            clear = abs(middle) > bound * standard_error(self.sampler.at(n), noise)
            found[n] = (1 if middle > 0 else -1) if clear else 0
        return found

    def report(self) -> None:
        """Reports the state to the caller."""
        if self._tell is None:
            return
        change = next(iter(_changes(self._by_pairs())), None)
        low, high = (change.left, change.right) if change else (self.question.low, self.question.high)
        estimate = round(math.exp(self._straight(change))) if change else None
        self._tell(Progress(self.stage, low, high, estimate, self.sampler.samples, self.sampler.launch))

    # -- the answer ---------------------------------------------------------------------------------------------------

    def conclude(self, lacking: str | None) -> Location:
        """The answer, as far as the launches went."""
        question, sampler = self.question, self.sampler
        lost = failed_places(sampler, question.least_launches)
        gaps, signs = failures(sampler, lost, question.high), self.signs()
        changes = _changes(signs)
        status: Status = "unresolved"
        found = Verdict()
        if lacking:
            seen = changes or _changes(self._by_pairs())
            found = Verdict(lacks=(lacking,), bracket=(seen[0].left, seen[0].right) if seen else None)
        elif lack := too_few_measured(sampler, self.points):
            found = Verdict(lacks=(lack,))
        elif not any(signs.values()):
            found, status = self._without_leader()
        else:
            found = self._decided(signs, changes, gaps)
            if not found.lacks:
                throughout: Status = "below" if 1 in signs.values() else "above"
                status = ("crossing", "several")[len(found.crossings) > 1] if found.crossings else throughout
        stated = status in {"crossing", "several"}
        return Location(
            status=status,
            crossings=found.crossings,
            samples=sampler.samples,
            probes=probes(sampler, question.confidence, self.points, least=1),
            notes=(*found.lacks, *found.notes, *(self._interval_note(found.crossings) if stated else ())),
            low=question.low,
            high=question.high,
            bracket=found.bracket,
            joint_confidence=max(0.0, 1 - len(found.crossings) * (1 - question.confidence)) if stated else None,
            measured=measured_range(sampler, lost),
            failures=gaps,
            decision=found.decision,
            unconfirmed=found.unconfirmed,
            margin=question.precision if status == "tie" else None,
        )

    def _decided(self, signs: dict[int, Sign], changes: Sequence[_Change], gaps: Sequence[Failures]) -> Verdict:
        """What follows where somebody leads somewhere."""
        outcomes: list[tuple[Target, Outcome]] = [(Undecided(n, 0), Outcome("open")) for n, s in signs.items() if not s]
        for change in changes:
            target = Smooth(change.left, change.right, opposite(change.after), change.after)
            inside = [gap for gap in gaps if change.left < gap.low < change.right]
            if inside:
                return Verdict(lacks=(lost_between(change.left, change.right, inside[0]),), bracket=change.ends)
            outcomes.append((target, self._outcome(change)))
        fits = [outcome.fitted for _, outcome in outcomes if outcome.fitted]
        evidence = Evidence(self.sampler, self.question, signs, fits, self._each)
        return decide(outcomes, evidence, self.question, [Step(n, n + 1) for n in self.steps])

    def _without_leader(self) -> tuple[Verdict, Status]:
        """The answer where neither significantly leads at any point."""
        tied = self._tie()
        if tied:
            return Verdict(notes=(tied,)), "tie"
        return Verdict(lacks=(f"no significant difference at grid points N = {first_few(self.points)}",)), "unresolved"

    def _interval_note(self, crossings: Sequence[Crossing]) -> Sequence[str]:
        """A note where an interval is wider than was asked for."""
        if not any(is_wider(each, self.question.goal) for each in crossings):
            return ()
        wide = f"the interval is wider than the ±{self.question.precision:.0%} that was asked for"
        return (f"{wide}: a grid only shows between which of its points the lead changes",)

    def _outcome(self, change: _Change) -> Outcome:
        """The bracket, narrowed down where the local model may be believed."""
        low, high = change.ends
        if change.left in self.steps and change.right == change.left + 1:
            crossing = Crossing(high, low, high, leader(change.after), self.question.confidence, "step")
            return Outcome("crossing", crossing)
        centre, fitted = self._straight(change), None
        narrowed = self._narrowed(change, centre)
        if narrowed is not None:
            centre, low, high, fitted = narrowed
        heads = min(max(math.ceil(math.exp(centre) - 1e-9), low + 1), high)
        crossing = Crossing(heads, low, high, leader(change.after), self.question.confidence, "smooth")
        return Outcome("crossing", crossing, fitted=fitted)

    def _straight(self, change: _Change) -> float:
        """The log N of the crossing on a straight line between the two ends of a bracket."""
        noise = self._noise()
        left, right = math.log(change.left), math.log(change.right)
        below, above = (winsorised_mean(self.sampler.at(n), noise) for n in (change.left, change.right))
        share = -below / (above - below) if below * above < 0 else 0.5
        return left + share * (right - left)

    def _narrowed(self, change: _Change, centre: float) -> tuple[float, int, int, Fitted] | None:
        """Estimate and interval by the local model over launches; None where the points lie too far apart for it."""
        edges = sorted({0, *self.steps, self.question.high})
        start = max((edge + 1 for edge in edges if edge < change.left), default=change.left)
        end = min((edge for edge in edges if edge >= change.right), default=change.right)
        if any(change.left <= step < change.right for step in self.steps):
            return None
        near = [n for n in self.points if start <= n <= end and abs(math.log(n) - centre) <= NEAR]
        if len(near) < LEAST_POINTS or not min(near) <= change.left < change.right <= max(near):
            return None
        seen = self.sampler.observations().within(min(near), max(near), 1)
        noise = self._noise()
        ends = [winsorised_mean(self.sampler.at(n), noise) for n in (min(near), max(near))]
        slope = (ends[1] - ends[0]) / math.log(max(near) / min(near))
        local = fit(seen, centre, slope, noise, self.question.confidence)
        if local is None or local.misfit < MISFIT_LEVEL or slope * change.after <= 0:
            return None
        root, interval = local.root(), local.crossing_interval()
        if root is None or interval is None or not all(map(math.isfinite, interval)):
            return None
        low = max(change.left, math.floor(math.exp(interval[0]) + 1e-9))
        high = min(change.right, math.ceil(math.exp(interval[1]) - 1e-9))
        return (root, low, high, Fitted(min(near), max(near), local)) if low < high else None

    def _tie(self) -> str | None:
        """In words, where the contenders are equal at all points up to the precision."""
        shared = tie.verdict(self.sampler, self.points, self.question)
        if shared is None or shared[0] != "tie":
            return None
        return tie.explained(*shared, self.sampler, self.question)

    def _noise(self) -> float:
        return self.sampler.noise()


def _changes(signs: dict[int, Sign]) -> list[_Change]:
    """Between which decided points the lead changes, ascending."""
    decided = [n for n in sorted(signs) if signs[n]]
    return [_Change(a, b, signs[b]) for a, b in itertools.pairwise(decided) if signs[a] != signs[b]]


def _stage(launch: int) -> Stage:
    return "confirm" if launch else "bracket"
