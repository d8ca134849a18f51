"""Runs of one suite on many machines: N* of each, the spread between them, and what their limits predict."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import ndtri

from harness.analysis.fleet.machines import Difference, Machine, differences, machines
from harness.analysis.fleet.random_effects import LEAST, RandomEffects, random_effects
from harness.analysis.fleet.transfer import Transfer, transfer
from harness.errors import UserError
from harness.records.measurement import content_hash
from harness.suite.differences import changed
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.analysis.summary import SearchSummary, Summary
    from harness.search.result import Crossing

_ROUNDING = 12.0  # the variance of a number within 1 is 1 / 12


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """A race at a batch size on one machine."""

    machine: Machine
    search: SearchSummary | None  # None where its run has no such search

    @property
    def crossing(self) -> Crossing | None:
        """The one crossing that it states; None where there is none, or several."""
        found = self.search.located.location if self.search and self.search.located else None
        if found is None or found.status not in ("crossing", "several") or len(found.crossings) != 1:
            return None
        return found.crossings[0]

    @property
    def answer(self) -> str:
        """Why it has no one N*, as its kind: the status of the search."""
        found = self.search.located.location if self.search and self.search.located else None
        return found.status if found else "not searched"


@dataclass(frozen=True, kw_only=True, eq=False)
class FleetSearch:
    """A race at a batch size on all machines."""

    race: str
    batch_size: int
    baseline: str
    challenger: str
    places: tuple[Place, ...]  # in the order of the machines
    estimate: RandomEffects | None  # of log N*
    sentence: str  # the estimate in words, or why there is none
    beside: tuple[str, ...]  # machines that have no one N*, each kind in a sentence
    transfer: Transfer
    about_limits: str  # what the limits predict, or why they do not


@dataclass(frozen=True, kw_only=True, eq=False)
class Fleet:
    """All of it."""

    suite: str
    machines: tuple[Machine, ...]
    searches: tuple[FleetSearch, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]  # what was left out, or taken although it differs


def fleet(summaries: Sequence[Summary], names: Sequence[str] = (), *, force: bool = False) -> Fleet:
    """Runs of one question, one for each machine.

    Raises:
        UserError: where they are of different suites or data, or none of them has a search.
    """
    if not summaries:
        raise UserError("there are no runs", next_step="name the folders of runs from several machines")
    unlike = list(_differences_of_suites(summaries))
    if unlike and not force:
        raise UserError(
            f"the runs cannot be combined: {'; '.join(unlike)}",
            next_step="report those of one suite and one data set, or use --force",
        )
    found = machines(summaries, names)
    places = dict.fromkeys(
        (search.case.race, search.case.batch_size) for each in found for search in each.summary.searches
    )
    if not places:
        raise UserError("the runs have no races", next_step="name runs of a suite with races")
    notes = [f"taken with --force although {each}" for each in unlike]
    for each in found:
        if each.earlier:
            many = counted(len(each.earlier), "earlier run")
            notes.append(
                f"{each.name}: the newest run is used, {each.summary.folder}; {many} left out: {', '.join(each.earlier)}"
            )
        status = each.summary.run.status
        if status == "running":
            notes.append(f"{each.name}: the run has not ended: it is still going on, or its machine was lost")
        elif status != "complete":
            notes.append(f"{each.name}: the run is not complete, its status is {status}")
        if each.summary.quick:
            notes.append(f"{each.name}: a quick run, with fewer launches and wider precision")
        if each.summary.self_check.passed is False:
            notes.append(f"{each.name}: the A/A test failed: {each.summary.self_check.sentence}")
    return Fleet(
        suite=found[0].summary.suite.name,
        machines=found,
        searches=tuple(_search(found, race, batch) for race, batch in places),
        differences=differences(found),
        notes=tuple(notes),
    )


def _differences_of_suites(summaries: Sequence[Summary]) -> Iterator[str]:
    """In what runs differ that makes them answers to different questions, seen from the first one."""
    first = summaries[0]
    for each in summaries[1:]:
        if content_hash(_question(first)) != content_hash(_question(each)):
            which = next(
                (f"{path} is {was} and {is_}" for path, was, is_ in changed(_question(first), _question(each))), ""
            )
            yield f"{first.folder} and {each.folder} are of different suites" + (f" ({which})" if which else "")
        elif first.quick != each.quick:
            yield f"one of {first.folder} and {each.folder} is a quick run"
        elif _data(first) != _data(each):
            yield f"the data of {first.folder} and {each.folder} have different digests"
        elif _plugins(first) != _plugins(each):
            yield f"a plugin file of {first.folder} and {each.folder} differs"


def _question(summary: Summary) -> dict[str, object]:
    """The suite without what changes nothing that is measured."""
    left_out = ("description", "documented")
    return {name: value for name, value in dict(summary.run.suite).items() if name not in left_out}


def _data(summary: Summary) -> list[object]:
    run = summary.run
    return [run.source.get("digest"), *(run.sources[name].get("digest") for name in sorted(run.sources))]


def _plugins(summary: Summary) -> list[tuple[str, str]]:
    """The local plugin files by their digests."""
    return sorted(
        (name, str(about["sha256"]))
        for name, about in summary.run.offers.items()
        if isinstance(about, dict) and about.get("sha256")
    )


def _search(found: Sequence[Machine], race: str, batch: int) -> FleetSearch:
    places = tuple(
        Place(
            machine=each,
            search=next(
                (it for it in each.summary.searches if (it.case.race, it.case.batch_size) == (race, batch)), None
            ),
        )
        for each in found
    )
    case = next(each.search.case for each in places if each.search is not None)
    estimate, sentence = _estimate(places)
    measured = [float(each.crossing.heads) if each.crossing else None for each in places]
    floors = [
        float(each.search.floor_crossing)
        if each.search is not None and each.search.floor_crossing is not None
        else None
        for each in places
    ]
    predicted = transfer(measured, floors)
    return FleetSearch(
        race=race, batch_size=batch, baseline=case.baseline, challenger=case.challenger, places=places, estimate=estimate,
        sentence=sentence, beside=tuple(_other_machines(places)), transfer=predicted,
        about_limits=_limits(places, floors, predicted),
    )  # fmt: skip


def _estimate(places: Sequence[Place]) -> tuple[RandomEffects | None, str]:
    known = [each.crossing for each in places if each.crossing is not None]
    if len(known) < LEAST:
        return (
            None,
            f"{counted(len(known), 'machine')} with one N*: the spread between machines is estimated from {LEAST} on",
        )
    if len({each.direction for each in known}) > 1:
        return None, "no estimate: the lead does not change in the same direction on all machines"
    found = random_effects([math.log(each.heads) for each in known], [_variance(each) for each in known])
    ends = [f"{math.exp(each):,.0f}" for each in (found.predicted_low, found.predicted_high)]
    middle = [f"{math.exp(each):,.0f}" for each in (found.centre, found.low, found.high)]
    factors = [f"{math.exp(each):.2f}" for each in (found.tau, found.tau_low, found.tau_high)]
    return found, (
        f"an unseen machine has its N* between {ends[0]} and {ends[1]} (95 % prediction interval); machines differ by a factor "
        f"of {factors[0]} (one standard deviation, {factors[1]} to {factors[2]}) about {middle[0]} ({middle[1]} to {middle[2]})"
    )


def _variance(crossing: Crossing) -> float:
    """Of the logarithm of N*, from its interval; at least that of a number of which only the whole part is known."""
    quantile = float(ndtri((1.0 + crossing.confidence) / 2.0))
    width = math.log(max(crossing.high, 1) / max(crossing.low, 1))
    return float(max((width / (2.0 * quantile)) ** 2, 1.0 / (_ROUNDING * max(crossing.heads, 1) ** 2)))


def _other_machines(places: Sequence[Place]) -> Iterator[str]:
    """The machines that have no one N*, by what they have instead."""
    kinds: dict[str, list[str]] = {}
    for each in places:
        if each.crossing is None:
            kinds.setdefault(each.answer, []).append(each.machine.key)
    without = sum(map(len, kinds.values()))
    for kind, keys in kinds.items():
        found = next(each.search for each in places if each.machine.key == keys[0])
        names = (found.case.challenger, found.case.baseline) if found else ("", "")
        said = {
            "below": f"{names[0]} is faster throughout",
            "above": f"{names[1]} is faster throughout",
            "tie": "no difference anywhere",
            "several": "several crossovers",
            "crossing": "several crossovers",
            "unresolved": "undecided",
            "not searched": "not searched",
        }[kind]
        yield f"{'machine' if len(keys) == 1 else 'machines'} {', '.join(keys)}: {said}"
    if 0 < without < len(places):
        yield f"the figures above are about the {counted(len(places) - without, 'machine')} with one N*, out of {len(places)}"


def _limits(places: Sequence[Place], floors: Sequence[float | None], predicted: Transfer) -> str:
    limitless = [each.machine.key for each in places if not each.machine.summary.run.machine.get("limits")]
    if len(limitless) == len(places):
        return "no prediction from limits: no run has measured them (`limits: true` under `measurement`)"
    lacking = f"; limits were not measured on {', '.join(limitless)}" if limitless else ""
    if not any(floors):
        return (
            f"no prediction from limits: by them alone the lead does not change, or their costs are not stated{lacking}"
        )
    if predicted.error is None or predicted.error_by_others is None:
        return f"no prediction from limits: it needs a second machine with N* and limits{lacking}"
    better = (
        "so that the limits say more"
        if predicted.error < predicted.error_by_others
        else "so that the limits add nothing"
    )
    return (
        f"N* predicted from limits and the other machines is off by a factor of {predicted.error:.2f}, the mean of "
        f"the others by {predicted.error_by_others:.2f}, {better} (each machine left out once){lacking}"
    )
