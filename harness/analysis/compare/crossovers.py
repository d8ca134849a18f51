"""Crossovers of two runs compared, two-sided: an N* that moved up or down is news, and so is an answer of another kind.

The interval of the change is made of those of both N* (MOVER: Zou and Donner 2008, Stat. Med. 27). An N* moved where
all of it lies beyond the threshold, is the same where all of it lies within, and otherwise the two runs cannot tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.analysis.statistics import Interval, ratio_of
from harness.search.coverage import covered

if TYPE_CHECKING:
    from harness.records.crossovers import SearchRecord
    from harness.search.result import Crossing, Location

Verdict = Literal["same", "moved", "inconclusive"]


@dataclass(frozen=True, kw_only=True)
class CrossoverChange:
    """A race at one batch size in both runs."""

    race: str
    batch_size: int
    before: str
    after: str
    verdict: Verdict
    sentence: str


def change(old: SearchRecord, new: SearchRecord, threshold: float) -> CrossoverChange:
    """What became of a crossover."""
    before, after = old.location, new.location
    place = f"{old.case.race} at batch {old.case.batch_size}"
    verdict: Verdict = "same"
    why = "did not move"
    if "unresolved" in (before.status, after.status):
        verdict, why = "inconclusive", "is unresolved in at least one of the runs"
    elif _answer_shape(before) != _answer_shape(after):
        verdict, why = "moved", "is of another kind"
    else:
        for one, other in zip(before.crossings, after.crossings, strict=True):
            found, said = _compare_crossings(one, other, threshold)
            if found == "moved" or verdict == "same":
                verdict, why = found, said or why
    return CrossoverChange(
        race=old.case.race,
        batch_size=old.case.batch_size,
        before=_answer_in_words(before),
        after=_answer_in_words(after),
        verdict=verdict,
        sentence=f"{place}: the crossover {why}: {_answer_in_words(before)} before, {_answer_in_words(after)} now",
    )


def _compare_crossings(one: Crossing, other: Crossing, threshold: float) -> tuple[Verdict, str]:
    """The verdict about one N*, and why."""
    found = ratio_of(_interval(one), _interval(other))
    most = 1.0 + threshold
    if found.low > most or found.high < 1.0 / most:
        return "moved", f"moved by {found.value - 1:+.0%}"
    if found.low > 1.0 / most and found.high < most:
        return "same", ""
    return "inconclusive", f"may have moved by {found.low - 1:+.0%} to {found.high - 1:+.0%}"


def _interval(crossing: Crossing) -> Interval:
    """The interval of N*; that of a step is the step itself."""
    heads = float(crossing.heads)
    if crossing.kind == "step":
        return Interval(heads, heads, heads, confidence=crossing.confidence)
    low, high = min(crossing.low, crossing.heads), max(crossing.high, crossing.heads)
    return Interval(heads, float(low), float(high), confidence=crossing.confidence)


def _answer_shape(location: Location) -> tuple[str, tuple[str, ...]]:
    return location.status, tuple(each.direction for each in location.crossings)


def _answer_in_words(location: Location) -> str:
    words = {"below": "challenger leads throughout", "above": "baseline leads throughout", "tie": "no difference"}
    if location.failures and (span := covered(location)) and location.status in words:
        return f"{words[location.status].removesuffix(' throughout')} from N = {span[0]:,} to {span[1]:,}"
    places = ", ".join(f"{each.heads:,} ({each.low:,} to {each.high:,})" for each in location.crossings)
    return places or words.get(location.status, location.status)
