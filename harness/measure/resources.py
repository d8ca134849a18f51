"""This process as it sees itself: the libraries it has loaded, their threads, and the memory that it holds."""

from __future__ import annotations

import resource
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def limit_threads(threads: int) -> Callable[[], dict[str, int]]:
    """Limits BLAS and OpenMP to this many threads and gives a function that reads the numbers back."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(threads)

    def read() -> dict[str, int]:
        found = {str(each["prefix"]): int(each["num_threads"]) for each in threadpoolctl.threadpool_info()}
        if torch := sys.modules.get("torch"):
            found["torch"] = torch.get_num_threads()
        return found

    return read


def libraries() -> dict[str, str]:
    """The BLAS and threading libraries that are loaded now, with the version and the kernel that each has chosen."""
    import threadpoolctl

    found = {}
    for each in threadpoolctl.threadpool_info():
        parts = (each.get("version"), each.get("architecture"), each.get("threading_layer"))
        found[str(each["prefix"])] = " ".join(str(part) for part in parts if part) or "version unknown"
    if torch := sys.modules.get("torch"):
        backends = [name for name in ("mkl", "mkldnn") if getattr(torch.backends, name).is_available()]
        found["torch"] = " ".join([torch.backends.cpu.get_cpu_capability(), *backends])
    return found


def held_bytes() -> int:
    """The memory that it holds now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """The most memory that it has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
