"""From zones in which it is not sure who leads to what is decided: crossings, one decision, or what is lacking."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.search.bracketing import Smooth, Undecided
from harness.search.decision import NEAR_LEAD, merge, negligible, net_crossing, opposite, zones
from harness.search.outcomes import leader
from harness.search.result import Decision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.search.bracketing import Step, Target
    from harness.search.confirmation import Question
    from harness.search.decision import Evidence, Zone
    from harness.search.outcomes import Outcome
    from harness.search.result import Crossing
    from harness.search.sign_test import Sign

MOST_NAMED = 4


@dataclass(frozen=True)
class Verdict:
    """What follows from the outcomes of all targets; without a decision and without lacks, one leads throughout."""

    crossings: tuple[Crossing, ...] = ()
    unconfirmed: tuple[Crossing, ...] = ()
    decision: Decision | None = None
    lacks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    bracket: tuple[int, int] | None = None  # of what is lacking
    spans: tuple[tuple[int, int], ...] = ()  # of all zones: what lies strictly within says nothing of who leads outside


def decide(
    outcomes: Sequence[tuple[Target, Outcome]], evidence: Evidence, question: Question, steps: Sequence[Step]
) -> Verdict:
    """One decision that holds every zone in which the other contender may lead by what counts."""
    found = zones(outcomes, evidence)
    even = [zone for zone in found if negligible(zone, evidence, question.goal)]
    notes = tuple(_negligible_note(zone, evidence) for zone in even)
    rest = [zone for zone in found if zone not in even]
    spans = tuple((zone.low - (not zone.before), zone.high + (not zone.after)) for zone in found)
    if not rest:
        return Verdict(notes=notes, spans=spans)
    unclear = [zone for zone in rest if _is_unclear(zone, outcomes, evidence)]
    if unclear:
        return Verdict(
            crossings=tuple(each for zone in rest if zone not in unclear for each in zone.settled()[0]),
            unconfirmed=tuple(each for zone in unclear for each in (*zone.crossings, *zone.unconfirmed)),
            lacks=tuple(_why_unclear(zone, outcomes, evidence) for zone in unclear),
            notes=notes,
            bracket=(unclear[0].low, unclear[0].high),
        )
    zone = _with_both_sides(functools.reduce(merge, rest))
    crossings, unconfirmed = zone.settled()
    if not crossings and zone.before != zone.after:
        crossings = (net_crossing(zone, steps, question.confidence),)
    lead = math.expm1(evidence.stated_lead(zone.low, zone.high))
    sides = leader(zone.before), leader(zone.after)
    decision = Decision(zone.low, zone.high, lead, *sides, question.confidence)
    return Verdict(crossings, unconfirmed, decision, notes=notes, spans=spans)


def first_few(places: Sequence[int]) -> str:
    """The first few of these N, and how many more there are."""
    shown = ", ".join(f"{n:,}" for n in places[:MOST_NAMED])
    return f"{shown} and {len(places) - MOST_NAMED} more" if len(places) > MOST_NAMED else shown


def _with_both_sides(zone: Zone) -> Zone:
    """A zone that reaches an end of the range has nobody beyond it: who leads inside of it leads there."""
    before = zone.before or (opposite(_after(zone.crossings[0])) if zone.crossings else zone.after)
    after = zone.after or (_after(zone.crossings[-1]) if zone.crossings else before)
    return replace(zone, before=before, after=after)


def _after(crossing: Crossing) -> Sign:
    return 1 if crossing.direction == "challenger" else -1


def _is_unclear(zone: Zone, outcomes: Sequence[tuple[Target, Outcome]], evidence: Evidence) -> bool:
    """Whether a zone is too little known to decide by: launches contradict each other, or no side of it is known."""
    if _inconsistent_places(zone, outcomes, evidence) or not (zone.before or zone.after):
        return True
    return not (zone.before and zone.after) and evidence.largest_lead(zone.low, zone.high) > NEAR_LEAD


def _inconsistent_places(zone: Zone, outcomes: Sequence[tuple[Target, Outcome]], evidence: Evidence) -> list[int]:
    """The open N of a zone at which launches tell very different things."""
    places = {
        n
        for target, outcome in outcomes
        if outcome.kind == "open" and not isinstance(target, Smooth)
        for n in ((target.heads,) if isinstance(target, Undecided) else (target.left, target.right))
    }
    return sorted(n for n in places if zone.low <= n <= zone.high and evidence.is_inconsistent(n))


def _why_unclear(zone: Zone, outcomes: Sequence[tuple[Target, Outcome]], evidence: Evidence) -> str:
    unsteady = _inconsistent_places(zone, outcomes, evidence)
    if unsteady:
        return f"launches contradict each other at N = {first_few(unsteady)}"
    lead = math.expm1(evidence.largest_lead(zone.low, zone.high))
    return f"inconclusive from N = {zone.low:,} to {zone.high:,}: either contender may lead there by up to {lead:.0%}"


def _negligible_note(zone: Zone, evidence: Evidence) -> str:
    other = opposite(zone.before or zone.after)
    lead = math.expm1(max(0.0, evidence.lead_bound(zone.low, zone.high, other)))
    return f"between N = {zone.low:,} and {zone.high:,} the {leader(other)} leads by at most {lead:.1%}, if at all"
