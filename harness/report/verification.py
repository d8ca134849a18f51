"""Everything derived again from raw seconds, and compared with what the run's stored report says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import plain_file, plain_json
from harness.analysis.summary import Summary, summarise
from harness.errors import RecordsError
from harness.printable import one_line
from harness.records import crossovers as stored
from harness.records.crossovers import SearchRecord
from harness.records.reader import LARGEST_OBJECT, Evidence, read
from harness.records.replay import DivergedError, replay
from harness.report import data
from harness.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.search.result import Location

STORED = "report.json"
_VERDICTS = ("leader", "verdict", "sentence", "status", "outcome", "passed", "counts_from", "thresholds")
_BY_DATA = ("percentiles", "scores", "intervals", "spread", "thresholds", "wanted")  # mappings whose keys are data
_SAME = 1e-9  # relative; other versions of NumPy may round the last digits otherwise


@dataclass(frozen=True)
class Discrepancy:
    """One thing that the raw seconds do not say as the report says it."""

    path: str
    stored: Any
    derived: Any

    @property
    def verdict(self) -> bool:
        """It is a verdict, not only a number."""
        return any(part in self.path.rsplit(".", 1)[-1] for part in _VERDICTS)

    def __str__(self) -> str:
        stored, derived = self.stored, self.derived
        if isinstance(stored, list) and isinstance(derived, list):  # only what one has and the other has not
            stored, derived = (
                [each for each in one if each not in other] for one, other in ((stored, derived), (derived, stored))
            )
        return f"{self.path}: the report has {_value_in_words(stored)}, the raw seconds give {_value_in_words(derived)}"


@dataclass(frozen=True)
class VerifyResult:
    """What verification found."""

    agrees: bool
    moved: tuple[Discrepancy, ...]  # verdicts first
    checked: int  # statistics and verdicts compared
    sentences: tuple[str, ...]  # what to print, the conclusion first
    lacking: int = 0  # figures that the report's version did not write


def verify(folder: Path) -> VerifyResult:
    """Derives every statistic, crossover and verdict of a run again.

    Raises:
        RecordsError: where the folder cannot be read, or has no stored report to compare with.
    """
    path = folder / STORED
    evidence = read(folder)
    try:
        said = plain_json.parsed(plain_file.text(path, LARGEST_OBJECT))
    except FileNotFoundError:
        raise RecordsError(
            f"there is no {STORED} to compare with",
            where=str(folder),
            next_step=f"write it with `harness report {folder}`",
        ) from None
    except (OSError, ValueError) as error:
        raise RecordsError(f"it cannot be read: {one_line(str(error))}", where=str(path)) from error
    answers = stored.load(evidence.located)
    repeated, moved = _replay_searches(evidence, answers)
    summary = summarise(evidence, repeated)
    before, after = data.flatten(said), data.flatten(json.loads(data.to_json(summary)))
    lacking = _missing_fields(before, after)
    moved += list(_differences(before, {path: each for path, each in after.items() if path not in lacking}))
    moved.sort(key=lambda each: (not each.verdict, each.path))
    checked = len(before.keys() | after.keys()) - len(lacking)
    sentences = [*_sentences(moved, checked, summary, len(answers))]
    if lacking:
        figures = counted(len(lacking), "figure")
        advice = f"rewrite it with `harness report {folder}`"
        sentences.insert(1, f"the report was written by an earlier version and lacks {figures}; {advice}")
    return VerifyResult(not moved, tuple(moved), checked, tuple(sentences), len(lacking))


def _replay_searches(
    evidence: Evidence, answers: Sequence[SearchRecord]
) -> tuple[list[SearchRecord], list[Discrepancy]]:
    """Every search made again from its recorded pairs."""
    found, moved = [], []
    for each in answers:
        place = f"crossovers.json[{each.case.race} B={each.case.batch_size}]"
        try:
            location = replay(evidence, each.case, each.asked)
        except DivergedError as error:
            moved.append(Discrepancy(f"{place}.sentence", _answer_in_words(each.location), f"another search: {error}"))
            location = each.location
        if location != each.location and _answer_in_words(location) != _answer_in_words(each.location):
            moved.append(Discrepancy(f"{place}.sentence", _answer_in_words(each.location), _answer_in_words(location)))
        found.append(
            SearchRecord(case=each.case, location=location, seconds=each.seconds, quick=each.quick, asked=each.asked)
        )
    return found, moved


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Discrepancy]:
    for path in dict.fromkeys([*before, *after]):
        one, other = before.get(path, _Absent()), after.get(path, _Absent())
        if not _equal(one, other):
            yield Discrepancy(path, one, other)


class _Absent:
    """What stands for a figure that is not there."""

    def __str__(self) -> str:
        return "no such figure"


def _missing_fields(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """Paths of figures that the report has for no row at all, and in whose place it has nothing either.

    An empty list, an empty mapping or a null where figures should be is a statement of the report, and no gap in it.
    """
    lacking = after.keys() - before.keys()
    stated = {_kind(path) for path in before} if lacking else set()
    return {path for path in lacking if not any(each in stated for each in _with_parents(_kind(path)))}


def _kind(path: str) -> str:
    """A path without the names of its rows, `cells[].call.value`, and up to the mapping where its keys are data."""
    bare = re.sub(r"\[[^\]]*\]", "[]", path)
    for name in _BY_DATA:
        bare = re.sub(rf"(\.{name})\..*$", r"\1", bare)
    return bare


def _with_parents(kind: str) -> Iterator[str]:
    """`a[].b.c`, `a[].b`, `a[]`, `a`."""
    yield kind
    for place in range(len(kind) - 1, 0, -1):
        if kind[place] == "." or kind[place : place + 2] == "[]":
            yield kind[:place]


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= _SAME * max(abs(one), abs(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_equal(*each) for each in zip(one, other, strict=True))
    return bool(one == other)


def _answer_in_words(location: Location) -> str:
    """An answer in short, for the comparison."""
    places = ", ".join(f"{each.heads:,} ({each.low:,} to {each.high:,})" for each in location.crossings)
    return f"{location.status}{f' at {places}' if places else ''}"


def _sentences(moved: Sequence[Discrepancy], checked: int, summary: Summary, searches: int) -> Iterator[str]:
    if not moved:
        yield (
            f"agrees: {checked:,} figures and verdicts, {counted(searches, 'search')} among them, follow from "
            f"the raw seconds of {counted(len(summary.cells), 'cell')}"
        )
        return
    verdicts = [each for each in moved if each.verdict]
    yield (
        f"disagrees: {counted(len(verdicts), 'verdict')} and {counted(len(moved) - len(verdicts), 'other figure')} "
        "do not follow from the raw seconds"
    )
    yield from (f"verdict moved: {each}" for each in verdicts)
    yield from (f"figure moved: {each}" for each in moved if not each.verdict)


def _value_in_words(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else "nothing" if value is None else str(value)
    return one_line(text)
