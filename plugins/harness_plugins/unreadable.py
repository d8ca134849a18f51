"""Why a file of heads or queries cannot be read: a lock, a journal, another format."""

from __future__ import annotations

from typing import TYPE_CHECKING

import harness

if TYPE_CHECKING:
    from pathlib import Path

_WAL_AT = 18  # byte of an SQLite header that is 2 where the database is in WAL mode
_ARRAYS = "np.savez(path, centroids=[N, D], answers=[N, K], temperature=T), or np.save(path, queries) for queries"
_FORMATS = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".json": "JSON",
    ".jsonl": "JSON Lines",
    ".gz": "a gzip archive",
    ".zip": "a zip archive",
    ".xlsx": "a spreadsheet",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".feather": "Feather",
    ".arrow": "Arrow",
    ".safetensors": "a safetensors file",
    ".pt": "a PyTorch pickle",
    ".pth": "a PyTorch pickle",
    ".pkl": "a pickle",
    ".pickle": "a pickle",
}
_ONE_ARRAY = {".npy": "a .npy file", ".faiss": "an index of FAISS", ".index": "an index of FAISS"}


def refuse_other_formats(path: Path) -> None:
    """Refuses a file whose name says that it holds no plain arrays.

    Raises:
        DataError: with what to convert it to.
    """
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        return
    step = f"unpack it first: gunzip {path.name}" if path.suffix.lower() == ".gz" else f"convert it: {_ARRAYS}"
    raise harness.DataError(f"{form} is not read as embeddings", where=str(path), next_step=step)


def missing(path: Path, wanted: str) -> harness.DataError:
    """Why there is no file at a path."""
    try:
        folder = path.is_dir()
    except (OSError, ValueError):  # a name that no file can have
        folder = False
    what = "it is a folder" if folder else "there is no such file"
    return harness.DataError(what, where=str(path), next_step=f"give {wanted}")


def refuse_one_array(path: Path) -> None:
    """Refuses a file of heads whose name says that it holds one set of vectors.

    Raises:
        DataError: with what heads are.
    """
    form = _ONE_ARRAY.get(path.suffix.lower())
    if form is not None:
        raise harness.DataError(
            f"{form} holds one set of vectors, and heads are two: centroids and answers",
            where=str(path),
            next_step="save both with np.savez(path, centroids=[N, D], answers=[N, K], temperature=T), or name the file "
            "in the option `queries` if it holds queries",
        )


def in_wal_mode(path: Path) -> bool:
    """Whether a database keeps its latest changes in a file of their own, which readers have to write beside."""
    with path.open("rb") as file:
        return file.read(_WAL_AT + 1)[_WAL_AT:] == b"\x02"


def pending(path: Path, suffix: str) -> bool:
    """Whether the journal of a database with this suffix is there and not empty."""
    journal = path.with_name(path.name + suffix)
    return journal.is_file() and journal.stat().st_size > 0


def database_error(path: Path, problem: Exception) -> harness.DataError:
    """What an error of SQLite means for the user."""
    name = getattr(problem, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        what = "another process is writing to it and has locked it"
        step = "wait until that process has finished, or end it"
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")) and pending(path, "-journal"):
        what = f"a writer ended in the middle of a change and left {path.name}-journal"
        step = f"open it once for writing, which undoes the change: sqlite3 {path} 'PRAGMA user_version'"
    elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN")) and in_wal_mode(path):
        what = f"it is in WAL mode with changes in {path.name}-wal, and its folder cannot be written"
        step = "copy the database and its -wal file into a folder that can be written"
    elif name.startswith("SQLITE_CANTOPEN") or isinstance(problem, OSError):
        what, step = "it cannot be opened", "check the permissions of the file and its folder"
    else:
        what = f"it cannot be read as an LDA database ({str(problem)[:200] or type(problem).__name__})"
        step = "check that it is an SQLite file with the tables multi_head_projections and cluster_heads"
    return harness.DataError(what, where=str(path), next_step=step)
