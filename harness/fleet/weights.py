"""Trained students on their way from one machine's cache to another's: weights alone, under the key of what they depend on."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness import cache
from harness.errors import UserError
from harness.fleet.messages import Training, Weights
from harness.measure.artifact_digests import COMPLETE, WEIGHTS
from harness.measure.artifacts import Artifacts
from harness.printable import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from harness.fleet.messages import Student

_MOST_BYTES = 2**28  # of a student: a larger one is trained by each machine
_OF_STUDENTS = {"student", "trainer", "teacher", "data", "seed"}  # keys that no export has


def packed(student: Student, place: Path) -> Weights | None:
    """A trained student as it travels, from its folder in the cache; None where it is too large, or lies there no longer."""
    with contextlib.suppress(OSError, ValueError, ValidationError):
        if (place / WEIGHTS).stat().st_size <= _MOST_BYTES:
            known = json.loads((place / COMPLETE).read_text(encoding="utf-8"))
            data = (place / WEIGHTS).read_bytes()
            training = {name: known[name] for name in Training.model_fields if name in known}
            return Weights(
                student=student,
                training=Training.model_validate(training),
                contents=base64.b64encode(data).decode(),
                sha256=hashlib.sha256(data).hexdigest(),
            )
    return None


def keep(weights: Weights) -> Path:
    """Puts a student into the cache of this machine, unless it was trained here, too; its folder.

    Raises:
        UserError: where it is not what its digest says, or no student.
        ResourceError: where the cache cannot be written, or others may write into it.
    """
    data = base64.b64decode(weights.contents)
    if hashlib.sha256(data).hexdigest() != weights.sha256:
        raise UserError(f"a student was damaged on its way: it is not {weights.sha256[:12]}", next_step="run it again")
    if not weights.training.parts.keys() >= _OF_STUDENTS:
        raise UserError(f"what was sent for {weights.student.contender} is no trained student")

    def fill(folder: Path) -> dict[str, Any]:
        (folder / WEIGHTS).write_bytes(data)
        training = weights.training
        notes = dict.fromkeys([*training.notes, f"trained on {one_line(training.machine)}"])
        return {**training.model_dump(mode="json"), "notes": list(notes)}

    kept = Artifacts(cache.folder())
    cache.private(cache.folder(), kept.folder)
    return kept.obtain(weights.training.parts, fill)[0]
