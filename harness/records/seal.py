"""What the records of a run were when it ended: digests in run.json, by which a later edit is noticed.

They are no signature: who edits the records can compute the digests again. See docs/fleet.md.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from harness.records.reader import FIDELITY, LOCATED, MEASUREMENTS, RUN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from harness.records.measurement import RunInfo

FILES = (MEASUREMENTS, FIDELITY, LOCATED)
_SEAL = "seal"
_BLOCK = 2**20  # bytes


def sealed(run: RunInfo, folder: Path) -> RunInfo:
    """The same run with the digests of the files in its folder and of what run.json will say."""
    files = {name: digest(folder / name) for name in FILES if (folder / name).exists()}
    parts = _parts(json.loads(run.model_dump_json()))
    return run.model_copy(update={_SEAL: {**files, **parts}})


def changes_since_end(run: Mapping[str, Any], folder: Path) -> Iterator[str]:
    """A sentence for each thing that has changed since the run ended; none where all is."""
    said = run.get(_SEAL)
    if not isinstance(said, dict) or not said:
        yield f"{RUN} holds no digests of the records: an earlier harness wrote it, or they were removed"
        return
    now = {name: digest(folder / name) for name in FILES if (folder / name).exists()} | _parts(run)
    for name in sorted(said.keys() | now.keys(), key=str):
        if name not in now:
            yield f"{name} is missing; it was there when the run ended"
        elif name not in said:
            yield f"{name} was added after the run ended"
        elif said[name] != now[name]:
            yield f"{name} has changed since the run ended"


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def canonical(value: Any) -> str:
    """SHA-256 over a value's JSON with sorted keys and without blanks."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _parts(run: Mapping[str, Any]) -> dict[str, str]:
    """Of each key of run.json, so that a reader learns which one was edited."""
    return {f"{RUN}: {name}": canonical(value) for name, value in run.items() if name != _SEAL}
