"""On which cores workers are kept: as many as they have threads."""

from __future__ import annotations

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
