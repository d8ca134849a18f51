"""A run as a register holds it: a few regular files of bounded size, below a name that follows from what they hold."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from typing import TYPE_CHECKING, Any

from harness import plain_json
from harness.errors import RecordsError
from harness.printable import one_line
from harness.records.reader import FIDELITY, LOCATED, MEASUREMENTS, RUN
from harness.records.seal import canonical, digest
from harness.report.verification import STORED
from harness.units import size

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LARGEST = {  # bytes
    RUN: 2**24, MEASUREMENTS: 2**27, FIDELITY: 2**27, LOCATED: 2**24, STORED: 2**26,
}  # fmt: skip
NAME = re.compile(r"[0-9a-f]{12}-[0-9a-f]{12}-[0-9a-f]{24}")  # of a suite, of a machine, of a run's records
_NEEDED = (RUN, MEASUREMENTS, LOCATED, STORED)
_LONGEST_LINE = 2**23  # bytes
_BLOCK = 2**20
_OF_A_MACHINE = (
    "processor", "architecture", "logical_cores", "physical_cores", "usable_cores", "caches", "gpus", "node",
)  # fmt: skip


def take(folder: Path, into: Path, *, only: bool) -> None:
    """Copies the files of a run, so that what is checked is what is kept, whatever happens to the folder meanwhile.

    Raises:
        RecordsError: where it is a link, or a file is missing, a link, no regular file, or too large.
    """
    if folder.is_symlink() or not folder.is_dir():
        raise RecordsError("this is not a folder", where=_place(folder))
    held = names(folder)
    others = [name for name in held if name not in LARGEST]
    if only and others:
        raise RecordsError(
            f"it holds {one_line(others[0], 80)!r}, which is not a file of a run",
            where=_place(folder),
            next_step="remove it",
        )
    for name in _NEEDED:
        if name not in held:
            raise RecordsError(f"{name} is missing", where=_place(folder))
    for name, largest in LARGEST.items():
        if name in held:
            _copy(folder / name, into / name, largest)


def names(folder: Path) -> list[str]:
    """What a folder holds, sorted; empty where there is none."""
    return sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []


def name_of(folder: Path) -> str:
    """The name that a run has in a register: digests of its suite, of its machine, and of all that it recorded.

    The report is not part of it: it follows from the rest.

    Raises:
        RecordsError: where run.json is no JSON object.
    """
    run = content(folder)
    machine = run.get("machine")
    facts = {each: machine.get(each) for each in _OF_A_MACHINE} if isinstance(machine, dict) else {}
    files = sorted(f"{name} {digest(folder / name)}" for name in LARGEST if name != STORED and (folder / name).exists())
    whole = hashlib.sha256("\n".join(files).encode()).hexdigest()
    return f"{canonical(run.get('suite'))[:12]}-{canonical(facts)[:12]}-{whole[:24]}"


def content(folder: Path) -> Mapping[str, Any]:
    """run.json as plain data.

    Raises:
        RecordsError: where it is no JSON object.
    """
    try:
        found = plain_json.parsed((folder / RUN).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordsError(f"{RUN} is not JSON: {one_line(str(error), 120)}") from error
    if not isinstance(found, dict):
        raise RecordsError(f"{RUN} is not a JSON object")
    return found


def _copy(path: Path, to: Path, largest: int) -> None:
    """One regular file, up to so many bytes; links are not followed, and pipes are not waited for."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        what = "it is a link" if error.errno == errno.ELOOP else f"it cannot be read: {error.strerror}"
        raise RecordsError(what, where=_place(path), next_step="put the file itself in its place") from error
    with os.fdopen(handle, "rb") as source:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise RecordsError("it is not a regular file", where=_place(path))
        if about.st_size > largest:
            raise RecordsError(
                f"it is larger than {size(largest)}: {size(about.st_size)}",
                where=_place(path),
                next_step="a register does not take it",
            )
        written, line = 0, 0
        with to.open("xb") as target:
            while block := source.read(_BLOCK):
                written += len(block)
                last = block.rfind(b"\n")
                longest = (
                    line + len(block) if last < 0 else max(line + block.find(b"\n"), *map(len, block.split(b"\n")))
                )
                line = line + len(block) if last < 0 else len(block) - last - 1
                if written > largest or (path.suffix == ".jsonl" and longest > _LONGEST_LINE):
                    raise RecordsError(f"it has a line of more than {size(_LONGEST_LINE)}", where=_place(path))
                target.write(block)


def _place(path: Path) -> str:
    return one_line(str(path))
