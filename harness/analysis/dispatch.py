"""Which contender to use at which batch size and N, and what deciding so costs where it was not measured before."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.analysis.statistics import centre
from harness.analysis.visits import pairs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from harness.analysis.located import Located
    from harness.analysis.location import Location
    from harness.analysis.requirement import Constrained
    from harness.records.measurement import Measurement

SURELY = 1.5  # times the half-width of its interval that a single probe must lie from zero to decide alone


@dataclass(frozen=True, kw_only=True)
class Change:
    """From this N on, another contender is to be used."""

    heads: int
    low: int
    high: int
    use: str
    confidence: float  # 0 where launches did not confirm it, or where it is not for speed


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One batch size of a race."""

    batch_size: int
    status: str
    below: str | None  # the contender to use under the first change, or throughout; None where it is not known
    changes: tuple[Change, ...] = ()
    undecided: tuple[tuple[int, int], ...] = ()  # spans of N, ends included, where it is not known whom to use
    requires: bool = False  # the challenger must also be right to be used
    counts_from: int | None = None  # the N from which it is faster and right; None where there is none
    searched_from: int
    searched_to: int

    def choose(self, heads: int) -> str | None:
        """The contender to use; None where that is not known."""
        if any(low <= heads <= high for low, high in self.undecided):
            return None
        use = self.below
        for change in self.changes:
            if heads >= change.heads:
                use = change.use
        return use


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The decision at a point that no search used."""

    batch_size: int
    heads: int
    use: str
    regret: float  # time of the chosen contender over that of the faster one, less one


@dataclass(frozen=True, kw_only=True)
class Table:
    """The dispatch table of one race: its frontier N*(B), and the regret of deciding by it."""

    race: str
    baseline: str
    challenger: str
    entries: tuple[Entry, ...]
    checked: tuple[Checked, ...] = ()
    unchecked: tuple[str, ...] = ()  # of the two, those whose output was compared with nothing but itself
    self_check_passed: bool | None = None  # of the run: where it failed, nothing should be decided by this

    @property
    def mean_regret(self) -> float:
        """Over the points that no search used; NaN where there are none."""
        return sum(each.regret for each in self.checked) / len(self.checked) if self.checked else math.nan

    @property
    def largest_regret(self) -> float:
        """Over the points that no search used; NaN where there are none."""
        return max((each.regret for each in self.checked), default=math.nan)

    @property
    def sentence(self) -> str:
        """What deciding by the table costs, and where it cannot decide; empty where neither is to be said."""
        said = []
        if self.checked:
            said.append(
                f"deciding by these crossovers costs {self.mean_regret:.1%} on average and {self.largest_regret:.1%} "
                f"at most, measured at {len(self.checked)} points that no search used"
            )
        if self.undecided:
            said.append(f"for {self.undecided} of {len(self.entries)} batch sizes some N, or all, are left undecided")
        if self.unchecked:
            said.append(f"{' and '.join(self.unchecked)}: unchecked, its output was compared with nothing but itself")
        if self.self_check_passed is False:
            said.append("the run's self-check failed: measure again before anything is decided by this")
        return f"{self.race}: {'; '.join(said)}" if said else ""

    @property
    def undecided(self) -> int:
        """At how many batch sizes the table does not decide everywhere."""
        return sum(entry.below is None or bool(entry.undecided) for entry in self.entries)

    def choose(self, heads: int, batch_size: int) -> str | None:
        """The contender to use; None where the table does not say."""
        entry = next((each for each in self.entries if each.batch_size == batch_size), None)
        return entry.choose(heads) if entry is not None else None


def tables(
    located: Sequence[Located],
    measurements: Iterable[Measurement],
    constrained: Mapping[tuple[str, int], Constrained] | None = None,
    *,
    passed: bool | None = None,
    unproved: Collection[str] = (),
) -> tuple[Table, ...]:
    """The dispatch tables of all races that were searched.

    Args:
        located: the answers of the searches.
        measurements: of the run; those made for the regret are used.
        constrained: by race and batch size, where the challenger counts only if it is also right.
        passed: what the run's self-check said.
        unproved: contenders whose output was compared with nothing but itself.
    """
    races: dict[str, list[Located]] = defaultdict(list)
    for each in located:
        races[each.leg.race].append(each)
    visits = _visits(measurements)
    return tuple(
        replace(
            _table(race, answers, visits, constrained or {}),
            self_check_passed=passed,
            unchecked=tuple(n for n in (answers[0].leg.baseline, answers[0].leg.challenger) if n in unproved),
        )
        for race, answers in races.items()
    )


def _table(
    race: str,
    answers: Sequence[Located],
    visits: Sequence[Sequence[Measurement]],
    constrained: Mapping[tuple[str, int], Constrained],
) -> Table:
    leg = answers[0].leg
    ordered = sorted(answers, key=lambda each: each.leg.batch_size)
    fastest = Table(
        race=race, baseline=leg.baseline, challenger=leg.challenger, entries=tuple(_entry(each) for each in ordered)
    )
    entries = tuple(
        _held_back(entry, constrained[race, entry.batch_size], leg.baseline, leg.challenger)
        if (race, entry.batch_size) in constrained
        else entry
        for entry in fastest.entries
    )
    labels = {each.leg.label for each in answers}
    checked = [found for visit in visits if visit[0].leg in labels and (found := _checked(fastest, visit)) is not None]
    return replace(fastest, entries=entries, checked=tuple(sorted(checked, key=_place)))


def _entry(located: Located) -> Entry:
    """The changes of the lead as changes of the contender to use."""
    leg, location = located.leg, located.location
    names = {"baseline": leg.baseline, "challenger": leg.challenger}
    other = {"baseline": leg.challenger, "challenger": leg.baseline}
    if location.status == "unresolved":
        return _unresolved(located, names)
    known = location.status in ("crossing", "several")
    changes = tuple(
        Change(heads=each.heads, low=each.low, high=each.high, use=names[each.direction], confidence=each.confidence)
        for each in (location.crossings if known else ())
    )
    throughout = {"above": leg.baseline, "below": leg.challenger, "tie": leg.baseline}.get(location.status)
    below = other[location.crossings[0].direction] if changes else throughout
    return Entry(
        batch_size=leg.batch_size,
        status=location.status,
        below=below,
        changes=changes,
        searched_from=leg.low,
        searched_to=leg.high,
    )


def _unresolved(located: Located, names: Mapping[str, str]) -> Entry:
    """What an answer that lacks something does tell: confirmed crossings, and N at which one rival surely leads."""
    leg, location = located.leg, located.location
    known = _known_leads(location)
    bare = Entry(
        batch_size=leg.batch_size, status=location.status, below=None, searched_from=leg.low, searched_to=leg.high
    )
    if not known:
        return replace(bare, undecided=((leg.low, leg.high),))
    confirmed = {(each.low, each.high): each for each in location.crossings}
    first, last = known[0][0], known[-1][0]
    undecided = [(leg.low, first - 1)] if first > leg.low else []
    changes = []
    for (left, before), (right, after) in itertools.pairwise(known):
        crossing = confirmed.get((left, right))
        if before != after:
            heads, confidence = (crossing.heads, crossing.confidence) if crossing else (right, 0.0)
            changes.append(Change(heads=heads, low=left, high=right, use=names[after], confidence=confidence))
        if crossing is None and (before != after or _overlaps(location.bracket, left, right)) and right - left > 1:
            undecided.append((left + 1, right - 1))
    if last < leg.high:
        undecided.append((last + 1, leg.high))
    return replace(bare, below=names[known[0][1]], changes=tuple(changes), undecided=tuple(undecided))


def _known_leads(location: Location) -> list[tuple[int, str]]:
    """(N, who leads), ascending: the ends of confirmed crossings, and probes outside of them and of the bracket."""
    other = {"baseline": "challenger", "challenger": "baseline"}
    crossings = location.crossings
    found = {}
    spans = [(each.low, each.high) for each in crossings] + ([location.bracket] if location.bracket else [])
    for probe in location.probes:
        if any(low < probe.heads < high for low, high in spans):
            continue
        if abs(probe.log_ratio) > SURELY * (probe.high - probe.low) / 2:
            found[probe.heads] = "challenger" if probe.log_ratio > 0 else "baseline"
    for each in crossings:
        found[each.low], found[each.high] = other[each.direction], each.direction
    return sorted(found.items())


def _overlaps(bracket: tuple[int, int] | None, left: int, right: int) -> bool:
    return bracket is not None and bracket[0] < right and left < bracket[1]


def _held_back(entry: Entry, constrained: Constrained, baseline: str, challenger: str) -> Entry:
    """The baseline wherever the challenger is faster and not right: a wrong answer is no answer."""
    start = constrained.counts_from
    entry = replace(entry, requires=True, counts_from=start)
    if start is None:
        return replace(entry, below=baseline, changes=(), undecided=())
    changes = [each for each in entry.changes if each.heads > start]
    if entry.choose(start) == challenger:
        at = next((each for each in entry.changes if each.heads == start), None)
        changes.insert(0, at or Change(heads=start, low=start, high=start, use=challenger, confidence=0.0))
    undecided = tuple((max(low, start), high) for low, high in entry.undecided if high >= start)
    return replace(entry, below=baseline, changes=tuple(changes), undecided=undecided)


def _checked(table: Table, visit: Sequence[Measurement]) -> Checked | None:
    """The regret at one visited point."""
    use = table.choose(visit[0].heads, visit[0].batch_size)
    logs = [math.log(pair.challenger / pair.baseline) for pair in pairs(visit[0], visit[1])]
    if use is None or not logs:
        return None
    lead = float(centre(logs))  # above 0 the baseline is faster
    cost = lead if use == table.challenger else -lead
    return Checked(batch_size=visit[0].batch_size, heads=visit[0].heads, use=use, regret=math.expm1(max(cost, 0.0)))


def _visits(measurements: Iterable[Measurement]) -> list[list[Measurement]]:
    found: dict[int, list[Measurement]] = defaultdict(list)
    for each in measurements:
        if each.purpose == "regret" and each.outcome == "measured":
            found[each.visit].append(each)
    return [visit for visit in found.values() if len(visit) == 2]


def _place(checked: Checked) -> tuple[int, int]:
    return checked.batch_size, checked.heads
