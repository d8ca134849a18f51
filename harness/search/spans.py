"""Where the challenger leads, as spans of N: what an answer with many crossings means to whoever picks one of two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.search.coverage import covered, gap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.search.result import Failures, Location

_STEP = 4  # between two N of a ladder


@dataclass(frozen=True)
class WinningSpan:
    """A span of N in which the challenger is faster."""

    start: int
    end: int  # the last N of it
    holds: bool  # to the end of what could be measured of both; otherwise it ends again, or is not known further
    beyond: str = ""  # why it could not be measured further, where the end of the range lies beyond

    def sample_points(self) -> tuple[int, ...]:
        """A few N from its start to its end, both among them."""
        found, heads = [], self.start
        while heads < self.end:
            found.append(heads)
            heads *= _STEP
        return (*found, self.end)


def winning_spans(location: Location) -> tuple[WinningSpan, ...]:
    """All spans in which the challenger leads, ascending; none where the answer has none.

    An unresolved answer gives those that follow from the crossings it confirmed, as far as its open bracket. N at
    which one of the two could not be measured are in none of them.
    """
    span = covered(location)
    if span is None or location.status in ("above", "tie"):
        return ()
    if location.status == "below":
        found = [WinningSpan(*span, holds=True)]
    elif location.status != "unresolved":
        found = list(_between(location, *span))
    else:
        known = tuple(each for each in location.crossings if (each.low, each.high) != location.bracket)
        confirmed = _between(replace(location, crossings=known), *span)
        found = [_known_part(each, location.bracket) for each in confirmed]
    for each in location.failures:
        found = [part for lead in found for part in _without(lead, each, location)]
    return tuple(found)


def _without(lead: WinningSpan, failures: Failures, location: Location) -> Iterator[WinningSpan]:
    """What is left of a lead where some N could not be measured."""
    low, high = gap(failures, location)
    if lead.end < low - 1 or lead.start > high:
        yield lead
        return
    if lead.end == low - 1:  # it reaches as far as both were measured, or the change of the lead lies right there
        last = lead.holds and failures.next_good is None
        alone = last and failures.contender == "baseline" and high == location.high  # nobody else works there
        yield replace(lead, holds=alone, beyond="the baseline fails above" if alone else "") if last else lead
        return
    if lead.start < low:
        yield WinningSpan(lead.start, low - 1, holds=False)
    if lead.end > high:
        yield replace(lead, start=high + 1)


def _between(location: Location, low: int, high: int) -> Iterator[WinningSpan]:
    """From each crossing after which the challenger leads to the next after which it does not."""
    if not location.crossings:
        return
    start = low if location.crossings[0].direction == "baseline" else None
    for crossing in location.crossings:
        if crossing.direction == "challenger":
            start = crossing.heads if start is None else start
        elif start is not None:
            if crossing.heads > start:
                yield WinningSpan(start, crossing.heads - 1, holds=False)
            start = None
    if start is not None:
        yield WinningSpan(start, high, holds=True)


def _known_part(lead: WinningSpan, bracket: tuple[int, int] | None) -> WinningSpan:
    """A lead up to the bracket in which it may change again, or from its end on."""
    if bracket is None:
        return lead
    low, high = bracket
    if lead.start < low < lead.end:
        return WinningSpan(lead.start, low, holds=False)
    if low <= lead.start < high < lead.end:
        return replace(lead, start=high)
    return lead
