"""Who leads where among three or more rivals: one answer made of the races of all pairs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.records.crossovers import SearchRecord
    from harness.search.result import Crossing, Location


@dataclass(frozen=True, kw_only=True)
class Span:
    """From one n to another, ends included, this rival leads all others."""

    low: int
    high: int
    leader: str | None  # None where it is not known, or nobody leads
    begins: tuple[int, int] | None = None  # the interval of the crossover at which the span begins
    among: tuple[str, ...] = ()  # where no leader is known: those that no other surely beats


@dataclass(frozen=True, kw_only=True)
class Standings:
    """Who leads where, over all rivals."""

    names: tuple[str, ...]
    low: int
    high: int
    spans: tuple[Span, ...]
    pairs: Mapping[tuple[str, str], Location]  # by (baseline, challenger)
    notes: tuple[str, ...] = ()

    def leader(self, n: int) -> str | None:
        """Who leads at this n; None where it is not known, and outside of the range."""
        return next((each.leader for each in self.spans if each.low <= n <= each.high), None)

    @property
    def sentence(self) -> str:
        """In one sentence, without a full stop."""
        return "; ".join(self._said(each) for each in self.spans)

    def _said(self, span: Span) -> str:
        where = f"from n = {span.low:,} to {span.high:,}"
        if span.begins is not None:
            low, high = span.begins
            where += f" (begins between {low:,} and {high:,})" if high > low + 1 else ""
        if span.leader is not None:
            return f"{span.leader} leads {where}"
        return f"no leader known {where}" + (f" among {', '.join(span.among)}" if span.among else "")

    def __str__(self) -> str:
        return self.sentence


def standings(located: Sequence[SearchRecord]) -> Standings:
    """Who leads where, by the answers of races of every pair at one batch size."""
    pairs = {(each.leg.baseline, each.leg.challenger): each.location for each in located}
    names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    low, high = min(each.low for each in pairs.values()), max(each.high for each in pairs.values())
    changes: dict[int, tuple[int, int]] = {}
    for crossing in (each for location in pairs.values() for each in _crossings(location)):
        known = changes.get(crossing.heads)
        wide = (min(crossing.low, known[0]), max(crossing.high, known[1])) if known else (crossing.low, crossing.high)
        changes[crossing.heads] = wide
    starts = sorted({low, *(n for n in changes if low < n <= high)})
    spans: list[Span] = []
    for start, following in itertools.zip_longest(starts, starts[1:]):
        leaders = _unbeaten(names, pairs, start)
        leader = leaders[0] if len(leaders) == 1 else None
        end = high if following is None else following - 1
        among = () if leader is not None else leaders
        if spans and (spans[-1].leader, spans[-1].among) == (leader, among):
            last = spans.pop()
            spans.append(Span(low=last.low, high=end, leader=leader, begins=last.begins, among=among))
        else:
            spans.append(Span(low=start, high=end, leader=leader, begins=changes.get(start), among=among))
    notes = tuple(dict.fromkeys(note for location in pairs.values() for note in location.notes))
    return Standings(names=names, low=low, high=high, spans=tuple(spans), pairs=pairs, notes=notes)


def _crossings(location: Location) -> Sequence[Crossing]:
    return location.crossings if location.status in ("crossing", "several") else ()


def _unbeaten(names: Sequence[str], pairs: Mapping[tuple[str, str], Location], n: int) -> tuple[str, ...]:
    """Those that no other is known to lead at this n."""
    beaten = set()
    for (baseline, challenger), location in pairs.items():
        leads = _leads(location, n)
        if leads is not None:
            beaten.add(baseline if leads == "challenger" else challenger)
    return tuple(name for name in names if name not in beaten)


def _leads(location: Location, n: int) -> str | None:
    """Which of the two leads at this n; None where they do not differ, or it is not known."""
    if location.status in ("below", "above"):
        return "challenger" if location.status == "below" else "baseline"
    crossings = _crossings(location)
    if not crossings:
        return None
    before = [each for each in crossings if each.heads <= n]
    if before:
        return before[-1].direction
    return "baseline" if crossings[0].direction == "challenger" else "challenger"
