"""The state of the memory allocator in which plain functions are timed: chosen, and the same at every n.

glibc begins by returning blocks from 128 KiB on to the kernel, and raises that threshold with the largest block that was
freed, up to 32 MiB. What a call costs would depend on which n its process had visited before. Workers of functions start with
the thresholds where a process that has run for a while has them.
"""

from __future__ import annotations

from typing import Final

MMAP_BYTES: Final = 2**25  # blocks from here on come from the kernel at every call: glibc's own upper limit
TRIM_BYTES: Final = 2**26  # of free memory at the end of the heap that are kept: twice as much, as glibc does itself
VARIABLES: Final = {"MALLOC_MMAP_THRESHOLD_": str(MMAP_BYTES), "MALLOC_TRIM_THRESHOLD_": str(TRIM_BYTES)}
