"""Ties, and leads that are the same at every N: when one may be hoped for, what it takes to show it, and whether it is shown."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from harness.search.equivalence import fit_differences
from harness.search.outcomes import contradicting_launches
from harness.search.sign_test import WINSORISED_COST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.search.confirmation import Question
    from harness.search.equivalence import DifferenceModel
    from harness.search.result import Status
    from harness.search.sampler import Sampler

TIE_RULED_OUT = 0.85  # probability of a difference beyond the precision at some N, from which on no tie is hoped for
FAR_APART = 4.0  # times the precision: a lead that needs no such help
LEADS: Mapping[int, Status] = MappingProxyType({1: "below", -1: "above"})
SIDES = 2.0  # each of the two one-sided tests may err this often times what the confidence leaves
EARLY_SHARE = 0.2  # of what the last look may err, where launches are still to come
FINE, COARSE = 0.22, 0.37  # of the precision: the error of what one N adds, where it is cheap and where it is not
AFFORDABLE_PAIRS = 80  # pairs at one N
LEAST_PAIRS = 3  # at one N in one launch
EXTRA_WEIGHT = 4.0  # how much more often a place that surely differs is looked at than one that surely does not


def differences_at(sampler: Sampler, places: Sequence[int], goal: float) -> DifferenceModel | None:
    """What is known of the contenders' difference at these N; None where one of them was not looked at."""
    if not places or not all(sampler.count(n) for n in places):
        return None
    asked = tuple(sorted(places)), goal
    if asked not in sampler.differences:
        sampler.differences[asked] = fit_differences(sampler.observations(), asked[0], sampler.noise(), goal)
    return sampler.differences[asked]


def may_tie(sampler: Sampler, places: Sequence[int], goal: float) -> bool:
    """Whether the contenders may well be equal at all of these N, up to the precision, or not equal at any in one way."""
    known = differences_at(sampler, places, goal)
    if known is None or abs(known.level) > FAR_APART * goal:
        return False
    if known.probability_beyond(goal) < TIE_RULED_OUT:
        return True
    return min(known.probability_against(side) for side in (1, -1)) < 1 - TIE_RULED_OUT


def one_sided_confidence(question: Question) -> float:
    """The confidence of each of the two one-sided tests."""
    return 1 - SIDES * (1 - question.confidence)


def verdict(
    sampler: Sampler, places: Sequence[int], question: Question, *, early: bool = False
) -> tuple[Status, DifferenceModel] | None:
    """The answer that all these N share, if it is sure at each of them; None where it is not.

    That one contender leads is said early only where a tie is out of the question, and never where launches contradict each
    other: not every process sees the lead that all N share on average.
    """
    if any(len(sampler.by_launch(n, 1)) < question.least_launches for n in places):
        return None
    known = differences_at(sampler, places, question.goal)
    if known is None:
        return None
    patience = EARLY_SHARE if early else 1.0
    beyond = known.probability_beyond(question.goal)
    if beyond <= (1 - one_sided_confidence(question)) * patience:
        return "tie", known
    if early and beyond < TIE_RULED_OUT:
        return None
    for side, status in LEADS.items():
        if known.probability_against(side) <= (1 - question.confidence) / 2 * patience:
            return None if any(contradicting_launches(sampler, n) for n in places) else (status, known)
    return None


def explained(status: Status, known: DifferenceModel, sampler: Sampler, question: Question) -> str:
    """What such an answer rests on, in a sentence."""
    seen = (
        f"over {len(known.alone)} N and {sampler.launch + 1} launches the baseline's time differs from the "
        f"challenger's by {math.expm1(known.level):+.1%} on average"
    )
    if status != "tie":
        return seen
    confidence = one_sided_confidence(question)
    most = math.expm1(known.smallest_margin(confidence))
    return f"{seen}, and at no N by more than {most:.1%} either way ({confidence:.0%} confidence)"


def pairs_wanted(
    sampler: Sampler, places: Sequence[int], question: Question, left: int, others: dict[int, int]
) -> dict[int, int]:
    """Pairs at each N in the coming launch, of which `left` remain, that are to show it: more where one stands out.

    `others` are those that would be timed if it were not hoped for: they are not given up where they cost no more.
    """
    known = differences_at(sampler, places, question.goal)
    if known is None:
        return others
    noise = sampler.noise()
    fine, coarse = (math.ceil((WINSORISED_COST * noise / (share * question.goal)) ** 2) for share in (FINE, COARSE))
    wanted = max(min(fine, AFFORDABLE_PAIRS), coarse) * len(places)
    pairs = max(wanted - sum(sampler.count(n) for n in places), 0) / left
    attention = 1 + EXTRA_WEIGHT * known.probabilities_alone(question.goal)
    shares = attention / attention.sum() * pairs
    showing = {n: max(LEAST_PAIRS, math.ceil(share)) for n, share in zip(sorted(places), shares, strict=True)}
    if sum(others.values()) > sum(showing.values()):
        return showing
    return {n: max(showing.get(n, 0), others.get(n, 0)) for n in {**showing, **others}}
