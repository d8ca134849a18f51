"""What the files of an artifact hold, as digests that go from the process that built it to the one that loads it."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING, Any

from harness.errors import ArtifactChanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

COMPLETE = "complete.json"  # what is remembered of a folder, its digests among it
WEIGHTS = "student.safetensors"  # of a trained student


def digests(folder: Path, names: Iterable[str] | None = None) -> dict[str, str]:
    """SHA-256 of the files of a folder by their names below it; of these alone where they are named."""
    paths = [folder / name for name in names] if names is not None else sorted(folder.rglob("*"))
    found = {}
    for path in paths:
        if path.is_file() and path.name != COMPLETE:
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def unchanged(folder: Path, known: Any) -> bool:
    """Whether these files are what was written: `known` holds their digests."""
    with contextlib.suppress(OSError, ValueError):
        return isinstance(known, dict) and digests(folder, known) == known
    return False


def verify(folder: Path, known: Mapping[str, str]) -> None:
    """Compares files with the digests that their builder has sent, right before they are loaded.

    Raises:
        ArtifactChanged: where a file is missing or holds something else.
    """
    for name, digest in known.items():
        if not unchanged(folder, {name: digest}):
            raise ArtifactChanged(
                f"{name} is not the file that was built, and was not loaded",
                where=str(folder),
                next_step="check what else writes into the cache folder; `harness cache clear` removes what it holds",
            )
