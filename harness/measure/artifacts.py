"""What was exported or trained, kept in folders named by the content of all that it depends on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from harness.cache import private
from harness.errors import ResourceError
from harness.measure.artifact_digests import COMPLETE, digests, unchanged
from harness.system_errors import advice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_DRAFT = ".draft-"  # then the process that fills it
_OLD_SECONDS = 86400.0  # drafts of earlier versions, which do not name their process
_PATIENCE_SECONDS = 60.0  # another process holds a key only while it checks or renames a folder
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
        self._users = folder / "users"  # for each process that relies on the cache a lock, and the keys that it needs
        self._locks = folder / "locks"  # one for each key while its folder is put in its place
        self._inductor = folder / "inductor"  # see `harness.process.child.environment`
        self._bound = bound_bytes
        self._filled = 0
        self._needed: set[str] = set()  # keys that this process has handed out
        self._lock: FileLock | None = None

    def occupy(self, needed: Iterable[str] = ()) -> None:
        """Keeps others from clearing the cache while this process lives; released by the system when it dies.

        Raises:
            ResourceError: where the cache could be written by others, whose code would then be loaded.
        """
        private(self.folder.parent, self.folder, self._inductor)
        self._needed.update(needed)
        with contextlib.suppress(OSError):  # a cache that cannot be written is told where it is filled
            self._users.mkdir(parents=True, exist_ok=True)
            self._user()  # forgets the dead
            self._lock = FileLock(self._users / f"{os.getpid()}.lock", thread_local=False)
            self._lock.acquire(timeout=0)
            self._note()
            self._sweep()

    def obtain(self, parts: Any, fill: Callable[[Path], dict[str, Any]]) -> tuple[Path, dict[str, Any], bool]:
        """The folder for these parts, filled once, and again where a file in it is not what was written.

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
        self._needed.add(key)
        self._note()
        with self._changing(key):
            if (about := _complete(folder)) is not None:
                with contextlib.suppress(OSError):
                    os.utime(folder)
                return folder, about, True
        try:
            draft = Path(tempfile.mkdtemp(prefix=f"{_DRAFT}{os.getpid()}-", dir=self.folder))
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        try:
            about = {**fill(draft), "parts": parts}
            about |= {"bytes": _size(draft), "files": digests(draft)}
            (draft / COMPLETE).write_text(json.dumps(about, default=str))
            with self._changing(key):
                if (faster := _complete(folder)) is not None:  # by another process, whose workers may be loading it
                    return folder, faster, True
                if folder.exists():
                    shutil.rmtree(folder, ignore_errors=True)  # an incomplete or damaged one
                draft.rename(folder)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        self._filled += 1
        if self._filled % _FILLED_BETWEEN_TRIMS == 1:
            self._trim()
        return folder, about, False

    def entries(self) -> Iterator[Entry]:
        """All complete folders, the one used last first."""
        found = []
        for done in self.folder.glob(f"*/{COMPLETE}"):
            with contextlib.suppress(OSError, ValueError, RecursionError):
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
        freed = _size(self.folder) + _size(self._inductor)
        for each in (self.folder, self._inductor, self._locks):
            shutil.rmtree(each, ignore_errors=True)
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
            else:
                path.with_suffix(".keys").unlink(missing_ok=True)
        return found

    @contextlib.contextmanager
    def _changing(self, key: str) -> Iterator[None]:
        """Nobody else looks at this folder, or replaces it, meanwhile."""
        try:
            for each in (self.folder, self._locks):
                each.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = FileLock(self._locks / f"{key}.lock", timeout=_PATIENCE_SECONDS)
            lock.acquire()
        except OSError as error:  # filelock's Timeout is one
            raise _unwritable(self.folder, error) from error
        try:
            yield
        finally:
            lock.release()

    def _note(self) -> None:
        """Writes down which keys this process needs, for as long as it holds its lock."""
        if self._lock is not None and self._lock.is_locked:
            with contextlib.suppress(OSError):
                Path(self._lock.lock_file).with_suffix(".keys").write_text("\n".join(sorted(self._needed)))

    def _needed_by_all(self) -> set[str]:
        """The keys that living processes need."""
        found = set(self._needed)
        self._user()
        for path in self._users.glob("*.keys"):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                found.update(path.read_text().split())
        return found

    def _sweep(self) -> None:
        """Removes the drafts of processes that were killed."""
        living = {path.stem for path in self._users.glob("*.lock")} | {str(os.getpid())}
        for draft in self.folder.glob(f"{_DRAFT}*"):
            owner, dash, _ = draft.name.removeprefix(_DRAFT).partition("-")
            known = bool(dash) and owner.isdigit()
            with contextlib.suppress(OSError):
                if (known and owner not in living) or (
                    not known and draft.stat().st_mtime < time.time() - _OLD_SECONDS
                ):
                    shutil.rmtree(draft, ignore_errors=True)

    def _trim(self) -> None:
        self._user()
        self._sweep()
        needed = self._needed_by_all()
        total = sum(_size(each) for each in self.folder.glob(f"{_DRAFT}*"))
        for entry in sorted(self.entries(), key=lambda entry: (_TRAINED not in entry.about, -entry.used)):
            total += entry.size_bytes
            if total > self._bound and entry.key not in needed:
                with self._changing(entry.key):
                    shutil.rmtree(entry.folder, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> ResourceError:
    return ResourceError(f"artifacts cannot be written: {error}", where=str(folder), next_step=advice(error))


def _complete(folder: Path) -> dict[str, Any] | None:
    """What is remembered of a folder; None where it is not complete, or a file of it is damaged."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        about = json.loads((folder / COMPLETE).read_text())
        if isinstance(about, dict) and unchanged(folder, about.get("files")):
            return about
    return None


def _size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
