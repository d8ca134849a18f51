"""What a run has left, read from its folder without changing anything."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from harness import plain_file, plain_json
from harness.errors import RecordsError
from harness.printable import encodable, one_line
from harness.records.measurement import SCHEMA_VERSION, Fidelity, Measurement, Record, RunInfo
from harness.records.stored_suite import check

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

RUN = "run.json"
MEASUREMENTS = "measurements.jsonl"
FIDELITY = "fidelity.jsonl"
LOCATED = "crossovers.json"

LARGEST_BYTES = 512 * plain_file.MIB  # of a file of records; months of measuring write less
LARGEST_OBJECT = 64 * plain_file.MIB  # of one that is read as one JSON object
_Kind = TypeVar("_Kind", bound=Record)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything that a run has left so far."""

    folder: Path
    run: RunInfo
    measurements: tuple[Measurement, ...] = ()
    fidelities: tuple[Fidelity, ...] = ()
    located: tuple[Mapping[str, Any], ...] = ()  # as stored; harness.records.crossovers gives them their types
    torn: tuple[str, ...] = ()  # a sentence for each line that was cut short

    @property
    def name(self) -> str:
        """The name of its folder, also where it was given as `.` or through a symbolic link."""
        name = self.folder.name if self.folder.name not in ("", "..") else self.folder.resolve().name
        return str(encodable(name))


@dataclass(frozen=True)
class Lines:
    """The records of one file, and where its last whole line ends."""

    records: tuple[Any, ...]
    end: int  # bytes
    torn: str = ""


def read(folder: Path) -> Evidence:
    """What is in a run's folder, without changing anything.

    Raises:
        RecordsError: where it is not a run's folder, or is of another version, or a line in the middle is damaged.
    """
    run = read_run(folder)
    measurements = read_lines(folder / MEASUREMENTS, Measurement)
    fidelities = read_lines(folder / FIDELITY, Fidelity)
    return Evidence(
        folder=folder,
        run=run,
        measurements=measurements.records,
        fidelities=fidelities.records,
        located=_located(folder / LOCATED),
        torn=tuple(each.torn for each in (measurements, fidelities) if each.torn),
    )


def read_run(folder: Path) -> RunInfo:
    """run.json, or a sentence about what stands in its place."""
    path = folder / RUN
    if not folder.is_dir():
        raise RecordsError(
            "there is no such folder", where=str(folder), next_step="name the folder that a run has written"
        )
    if not path.exists():
        raise RecordsError(
            f"this is not a run's folder: it has no {RUN}", where=str(folder), next_step="name a folder below results/"
        )
    found = _json(path)
    _check_version(found, str(path))
    try:
        run = RunInfo.model_validate(found)
        check(run)
    except ValidationError as error:
        raise RecordsError(f"invalid file: {_first(error)}", where=str(path)) from error
    except RecordsError as error:
        raise RecordsError(error.what, where=str(path), next_step="restore it, or run the suite again") from error
    return run


def _located(path: Path) -> tuple[Mapping[str, Any], ...]:
    """The list in crossovers.json; empty where the run has not come so far."""
    if not os.path.lexists(path):
        return ()
    found = _json(path)
    _check_version(found, str(path))
    located = found.get("located", [])
    if not isinstance(located, list):
        raise RecordsError("invalid file: `located` must be a list", where=str(path))
    return tuple(located)


def _json(path: Path) -> dict[str, Any]:
    try:
        found = plain_json.parsed(plain_file.text(path, LARGEST_OBJECT))
    except OSError as error:
        raise RecordsError(f"it cannot be read: {error.strerror}", where=str(path)) from error
    except ValueError as error:
        raise RecordsError(f"it is not JSON: {error}", where=str(path)) from error
    if not isinstance(found, dict):
        raise RecordsError("invalid file: a JSON object is expected", where=str(path))
    return found


def read_lines(path: Path, kind: type[_Kind]) -> Lines:
    """The records of a JSON Lines file; the last line may be torn, any other damage is an error with its line."""
    try:
        data = plain_file.content(path, LARGEST_BYTES) if os.path.lexists(path) else b""
    except OSError as error:
        raise RecordsError(f"it cannot be read: {error.strerror}", where=str(path)) from error
    records: list[_Kind] = []
    end = 0
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        where = f"{path}:{number}"
        last = end + len(line) == len(data)
        if line.strip():
            try:
                found = plain_json.parsed(line)
            except ValueError as error:
                if last and not line.endswith(b"\n"):
                    torn = f"{where}: the last line was cut short and is left out; what it held will be measured again"
                    return Lines(tuple(records), end, torn)
                raise RecordsError(
                    f"the line is damaged: {error}", where=where, next_step="restore or remove it"
                ) from error
            _check_version(found, where)
            try:
                records.append(kind.model_validate(found))
            except ValidationError as error:
                raise RecordsError(f"the line is not a record: {_first(error)}", where=where) from error
        end += len(line)
    return Lines(tuple(records), end)


def _check_version(found: Any, where: str) -> None:
    """Refuses records that a newer version has written, since their meaning may differ."""
    version = found.get("schema_version", SCHEMA_VERSION) if isinstance(found, dict) else SCHEMA_VERSION
    if version != SCHEMA_VERSION:
        newer = isinstance(version, int) and version > SCHEMA_VERSION
        raise RecordsError(
            f"its schema version is {one_line(str(version), 40)}, and this harness reads {SCHEMA_VERSION}",
            where=where,
            next_step="read it with the newer harness that wrote it"
            if newer
            else "read it with the harness that wrote it",
        )


def _first(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, on one line."""
    found = error.errors()[0]
    path = one_line(".".join(str(part) for part in found["loc"]))
    return f"{path or 'value'}: {one_line(str(found['msg']))}"
