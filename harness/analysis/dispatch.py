"""Which contender to use at which batch size and N, and what deciding so costs where it was not measured before."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.analysis.statistics import centre
from harness.analysis.visits import pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.analysis.located import Located
    from harness.records.measurement import Measurement


@dataclass(frozen=True, kw_only=True)
class Change:
    """From this N on, another contender is to be used."""

    heads: int
    low: int
    high: int
    use: str
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One batch size of a race."""

    batch_size: int
    status: str
    below: str | None  # the contender to use under the first change, or throughout; None where it is not known
    changes: tuple[Change, ...] = ()
    searched_from: int
    searched_to: int


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
        """What deciding by the table costs; empty where that was not measured."""
        if not self.checked:
            return ""
        return (
            f"{self.race}: deciding by these crossovers costs {self.mean_regret:.1%} on average and "
            f"{self.largest_regret:.1%} at most, measured at {len(self.checked)} points that no search used"
        )

    def choose(self, heads: int, batch_size: int) -> str | None:
        """The contender to use; None where the table does not say."""
        entry = next((each for each in self.entries if each.batch_size == batch_size), None)
        if entry is None:
            return None
        use = entry.below
        for change in entry.changes:
            if heads >= change.heads:
                use = change.use
        return use


def tables(located: Sequence[Located], measurements: Iterable[Measurement]) -> tuple[Table, ...]:
    """The dispatch tables of all races that were searched.

    Args:
        located: the answers of the searches.
        measurements: of the run; those made for the regret are used.
    """
    races: dict[str, list[Located]] = defaultdict(list)
    for each in located:
        races[each.leg.race].append(each)
    visits = _visits(measurements)
    return tuple(_table(race, answers, visits) for race, answers in races.items())


def _table(race: str, answers: Sequence[Located], visits: Sequence[Sequence[Measurement]]) -> Table:
    leg = answers[0].leg
    entries = tuple(_entry(each) for each in sorted(answers, key=lambda each: each.leg.batch_size))
    bare = Table(race=race, baseline=leg.baseline, challenger=leg.challenger, entries=entries)
    labels = {each.leg.label for each in answers}
    checked = [found for visit in visits if visit[0].leg in labels and (found := _checked(bare, visit)) is not None]
    return Table(
        race=race,
        baseline=leg.baseline,
        challenger=leg.challenger,
        entries=entries,
        checked=tuple(sorted(checked, key=_place)),
    )


def _entry(located: Located) -> Entry:
    """The changes of the lead as changes of the contender to use."""
    leg, location = located.leg, located.location
    names = {"baseline": leg.baseline, "challenger": leg.challenger}
    other = {"baseline": leg.challenger, "challenger": leg.baseline}
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
