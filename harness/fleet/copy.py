"""A machine's run as it arrives here: written to its place by offset, so that nothing is doubled and nothing is skipped."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from harness.errors import HarnessError
from harness.fleet import unit
from harness.fleet.messages import GROWING, WHOLE, Chunk, Extent, Name, read
from harness.records.writer import write_atomically, writing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST = 80
_MOST_AHEAD = 1000  # parts that wait for one before them


def folder_name(machine: str) -> str:
    """A machine's name as the name of a folder: a stranger may have chosen it."""
    return _UNSAFE.sub("_", machine).lstrip("._-")[:_LONGEST] or "machine"


class Copy:
    """The folder here that follows a run's folder on a machine.

    Only the four files of records are ever written, whatever a machine sends, and only by appending to what is there.
    """

    def __init__(self, folder: Path, machine: str) -> None:
        self._folder, self._machine = folder, machine
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        if any((folder / name).is_symlink() for name in (*GROWING, *WHOLE)):
            raise HarnessError("a file of records is a link", where=str(folder), next_step="put the file in its place")
        self._ahead: dict[Name, dict[int, bytes]] = {name: {} for name in GROWING}
        self.records = 0
        for path in (folder / name for name in GROWING):
            if path.exists():
                data = path.read_bytes()
                self.records += data.count(b"\n")
                os.truncate(path, data.rfind(b"\n") + 1)  # half a line, of a coordinator that was killed

    def have(self) -> dict[Name, Extent]:
        """What is here already."""
        return {name: found for name in GROWING if (found := unit.extent_of(self._folder / name)) is not None}

    def take(self, text: str) -> None:
        """Writes what a machine has sent; what is here already is passed over, what is ahead waits for what is missing.

        Raises:
            ChildError, HarnessError: where it is no part of a run, or another one than what is here.
        """
        chunk = read(Chunk, text, self._machine)
        if chunk.whole != (chunk.file in WHOLE):
            raise HarnessError(f"{self._machine} sent {chunk.file} in an unexpected form")
        if chunk.whole:
            write_atomically(self._folder / chunk.file, chunk.text)
            return
        waiting = self._ahead[chunk.file]
        waiting[chunk.offset] = chunk.text.encode()
        if len(waiting) > _MOST_AHEAD:
            raise HarnessError(f"{self._machine} sent {chunk.file} with a gap")
        path = self._folder / chunk.file
        with writing(self._folder), path.open("a+b") as file:
            for offset in sorted(waiting):
                size = file.seek(0, 2)
                if offset > size:
                    break
                data = waiting.pop(offset)
                known = data[: size - offset]
                file.seek(offset)
                if file.read(len(known)) != known:
                    raise HarnessError(
                        f"{self._machine} sent other records than those that are here", where=str(path),
                        next_step="move the folder away and resume, to fetch what the machine has",
                    )  # fmt: skip
                self.records += data[len(known) :].count(b"\n")
                file.write(data[len(known) :])

    def complete(self, files: Mapping[Name, Extent]) -> bool:
        """Whether all is here that the machine says it has."""
        return all(unit.extent_of(self._folder / name) == extent for name, extent in files.items())
