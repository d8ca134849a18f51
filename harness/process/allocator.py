"""The state of the memory allocator in which contenders are timed: chosen, and the same at every N.

glibc begins by returning blocks from 128 KiB on to the kernel, and raises that threshold with the largest block that was
freed, up to 32 MiB. What a call costs would depend on which N its process had visited before, and on where its last block
lies: a page that is touched anew costs a virtual machine up to 4 µs. All workers start with the thresholds where a process
that has run for a while has them. Those of functions start with its high-water mark, too: as much of the heap as stays the
process's when it is free has been touched before anything is timed. Where a large n has taken that away, it is reached again.

NumPy asks for pages of 2 MiB for arrays from 4 MiB on, and the heap keeps them: what a smaller array costs would depend on whether
a larger one was there before. So glibc asks for them for the whole heap, which it can from 2.35 on.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MMAP_BYTES: Final = 2**25  # blocks from here on come from the kernel at every call: glibc's own upper limit
TRIM_BYTES: Final = 2**26  # of free memory at the end of the heap that are kept: twice as much, as glibc does itself
THRESHOLDS: Final = {"MALLOC_MMAP_THRESHOLD_": str(MMAP_BYTES), "MALLOC_TRIM_THRESHOLD_": str(TRIM_BYTES)}
OTHER_BYTES: Final = 2**17  # glibc's first threshold: that of a process which has freed no large block yet
OTHER: Final = {"MALLOC_MMAP_THRESHOLD_": str(OTHER_BYTES), "MALLOC_TRIM_THRESHOLD_": str(OTHER_BYTES)}
HIGH_WATER_BYTES: Final = 3 * 20 * 2**20  # touched before anything is timed: less than what is kept
_TUNABLES = "GLIBC_TUNABLES"
_HUGE_PAGES = "glibc.malloc.hugetlb=1"
_BLOCKS = 3  # each below the first threshold, so that they lie in the heap


def variables(surroundings: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a worker of functions, beside what the user has set."""
    tunables = [each for each in (surroundings.get(_TUNABLES), _HUGE_PAGES) if each]
    return {**THRESHOLDS, _TUNABLES: ":".join(tunables)}


def state(*, functions: bool) -> dict[str, int]:
    """For run.json: what was chosen, in bytes; for functions, whether large pages are asked for, too."""
    chosen = {name.strip("_").lower(): int(value) for name, value in THRESHOLDS.items()}
    return {**chosen, "high_water_mark": HIGH_WATER_BYTES, "huge_pages": 1} if functions else chosen


class HighWater:
    """The high-water mark of a process's heap.

    Args:
        end: the address at which the heap ends; 0 where that is not known.
        touch: takes so many bytes, writes to them, and frees them.
    """

    def __init__(self, end: Callable[[], int] | None = None, touch: Callable[[int], None] | None = None) -> None:
        self._end = end or _end_of_heap
        self._touch = touch or _touch
        self._mark: int | None = None

    def reach(self) -> bool:
        """Sees to it that so much free memory is the process's; whether that was necessary."""
        if self._mark is not None and self._end() >= self._mark:
            return False
        self._touch(HIGH_WATER_BYTES)
        self._mark = self._end()
        return True


def _touch(size: int) -> None:
    held = [np.ones(size // _BLOCKS // 8) for _ in range(_BLOCKS)]
    while held:
        held.pop()  # the last one first: all of it becomes one free block at the end of the heap


def _end_of_heap() -> int:
    """The program break, on Linux."""
    if sys.platform != "linux":
        return 0
    try:
        sbrk = ctypes.CDLL(None).sbrk
    except (OSError, AttributeError):
        return 0
    sbrk.restype, sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
    return int(sbrk(0) or 0)
