"""What a file of records must hold, so that a file put in its place is noticed and completed."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass
class Ledger:
    """The lines that one file of a run holds, and by which device, inode and size the file is known.

    The lines are kept in memory: what was truncated or written over is nowhere else.
    """

    _lines: list[bytes] = field(default_factory=list)
    _known: tuple[int, ...] = ()

    @classmethod
    def of(cls, path: Path) -> Ledger:
        """The ledger of a file as it is now."""
        return cls(path.read_bytes().splitlines(keepends=True), _identity(path.stat()))

    def note(self, file: IO[bytes], lines: Sequence[bytes]) -> None:
        """Notes lines that were appended to the open file."""
        self._lines += lines
        self._known = _identity(os.fstat(file.fileno()))

    def is_unchanged(self, path: Path) -> bool:
        """Whether the folder still shows the file that was written, as it was left."""
        try:
            return _identity(path.stat()) == self._known
        except OSError:
            return False

    def missing(self, found: bytes) -> tuple[int, bytes]:
        """How many bytes of such a file to keep, and what to append to them so that it holds every line.

        Whole lines stay, also those that another process has written; half of a last line is cut off, as on resuming.
        """
        lines = found.splitlines(keepends=True)
        keep, ending = len(found), b""
        if lines and not found.endswith(b"\n"):
            if _is_json(lines[-1]):
                ending = b"\n"
            else:
                keep -= len(lines.pop())
        there = {_content(line) for line in lines}
        return keep, ending + b"".join(line for line in self._lines if _content(line) not in there)


def _identity(state: os.stat_result) -> tuple[int, ...]:
    return state.st_dev, state.st_ino, state.st_nlink, state.st_size


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _content(line: bytes) -> bytes:
    """What a line says, however it is laid out: an editor may have changed its blanks or its end."""
    try:
        return json.dumps(json.loads(line), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return line.strip()
