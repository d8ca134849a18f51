"""Where it is not sure who leads, as zones of N, and what at most depends on it there.

A zone is the interval of a confirmed crossing, or what is open together with what lies between it and the nearest N at
which one of the two surely leads. Zones that lie so near to each other that nothing between them matters much are one: three
crossings around a step, of which launches confirm one, are one decision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np

from harness.search.bracketing import Jump, Undecided
from harness.search.local_model import launch_interval, two_sided
from harness.search.outcomes import confirmed_sign, contradicting_launches, leader
from harness.search.result import Crossing
from harness.search.sign_test import standard_error, winsorised_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.bracketing import Step, Target
    from harness.search.confirmation import Question
    from harness.search.outcomes import Fitted, Outcome
    from harness.search.sampler import Sampler
    from harness.search.sign_test import Sign

NEAR_LEAD = math.log(1.25)  # a lead between two zones that is too small to keep them apart
CURVE_POINTS = 65  # of log N on which a curve's largest value is looked for
ENOUGH_PAIRS = 3  # for an interval from the pairs of launch 0


@dataclass(frozen=True)
class Zone:
    """N from `low` to `high` within which it is not sure, or not the same everywhere, who leads."""

    low: int
    high: int
    before: Sign  # who surely leads at `low` and below; 0 where the range ends before that is known
    after: Sign
    crossings: tuple[Crossing, ...] = ()  # confirmed
    unconfirmed: tuple[Crossing, ...] = ()

    def settled(self) -> tuple[tuple[Crossing, ...], tuple[Crossing, ...]]:
        """The confirmed crossings that agree with who leads on both sides, and all the others."""
        lead = self.before
        kept: list[Crossing] = []
        for crossing in self.crossings:
            if leader(lead) != crossing.direction:
                kept.append(crossing)
                lead = opposite(lead)
        if kept and lead != self.after:
            kept.pop()
        return tuple(kept), (*(each for each in self.crossings if each not in kept), *self.unconfirmed)


class Evidence:
    """What may be said of the log-ratio at any N: by the launches there, or by a curve that was fitted around it."""

    def __init__(
        self,
        sampler: Sampler,
        question: Question,
        signs: dict[int, Sign],
        fits: Sequence[Fitted],
        confidence: float | None = None,  # for who leads at one N, where it is not the question's
    ) -> None:
        self._sampler, self._question, self._signs, self._fits, self._confidence = (
            sampler,
            question,
            signs,
            fits,
            confidence,
        )
        self.places = [n for n in sampler.visited if n in signs or not sampler.left_out.get(n)]

    def leader_at(self, heads: int) -> Sign:
        """Who significantly leads at this N: by the launches, by a curve, or where they did not look, by launch 0."""
        confirmed = confirmed_sign(self._sampler, heads, self._question, self._confidence)
        if confirmed:
            return confirmed
        for fitted in self._fits:
            if fitted.low <= heads <= fitted.high:
                level = float(fitted.curve.value(math.log(heads)))
                if abs(level) > float(fitted.curve.half_width(math.log(heads))):
                    return 1 if level > 0 else -1
        had = len(self._sampler.by_launch(heads, 1))
        return self._signs.get(heads, 0) if had < self._question.least_launches else 0

    def lead_bound(self, low: int, high: int, side: int, stretch: float = 1.0) -> float:
        """The largest log-ratio by which this side may lead in [low, high], as an upper bound; 0 where it cannot.

        Half-widths are taken so many times as wide.
        """
        largest = 0.0
        for fitted in self._fits:
            a, b = max(low, fitted.low), min(high, fitted.high)
            if a <= b:
                logs = np.linspace(math.log(a), math.log(b), CURVE_POINTS)
                halves = stretch * fitted.curve.half_width(logs)
                largest = max(largest, float(np.max(side * fitted.curve.value(logs) + halves)))
        for n in self._bounding_places(low, high):
            middle, half = self._interval(n)
            largest = max(largest, side * middle + stretch * half)
        return largest

    def largest_lead(self, low: int, high: int) -> float:
        """The largest log-ratio by which either leads in [low, high], as an upper bound."""
        return max(self.lead_bound(low, high, 1), self.lead_bound(low, high, -1))

    def stated_lead(self, low: int, high: int) -> float:
        """The same as it is stated: as two ends hold at once, so does the bound on both contenders."""
        return max(self.lead_bound(low, high, side, self._question.stretch) for side in (1, -1))

    def is_inconsistent(self, heads: int) -> bool:
        """Whether launches disagree so much at this N that a large lead of either is possible."""
        parts = self._sampler.by_launch(heads, 1)
        return len(parts) > 1 and self._interval(heads)[1] > NEAR_LEAD

    def is_contradictory(self, low: int, high: int) -> bool:
        """Whether launches contradict each other about who leads somewhere in [low, high]."""
        return any(contradicting_launches(self._sampler, n) for n in self.places if low <= n <= high)

    def _bounding_places(self, low: int, high: int) -> list[int]:
        """The N that bound the log-ratio in [low, high] where no curve does: in between it lies between theirs."""
        places = [n for n in self.places if self._is_well_measured(n)]
        inside = {n for n in places if low <= n <= high}
        if not self._covered(low):
            inside |= set([n for n in places if n <= low][-1:])
        if not self._covered(high):
            inside |= set([n for n in places if n >= high][:1])
        return sorted(n for n in inside if not self._covered(n))

    def _covered(self, heads: int) -> bool:
        return any(fitted.low <= heads <= fitted.high for fitted in self._fits)

    def _is_well_measured(self, heads: int) -> bool:
        launches = len(self._sampler.by_launch(heads, 1))
        return launches >= self._question.least_launches or (
            launches == 0 and self._sampler.count(heads) >= ENOUGH_PAIRS
        )

    def _interval(self, heads: int) -> tuple[float, float]:
        """Centre and half-width of the log-ratio at one N."""
        noise, confidence = self._sampler.noise(), self._question.confidence
        parts = self._sampler.by_launch(heads, 1)
        if len(parts) > 1:
            middle, _, high = launch_interval(parts, noise, confidence)
            return middle, high - middle
        seen = self._sampler.at(heads)
        return winsorised_mean(seen, noise), two_sided(confidence) * standard_error(seen, noise)


def zones(outcomes: Sequence[tuple[Target, Outcome]], evidence: Evidence) -> list[Zone]:
    """All zones, ascending and apart from each other."""
    found = [zone for target, outcome in outcomes if (zone := _zone(target, outcome, evidence))]
    merged: list[Zone] = []
    for zone in sorted((_extended(zone, evidence) for zone in found), key=lambda each: (each.low, each.high)):
        together = zone
        while merged and (together.low <= merged[-1].high or _near(merged[-1], together, evidence)):
            together = merge(merged.pop(), together)
        merged.append(together)
    return merged


def merge(one: Zone, other: Zone) -> Zone:
    """The smallest zone that holds both; `one` begins first."""
    before = one.before or (other.before if other.low == one.low else 0)
    last, first = (one, other) if one.high > other.high else (other, one)
    after = last.after or (first.after if first.high == last.high else 0)
    crossings = sorted({*one.crossings, *other.crossings}, key=attrgetter("heads"))
    unconfirmed = sorted({*one.unconfirmed, *other.unconfirmed}, key=attrgetter("heads"))
    return Zone(one.low, last.high, before, after, tuple(crossings), tuple(unconfirmed))


def negligible(zone: Zone, evidence: Evidence, goal: float) -> bool:
    """Whether one contender leads around it, and the other within by no more than what counts as no difference.

    Where launches contradict each other the average of them is no bound on what the next one sees.
    """
    known: set[Sign] = {sign for sign in (zone.before, zone.after) if sign}
    if len(known) != 1 or zone.crossings:
        return False
    small = evidence.lead_bound(zone.low, zone.high, opposite(*known)) <= goal
    return small and not evidence.is_contradictory(zone.low, zone.high)


def net_crossing(zone: Zone, steps: Sequence[Step], confidence: float) -> Crossing:
    """The one change of the lead that a zone must hold, wherever it lies there."""
    inside = [step.right for step in steps if zone.low <= step.left and step.right <= zone.high]
    guesses = [each.heads for each in zone.unconfirmed] or inside or [round(math.sqrt(zone.low * zone.high))]
    heads = min(max(guesses[len(guesses) // 2], zone.low + 1), zone.high)
    at_step = zone.high == zone.low + 1 and heads in inside
    return Crossing(heads, zone.low, zone.high, leader(zone.after), confidence, "step" if at_step else "smooth")


def _zone(target: Target, outcome: Outcome, evidence: Evidence) -> Zone | None:
    """What a target leaves unsure; None where that is nothing."""
    if outcome.kind == "none":
        return None
    if outcome.crossing is not None:
        after: Sign = 1 if outcome.crossing.direction == "challenger" else -1
        low, high = outcome.span or (outcome.crossing.low, outcome.crossing.high)
        return Zone(low, high, opposite(after), after, (outcome.crossing,))
    if isinstance(target, Undecided):
        return Zone(target.heads, target.heads, 0, 0)
    if isinstance(target, Jump):
        guess = Crossing(target.right, target.left, target.right, leader(target.after), 0.0, "step")
        return Zone(
            target.left, target.right, evidence.leader_at(target.left), evidence.leader_at(target.right), (), (guess,)
        )
    low, high = outcome.span or (target.low, target.high)
    before = evidence.leader_at(low) if low == target.low else target.before
    after = evidence.leader_at(high) if high == target.high else target.after
    return Zone(low, high, before, after)


def _extended(zone: Zone, evidence: Evidence) -> Zone:
    """Outwards to the nearest N at which somebody surely leads; to the end of the range where there is none."""
    if not zone.before:
        below = [n for n in evidence.places if n < zone.low]
        low = next((n for n in reversed(below) if evidence.leader_at(n)), below[0] if below else zone.low)
        zone = replace(zone, low=low, before=evidence.leader_at(low))
    if not zone.after:
        above = [n for n in evidence.places if n > zone.high]
        high = next((n for n in above if evidence.leader_at(n)), above[-1] if above else zone.high)
        zone = replace(zone, high=high, after=evidence.leader_at(high))
    return zone


def opposite(sign: Sign) -> Sign:
    """The other contender."""
    return -1 if sign > 0 else 1 if sign < 0 else 0


def _near(one: Zone, other: Zone, evidence: Evidence) -> bool:
    return evidence.largest_lead(one.low, other.high) <= NEAR_LEAD
