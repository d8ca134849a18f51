"""This process as it sees itself: the libraries it has loaded, their threads, and the memory that it holds."""

from __future__ import annotations

import resource
import sys


def limit_threads(threads: int) -> None:
    """Limits BLAS and OpenMP to this many threads."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(threads)


def threads_and_libraries() -> tuple[dict[str, int], dict[str, str]]:
    """The BLAS and threading libraries that are loaded now: the threads of each, its version and the kernel it has chosen.

    Both of one look, for which all libraries of the process are gone through.
    """
    import threadpoolctl

    threads, versions = {}, {}
    for each in threadpoolctl.threadpool_info():
        name = str(each["prefix"])
        threads[name] = int(each["num_threads"])
        parts = (each.get("version"), each.get("architecture"), each.get("threading_layer"))
        versions[name] = " ".join(str(part) for part in parts if part) or "version unknown"
    if torch := sys.modules.get("torch"):
        threads["torch"] = torch.get_num_threads()
        backends = [name for name in ("mkl", "mkldnn") if getattr(torch.backends, name).is_available()]
        versions["torch"] = " ".join([torch.backends.cpu.get_cpu_capability(), *backends])
    return threads, versions


def held_bytes() -> int:
    """The memory that it holds now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    """The most memory that it has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
