"""Remembers what the plugins answered, for as long as nothing that could change the answer has changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cache import folder, private, refuse_shared
from harness.errors import ResourceError
from harness.plugin.built_in import PACKAGE
from harness.plugin.discovery import declared, files

if TYPE_CHECKING:
    from collections.abc import Iterator

_OLD_SECONDS = 86400.0


def key(plugin_files: Sequence[Path], asked: Mapping[str, Any]) -> str:
    """A digest of all that an answer depends on: the interpreter, what is installed, plugin files, the question."""
    parts = [
        sys.version, sys.prefix, sorted(sys.path), sorted(_installed()), sorted(set(_states(_packages()))), asked,
        [_content(path) for path in plugin_files], sorted(_states(_named_files(asked))),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def read(key: str) -> str | None:
    """What was kept under a key, or None.

    Raises:
        ResourceError: where others could have written it.
    """
    try:
        for each in (folder(), _file(key).parent):
            if each.exists():
                refuse_shared(each)
        return _file(key).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def write(key: str, text: str) -> None:
    """Keeps a text, whole or not at all; a cache that cannot be written is no error."""
    path = _file(key)
    with contextlib.suppress(OSError, ResourceError):
        private(folder(), path.parent)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
            draft = Path(file.name)
            try:
                file.write(text)
                file.close()
                draft.replace(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
        _forget_old(path.parent)


def _file(key: str) -> Path:
    return folder() / "inquiries" / f"{key}.json"


def _forget_old(place: Path, keep: int = 64) -> None:
    """Bounds the cache: the answers used last stay."""
    kept = sorted(place.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in kept[keep:]:
        path.unlink(missing_ok=True)
    for path in place.glob("tmp*"):  # of writes that were killed
        if path.stat().st_mtime < time.time() - _OLD_SECONDS:
            path.unlink(missing_ok=True)


def _installed() -> Iterator[str]:
    """The folders with the metadata of what is installed, which have name and version in theirs: nothing is parsed."""
    for place in sys.path:
        with contextlib.suppress(OSError):
            yield from (each.name for each in Path(place).iterdir() if each.suffix in (".dist-info", ".egg-info"))


def _packages() -> Iterator[Path]:
    """Files of the harness and of all plugins that are installed: an editable one changes without a new version."""
    for plugin in ("harness", PACKAGE, *(f"{each.distribution}:{each.entry.name}" for each in declared())):
        with contextlib.suppress(ImportError, ValueError):
            yield from (path for _, path in files(plugin))


def _named_files(asked: Mapping[str, Any]) -> Iterator[Path]:
    """Files that a source's options name, those of a source within a source too: its limit depends on them."""
    for question in asked.get("questions", ()):
        if question.get("limit"):
            base = Path(question["limit"]["folder"])
            for text in _texts(question.get("options", {})):
                with contextlib.suppress(OSError):  # longer than a path can be
                    if (base / text).exists():
                        yield base / text


def _texts(value: Any) -> Iterator[str]:
    """All texts in nested options."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for each in value.values() for text in _texts(each))
    elif isinstance(value, Sequence):
        yield from (text for each in value for text in _texts(each))


def _states(paths: Iterator[Path]) -> Iterator[str]:
    for path in paths:
        with contextlib.suppress(OSError):
            state = path.stat()
            yield f"{path} {state.st_mtime_ns} {state.st_size}"


def _content(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "unreadable"
