"""What workers are given: as many cores as they have threads, and an allocator in a state that was chosen."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.measure import pool


@pytest.mark.parametrize(
    ("threads", "cores"),
    [(1, [3]), (2, [2, 3]), (3, [1, 2, 3]), (4, []), (8, [])],  # none: on all that there are
)
def test_the_pin_follows_the_threads(monkeypatch, threads, cores):
    monkeypatch.setattr(pool.sys, "platform", "linux")
    monkeypatch.setattr(pool.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert pool.timing_cores(threads) == cores


@pytest.mark.parametrize(("function", "pages"), [(None, False), (object(), True)])
def test_every_worker_begins_with_an_allocator_that_keeps_its_memory(function, pages):
    variables = pool.allocator_environment(SimpleNamespace(function=function), young_heap=False)
    assert variables["MALLOC_MMAP_THRESHOLD_"] == str(2**25)
    assert variables["MALLOC_TRIM_THRESHOLD_"] == str(2**26)
    assert ("hugetlb" in variables.get("GLIBC_TUNABLES", "")) == pages
    young = pool.allocator_environment(SimpleNamespace(function=function), young_heap=True)
    assert young["MALLOC_TRIM_THRESHOLD_"] == str(2**17)
