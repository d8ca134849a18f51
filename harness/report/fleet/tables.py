"""A fleet as tables: the machines, N* of each, the spread between them, and in what they differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness.report.answers import answer
from harness.report.table import Entry, Table, text
from harness.search import wording as verdicts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.analysis.fleet.fleet import Fleet, FleetSearch, Place
    from harness.analysis.fleet.random_effects import RandomEffects

_NONE = ""


def tables(fleet: Fleet) -> tuple[Table, ...]:
    """All of them, in the order of the page."""
    found = (crossovers(fleet), estimates(fleet), differences(fleet), machines(fleet))
    return tuple(each for each in found if each.rows)


def machines(fleet: Fleet) -> Table:
    """Which run counts for which machine."""
    rows: tuple[tuple[Entry, ...], ...] = tuple(
        (
            text(each.key), text(each.processor), text(each.given),
            text(each.summary.folder), text(each.summary.run.started[:16].replace("T", " ")),
            text(each.summary.run.status), Entry(f"{len(each.earlier)}", len(each.earlier)),
        )
        for each in fleet.machines
    )  # fmt: skip
    columns: tuple[str, ...] = (
        "machine",
        "processor",
        "name",
        "run",
        "started, UTC",
        "status",
        "earlier runs left out",
    )
    if not any(row[2].text for row in rows):
        columns, rows = columns[:2] + columns[3:], tuple(row[:2] + row[3:] for row in rows)
    return Table(
        name="machines", title="Machines", columns=columns, rows=rows, numeric=(len(columns) - 1,),
        note="Runs of one machine are not pooled: the newest counts.",
    )  # fmt: skip


def crossovers(fleet: Fleet) -> Table:
    """N* with its intervals on each machine, and what the limits predict."""
    rows: list[tuple[Entry, ...]] = [
        (
            text(search.race), Entry(f"{search.batch_size:,}", search.batch_size), text(place.machine.key), _crossover(place),
            _decision(place), text(_sides(place)), *_predicted(search, index),
        )
        for search in fleet.searches
        for index, place in enumerate(search.places)
    ]  # fmt: skip
    columns = [
        "race", "batch", "machine", "N* (interval)", "undecided between", "faster below → above", "from limits", "off by",
    ]  # fmt: skip
    if not any(row[-1].text or row[-2].text for row in rows):
        columns, rows = columns[:-2], [row[:-2] for row in rows]
    return Table(
        name="crossovers", title="Crossovers by machine", columns=tuple(columns), rows=tuple(rows), numeric=(1,),
        keys=(0, 1, 2),
        note="Undecided between: below it one contender is faster, above it the other. From limits: predicted from the machine's "
        "measured limits and the N* of the other machines, never from its own.",
    )  # fmt: skip


def estimates(fleet: Fleet) -> Table:
    """The spread between machines; of races whose machines are enough."""
    rows: tuple[tuple[Entry, ...], ...] = tuple(
        (text(search.race), Entry(f"{search.batch_size:,}", search.batch_size), *_estimate(search.estimate))
        for search in fleet.searches
        if search.estimate is not None
    )
    return Table(
        name="estimates", title="An unseen machine",
        columns=("race", "batch", "machines", "N* of an unseen machine", "middle", "spread (factor)"), rows=rows,
        numeric=(1, 2), keys=(0, 1),
        note="95 % prediction interval; middle of the machines with its 95 % interval; spread: one standard deviation "
        "between machines. Random effects on log N*, by restricted maximum likelihood, Hartung and Knapp.",
    )  # fmt: skip


def differences(fleet: Fleet) -> Table:
    """The facts of which not all machines have the same."""
    return Table(
        name="differences", title="What differs between the machines",
        columns=("fact", *(each.key for each in fleet.machines)),
        rows=tuple((text(each.name), *map(text, each.values)) for each in fleet.differences),
    )  # fmt: skip


def sentences(fleet: Fleet) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each race and batch size its name, and what is to be said of it."""
    for search in fleet.searches:
        yield title(search), (search.sentence, *search.beside, search.about_limits)


def title(search: FleetSearch) -> str:
    """`documented, batch 1`."""
    return f"{search.race}, batch {search.batch_size:,}"


def _crossover(place: Place) -> Entry:
    if place.search is None:
        return Entry("not searched")
    found = answer(
        place.search, "", "", place.machine.summary.unchecked, whole=place.machine.summary.run.status == "complete"
    )
    return Entry(found.crossover + ("" if found.certain else " (unsure)"), found.value)


def _decision(place: Place) -> Entry:
    located = place.search.located if place.search else None
    decision = located.location.decision if located else None
    if decision is None:
        return Entry(_NONE)
    low, high = verdicts.ends(decision)
    return Entry(f"{low:,} to {high:,}", float(low))


def _sides(place: Place) -> str:
    if place.search is None or place.search.located is None:
        return _NONE
    found = answer(place.search, "", "", place.machine.summary.unchecked)
    return found.below if found.below == found.above else f"{found.below} → {found.above}"


def _predicted(search: FleetSearch, index: int) -> tuple[Entry, Entry]:
    predicted, crossing = search.transfer.predicted[index], search.places[index].crossing
    if predicted is None:
        return Entry(_NONE), Entry(_NONE)
    shown = Entry(f"{float(f'{predicted:.2g}'):,.0f}", predicted)
    if crossing is None:
        return shown, Entry(_NONE)
    factor = math.exp(abs(math.log(predicted / crossing.heads)))
    return shown, Entry(f"{factor:.2f}x", factor)


def _estimate(found: RandomEffects) -> tuple[Entry, ...]:
    low, high, middle, first, last = (
        math.exp(each) for each in (found.predicted_low, found.predicted_high, found.centre, found.low, found.high)
    )
    tau, tau_low, tau_high = (math.exp(each) for each in (found.tau, found.tau_low, found.tau_high))
    return (
        Entry(f"{found.machines}", found.machines),
        Entry(f"{low:,.0f} to {high:,.0f}", low),
        Entry(f"{middle:,.0f} ({first:,.0f} to {last:,.0f})", middle),
        Entry(f"{tau:.2f} ({tau_low:.2f} to {tau_high:.2f})", tau),
    )
