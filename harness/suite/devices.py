"""Names of devices, such as `cuda:1`, and how a process is made to see that one and no other of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# By kind, the variables that say which of its devices a process sees, in the driver's own order. PyTorch for ROCm
# calls its devices cuda and reads the second. A kind that is missing here has one device, and nothing to hide.
_VISIBLE: Mapping[str, tuple[str, ...]] = {
    "cuda": ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"),
    "xpu": ("ZE_AFFINITY_MASK",),
}
_FIXED: Mapping[str, Mapping[str, str]] = {"cuda": {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}}  # as nvidia-smi numbers them


def kind_of(device: str) -> str:
    """`cuda` of `cuda:1`."""
    return device.partition(":")[0]


def number_of(device: str) -> int:
    """1 of `cuda:1`, 0 where no number is given."""
    return int(device.partition(":")[2] or 0)


def visible(device: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables under which a process sees this device as the first and only one of its kind.

    Args:
        device: its name; numbers count the devices that this process itself may see.
        environment: of this process. A list of visible devices that it holds is counted through.
    """
    kind, number = kind_of(device), number_of(device)
    found = dict(_FIXED.get(kind, {}))
    for variable in _VISIBLE.get(kind, ()):
        listed = [each.strip() for each in environment.get(variable, "").split(",") if each.strip()]
        if variable in environment:
            found[variable] = listed[number] if number < len(listed) else ""  # empty: it sees none
        else:
            found[variable] = str(number)
    return found
