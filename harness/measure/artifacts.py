"""What was exported or trained, kept in folders named by the content of all that it depends on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from harness.errors import ResourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DONE = "complete.json"
_TRAINED = "losses"  # what is remembered of a student: minutes of training in few bytes, so that exports go first
DEFAULT_BOUND_BYTES = 8 * 2**30
_FILLED_BETWEEN_TRIMS = 50  # adding up the sizes of many folders takes longer than an export


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One folder of the cache."""

    key: str
    folder: Path
    size_bytes: int
    used: float  # seconds since the epoch
    about: dict[str, Any]


class Artifacts:
    """A bounded cache of folders. Safe to delete at any time no run is going on; `clear` sees to that.

    Args:
        folder: where.
        bound_bytes: beyond this folders are removed: exports before trained students, those used longest ago first.
    """

    def __init__(self, folder: Path, bound_bytes: int = DEFAULT_BOUND_BYTES) -> None:
        self.folder = folder / "artifacts"
        self._users = folder / "users"  # one lock for each process that relies on the cache
        self._bound = bound_bytes
        self._filled = 0
        self._lock: FileLock | None = None

    def occupy(self) -> None:
        """Keeps others from clearing the cache while this process lives; released by the system when it dies."""
        with contextlib.suppress(OSError):  # a cache that cannot be written is told where it is filled
            self._users.mkdir(parents=True, exist_ok=True)
            self._user()  # forgets the dead
            self._lock = FileLock(self._users / f"{os.getpid()}.lock", thread_local=False)
            self._lock.acquire(timeout=0)

    def obtain(self, parts: Any, fill: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any], bool]:
        """The folder for these parts, filled once.

        Args:
            parts: JSON data that all of its content depends on.
            fill: writes into a folder and returns what is to be remembered about it.

        Returns:
            the folder, what is remembered, and whether it was there already.

        Raises:
            ResourceError: where the disk is full or cannot be written.
        """
        key = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:24]
        folder = self.folder / key
        with contextlib.suppress(OSError, ValueError):
            about = json.loads((folder / _DONE).read_text())
            os.utime(folder)
            return folder, about, True
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.folder))
        except OSError as error:
            raise ResourceError(f"artifacts cannot be written: {error}", where=str(self.folder)) from error
        try:
            about = {**fill(draft), "parts": parts}
            about["bytes"] = _size(draft)
            (draft / _DONE).write_text(json.dumps(about, default=str))
            if folder.exists():
                shutil.rmtree(folder, ignore_errors=True)  # an incomplete one
            with contextlib.suppress(OSError):  # another process was faster: its content is the same
                draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._filled += 1
        if self._filled % _FILLED_BETWEEN_TRIMS == 1:
            self._trim(keep=folder)
        return folder, about, False

    def entries(self) -> Iterator[Entry]:
        """All complete folders, the one used last first."""
        found = []
        for done in self.folder.glob(f"*/{_DONE}"):
            with contextlib.suppress(OSError, ValueError):
                about = json.loads(done.read_text())
                found.append(
                    Entry(
                        key=done.parent.name,
                        folder=done.parent,
                        size_bytes=_size(done.parent),
                        used=done.parent.stat().st_mtime,
                        about=about,
                    )
                )
        yield from sorted(found, key=lambda entry: -entry.used)

    def clear(self) -> int:
        """Removes everything; the number of bytes freed.

        Raises:
            ResourceError: where a run relies on it now.
        """
        user = self._user()
        if user is not None:
            raise ResourceError(
                f"process {user} is using the cache",
                where=str(self.folder),
                next_step="wait until its run has ended, then clear",
            )
        freed = _size(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        return freed

    def _user(self) -> str | None:
        """A process that occupies the cache now; the locks of those that have died are removed."""
        found = None
        for path in self._users.glob("*.lock"):
            try:
                with FileLock(path, timeout=0, thread_local=False):
                    path.unlink(missing_ok=True)
            except Timeout:
                found = path.stem
        return found

    def _trim(self, keep: Path) -> None:
        total = 0
        for entry in sorted(self.entries(), key=lambda entry: (_TRAINED not in entry.about, -entry.used)):
            total += entry.size_bytes
            if total > self._bound and entry.folder != keep:
                shutil.rmtree(entry.folder, ignore_errors=True)


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
