"""A run's folder: append-only JSON Lines, one synced line per record, and small files that are replaced whole.

    run.json           what was asked, of which machine            replaced atomically
    measurements.jsonl one visit of one cell in one launch a line  appended
    fidelity.jsonl     one student against its teacher a line      appended
    crossovers.json    what the searches found                     replaced atomically

A process that is killed leaves at most one torn line, the last, which `read` passes over and `Store.resume` cuts off.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from filelock import FileLock, Timeout

from harness.errors import HarnessError, RecordsError, ResourceError
from harness.records.ledger import Ledger
from harness.records.measurement import Fidelity, Measurement, Record, RunInfo
from harness.records.reader import FIDELITY, LOCATED, MEASUREMENTS, RUN, Evidence, read, read_lines, read_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

__all__ = ["LOCATED", "Evidence", "Store", "read", "write_atomically", "writing"]

_LOCK = ".lock"
_OWNER = ".owner"
_REPLACED = (RUN, LOCATED, MEASUREMENTS, FIDELITY, _OWNER, "report", "dispatch.json")  # whole; leftovers begin so


@dataclass
class Store:
    """The one writer of a run's folder. A context manager; `create` and `resume` make it."""

    folder: Path
    _lock: FileLock
    _files: dict[str, IO[bytes]] = field(default_factory=dict)
    _ledgers: dict[str, Ledger] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, run: RunInfo) -> Self:
        """A store in a new or empty folder.

        Raises:
            RecordsError: where the folder holds a run, or something else, or another run is writing.
            ResourceError: where it cannot be written.
        """
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _sync(folder.parent)
        store = cls(folder, _locked(folder))
        try:
            _sweep(folder)
            _require_empty(folder)
            store.update(run)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def resume(cls, folder: Path) -> tuple[Self, Evidence]:
        """A store that continues an interrupted run, and what that run has recorded; a torn last line is removed.

        Raises:
            RecordsError: as `read`, or where another run is writing or records are links.
            ResourceError: where the folder cannot be written.
        """
        read_run(folder)
        _refuse_others(folder)
        store = cls(folder, _locked(folder))
        try:
            _sweep(folder)
            evidence = read(folder)
            for name, kind in ((MEASUREMENTS, Measurement), (FIDELITY, Fidelity)):
                _make_own(folder / name)
                store._cut_torn_line(name, kind)
        except BaseException:
            store.close()
            raise
        return store, evidence

    def append(self, *records: Measurement | Fidelity) -> None:
        """Writes records, one line each, and returns when they are on the disk.

        Records of one kind are written at once: the contenders of a visit are kept together or not at all.

        Raises:
            ResourceError: where the disk is full, or the folder was removed or may not be written.
        """
        if not records:
            return
        name = MEASUREMENTS if isinstance(records[0], Measurement) else FIDELITY
        lines = [record.model_dump_json().encode() + b"\n" for record in records]
        with writing(self.folder):
            file = self._file(name)
            _write_at_end(file, b"".join(lines))
            self._ledgers[name].note(file, lines)

    def restore(self) -> None:
        """Puts back what was recorded and is no longer in the folder, where its files were replaced meanwhile.

        Raises:
            ResourceError: as `append`.
        """
        with writing(self.folder):
            for name in self._ledgers:
                self._file(name)

    @property
    def appended(self) -> bool:
        """Whether a record was written since the store was opened."""
        return bool(self._ledgers)

    def update(self, run: RunInfo) -> None:
        """Replaces run.json.

        Raises:
            ResourceError: as `append`.
        """
        self.write(RUN, run.model_dump_json(indent=2) + "\n")

    def write(self, name: str, text: str) -> None:
        """Replaces a file of the folder whole: readers see the old one or the new one.

        Raises:
            ResourceError: as `append`.
        """
        write_atomically(self.folder / name, text)

    def close(self) -> None:
        """Closes the files, complete, and lets others in. May be called twice."""
        with contextlib.suppress(HarnessError):  # the folder is gone, or full: said by whoever has written last
            self.restore()
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._ledgers.clear()
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                (self.folder / _OWNER).unlink(missing_ok=True)
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _file(self, name: str) -> IO[bytes]:
        """The file that the folder shows under this name, open, with all in it that was recorded so far.

        An editor that saves, rsync and a checkout put another file in its place, which this process would not see.
        """
        path = self.folder / name
        if not (self.folder / RUN).exists():
            raise FileNotFoundError(errno.ENOENT, "the folder was removed")
        ledger = self._ledgers.get(name)
        if ledger is None:
            _refuse_others(self.folder)
            existed = path.exists()
            self._files[name] = path.open("ab", buffering=0)
            if not existed:
                _sync(self.folder)
            self._ledgers[name] = Ledger.of(path)
        elif name not in self._files or not ledger.is_unchanged(path):  # not there: putting back has failed once
            if name in self._files:
                self._files.pop(name).close()
            _set_aside(path)
            _make_own(path)
            file = self._files[name] = path.open("ab", buffering=0)
            keep, lacking = ledger.missing(path.read_bytes())
            file.truncate(keep)
            _write_at_end(file, lacking)
            ledger.note(file, [])
            _sync(self.folder)
        return self._files[name]

    def _cut_torn_line(self, name: str, kind: type[Record]) -> None:
        """Cuts off a torn last line, and ends the last whole one."""
        path = self.folder / name
        if not path.exists():
            return
        end = read_lines(path, kind).end
        with writing(self.folder), path.open("r+b") as file:
            file.truncate(end)
            if end:
                file.seek(end - 1)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            os.fsync(file.fileno())


def _write_at_end(file: IO[bytes], data: bytes) -> None:
    """Appends and syncs, all or nothing."""
    start = file.seek(0, os.SEEK_END)
    try:
        view = memoryview(data)
        while view:  # an unbuffered file may take a part, when the disk is nearly full
            view = view[file.write(view) :]
        os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(start)  # half a line would spoil the one after it
        raise


def _sweep(folder: Path) -> None:
    """Removes what a run that was killed in `write_atomically` left beside its files."""
    with writing(folder):
        for name in _REPLACED:
            for left in folder.glob(f".{name}.*"):
                left.unlink(missing_ok=True)


def _refuse_others(folder: Path) -> None:
    """Records are appended to files of the folder, not to what a link in it names, and a pipe is waited for in vain.

    Raises:
        RecordsError: where something else is in the place of a file of records.
    """
    for name in (MEASUREMENTS, FIDELITY, _LOCK, _OWNER):
        if (folder / name).is_symlink():
            what = "the file is a link, and its target would be overwritten"
        elif os.path.lexists(folder / name) and not (folder / name).is_file():
            what = "it is not a plain file"
        else:
            continue
        step = "remove it" if name in (_LOCK, _OWNER) else "put the file itself in its place"
        raise RecordsError(what, where=str(folder / name), next_step=f"{step}, then resume")


def _set_aside(path: Path) -> None:
    """Makes room where a link, a pipe or a folder has the place of a file; nothing is removed or written elsewhere."""
    if path.is_symlink() or (os.path.lexists(path) and not path.is_file()):
        path.rename(path.with_name(f"{path.name}.aside"))


def _make_own(path: Path) -> None:
    """Copies a file that has another name too, as backups of hard links have it: nothing is written under that one."""
    if path.is_file() and path.stat().st_nlink > 1:
        _replace(path, path.read_bytes())


def _require_empty(folder: Path) -> None:
    """Keeps two runs, and a run and somebody's files, apart."""
    if (folder / RUN).exists():
        raise RecordsError(
            "there is a run in this folder already",
            where=str(folder),
            next_step="name another folder, or continue it with --resume",
        )
    others = sorted(each.name for each in folder.iterdir() if each.name not in (_LOCK, _OWNER))
    if others:
        raise RecordsError(
            f"the folder is not empty: it holds {others[0]}", where=str(folder), next_step="name another folder"
        )


def write_atomically(path: Path, text: str) -> None:
    """Replaces a file whole: written beside it, synced, renamed over it, and the folder synced.

    Raises:
        ResourceError: where the disk is full, or the folder was removed or may not be written.
    """
    _replace(path, text.encode())


def _replace(path: Path, data: bytes) -> None:
    with writing(path.parent):
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # mkstemp's 0600 would keep a shared folder from being read
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        _sync(path.parent)


def _sync(folder: Path) -> None:
    """Puts a folder's own entries on the disk: without it a file may be there, and its name not, after a power cut."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # a folder may be writable and not readable
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):  # file systems that cannot sync a folder
            raise
    finally:
        os.close(handle)


def _locked(folder: Path) -> FileLock:
    """The folder's lock, held; released by the system when the process dies."""
    lock = FileLock(folder / _LOCK, thread_local=False)
    with writing(folder):
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RecordsError(
                f"another run is writing into this folder{_owner(folder)}",
                where=str(folder),
                next_step="wait for it, or name another folder with --output",
            ) from None
    try:
        write_atomically(folder / _OWNER, str(os.getpid()))  # never through a link
    except BaseException:
        lock.release()
        raise
    return lock


def _owner(folder: Path) -> str:
    """`, process 123`, where the file beside the lock tells."""
    try:
        return f", process {int((folder / _OWNER).read_text(encoding='ascii'))}"
    except (OSError, ValueError):
        return ""


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns what the system says about files into sentences.

    Raises:
        ResourceError: in place of the OSError.
    """
    try:
        yield
    except HarnessError:
        raise
    except OSError as error:
        what, next_step = _SENTENCES.get(error.errno or 0, (f"the records cannot be written: {error}", ""))
        raise ResourceError(what, where=str(folder), next_step=next_step) from error


_KEPT = "everything recorded so far is kept: continue with --resume"
_SENTENCES = {
    errno.ENOSPC: ("the disk is full", f"make room; {_KEPT}"),
    errno.EDQUOT: ("the disk quota is used up", f"make room; {_KEPT}"),
    errno.EROFS: ("the records cannot be written: the file system is read-only", "name another folder with --output"),
    errno.EACCES: ("the records cannot be written: permission denied", "name another folder with --output"),
    errno.EPERM: ("the records cannot be written: permission denied", "name another folder with --output"),
    errno.ENOENT: ("the folder of the records vanished while it was in use", "start again with another --output"),
    errno.ESTALE: ("the folder of the records vanished while it was in use", "start again with another --output"),
    errno.ENOTDIR: ("the path of the records is a file, not a folder", "name another folder with --output"),
    errno.EFBIG: (
        "a file of the records would be larger than this process may write",
        f"raise the limit (`ulimit -f`); {_KEPT}",
    ),
    errno.EIO: ("the disk failed while the records were written", f"look at it, then continue; {_KEPT}"),
    errno.EMFILE: ("this process has too many files open", f"raise the limit (`ulimit -n`); {_KEPT}"),
    errno.ENAMETOOLONG: (
        "the path of the records is longer than the file system allows",
        "name another folder with --output",
    ),
    errno.ELOOP: ("the path of the records is a link that leads to itself", "name another folder with --output"),
    errno.EISDIR: ("a file of the records is a folder", "name another folder with --output"),
    errno.EEXIST: ("the path of the records is a file, not a folder", "name another folder with --output"),
}
