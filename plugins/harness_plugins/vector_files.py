"""Where the vectors of a database lie: its stored paths are those of the machine that wrote them."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil

import harness
from harness_plugins.arrays import numbers, read_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


_SHOWN = 100  # characters of a stored path in a message
_DEEPEST = 32  # folders at the end of a stored path that are looked for: more of them are no path of anybody's
_MOST_ALIKE = 2000  # paths that end in one name, where they are looked for by it alone


@dataclass(frozen=True, kw_only=True)
class StoredPath:
    """One path of a database."""

    stored: Any  # as the database holds it; a text, if all is well
    place: str  # where it stands there, for messages: `centroid_path of head_id 3 in cluster_heads`
    subject: tuple[Any, ...]  # what it is the vector of; two paths of one subject may lead to one file

    @property
    def parts(self) -> tuple[str, ...]:
        """Its folders and its name, without those that lead upwards; empty where it is not a path."""
        if not isinstance(self.stored, str) or "\0" in self.stored or not self.stored.strip():
            return ()
        whole = posixpath.normpath(self.stored.replace("\\", "/"))
        return tuple(part for part in whole.split("/") if part not in ("", ".", ".."))


def _shown(path: StoredPath) -> str:
    """What the database holds, cut before it fills a screen."""
    text = repr(path.stored[:100] if isinstance(path.stored, str | bytes) else path.stored)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


class VectorFolder:
    """Finds the vectors of a database, and never reads outside its folder.

    The longest tail of a stored folder that exists below the database's folder is where its files are looked for, and
    nowhere else: a file of the same name in another folder is another vector. Where no part of the stored folder
    exists, the files were copied beside the database or into its `embeddings/`.

    Args:
        database: the file.
        known: all paths in it, so that one file does not pass for two vectors.
    """

    def __init__(self, database: Path, known: Sequence[StoredPath]) -> None:
        self._database = database
        self._root = database.resolve().parent
        self._bases = (self._root, self._root / "embeddings")
        self._folders: dict[Path, bool] = {}
        self._held, self._free = 0, psutil.virtual_memory().available // 2  # bytes
        self._places: dict[tuple[str, ...], tuple[list[Path], bool]] = {}
        self._known: dict[str, dict[Any, StoredPath]] = defaultdict(dict)
        for each in known:
            self._known["".join(each.parts[-1:])].setdefault((each.subject, each.parts), each)

    def stack(self, paths: Sequence[StoredPath]) -> NDArray[Any]:
        """The vectors at the paths, [rows, width]."""
        vectors: list[NDArray[Any]] = []
        for path in paths:
            vectors.append(self._vector(path))
            self._refuse_more_than_free((len(paths) - len(vectors)) * vectors[-1].nbytes)
        sizes = [vector.size for vector in vectors]
        counts = Counter(sizes)
        usual = max(sorted(counts), key=counts.__getitem__, default=0)
        other = next((row for row, size in enumerate(sizes) if size != usual), None)
        if other is not None:
            widths = ", ".join(map(str, sorted(set(sizes))))
            raise harness.DataError(
                f"its vectors have different widths: {widths}; {paths[other].place} has {sizes[other]}",
                where=str(self._database),
                next_step="a projection needs embeddings of one model",
            )
        return np.stack(vectors)

    def _refuse_more_than_free(self, coming: int) -> None:
        """Many rows may name one large file: what they hold together has to fit."""
        if self._held + coming > self._free:
            what = f"its vectors need {self._held + coming:,} bytes of memory, and {2 * self._free:,} are free"
            raise harness.DataError(what, where=str(self._database), next_step="split it")

    def matrix(self, path: StoredPath) -> NDArray[Any]:
        """The matrix at a path, [K, D]."""
        return self._only(path, 2, "matrix")

    def _vector(self, path: StoredPath) -> NDArray[Any]:
        return self._only(path, 1, "vector")

    def _only(self, path: StoredPath, dimensions: int, what: str) -> NDArray[Any]:
        """The one array of a file."""
        file = self._resolved(path)
        shown = file.relative_to(self._root)

        def wrong(problem: str, step: str) -> harness.DataError:
            where = str(self._database)
            return harness.DataError(f"{path.place}: {shown}: {problem}", where=where, next_step=step)

        try:
            arrays = read_arrays(file)
            array = next(iter(arrays.values())) if len(arrays) == 1 else np.zeros((0, 0, 0))
            found = numbers(file, f"the {what} in it", array)
        except harness.DataError as problem:
            raise wrong(problem.what, problem.next_step) from problem
        found = np.squeeze(found) if dimensions == 1 else found
        if found.ndim != dimensions:
            raise wrong(f"it does not hold one {what}", f"it needs a .npy file of its own: one {what}")
        self._held += found.nbytes
        self._refuse_more_than_free(0)
        if not np.isfinite(found).all():
            step = "embed it again, or remove it from the database"
            raise wrong(f"the {what} in it holds NaN or infinity", step)
        return found

    def _resolved(self, path: StoredPath) -> Path:
        """The file of a path, which no other vector may have."""
        if path.stored is None:
            what = f"{path.place} is NULL: no vector was stored for it"
            raise harness.DataError(what, where=str(self._database), next_step="embed it, or delete the row")
        found, sure = self._found(path)
        if len(found) > 1:
            names = " and ".join(str(each.relative_to(self._root)) for each in found)
            raise self._missing(path, f": {names} have its name, and none its folder")
        if not found:
            raise self._missing(path)
        if not sure:  # by its name alone: then it must not be another's
            alike = self._known[path.parts[-1]]
            if len(alike) > _MOST_ALIKE:
                raise self._missing(path, f": {len(alike):,} paths end in its name")
            for other in alike.values():
                another = other.subject != path.subject and other.parts != path.parts
                if another and found[0] in self._found(other)[0]:
                    name = found[0].relative_to(self._root)
                    raise self._missing(path, f": {name} is {other.place} ({_shown(other)})")
        return found[0]

    def _found(self, path: StoredPath) -> tuple[list[Path], bool]:
        """The files that a path may mean, and whether it is by more than their name."""
        if path.parts not in self._places:
            self._places[path.parts] = self._looked_up(path)
        return self._places[path.parts]

    def _looked_up(self, path: StoredPath) -> tuple[list[Path], bool]:
        if not path.parts:
            return [], True
        *folders, name = path.parts
        for start in range(max(0, len(folders) - _DEEPEST), len(folders)):
            here = [base.joinpath(*folders[start:]) for base in self._bases]
            here = [folder for folder in here if self._is_folder(folder)]
            if here:
                return self._files(here, name)[:1], True
        found = self._files(self._bases, name)
        return (found, False) if folders else (found[:1], True)

    def _files(self, folders: Sequence[Path], name: str) -> list[Path]:
        """The files of this name in these folders; a symbolic link that leads outside is none."""
        found = []
        for folder in folders:
            try:
                file = (folder / name).resolve()
                if file.is_relative_to(self._root) and file.is_file():
                    found.append(file)
            except (OSError, ValueError, RuntimeError):  # a name that no file can have, links in a circle
                continue
        return found

    def _is_folder(self, folder: Path) -> bool:
        if folder not in self._folders:
            try:
                self._folders[folder] = folder.resolve().is_relative_to(self._root) and folder.is_dir()
            except (OSError, ValueError, RuntimeError):
                self._folders[folder] = False
        return self._folders[folder]

    def _missing(self, path: StoredPath, why: str = "") -> harness.DataError:
        return harness.DataError(
            f"{path.place}: the vector {_shown(path)} is not in the database's folder{why}",
            where=str(self._database),
            next_step=f"copy the .npy files, in the folders that they were in, into {self._root / 'embeddings'} or "
            "beside the database; nothing outside the folder is read",
        )
