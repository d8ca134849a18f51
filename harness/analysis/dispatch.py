"""Which contender to use at which batch size and N, and what deciding so costs where it was not measured before."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import TYPE_CHECKING

from harness.analysis.bias import range_within_bias
from harness.analysis.regret import FEWEST_PAIRS, Checked, mean_regret, regret
from harness.records.samples import pairs
from harness.search.coverage import covered, failing, gap, still_works
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from harness.analysis.fidelity.requirement import Constrained
    from harness.records.crossovers import SearchRecord
    from harness.records.measurement import Measurement
    from harness.search.result import Direction, Location

SURELY = 1.5  # times the half-width of its interval that a single probe must lie from zero to decide alone


@dataclass(frozen=True, kw_only=True)
class Change:
    """From this N on, another contender is to be used."""

    heads: int
    low: int
    high: int
    use: str
    confidence: float  # 0 where launches did not confirm it, or where it is not for speed
    reason: str = ""  # where it is not for speed: who fails


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
        """The contender to use; None where that is not known, and outside of the range that was searched."""
        if not self.searched_from <= heads <= self.searched_to:
            return None
        if any(low <= heads <= high for low, high in self.undecided):
            return None
        return self.leads(heads)

    def leads(self, heads: int) -> str | None:
        """By the changes alone, whatever is undecided."""
        use = self.below
        for change in self.changes:
            if heads >= change.heads:
                use = change.use
        return use


@dataclass(frozen=True, kw_only=True)
class Table:
    """The dispatch table of one race: its frontier N*(B), and the regret of deciding by it."""

    race: str
    baseline: str
    challenger: str
    entries: tuple[Entry, ...]
    checked: tuple[Checked, ...] = ()
    unchecked: tuple[str, ...] = ()  # of the two, those whose output was compared with nothing but itself
    bias: float = 0.0  # systematic error of log-ratios that the run's A/A test has seen; intervals are widened by it

    @property
    def mean_regret(self) -> float:
        """Over the points that no search used; NaN where there are none."""
        return mean_regret(self.checked).value

    @property
    def largest_regret(self) -> float:
        """Over the points that no search used; NaN where there are none."""
        return max((each.regret for each in self.checked), default=math.nan)

    @property
    def sentence(self) -> str:
        """What deciding by the table costs, and where it cannot decide; empty where neither is to be said."""
        said = []
        if self.checked:
            mean = mean_regret(self.checked)
            said.append(
                f"deciding by these crossovers costs {max(mean.value, 0.0):.1%} on average and "
                f"{max(self.largest_regret, 0.0):.1%} at most, measured at {counted(len(self.checked), 'point')} that "
                f"no search used (95 % interval of the mean: {mean.low:.1%} to {mean.high:.1%})"
            )
        if self.undecided:
            said.append(f"for {self.undecided} of {len(self.entries)} batch sizes some N, or all, are left undecided")
        if self.unchecked:
            said.append(f"{' and '.join(self.unchecked)}: unchecked, its output was compared with nothing but itself")
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
    located: Sequence[SearchRecord],
    measurements: Iterable[Measurement],
    constrained: Mapping[tuple[str, int], Constrained] | None = None,
    *,
    bias: float = 0.0,
    unproved: Collection[str] = (),
) -> tuple[Table, ...]:
    """The dispatch tables of all races that were searched.

    Args:
        located: the answers of the searches.
        measurements: of the run; those made for the regret are used.
        constrained: by race and batch size, where the challenger counts only if it is also right.
        bias: systematic error of log-ratios that the run's A/A test has seen: the answers are widened by it already.
        unproved: contenders whose output was compared with nothing but itself.
    """
    races: dict[str, list[SearchRecord]] = defaultdict(list)
    for each in located:
        races[each.case.race].append(each)
    visits = _visits(measurements)
    return tuple(
        replace(
            _table(race, answers, visits, constrained or {}, bias),
            bias=bias,
            unchecked=tuple(n for n in (answers[0].case.baseline, answers[0].case.challenger) if n in unproved),
        )
        for race, answers in races.items()
    )


def _table(
    race: str,
    answers: Sequence[SearchRecord],
    visits: Sequence[Sequence[Measurement]],
    constrained: Mapping[tuple[str, int], Constrained],
    bias: float,
) -> Table:
    case = answers[0].case
    ordered = sorted(answers, key=lambda each: each.case.batch_size)
    fastest = Table(
        race=race,
        baseline=case.baseline,
        challenger=case.challenger,
        entries=tuple(_with_failures(_entry(each, bias), each) for each in ordered),
    )
    held_back = {
        batch: _require_fidelity(_entry(each, bias), constrained[race, batch], case.baseline, case.challenger)
        for each in ordered
        if (race, batch := each.case.batch_size) in constrained
    }
    entries = tuple(
        _with_failures(held_back[entry.batch_size], each) if entry.batch_size in held_back else entry
        for entry, each in zip(fastest.entries, ordered, strict=True)
    )
    labels = {each.case.label for each in answers}
    checked = [found for visit in visits if visit[0].leg in labels and (found := _checked(fastest, visit)) is not None]
    return replace(fastest, entries=entries, checked=tuple(sorted(checked, key=attrgetter("batch_size", "heads"))))


def _entry(located: SearchRecord, bias: float) -> Entry:
    """The changes of the lead as changes of the contender to use; undecided where it is slighter than the bias."""
    case, location = located.case, located.location
    names = {"baseline": case.baseline, "challenger": case.challenger}
    other = {"baseline": case.challenger, "challenger": case.baseline}
    if location.status == "unresolved":
        return _unresolved_entry(located, names)
    known = location.status in ("crossing", "several")
    changes = tuple(
        Change(heads=each.heads, low=each.low, high=each.high, use=names[each.direction], confidence=each.confidence)
        for each in (location.crossings if known else ())
    )
    throughout = {"above": case.baseline, "below": case.challenger, "tie": case.baseline}.get(location.status)
    below = other[location.crossings[0].direction] if changes else throughout
    slight = range_within_bias(location, bias)
    return Entry(
        batch_size=case.batch_size,
        status=location.status,
        below=below,
        changes=changes,
        undecided=(slight,) if slight else (),
        searched_from=case.low,
        searched_to=case.high,
    )


def _unresolved_entry(located: SearchRecord, names: Mapping[str, str]) -> Entry:
    """What an answer that lacks something does tell: confirmed crossings, and N at which one contender surely leads."""
    case, location = located.case, located.location
    known = _known_leads(location)
    bare = Entry(
        batch_size=case.batch_size, status=location.status, below=None, searched_from=case.low, searched_to=case.high
    )
    if not known:
        return replace(bare, undecided=((case.low, case.high),))
    confirmed = {(each.low, each.high): each for each in location.crossings}
    first, last = known[0][0], known[-1][0]
    undecided = [(case.low, first - 1)] if first > case.low else []
    changes = []
    for (left, before), (right, after) in itertools.pairwise(known):
        crossing = confirmed.get((left, right))
        if before != after:
            heads, confidence = (crossing.heads, crossing.confidence) if crossing else (right, 0.0)
            changes.append(Change(heads=heads, low=left, high=right, use=names[after], confidence=confidence))
        if crossing is None and (before != after or _overlaps(location.bracket, left, right)) and right - left > 1:
            undecided.append((left + 1, right - 1))
    if last < case.high:
        undecided.append((last + 1, case.high))
    return replace(bare, below=names[known[0][1]], changes=tuple(changes), undecided=tuple(undecided))


def _with_failures(entry: Entry, located: SearchRecord) -> Entry:
    """The same where one of the two fails: the other one is used there, since it works.

    Between a failure and the measured N beside it nothing is known, unless the one that works leads there anyway.
    """
    location, case = located.location, located.case
    names: dict[Direction, str] = {"baseline": case.baseline, "challenger": case.challenger}
    span = covered(location)
    if span is None:
        return replace(entry, below=None, changes=(), undecided=((case.low, case.high),))
    working: list[Change] = []  # who is used from `low` to `high`, for the reason given
    undecided: list[tuple[int, int]] = []
    for each, reason in failing(location, names):
        low, high = gap(each, location)
        who = still_works(each)
        if who is None or (who == "challenger" and _is_held_back(entry, each.low)):
            undecided.append((low, high))
            continue
        use = names[who]
        start = low if each.last_good is not None and entry.choose(each.last_good) == use else each.low
        alone = each.next_good == high + 1  # nothing else fails before that N
        stop = high if alone and each.next_good is not None and entry.choose(each.next_good) == use else each.high
        undecided += [span for span in ((low, start - 1), (stop + 1, high)) if span[0] <= span[1]]
        working.append(Change(heads=start, low=start, high=stop, use=use, confidence=0.0, reason=reason))
    spans = [(each.low, each.high) for each in working]
    ends = [each for each in ((case.low, span[0] - 1), (span[1] + 1, case.high)) if each[0] <= each[1]]
    undecided += [part for each in (*entry.undecided, *ends) for part in _without_spans(each, [*spans, *undecided])]
    if not working and not undecided:
        return entry
    return _merged(entry, working, tuple(sorted(set(undecided))))


def _is_held_back(entry: Entry, heads: int) -> bool:
    """The challenger is not known to be as right there as its race requires."""
    return entry.requires and (entry.counts_from is None or heads < entry.counts_from)


def _merged(entry: Entry, working: Sequence[Change], undecided: tuple[tuple[int, int], ...]) -> Entry:
    """The entry with these spans put over its changes."""
    changes = [each for each in entry.changes if not any(span.low <= each.heads <= span.high for span in working)]
    for span in working:
        back = entry.leads(span.high + 1)
        changes.append(replace(span, high=span.low))
        if span.high < entry.searched_to and back is not None:
            after = Change(heads=span.high + 1, low=span.high, high=span.high + 1, use=back, confidence=0.0)
            changes.append(after)
    use, kept = entry.below, []
    for each in sorted(changes, key=lambda change: change.heads):
        if each.use != use:
            kept.append(each)
        use = each.use
    return replace(entry, changes=tuple(kept), undecided=undecided)


def _without_spans(span: tuple[int, int], others: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of a span that lie in none of the others."""
    parts = [span]
    for low, high in others:
        parts = [each for a, b in parts for each in ((a, min(b, low - 1)), (max(a, high + 1), b)) if each[0] <= each[1]]
    return parts


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


def _require_fidelity(entry: Entry, constrained: Constrained, baseline: str, challenger: str) -> Entry:
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
    if use is None or len(logs) < FEWEST_PAIRS:
        return None
    paid, low, high = regret(logs if use == table.challenger else [-each for each in logs])
    place = visit[0]
    return Checked(batch_size=place.batch_size, heads=place.heads, use=use, regret=paid, low=low, high=high)


def _visits(measurements: Iterable[Measurement]) -> list[list[Measurement]]:
    found: dict[int, list[Measurement]] = defaultdict(list)
    for each in measurements:
        if each.purpose == "regret" and each.outcome == "measured":
            found[each.visit].append(each)
    return [visit for visit in found.values() if len(visit) == 2]
