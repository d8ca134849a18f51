"""A run that several processes share: one of them measures it, the others wait for it and read it."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from harness import cache
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY_SECONDS = 86400.0


def shared_run(key: str, measure: Callable[[], Path]) -> Path:
    """The folder of a run that one of several processes measures, while the others wait for it and read it.

    Args:
        key: the same in all processes that share a run, and in no others; a file name.
        measure: makes the run.

    Raises:
        HarnessError: where the run was refused, here or in the process that tried it.
    """
    shared = cache.folder() / "shared-runs"
    cache.private(cache.folder(), shared)
    _forget_old(shared)
    answer = shared / f"{key}.json"
    with FileLock(shared / f"{key}.lock", thread_local=False):
        if answer.exists():
            known = json.loads(answer.read_text(encoding="utf-8"))
            if known.get("refused"):
                raise HarnessError(known["refused"])
            return Path(known["folder"])
        try:
            folder = measure().absolute()
        except HarnessError as error:
            answer.write_text(json.dumps({"refused": str(error)}), encoding="utf-8")
            raise
        answer.write_text(json.dumps({"folder": str(folder)}), encoding="utf-8")
        return folder


def _forget_old(folder: Path) -> None:
    for each in folder.iterdir():
        with contextlib.suppress(OSError):
            if each.stat().st_mtime < time.time() - _DAY_SECONDS:
                each.unlink()
