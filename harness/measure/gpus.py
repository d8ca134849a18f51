"""What the driver says of NVIDIA's GPUs while they are measured: clocks, power, temperature, throttling, who uses them.

It is asked through NVML, with the module `pynvml` of the extra `[gpu]`; nothing is asked where that is not installed.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from harness.suite.devices import kind_of, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

# Reasons for which the driver lowers clocks (nvml.h, nvmlClocksEventReasons) that make a sample another experiment. A
# clock that is low since the GPU is idle, or was set by its owner, is none of them.
_THROTTLES: Mapping[int, str] = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "power brake",
}


@dataclass(frozen=True, kw_only=True)
class State:
    """One GPU at one moment; None where the driver does not say."""

    sm_clock_mhz: float | None = None
    power_watts: float | None = None
    temperature_celsius: float | None = None
    throttled: tuple[str, ...] = ()
    processes: tuple[int, ...] = ()  # that compute on it
    used_bytes: Mapping[str, int] | None = None  # of its memory, by process

    def to_json(self) -> dict[str, Any]:
        """Plain data for a record, without what is not known."""
        return {name: value for name, value in asdict(self).items() if value not in (None, (), {})}


class Gpus:
    """The GPUs of this machine.

    Args:
        library: the module `pynvml`, initialised.
        environment: of this process, which may see some of them only.
    """

    def __init__(self, library: Any, environment: Mapping[str, str]) -> None:
        self._library = library
        self._environment = environment

    def state(self, device: str) -> State:
        """How a device is now; a state that knows nothing where the driver does not answer."""
        library = self._library
        try:
            handle = self._handle(device)
        except (library.NVMLError, ValueError):
            return State()

        def ask(name: str, *arguments: Any) -> Any:
            with contextlib.suppress(library.NVMLError, AttributeError):
                return getattr(library, name)(handle, *arguments)
            return None

        reasons = ask("nvmlDeviceGetCurrentClocksEventReasons")
        reasons = ask("nvmlDeviceGetCurrentClocksThrottleReasons") if reasons is None else reasons
        milliwatts = ask("nvmlDeviceGetPowerUsage")
        running = ask("nvmlDeviceGetComputeRunningProcesses") or ()
        return State(
            sm_clock_mhz=ask("nvmlDeviceGetClockInfo", library.NVML_CLOCK_SM),
            power_watts=None if milliwatts is None else milliwatts / 1000,
            temperature_celsius=ask("nvmlDeviceGetTemperature", library.NVML_TEMPERATURE_GPU),
            throttled=tuple(why for bit, why in _THROTTLES.items() if reasons and reasons & bit),
            processes=tuple(int(each.pid) for each in running),
            used_bytes={str(each.pid): int(each.usedGpuMemory) for each in running if each.usedGpuMemory},
        )

    def _handle(self, device: str) -> Any:
        """The driver's own handle, by number or, where the environment lists devices so, by UUID."""
        wanted = visible(device, self._environment)["CUDA_VISIBLE_DEVICES"]
        if wanted.startswith(("GPU-", "MIG-")):
            return self._library.nvmlDeviceGetHandleByUUID(wanted)
        return self._library.nvmlDeviceGetHandleByIndex(int(wanted))


def watched(devices: Collection[str], environment: Mapping[str, str] | None = None) -> Gpus | None:
    """The GPUs, where one of these devices is one and the driver can be asked; None elsewhere."""
    if not any(kind_of(device) == "cuda" for device in devices):
        return None
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    return Gpus(pynvml, os.environ if environment is None else environment)


def doubts(before: State, after: State, own: Collection[int]) -> Iterator[str]:
    """What to doubt of samples that were taken between two states."""
    slowed = dict.fromkeys([*before.throttled, *after.throttled])
    if slowed:
        yield f"the GPU was throttled ({', '.join(slowed)})"
    seen = {*before.processes, *after.processes}
    others = seen - set(own)
    # In a container the driver may number processes otherwise: nothing is known where none of ours is among them.
    if others and seen & set(own):
        count = len(others)
        yield f"{count} other process{'es' * (count != 1)} used the GPU"
