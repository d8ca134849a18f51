"""Who leads where among three or more contenders: one answer made of the races of all pairs."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.search.wording import of_functions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records.crossovers import SearchRecord
    from harness.search.result import Crossing, Location


@dataclass(frozen=True, kw_only=True)
class Span:
    """From one n to another, ends included, this contender leads all others."""

    low: int
    high: int
    leader: str | None  # None where it is not known, or nobody leads
    begins: tuple[int, int] | None = None  # the interval of the crossover at which the span begins
    among: tuple[str, ...] = ()  # where no leader is known: those that no other surely beats
    preliminary: bool = False  # a race of the leader was not decided: its lead is what was seen and not confirmed


@dataclass(frozen=True, kw_only=True)
class Standings:
    """Who leads where, over all contenders."""

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
        return "; ".join(self._clause(each) for each in self.spans)

    def _clause(self, span: Span) -> str:
        where = f"from n = {span.low:,} to {span.high:,}"
        if span.begins is not None:
            low, high = span.begins
            where += f" (begins between {low:,} and {high:,})" if high > low + 1 else ""
        if span.leader is not None:
            return f"{span.leader} leads {where}" + (" (seen, not confirmed)" if span.preliminary else "")
        return f"no leader known {where}" + (f" among {', '.join(span.among)}" if span.among else "")

    def __str__(self) -> str:
        return self.sentence

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - as IPython calls it
        """In a notebook the answer and its notes, and not every probe."""
        printer.text("\n".join([self.sentence, *self.notes]))


def standings(located: Sequence[SearchRecord], labels: Mapping[str, str] | None = None) -> Standings:
    """Who leads where, by the answers of every pair's race at one batch size; `labels` are the user's own names."""
    known_as = labels or {}
    pairs = {
        (
            known_as.get(each.case.baseline, each.case.baseline),
            known_as.get(each.case.challenger, each.case.challenger),
        ): (each.location)
        for each in located
    }
    names = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    low, high = min(each.low for each in pairs.values()), max(each.high for each in pairs.values())
    changes: dict[int, tuple[int, int]] = {}
    for crossing in (each for location in pairs.values() for each in _crossings(location)):
        known = changes.get(crossing.heads)
        wide = (min(crossing.low, known[0]), max(crossing.high, known[1])) if known else (crossing.low, crossing.high)
        changes[crossing.heads] = wide
    open_ones = [each for each in pairs.values() if each.status == "unresolved"]
    seen = {n for each in open_ones for probe in each.probes for n in (probe.heads, probe.heads + 1)}
    seen |= {n for each in open_ones if each.bracket is not None for n in (each.bracket[0] + 1, each.bracket[1])}
    starts = sorted({low, *(n for n in (*changes, *seen) if low < n <= high)})
    spans: list[Span] = []
    for start, following in itertools.zip_longest(starts, starts[1:]):
        leaders = _unbeaten_at(names, pairs, start)
        leader = leaders[0] if len(leaders) == 1 else None
        end = high if following is None else following - 1
        among = () if leader is not None else leaders
        unsure = leader is not None and _preliminary(leader, pairs)
        same = Span(low=start, high=end, leader=leader, begins=changes.get(start), among=among, preliminary=unsure)
        if spans and (spans[-1].leader, spans[-1].among) == (leader, among):
            spans.append(replace(same, low=spans[-1].low, begins=spans.pop().begins))
        else:
            spans.append(same)
    notes = tuple(_notes(pairs))
    return Standings(names=names, low=low, high=high, spans=tuple(spans), pairs=pairs, notes=notes)


def _notes(pairs: Mapping[tuple[str, str], Location]) -> Iterator[str]:
    """What is to be known of all pairs once, and the rest with the pairs that it is about."""
    found: dict[str, list[str]] = {}
    for (baseline, challenger), location in pairs.items():
        for note in dict.fromkeys(location.notes):
            found.setdefault(of_functions(note, challenger, baseline), []).append(f"{challenger} against {baseline}")
    for note, some in found.items():
        yield note if len(some) == len(pairs) else f"{', '.join(some)}: {note}"


def _crossings(location: Location) -> Sequence[Crossing]:
    return location.crossings if location.status in ("crossing", "several") else ()


def _unbeaten_at(names: Sequence[str], pairs: Mapping[tuple[str, str], Location], n: int) -> tuple[str, ...]:
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
    if location.status == "unresolved":
        return _leader_by_probes(location, n)
    crossings = _crossings(location)
    if not crossings:
        return None
    before = [each for each in crossings if each.heads <= n]
    if before:
        return before[-1].direction
    return "baseline" if crossings[0].direction == "challenger" else "challenger"


def _leader_by_probes(location: Location, n: int) -> str | None:
    """Who leads at an n outside of an open bracket, by the probes on both sides of it."""
    if location.bracket is not None and location.bracket[0] < n < location.bracket[1]:
        return None
    below = [each for each in location.probes if each.heads <= n][-1:]
    above = [each for each in location.probes if each.heads >= n][:1]
    if not below or not above:
        return None
    if all(each.low > 0 for each in (*below, *above)):
        return "challenger"
    return "baseline" if all(each.high < 0 for each in (*below, *above)) else None


def _preliminary(leader: str, pairs: Mapping[tuple[str, str], Location]) -> bool:
    """Whether a race that this contender was in was left open."""
    return any(leader in pair and location.status == "unresolved" for pair, location in pairs.items())
