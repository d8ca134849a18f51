"""The order of a search: bracket, refine, confirm over launches, with an audit after each launch."""

from __future__ import annotations

import contextlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, TypeGuard

import numpy as np

from harness.search import tie
from harness.search.audit import WEAK, next_beyond, pin_down, steps_visible, suspected_jump, weak_points
from harness.search.bracketing import (
    NO_SIGNS,
    Jump,
    Smooth,
    Step,
    bracket_by_bisection,
    initial_probes,
    reconfirm,
    sample_until_decided,
    targets,
)
from harness.search.confirmation import (
    LEAST_PAIRS,
    MOST_DISTINCT,
    SIDE_ERRORS,
    Aim,
    Question,
    allocated,
    first_aim,
    fit_beyond,
    next_aim,
    pairs_for_sign,
    pairs_wanted,
    refine,
)
from harness.search.found_steps import FoundStep, not_reproduced, refuted_since
from harness.search.local_model import launch_interval
from harness.search.outcomes import confirmed_sign
from harness.search.prior import expected_signs, first_places
from harness.search.result import BudgetSpent, Progress
from harness.search.sampler import SAMPLES_A_PAIR, Sampler
from harness.search.sign_test import SUREST, winsorised_mean
from harness.search.unmeasured import failed_places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.search.bracketing import Target
    from harness.search.result import Location, Measure, Stage
    from harness.search.sign_test import Sign

FULL_LOOK_PAIRS = 7  # a bracketing costs about so many pairs a place; with less than this in the budget, halve
CONFIRMING_RESERVE = 30  # pairs that a small budget keeps for the launches
REFINING_PAIRS = 3
DOUBTING_PAIRS = 8  # per rung in launch 0 where steps are unknown
MOST_FOUND_STEPS = 3
LAUNCHES_AFTER_A_FIND = 3  # a step found later than this many launches before the end is reported and not pursued
LAUNCHES_BEFORE_OVERRULING = 4  # launches before a sign of launch 0 is overruled
LAUNCHES_BESIDE_STEP = (
    3  # launches before a sign that launch 0 left open beside a step is decided: what lies behind it needs it
)
POOLED_ERRORS = 3.0  # standard errors that weakly decided signs are planned for where several stand together
PLACES_TO_PIN = 8  # distinct N that pinning a step down may cost
OVERRULING_CONFIDENCE = (
    0.998  # confidence at which the launches overrule a sign: many signs are looked at, several times
)
DOUBT = 2.0  # times smaller than the wanted precision is a lead that the launches may well not see in the end
LEAST_SHARE = 0.35  # of an equal share that every launch gets at least, whatever the earlier ones got
CHECKED_AGAIN = 3  # times that brackets are looked at again once one of their ends was taken back
WINDOW_RUNGS = 7  # N that a fit's window holds, about
HALVED_ABOVE = 7  # pairs: more than this at one N are taken in two visits, so that drift within the launch averages out
REFINABLE = 100  # samples that must be left of a small budget for a change of the lead to be narrowed down
TIE_BREAK = 0.5  # of a pair: how much chance decides where a pair that was cut goes


class Search:
    """One search under way: what is known so far, and the steps that add to it."""

    def __init__(
        self,
        question: Question,
        steps: list[int],
        measure: Measure,
        seed: int,
        prior: Location | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.question = question
        self.steps = [Step(n, n + 1) for n in steps]
        self.signs: dict[int, Sign] = {}
        self.aims: dict[tuple[int, int], Aim] = {}
        self.notes: list[str] = []
        self.details: list[str] = []  # what changes nothing for a reader
        self.stage: Stage = "bracket"
        self.budget_bound = False  # whether the budget cut what was wanted
        self.limit_reached = False  # whether the maximum of every search did
        self.unprobed = 0  # places that a small budget left out
        self.may_tie = False  # whether the contenders may be equal everywhere
        self.weak: list[int] = []
        self.visible: bool | None = None
        self._found: dict[int, FoundStep] = {}  # steps that nobody declared, by their left side
        self._refuted: list[tuple[int, int]] = []  # what looked like one and was none
        self.sampler = Sampler(measure, question.budget, seed, self._report if on_progress else lambda: None)
        self._on_progress = on_progress
        self._prior = prior

    # -- launch 0 -----------------------------------------------------------------------------------------------------

    def explore(self) -> None:
        """Bracket every change of the lead within launch 0 and narrow each down."""
        question, sampler = self.question, self.sampler
        points, thinned = initial_probes(question.low, question.high, self.steps, question.known)
        if thinned:
            self.notes.append(f"{thinned} of {len(self.steps)} declared steps were skipped, to keep the builds few")
            dropped = [step for step in self.steps if step.left not in points]
            self.steps = [step for step in self.steps if step not in dropped]
        likely = expected_signs(self._prior, points)
        if question.budget < SAMPLES_A_PAIR * FULL_LOOK_PAIRS * len(points):
            self.budget_bound = True
            self.notes.append("budget too small for a full scan: only one crossover is searched for")
            first = first_places(self._prior, points)
            bracket_by_bisection(sampler, points, question.goal, self.signs, self.steps, first)
            if not self._changes():  # nothing to halve: look at as many of the other places as the budget reaches
                others = [n for n in points if not sampler.count(n)]
                affordable = max(0, sampler.remaining // SAMPLES_A_PAIR - CONFIRMING_RESERVE) // FULL_LOOK_PAIRS
                stride = math.ceil(len(others) / affordable) if affordable else len(others) + 1
                sample_until_decided(sampler, others[::stride], question.goal, self.signs, self.steps, expected=likely)
            self.unprobed = len([n for n in points if not sampler.count(n) and n not in sampler.left_out])
        else:
            sample_until_decided(sampler, points, question.goal, self.signs, self.steps, expected=likely)
        if agreed := sum(sampler.count(n) == 1 for n in likely):
            self.details.append(
                f"{agreed} of {len(points)} probes were accepted after one pair, as another batch size predicts"
            )
        self._forget_unmeasurable()
        self.may_tie = self._may_tie()
        if not self.may_tie:
            self._narrow_down(points, likely)

    def _may_tie(self) -> bool:
        return not self.budget_bound and tie.may_tie(self.sampler, list(self.signs), self.question.goal)

    def _narrow_down(self, points: list[int], likely: Mapping[int, Sign] = NO_SIGNS) -> None:
        """Make sure of the ends of every bracket, then narrow each change down."""
        question, sampler = self.question, self.sampler
        for _ in range(CHECKED_AGAIN):
            ends = [n for target in self._changes() for n in target.ends if self.signs.get(n)]  # decided ends only
            if not reconfirm(sampler, ends, self.signs, SUREST):
                break
            sample_until_decided(sampler, points, question.goal, self.signs, self.steps, expected=likely)
            self._forget_unmeasurable()
        self.stage = "refine"
        if question.known and not self.budget_bound:
            self.visible = steps_visible(sampler, self.steps)
        for _ in range(MOST_FOUND_STEPS + 1):
            if not self._refined():
                break

    def _changes(self) -> list[Smooth | Jump]:
        return [target for target in self.targets() if isinstance(target, Smooth | Jump)]

    def forget(self, places: Iterable[int]) -> None:
        """Takes back what was seen of who leads at these N."""
        for n in list(places):
            self.signs.pop(n, None)

    def _forget_unmeasurable(self) -> None:
        self.forget(failed_places(self.sampler, self.question.least_launches))

    def targets(self) -> list[Target]:
        """What the signs say by now."""
        return targets(self.signs, self.steps, edges=not self.budget_bound)

    def _refined(self) -> bool:
        """Narrow every smooth change down; True where that brought a step to light and the picture changed."""
        for target in self.targets():
            if not isinstance(target, Smooth) or (target.low, target.high) in self.aims:
                continue
            aim = first_aim(self.sampler, target)
            self.aims[target.low, target.high] = aim
            if not self.budget_bound or self.sampler.remaining > REFINABLE:
                aim = refine(self.sampler, aim, self.question, 2 if self.budget_bound else REFINING_PAIRS)
                self.aims[target.low, target.high] = aim
            if not self.question.known and not self.budget_bound:
                around = replace(aim, target=self._around(target))
                self.sampler.visit_each(allocated(self.sampler, around, WINDOW_RUNGS * DOUBTING_PAIRS))
                self.aims[target.low, target.high] = next_aim(self.sampler, aim, self.question)
                if self._finds_step(next_aim(self.sampler, around, self.question), target):
                    return True
        return False

    def _around(self, target: Smooth) -> Smooth:
        """The same change of the lead, and on to the next place on either side: a step may hide beside the bracket."""
        low = max((n for n in self.signs if n < target.low), default=target.low)
        high = min((n for n in self.signs if n > target.high), default=target.high)
        if self.signs[low] == -target.before or any(low <= step.left < target.low for step in self.steps):
            low = target.low
        if self.signs[high] == -target.after or any(target.high <= step.left < high for step in self.steps):
            high = target.high
        return replace(target, low=low, high=high)

    def _finds_step(self, aim: Aim, target: Smooth) -> bool:
        """Whether the window of this aim at a target holds an undeclared step; it is then pinned down and taken in."""
        if aim.fit is None or sum(not step.declared for step in self.steps) >= MOST_FOUND_STEPS:
            return False
        if len(self.sampler.visited) > MOST_DISTINCT - PLACES_TO_PIN:
            return False
        suspicion = suspected_jump(aim.fit, self.steps)
        if suspicion is not None and self._is_in_range(beyond := next_beyond(aim.fit, suspicion)):
            wider = fit_beyond(self.sampler, aim, beyond, self.question)
            suspicion = suspected_jump(wider, self.steps) if wider else None
        if suspicion is None:
            return False
        if any(suspicion.left < right and left < suspicion.right for left, right in self._refuted):
            return False
        step = pin_down(self.sampler, suspicion, aim.noise, MOST_DISTINCT)
        if not_reproduced(self.sampler, step, suspicion):
            self._refute(step, "not reproduced when both sides were measured again")
            return False
        self._found[step.left] = FoundStep(step, self.sampler.launch, suspicion.size)
        self.steps = sorted([*self.steps, step], key=lambda other: other.left)
        self.aims.pop((target.low, target.high), None)
        ends = [n for n in (step.left, step.right) if n not in self.sampler.left_out]
        sample_until_decided(self.sampler, ends, self.question.goal, self.signs, self.steps)
        self._forget_unmeasurable()
        return True

    def _is_in_range(self, heads: int | None) -> TypeGuard[int]:
        return heads is not None and self.question.low <= heads <= self.question.high

    def _refute(self, step: Step, why: str) -> None:
        """Say that times changed while N were visited, where it looked as if they changed with N."""
        self._refuted.append((step.left, step.right))
        self.notes.append(
            f"suspected step between N = {step.left:,} and {step.right:,} rejected (a change in time): {why}"
        )

    def _drop_steps(self) -> None:
        """Take back found steps that the launches since do not see, with the signs that rested on them."""
        for found in list(self._found.values()):
            if refuted_since(self.sampler, found):
                step = found.step
                self._found.pop(step.left)
                self.steps = [other for other in self.steps if other != step]
                self.forget((step.left, step.right))
                self._refute(step, "not seen in later launches")

    def findings(self) -> list[str]:
        """Notes about the steps that were found and confirmed."""
        return [
            f"a step that was not declared was found between N = {found.step.left:,} and {found.step.right:,} "
            f"(the ratio changes by {math.expm1(abs(found.size)):.0%})"
            for found in self._found.values()
        ]

    # -- launches 1 to k ----------------------------------------------------------------------------------------------

    def confirm(self) -> None:
        """Measure every target in every further launch, in random order, and audit after each."""
        self.stage = "confirm"
        self._confirm_in(range(1, self.question.launches + 1))

    def extend(self, further: int) -> bool:
        """Measure in so many launches more, or as long as the caller allows; whether any pair was timed."""
        before, first = self.sampler.samples, self.sampler.launch + 1
        if self.budget_bound or self.limit_reached:
            return False
        with contextlib.suppress(BudgetSpent):
            self._confirm_in(range(first, first + further))
        return self.sampler.samples > before

    def _confirm_in(self, launches: range) -> None:
        for launch in launches:
            left = launches.stop - launch
            allowed = self.sampler.remaining // SAMPLES_A_PAIR // left
            if allowed < 2 and self.budget_bound:
                raise BudgetSpent(f"the budget of {self.question.budget:,} samples leaves nothing to confirm with")
            self.sampler.launch = launch
            self._resume_bracketing()
            self.weak = sorted({*self.weak, *weak_points(self.sampler, self.signs, self.targets())})
            self._reconsider_signs()
            rounds = self._cut(self._rounds(left), allowed)
            self.sampler.visit_each({n: count // 2 for n, count in rounds.items() if count > HALVED_ABOVE})
            self.sampler.visit_each(
                {n: count - count // 2 if count > HALVED_ABOVE else count for n, count in rounds.items()}
            )
            self._forget_unmeasurable()
            if self.may_tie and tie.verdict(self.sampler, list(self.signs), self.question, early=True):
                return
            self._drop_steps()
            for key, aim in list(self.aims.items()):
                self.aims[key] = next_aim(self.sampler, aim, self.question)
                if left > LAUNCHES_AFTER_A_FIND and not self.budget_bound:
                    self._finds_step(self.aims[key], aim.target)

    def _resume_bracketing(self) -> None:
        """Take up what launch 0 left open while the contenders might have been equal, once they are not."""
        was, self.may_tie = self.may_tie, self._may_tie()
        if was and not self.may_tie:
            points = sorted(self.signs)
            sample_until_decided(self.sampler, points, self.question.goal, self.signs, self.steps)
            self._forget_unmeasurable()
            self._narrow_down(points)

    def _reconsider_signs(self) -> None:
        """Let the launches overrule a weak sign of launch 0, or tell one beside a step that it left open."""
        for n in self.weak:
            opened = self.signs.get(n) == 0 and self._beside_step(n)
            if self.sampler.launch <= (LAUNCHES_BESIDE_STEP if opened else LAUNCHES_BEFORE_OVERRULING):
                continue
            confidence = self.question.confidence if opened else max(self.question.confidence, OVERRULING_CONFIDENCE)
            now = confirmed_sign(self.sampler, n, self.question, confidence, LAUNCHES_BESIDE_STEP if opened else None)
            if n not in self.signs or now == self.signs[n]:
                continue
            if now:
                self.signs[n] = 1 if now > 0 else -1
            elif self.signs[n] and not self.budget_bound and self._is_doubted(n):
                self.signs[n] = 0

    def _is_doubted(self, heads: int) -> bool:
        """Whether this N is a side of a step at which the launches, so far, do not see who leads as launch 0 did."""
        if not any(heads in (step.left, step.right) for step in self.steps):
            return False
        parts = self.sampler.by_launch(heads, 1)
        if len(parts) < LAUNCHES_BESIDE_STEP:
            return False
        middle = launch_interval(parts, self.sampler.noise(), self.question.confidence)[0]
        return middle * self.signs[heads] < self.question.goal / DOUBT

    def _beside_step(self, heads: int) -> bool:
        """Whether this N is one side of a step on whose other side somebody leads."""
        others = [
            step.right if heads == step.left else step.left for step in self.steps if heads in (step.left, step.right)
        ]
        return any(self.signs.get(n) for n in others)

    def _rounds(self, left: int) -> dict[int, int]:
        """Pairs wanted at each N in the coming launch, of which `left` remain, this one included."""
        rounds: dict[int, int] = {}
        question, sampler = self.question, self.sampler
        alive = {}
        for target in self.targets():
            if isinstance(target, Smooth):
                key = target.low, target.high
                known = self.aims.get(key)
                aim = (
                    replace(known, target=target) if known else next_aim(sampler, first_aim(sampler, target), question)
                )
                alive[key] = aim
                low, high = aim.window
                done = sampler.observations().within(low, high, 1).heads.size
                wanted = pairs_wanted(aim, question)
                least = max(LEAST_PAIRS, math.ceil(LEAST_SHARE * wanted / question.launches))
                pairs = max(least, math.ceil((wanted - done) / left))
                for n, count in allocated(sampler, aim, pairs, rounds).items():
                    rounds[n] = max(rounds.get(n, 0), count)
            elif isinstance(target, Jump):
                for n in (target.left, target.right):
                    rounds[n] = max(rounds.get(n, 0), pairs_for_sign(sampler, n, question, left))
        self.aims = alive
        noise = sampler.noise()
        small = [n for n in self.weak if sampler.count(n) and abs(winsorised_mean(sampler.at(n), noise)) < WEAK]
        for n in self.weak:
            if n in self.signs:
                errors = POOLED_ERRORS if n in small and (alive or len(small) > 2) else SIDE_ERRORS
                least = 2 if self.signs[n] else LEAST_PAIRS  # launches are to tell what launch 0 could not
                rounds[n] = max(rounds.get(n, 0), least, pairs_for_sign(sampler, n, question, left, errors))
        return tie.pairs_wanted(sampler, list(self.signs), question, left, rounds) if self.may_tie else rounds

    def _cut(self, rounds: dict[int, int], allowed: int) -> dict[int, int]:
        """The same in proportion, no more than `allowed` pairs in all."""
        total = sum(rounds.values())
        if total <= allowed:
            return rounds
        self.budget_bound, self.limit_reached = not self.question.capped, self.question.capped
        names = sorted(rounds)
        wanted = np.array([rounds[n] for n in names]) * allowed / total
        whole = np.floor(wanted)
        keys = wanted - whole + TIE_BREAK * self.sampler.random.random(len(names))
        whole[np.argsort(-keys)[: allowed - int(whole.sum())]] += 1
        return {n: int(count) for n, count in zip(names, whole, strict=True) if count > 0}

    # -- progress -----------------------------------------------------------------------------------------------------

    def progress(self) -> Progress:
        """Where the search stands."""
        low, high, estimate = self.bracket()
        return Progress(self.stage, low, high, estimate, self.sampler.samples, self.sampler.launch)

    def bracket(self) -> tuple[int, int, int | None]:
        """The narrowest bracket of the first change of the lead, and its likeliest place."""
        for target in sorted(self.targets(), key=lambda each: isinstance(each, Smooth) and each.edge):
            if isinstance(target, Jump):
                return target.left, target.right, target.right
            if isinstance(target, Smooth):
                aim = self.aims.get((target.low, target.high))
                interval = aim.fit.crossing_interval() if aim and aim.fit else None
                if aim is None or interval is None:
                    return target.low, target.high, round(math.exp(aim.log_centre)) if aim else None
                low, high = (max(interval[0], math.log(target.low)), min(interval[1], math.log(target.high)))
                if low >= high:
                    return target.low, target.high, round(math.exp(aim.log_centre))
                return math.floor(math.exp(low)), math.ceil(math.exp(high)), round(math.exp(aim.log_centre))
        return self.question.low, self.question.high, None

    def _report(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self.progress())
