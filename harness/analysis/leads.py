"""Where the challenger leads, as spans of N: what an answer with many crossings means to whoever picks one of two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.location import Location

_STEP = 4  # between two N of a ladder


@dataclass(frozen=True)
class Lead:
    """A span of N in which the challenger is faster."""

    start: int
    end: int  # the last N of it
    holds: bool  # up to the end of the range that was searched; otherwise it ends again, or is not known further

    def ladder(self) -> tuple[int, ...]:
        """A few N from its start to its end, both among them."""
        found, heads = [], self.start
        while heads < self.end:
            found.append(heads)
            heads *= _STEP
        return (*found, self.end)


def leads(location: Location) -> tuple[Lead, ...]:
    """All spans in which the challenger leads, ascending; none where the answer has none.

    An unresolved answer gives those that follow from the crossings it confirmed, as far as its open bracket. Where one
    of the two could not be measured nobody leads.
    """
    return tuple(part for lead in _searched(location) for part in _measured(lead, location))


def _searched(location: Location) -> tuple[Lead, ...]:
    if location.status == "below":
        return (Lead(location.low, location.high, holds=True),)
    if location.status in ("above", "tie"):
        return ()
    if location.status != "unresolved":
        return tuple(_between(location))
    known = (each for each in location.crossings if (each.low, each.high) != location.bracket)
    confirmed = tuple(_between(replace(location, crossings=tuple(known))))
    return tuple(_known_part(each, location.bracket) for each in confirmed)


def _measured(lead: Lead, location: Location) -> Iterator[Lead]:
    """The parts of a lead between the N that failed."""
    start: int | None = lead.start
    for span in location.failures:
        last, following = span.last_good, span.next_good
        if start is None or start > span.high or lead.end < span.low:
            continue
        if last is not None and start <= last:
            yield Lead(start, last, holds=False)
        start = None if following is None else max(start, following)
    if start is not None and start <= lead.end:
        yield replace(lead, start=start)


def _between(location: Location) -> Iterator[Lead]:
    """From each crossing after which the challenger leads to the next after which it does not."""
    if not location.crossings:
        return
    start = location.low if location.crossings[0].direction == "baseline" else None
    for crossing in location.crossings:
        if crossing.direction == "challenger":
            start = crossing.heads if start is None else start
        elif start is not None:
            if crossing.heads > start:
                yield Lead(start, crossing.heads - 1, holds=False)
            start = None
    if start is not None:
        yield Lead(start, location.high, holds=True)


def _known_part(lead: Lead, bracket: tuple[int, int] | None) -> Lead:
    """A lead up to the bracket in which it may change again, or from its end on."""
    if bracket is None:
        return lead
    low, high = bracket
    if lead.start < low < lead.end:
        return Lead(lead.start, low, holds=False)
    if low <= lead.start < high < lead.end:
        return replace(lead, start=high)
    return lead
