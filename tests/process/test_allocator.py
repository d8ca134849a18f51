"""The high-water mark is reached before anything is timed, and again where a large n has taken it away."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from harness.process import allocator

SEEN = """
import resource, numpy
from harness.process import allocator

def faults(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        numpy.ones(n // 8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {reach}:
    allocator.HighWater().reach()
print(faults(2**20), faults(2**24))
held = [b"x" * 2**20 for _ in range(100)]  # beyond the mark
heap, sizes = False, {{"Rss": 0, "AnonHugePages": 0}}
for name, *rest in map(str.split, open("/proc/self/smaps")):
    heap = rest[-1] == "[heap]" if "-" in name else heap
    if heap and name[:-1] in sizes:
        sizes[name[:-1]] += int(rest[0])
print(sizes["AnonHugePages"] / sizes["Rss"])
"""


class Heap:
    def __init__(self):
        self.end, self.touched = 1000, []

    def touch(self, size):
        self.touched.append(size)
        self.end = max(self.end, 1000 + size)


def test_the_mark_is_reached_once_and_again_where_the_heap_was_given_back():
    heap = Heap()
    mark = allocator.HighWater(lambda: heap.end, heap.touch)
    assert mark.reach()
    assert not mark.reach()
    heap.end = 1500  # a large n was freed, and the end of the heap with it
    assert mark.reach()
    assert heap.touched == [allocator.HIGH_WATER_BYTES] * 2


def test_what_is_touched_is_kept_and_lies_in_the_heap():
    assert allocator.HIGH_WATER_BYTES < allocator.TRIM_BYTES
    assert allocator.HIGH_WATER_BYTES // 3 < allocator.MMAP_BYTES


def large_pages():
    """Whether the kernel gives pages of 2 MiB, and glibc can ask for them."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    given = setting.exists() and "[never]" not in setting.read_text()
    return given and tuple(map(int, platform.libc_ver()[1].split("."))) >= (2, 35)


def test_what_the_user_has_set_stays():
    assert allocator.variables({"GLIBC_TUNABLES": "a=1"})["GLIBC_TUNABLES"] == "a=1:glibc.malloc.hugetlb=1"
    assert allocator.variables({})["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"


def test_what_was_chosen_is_recorded():
    assert allocator.state(functions=True) == {
        "malloc_mmap_threshold": 2**25, "malloc_trim_threshold": 2**26, "high_water_mark": 60 * 2**20,
        "huge_pages": 1,
    }  # fmt: skip
    assert allocator.state(functions=False) == {"malloc_mmap_threshold": 2**25, "malloc_trim_threshold": 2**26}


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted, of glibc")
def test_after_it_no_call_takes_a_page_from_the_kernel():
    """At 1 MiB and 16 MiB alike: a fresh process takes 256 pages and more in the first call at each. All of the heap is alike."""

    def faults(*, reach, variables):
        done = subprocess.run(
            [sys.executable, "-c", SEEN.format(reach=reach)],
            env={**os.environ, **variables}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return [float(each) for each in done.stdout.split()]

    chosen = faults(reach=True, variables=allocator.variables())
    fresh = faults(reach=False, variables={"MALLOC_MMAP_THRESHOLD_": str(2**17)})
    assert max(chosen[:2]) < 100
    assert fresh[0] > 1000
    if large_pages():
        assert chosen[2] > 0.5
