"""The machine that a result belongs to, read and never guessed: what cannot be read is absent."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.units import size

if TYPE_CHECKING:
    from collections.abc import Mapping

_CPU = Path("/sys/devices/system/cpu")
_SAME_MEMORY = 1.05
_GPU_FACTS = 5


def describe() -> dict[str, Any]:
    """Processor, caches, memory, governor, container limits, Python and its flags."""
    import psutil

    facts: dict[str, Any] = {
        "processor": _processor(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "logical_cores": os.cpu_count(),
        "physical_cores": psutil.cpu_count(logical=False),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "caches": _caches(),
        "governor": _read(_CPU / "cpu0/cpufreq/scaling_governor"),
        "turbo": _turbo(),
        "virtual": _virtual(),
        "container": _container(),
        "gpus": _gpus(),
        "load_average": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "steal_seconds": getattr(psutil.cpu_times(), "steal", None),
        "python": platform.python_version(),
        "python_implementation": platform.python_implementation(),
        "python_flags": [name for name in ("debug", "optimize", "dev_mode", "no_site") if getattr(sys.flags, name, 0)],
        "openblas_coretype": os.environ.get("OPENBLAS_CORETYPE"),
    }
    return {name: value for name, value in facts.items() if value is not None}


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """What makes results of two machines incomparable, in words; empty where nothing does.

    Memory may differ by a twentieth: how much of it a kernel keeps to itself changes from one start to the next.
    """
    found = [
        f"{name.replace('_', ' ')}: {_as_text(one.get(name))} -> {_as_text(other.get(name))}"
        for name in ("processor", "architecture", "usable_cores", "caches", "python", "governor", "gpus")
        if one.get(name) != other.get(name)
    ]
    quotas = tuple(_quota(each) for each in (one, other))
    if quotas[0] != quotas[1]:
        was, now = (f"{each:g} cores" if each else "none" for each in quotas)
        found.append(f"quota of processor time: {was} -> {now}")
    memory = one.get("memory_bytes") or 0, other.get("memory_bytes") or 0
    if max(memory) > _SAME_MEMORY * min(memory):
        was, now = (size(each) if each else "unknown" for each in memory)
        found.append(f"memory: {was} -> {now}")
    return found


def last_level_cache_bytes(machine: Mapping[str, Any]) -> int | None:
    """Size of the largest cache, where it is known."""
    sizes = [int(each) for each in dict(machine.get("caches", {})).values()]
    return max(sizes, default=None)


def clock_source() -> str | None:
    """What the kernel reads the time from, where it says so."""
    return _read(Path("/sys/devices/system/clocksource/clocksource0/current_clocksource"))


def load_average() -> float | None:
    """Runnable processes over the last minute, where the platform reports them."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _quota(facts: Mapping[str, Any]) -> float | None:
    """How many cores' time a container may use; None where it is not limited."""
    match = re.fullmatch(r"(\d+) (\d+)", (facts.get("container") or {}).get("cpu.max", ""))
    return int(match[1]) / int(match[2]) if match and int(match[2]) else None


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{level} {size(number)}" for level, number in value.items())
    if isinstance(value, list):
        return "; ".join(map(str, value))
    return "unknown" if value is None else str(value)


def _processor() -> str:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    import cpuinfo

    return str(cpuinfo.get_cpu_info().get("brand_raw") or platform.processor() or "unknown")


def _caches() -> dict[str, int]:
    """Bytes by level and kind, of the first core."""
    found = {}
    for index in sorted((_CPU / "cpu0/cache").glob("index*")):
        level, kind, size = (_read(index / name) for name in ("level", "type", "size"))
        match = re.fullmatch(r"(\d+)([KM])", size or "")
        if level and kind and match and kind != "Instruction":
            found[f"L{level}"] = int(match[1]) * (2**10 if match[2] == "K" else 2**20)
    return found


def _turbo() -> bool | None:
    boost = _read(_CPU / "cpufreq/boost")
    if boost is not None:
        return boost == "1"
    no_turbo = _read(_CPU / "intel_pstate/no_turbo")
    return None if no_turbo is None else no_turbo == "0"


def _virtual() -> bool | None:
    text = _read(Path("/proc/cpuinfo"))
    return None if text is None else " hypervisor" in text


def _container() -> dict[str, str] | None:
    """Limits of the control group, where there are any."""
    limits = {name: _read(Path("/sys/fs/cgroup") / name) for name in ("cpu.max", "memory.max")}
    return {name: value for name, value in limits.items() if value and not value.startswith("max")} or None


def _gpus() -> list[str] | None:
    """Name, memory, driver, power limit and persistence mode of each CUDA device, from `nvidia-smi`; None without."""
    command = [
        "nvidia-smi",
        "--query-gpu=name,memory.total,driver_version,power.limit,persistence_mode",
        "--format=csv,noheader",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    found = [line.split(", ") for line in done.stdout.splitlines()]
    return [_gpu(*each) for each in found if len(each) == _GPU_FACTS] or None


def _gpu(name: str, memory: str, driver: str, power: str, persistence: str) -> str:
    """One of them in words; what a driver does not tell is left out."""
    known = {"power limit": power, "persistence mode": persistence.lower()}
    return ", ".join(
        [
            name,
            memory,
            f"driver {driver}",
            *(f"{fact} {value}" for fact, value in known.items() if "N/A" not in value.upper()),
        ]
    )


def _read(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
