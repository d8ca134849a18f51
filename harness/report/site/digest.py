"""What a site says of one run, read from its small files; raw seconds are not read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness import plain_file, plain_json
from harness.analysis.summary import SearchSummary
from harness.errors import RecordsError
from harness.records import crossovers as stored
from harness.records.reader import FIDELITY, LARGEST_BYTES, LOCATED, MEASUREMENTS, RUN, read_run
from harness.report.answers import answer
from harness.report.verification import STORED
from harness.search import wording as verdicts
from harness.search.result import Crossing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.records.crossovers import SearchRecord
    from harness.records.measurement import RunInfo
    from harness.report.answers import Answer

RAW = (RUN, MEASUREMENTS, FIDELITY, LOCATED, "dispatch.json", STORED, "report.md", "report.html")
_TAIL = 1 << 18  # bytes at the end of the measurements, in which the last whole line is looked for


@dataclass(frozen=True, kw_only=True)
class Doing:
    """How far a run has come that has not ended."""

    records: int
    launch: int | None
    last: str  # the cell that was measured last


@dataclass(frozen=True, kw_only=True)
class Digest:
    """One run."""

    name: str  # of its pages: letters that every file system and address can hold
    folder: Path
    run: RunInfo
    answers: tuple[Answer, ...]
    report: Mapping[str, Any]  # report.json; empty where there is none yet
    doing: Doing | None
    files: tuple[str, ...]  # raw records

    @property
    def suite(self) -> str:
        """The suite's name."""
        return str(self.run.suite.get("name", ""))

    @property
    def self_check(self) -> str:
        """`passed`, `failed`, `inconclusive` or `not made`."""
        found = self.report.get("self_check", {})
        if found.get("resolvable") is None:
            return "not made"
        return {True: "passed", False: "failed"}.get(found.get("passed"), "inconclusive")

    @property
    def synthetic(self) -> bool:
        """Made up, for tests."""
        return any("synthetic" in each for each in self.run.warnings)


def stamp(folder: Path) -> str:
    """Changes whenever a file of the run does."""
    found = []
    for name in RAW:
        try:
            state = (folder / name).stat()
        except OSError:
            continue
        found.append(f"{name}:{state.st_mtime_ns}:{state.st_size}")
    return " ".join(found)


def read(folder: Path, name: str) -> Digest:
    """A run's folder in short.

    Raises:
        RecordsError: where it is not one, or is of another version.
    """
    run = read_run(folder)
    report = _json(folder / STORED)
    located = stored.load(_json(folder / LOCATED).get("located", []))
    published = {
        (each.get("race"), each.get("batch_size")): each
        for each in report.get("documented", [])
        if each.get("quantity") == "crossover"
    }
    unproved = tuple(report.get("unchecked", ()))
    answers = []
    reports = {(each.get("race"), each.get("batch_size")): each for each in report.get("crossovers", [])}
    for found in located:
        reported = reports.get((found.case.race, found.case.batch_size), {})
        each = _as_reported(found, reported)
        asked = each.case
        of_heads = asked.counts == "heads"
        said = verdicts.sentence(each.location, asked.challenger, asked.baseline, asked.batch_size, of_heads=of_heads)
        names = () if of_heads else (asked.challenger, asked.baseline)
        search = SearchSummary(case=each.case, located=each, sentence=said, notes=verdicts.remarks(each.location, *names),
                         reservations=tuple(reported.get("reservations", ())))  # fmt: skip
        figure = published.get((each.case.race, each.case.batch_size), {})
        answers.append(answer(search, figure.get("documented", ""), figure.get("verdict", ""), unproved))
    return Digest(
        name=name, folder=folder, run=run, answers=tuple(answers), report=report,
        doing=_current_stage(folder) if run.status == "running" else None,
        files=tuple(each for each in RAW if _is_own(folder, each)),
    )  # fmt: skip


def _is_own(folder: Path, name: str) -> bool:
    """Whether a run has this file, and in its own folder: a site publishes nothing that a link names elsewhere."""
    path = folder / name
    return path.is_file() and path.resolve().parent == folder.resolve()


def _as_reported(found: SearchRecord, reported: Mapping[str, Any]) -> SearchRecord:
    """As in the report, which widens intervals by a bias that the self-check has seen; what was stored has none."""
    if not reported:
        return found
    crossings = tuple(Crossing(**each) for each in reported.get("crossings", ()))
    if (crossings, reported.get("status")) == (found.location.crossings, found.location.status):
        return found
    return replace(
        found, location=replace(found.location, crossings=crossings, status=reported["status"], decision=None)
    )


def figures(digest: Digest) -> dict[str, Any]:
    """What two runs are compared by: crossovers and latencies with their intervals, versions and the machine."""
    return {
        "run": digest.name,
        "suite": digest.suite,
        "started": digest.run.started,
        "commit": digest.run.commit or "",
        "versions": dict(digest.run.versions),
        "machine": {key: str(value) for key, value in digest.run.machine.items() if key in _MACHINE},
        "options": str(digest.run.suite_digest),
        "crossovers": {f"{each.search.case.label}": _crossover(each) for each in digest.answers},
        "cells": dict(_cells(digest)),
    }


_MACHINE = ("processor", "architecture", "usable_cores", "memory_bytes", "python", "governor", "system")


def _crossover(found: Answer) -> dict[str, Any]:
    crossings = found.search.located.location.crossings if found.search.located else ()
    return {
        "text": found.crossover, "below": found.below, "above": found.above,
        "crossings": [[each.heads, each.low, each.high] for each in crossings],
        "decided": found.certain,
    }  # fmt: skip


def _cells(digest: Digest) -> Iterator[tuple[str, list[float | None]]]:
    """Seconds per call with their interval, of the cells that several launches measured."""
    for each in digest.report.get("cells", []):
        call = each.get("call")
        if call and call.get("launches", 0) > 1:
            name = f"{each['contender']} at N = {each['heads']:,}, batch {each['batch_size']}"
            yield name, [call["value"], call.get("low"), call.get("high")]


def _current_stage(folder: Path) -> Doing:
    """From the records that are there; a line that is being written does not count."""
    path = folder / MEASUREMENTS
    if not path.exists():
        return Doing(records=0, launch=None, last="")
    with path.open("rb") as file:
        count = sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        file.seek(max(0, path.stat().st_size - _TAIL))
        lines = file.read().split(b"\n")[:-1]
    try:
        last = plain_json.parsed(lines[-1])
    except (IndexError, ValueError):
        return Doing(records=count, launch=None, last="")
    cell = f"{last.get('contender')} at N = {last.get('heads'):,}, batch {last.get('batch_size')}"
    return Doing(records=count, launch=last.get("launch"), last=cell)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        found = plain_json.parsed(plain_file.text(path, LARGEST_BYTES))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RecordsError(f"it is not valid JSON: {error}", where=str(path)) from error
    return found if isinstance(found, dict) else {}
