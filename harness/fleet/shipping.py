"""What a suite names travels with it: each file once, by its digest; what lies elsewhere is compared and not sent."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness import cache
from harness.errors import UserError
from harness.units import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.suite.loading import Loaded

_NAMING = ("plugins", "setup", "equal", "function")  # keys whose texts may name a file, beside all options
_MOST_BYTES = 2**30
_LONGEST = 400  # characters of a path


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """The files that a suite needs."""

    files: Mapping[str, Path] = field(default_factory=dict)  # by path relative to the suite's folder
    elsewhere: tuple[str, ...] = ()  # paths that have to be there on each machine

    def digests(self) -> dict[str, str]:
        """SHA-256 of each file."""
        return {name: digest(path) for name, path in self.files.items()}


def files_of(loaded: Loaded) -> Shipment:
    """The suite's own file and what it names.

    Raises:
        UserError: where the suite has no file, or names more than can be sent, or a path with `..`.
    """
    if loaded.path is None:
        raise UserError("a suite in memory cannot be sent to other machines", next_step="write it into a file")
    own = loaded.path.resolve()
    files, elsewhere = {own.name: own}, list[str]()
    for text in dict.fromkeys(_texts(loaded.suite.model_dump(mode="json", by_alias=True))):
        for name in _candidates(text):
            path = loaded.folder / os.path.expanduser(name)  # noqa: PTH111 - it never raises
            away = name.startswith(("/", "~"))
            if away or ".." in Path(name).parts:
                if not away and path.exists():
                    raise UserError(
                        f"the suite names {name}, and no path with `..` travels to other machines",
                        where=str(loaded.path),
                        next_step="put it into the suite's folder and name it there; or put it on each machine, and give its "
                        "absolute path",
                    )
                if path.exists() or (name == text and ":" not in text):
                    elsewhere.append(name)
            elif path.is_file():
                files[PurePosixPath(name).as_posix()] = path
            elif path.is_dir() and path.resolve() != loaded.folder:
                files |= {each.relative_to(loaded.folder).as_posix(): each for each in _within(path)}
    total = sum(path.stat().st_size for path in files.values())
    if total > _MOST_BYTES:
        raise UserError(
            f"the suite names {size(total)} of files, and {size(_MOST_BYTES)} are sent at most",
            where=str(loaded.path),
            next_step="put the large ones on each machine and name them by their absolute path",
        )
    return Shipment(files=files, elsewhere=tuple(dict.fromkeys(elsewhere)))


def _texts(value: Any, *, naming: bool = False) -> Iterator[str]:
    """All texts of a suite that may name a file."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, naming=naming or key in _NAMING or str(key).endswith("options"))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, naming=naming)
    elif naming and isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable():
        yield value


def _candidates(text: str) -> Iterator[str]:
    """The paths that a text may mean: itself, `file.py:function`, `module:function`."""
    yield text
    before, colon, _ = text.partition(":")
    if colon and before:
        yield before
        if not before.endswith(".py"):
            yield before.replace(".", "/") + ".py"


def _within(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(each.startswith(".") or each == "__pycache__" for each in parts):
            yield path


def digest(path: Path) -> str:
    """SHA-256 of a file, or of all files of a folder with their names."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    return digest_of({each.relative_to(path).as_posix(): digest(each) for each in _within(path)})


def digest_of(parts: Mapping[str, str]) -> str:
    """One SHA-256 for several, by name."""
    return hashlib.sha256("\n".join(f"{name} {parts[name]}" for name in sorted(parts)).encode()).hexdigest()


# ------------------------------------------------------------------------------------------------- on the machine


def place() -> Path:
    """The folder of everything that was sent to this machine, and of its runs."""
    return cache.folder() / "fleet"


def store(contents: Mapping[str, str]) -> None:
    """Keeps files that have arrived, under their digests.

    Raises:
        UserError: where one is not what its digest says.
        ResourceError: where others may write into the folder.
    """
    store = place() / "files"
    cache.private(cache.folder(), place(), store)
    for name, text in contents.items():
        data = base64.b64decode(text)
        if hashlib.sha256(data).hexdigest() != name:
            raise UserError(f"a file was damaged on its way: it is not {name[:12]}", next_step="run it again")
        made = store / f".{name}"
        made.write_bytes(data)
        made.replace(store / name)


def missing(digests: Iterable[str]) -> tuple[str, ...]:
    """Which of these this machine does not have yet."""
    return tuple(sorted({each for each in digests if not (place() / "files" / each).is_file()}))


def laid_out(files: Mapping[str, str], folder: Path) -> None:
    """Puts files where a suite looks for them.

    Raises:
        UserError: where a path leads out of the folder.
    """
    for name, wanted in files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or "\\" in name:
            raise UserError(f"the path {name!r} is outside the suite's folder", next_step="name files inside it")
        target = folder / path
        if target.is_file() and digest(target) == wanted:
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes((place() / "files" / wanted).read_bytes())


def packed(shipment: Shipment, wanted: Iterable[str]) -> dict[str, str]:
    """The contents of the files with these digests, base64."""
    paths = {digest(path): path for path in shipment.files.values()}
    return {each: base64.b64encode(paths[each].read_bytes()).decode() for each in wanted if each in paths}
