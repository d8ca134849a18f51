"""Costs that depend on each N and not on its size alone: seen among neighbours, and answered by one interval of decision.

An FFT of a prime length takes several times as long as one of a power of two beside it. A curve through a few N would say
now one thing and now another, depending on which N it met. So neighbours are timed first. Where they differ by more than
noise, the log-ratio is described by a trend and by how far single N lie above and below it; inside of the decision either
contender may lead at some N, outside of it one leads at all that were timed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from harness.search.bracketing import Step
from harness.search.conclusion import probes
from harness.search.crossover import checked_question, locate
from harness.search.local_model import launch_interval
from harness.search.neighbours import neighbours
from harness.search.outcomes import leader
from harness.search.result import BudgetSpent, Crossing, Decision, Location, Progress
from harness.search.sampler import SAMPLES_A_PAIR, Sampler
from harness.search.sign_test import median, standard_error, winsorised_mean
from harness.search.unmeasured import failed_places, failures, measured_range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Unpack

    from harness.search.confirmation import Question
    from harness.search.crossover import SearchOptions
    from harness.search.result import Measure, Pair, Status
    from harness.search.sampler import Floats

SMALLEST = 16  # N below which neighbours are no neighbours
LOOKS = 6  # neighbourhoods that are looked at first
PAIRS = 3  # at each of their N
REPEAT_PAIRS = 5  # pairs at the two that differ most
ROUGH = 0.12  # log-ratio by which neighbours differ at least
ERRORS = 6.0  # standard errors, too
FEWEST = 2  # rough neighbourhoods: a single one may hold a step
FAR = math.log(8)  # a lead so much larger than the roughness is not in question
REPRODUCED_SHARE = 0.6  # of what made N stand out is there again in the next launch
LEAST_BUDGET = 1500  # samples of a budget
PLACES = 6  # neighbourhoods over which the launches look
FURTHER_PLACES = 2  # further N in each of them
MOST_PLACES = 38  # N in all
LAUNCH_PAIRS = 3
GRID = 2001
UNTIMED_SHARE = 0.3  # of the roughness: what N that were not timed may add to it


@dataclass(frozen=True)
class _Neighbourhood:
    """What was seen at neighbours: log-ratios without the trend."""

    heads: int
    levels: Mapping[int, float]
    rough: bool

    @property
    def spread(self) -> float:
        """Between the two that differ most."""
        return max(self.levels.values()) - min(self.levels.values())

    @property
    def middle(self) -> float:
        """Of all of them."""
        return median(np.array(sorted(self.levels.values())))

    def side(self, margin: float) -> int:
        """Who leads at all of them, by so much; 0 where neither does."""
        if min(self.levels.values()) > margin:
            return 1
        return -1 if max(self.levels.values()) < -margin else 0


def locate_irregular(measure: Measure, low: int, high: int, **options: Unpack[SearchOptions]) -> Location:
    """The answer of `locate`, after a look at neighbours; where they differ, a decision as wide as that needs.

    The arguments are those of `locate`.
    """
    budget, steps = options.get("budget"), options.get("steps", ())
    question = checked_question(low, high, known=bool(steps), **options)
    used = shift = 0
    if high >= 4 * max(low, SMALLEST) and question.budget >= LEAST_BUDGET:
        search = _NeighbourSearch(question, measure, options.get("seed", 0), options.get("on_progress"))
        seen = search.look(steps)
        if seen:
            return search.answer(seen)
        used, shift = search.sampler.samples, search.sampler.launch

    def later(heads: int, rounds: int, launch: int, /) -> Sequence[Pair | tuple[float, float]]:
        """Launches that the look at neighbours has begun are not gone back to: this search explores in the last of them."""
        return measure(heads, rounds, launch + shift)

    if budget is not None:
        options["budget"] = budget - used
    found = locate(later if shift else measure, low, high, **options)
    return replace(found, samples=found.samples + used)


class _NeighbourSearch:
    """A look at neighbours, and a search among them."""

    def __init__(
        self, question: Question, measure: Measure, seed: int, on_progress: Callable[[Progress], None] | None
    ) -> None:
        self._question = question
        self._tell = on_progress
        self.sampler = Sampler(measure, question.budget, seed, self._report)

    def look(self, steps: Sequence[int]) -> list[_Neighbourhood]:
        """The neighbourhoods of the range, where they are rough; none where they are not, or that does not matter."""
        question, sampler = self._question, self.sampler
        low = max(question.low, SMALLEST)
        centres = sorted({round(n) for n in np.geomspace(low * 1.05, question.high * 0.96, LOOKS)})
        known = [Step(n, n + 1) for n in steps]
        neighbourhoods = {
            n: self._beside_no_step(neighbours(n, question.low, question.high), n, known) for n in centres
        }
        try:
            sampler.visit_each({n: PAIRS for some in neighbourhoods.values() for n in some})
            seen = self._neighbourhoods(neighbourhoods)
            rough = [each for each in seen if each.rough and self._is_reproduced(each)]
            if len(rough) < min(FEWEST, len(seen)):
                return []
            if all(abs(each.middle) > 1.5 * each.spread + FAR for each in rough):
                return []
            return seen if self._is_in_another_launch(rough) else []
        except BudgetSpent:
            return []

    @staticmethod
    def _beside_no_step(some: list[int], heads: int, steps: Sequence[Step]) -> list[int]:
        """Those between which no declared step lies."""
        return [n for n in some if not any(min(n, heads) <= step.left < max(n, heads) for step in steps)]

    def _neighbourhoods(self, neighbourhoods: Mapping[int, Sequence[int]]) -> list[_Neighbourhood]:
        """What was seen, without what the trend over the range explains."""
        noise = self.sampler.noise()
        levels = {
            centre: {n: winsorised_mean(self.sampler.at(n), noise) for n in some if self.sampler.count(n)}
            for centre, some in neighbourhoods.items()
        }
        levels = {centre: some for centre, some in levels.items() if len(some) > 1}
        order = sorted(levels)
        middles = [median(np.array(sorted(levels[centre].values()))) for centre in order]
        slopes = np.gradient(middles, np.log(order)) if len(order) > 1 else [0.0] * len(order)
        found = []
        for centre, slope in zip(order, slopes, strict=True):
            flat = {n: level - float(slope) * math.log(n / centre) for n, level in levels[centre].items()}
            error = max(standard_error(self.sampler.at(n), noise) for n in flat)
            spread = max(flat.values()) - min(flat.values())
            found.append(_Neighbourhood(centre, flat, spread > max(ROUGH, ERRORS * error)))
        return found

    def _is_reproduced(self, seen: _Neighbourhood) -> bool:
        """Whether the two that differ most do so again."""
        least, most = (pick(seen.levels, key=lambda n: seen.levels[n]) for pick in (min, max))
        before = {n: self.sampler.count(n) for n in (least, most)}
        self.sampler.visit_each({least: REPEAT_PAIRS, most: REPEAT_PAIRS})
        noise = self.sampler.noise()
        again = {n: self.sampler.at(n)[before[n] :] for n in (least, most)}
        if not all(some.size for some in again.values()):
            return False
        apart = winsorised_mean(again[most], noise) - winsorised_mean(again[least], noise)
        return apart > max(ROUGH / 2, seen.spread / 2)

    def _is_in_another_launch(self, rough: Sequence[_Neighbourhood]) -> bool:
        """Whether the same N stand out where inputs were drawn anew: what a draw made of a time belongs to no N."""
        sampler = self.sampler
        sampler.launch = 1
        sampler.visit_each({n: PAIRS for each in rough for n in each.levels})
        noise = sampler.noise()
        before: list[float] = []
        again: list[float] = []
        for each in rough:
            parts = {n: sampler.by_launch(n, 1) for n in each.levels}
            levels = {n: winsorised_mean(some[0], noise) for n, some in parts.items() if some}
            if len(levels) < 2:
                continue
            was, now = (float(np.mean([known[n] for n in levels])) for known in (each.levels, levels))
            before += [each.levels[n] - was for n in levels]
            again += [levels[n] - now for n in levels]
        if len(before) < 2 * FEWEST:
            return False
        slope = float(np.dot(before, again) / np.dot(before, before))
        return slope > REPRODUCED_SHARE and float(np.corrcoef(before, again)[0, 1]) > REPRODUCED_SHARE

    def answer(self, seen: Sequence[_Neighbourhood]) -> Location:
        """What the launches say."""
        first, last = self._contested_range(seen)
        picked = self._pick_places(first, last)
        lacking = ""
        try:
            self._confirm(picked)
        except BudgetSpent as error:
            lacking = str(error) or "the caller's budget is spent"
        lost = failed_places(self.sampler, self._question.least_launches)
        known = self._intervals([n for n in picked if n not in lost])
        least = self._question.least_launches
        if len(known) < 2 * FEWEST or not all(len(self.sampler.by_launch(n, 1)) >= least for n in known):
            what = lacking or "too few N could be measured"
            return self._location("unresolved", [what, _why_wide(seen, None)], bracket=(first, last))
        return self._conclude(known, seen, (first, last), lacking)

    def _contested_range(self, seen: Sequence[_Neighbourhood]) -> tuple[int, int]:
        """The N between which it is not clear who leads, with what is clear on each side as far as there is any."""
        widest = max(each.spread for each in seen)
        sides = [each.side(UNTIMED_SHARE * widest) for each in seen]
        first, last = self._question.low, self._question.high
        for each, side in zip(seen, sides, strict=True):
            if not side or side != sides[0]:
                break
            first = each.heads
        for each, side in reversed(list(zip(seen, sides, strict=True))):
            if not side or side != sides[-1]:
                break
            last = each.heads
        return (first, last) if first < last else (self._question.low, self._question.high)

    def _pick_places(self, first: int, last: int) -> list[int]:
        """The N at which the launches look: neighbourhoods over what is contested."""
        question = self._question
        start = max(first, min(SMALLEST, last))
        centres = sorted({round(n) for n in np.geomspace(start, last, PLACES)})
        found = {n for centre in centres for n in neighbours(centre, question.low, question.high, plain=FURTHER_PLACES)}
        picked = sorted(found)
        while len(picked) > MOST_PLACES:
            picked = [n for place, n in enumerate(picked) if place % 4 != 1]
        return picked

    def _confirm(self, picked: Sequence[int]) -> None:
        question, sampler = self._question, self.sampler
        for launch in range(1, question.launches + 1):  # the first one goes on where the look at neighbours ended
            sampler.launch = launch
            left = question.launches - launch + 1
            pairs = min(LAUNCH_PAIRS, sampler.remaining // SAMPLES_A_PAIR // left // len(picked))
            if pairs < 1:
                raise BudgetSpent(f"the budget of {question.budget:,} samples leaves nothing to confirm with")
            sampler.visit_each(dict.fromkeys(picked, pairs))

    def _intervals(self, places: Sequence[int]) -> dict[int, tuple[float, float]]:
        """By N the log-ratio over the launches, and half of its interval."""
        found = {}
        for n in places:
            parts = self.sampler.by_launch(n, 1)
            if parts:
                middle, low, _ = launch_interval(
                    parts, self.sampler.noise(), self._question.confidence, self._question.launches
                )
                found[n] = (middle, middle - low)
        return found

    def _conclude(
        self,
        known: Mapping[int, tuple[float, float]],
        seen: Sequence[_Neighbourhood],
        ends: tuple[int, int],
        lacking: str,
    ) -> Location:
        """The trend, how far single N lie from it, and where that leaves it open who leads."""
        question = self._question
        logs = np.log(np.array(sorted(known), dtype=np.float64))
        levels = np.array([known[n][0] for n in sorted(known)])
        trend = np.polyfit(logs, levels, 2 if np.ptp(logs) > 1 else 1)
        strays = levels - np.polyval(trend, logs)
        half = float(np.median([known[n][1] for n in known]))
        below, above = float(strays.min()) - half, float(strays.max()) + half
        grid = np.linspace(logs[0], logs[-1], GRID)
        curve: Floats = np.asarray(np.polyval(trend, grid), dtype=np.float64)
        open_ = np.flatnonzero((curve + above > 0) & (curve + below < 0))
        widest = max(above - below, *(each.spread for each in seen))
        if open_.size == 0:
            status: Status = "below" if curve[0] + below > 0 else "above"
            return self._location(
                "unresolved" if lacking else status, [*([lacking] if lacking else []), _why_wide(seen, None)]
            )
        first, last = int(open_[0]), int(open_[-1])
        start = max(question.low, math.floor(math.exp(grid[first])))
        end = min(question.high, math.ceil(math.exp(grid[last])))
        before = _sign(curve[first - 1]) if first else (self._side(seen, ends[0]) if start > question.low else 0)
        after = _sign(curve[last + 1]) if last + 1 < GRID else (self._side(seen, ends[1]) if end < question.high else 0)
        inside = curve[first : last + 1]
        lead = math.expm1(max(float((inside + above).max()), -float((inside + below).min())))
        note = _why_wide(seen, (start, end, lead, widest))
        if lacking or not before or not after or before == after:
            return self._location("unresolved", [*([lacking] if lacking else []), note], bracket=(start, end))
        decision = Decision(start, end, lead, leader(before), leader(after), question.confidence)
        heads = min(max(self._root(grid, curve, first, last), start + 1), end)
        crossing = Crossing(heads, start, end, leader(after), question.confidence, "smooth")
        return self._location("crossing", [note], crossing=crossing, decision=decision)

    @staticmethod
    def _root(grid: Floats, curve: Floats, first: int, last: int) -> int:
        """Where the trend changes its sign; the middle of what is open where it does not."""
        changes = np.flatnonzero(np.diff(np.sign(curve)))
        place = float(grid[changes[len(changes) // 2]]) if changes.size else float(grid[first] + grid[last]) / 2
        return round(math.exp(place))

    @staticmethod
    def _side(seen: Sequence[_Neighbourhood], heads: int) -> int:
        """Who leads at all neighbours of an end of what was contested."""
        return next((each.side(0.0) for each in seen if each.heads == heads), 0)

    def _location(
        self,
        status: Status,
        notes: Sequence[str],
        *,
        crossing: Crossing | None = None,
        decision: Decision | None = None,
        bracket: tuple[int, int] | None = None,
    ) -> Location:
        question, sampler = self._question, self.sampler
        lost = failed_places(sampler, question.least_launches)
        if self._tell is not None:
            self._tell(self._progress("done"))
        return Location(
            status=status,
            crossings=(crossing,) if crossing else (),
            samples=sampler.samples,
            probes=probes(sampler, question.confidence),
            notes=tuple(notes),
            low=question.low,
            high=question.high,
            bracket=bracket,
            joint_confidence=question.confidence if crossing else None,
            measured=measured_range(sampler, lost),
            failures=failures(sampler, lost, question.high),
            decision=decision,
        )

    def _report(self) -> None:
        if self._tell is not None:
            self._tell(self._progress("confirm" if self.sampler.launch else "bracket"))

    def _progress(self, stage: str) -> Progress:
        question, sampler = self._question, self.sampler
        return Progress(stage, question.low, question.high, None, sampler.samples, sampler.launch)  # type: ignore[arg-type]


def _sign(value: float) -> int:
    return 1 if value > 0 else -1


def _why_wide(seen: Sequence[_Neighbourhood], zone: tuple[int, int, float, float] | None) -> str:
    """Why the interval is as wide as it is."""
    worst = max(seen, key=lambda each: each.spread)
    low, high = (pick(worst.levels, key=lambda n: worst.levels[n]) for pick in (min, max))
    differ = (
        f"the ratio depends on each N and not on its size alone: between N = {min(low, high):,} and {max(low, high):,} "
        f"it differs by {math.expm1(worst.spread):.0%}"
    )
    if zone is None:
        return differ
    start, end, lead, _ = zone
    return f"{differ}; from N = {start:,} to {end:,} either contender leads at some N, by up to {lead:.0%}"
