"""What all cores were doing while something was measured: how many were busy, and how much time other virtual machines took."""

from __future__ import annotations

import time
from dataclasses import dataclass

_SHORTEST_SECONDS = 0.15  # systems count in ticks of ten milliseconds


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Since the machine started, in seconds of a core."""

    at: float  # seconds of a steady clock
    cores: int
    busy: float
    stolen: float  # by other virtual machines


@dataclass(frozen=True, kw_only=True)
class ActivityMonitor:
    """Between two moments."""

    busy_cores: float  # whoever kept them busy
    stolen_share: float  # of the time of all cores


def activity() -> Activity | None:
    """Now; None where the platform does not report it."""
    import psutil

    try:
        times, cores = psutil.cpu_times(), psutil.cpu_count() or 1
    except (OSError, RuntimeError):
        return None
    stolen = float(getattr(times, "steal", 0.0))
    idle = float(times.idle) + float(getattr(times, "iowait", 0.0))
    guests = float(getattr(times, "guest", 0.0)) + float(getattr(times, "guest_nice", 0.0))  # told twice by Linux
    return Activity(at=time.monotonic(), cores=cores, busy=sum(times) - idle - stolen - guests, stolen=stolen)


def between(before: Activity | None, after: Activity | None) -> ActivityMonitor | None:
    """What happened between two moments; None where that is not known, or they are too close for what systems count."""
    if before is None or after is None or after.at < before.at + _SHORTEST_SECONDS:
        return None
    seconds = after.at - before.at
    return ActivityMonitor(
        busy_cores=min(float(after.cores), max(0.0, after.busy - before.busy) / seconds),
        stolen_share=min(1.0, max(0.0, after.stolen - before.stolen) / (seconds * after.cores)),
    )
