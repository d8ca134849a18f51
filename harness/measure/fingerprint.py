"""What an offer is, as far as artifacts depend on it: its name, its options, and the files of its plugin."""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

from harness.measure.construction import offer
from harness.plugin.discovery import files

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plan.specification import OfferReference

_READ_BYTES = 2**26  # of a plugin, read in full; of what lies beyond, size and time of the last change stand for it


def identity(reference: OfferReference | None) -> list[Any] | None:
    """An offer by name, the options that it really has, and a digest of its plugin's files."""
    if reference is None:
        return None
    options = offer(reference).options.model_dump(mode="json")
    return [reference.kind, reference.name, options, plugin_digest(reference.plugin)]


@functools.cache
def plugin_digest(plugin: str) -> str:
    """SHA-256 over names and contents of a plugin's files, the plugin named by its identity.

    All files count (`discovery.files` says which are a plugin's). The first 64 MiB, in the order of their names, are
    read; a file beyond that is known by its size and the time of its last change, so that weights of any size may lie
    in a package.
    """
    return _digest(tuple(files(plugin)))


@functools.cache
def _digest(found: tuple[tuple[str, Path], ...]) -> str:
    """The same of its files: many plugins are of one package."""
    digest, left = hashlib.sha256(), _READ_BYTES
    for name, path in found:
        state = path.stat()
        left -= state.st_size
        content = path.read_bytes() if left >= 0 else f"{state.st_size} {state.st_mtime_ns}".encode()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]
