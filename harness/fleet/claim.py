"""A machine lends itself once: two workers on it would time suites beside each other."""

from __future__ import annotations

import contextlib
import os
import platform
import uuid
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from harness.errors import UserError
from harness.run import machine_lock


@dataclass(frozen=True, kw_only=True)
class Claim:
    """This machine, held until the process ends or `release` is called."""

    text: str  # the same for all workers that would share this machine
    lock: FileLock

    def release(self) -> None:
        """Lets another worker have it."""
        self.lock.release()


def claim_machine() -> Claim:
    """Takes this machine for this process.

    Raises:
        UserError: where another worker has it.
    """
    path = machine_lock.lock_file().with_suffix(".worker")
    lock = FileLock(path, mode=0o666, thread_local=False)
    signed = path.with_suffix(".worker-id")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with contextlib.suppress(OSError, ValueError):
            raise UserError(
                f"this machine has a worker already, process {int(signed.read_text(encoding='ascii'))}",
                where=str(path), next_step="end it first: two workers would disturb each other",
            ) from None  # fmt: skip
        raise UserError("this machine has a worker already", where=str(path), next_step="end it first") from None
    with contextlib.suppress(OSError):
        signed.write_text(str(os.getpid()), encoding="ascii")
    return Claim(text=f"{_identity()} {path}", lock=lock)


def _identity() -> str:
    """What this machine has alone: the number of its start, or its network card's."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{platform.node()} {uuid.getnode()}"
