"""What two runs did not measure alike: contenders and races that were redefined, other data, code and libraries.

A contender whose definition or data changed is another one under its old name, and its latency is not compared; a race
between other contenders or over another range has another N*. Libraries, plugin files and commits are what a regression
test is about: their changes are listed, and judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.records import provenance
from harness.records.crossovers import load
from harness.records.stored_suite import suite_of
from harness.suite import differences as of_suites

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.records.reader import Evidence
    from harness.suite.schema import Race, Suite

_NOT_DEFINING = {"heads", "batch_sizes", "scored", "tolerance"}  # where it takes part, and how it is checked
_SETTINGS = {
    "seed",
    "training_seeds",
    "measurement",
    "search",
}  # of the suite: change what is seen, not what is measured


@dataclass(frozen=True, kw_only=True)
class Redefinition:
    """What differs between two runs before any result is looked at."""

    contenders: Mapping[str, str]  # those that are defined otherwise, and how
    races: Mapping[str, str]
    context: tuple[str, ...]  # libraries, plugins, data and commit
    suites: tuple[str, str]

    @property
    def other_suite(self) -> bool:
        """The runs are of two suites, so that what only one of them has was not lost."""
        return self.suites[0] != self.suites[1]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything that changed, in words."""
        names = f"suite: {self.suites[0]} -> {self.suites[1]}; only what both measured is compared"
        return (
            *((names,) if self.other_suite else ()),
            *self.context,
            *(f"{name} was redefined and is not compared: {how}" for name, how in self.contenders.items()),
            *(f"race {name} was redefined and is not compared: {how}" for name, how in self.races.items()),
        )


def redefinition(old: Evidence, new: Evidence) -> Redefinition:
    """What differs between the definitions of two runs."""
    then, now = (suite_of(each.run) for each in (old, new))
    contenders = {
        name: "; ".join(how)
        for name in now.contenders
        if name in then.contenders and (how := list(_contender(name, then, now, old, new)))
    }
    ranges = tuple(
        {each.case.race: (each.case.low, each.case.high) for each in load(run.located)} for run in (old, new)
    )
    races = {
        each.name: "; ".join(how)
        for each in now.races
        if each.name in {one.name for one in then.races}
        and (how := list(_race(then.race(each.name), each, contenders, ranges)))
    }
    return Redefinition(
        contenders=contenders, races=races, context=tuple(_context(old, new)), suites=(then.name, now.name)
    )


def _contender(name: str, then: Suite, now: Suite, old: Evidence, new: Evidence) -> Iterator[str]:
    was, is_ = (each.contenders[name].model_dump(mode="json", exclude=_NOT_DEFINING) for each in (then, now))
    yield from (f"{path}: {one} -> {other}" for path, one, other in of_suites.changed(was, is_))
    if now.contenders[name].source is None and then.contenders[name].source is None:
        yield from provenance.data("the data", old.run.source, new.run.source)
        was, is_ = (each.source.model_dump(mode="json") for each in (then, now))
        yield from (f"source.{path}: {one} -> {other}" for path, one, other in of_suites.changed(was, is_))
    else:
        yield from provenance.data("its data", old.run.sources.get(name, {}), new.run.sources.get(name, {}))


def _race(
    then: Race, now: Race, contenders: Mapping[str, str], ranges: Sequence[Mapping[str, tuple[int, int]]]
) -> Iterator[str]:
    for word, one, other in (
        ("baseline", then.baseline, now.baseline),
        ("challenger", then.challenger, now.challenger),
    ):
        if one != other:
            yield f"{word}: {one} -> {other}"
    was, is_ = (each.get(now.name) for each in ranges)
    if was and is_ and was != is_:
        yield f"range of N: {was[0]:,} to {was[1]:,} -> {is_[0]:,} to {is_[1]:,}"
    yield from (f"{each} was redefined" for each in (now.baseline, now.challenger) if each in contenders)


def _context(old: Evidence, new: Evidence) -> Iterator[str]:
    yield from provenance.versions(old.run.versions, new.run.versions)
    yield from provenance.offers(old.run.offers, new.run.offers)
    yield from provenance.data("the data", old.run.source, new.run.source)
    was, is_ = (suite_of(each.run).model_dump(mode="json", by_alias=True, include=_SETTINGS) for each in (old, new))
    yield from (f"{path}: {one} -> {other}" for path, one, other in of_suites.changed(was, is_))
    if old.run.commit != new.run.commit:
        yield f"commit: {old.run.commit or 'unknown'} -> {new.run.commit or 'unknown'}"
