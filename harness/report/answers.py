"""The answers of a run, one for each race and batch size, as short as a table needs them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import units
from harness.analysis.unchecked import marked
from harness.report import spans
from harness.search import wording as verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.analysis.summary import SearchSummary, Summary
    from harness.search.result import Crossing, Direction, Location

MARKS = {"reproduced": "=", "not reproduced": "≠", "not comparable here": "~"}
UNKNOWN = "?"


@dataclass(frozen=True, kw_only=True, eq=False)  # by identity: a summary holds mappings
class Answer:
    """A race at one batch size: where the lead changes, and who is faster on either side."""

    search: SearchSummary
    crossover: str  # `278 (236 to 324)`, `9,000 to 11,500 (3 crossings)`, `none`, `undecided`
    value: float | None  # to sort by
    below: str  # who is faster at the smallest N
    above: str  # who is faster at the largest N
    published: str  # figure, empty where there is none
    verdict: str  # of the published figure
    certain: bool  # the search came to an answer, without reservations

    @property
    def mark(self) -> str:
        """`=` reproduced, `≠` not reproduced, `~` not comparable here."""
        return MARKS.get(self.verdict, "")


def by_race(found: Sequence[Answer]) -> dict[str, list[Answer]]:
    """The answers of each race, in their order."""
    groups: dict[str, list[Answer]] = {}
    for each in found:
        groups.setdefault(each.search.case.race, []).append(each)
    return groups


def answers(summary: Summary) -> tuple[Answer, ...]:
    """In the order of the suite."""
    published = {
        each.subject: (each.documented, each.verdict) for each in summary.documented if each.quantity == "crossover"
    }
    whole = summary.run.status == "complete"
    return tuple(
        answer(search, *published.get(search.case.title, ("", "")), summary.unchecked, whole=whole)
        for search in summary.searches
    )


def answer(
    search: SearchSummary, published: str, verdict: str, unchecked: Sequence[str], *, whole: bool = True
) -> Answer:
    """Of one search, beside its published figure; a run that is not whole was ended before all searches were."""
    if search.located is None:
        text, value, sides = "not searched" if whole else "not finished", None, (UNKNOWN, UNKNOWN)
    else:
        text, value = place(search.located.location)
        names = {
            "challenger": marked(search.case.challenger, unchecked),
            "baseline": marked(search.case.baseline, unchecked),
        }
        below, above = _sides(search.located.location)
        sides = (names[below] if below else UNKNOWN, names[above] if above else UNKNOWN)
    decided = search.located is not None and search.located.location.status != "unresolved"
    return Answer(
        search=search, crossover=text, value=value, below=sides[0], above=sides[1], published=published, verdict=verdict,
        certain=decided and not search.reservations,
    )  # fmt: skip


def place(location: Location) -> tuple[str, float | None]:
    """N* with its interval as a table needs it, and the number to sort it by."""
    match location.status:
        case "crossing" | "several" if len(location.crossings) == 1:
            return _crossing(location.crossings[0]), float(location.crossings[0].heads)
        case "crossing" | "several":
            decision = location.decision
            low, high = (
                verdicts.ends(decision) if decision else (location.crossings[0].low, location.crossings[-1].high)
            )
            return f"{low:,} to {high:,} ({len(location.crossings)} crossings)", float(location.crossings[0].heads)
        case "below" | "above":
            return f"none up to {units.count((location.measured or (0, location.high))[1])}", None
        case "tie":
            return "no difference", None
        case _:
            low, high = location.bracket or (location.low, location.high)
            return f"undecided {units.count(low)} to {units.count(high)}", None


def _crossing(crossing: Crossing) -> str:
    low, high = verdicts.ends(crossing)
    if crossing.kind == "step":
        return f"{crossing.heads:,} (a step)"
    return f"{verdicts.rounded(crossing):,} ({low:,} to {high:,})"


def _sides(location: Location) -> tuple[Direction | None, Direction | None]:
    """Who is faster below all that is undecided, and above it."""
    if location.status == "below":
        return "challenger", "challenger"
    if location.status == "above":
        return "baseline", "baseline"
    if location.status == "tie":
        return None, None
    if location.decision is not None:
        return location.decision.before, location.decision.after
    if location.status in ("crossing", "several") and location.crossings:
        other: dict[Direction, Direction] = {"challenger": "baseline", "baseline": "challenger"}
        return other[location.crossings[0].direction], location.crossings[-1].direction
    zones = spans.undecided(location)
    first, last = location.measured or (location.low, location.high)
    below = spans.faster_at(location, first) if zones[0][0] > first else None
    above = spans.faster_at(location, last) if zones[-1][1] < last else None
    return below, above
