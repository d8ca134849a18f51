"""How much memory a child process may take: as much as the suite says, else a share of what is free when it starts."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARE = 0.9  # of the free memory, so that it is the child that runs out of it and not the machine
UNBOUND = "memory_unbound"  # a setting of a child: no share either, since a driver maps far more than it takes
_GROUP = Path("/sys/fs/cgroup")
_GROUP_FILES = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))


def apply(settings: Mapping[str, Any]) -> None:
    """Limits this process, and whatever it starts, before anything of a contender runs in it."""
    if stated := settings.get("memory_limit_bytes"):
        resource.setrlimit(resource.RLIMIT_AS, (stated, stated))
    elif not settings.get(UNBOUND) and sys.platform == "linux":
        most = _own_bytes() + int(SHARE * free_bytes())
        with contextlib.suppress(OSError, ValueError):  # where a lower one is set
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def free_bytes(group: Path = _GROUP) -> int:
    """The memory that is free on this machine, or in the container where that has less."""
    import psutil

    free = int(psutil.virtual_memory().available)
    for most, used in _GROUP_FILES:
        with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
            free = min(free, max(0, int((group / most).read_text()) - int((group / used).read_text())))
    return free


def _own_bytes() -> int:
    """What this process has mapped for itself alone so far, as the kernel counts it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) * 1024
    return 0
